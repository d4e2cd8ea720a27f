"""A series is read once, and read anew where something else would come of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

import pytest

from gateway.errors import LimitExceeded
from gateway.ical.bounds import Bounds
from gateway.ical.event import CalendarObject, parse_object
from gateway.ical.recur import derive_instance, is_occurrence
from gateway.ical.series import series_of
from gateway.ical.zones import Zones

NOW = datetime(2026, 11, 2, tzinfo=UTC)


def weekly(*lines: str) -> CalendarObject:
    body = ["BEGIN:VEVENT", "UID:1", "DTSTART:20261102T100000Z", "DURATION:PT1H", *lines, "END:VEVENT"]
    return parse_object("\r\n".join(["BEGIN:VCALENDAR", *body, "END:VCALENDAR", ""]).encode())


def test_a_series_is_read_once_however_many_of_its_dates_are_asked_for() -> None:
    found = weekly("RDATE:20261201T100000Z,20261202T100000Z")
    one, two = series_of(found), series_of(found.without_component("none"))
    assert one is not None
    assert two is not None
    assert one.dates is two.dates
    first = derive_instance(found, "20261201T100000Z", dtstamp=NOW)
    assert first is not None
    assert derive_instance(found, "20261201T100000Z", dtstamp=NOW) is first


def test_each_question_has_candidate_days_of_its_own() -> None:
    found = weekly("RRULE:FREQ=DAILY").within(Bounds(steps=10))
    for _ in range(20):
        assert is_occurrence(found, "20261103T100000Z")


def test_other_bounds_other_zones_and_another_stamp_are_read_anew() -> None:
    found = weekly("RRULE:FREQ=DAILY", "EXDATE:20261103T100000Z,20261104T100000Z")
    series = series_of(found)
    assert series is not None
    with pytest.raises(LimitExceeded):
        series_of(found, Bounds(instances=1))
    other = series_of(replace(found, zones=Zones({})))
    assert other is not None
    assert other.dates is not series.dates
    made = [derive_instance(found, "20261105T100000Z", dtstamp=at) for at in (NOW, NOW.replace(year=2027))]
    assert [one.value("DTSTAMP") for one in made if one] == ["20261102T000000Z", "20271102T000000Z"]


def test_dates_and_rules_come_in_order_without_what_is_excluded() -> None:
    found = weekly("RRULE:FREQ=DAILY", "RDATE:20261103T120000Z,20261101T120000Z", "EXDATE:20261103T100000Z")
    series = series_of(found)
    assert series is not None
    begin, end = datetime(2026, 11, 1), datetime(2026, 11, 9)  # noqa: DTZ001 - wall clock
    keys = [one.start.key for one in islice(series.instances(begin, end), 4)]
    assert keys == ["20261101T120000Z", "20261102T100000Z", "20261103T120000Z", "20261104T100000Z"]
