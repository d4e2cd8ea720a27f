"""Whose clock counts: rows of what was said, and properties of one sender's order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.itip.clocks import LEEWAY, at_latest, believed, later
from gateway.itip.order import Stamp

T = datetime(2030, 1, 1, tzinfo=UTC)


def at(hours: float) -> datetime:
    return T + timedelta(hours=hours)


def heard(stamped: float, arrived: float, mailed: float | None = None) -> Stamp:
    """What was said, in hours: by its DTSTAMP, by its arrival, by its mail."""
    date = at(mailed) if mailed is not None else None
    dtstamp, came = believed(at(stamped), arrived=at(arrived), mail_date=date)
    return Stamp(sequence=0, dtstamp=dtstamp, digest=str(stamped), mail_date=date, arrived=came)


YEARS = 70 * 365 * 24

FIRST_AND_SECOND = [
    ("right clocks, in order", heard(1, 1), heard(2, 2)),
    ("right clocks, the second came first", heard(1, 3), heard(2, 2)),
    ("a clock a day ahead, the second came first", heard(25, 3), heard(26, 2)),
    ("an hour ahead: the first came so late that its stamp is past", heard(2, 4), heard(3, 2.5)),
    ("a clock that is behind", heard(-1, 3), heard(0, 2)),
    ("2099, then the clock was put right", heard(YEARS, 1), heard(2, 2)),
    ("2099, then a clock that is a little ahead", heard(YEARS, 1), heard(2.1, 2)),
    ("2099 and a minute, swapped, as their mails are dated", heard(YEARS, 5, 1), heard(YEARS + 1, 4, 2)),
    ("a laptop a day ahead, then a telephone: their mails are dated", heard(25, 1, 1), heard(2, 2, 2)),
    ("so it is where the second came first", heard(25, 5, 1), heard(2, 2, 2)),
    (
        "a clock that stamped mail and message ahead: its own order",
        heard(9.5, 20, 9.5),
        heard(10, 2, 10),
    ),
    ("a DTSTAMP that is the meeting's time: its mails are dated", heard(999, 1, 1), heard(999, 2, 2)),
]


@pytest.mark.parametrize(
    ("why", "first", "second"), FIRST_AND_SECOND, ids=lambda one: one if isinstance(one, str) else ""
)
def test_what_was_said_second_is_later(why: str, first: Stamp, second: Stamp) -> None:
    assert later(second, first), why
    assert not later(first, second), why


def test_what_has_no_time_is_not_later() -> None:
    unknown = Stamp(sequence=0, dtstamp=None, digest="")
    assert not later(unknown, heard(1, 1))
    assert not later(heard(1, 1), unknown)
    assert not later(heard(1, 1), None)


def test_a_word_is_not_later_than_itself() -> None:
    assert not later(heard(1, 1), heard(1, 2))
    assert not later(heard(25, 1), heard(25, 2))


def test_another_clock_hears_of_it_no_later_than_it_came() -> None:
    assert at_latest(heard(25, 1)) == at(1)
    assert at_latest(heard(1, 25)) == at(1)


@given(
    skew=st.floats(-1, LEEWAY / timedelta(hours=1)),
    apart=st.integers(1, 10_000),
    delays=st.tuples(st.floats(0, 100), st.floats(0, 100)),
    dates=st.sampled_from(["none", "right", "as wrong"]),
)
def test_one_clock_is_followed_however_late_its_mails_come(
    skew: float, apart: int, delays: tuple[float, float], dates: str
) -> None:
    first, second = (
        heard(
            said + skew,
            said + delay,
            None if dates == "none" else said + (skew if dates == "as wrong" else 0),
        )
        for said, delay in zip((0.0, apart / 3600), delays, strict=True)
    )
    assert later(second, first)
    assert not later(first, second)


@given(wrong=st.floats(LEEWAY / timedelta(hours=1) + 100, 1_000_000), came=st.floats(0.01, 90))
def test_no_stamp_locks_out_what_a_right_clock_says_later(wrong: float, came: float) -> None:
    assert later(heard(came, came), heard(wrong, 0))


@given(wrong=st.floats(0, 1_000_000))
def test_a_wrong_stamp_holds_nothing_up_for_longer_than_the_leeway(wrong: float) -> None:
    after = LEEWAY / timedelta(hours=1) + 0.01
    assert later(heard(after, after), heard(wrong, 0))
