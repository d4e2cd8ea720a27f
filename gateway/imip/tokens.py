"""The addresses that we make up: bounce, answer and organizer tokens behind the service address.

    calendar+b<row and MAC>@example.org    where the bounces of one letter come home (VERP)
    calendar+a<row and MAC>@example.org    where a guest answers one letter by plain mail
    calendar+r<MAC>@example.org            the ORGANIZER of an agent's letters, the same for the UID's whole life

Lower-case base32, since some mail servers fold the case of local parts; 80 bits of MAC, since a local part has 64 octets.
Each purpose has its own key, so no token can stand for another.
"""

from __future__ import annotations

import hmac
from base64 import b32decode, b32encode
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

MAC = 10
BLOCK = 5  # base32 without padding
LOCAL_PART = 64
LONGEST_NAME = (
    LOCAL_PART - len("+b") - 24
)  # of the service address: 24 characters carry a row of 40 bits and a MAC


class Purpose(StrEnum):
    """What a token is good for; the letter that begins it."""

    BOUNCE = "b"
    ANSWER = "a"
    ORGANIZER = "r"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token that was read. A row token is proven; an organizer token is, only once `Tokens.is_organizer` says so."""

    purpose: Purpose
    row: int | None = None
    mac: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Makes and reads the addresses; `secret` is the gateway's, `older` what it was before, `service` its service address."""

    secret: bytes = field(repr=False)
    service: str
    older: tuple[bytes, ...] = field(default=(), repr=False)  # believed, but sign nothing more

    def bounce(self, row: int) -> str:
        """The envelope sender of the letter with this row number."""
        return self._address(Purpose.BOUNCE, self._row(Purpose.BOUNCE, row))

    def answer(self, row: int) -> str:
        """The address that takes a plain answer to the letter with this row number."""
        return self._address(Purpose.ANSWER, self._row(Purpose.ANSWER, row))

    def organizer(self, account: str, uid: str) -> str:
        """The address that stands for the organizer of this UID in the mail of an agent (SPEC 6.4)."""
        return self._address(Purpose.ORGANIZER, self._organizer(account, uid))

    def read(self, address: str) -> Token | None:
        """The token of one of our addresses; None for any other address and for a wrong MAC."""
        local, at, domain = address.strip().strip("<>").rpartition("@")
        base, plus, text = local.partition("+")
        ours, _, our_domain = self.service.rpartition("@")
        if not (at and plus and text) or (base.lower(), domain.lower()) != (ours.lower(), our_domain.lower()):
            return None
        return self._read(text.lower())

    def is_organizer(self, token: Token, account: str, uid: str) -> bool:
        """Whether the token is the one of this account and UID."""
        if token.purpose is not Purpose.ORGANIZER:
            return False
        return any(hmac.compare_digest(token.mac, self._organizer(account, uid, key)) for key in self._keys)

    @property
    def _keys(self) -> tuple[bytes, ...]:
        return (self.secret, *self.older)

    def _read(self, text: str) -> Token | None:
        if text[:1] not in set(Purpose):
            return None
        purpose = Purpose(text[0])
        try:
            data = b32decode(text[1:].upper())
        except ValueError:
            return None
        if purpose is Purpose.ORGANIZER:
            return Token(purpose=purpose, mac=data) if len(data) == MAC else None
        row = int.from_bytes(data[:-MAC], "big")
        if len(data) <= MAC or not any(
            hmac.compare_digest(data, self._row(purpose, row, key)) for key in self._keys
        ):
            return None
        return Token(purpose=purpose, row=row, mac=data[-MAC:])

    def _address(self, purpose: Purpose, data: bytes) -> str:
        base, _, domain = self.service.rpartition("@")
        local = f"{base}+{purpose}{b32encode(data).decode('ascii').lower()}"
        if len(local) > LOCAL_PART:
            raise ValueError(f"{self.service}: too long to carry a token")
        return f"{local}@{domain}"

    def _row(self, purpose: Purpose, row: int, key: bytes = b"") -> bytes:
        blocks = max(1, -(-row.bit_length() // (8 * BLOCK)))
        number = row.to_bytes(blocks * BLOCK, "big")
        return number + self._mac(purpose, number, key)

    def _organizer(self, account: str, uid: str, key: bytes = b"") -> bytes:
        return self._mac(Purpose.ORGANIZER, account.encode() + b"\0" + uid.encode(), key)

    def _mac(self, purpose: Purpose, data: bytes, key: bytes) -> bytes:
        own = hmac.digest(key or self.secret, b"imip-gateway mail token " + purpose.encode(), sha256)
        return hmac.digest(own, data, sha256)[:MAC]


__all__ = ["LONGEST_NAME", "Purpose", "Token", "Tokens"]
