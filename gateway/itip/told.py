"""What a letter tells its reader of a meeting, in values that are kept with the letter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A moment as a reader needs it."""

    form: str  # date | utc | zoned | floating
    local: datetime  # naive, in its own zone; a date is midnight
    zone: str = ""  # IANA name where we know one, else the TZID
    utc: datetime | None = None  # None for date and floating


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    address: str
    name: str = ""
    partstat: str = "NEEDS-ACTION"
    role: str = "REQ-PARTICIPANT"
    cutype: str = "INDIVIDUAL"
    stands_for: str = ""  # DELEGATED-FROM
    sends: str = ""  # DELEGATED-TO
    deputy: str = ""  # SENT-BY of an organizer: who writes for him


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A document of a meeting that lies on the web."""

    url: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a letter tells about one state of a meeting (or of one instance of it)."""

    kind: str  # VEVENT | VTODO
    uid: str
    sequence: int
    title: str = ""
    description: str = ""
    location: str = ""
    url: str = ""
    styled: str = ""  # the description as HTML, as it came
    conference: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()  # of the conferences, in their order; "" for one without
    attached: tuple[Attached, ...] = ()
    start: When | None = None
    end: When | None = None
    rule: str = ""  # RRULE value, as text; a line each for EXDATE, RDATE, EXRULE and further RRULEs
    recurrence: When | None = None  # RECURRENCE-ID of a single instance
    next_dates: tuple[When, ...] = ()  # the first occurrences of a series
    skipped: tuple[When, ...] = ()  # the first of its coming dates on which it does not take place
    status: str = ""
    organizer: Guest | None = None
    guests: tuple[Guest, ...] = ()  # privacy applied
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One of the answers that a letter to the organizer tells of."""

    guest: Guest  # with the PARTSTAT that he gave
    comment: str = ""
    date: When | None = None  # of a series: the one that he means


class Declined(StrEnum):
    """Why a room or resource does not take a booking, or not yet; but for the first a key of `[account.booking]` (SPEC 8.2)."""

    BUSY = "busy"
    MODE = "mode"
    WHO = "who"
    WINDOW = "window"
    DURATION = "max_duration"
    HOURS = "hours"
    RECURRING = "recurring"
    CAPACITY = "capacity"
    OWNER = "owner"  # he has refused it; of a TENTATIVE answer: he is asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A stretch of time in which something else is booked: two moments, half-open."""

    start: When
    end: When


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """What a room or resource answers besides its PARTSTAT; nothing of it where it takes all that it was asked for."""

    reason: Declined | None = None
    most: int = 0  # what that key allows: days of `window`, minutes of `max_duration`, people of `capacity`
    hours: str = ""  # as the key has them: Mo-Fr 08:00-18:00
    zone: str = ""  # of the hours
    busy: tuple[Taken, ...] = ()  # what is in the way, in the order of time; never whose it is
    accepted: tuple[
        When, ...
    ] = ()  # of a series of which it takes some dates only: those; of a refused change what stays
    declined: tuple[When, ...] = ()  # and those it does not


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a letter says, so that the mail layer never diffs calendars."""

    kind: str  # invitation | update | cancellation | removed | reply | proposal | proposal-declined | ...
    now: Facts
    before: Facts | None = None
    changed: tuple[str, ...] = ()  # names of Facts fields that differ
    partstat: str = ""  # of a reply
    attendee: Guest | None = None  # who answered
    instances: tuple[Facts, ...] = ()  # further single instances the message speaks of
    proposal: str = ""  # the name of the proposal that it tells of
    answers: tuple[Said, ...] = ()
    booked: Booked | None = None  # of a room or resource


__all__ = ["Attached", "Booked", "Declined", "Facts", "Guest", "Said", "Summary", "Taken", "When"]
