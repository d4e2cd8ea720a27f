"""The links of letters and the nonces of pages: short, signed, for one purpose each; the only user of itsdangerous.

    PUBLIC/r/<row, last day, MAC>    a guest's page: answers for him about one meeting, and nothing else
    PUBLIC/o/<row, last day, MAC>    the organizer's page of the same meeting
    PUBLIC/c/<row, last day, MAC>    the meeting as this guest may see it, for a calendar program that comes back for it
    PUBLIC/a/<row, last day, MAC>/N  the N-th attachment of that letter that lies behind the organizer's login

A link names the row of a letter; whom and what the letter was about stands there. What a link is good for today is looked
up anew each time: a guest who was struck off, or a meeting that is gone, makes it void. Each purpose has its own key. The
first key signs, all of them are believed: a key that leaves the file makes what it signed void.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

LONGEST = 200  # characters of a token that are looked at
_TOKEN = re.compile(r"\.?[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_EPOCH = date(1970, 1, 1)
_LARGEST = 2**63


class Purpose(StrEnum):
    """What a link is good for; also the place of its page."""

    ANSWER = "r"
    ORGANIZER = "o"
    CALENDAR = "c"
    ATTACHMENT = "a"


@dataclass(frozen=True, slots=True, kw_only=True)
class Nonce:
    """What a page knew when it was made: a form may be sent by its page only."""

    made: datetime
    seen: str  # what of the guest's answers had not taken effect yet


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTokens:
    """Makes and reads them; `keys` are the gateway's secrets, the newest first, `url` is where guests reach it."""

    keys: tuple[bytes, ...] = field(repr=False)
    url: str
    lifetime: timedelta = timedelta(days=400)

    def link(self, purpose: Purpose, row: int, now: datetime) -> str:
        """The page about the letter with this row number, for as long as `lifetime` from now."""
        return f"{self.url}/{purpose}/{self.token(purpose, row, now)}"

    def token(self, purpose: Purpose, row: int, now: datetime) -> str:
        last = (now.astimezone(UTC) + self.lifetime).date()
        return self._signer(purpose).dumps([row, (last - _EPOCH).days])

    def read(self, purpose: Purpose, token: str, now: datetime) -> int | None:
        """The row of a token of ours; None for any other, for one of another purpose, and for one whose time is over."""
        facts = self._read(purpose, token, 2)
        if facts is None or (now.astimezone(UTC).date() - _EPOCH).days > facts[1]:
            return None
        return facts[0]

    def nonce(self, purpose: Purpose, row: int, now: datetime, *, seen: str = "") -> str:
        """What the form of a page must bring back."""
        made = int(now.timestamp() * 1000)
        return self._signer(f"{purpose} page {row} {seen}").dumps([made]) + f".{seen}"

    def read_nonce(self, purpose: Purpose, row: int, text: str) -> Nonce | None:
        """The nonce of a page about this row; None for any other."""
        signed, _, seen = text[: 2 * LONGEST].rpartition(".")
        facts = self._read(f"{purpose} page {row} {seen}", signed, 1)
        return None if facts is None else Nonce(made=datetime.fromtimestamp(facts[0] / 1000, UTC), seen=seen)

    def _read(self, salt: str, token: str, count: int) -> list[int] | None:
        if len(token) > LONGEST or not _TOKEN.fullmatch(token):  # base64 of two alphabets would be read
            return None
        try:
            facts: Any = self._signer(salt).loads(token)
        except BadData:
            return None
        known = isinstance(facts, list) and len(facts) == count
        whole = known and all(isinstance(one, int) and 0 <= one < _LARGEST for one in facts)
        return facts if whole else None

    def _signer(self, salt: str) -> URLSafeSerializer:
        return URLSafeSerializer(
            list(reversed(self.keys)),  # itsdangerous signs with the last
            salt=f"imip-gateway link {salt}",
            signer_kwargs={"digest_method": sha256, "key_derivation": "hmac"},
        )


__all__ = ["LinkTokens", "Nonce", "Purpose"]
