"""The leash holds: every walk ends, and gives what dateutil gives without it."""

from __future__ import annotations

from datetime import datetime
from itertools import islice, takewhile
from typing import Any

import pytest
from dateutil import rrule
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import LimitExceeded, MalformedCalendar
from gateway.ical import expand as expand_module
from gateway.ical.expand import Budget, times
from gateway.ical.rules import read_rule

FAR = datetime(9999, 12, 31)


def expand(
    text: str, start: datetime, after: datetime, before: datetime, steps: int = 200_000
) -> list[datetime]:
    return list(times(read_rule(text, start), start, (after, before), budget=Budget(steps)))


PARTS = st.fixed_dictionaries(
    {"FREQ": st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY"])},
    optional={
        "INTERVAL": st.integers(1, 5).map(str),
        "BYMONTH": st.sampled_from(["1", "3,6", "2,12"]),
        "BYMONTHDAY": st.sampled_from(["1", "-1", "13,31", "28"]),
        "BYDAY": st.sampled_from(["MO", "MO,TU,WE,TH,FR", "SU,SA", "FR"]),
        "BYHOUR": st.sampled_from(["9", "9,17"]),
        "WKST": st.sampled_from(["MO", "SU", "TH"]),
        "BYSETPOS": st.sampled_from(["1", "-1", "1,-1"]),
        "COUNT": st.sampled_from(["1", "7", "40"]),
    },
)
STARTS = st.datetimes(datetime(2019, 1, 1), datetime(2024, 1, 1)).map(lambda at: at.replace(microsecond=0))


@given(PARTS, STARTS, st.integers(0, 2000), st.integers(1, 400))
def test_a_window_holds_what_dateutil_gives_there(
    parts: dict[str, str], start: datetime, skip: int, length: int
) -> None:
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    after = datetime.fromordinal(start.toordinal() + skip)
    before = datetime.fromordinal(after.toordinal() + length)
    count = int(parts.get("COUNT", "0"))
    try:
        found = expand(text, start, after, before)
    except (MalformedCalendar, LimitExceeded):
        return
    plain = ";".join(f"{name}={value}" for name, value in parts.items() if name != "COUNT")
    all_times = rrule.rrulestr(plain, dtstart=start)
    expected = list(takewhile(lambda at: at < before, all_times))
    if count:
        expected = expected[: count - 1 if start not in expected[:1] else count]
    assert found == [at for at in expected if at >= after]


def test_a_walk_without_results_ends_behind_the_window() -> None:
    budget = Budget(200_000)
    start = datetime(2027, 1, 1)
    rule = read_rule("FREQ=YEARLY;BYYEARDAY=366;BYMONTH=1", start)
    assert list(times(rule, start, (start, datetime(2030, 1, 1)), budget=budget)) == []
    assert budget.left > 190_000


@pytest.mark.parametrize("freq", ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY"])
def test_every_frequency_pays_for_every_period(freq: str) -> None:
    budget = Budget(50)
    start = datetime(2027, 1, 1)
    rule = read_rule(f"FREQ={freq};BYYEARDAY=366;BYMONTH=1", start)
    with pytest.raises(LimitExceeded):
        list(times(rule, start, (start, FAR), budget=budget))


def test_an_old_series_is_not_walked_from_its_start() -> None:
    budget = Budget(100)
    start = datetime(1970, 1, 1, 9)
    found = times(
        read_rule("FREQ=DAILY", start), start, (datetime(2027, 1, 1), datetime(2027, 1, 8)), budget=budget
    )
    assert len(list(found)) == 7
    assert budget.left > 80


def test_the_calendar_ends_in_9999() -> None:
    start = datetime(9999, 12, 25, 9)
    for freq in ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY"):
        assert expand(f"FREQ={freq}", start, start, datetime.max)[0] == start


def test_the_calendar_begins_in_0001() -> None:
    start = datetime(1, 1, 1)
    for freq in ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY"):
        assert next(iter(expand(f"FREQ={freq}", start, start, datetime(3, 1, 1)))) == start


def test_the_start_counts_even_where_the_rule_does_not_give_it() -> None:
    start = datetime(2027, 3, 10, 10)
    assert [at.day for at in islice(expand("FREQ=WEEKLY;BYDAY=TH;COUNT=3", start, start, FAR), 5)] == [11, 18]


def test_a_count_is_walked_once_however_many_occurrences_are_asked_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    walks = []
    walk = expand_module._walk

    def counted(*args: Any, **kwargs: Any) -> Any:
        walks.append(args)
        return walk(*args, **kwargs)

    monkeypatch.setattr(expand_module, "_walk", counted)
    start = datetime(2031, 5, 6, 7, 8, 9)
    days = [datetime.fromordinal(start.toordinal() + place) for place in range(1, 300)]
    found = [
        expand("FREQ=DAILY;COUNT=310", start, day, datetime.fromordinal(day.toordinal() + 1)) for day in days
    ]
    assert all(len(one) == 1 for one in found)
    assert len(walks) <= 2


def test_a_count_whose_times_lie_far_apart_is_still_found_near_its_start() -> None:
    rule = "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=1900"
    start = datetime(2028, 2, 29, 9)
    assert expand(rule, start, datetime(2031, 1, 1), datetime(2033, 1, 1)) == [datetime(2032, 2, 29, 9)]
    with pytest.raises(LimitExceeded):
        expand(rule, start, FAR, FAR, steps=20_000)
