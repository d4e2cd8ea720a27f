"""How a meeting repeats on the reader's clock: words only where they are true there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.itip.model import Facts, When
from gateway.render.repetition import moves, words
from gateway.render.voice import Voice

Speak = Callable[..., Voice]
At = Callable[..., When]


@pytest.mark.parametrize(
    ("start", "zone", "has_words"),
    [
        ("2026-11-23 15:00", "America/Toronto", True),
        ("2026-11-23 03:00", "America/Toronto", False),  # Sunday there
        (
            "2026-11-23 06:30",
            "America/Toronto",
            False,
        ),  # Sunday there in the weeks between the two changes of clocks
        ("2026-11-23", "America/Toronto", True),
        ("2026-11-23 22:30", "Europe/London", True),
        ("2026-11-23 09:30", "Australia/Sydney", True),
        ("2026-11-23 15:30", "Australia/Sydney", False),  # two changes of clocks, two hours
    ],
)
def test_days_that_differ_between_two_zones_have_no_words(
    start: str, zone: str, has_words: bool, speak: Speak, at: At
) -> None:
    assert (words("FREQ=WEEKLY", at(start), speak("en", zone)) is not None) is has_words


def test_times_of_day_are_told_on_the_events_own_clock_only(speak: Speak, at: At) -> None:
    rule = "FREQ=DAILY;BYHOUR=15,17"
    assert words(rule, at("2026-11-23 15:00"), speak()) == "Every day, at 15:00 and 17:00"
    assert words(rule, at("2026-11-23 15:00"), speak("en", "America/Toronto")) is None


def test_an_end_in_utc_needs_a_zone_that_is_known(speak: Speak, at: At) -> None:
    rule = "FREQ=WEEKLY;UNTIL=20261221T140000Z"
    assert (
        words(rule, at("2026-11-23 15:00"), speak()) == "Every week on Monday, until Monday, 21 December 2026"
    )
    unknown = When(form="zoned", local=at("2026-11-23 15:00").local, zone="Nowhere")
    assert words(rule, unknown, speak()) is None
    assert words("FREQ=WEEKLY", unknown, speak()) == "Every week on Monday"


@given(rule=st.text(alphabet="FREQ=WKLYDAIMONTHBSPUVC;,-0123456789", max_size=60))
def test_any_rule_has_words_or_none(rule: str, speak: Speak, at: At) -> None:
    words(rule, at("2026-11-23 15:00"), speak())


@pytest.mark.parametrize(
    ("rule", "zone", "says"),
    [
        ("FREQ=WEEKLY", "America/Toronto", "From Sunday, March 14, 2027 on it begins at 10:00\u00a0a.m."),
        ("FREQ=WEEKLY;UNTIL=20270401T000000Z", "America/Toronto", "From Sunday, March 14, 2027"),
        ("FREQ=WEEKLY;UNTIL=20270301T000000Z", "America/Toronto", ""),
        ("FREQ=WEEKLY;COUNT=5", "America/Toronto", ""),
        ("FREQ=DAILY;BYHOUR=9,15", "America/Toronto", ""),
        ("FREQ=WEEKLY", "Asia/Tokyo", "From Sunday, 28 March 2027 on it begins at 22:00"),
        ("FREQ=WEEKLY", "Europe/Paris", ""),
        ("FREQ=WEEKLY", "Europe/Berlin", ""),
        ("FREQ=WEEKLY", "", ""),
        ("", "America/Toronto", ""),
    ],
)
def test_a_reader_far_away_hears_when_a_series_moves_on_his_clock(
    rule: str, zone: str, says: str, meeting: Facts, speak: Speak
) -> None:
    told = moves(replace(meeting, rule=rule, next_dates=()), speak("en", zone))
    assert says in told if says else told == ""


def test_a_counted_series_that_reaches_the_change_of_clocks_says_so(
    meeting: Facts, at: At, speak: Speak
) -> None:
    last = replace(
        meeting, rule="FREQ=WEEKLY;COUNT=20", next_dates=(at("2027-03-08 15:00"), at("2027-03-15 15:00"))
    )
    assert moves(last, speak("en", "America/Toronto"))
    assert not moves(replace(last, next_dates=last.next_dates[:1]), speak("en", "America/Toronto"))


def test_a_meeting_that_keeps_no_zone_does_not_move(meeting: Facts, at: At, speak: Speak) -> None:
    for start in (at("2026-11-23"), at("2026-11-23 15:00", ""), at("2026-11-23 15:00", "UTC"), None):
        told = replace(meeting, rule="FREQ=WEEKLY", start=start)
        assert moves(told, speak("en", "America/Toronto")) == ""
