"""The fourteen shapes: each is reached, and a shape's own dates are exactly those of its rule."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gateway.render.recurrence.shapes import Kind, shape

# 23 November 2026 is the fourth Monday of its month; 30 November the last one and the last day.
KINDS = [
    ("2026-11-23", "FREQ=DAILY", "daily"),
    ("2026-11-23", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU", "daily"),
    ("2026-11-23", "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "workdays"),
    ("2026-11-23", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "workdays"),
    ("2026-11-23", "FREQ=WEEKLY", "weekly"),
    ("2026-11-23", "FREQ=DAILY;BYDAY=MO,WE", "weekly"),
    ("2026-11-23", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR", "weekly"),
    ("2026-11-23", "FREQ=MONTHLY", "month-day"),
    ("2026-11-01", "FREQ=MONTHLY;BYMONTHDAY=1,15", "month-days"),
    ("2026-10-31", "FREQ=MONTHLY", "month-late"),
    ("2026-11-30", "FREQ=MONTHLY;BYMONTHDAY=-1", "month-end"),
    ("2026-11-30", "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", "month-end"),
    ("2026-11-30", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=-1", "month-end"),
    ("2026-11-23", "FREQ=MONTHLY;BYDAY=4MO", "month-nth"),
    ("2026-11-23", "FREQ=MONTHLY;BYDAY=MO;BYMONTHDAY=22,23,24,25,26,27,28", "month-nth"),
    ("2026-11-03", "FREQ=MONTHLY;BYDAY=TU;BYSETPOS=1,3", "month-nth"),
    ("2026-11-30", "FREQ=MONTHLY;BYDAY=-1MO", "month-last"),
    ("2026-11-02", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1", "month-first-workday"),
    ("2026-11-30", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "month-last-workday"),
    ("2026-11-23", "FREQ=YEARLY", "year-dates"),
    ("2026-01-15", "FREQ=YEARLY;BYMONTH=1,7;BYMONTHDAY=15", "year-dates"),
    ("2026-11-23", "FREQ=YEARLY;BYMONTH=11;BYDAY=4MO", "year-nth"),
    ("2026-11-26", "FREQ=MONTHLY;BYMONTH=11;BYDAY=4TH", "year-nth"),
    ("2026-02-28", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1", "year-month-end"),
]
SHAPELESS = [
    ("2026-11-23", "FREQ=HOURLY"),
    ("2026-11-23", "FREQ=WEEKLY;BYDAY=TU"),  # DTSTART is no Tuesday
    ("2026-11-23", "FREQ=DAILY;INTERVAL=2;BYDAY=MO"),
    ("2026-11-23", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU"),  # whose week?
    ("2026-11-30", "FREQ=MONTHLY;BYMONTHDAY=15,30"),
    ("2026-11-23", "FREQ=MONTHLY;BYDAY=MO"),
    ("2026-11-23", "FREQ=MONTHLY;BYDAY=4MO,-1FR"),  # once a month or twice
    ("2026-11-30", "FREQ=MONTHLY;BYDAY=5MO"),
    ("2026-11-23", "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=1"),
    ("2026-11-23", "FREQ=YEARLY;BYMONTHDAY=23"),
    ("2026-11-23", "FREQ=YEARLY;BYDAY=MO"),
    ("2024-02-29", "FREQ=YEARLY"),
    ("2026-11-23", "FREQ=WEEKLY;UNTIL=20200101"),
    ("2026-11-23", "FREQ=WEEKLY;UNTIL=20261399"),
    ("2026-11-23", "FREQ=WEEKLY;BYHOUR=9"),
]


@pytest.mark.parametrize(("start", "rule", "kind"), KINDS)
def test_a_common_rule_has_its_shape(start: str, rule: str, kind: str) -> None:
    found = shape(rule, date.fromisoformat(start))
    assert found is not None and found.kind == kind


def test_every_shape_is_reached() -> None:
    assert {kind for _, _, kind in KINDS} == set(Kind)


@pytest.mark.parametrize(("start", "rule"), SHAPELESS)
def test_what_does_not_fit_has_none(start: str, rule: str) -> None:
    assert shape(rule, date.fromisoformat(start)) is None


@pytest.mark.parametrize(
    ("rule", "times"),
    [
        ("FREQ=DAILY;BYHOUR=9,17", ((9, 0), (17, 0))),
        ("FREQ=DAILY;BYHOUR=9;BYMINUTE=0,30", ((9, 0), (9, 30))),
        ("FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0", ()),
        ("FREQ=DAILY;BYHOUR=8,9", None),  # the first day has no eight o'clock
        ("FREQ=DAILY;BYHOUR=9,17;COUNT=9", None),  # nine days, or nine times
        ("FREQ=DAILY;BYHOUR=9,17;UNTIL=20261201T120000Z", None),
        ("FREQ=DAILY;BYHOUR=17", None),
        ("FREQ=DAILY;BYHOUR=9,99", None),
    ],
)
def test_the_times_of_a_day_are_told_or_nothing_is(
    rule: str, times: tuple[tuple[int, int], ...] | None
) -> None:
    found = shape(rule, datetime(2026, 11, 23, 9, tzinfo=UTC).replace(tzinfo=None))
    assert (found.times if found else None) == times


@pytest.mark.parametrize(
    ("until", "day"),
    [
        ("20261221T140000Z", date(2026, 12, 21)),
        ("20261221T135959Z", date(2026, 12, 20)),
        ("20261221T150000", date(2026, 12, 21)),
        ("20261221", date(2026, 12, 21)),
    ],
)
def test_the_end_is_a_day_of_the_events_own_calendar(until: str, day: date) -> None:
    found = shape(f"FREQ=WEEKLY;UNTIL={until}", datetime(2026, 11, 23, 15), ZoneInfo("Europe/Berlin"))
    assert found is not None and found.until == day


def rules() -> Iterator[st.SearchStrategy[str]]:
    numbers = st.sampled_from(
        ["1", "15", "28", "-1", "31", "1,15", "8,9,10,11,12,13,14", "28,29,30,31", "-2"]
    )
    days = st.lists(
        st.tuples(
            st.sampled_from(["", "", "", "1", "2", "4", "-1", "5"]),
            st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]),
        ),
        min_size=1,
        max_size=7,
        unique=True,
    ).map(lambda some: ",".join(nth + day for nth, day in some))
    some = st.sampled_from(["MO,TU,WE,TH,FR", "MO,TU,WE,TH,FR,SA,SU", "TU", "FR"])
    yield st.fixed_dictionaries(
        {"FREQ": st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])},
        optional={
            "INTERVAL": st.integers(1, 3).map(str),
            "BYDAY": days | some,
            "BYMONTHDAY": numbers,
            "BYMONTH": st.sampled_from(["2", "11", "12", "1,7"]),
            "BYSETPOS": st.sampled_from(["1", "2", "-1", "1,-1", "1,3"]),
            "WKST": st.sampled_from(["MO", "SU", "SA", "WE"]),
        },
    ).map(lambda parts: ";".join(f"{name}={value}" for name, value in parts.items()))


@settings(max_examples=150, deadline=None)
@given(rule=next(rules()), day=st.dates(date(2026, 1, 1), date(2027, 12, 31)))
@example(rule="FREQ=MONTHLY;INTERVAL=3;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", day=date(2026, 11, 30))
@example(rule="FREQ=WEEKLY;INTERVAL=2;BYDAY=SU;WKST=SU", day=date(2026, 11, 29))
def test_a_shape_has_exactly_the_dates_of_its_rule(rule: str, day: date) -> None:
    start = datetime(day.year, day.month, day.day, 12)
    found = shape(rule, start)
    assume(found is not None)
    assert found is not None
    end = start + timedelta(days=1100)
    dates = {one.date() for one in rrulestr(rule, dtstart=start).between(start, end, inc=True)}
    assert dates == {
        one for one in (day + timedelta(days=count) for count in range(-40, 1101)) if found.falls_on(one, day)
    }
