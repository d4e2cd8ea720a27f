"""Durations and offsets, read tolerantly and written strictly."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedCalendar
from gateway.ical.stamp import Span, offset_text, parse_span, read_offset, read_stamp

SPANS = [
    ("P15DT5H0M20S", 15, 18_020),
    ("P7W", 49, 0),
    ("PT24H", 0, 86_400),
    ("P1D", 1, 0),
    ("P1DT0S", 1, 0),
    ("-P0D", 0, 0),
    ("+PT15M", 0, 900),
    ("-PT15M", 0, -900),
    ("P0DT0H15M", 0, 900),
    ("pt1h", 0, 3600),
]


@pytest.mark.parametrize(("text", "days", "seconds"), SPANS)
def test_days_are_nominal_and_seconds_exact(text: str, days: int, seconds: int) -> None:
    assert parse_span(text) == Span(days=days, seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1DT", "1 hour", "PT1", "P1H", "P99999999999D", "P9999999D"]
)
def test_what_is_no_duration_is_malformed(text: str) -> None:
    with pytest.raises(MalformedCalendar):
        parse_span(text)


@pytest.mark.parametrize(("text", "minutes"), [("+0100", 60), ("-0530", -330), ("0100", 60), ("+01:00", 60)])
def test_offsets_are_read(text: str, minutes: int) -> None:
    assert read_offset(text) == timedelta(minutes=minutes)
    assert read_offset(offset_text(timedelta(minutes=minutes))) == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["+2500", "", "1", "+01"])
def test_impossible_offsets_are_malformed(text: str) -> None:
    with pytest.raises(MalformedCalendar):
        read_offset(text)


@given(st.text(max_size=20))
def test_any_text_is_a_stamp_or_malformed(text: str) -> None:
    for read in (read_stamp, parse_span, read_offset):
        try:
            read(text)
        except MalformedCalendar:
            continue
