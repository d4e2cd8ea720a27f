"""The bounds of an object are those of every expansion of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.errors import LimitExceeded
from gateway.ical import recur
from gateway.ical.bounds import DEFAULT_BOUNDS, Bounds
from gateway.ical.event import CalendarObject, parse_object
from gateway.ical.times import start

FROM, TO = datetime(2026, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def series(rule: str, *lines: str) -> CalendarObject:
    text = [
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", "BEGIN:VEVENT", "UID:u"),
        *("DTSTAMP:20260101T000000Z", "DTSTART:20260101T100000Z", f"RRULE:{rule}", *lines),
        *("END:VEVENT", "END:VCALENDAR", ""),
    ]
    return parse_object("\r\n".join(text).encode())


def test_an_object_has_the_bounds_of_the_specification_unless_it_is_given_others() -> None:
    found = series("FREQ=DAILY")
    assert found.bounds == DEFAULT_BOUNDS == Bounds(instances=2_000, years=10, steps=200_000)
    assert found.within(DEFAULT_BOUNDS) is found
    closer = found.within(Bounds(years=1))
    assert closer.bounds.years == 1 and closer == found, "the same object, looked at less far"


def test_bounds_stay_with_an_object_that_is_changed() -> None:
    found = series("FREQ=DAILY").within(Bounds(years=1))
    assert found.master is not None
    assert found.with_component("", found.master.without("SUMMARY")).bounds == Bounds(years=1)
    assert found.without_component("x").bounds == Bounds(years=1)


def test_instances_and_years_bound_what_falls_into_a_window() -> None:
    found = series("FREQ=DAILY")
    assert len(recur.occurrences(found.within(Bounds(years=1)), after=FROM, before=TO)) == 366
    with pytest.raises(LimitExceeded):
        recur.occurrences(found.within(Bounds(instances=100)), after=FROM, before=TO)


def test_steps_bound_every_way_to_look_for_an_occurrence() -> None:
    rare = series("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=20").within(Bounds(steps=1_000))
    key = "20600229T100000Z"
    for look in (
        lambda: recur.is_occurrence(rare, key),
        lambda: recur.derive_instance(rare, key, dtstamp=FROM),
        lambda: recur.first(rare, 15),
        lambda: recur.last_end(rare),
        lambda: recur.guard(series("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29").within(Bounds(steps=100))),
    ):
        with pytest.raises(LimitExceeded) as caught:
            look()
        assert caught.value.code == "expansion-limit"


def test_dates_and_overrides_are_counted_as_instances() -> None:
    dates = ",".join(f"202602{day:02}T100000Z" for day in range(1, 12))
    found = series("FREQ=DAILY", f"RDATE:{dates}")
    recur.guard(found)
    with pytest.raises(LimitExceeded):
        recur.guard(found.within(Bounds(instances=10)))
    assert found.master is not None and start(found.master, found.zones) is not None
