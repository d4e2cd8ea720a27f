"""Who has answered a meeting to which nobody has invited him, until its organizer decides (SPEC 12.11)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Crasher:
    """A held answer. `word`: what the organizer has said to it, `approved` or `refused`, at `due`; "" nothing yet."""

    item: str
    sender: str
    since: datetime
    word: str = ""
    due: datetime | None = None


class Crashers(Protocol):
    """What `held` does too (INTERFACE 7), here with a time in which a word can be taken back."""

    async def crashers(self, account: str, uid: str) -> tuple[Crasher, ...]:
        """The first of those that wait for the organizer of a meeting, or for his word to take effect."""
        ...

    async def approve(self, item: str, *, due: datetime | None = None) -> bool: ...

    async def refuse(self, item: str, *, due: datetime | None = None) -> bool: ...

    async def withdraw(self, item: str) -> bool:
        """Nothing was said; False when the word has taken effect, or there was none."""
        ...


__all__ = ["Crasher", "Crashers"]
