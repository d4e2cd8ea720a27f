"""What an organizer is written about his guests: what still counts, by the names that he knows, and of strangers few."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, parse_object
from gateway.itip.model import Context
from gateway.itip.telling import STRANGERS, Word, answers, stranger, told_of

ALICE, BOB, EVE = Address("alice@example.org"), Address("bob@example.net"), Address("eve@example.net")
CONTEXT = Context(owner=frozenset({ALICE}), now=datetime(2026, 11, 2, tzinfo=UTC))


def meeting(
    guest: str = "CN=Bob;PARTSTAT=ACCEPTED", more: str = "", organizer: str = f"mailto:{ALICE}"
) -> CalendarObject:
    part = f"UID:u1\nDTSTAMP:20261101T080000Z\nSUMMARY:Plan\nORGANIZER;CN=Alice:{organizer}\n"
    line = f"ATTENDEE;{guest}:mailto:{BOB}\n"
    rule = "DTSTART:20261123T140000Z\nRRULE:FREQ=WEEKLY;COUNT=3\n"
    text = f"BEGIN:VEVENT\n{part}{line}{rule}END:VEVENT\n"
    if more:
        text += f"BEGIN:VEVENT\n{part}ATTENDEE;{more}:mailto:{BOB}\nRECURRENCE-ID:20261130T140000Z\nDTSTART:20261130T140000Z\nEND:VEVENT\n"
    whole = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{text}END:VCALENDAR\n"
    return parse_object(whole.replace("\n", "\r\n").encode())


def test_the_answer_is_told_as_it_stands_now_and_under_the_name_that_the_organizer_gave() -> None:
    notice = answers(
        meeting(more="PARTSTAT=DECLINED"),
        (Word(who=BOB, key="", comment="Late"), Word(who=BOB, key="20261130T140000Z")),
        CONTEXT,
    )
    assert notice is not None and (notice.recipient, notice.recipient_name) == (ALICE, "Alice")
    first, second = notice.summary.answers
    assert (first.guest.name, first.guest.partstat, first.comment, first.date) == (
        "Bob",
        "ACCEPTED",
        "Late",
        None,
    )
    assert second.guest.partstat == "DECLINED" and second.date is not None
    assert second.date.local == datetime(2026, 11, 30, 14)


@pytest.mark.parametrize("stored", [meeting(guest="PARTSTAT=NEEDS-ACTION"), meeting(organizer="urn:uuid:7")])
def test_what_no_longer_counts_or_has_nobody_to_be_told_is_not_told(stored: CalendarObject) -> None:
    assert answers(stored, (Word(who=BOB, key=""),), CONTEXT) is None


def test_that_an_answer_was_taken_back_is_told_while_it_is_so() -> None:
    word = Word(who=BOB, key="", taken_back=True)
    notice = answers(meeting(guest="PARTSTAT=NEEDS-ACTION"), (word,), CONTEXT)
    assert notice is not None and notice.summary.answers[0].guest.partstat == "NEEDS-ACTION"


def test_one_who_is_no_longer_a_guest_is_not_told_of() -> None:
    assert answers(meeting(), (Word(who=EVE, key=""),), CONTEXT) is None


def test_each_stranger_is_told_of_once_and_not_all_of_them() -> None:
    marks = {}
    for number in range(STRANGERS):
        who = Address(f"eve{number}@example.net")
        context = Context(owner=CONTEXT.owner, now=CONTEXT.now, marks=marks)
        notice = stranger(meeting(), who, context)
        assert notice is not None and notice.summary.attendee is not None
        assert (notice.summary.attendee.address, notice.summary.attendee.name) == (who, "")
        marks = marks | told_of(who, context)
        assert stranger(meeting(), who, Context(owner=CONTEXT.owner, now=CONTEXT.now, marks=marks)) is None
    assert stranger(meeting(), EVE, Context(owner=CONTEXT.owner, now=CONTEXT.now, marks=marks)) is None
