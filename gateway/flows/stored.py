"""Calendar text that is ours already, from a job, a snapshot or the calendar itself, is read without the limits for strangers.

`[limits]` were asked at the door; asking smaller ones here again would strand a message that was let in. What bounds
the work is the size of an answer that `caldav` takes, and the guard before each expansion.
"""

from __future__ import annotations

from typing import Final

from gateway.ical.event import CalendarObject, parse_object
from gateway.ical.lexer import unfolded
from gateway.ical.tree import Limits
from gateway.itip import momentary, partial
from gateway.ports import ProfileFacts

GENEROUS: Final = Limits(
    bytes=64 << 20, line=8 << 20, components=100_000, depth=32, attendees=100_000, properties=2_000_000
)


def read_stored(data: bytes) -> CalendarObject:
    """The object, without a master or a length that only a server wants (SPEC 12.3).

    Raise MalformedCalendar, which says that a person or a server has put something else there.
    """
    meeting = partial.unwrapped(parse_object(data, GENEROUS))
    return momentary.shortened(meeting) if says(data, momentary.MARK.encode()) else meeting


def says(data: bytes, word: bytes) -> bool:
    """Whether this word, in capitals, stands anywhere in a text, however it is folded."""
    return word in unfolded(data).upper()


def to_store(meeting: CalendarObject, profile: ProfileFacts) -> CalendarObject:
    """The object as this server takes it; `read_stored` gives back what it was."""
    bare = meeting.master is None and len(meeting.overrides) > profile.orphans
    meeting = partial.wrapped(meeting) if bare else meeting
    return meeting if profile.momentary else momentary.lengthened(meeting)


__all__ = ["GENEROUS", "read_stored", "says", "to_store"]
