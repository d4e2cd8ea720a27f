"""An occurrence and all behind it, told one by one (RFC 5545 3.8.4.4)."""

from __future__ import annotations

import pytest

from gateway.errors import LimitExceeded
from gateway.ical import onward
from gateway.ical.event import CalendarObject, parse_object

HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n"


def series(rule: str, start: str, end: str, *changed: tuple[str, str, str]) -> CalendarObject:
    """A series, and (RECURRENCE-ID, DTSTART, DTEND) from there on, each with its parameters."""
    parts = [f"DTSTART{start}\r\nDTEND{end}\r\nRRULE:{rule}\r\n"]
    parts += [
        f"RECURRENCE-ID;RANGE=THISANDFUTURE{named}\r\nDTSTART{begin}\r\nDTEND{until}\r\n"
        for named, begin, until in changed
    ]
    body = "".join(
        f"BEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20290101T000000Z\r\n{one}END:VEVENT\r\n" for one in parts
    )
    return parse_object(f"{HEAD}{body}END:VCALENDAR\r\n".encode())


def times(of: CalendarObject) -> dict[str, tuple[str | None, str | None]]:
    found = onward.spread(of)
    return {key: (one.value("DTSTART"), one.value("DTEND")) for key, one in found.items() if key}


def test_the_key_of_a_range_is_not_that_of_its_occurrence() -> None:
    of = series("FREQ=DAILY;COUNT=3", ":20290101T100000Z", ":20290101T110000Z", *[(":20290102T100000Z",) * 3])
    assert list(of.overrides) == ["20290102T100000Z+"]
    assert onward.anchor("20290102T100000Z+") == "20290102T100000Z"
    assert onward.is_onward("20290102T100000Z+")
    assert not onward.is_onward("20290102T100000Z")


def test_the_wall_clock_is_kept_across_a_change_of_the_zones_offset() -> None:
    berlin = ";TZID=Europe/Berlin:"
    of = series(
        "FREQ=WEEKLY;COUNT=4",
        f"{berlin}20290309T100000",
        f"{berlin}20290309T110000",
        (f"{berlin}20290316T100000", f"{berlin}20290317T120000", f"{berlin}20290317T123000"),
    )
    assert times(of) == {
        "20290316T090000Z": ("20290317T120000", "20290317T123000"),
        "20290323T090000Z": ("20290324T120000", "20290324T123000"),
        "20290330T080000Z": ("20290331T120000", "20290331T123000"),
    }


def test_days_are_shifted_by_days() -> None:
    of = series(
        "FREQ=WEEKLY;COUNT=3",
        ";VALUE=DATE:20290301",
        ";VALUE=DATE:20290302",
        (";VALUE=DATE:20290308", ";VALUE=DATE:20290309", ";VALUE=DATE:20290311"),
    )
    assert times(of) == {"20290308": ("20290309", "20290311"), "20290315": ("20290316", "20290318")}


def test_without_a_range_nothing_is_made() -> None:
    of = series("FREQ=DAILY;COUNT=3", ":20290101T100000Z", ":20290101T110000Z")
    assert onward.spread(of) == {"": of.master}


def test_an_endless_rest_that_moves_has_no_such_form() -> None:
    moved = (":20290102T100000Z", ":20290102T110000Z", ":20290102T120000Z")
    with pytest.raises(LimitExceeded) as error:
        onward.spread(series("FREQ=DAILY", ":20290101T100000Z", ":20290101T110000Z", moved))
    assert error.value.code == "expansion-limit"


def test_a_rest_beyond_the_years_that_are_looked_at_is_not_cut_off() -> None:
    moved = (":20290102T100000Z", ":20290102T110000Z", ":20290102T120000Z")
    with pytest.raises(LimitExceeded):
        onward.spread(series("FREQ=YEARLY;COUNT=15", ":20290102T100000Z", ":20290102T110000Z", moved))


def test_the_rest_and_what_comes_before_make_the_series() -> None:
    of = series("FREQ=DAILY;COUNT=5", ":20290101T100000Z", ":20290101T110000Z")
    assert [key[6:8] for key in onward.earlier(of, "20290103T100000Z")] == ["01", "02"]
    assert [key[6:8] for key in onward.rest(of, "20290103T100000Z")] == ["03", "04", "05"]
    assert not onward.endless(of)
    with pytest.raises(LimitExceeded):
        onward.rest(series("FREQ=DAILY", ":20290101T100000Z", ":20290101T110000Z"), "20290103T100000Z")
