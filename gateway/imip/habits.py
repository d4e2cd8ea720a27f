"""Every quirk of SPEC 2.4 by its name, and the one reading of a calendar text in which all of them are met.

    calendar, notes = read_calendar(part.data, limits, mailed, off=frozenset({"microsoft-sequence"}))

Three kinds: what is repaired before anything else sees it (`imip.quirks` and here), what the rooms behind understand as it
stands (`imip.tolerated`), and what only sender and recipient together tell (`counter-as-request`). Each leaves the note
`quirk-<name>`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Set
from datetime import datetime
from functools import partial
from operator import is_

from gateway.errors import MalformedCalendar
from gateway.ical import tree
from gateway.ical.event import method_of
from gateway.ical.tree import Component, Property, prop
from gateway.ical.zones import clean_tzid
from gateway.imip.quirks import RULES, mend
from gateway.imip.tolerated import TOLERATED, tolerate
from gateway.itip.model import Note

PREFIX = "quirk-"
COUNTER = "counter-as-request"
DOUBLED_CR = "doubled-carriage-return"
QUOTED = "quoted-timezone"
OVERLONG = "overlong-time"
NO_METHOD = "missing-method"

REPAIRED = frozenset({*RULES, DOUBLED_CR, QUOTED, OVERLONG, NO_METHOD})
NAMES = (*RULES, DOUBLED_CR, QUOTED, OVERLONG, NO_METHOD, *TOLERATED, COUNTER)
SWITCHES = tuple(name for name in NAMES if name not in TOLERATED or not TOLERATED[name].legal)

_FOLD = re.compile(rb"\r?\n[ \t]")
_SPECIAL = re.compile("[,;:]")
_TIMES = frozenset({"DTSTART", "DTEND", "DUE"})
_TOO_LONG = re.compile(r"\s*(\d{8}T\d{6})0(Z?)\s*", re.ASCII)


def read_calendar(
    data: bytes,
    limits: tree.Limits,
    mailed: datetime | None,
    *,
    method: str = "",
    off: Set[str] = frozenset(),
) -> tuple[Component, tuple[Note, ...]]:
    """The calendar as it should have been, and a note per quirk; `mailed` and `method` are what the mail's header says.

    Raise MalformedCalendar, also for a quirk that is off and without which nothing sensible is left.
    """
    names = []
    if doubled_carriage_return(data):
        if DOUBLED_CR in off:
            raise MalformedCalendar(f"{DOUBLED_CR} is switched off")
        names.append(DOUBLED_CR)
    calendar = tree.parse(data, limits)
    repairs: Mapping[str, Callable[[Component], Component]] = {
        QUOTED: quoted_timezone,
        OVERLONG: overlong_time,
        NO_METHOD: partial(missing_method, method),
    }
    for name, repair in repairs.items():
        plain = calendar if name in off else repair(calendar)
        names += [name] if plain is not calendar else []
        calendar = plain
    calendar, tolerated = tolerate(calendar, off=off)
    calendar, mended = mend(calendar, mailed, off=off)
    return calendar, notes((*names, *(note.code for note in mended), *tolerated))


def notes(names: Iterable[str]) -> tuple[Note, ...]:
    """A note for each quirk."""
    return tuple(Note(code=PREFIX + name) for name in names)


def met(found: Iterable[Note]) -> frozenset[str]:
    """The names of the quirks among notes."""
    return frozenset(note.code.removeprefix(PREFIX) for note in found if note.code.startswith(PREFIX))


def doubled_carriage_return(data: bytes) -> bool:
    """RFC 5545 3.1 ends a line by CRLF: text that went through a line end conversion twice has CRCRLF."""
    return b"\r\r\n" in data


def quoted_timezone(calendar: Component) -> Component:
    """RFC 5545 3.2: quotes inside a TZID, or none where its colon or comma needs them; calendar servers stumble over both."""
    return _each_line(calendar, _quoted_right)


def overlong_time(calendar: Component) -> Component:
    """RFC 5545 3.3.5 has six digits of time: RFC 5546 4.2.1 itself prints seven, and people copy it. The last is dropped."""
    return _each_line(calendar, _cut_time)


def missing_method(told: str, calendar: Component) -> Component:
    """RFC 6047 2.4 wants METHOD in the object as in the mail's header: some senders write it only there."""
    if not told or method_of(calendar) or not told.isascii() or not told.isalpha():
        return calendar
    return calendar.without("METHOD").add(prop("METHOD", told))


def _each_line(part: Component, change: Callable[[Property], Property]) -> Component:
    """The component with a change in its lines, at any depth; itself when nothing changed."""
    changed = [
        _each_line(child, change) if isinstance(child, Component) else change(child)
        for child in part.children
    ]
    return part if all(map(is_, changed, part.children)) else part.with_children(changed)


def _cut_time(line: Property) -> Property:
    long = _TOO_LONG.fullmatch(line.value) if line.name in _TIMES else None
    return line if long is None else line.with_value(f"{long[1]}{long[2]}")


def _quoted_right(child: Property) -> Property:
    if child.name == "TZID":
        return child.with_value(clean_tzid(child.value))
    tzid = child.tzid
    if not tzid:
        return child
    if tzid != clean_tzid(tzid):
        return child.with_params(TZID=clean_tzid(tzid) or None)
    if child.raw is not None and _SPECIAL.search(tzid) and b'TZID="' not in _FOLD.sub(b"", child.raw).upper():
        return Property(child.name, child.value, child.params)
    return child


__all__ = [
    "COUNTER",
    "NAMES",
    "NO_METHOD",
    "PREFIX",
    "REPAIRED",
    "SWITCHES",
    "doubled_carriage_return",
    "met",
    "missing_method",
    "notes",
    "overlong_time",
    "quoted_timezone",
    "read_calendar",
]
