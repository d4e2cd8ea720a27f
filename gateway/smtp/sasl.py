"""The two password mechanisms of SASL that mail clients speak: PLAIN (RFC 4616) and LOGIN."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

MECHANISMS = ("PLAIN", "LOGIN")
USERNAME_PROMPT = "334 VXNlcm5hbWU6"
PASSWORD_PROMPT = "334 UGFzc3dvcmQ6"  # noqa: S105 - the word, not a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who says he is whom."""

    username: str
    password: str = field(repr=False)


def decode(text: str) -> str | None:
    """The text of a base64 line; `=` is the empty one (RFC 4954 4); None when it is not base64 of UTF-8."""
    if text == "=":
        return ""
    try:
        return base64.b64decode(text.encode("ascii"), validate=True).decode()
    except (binascii.Error, ValueError):
        return None


def plain(text: str) -> Login | None:
    """RFC 4616 2. An authorisation identity other than the user's own is refused: nobody acts for another here."""
    parts = text.split("\0")
    if len(parts) != 3 or not parts[1] or parts[0] not in ("", parts[1]):
        return None
    return Login(username=parts[1], password=parts[2])
