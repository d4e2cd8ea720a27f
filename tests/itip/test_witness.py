"""What a program has mailed by itself is counted once, for the revision that it told of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.ical.address import Address
from gateway.ical.event import parse_object
from gateway.itip import witness
from gateway.itip.model import MarkKey, Message, Method, Outgoing

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)
DAVE, ERIN = Address("dave@example.com"), Address("erin@example.com")
DAY = "20261117T100000Z"


def meeting(*instances: str, sequence: int = 0, master: bool = True):
    parts = [("", "RRULE:FREQ=WEEKLY\n")] if master else []
    parts += [(one, f"RECURRENCE-ID:{one}\n") for one in instances]
    events = "".join(
        f"BEGIN:VEVENT\nUID:m1\nDTSTAMP:20261101T080000Z\nDTSTART:{one or '20261110T100000Z'}\nSEQUENCE:{sequence}\n{more}"
        "ORGANIZER:mailto:alice@example.org\nATTENDEE:mailto:dave@example.com\nEND:VEVENT\n"
        for one, more in parts
    )
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{events}END:VCALENDAR\n"
    return parse_object(text.replace("\n", "\r\n").encode())


def mailed(of, *to: Address, method: Method = Method.REQUEST, at: datetime = NOW):
    return witness.seen(Message(method=method, object=of, sender=Address("alice@example.org")), to, at)


def letter(of, to: Address = DAVE, method: Method = Method.REQUEST) -> Outgoing:
    nothing: Any = None  # what the letter says in words is not asked
    return Outgoing(
        method=method, sender=Address("alice@example.org"), recipient=to, object=of, summary=nothing
    )


def counted(of, marks, *, saved=None, to: Address = DAVE, method: Method = Method.REQUEST, since=NOW):
    return witness.spoken_for(letter(of, to, method), saved or of, marks, since=since)


def test_whom_the_program_told_is_not_told_again_and_that_counts_once() -> None:
    marks = mailed(meeting(), DAVE)
    used = counted(meeting(), marks)
    assert list(used) == list(marks)
    assert counted(meeting(), {**marks, **used}) == {}


@pytest.mark.parametrize(
    "miss",
    [
        {"to": ERIN},
        {"method": Method.CANCEL},
        {"since": NOW + timedelta(seconds=1)},
        {"saved": meeting(sequence=1)},
    ],
)
def test_another_reader_method_time_or_revision_is_not_told_yet(miss) -> None:
    assert counted(meeting(), mailed(meeting(), DAVE), **miss) == {}


def test_our_raised_sequence_does_not_hide_that_the_saved_revision_was_mailed() -> None:
    saved = meeting()
    assert counted(meeting(sequence=1), mailed(saved, DAVE), saved=saved)


def test_a_mail_about_the_series_tells_of_its_dates_and_one_about_a_date_not_of_the_series() -> None:
    assert counted(meeting(DAY, master=False), mailed(meeting(), DAVE))
    of_a_day = mailed(meeting(DAY, master=False), DAVE)
    assert list(of_a_day) == [MarkKey(recurrence_id=DAY, party="mailed:REQUEST:dave@example.com")]
    assert counted(meeting(DAY, master=False), of_a_day)
    assert counted(meeting(DAY), of_a_day) == {}


def test_a_mail_leaves_one_mark_for_each_guest_and_none_for_others() -> None:
    stranger = Address("mallory@example.com")
    days = [f"202611{day}T100000Z" for day in range(17, 30)]
    assert list(mailed(meeting(*days), DAVE, ERIN, stranger)) == [
        MarkKey(recurrence_id="", party="mailed:REQUEST:dave@example.com")
    ]


def test_the_mail_of_a_series_with_a_newer_date_tells_of_that_date_too() -> None:
    day = meeting(DAY, master=False, sequence=3).overrides[DAY]
    newer = meeting(DAY).with_components({DAY: day})
    assert counted(newer, mailed(newer, DAVE))
