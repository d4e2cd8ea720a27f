"""An event that ends when it begins (RFC 5545 3.6.1) is refused by servers that want a length: there it lasts one second.

    lengthened(object)   what such a server takes
    shortened(object)    the same as the organizer said it

As with `itip/partial`, `flows` does the one to what it writes and the other to what it reads, so that nothing but the calendar
sees the second. Who gives the event another length in his program has given it one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway.ical import times
from gateway.ical.event import CalendarObject, RecurrenceKey
from gateway.ical.stamp import Span
from gateway.ical.times import Zones
from gateway.ical.tree import Component, prop

MARK: Final = "X-IMIP-GATEWAY-MOMENT"
_SECOND: Final = Span(seconds=1)
_ENDS: Final = ("DTEND", "DURATION")


def lengthened(of: CalendarObject) -> CalendarObject:
    """Each event without length with one of a second, and no end that only says what its absence does."""
    return _each(of, _lengthened)


def shortened(of: CalendarObject) -> CalendarObject:
    """Each event that `lengthened` gave its second without it."""
    return _each(of, _shortened)


def _each(of: CalendarObject, change: Callable[[Component, Zones], Component]) -> CalendarObject:
    found: dict[RecurrenceKey, Component] = dict(of.overrides)
    if of.master is not None:
        found[""] = of.master
    return of.with_components({key: change(one, of.zones) for key, one in found.items()})


def _lengthened(event: Component, zones: Zones) -> Component:
    begin, bare = times.start(event, zones), event.without(*_ENDS)
    if event.name != "VEVENT" or begin is None or times.end(event, zones) != times.end(bare, zones):
        return event
    return bare if begin.is_date else bare.add(prop("DURATION", "PT1S")).add(prop(MARK, "TRUE"))


def _shortened(event: Component, zones: Zones) -> Component:
    if event.first(MARK) is None:
        return event
    begin, end = times.start(event, zones), times.end(event, zones)
    as_written = begin is not None and end == begin.shifted(_SECOND)
    return event.without(MARK, *(_ENDS if as_written else ()))


__all__ = ["MARK", "lengthened", "shortened"]
