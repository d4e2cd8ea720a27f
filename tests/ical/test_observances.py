"""Zones of every shape that calendars really hold, computed without walking from 1601."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from gateway.errors import LimitExceeded
from gateway.ical.observances import ObservanceZone, observance_zone
from gateway.ical.tree import Component, prop


def observance(kind: str, start: str, change: str, *more: str) -> Component:
    before, after = change.split()
    lines = [f"DTSTART:{start}", f"TZOFFSETFROM:{before}", f"TZOFFSETTO:{after}", *more]
    return Component(kind, [prop(*line.split(":", 1)) for line in lines])


def zone(*parts: Component) -> ObservanceZone:
    made = observance_zone(Component("VTIMEZONE", parts))
    assert made is not None
    return made


def offset(made: ObservanceZone, *at: int) -> float:
    return datetime(*at, tzinfo=made).utcoffset() / timedelta(hours=1)


def test_lotus_rules_with_hours_and_minutes() -> None:
    made = zone(
        observance(
            "STANDARD",
            "19501105T020000",
            "-0400 -0500",
            "RRULE:FREQ=YEARLY;BYMINUTE=0;BYHOUR=2;BYDAY=1SU;BYMONTH=11",
        ),
        observance(
            "DAYLIGHT",
            "19500312T020000",
            "-0500 -0400",
            "RRULE:FREQ=YEARLY;BYMINUTE=0;BYHOUR=2;BYDAY=2SU;BYMONTH=3",
        ),
    )
    assert (offset(made, 2027, 1, 10), offset(made, 2027, 7, 10), offset(made, 2027, 11, 7, 3)) == (
        -5,
        -4,
        -5,
    )


def test_rules_that_ended_leave_their_last_offset() -> None:
    made = zone(
        observance(
            "DAYLIGHT",
            "19870405T020000",
            "-0500 -0400",
            "RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=4;UNTIL=19980404T070000Z",
        ),
        observance(
            "STANDARD",
            "19671029T020000",
            "-0400 -0500",
            "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10;UNTIL=19981025T060000Z",
        ),
    )
    assert (offset(made, 1997, 7, 1), offset(made, 1998, 7, 1), offset(made, 2027, 7, 1)) == (-4, -5, -5)


def test_changes_listed_one_by_one() -> None:
    made = zone(
        observance("STANDARD", "19970101T000000", "-0400 -0500", "RDATE:19971026T020000,19981025T020000"),
        observance(
            "DAYLIGHT", "19970406T020000", "-0500 -0400", "RDATE:19980405T020000", "RDATE:19990404T020000"
        ),
    )
    assert [
        offset(made, *at) for at in ((1997, 7, 1), (1997, 12, 1), (1998, 7, 1), (1999, 1, 1), (2027, 1, 1))
    ] == [-4, -5, -4, -5, -4]


def test_before_the_first_onset_the_offset_before_it_holds() -> None:
    assert offset(zone(observance("STANDARD", "20000101T000000", "+0100 +0300")), 1990, 1, 1) == 1


def test_a_zone_that_begins_in_the_events_year_had_its_seasons_before() -> None:
    made = zone(
        observance("STANDARD", "20201025T030000", "+0200 +0100", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU"),
        observance("DAYLIGHT", "20210328T020000", "+0100 +0200", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU"),
    )
    assert (offset(made, 2020, 2, 29), offset(made, 2020, 7, 1), offset(made, 2020, 12, 1)) == (1, 2, 1)


def test_a_start_that_its_rule_does_not_give_is_no_onset() -> None:
    made = zone(
        observance("STANDARD", "20270101T020000", "-0400 -0500", "RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=11"),
        observance("DAYLIGHT", "20270101T020000", "-0500 -0400", "RRULE:FREQ=YEARLY;BYDAY=2SU;BYMONTH=3"),
    )
    assert (offset(made, 2027, 2, 1), offset(made, 2027, 7, 1), offset(made, 2027, 12, 1)) == (-5, -4, -5)


def test_a_range_of_days_and_a_weekday() -> None:
    rule = "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=15,16,17,18,19,20,21;BYDAY=SU"
    made = zone(
        observance("STANDARD", "20000101T000000", "-0200 -0300", rule),
        observance(
            "DAYLIGHT", "20001010T000000", "-0300 -0200", "RRULE:FREQ=YEARLY;BYMONTH=10;BYMONTHDAY=10"
        ),
    )
    assert (offset(made, 2027, 2, 20, 22), offset(made, 2027, 2, 21, 1), offset(made, 2027, 10, 10, 2)) == (
        -2,
        -3,
        -2,
    )


def test_a_counted_rule_ends() -> None:
    made = zone(
        observance(
            "DAYLIGHT", "20000301T000000", "+0100 +0200", "RRULE:FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=1;COUNT=2"
        ),
        observance(
            "STANDARD", "20001001T000000", "+0200 +0100", "RRULE:FREQ=YEARLY;BYMONTH=10;BYMONTHDAY=1;COUNT=2"
        ),
    )
    assert (offset(made, 2001, 6, 1), offset(made, 2002, 6, 1)) == (2, 1)


def test_daylight_knows_its_names() -> None:
    made = zone(observance("DAYLIGHT", "20000301T000000", "+0100 +0200", "TZNAME:CEST"))
    at = datetime(2027, 6, 1, tzinfo=made)
    assert (at.tzname(), at.dst()) == ("CEST", timedelta(hours=1))


@pytest.mark.parametrize("years", [range(1, 12), range(9990, 10000)])
def test_the_ends_of_the_calendar_do_not_overflow(years: range) -> None:
    made = zone(
        observance("STANDARD", "00010101T000000", "+1400 -1200", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=12"),
        observance("DAYLIGHT", "00010101T000000", "-1200 +1400", "RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=1"),
    )
    for year in years:
        for fold in (0, 1):
            for month, day in ((1, 1), (12, 31)):
                assert datetime(year, month, day, fold=fold, tzinfo=made).utcoffset() is not None


def test_too_many_rules_or_changes_are_a_bomb() -> None:
    rules = [observance("STANDARD", "20000101T000000", "+0100 +0100", "RRULE:FREQ=YEARLY")] * 101
    dates = [observance("STANDARD", "20000101T000000", "+0100 +0100", "RDATE:" + "20000101T000000," * 6000)]
    for parts in (rules, dates):
        with pytest.raises(LimitExceeded):
            zone(*parts)


def test_a_rule_that_changes_every_day_is_a_bomb() -> None:
    with pytest.raises(LimitExceeded):
        zone(observance("STANDARD", "20000101T000000", "+0100 +0200", "RRULE:FREQ=YEARLY;BYDAY=SU,MO,TU"))


def test_the_years_that_a_zone_looks_through_are_bounded() -> None:
    parts = [observance("STANDARD", "00010101T000000", "+0100 +0200", "RRULE:FREQ=YEARLY;BYDAY=1SU")] * 100
    made = zone(*parts)
    with pytest.raises(LimitExceeded):
        for year in range(2, 9999):
            offset(made, year, 1, 1)
