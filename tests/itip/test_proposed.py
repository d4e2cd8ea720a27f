"""The meeting as a proposal wants it: its time, rule and place, in the organizer's own terms, and nothing else of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.ical.event import CalendarObject
from gateway.itip.proposed import as_proposed, differs, is_usable, when

NOW = datetime(2030, 1, 1, tzinfo=UTC)
BERLIN = """BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:STANDARD
DTSTART:19701025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
END:VTIMEZONE
"""


def event(stage: Any, *lines: str) -> CalendarObject:
    body = ["BEGIN:VEVENT", "UID:u", "DTSTAMP:20291201T000000Z", *lines, "END:VEVENT"]
    found: CalendarObject = stage.object(BERLIN + "\n".join(body))
    return found


def proposed(stage: Any, was: CalendarObject, *lines: str, key: str = "") -> CalendarObject:
    new = as_proposed(was, key, event(stage, *lines), now=NOW)
    assert new is not None
    return new


TEN = (
    "DTSTART;TZID=Europe/Berlin:20300107T100000",
    "DTEND;TZID=Europe/Berlin:20300107T110000",
    "SUMMARY:Lunch",
)


def test_the_organizer_goes_on_reading_his_own_clock(stage: Any) -> None:
    new = proposed(stage, event(stage, *TEN), "DTSTART:20300107T130000Z", "DTEND:20300107T143000Z")
    assert new.master is not None
    assert new.master.value("DTSTART") == "20300107T140000" and new.master.value("DTEND") == "20300107T153000"
    start = new.master.first("DTSTART")
    assert start is not None and start.tzid == "Europe/Berlin"


def test_a_proposal_without_an_end_keeps_the_length(stage: Any) -> None:
    new = proposed(stage, event(stage, *TEN), "DTSTART:20300107T130000Z")
    assert when(new.master, new) == ("2030-01-07T13:00:00Z", "2030-01-07T14:00:00Z")


def test_title_guests_and_description_of_a_proposal_are_not_asked_for(stage: Any) -> None:
    new = proposed(
        stage,
        event(stage, *TEN, "ATTENDEE:mailto:b@example.com"),
        *TEN[:2],
        "SUMMARY:New Time Proposed: Lunch",
        "ATTENDEE:mailto:x@example.com",
        "DESCRIPTION:words",
        "LOCATION:Room 2",
    )
    assert new.master is not None
    assert new.master.text("SUMMARY") == "Lunch" and new.master.text("LOCATION") == "Room 2"
    assert [str(one.address) for one in new.attendees()] == ["b@example.com"]
    assert new.master.first("DESCRIPTION") is None


def test_the_same_instants_told_in_another_zone_are_no_proposal(stage: Any) -> None:
    was = event(stage, *TEN)
    new = proposed(stage, was, "DTSTART:20300107T090000Z", "DURATION:PT1H", "SUMMARY:Other words")
    assert new is was and not differs(was, new, "")


def test_a_whole_day_instead_of_an_hour_is_a_day(stage: Any) -> None:
    new = proposed(stage, event(stage, *TEN), "DTSTART;VALUE=DATE:20300108", "DTEND;VALUE=DATE:20300109")
    assert when(new.master, new) == ("2030-01-08", "2030-01-09")
    assert differs(event(stage, *TEN), new, "")


def test_one_date_of_a_series_moves_without_the_others(stage: Any) -> None:
    was = event(stage, *TEN, "RRULE:FREQ=WEEKLY;COUNT=3")
    key = "20300114T090000Z"
    new = proposed(stage, was, "DTSTART:20300115T090000Z", key=key)
    assert new.master == was.master and is_usable(was, new, key)
    assert when(new.component(key), new) == ("2030-01-15T09:00:00Z", "2030-01-15T10:00:00Z")


def test_of_a_date_that_is_none_nothing_can_be_proposed(stage: Any) -> None:
    was = event(stage, *TEN, "RRULE:FREQ=WEEKLY;COUNT=3")
    assert as_proposed(was, "20300115T090000Z", event(stage, "DTSTART:20300115T090000Z"), now=NOW) is None


TUESDAY = "DTSTART:20300108T090000Z"


@pytest.mark.parametrize(
    ("series", "wanted", "usable"),
    [
        (("RRULE:FREQ=WEEKLY",), (TUESDAY,), True),
        (("RRULE:FREQ=WEEKLY;BYDAY=MO",), (TUESDAY,), False),
        (("RRULE:FREQ=WEEKLY;BYDAY=MO",), ("DTSTART:20300107T130000Z",), True),
        (("RRULE:FREQ=WEEKLY;BYDAY=MO",), (TUESDAY, "RRULE:FREQ=WEEKLY;BYDAY=TU"), True),
        (("RRULE:FREQ=MONTHLY;BYMONTHDAY=7",), (TUESDAY,), False),
        (("RRULE:FREQ=WEEKLY", "EXDATE;TZID=Europe/Berlin:20300114T100000"), (TUESDAY,), False),
        (("RRULE:FREQ=WEEKLY", "EXDATE;TZID=Europe/Berlin:20300114T100000"), (*TEN[:1], "LOCATION:x"), True),
    ],
)
def test_a_series_moves_only_where_its_rule_and_its_exceptions_can_follow(
    stage: Any, series: tuple[str, ...], wanted: tuple[str, ...], usable: bool
) -> None:
    was = event(stage, *TEN, *series)
    assert is_usable(was, proposed(stage, was, *wanted), "") is usable


@pytest.mark.parametrize("end", ["DTEND:20300107T130000Z", "DTEND:20300107T120000Z", "DURATION:-PT1H"])
def test_an_end_that_is_not_after_its_start_says_nothing_about_the_length(stage: Any, end: str) -> None:
    new = proposed(stage, event(stage, *TEN), "DTSTART:20300107T130000Z", end)
    assert when(new.master, new) == ("2030-01-07T13:00:00Z", "2030-01-07T14:00:00Z")


@pytest.mark.parametrize(
    ("start", "usable"),
    [
        ("DTSTART;TZID=Nowhere:20300107T130000", False),
        ("DTSTART:20300107T130000", False),
        ("DTSTART;VALUE=DATE:20300107", True),
        ("DTSTART;TZID=Europe/Berlin:20300107T130000", True),
    ],
)
def test_an_instant_does_not_become_a_time_that_nobody_can_tell(stage: Any, start: str, usable: bool) -> None:
    was = event(stage, *TEN)
    assert is_usable(was, proposed(stage, was, start), "") is usable
    series = event(stage, *TEN, "RRULE:FREQ=WEEKLY")
    key = "20300114T090000Z"
    assert is_usable(series, proposed(stage, series, start, key=key), key) is usable


def test_a_floating_meeting_may_float_on(stage: Any) -> None:
    was = event(stage, "DTSTART:20300107T100000", "DTEND:20300107T110000")
    assert is_usable(was, proposed(stage, was, "DTSTART:20300107T130000"), "")


def test_a_task_moves_by_its_due_date(stage: Any) -> None:
    task = "BEGIN:VTODO\nUID:u\nDTSTAMP:20291201T000000Z\n{}\nEND:VTODO"
    was = stage.object(task.format("DTSTART:20300107T090000Z\nDUE:20300109T090000Z"))
    new = as_proposed(was, "", stage.object(task.format("DUE:20300110T090000Z")), now=NOW)
    assert new is not None
    assert when(new.master, new) == ("2030-01-07T09:00:00Z", "2030-01-10T09:00:00Z")
    assert differs(was, new, "") and is_usable(was, new, "")
