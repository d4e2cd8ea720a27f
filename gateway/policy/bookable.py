"""Whether a room or resource may be booked so at all, whatever else is booked there: the keys of `[account.booking]`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, time, timedelta, tzinfo

from gateway.accounts import Booking, mailbox
from gateway.ical.address import Address, domain
from gateway.ical.event import partstat
from gateway.ical.times import Period
from gateway.ical.tree import Component
from gateway.itip.dates import Date
from gateway.itip.freebusy import merged, stretch
from gateway.itip.model import Booked, Declined
from gateway.itip.roles import identities

_DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_HOURS = re.compile(r"(\w\w)(?:-(\w\w))? (\d\d):(\d\d)-(\d\d):(\d\d)")
_THINGS = frozenset({"ROOM", "RESOURCE"})
_DAY = timedelta(days=1)


def may_book(who: Address | None, booking: Booking) -> bool:
    """Whether one with this address may book it; `@example.org` is that domain and none below it."""
    if who is None:
        return False
    return any(domain(who) == one[1:] if one.startswith("@") else who == mailbox(one) for one in booking.who)


def against(
    asked: Iterable[Date], booking: Booking, *, recurring: bool, late: bool, zone: tzinfo
) -> Booked | None:
    """The first rule that these dates break; `late`: there are more of them behind the window."""
    dates = tuple(asked)
    if booking.mode == "decline-always":
        return Booked(reason=Declined.MODE)
    if recurring and not booking.recurring:
        return Booked(reason=Declined.RECURRING)
    if late:
        return Booked(reason=Declined.WINDOW, most=booking.window.days)
    if any(one.period.end - one.period.start > booking.max_duration for one in dates):
        return Booked(reason=Declined.DURATION, most=int(booking.max_duration / timedelta(minutes=1)))
    if booking.hours and not all(is_open(one.period, booking.hours, zone) for one in dates):
        return Booked(reason=Declined.HOURS, hours=booking.hours, zone=str(zone))
    if booking.capacity and any(people(one.component) > booking.capacity for one in dates):
        return Booked(reason=Declined.CAPACITY, most=booking.capacity)
    return None


def people(component: Component) -> int:
    """Who may come: the organizer and every guest who has not declined; other rooms and things are nobody."""
    organizer = component.first("ORGANIZER")
    names = identities(organizer) if organizer is not None else frozenset()
    guests = {
        line.address
        for line in component.all("ATTENDEE")
        if (line.param("CUTYPE") or "").upper() not in _THINGS
        and (line.param("ROLE") or "").upper() != "NON-PARTICIPANT"
        and partstat(line) != "DECLINED"
        and not identities(line) & names
    }
    return len(guests) + (organizer is not None)


def is_open(period: Period, hours: str, zone: tzinfo) -> bool:
    """Whether all of a period lies within these hours of the room's clock: "Mo-Fr 08:00-18:00, Sa 09:00-12:00"."""
    start, end = (at.astimezone(zone).replace(tzinfo=None) for at in (period.start, period.end))
    days = ((end - start) // _DAY) + 2
    spans = [_Stretch(*found) for found in _HOURS.findall(hours)]
    begin = datetime.combine(start, time())
    opened = merged(one for number in range(days) for one in _opened(spans, begin + number * _DAY))
    return any(one.start <= start and end <= one.end for one in opened)


class _Stretch:
    """Some hours of some days of the week."""

    def __init__(self, first: str, last: str, *clock: str) -> None:
        begin = _DAYS.index(first)
        count = (_DAYS.index(last or first) - begin) % 7 + 1
        self.days = frozenset((begin + one) % 7 for one in range(count))
        hours = [int(one) for one in clock]
        self.start = timedelta(hours=hours[0], minutes=hours[1])
        self.end = timedelta(hours=hours[2], minutes=hours[3])


def _opened(spans: Iterable[_Stretch], day: datetime) -> Iterator[Period]:
    for one in spans:
        if day.weekday() in one.days:
            yield stretch(day + one.start, day + one.end)


__all__ = ["against", "is_open", "may_book", "people"]
