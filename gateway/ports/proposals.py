"""Proposals of another time, until their organizer decides (SPEC 4.5)."""

from __future__ import annotations

from dataclasses import dataclass
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


class Proposals(Protocol):
    async def find(self, proposal: str) -> ProposalRow | None:
        """One proposal, open or not; None when there is none of that name."""
        ...
