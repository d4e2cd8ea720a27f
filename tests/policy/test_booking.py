"""What a room answers; the stories are scripts (`tests/itip/scripts/a_room_*.txt`), here is what they cannot say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.accounts import Booking
from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, parse_object
from gateway.ical.times import Period
from gateway.ical.tree import parse
from gateway.itip.decide import decide
from gateway.itip.freebusy import stretch
from gateway.itip.model import (
    Booked,
    Certainty,
    Context,
    Decision,
    Declined,
    Mark,
    MarkKey,
    Message,
    Outcome,
    Policy,
    Reason,
    Store,
    Verdict,
)
from gateway.itip.parse import messages
from gateway.policy.booking import LETTERS, Wish, answer, asking, taken

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ROOM = "room@example.com"
EVENT = f"""BEGIN:VEVENT
UID:m1
DTSTAMP:20291201T000000Z
DTSTART:20300107T090000Z
DTEND:20300107T100000Z
SUMMARY:Talk
ORGANIZER:mailto:alice@example.com
ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{ROOM}
END:VEVENT"""
DAY = EVENT.replace("T090000Z", "").replace("T100000Z", "").replace("DTSTART:", "DTSTART;VALUE=DATE:")
DAY = DAY.replace("DTEND:20300107", "DTEND;VALUE=DATE:20300108")


def at(hour: float, day: int = 7) -> datetime:
    return datetime(2030, 1, day, tzinfo=UTC) + timedelta(hours=hour)


def asked(
    text: str = EVENT,
    *,
    stored: CalendarObject | None = None,
    marks: dict[MarkKey, Mark] | None = None,
    policy: dict[str, Any] | None = None,
    certainty: Certainty = Certainty.PROVEN,
    **keys: Any,
) -> Decision | Wish:
    body = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nMETHOD:REQUEST\n{text}\nEND:VCALENDAR\n"
    (message,) = messages(parse(body.replace("\n", "\r\n").encode()), Address("alice@example.com"))
    assert isinstance(message, Message)
    context = Context(
        owner=frozenset({Address(ROOM)}),
        now=NOW,
        arrived=NOW,
        marks=marks or {},
        verdict=Verdict(sender=message.sender, certainty=certainty),
        policy=Policy(booking=Booking(**{"who": ("@example.com",)} | keys), **policy or {}),
    )
    return asking(decide(stored, message, context), stored, message, context=context)


def told(found: Decision | Wish, *busy: Period, unread: int = 0) -> tuple[str, Booked | None]:
    decision = answer(found, busy, unread=unread) if isinstance(found, Wish) else found
    (letter,) = decision.outgoing or (None,)
    return str(decision.reason), letter.summary.booked if letter else None


def partstats(decision: Decision) -> list[str]:
    assert isinstance(decision.change, Store)
    stored = parse_object(decision.change.object.data)
    return [line.param("PARTSTAT") or "" for part in stored.components for line in part.all("ATTENDEE")]


@given(some.lists(some.tuples(some.integers(0, 30), some.integers(0, 6)), max_size=12), some.integers(1, 3))
def test_it_is_full_exactly_when_so_many_take_it_at_once(spans: list[tuple[int, int]], most: int) -> None:
    periods = [stretch(at(start), at(start + length)) for start, length in spans]
    full = taken(periods, most)
    for hour in range(40):
        moment = at(hour) + timedelta(minutes=30)
        depth = sum(one.start <= moment < one.end for one in periods)
        assert (depth >= most) is any(one.start <= moment < one.end for one in full)
    assert all(one.end < other.start for one, other in zip(full, full[1:], strict=False))


@pytest.mark.parametrize(
    ("busy", "reason"),
    [
        ((8, 9), "booked"),
        ((10, 11), "booked"),
        ((8, 9.01), "booking-declined"),
        ((9.99, 11), "booking-declined"),
        ((9.4, 9.6), "booking-declined"),
        ((0, 48), "booking-declined"),
    ],
)
def test_stretches_of_time_are_half_open(busy: tuple[float, float], reason: str) -> None:
    assert told(asked(), stretch(at(busy[0]), at(busy[1])))[0] == reason


def test_several_bookings_at_once_are_counted() -> None:
    first, second = stretch(at(8), at(9.5)), stretch(at(9.5), at(12))
    assert told(asked(simultaneous=2), first, second)[0] == "booked"
    third = stretch(at(9.25), at(9.75))
    assert told(asked(simultaneous=2), first, second, third)[0] == "booking-declined"


def test_the_letter_names_what_is_in_the_way_and_nothing_else() -> None:
    reason, booked = told(asked(), stretch(at(9.5), at(11)), stretch(at(14), at(15)))
    assert booked is not None
    assert (reason, booked.reason) == ("booking-declined", Declined.BUSY)
    assert [(one.start.utc, one.end.utc) for one in booked.busy] == [(at(9.5), at(11))]


@pytest.mark.parametrize(
    ("mode", "free", "busy"),
    [
        ("accept-if-free", "booked", "booking-declined"),
        ("automatic", "booked", "booking-declined"),
        ("decline-if-busy", "invitation-stored", "booking-declined"),
        ("accept-always", "booked", "booked"),
        ("decline-always", "booking-declined", "booking-declined"),
    ],
)
def test_every_mode_answers_as_it_is_called(mode: str, free: str, busy: str) -> None:
    assert told(asked(mode=mode))[0] == free
    assert told(asked(mode=mode), stretch(at(9), at(10)))[0] == busy


def test_a_whole_day_is_one_of_the_rooms_clock() -> None:
    found = asked(DAY, policy={"timezone": "America/New_York"}, max_duration=timedelta(days=1))
    assert isinstance(found, Wish)
    assert [(one.period.start, one.period.end) for one in found.asked] == [(at(5), at(5, 8))]
    assert found.within.start < at(5) and found.within.end > at(5, 8)


def test_likely_senders_book_only_by_leave() -> None:
    found = asked(certainty=Certainty.LIKELY)
    assert isinstance(found, Decision)
    assert (found.outcome, found.reason) == (Outcome.HELD, Reason.NOT_AUTHENTICATED)
    assert told(asked(certainty=Certainty.LIKELY, policy={"books_likely": True}))[0] == "booked"
    assert told(asked(certainty=Certainty.LIKELY, policy={"approved": True}))[0] == "booked"


def test_what_cannot_be_read_may_be_in_the_way_until_a_person_says_otherwise() -> None:
    found = asked()
    assert isinstance(found, Wish)
    held = answer(found, (), unread=1)
    assert (held.outcome, held.reason) == (Outcome.HELD, Reason.MALFORMED_CALENDAR)
    assert told(asked(policy={"approved": True}), unread=1)[0] == "booked"


def test_what_is_over_is_not_answered() -> None:
    found = asked(EVENT.replace("2030", "2029"))
    assert isinstance(found, Decision)
    assert (str(found.reason), found.outgoing) == ("invitation-stored", ())


def test_what_the_organizer_already_took_for_granted_is_asked_all_the_same() -> None:
    found = asked(EVENT.replace("NEEDS-ACTION", "ACCEPTED"))
    assert isinstance(found, Wish)
    assert partstats(answer(found, (stretch(at(9), at(10)),))) == ["DECLINED"]


def test_a_series_beyond_what_may_be_expanded_is_refused() -> None:
    found = asked(
        EVENT.replace("SUMMARY", "RRULE:FREQ=HOURLY;COUNT=4000\nSUMMARY"), window=timedelta(days=900)
    )
    assert isinstance(found, Decision)
    assert found.reason is Reason.EXPANSION_LIMIT


def test_a_task_is_no_booking() -> None:
    found = asked(EVENT.replace("VEVENT", "VTODO").replace("DTEND", "DUE"))
    assert isinstance(found, Decision)
    assert found.reason is Reason.INVITATION_STORED


SERIES = EVENT.replace("SUMMARY", "RRULE:FREQ=WEEKLY;COUNT=3\nSUMMARY")


def booked(text: str = SERIES, **keys: Any) -> tuple[CalendarObject, dict[MarkKey, Mark]]:
    """What is stored once it was booked, and the ledger."""
    found = asked(text, **keys)
    decision = answer(found, ()) if isinstance(found, Wish) else found
    assert isinstance(decision.change, Store)
    return parse_object(decision.change.object.data), dict(decision.marks)


def news(text: str) -> str:
    return text.replace("DTSTAMP:20291201", "SEQUENCE:1\nDTSTAMP:20291202")


def test_a_series_that_no_longer_ends_is_declined_as_a_whole_and_stays_booked_as_it_was() -> None:
    stored, marks = booked()
    found = asked(news(SERIES).replace(";COUNT=3", ""), stored=stored, marks=marks)
    assert isinstance(found, Decision)
    (letter,) = found.outgoing
    assert (found.reason, found.change) == (Reason.BOOKING_DECLINED, None)
    assert [line.param("PARTSTAT") for line in letter.object.attendees()] == ["DECLINED"]
    assert letter.object.overrides == {}
    told = letter.summary.booked
    assert told is not None
    assert [one.utc for one in told.accepted] == [at(9, 7), at(9, 14), at(9, 21)]


def test_more_dates_of_what_a_person_has_booked_are_left_to_him() -> None:
    stored, marks = booked(mode="decline-if-busy")
    stored = parse_object(stored.data.replace(b"PARTSTAT=NEEDS-ACTION", b"PARTSTAT=ACCEPTED"))
    longer = news(SERIES).replace("COUNT=3", "COUNT=4")
    found = asked(longer, stored=stored, marks=marks, mode="decline-if-busy")
    assert isinstance(found, Wish)
    decision = answer(found, ())
    assert decision.outgoing == ()
    assert partstats(decision) == ["ACCEPTED", "NEEDS-ACTION"]


def test_more_dates_than_can_be_told_one_by_one_are_declined_together() -> None:
    large = SERIES.replace("WEEKLY;COUNT=3", "DAILY;COUNT=40").replace(
        "SUMMARY:", "DESCRIPTION:" + "x" * 60_000 + "\nSUMMARY:"
    )
    found = asked(large)
    assert isinstance(found, Wish)
    every_other = [one.period for one in found.asked[::2]]
    assert answer(found, every_other).reason is Reason.BOOKING_DECLINED
    assert answer(found, every_other[:2]).reason is Reason.BOOKED_PARTLY


def test_one_meeting_brings_so_many_answers_a_day_and_is_decided_on_all_the_same() -> None:
    sent = MarkKey(recurrence_id="", party="booking")
    found = asked(marks={sent: Mark(sequence=LETTERS, dtstamp=NOW - timedelta(hours=1))})
    assert isinstance(found, Wish)
    decision = answer(found, ())
    assert (decision.reason, decision.outgoing) == (Reason.BOOKED, ())
    assert [note.facts for note in decision.notes] == [{"why": "rate-limited"}]
    later = asked(marks={sent: Mark(sequence=LETTERS, dtstamp=NOW - timedelta(days=1))})
    assert isinstance(later, Wish)
    assert len(answer(later, ()).outgoing) == 1
