"""The icalendar library as a second opinion: on every calendar of the corpus that it reads, both see the same meetings.

It is asked for values only: it is known to lose lines and to mistake zones (that is why the tree is our own).
"""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest

from gateway.errors import MalformedCalendar
from gateway.ical.times import Zones, moment
from gateway.ical.tree import Component, Property, parse

icalendar = pytest.importorskip("icalendar")


def events(component: Component) -> list[Component]:
    return [found for found in component.components if found.name == "VEVENT"]


def wall_clock(found: Property) -> tuple[str, bool] | None:
    try:
        told = moment(found, Zones({}))
    except MalformedCalendar:
        return None
    return told.local.strftime("%Y%m%dT%H%M%S"), told.is_date


def their_clock(value: object) -> tuple[str, bool] | None:
    if type(value).__name__ == "vBroken":
        return None
    told = getattr(value, "dt", None)
    if isinstance(told, datetime):
        return told.strftime("%Y%m%dT%H%M%S"), False
    return (told.strftime("%Y%m%dT%H%M%S"), True) if isinstance(told, date) else None


def single(value: object) -> object | None:
    return None if isinstance(value, list) else value


@pytest.mark.filterwarnings("ignore")
def test_both_read_the_same_titles_times_and_guests(shared: Path) -> None:
    compared = 0
    for path in sorted((shared / "corpus" / "itip").glob("**/*.ics")):
        data = path.read_bytes()
        try:
            theirs = icalendar.Calendar.from_ical(data).walk("VEVENT")
        except Exception:  # noqa: S112 - many files are more than it can read
            continue
        ours = events(parse(data))
        if len(ours) != len(theirs):
            continue
        for own, other in zip(ours, theirs, strict=True):
            compared += 1
            compare(own, other, path.name)
    assert compared > 500


def compare(own: Component, other: object, name: str) -> None:
    for key in ("DTSTART", "DTEND", "RECURRENCE-ID"):
        found, value = own.first(key), single(other.get(key))
        if found is None or value is None or found.param("VALUE") == "DATE":
            continue
        theirs = their_clock(value)
        if theirs is not None and wall_clock(found) is not None:
            assert wall_clock(found) == theirs, (name, key)
    title = single(other.get("SUMMARY"))
    if title is not None and "\\" not in title and "\r" not in title and "\ufffd" not in title:
        assert (own.text("SUMMARY") or "").strip() == str(title).strip(), name
    guests = other.get("ATTENDEE", [])
    count = sum(bool(str(guest)) for guest in (guests if isinstance(guests, list) else [guests]))
    assert len(own.all("ATTENDEE")) >= count, name
