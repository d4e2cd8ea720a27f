"""When something takes an account's time, by what its calendars hold at this moment."""

from __future__ import annotations

from collections.abc import Iterable, Set
from datetime import UTC, tzinfo

from gateway.errors import MalformedCalendar
from gateway.flows.stored import read_stored
from gateway.ical.address import Address
from gateway.ical.times import Period
from gateway.itip import freebusy
from gateway.itip.model import Busy, Decision
from gateway.policy import booking
from gateway.policy.booking import Wish


def busy(
    texts: Iterable[bytes],
    owner: frozenset[Address],
    within: Period,
    *,
    without: Set[str] = frozenset(),
    floating: tzinfo = UTC,
) -> tuple[tuple[Busy, ...], int]:
    """The stretches that these events take, and of how many of them nobody can tell. `without`: UIDs that do not count."""
    found: list[Busy] = []
    unread = 0
    for text in texts:
        try:
            meeting = read_stored(text)
            if meeting.uid not in without:
                found += freebusy.taken(meeting, owner, within, floating=floating)
        except MalformedCalendar:  # one odd event must not make the whole person unreachable
            unread += 1
    return tuple(found), unread


def answered(wish: Wish, texts: Iterable[bytes]) -> Decision:
    """The answer of a room or resource, given all that its calendars hold at that time."""
    times, unread = busy(texts, wish.context.owner, wish.within, without=wish.own, floating=wish.zone)
    return booking.answer(wish, (one.period for one in times), unread=unread)


__all__ = ["answered", "busy"]
