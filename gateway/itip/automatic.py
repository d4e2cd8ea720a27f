"""Which mail may be answered by a machine, and how often: never another machine, a list or nobody, and once a day.

One exception (SPEC 12.2): Stalwart and Cyrus mark each of their letters `auto-generated`, what a person wrote with them too.
A REQUEST of theirs may get its REPLY, which nobody answers again. Two programs that answer each other's answers never stop; that is what RFC 3834 2 is about, and SPEC 3.4.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from gateway.itip.model import Context, Mark, MarkKey, Reason

PAUSE: Final = timedelta(days=1)


def why_not(context: Context, party: str, *, to_request: bool = False) -> Reason | None:
    """Why this mail gets no automatic answer; None when it may. `party`: the ledger's line that counts such answers.

    `to_request`: it is a REQUEST, and the answer a REPLY.
    """
    people = ("", "no", "auto-generated") if to_request else ("", "no")
    if context.auto_submitted not in people or context.is_list or context.null_sender:
        return Reason.AUTO_SUBMITTED
    last = context.marks.get(MarkKey(recurrence_id="", party=party))
    lately = last is not None and last.dtstamp is not None and context.now - last.dtstamp < PAUSE
    return Reason.RATE_LIMITED if lately else None


def counted(context: Context, party: str) -> dict[MarkKey, Mark]:
    """The ledger's line once it was answered."""
    return {MarkKey(recurrence_id="", party=party): Mark(dtstamp=context.now)}


def tallied(party: str, letters: int, context: Context, *, most: int) -> dict[MarkKey, Mark] | None:
    """The ledger's line once so many letters have left; None when that would be more than there may be within a day."""
    if not letters:
        return {}
    name = MarkKey(recurrence_id="", party=party)
    last = context.marks.get(name)
    if last is None or last.dtstamp is None or context.now - last.dtstamp >= PAUSE:
        last = Mark(dtstamp=context.now, sequence=0)
    sent = (last.sequence or 0) + letters
    return {name: replace(last, sequence=sent)} if sent <= most else None


__all__ = ["PAUSE", "counted", "tallied", "why_not"]
