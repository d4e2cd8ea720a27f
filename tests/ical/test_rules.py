"""No rule bomb passes, and no rule that nobody can use."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import LimitExceeded, MalformedCalendar
from gateway.ical.rules import read_rule

START = datetime(2027, 3, 10, 10)
ALL_HOURS = ",".join(map(str, range(24)))
ALL_MINUTES = ",".join(map(str, range(60)))

BOMBS = [
    "FREQ=SECONDLY",
    "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=MINUTELY;BYHOUR=0;BYMONTHDAY=31;BYMONTH=2",
    "FREQ=MINUTELY;INTERVAL=15;COUNT=6",
    "FREQ=DAILY;INTERVAL=0",
    "FREQ=DAILY;INTERVAL=-1",
    "FREQ=DAILY;COUNT=10001",
    f"FREQ=DAILY;BYHOUR={ALL_HOURS};BYMINUTE={ALL_MINUTES}",
    f"FREQ=DAILY;COUNT=5;BYHOUR={ALL_HOURS};BYMINUTE={ALL_MINUTES};BYSECOND={ALL_MINUTES}",
    "FREQ=HOURLY;BYMINUTE=0,30",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=YEARLY;BYMONTH=4,6,9,11;BYMONTHDAY=31,-31",
    "FREQ=YEARLY;BYDAY=MO;BYSETPOS=" + ",".join(map(str, range(1, 100))),
    "FREQ=DAILY;BYMONTHDAY=" + "1," * 2000,
]


@pytest.mark.parametrize("text", BOMBS)
def test_a_bomb_is_refused_with_its_reason(text: str) -> None:
    with pytest.raises(LimitExceeded) as caught:
        read_rule(text, START)
    assert caught.value.code == "expansion-limit"


USELESS = [
    "",
    "FREQ=SOMETIMES",
    "COUNT=3",
    "FREQ=DAILY;COUNT=0",
    "FREQ=DAILY;COUNT=many",
    "FREQ=DAILY;BYMONTH=13",
    "FREQ=DAILY;BYMONTH=0",
    "FREQ=DAILY;BYHOUR=-1",
    "FREQ=DAILY;BYDAY=XX",
    "FREQ=MONTHLY;BYDAY=6MO",
    "FREQ=YEARLY;BYDAY=54MO",
    "FREQ=DAILY;UNTIL=tomorrow",
    "RSCALE=CHINESE;FREQ=YEARLY",
    "RSCALE=GREGORIAN;FREQ=YEARLY;BYMONTH=5L",
    "FREQ=DAILY;BYSETPOS=0",
]


@pytest.mark.parametrize("text", USELESS)
def test_a_rule_that_nobody_can_use_is_malformed(text: str) -> None:
    with pytest.raises(MalformedCalendar) as caught:
        read_rule(text, START)
    assert not isinstance(caught.value, LimitExceeded)


def test_what_the_rule_leaves_open_comes_from_the_start() -> None:
    assert read_rule("FREQ=WEEKLY", START).days == ((0, 2),)
    yearly = read_rule("FREQ=YEARLY", START)
    assert (yearly.part("BYMONTH"), yearly.part("BYMONTHDAY"), yearly.part("BYHOUR")) == ((3,), (10,), (10,))
    assert read_rule("FREQ=YEARLY;BYMONTH=5", START).part("BYMONTH") == (5,)
    assert read_rule("FREQ=YEARLY;BYWEEKNO=20", START).days == ((0, 2),)
    assert read_rule("FREQ=MONTHLY;BYDAY=1FR", START).part("BYMONTHDAY") == ()


TOLERATED = [
    "freq=daily;count=3;",
    "FREQ=WEEKLY; BYDAY=MO, TU",
    "FREQ=DAILY;X-FOO=1",
    "FREQ=MONTHLY;BYDAY=+1MO,-1FR",
    "FREQ=DAILY;BYDAY=1MO",
    "FREQ=DAILY;WKST=XX;BYSECOND=60",
    "RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=FORWARD",
    "FREQ=DAILY;COUNT=3;UNTIL=20271231T000000Z",
]


@pytest.mark.parametrize("text", TOLERATED)
def test_what_programs_write_is_read(text: str) -> None:
    assert read_rule(text, START).interval == 1


@given(
    st.lists(
        st.sampled_from(
            [
                "FREQ=DAILY",
                "FREQ=",
                "INTERVAL=",
                "1",
                "-2",
                ";",
                "=",
                ",",
                "BYDAY=",
                "MO",
                "UNTIL=",
                "20270101",
                "BYSETPOS=",
                "COUNT=",
                "99999999999",
                "é",
                "٣",
                "\n",
            ]
        ),
        max_size=15,
    ).map("".join)
)
def test_any_text_is_a_rule_or_the_one_error(text: str) -> None:
    try:
        read_rule(text, START)
    except MalformedCalendar:
        return
