"""A copy says each date's answer with as few components as it can, and reads back the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from gateway.ical.address import Address
from gateway.ical.event import CalendarObject
from gateway.itip import dates

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ROOM = frozenset({Address("room@example.com")})
SERIES = """BEGIN:VEVENT
UID:m1
DTSTAMP:20291201T000000Z
DTSTART:20300107T090000Z
DTEND:20300107T100000Z
RRULE:FREQ=DAILY;COUNT=5
TRANSP:TRANSPARENT
ORGANIZER:mailto:alice@example.com
ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:room@example.com
END:VEVENT"""
ANSWERS = some.lists(some.sampled_from(["ACCEPTED", "DECLINED"]), min_size=5, max_size=5)


def read(of: CalendarObject) -> dict[str, str]:
    window = {"after": NOW, "before": NOW + timedelta(days=30), "zone": UTC}
    return {one.key: one.answer for one in dates.dates(of, ROOM, **window)}


@given(ANSWERS)
def test_what_was_answered_is_read_back(stage: Any, answers: list[str]) -> None:
    series = stage.object(SERIES)
    told = dict(zip(read(series), answers, strict=True))
    copy = dates.answered(series, told, ROOM, now=NOW)
    assert read(copy) == told
    few = answers.count("DECLINED") if "ACCEPTED" in answers else 0
    assert len(copy.overrides) == few


def test_what_is_taken_is_not_free_and_what_is_declined_stays_as_it_was(stage: Any) -> None:
    series = stage.object(SERIES)
    first, *others = read(series)
    copy = dates.answered(series, {first: "DECLINED"} | dict.fromkeys(others, "ACCEPTED"), ROOM, now=NOW)
    assert copy.master.value("TRANSP") is None
    assert copy.overrides[first].value("TRANSP") == "TRANSPARENT"


def test_unanswered_dates_are_open_again_and_no_others(stage: Any) -> None:
    series = stage.object(SERIES)
    first, *others = read(series)
    copy = dates.answered(series, {first: "DECLINED"} | dict.fromkeys(others, "ACCEPTED"), ROOM, now=NOW)
    again = dates.unanswered(copy, [first], ROOM)
    assert read(again) == {first: "NEEDS-ACTION"} | dict.fromkeys(others, "ACCEPTED")


def test_a_date_without_its_own_line_is_nobodys(stage: Any) -> None:
    series = stage.object(SERIES.replace("room@", "other@"))
    assert read(series) == {}
    assert dates.beyond(series, ROOM, after=NOW, zone=UTC) is None
