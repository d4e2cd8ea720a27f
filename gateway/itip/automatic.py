"""Which mail may be answered by a machine, and how often: never another machine, a list or nobody, and once a day.

Two programs that answer each other's answers never stop; that is what RFC 3834 2 is about, and SPEC 3.4.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from gateway.itip.model import Context, Mark, MarkKey, Reason

PAUSE: Final = timedelta(days=1)


def why_not(context: Context, party: str) -> Reason | None:
    """Why this mail gets no automatic answer; None when it may. `party`: the ledger's line that counts such answers."""
    if context.auto_submitted not in ("", "no") or context.is_list or context.null_sender:
        return Reason.AUTO_SUBMITTED
    last = context.marks.get(MarkKey(recurrence_id="", party=party))
    lately = last is not None and last.dtstamp is not None and context.now - last.dtstamp < PAUSE
    return Reason.RATE_LIMITED if lately else None


def counted(context: Context, party: str) -> dict[MarkKey, Mark]:
    """The ledger's line once it was answered."""
    return {MarkKey(recurrence_id="", party=party): Mark(dtstamp=context.now)}


__all__ = ["PAUSE", "counted", "why_not"]
