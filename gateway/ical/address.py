"""Calendar user addresses in one canonical form, so that two spellings of one person compare equal.

Mail: `local@domain`, lower case, the domain as A-labels, no `mailto:`, percent-decoded, the query cut. Anything else
(`urn:uuid:`, a principal path, `https:`) stays the URI that it is. Lower-casing the local part deviates from
RFC 5321 2.4 on purpose: calendar programs change its case freely, and no provider that we know tells two people apart by it.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NewType
from urllib.parse import unquote

from gateway.accounts import domain_name

Address = NewType("Address", str)

_USUAL = 254  # characters of an address that is worth being kept (RFC 5321 4.5.3.1.3)
_PLAIN = re.compile(r"(?:mailto:)?([a-z0-9.!#$&'*+/=^_`{|}~-]+@[a-z0-9.-]+[a-z0-9])\Z", re.ASCII)
# Line ends, invisible letters, and what turns the direction of the text around them.
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x80-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.ASCII)
_MAIL = re.compile(r"(?!/)[^\s@<>:]+@[^\s@<>,;:/\\\"]+\Z")
_NAMED = re.compile(r"[^<]*<([^<>]*)>\Z")
_QUOTED_ATOM = re.compile(r"\"([^\s\"\\@<>:,;]+)\"\Z")


def address(text: str) -> Address:
    """The canonical form of a calendar user address (RFC 5545 3.3.3, 6068); odd input comes back stripped, never an error."""
    lower = text.lower()
    if plain := _PLAIN.match(lower):
        return Address(plain[1])
    return _tolerant(text)


def is_mail(a: Address) -> bool:
    """Whether the address is one mailbox, so that mail can be sent to it."""
    return _is_known_mail(a) if len(a) <= _USUAL else _MAIL.match(a) is not None


@lru_cache(maxsize=4096)  # each of a thousand guests is asked for ten times
def _is_known_mail(a: Address) -> bool:
    return _MAIL.match(a) is not None


def mailto(a: Address) -> str:
    """The address as a property value: `mailto:local@domain`, or the URI unchanged."""
    return f"mailto:{_quoted(a)}" if is_mail(a) else a


def domain(a: Address) -> str:
    """The domain as A-labels; empty when the address is no mail address."""
    return a.rpartition("@")[2] if is_mail(a) else ""


def _quoted(mail: str) -> str:
    """RFC 6068 2: what would end or split the URI is percent-encoded."""
    return re.sub(r"[%?#;,\"\\]", lambda found: f"%{ord(found[0]):02X}", mail)


@lru_cache(maxsize=512)
def _tolerant(text: str) -> Address:
    bare = _CONTROL.sub("", text).strip()
    bare = bare.strip("'\"").strip() if bare[:1] == bare[-1:] else bare
    if named := _NAMED.match(bare):
        bare = named[1].strip()
    lower = bare.lower()
    if lower.startswith("mailto:"):
        return _mail(bare[7:])
    if lower.startswith("urn:uuid:"):
        return Address(lower)
    if "@" in bare and not _SCHEME.match(lower) and not bare.startswith("/"):
        return _mail(bare)
    return Address(bare)


def _mail(rest: str) -> Address:
    """The mailbox of a `mailto:` URI; `mailto:a\\,b@x` is Outlook's escaping of what is no TEXT value."""
    before_query = rest.partition("?")[0]
    decoded = _CONTROL.sub("", unquote(before_query.replace("\\", ""), errors="surrogateescape"))
    local, at, host = decoded.strip().strip("<>").strip().rpartition("@")
    if not at:
        return Address(host.lower())
    if plain := _QUOTED_ATOM.match(local.strip()):
        local = plain[1]  # RFC 5321 4.1.2: quotes that need not be are no part of the name
    return Address(f"{unicodedata.normalize('NFC', local.strip()).lower()}@{domain_name(host)}")


__all__ = ["Address", "address", "domain", "is_mail", "mailto"]
