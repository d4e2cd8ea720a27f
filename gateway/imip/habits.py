"""Every quirk of SPEC 2.4 by its name, and the one reading of a calendar text in which all of them are met.

    calendar, notes = read_calendar(part.data, limits, mailed, off=frozenset({"microsoft-sequence"}))

Three kinds: what is repaired before anything else sees it (`imip.quirks` and here), what the rooms behind understand as it
stands (`imip.tolerated`), and what only sender and recipient together tell (`counter-as-request`). Each leaves the note
`quirk-<name>`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from datetime import datetime

from gateway.errors import MalformedCalendar
from gateway.ical import tree
from gateway.ical.tree import Component, Property
from gateway.ical.zones import clean_tzid
from gateway.imip.quirks import RULES, mend
from gateway.imip.tolerated import TOLERATED, tolerate
from gateway.itip.model import Note

PREFIX = "quirk-"
COUNTER = "counter-as-request"
DOUBLED_CR = "doubled-carriage-return"
QUOTED = "quoted-timezone"

REPAIRED = frozenset({*RULES, DOUBLED_CR, QUOTED})
NAMES = (*RULES, DOUBLED_CR, QUOTED, *TOLERATED, COUNTER)
SWITCHES = tuple(name for name in NAMES if name not in TOLERATED or not TOLERATED[name].legal)

_FOLD = re.compile(rb"\r?\n[ \t]")
_SPECIAL = re.compile("[,;:]")


def read_calendar(
    data: bytes, limits: tree.Limits, mailed: datetime | None, *, off: Set[str] = frozenset()
) -> tuple[Component, tuple[Note, ...]]:
    """The calendar as it should have been, and a note per quirk. Raise MalformedCalendar, also for one that is off."""
    names = []
    if doubled_carriage_return(data):
        if DOUBLED_CR in off:
            raise MalformedCalendar(f"{DOUBLED_CR} is switched off")
        names.append(DOUBLED_CR)
    calendar = tree.parse(data, limits)
    if QUOTED not in off:
        plain = quoted_timezone(calendar)
        names += [QUOTED] if plain is not calendar else []
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
    changed = tuple(_quoted_right(child) for child in calendar.children)
    same = all(new is old for new, old in zip(changed, calendar.children, strict=True))
    return calendar if same else calendar.with_children(changed)


def _quoted_right(child: Property | Component) -> Property | Component:
    if isinstance(child, Component):
        return quoted_timezone(child)
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
    "PREFIX",
    "REPAIRED",
    "SWITCHES",
    "doubled_carriage_return",
    "met",
    "notes",
    "quoted_timezone",
    "read_calendar",
]
