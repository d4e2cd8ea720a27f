"""A moment keeps how it was said and knows its instant."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.errors import MalformedCalendar
from gateway.ical.times import Form, Moment, Zones, end, moment, moment_prop, moments, spans, start, utc_prop
from gateway.ical.tree import Component, prop

NO_VTIMEZONE = Zones({})


def said(value: str, **params: str) -> Moment:
    return moment(prop("DTSTART", value, **params), NO_VTIMEZONE)


FORMS = [
    ("20270310T100000Z", {}, Form.UTC, "20270310T100000Z"),
    ("20270310T100000", {"TZID": "Europe/Berlin"}, Form.ZONED, "20270310T090000Z"),
    ("20270310T100000", {}, Form.FLOATING, "20270310T100000"),
    ("20270310", {"VALUE": "DATE"}, Form.DATE, "20270310"),
    ("20270310", {}, Form.DATE, "20270310"),
    ("20270310", {"TZID": "Europe/Berlin"}, Form.DATE, "20270310"),
    ("20270310T000000", {"VALUE": "DATE"}, Form.DATE, "20270310"),
    ("20270310T070000Z", {"VALUE": "DATE"}, Form.UTC, "20270310T070000Z"),
    ("20270310T100000Z", {"TZID": "Europe/Berlin"}, Form.UTC, "20270310T100000Z"),
    ("20270310T100000", {"TZID": "Nowhere/Land"}, Form.FLOATING, "20270310T100000"),
    ("20270310T100000", {"TZID": "W. Europe Standard Time"}, Form.ZONED, "20270310T090000Z"),
    ("20270310T235960Z", {}, Form.UTC, "20270310T235959Z"),
    ("2027-03-10T10:00:00Z", {}, Form.UTC, "20270310T100000Z"),
    ("20270310t100000z", {}, Form.UTC, "20270310T100000Z"),
    ("20270310T1000Z", {}, Form.UTC, "20270310T100000Z"),
    ("20270310T240000Z", {}, Form.UTC, "20270311T000000Z"),
    ("00010101T000000Z", {}, Form.UTC, "00010101T000000Z"),
    # RFC 5545 3.3.5: a time in the gap counts by the offset before it, of two equal ones the first is meant
    ("20270328T023000", {"TZID": "Europe/Berlin"}, Form.ZONED, "20270328T013000Z"),
    ("20271031T023000", {"TZID": "Europe/Berlin"}, Form.ZONED, "20271031T003000Z"),
]


@pytest.mark.parametrize(("value", "params", "form", "key"), FORMS)
def test_every_form_has_its_key(value: str, params: dict[str, str], form: Form, key: str) -> None:
    found = said(value, **params)
    assert (found.form, found.key) == (form, key)


@pytest.mark.parametrize(
    "value",
    ["", "20270231T100000Z", "tomorrow", "20270310T250000", "00000101", "2027031", "--------T------Z"],
)
def test_what_is_no_date_is_malformed(value: str) -> None:
    with pytest.raises(MalformedCalendar):
        said(value)


@pytest.mark.parametrize(("value", "params", "form", "key"), FORMS)
def test_a_moment_is_written_in_its_own_form(
    value: str, params: dict[str, str], form: Form, key: str
) -> None:
    found = said(value, **params)
    assert moment(moment_prop("DTSTART", found), NO_VTIMEZONE) == found


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_the_ends_of_the_calendar_do_not_overflow(year: str) -> None:
    for zone in ("America/New_York", "Asia/Tokyo"):
        assert (
            said(f"{year}1231T235959" if year == "9999" else f"{year}0101T000000", TZID=zone).utc is not None
        )


def test_a_nominal_day_keeps_the_wall_clock_and_24_hours_do_not() -> None:
    before = said("20270327T120000", TZID="Europe/Berlin")
    event = Component("VEVENT", [moment_prop("DTSTART", before), prop("DURATION", "P1D")])
    assert end(event, NO_VTIMEZONE).key == "20270328T100000Z"
    assert end(event.put(prop("DURATION", "PT24H")), NO_VTIMEZONE).key == "20270328T110000Z"


ENDS = [
    (["DTSTART:20270310T100000Z", "DTEND:20270310T110000Z"], "20270310T110000Z"),
    (["DTSTART:20270310T100000Z", "DURATION:PT30M"], "20270310T103000Z"),
    (["DTSTART:20270310T100000Z"], "20270310T100000Z"),
    (["DTSTART:20270310"], "20270311"),
    (["DTSTART:20270310", "DTEND:20270310"], "20270311"),
    (["DTSTART:20270310", "DTEND:20270312"], "20270312"),
    (["DTSTART:20270310", "DURATION:P2D"], "20270312"),
    (["DTSTART:20270310T100000Z", "DTEND:20270310T090000Z"], "20270310T100000Z"),
    (["DTSTART:20270310T100000Z", "DURATION:-PT1H"], "20270310T100000Z"),
    (["SUMMARY:x"], None),
]


@pytest.mark.parametrize(("lines", "key"), ENDS)
def test_an_event_ends_where_its_properties_or_the_default_say(lines: list[str], key: str | None) -> None:
    event = Component("VEVENT", [prop(*line.split(":")) for line in lines])
    found = end(event, NO_VTIMEZONE)
    assert (found and found.key) == key


def test_a_task_ends_when_it_is_due_and_may_be_endless() -> None:
    task = Component("VTODO", [prop("DUE", "20270310T100000Z")])
    assert start(task, NO_VTIMEZONE) == end(task, NO_VTIMEZONE)
    assert end(Component("VTODO", [prop("DTSTART", "20270310T100000Z")]), NO_VTIMEZONE) is None


def test_lists_and_periods_give_their_starts_and_ends() -> None:
    listed = prop("RDATE", "20270311T100000Z/PT1H,20270312T100000Z/20270312T113000Z", VALUE="PERIOD")
    assert [m.key for m in moments(listed, NO_VTIMEZONE)] == ["20270311T100000Z", "20270312T100000Z"]
    assert [e.key for _, e in spans(listed, NO_VTIMEZONE) if e] == ["20270311T110000Z", "20270312T113000Z"]
    assert moments(prop("EXDATE", "20270311,20270312,"), NO_VTIMEZONE)[1].key == "20270312"


def test_floating_times_become_instants_in_the_zone_that_the_reader_names() -> None:
    from zoneinfo import ZoneInfo

    assert said("20270310T100000").instant(ZoneInfo("Europe/Berlin")) == datetime(2027, 3, 10, 9, tzinfo=UTC)
    assert said("20270310").instant() == datetime(2027, 3, 10, tzinfo=UTC)


def test_a_utc_property_is_said_in_utc() -> None:
    assert utc_prop("DTSTAMP", datetime(2027, 3, 10, 9, tzinfo=UTC)).line == "DTSTAMP:20270310T090000Z"
