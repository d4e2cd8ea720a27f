"""What an organizer mails of his meeting is his own edit; a REQUEST strikes nobody off, a CANCEL no more than it names."""

from __future__ import annotations

import pytest

from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, parse_object
from gateway.itip.model import Message, Method, Reason
from gateway.itip.rendered import guests_of, rendered

ALICE, BOB, CAROL = Address("alice@example.org"), Address("bob@example.net"), Address("carol@example.com")
OWNER = frozenset({ALICE})


def meeting(*guests: str, organizer: str = ALICE, more: str = "", **lines: str) -> CalendarObject:
    facts = {"DTSTAMP": "20261101T080000Z", "DTSTART": "20261110T100000Z", "SEQUENCE": "0"} | lines
    head = "".join(f"{name}:{value}\n" for name, value in facts.items())
    asked = "".join(f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{one}\n" for one in guests)
    text = (
        f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:m1\n{head}ORGANIZER:mailto:{organizer}\n"
        f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{organizer}\n{asked}{more}END:VEVENT\nEND:VCALENDAR\n"
    )
    return parse_object(text.replace("\n", "\r\n").encode())


def told(stored: CalendarObject | None, new: CalendarObject, method: Method = Method.REQUEST, **facts):
    return rendered(stored, Message(method=method, object=new, sender=ALICE), owner=OWNER, **facts)


def test_a_new_meeting_is_stored_without_what_the_program_told_its_server() -> None:
    new = meeting(more=f"ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:{BOB}\n")
    assert b"SCHEDULE-AGENT" not in told(None, new).data
    assert guests_of(told(None, new, asked=(CAROL,)), OWNER) == {BOB}, "a guest list is not extended"


def test_a_meeting_without_guests_asks_the_readers_but_not_its_organizer() -> None:
    assert guests_of(told(None, meeting(), asked=(BOB, ALICE, BOB)), OWNER) == {BOB}


def test_answers_alarms_and_private_notes_of_the_calendar_stay() -> None:
    alarm = "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER:-PT5M\nEND:VALARM\n"
    stored = meeting(CAROL, more=f"CATEGORIES:mine\nATTENDEE;PARTSTAT=ACCEPTED:mailto:{BOB}\n{alarm}")
    after = told(stored, meeting(BOB, SUMMARY="Dinner"))
    assert guests_of(after, OWNER) == {BOB, CAROL}
    text = after.data.decode()
    assert f"PARTSTAT=ACCEPTED:mailto:{BOB}" in text
    assert all(one in text for one in ("SUMMARY:Dinner", "CATEGORIES:mine", "TRIGGER:-PT5M"))


@pytest.mark.parametrize(
    ("lines", "older"),
    [
        ({"DTSTAMP": "20261101T070000Z", "SEQUENCE": "2"}, True),
        ({"SEQUENCE": "0"}, True),
        ({"SEQUENCE": "1"}, False),
        ({"SEQUENCE": "0", "DTSTAMP": "20261101T090000Z"}, False),
    ],
)
def test_the_later_word_counts_and_never_lowers_the_sequence(lines: dict[str, str], older: bool) -> None:
    after = told(meeting(BOB, SEQUENCE="1"), meeting(BOB, **lines))
    assert after is Reason.OLDER_SEQUENCE if older else after.sequence() == 1


@pytest.mark.parametrize(
    ("named", "status", "left"),
    [
        ((BOB, CAROL), "CANCELLED", "off"),
        ((BOB, CAROL), "", "off"),
        ((), "", "off"),
        ((BOB,), "CANCELLED", {CAROL}),
        ((BOB,), "", {CAROL}),
    ],
)
def test_a_cancel_ends_no_more_than_it_names(named, status, left) -> None:
    lines = {"STATUS": status} if status else {}
    after = told(meeting(BOB, CAROL), meeting(*named, **lines), Method.CANCEL)
    if left == "off":
        assert after.master.value("STATUS") == "CANCELLED" and guests_of(after, OWNER) == {BOB, CAROL}
    else:
        assert after.master.value("STATUS") is None and guests_of(after, OWNER) == left


def test_the_only_guest_is_uninvited_by_a_cancel_without_status() -> None:
    after = told(meeting(BOB), meeting(BOB), Method.CANCEL)
    assert guests_of(after, OWNER) == set() and after.master.value("STATUS") is None


def test_one_date_is_called_off_without_the_others() -> None:
    series = meeting(BOB, RRULE="FREQ=DAILY;COUNT=3")
    day = {"RECURRENCE-ID": "20261111T100000Z", "STATUS": "CANCELLED"}
    after = told(series, meeting(BOB, **day), Method.CANCEL)
    assert after.overrides["20261111T100000Z"].value("STATUS") == "CANCELLED"
    assert after.master.value("STATUS") is None
    nowhere = {"RECURRENCE-ID": "20261211T100000Z"}
    assert told(series, meeting(BOB, **nowhere), Method.CANCEL) is Reason.NO_SUCH_INSTANCE


def test_changed_dates_stay_while_the_series_is_as_it_was() -> None:
    series = meeting(BOB, RRULE="FREQ=DAILY;COUNT=3")
    date = {"RECURRENCE-ID": "20261111T100000Z", "DTSTART": "20261111T150000Z"}
    stored = told(series, meeting(BOB, **date))
    assert list(stored.overrides) == ["20261111T100000Z"]
    assert told(stored, meeting(BOB, RRULE="FREQ=DAILY;COUNT=3", SUMMARY="x")).overrides
    assert not told(stored, meeting(BOB, RRULE="FREQ=DAILY;COUNT=9")).overrides


def test_of_what_is_not_his_or_not_there_nothing_is_made() -> None:
    other = meeting(ALICE, organizer=BOB)
    assert told(other, meeting(BOB)) is Reason.NOT_OUR_ORGANIZER
    assert told(None, other) is Reason.NOT_OUR_ORGANIZER
    gone = meeting(BOB, STATUS="CANCELLED")
    assert told(None, gone, Method.CANCEL) is Reason.UNKNOWN_UID
    assert told(None, gone, Method.CANCEL, deleted=True) is None
