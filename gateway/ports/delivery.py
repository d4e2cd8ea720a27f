"""Mail on its way out, and the clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.ports.jobs import Stored
from gateway.ports.mail import Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMail:
    """One mail for one recipient, ready for the smarthost."""

    sender: str  # envelope sender; "" is the null sender
    recipient: str
    content: bytes
    smtputf8: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What the smarthost said."""

    state: str  # sent | deferred | failed
    code: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOn:
    """A mail that is not ours, on its way to the next hop with the envelope that it came in."""

    envelope: Envelope
    content: bytes
    rest: Stored | None = None  # what follows the content lies in a file, from `skip` on
    skip: int = 0
    straight: bool = (
        False  # it came through our door, so each of its lines ends in CRLF; looking costs 1 ms a megabyte
    )

    @property
    def size(self) -> int:
        return len(self.content) + (len(self.rest) - self.skip if self.rest is not None else 0)


class NextHop(Protocol):
    """Where a listener's mail goes on to (SPEC 1.4)."""

    async def pass_on(self, mail: PassedOn) -> tuple[Sent, ...]:
        """Hand over one mail; an answer for each recipient, in order. Never raises for what the peer said or did."""
        ...

    async def offers(self) -> frozenset[str] | None:
        """The SMTP extensions of the next hop, lower case; None while it cannot be asked."""
        ...


class Smarthost(Protocol):
    async def send(self, mail: OutgoingMail) -> Sent:
        """Hand over one mail; never raises for what the peer said or did: that is deferred or failed."""
        ...


class Clock(Protocol):
    def now(self) -> datetime: ...
