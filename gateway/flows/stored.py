"""Calendar text that is ours already, from a job, a snapshot or the calendar itself, is read without the limits for strangers.

`[limits]` were asked at the door; asking smaller ones here again would strand a message that was let in. What bounds
the work is the size of an answer that `caldav` takes, and the guard before each expansion.
"""

from __future__ import annotations

from typing import Final

from gateway.ical.event import CalendarObject, parse_object
from gateway.ical.tree import Limits

GENEROUS: Final = Limits(
    bytes=64 << 20, line=8 << 20, components=100_000, depth=32, attendees=100_000, properties=2_000_000
)


def read_stored(data: bytes) -> CalendarObject:
    """The object. Raise MalformedCalendar, which says that a person or a server has put something else there."""
    return parse_object(data, GENEROUS)


__all__ = ["GENEROUS", "read_stored"]
