"""What became of a letter stands on its reader's line, and on no other; nothing else of the meeting changes."""

from __future__ import annotations

import pytest

from gateway.ical.event import CalendarObject, parse_object
from gateway.itip.model import Method
from gateway.itip.roles import line_in
from gateway.itip.significance import fingerprint
from gateway.itip.statuses import Fate, noted, worth

MEETING = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:test
BEGIN:VEVENT
UID:m1
DTSTAMP:20261101T080000Z
DTSTART:20261110T100000Z
DTEND:20261110T110000Z
RRULE:FREQ=DAILY;COUNT=5
ORGANIZER:mailto:alice@example.org
ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:bob@example.net
ATTENDEE;SCHEDULE-AGENT=SERVER;SCHEDULE-STATUS=2.0;PARTSTAT=ACCEPTED:mailto:carol@example.com
END:VEVENT
BEGIN:VEVENT
UID:m1
DTSTAMP:20261101T080000Z
RECURRENCE-ID:20261111T100000Z
DTSTART:20261111T120000Z
DTEND:20261111T130000Z
ORGANIZER:mailto:alice@example.org
ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:bob@example.net
END:VEVENT
END:VCALENDAR
"""
BOB, CAROL, ALICE = "bob@example.net", "carol@example.com", "alice@example.org"


def meeting(*changes: tuple[str, str]) -> CalendarObject:
    text = MEETING
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse_object(text.encode())


def fate(party: str, code: str, *, method: Method = Method.REQUEST, recurrence_id: str = "") -> Fate:
    return Fate(method=method, party=party, code=code, recurrence_id=recurrence_id)


def statuses(of: CalendarObject, who: str) -> list[str | None]:
    lines = (line_in(one, frozenset({who})) for one in of.components)
    return [line.param("SCHEDULE-STATUS") for line in lines if line is not None]


def test_a_letter_about_the_whole_meeting_is_told_wherever_its_reader_stands():
    new = noted(meeting(), [fate(BOB, "1.1")])
    assert statuses(new, BOB) == ["1.1", "1.1"]
    assert statuses(new, CAROL) == ["2.0"]
    assert fingerprint(new) == fingerprint(meeting())


def test_a_letter_about_one_date_is_told_there():
    new = noted(meeting(), [fate(BOB, "3.7", recurrence_id="20261111T100000Z")])
    assert statuses(new, BOB) == [None, "3.7"]


def test_a_letter_about_a_date_that_has_no_line_is_told_in_the_series():
    new = noted(meeting(), [fate(BOB, "3.7", recurrence_id="20261112T100000Z")])
    assert statuses(new, BOB) == ["3.7", "3.7"]


def test_an_answer_says_more_than_that_a_later_letter_left():
    old = meeting()
    assert noted(old, [fate(CAROL, "1.1")]) is old
    assert noted(old, [fate(CAROL, "1.0")]) is old
    assert statuses(noted(old, [fate(CAROL, "5.1")]), CAROL) == ["5.1"]


def test_an_answer_that_was_voided_says_nothing_any_more():
    old = meeting(("PARTSTAT=ACCEPTED", "PARTSTAT=NEEDS-ACTION"))
    assert statuses(noted(old, [fate(CAROL, "1.1")]), CAROL) == ["1.1"]


def test_what_is_told_already_changes_nothing():
    once = noted(meeting(), [fate(BOB, "1.1")])
    assert noted(once, [fate(BOB, "1.1")]) is once


def test_one_who_is_not_in_the_meeting_any_more_changes_nothing():
    old = meeting()
    assert noted(old, [fate("zoe@example.net", "5.1")]) is old


def test_the_schedule_agent_stays_as_it_is():
    new = noted(meeting(), [fate(CAROL, "5.1")])
    assert b"SCHEDULE-AGENT=SERVER" in new.data
    assert new.data.count(b"SCHEDULE-AGENT") == 1


@pytest.mark.parametrize("method", [Method.REPLY, Method.COUNTER])
def test_what_became_of_an_answer_stands_on_the_organizers_line(method):
    new = noted(meeting(), [fate(ALICE, "1.1", method=method)])
    assert new.data.count(b"ORGANIZER;SCHEDULE-STATUS=1.1:mailto:alice@example.org") == 2
    assert statuses(new, BOB) == [None, None]


def test_an_answer_that_went_to_somebody_else_is_not_the_organizers():
    old = meeting()
    assert noted(old, [fate(CAROL, "1.1", method=Method.REPLY)]) is old  # a delegate's, to his delegator


@pytest.mark.parametrize(
    ("method", "code", "automatic", "wanted"),
    [
        (Method.REQUEST, "1.1", False, True),
        (Method.REQUEST, "1.0", False, True),
        (Method.REPLY, "1.1", False, True),
        (Method.REPLY, "1.1", True, False),  # a room answers a hundred times a day
        (Method.REPLY, "5.1", True, True),
        (Method.CANCEL, "1.1", False, False),
        (Method.CANCEL, "3.7", False, True),
        (Method.REFRESH, "5.1", False, False),
        (Method.DECLINECOUNTER, "5.1", False, False),
        (Method.REQUEST, "", False, False),
    ],
)
def test_what_somebody_wants_to_read_in_his_calendar(method, code, automatic, wanted):
    assert worth(method, code, automatic=automatic) is wanted
