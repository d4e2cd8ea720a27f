"""Mail on its way out, and the clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


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


class Smarthost(Protocol):
    async def send(self, mail: OutgoingMail) -> Sent:
        """Hand over one mail; never raises for what the peer said or did: that is deferred or failed."""
        ...


class Clock(Protocol):
    def now(self) -> datetime: ...
