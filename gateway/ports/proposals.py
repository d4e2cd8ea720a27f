"""Proposals of another time, until their organizer decides (SPEC 4.5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalRow:
    """What is kept of a COUNTER; times are RFC 3339, a day is YYYY-MM-DD, "" is not there."""

    account: str
    uid: str
    recurrence_id: str
    sender: str  # as the stored meeting knows him
    sequence: int | None
    start: str
    end: str
    old_start: str
    old_end: str
    comment: str
    data: bytes  # the COUNTER, as calendar text without METHOD
    message_id: str = ""  # of the mail that it came in
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """A proposal that is not closed. `answer`: the organizer's word, on its way in `job`, which runs at `due`; "" none yet."""

    row: ProposalRow
    answer: str = ""
    job: str = ""
    due: datetime | None = None


class Proposals(Protocol):
    async def find(self, proposal: str) -> ProposalRow | None:
        """One proposal, open or not; None when there is none of that name."""
        ...

    async def of_meeting(self, account: str, uid: str) -> tuple[Undecided, ...]:
        """The proposals about one meeting that wait for its organizer, or for his word to be carried out."""
        ...

    async def answer(self, proposal: str, answer: str, *, due: datetime | None = None) -> bool:
        """Queue the organizer's word, `accepted` or `declined`; False when nothing of that name waits for it."""
        ...
