"""How a meeting repeats on the reader's clock: words only where they are true there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.itip.model import When
from gateway.render.repetition import words
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
