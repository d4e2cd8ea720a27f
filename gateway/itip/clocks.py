"""Which of two things was said first, where each carries the time of a clock that nobody has checked.

DTSTAMP is the sender's clock, and his own order is the one that counts; so it is taken as he wrote it, also when it is
ahead of its mail's arrival (`arrived` remembers that it was). Two things speak against such a clock, and bound what one
wrong stamp does to all that is said later by a right one:

    more than `LEEWAY` ahead   it is not believed: the mail's Date stands for it, or its arrival if that is ahead too
    less                       it is, unless its mail's Date can be true and the other mail's is later

So a DTSTAMP of the year 2099 delays nobody, and a lesser one for three days at most.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Protocol

LEEWAY: Final = timedelta(days=3)
_SKEW: Final = timedelta(minutes=5)  # by so much any two honest clocks may differ


class Said(Protocol):
    """What a ledger's mark and a component's stamp have in common."""

    @property
    def dtstamp(self) -> datetime | None: ...

    @property
    def arrived(self) -> datetime | None: ...

    @property
    def mail_date(self) -> datetime | None: ...


def believed(
    dtstamp: datetime | None, *, arrived: datetime, mail_date: datetime | None
) -> tuple[datetime | None, datetime | None]:
    """What counts as the DTSTAMP, and the arrival that it was ahead of, else None."""
    if dtstamp is None or dtstamp <= arrived:
        return dtstamp, None
    if dtstamp <= arrived + LEEWAY:
        return dtstamp, arrived
    return min(mail_date or arrived, arrived), None


def later(one: Said | None, other: Said | None) -> bool:
    """Whether `one` was said after `other`; not where either's time is unknown."""
    if one is None or other is None or one.dtstamp is None or other.dtstamp is None:
        return False
    if one.dtstamp == other.dtstamp:
        return False
    by_stamp = one.dtstamp > other.dtstamp
    ahead, behind = (one, other) if by_stamp else (other, one)
    return by_stamp is not _put_right(ahead, behind)


def at_latest(one: Said) -> datetime | None:
    """When it was said by our own clock, at the latest; to be compared with what was said by others' clocks."""
    if one.dtstamp is None or one.arrived is None:
        return one.dtstamp
    return min(one.dtstamp, one.arrived)


def _put_right(ahead: Said, behind: Said) -> bool:
    """Whether what carries the higher DTSTAMP was said first, by a clock that ran ahead of the other's."""
    if ahead.arrived is None or ahead.mail_date is None or behind.mail_date is None:
        return False
    if ahead.mail_date > ahead.arrived + _SKEW:
        return False  # the mail's clock was no better
    return behind.mail_date > ahead.mail_date


__all__ = ["LEEWAY", "Said", "at_latest", "believed", "later"]
