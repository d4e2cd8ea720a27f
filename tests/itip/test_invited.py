"""The REPLY and COUNTER that a page's answer makes: strict, about what the guest was asked, and decided like any other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, parse_object, partstat
from gateway.itip import invited
from gateway.itip.decide import decide
from gateway.itip.model import Certainty, Context, Mark, MarkKey, Message, Method, Outcome, Store, Verdict
from gateway.itip.order import ORGANIZER
from gateway.itip.tables import violations

ALICE, BOB, EVE = Address("alice@example.org"), Address("bob@example.net"), Address("eve@example.net")
NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)
CONTEXT = Context(
    owner=frozenset({ALICE}),
    now=NOW,
    arrived=NOW,
    verdict=Verdict(sender=BOB, certainty=Certainty.PROVEN, reasons=("answer-token",)),
)


def meeting(*lines: str, more: str = "") -> CalendarObject:
    text = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//t//EN",
        "BEGIN:VEVENT",
        "UID:m1",
        "DTSTAMP:20261101T080000Z",
        "SEQUENCE:2",
        "SUMMARY:Lunch",
        "ORGANIZER;CN=Alice:mailto:alice@example.org",
        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.org",
        "ATTENDEE;CN=Bob;RSVP=TRUE;PARTSTAT=NEEDS-ACTION;SCHEDULE-STATUS=1.1:mailto:bob@example.net",
        *(lines or ("DTSTART:20261110T100000Z", "DTEND:20261110T110000Z")),
        "END:VEVENT",
        *more.split(),
        "END:VCALENDAR",
        "",
    ]
    return parse_object("\r\n".join(text).encode())


WEEKLY = ("DTSTART;TZID=Europe/Berlin:20261109T100000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=5")


@pytest.mark.parametrize("answer", ["ACCEPTED", "TENTATIVE", "DECLINED"])
@pytest.mark.parametrize(
    ("stored", "key"),
    [
        (meeting(), ""),
        (meeting("DTSTART;VALUE=DATE:20261110"), ""),
        (meeting("DTSTART:20261110T100000", "DURATION:PT1H"), ""),
        (meeting(*WEEKLY), ""),
        (meeting(*WEEKLY), "20261116T090000Z"),
        (meeting(*WEEKLY), "20261116T090000Z+"),
    ],
)
def test_an_answer_is_a_lawful_reply_that_is_applied(stored: CalendarObject, key: str, answer: str) -> None:
    key = key.replace("+", invited.key_of("following", "x")[1:])
    message = invited.reply(stored, BOB, key, answer=answer, comment="cake; tea\nlater", context=CONTEXT)
    assert message is not None
    assert violations(message, Method.REPLY) == ()
    assert [one.address for one in message.attendees()] == [BOB]
    assert b"SCHEDULE-STATUS" not in message.data and b"COMMENT:cake\\; tea\\nlater" in message.data
    assert b"SEQUENCE:2" in message.data
    decision = decide(stored, Message(method=Method.REPLY, object=message, sender=BOB), CONTEXT)
    assert decision.outcome is Outcome.APPLIED and isinstance(decision.change, Store)
    assert f"PARTSTAT={answer}".encode() in decision.change.object.data.replace(b"\r\n ", b"")


def test_what_was_answered_in_his_name_is_taken_back_wherever_it_was() -> None:
    stored = meeting(*WEEKLY)
    for key, answer in (("", "ACCEPTED"), ("20261116T090000Z", "DECLINED")):
        message = invited.reply(stored, BOB, key, answer=answer, comment="cake", context=CONTEXT)
        assert message is not None
        decision = decide(stored, Message(method=Method.REPLY, object=message, sender=BOB), CONTEXT)
        assert isinstance(decision.change, Store)
        stored = decision.change.object
    later = replace(CONTEXT, now=NOW + timedelta(minutes=1))
    message = invited.withdrawal(stored, BOB, context=later)
    assert message is not None and violations(message, Method.REPLY) == ()
    assert set(message.overrides) == {"20261116T090000Z"} and b"COMMENT" not in message.data
    decision = decide(stored, Message(method=Method.REPLY, object=message, sender=BOB), later)
    assert isinstance(decision.change, Store)
    lines = [
        line
        for one in decision.change.object.components
        for line in one.all("ATTENDEE")
        if line.address == BOB
    ]
    assert [partstat(one) for one in lines] == ["NEEDS-ACTION", "NEEDS-ACTION"]
    assert invited.withdrawal(stored, EVE, context=later) is None


def test_the_reply_names_the_sequence_that_guests_were_told() -> None:
    marks = {MarkKey(recurrence_id="", party=ORGANIZER): Mark(sequence=7)}
    context = replace(CONTEXT, marks=marks)
    message = invited.reply(meeting(), BOB, "", answer="ACCEPTED", comment="", context=context)
    assert message is not None and message.sequence() == 7


def test_who_is_not_invited_answers_nothing() -> None:
    assert invited.standing(meeting(), EVE, NOW).line is None
    assert invited.reply(meeting(), EVE, "", answer="ACCEPTED", comment="", context=CONTEXT) is None
    assert (
        invited.reply(
            meeting(*WEEKLY), BOB, "20261117T090000Z", answer="ACCEPTED", comment="", context=CONTEXT
        )
        is None
    )


def test_a_proposal_is_told_on_the_organizers_clock() -> None:
    stored = meeting(*WEEKLY)
    times = (datetime(2026, 11, 16, 9), datetime(2026, 11, 16, 9, 45))  # noqa: DTZ001 - on the clock of the zone
    message = invited.counter(
        stored,
        BOB,
        "20261116T090000Z",
        times_=times,
        zone=ZoneInfo("America/New_York"),
        comment="",
        context=CONTEXT,
    )
    assert message is not None and b"RRULE:FREQ=WEEKLY" not in message.data
    assert b"DTSTART;TZID=Europe/Berlin:20261116T150000" in message.data
    assert b"DTEND;TZID=Europe/Berlin:20261116T154500" in message.data
    decision = decide(stored, Message(method=Method.COUNTER, object=message, sender=BOB), CONTEXT)
    assert decision.outcome is Outcome.APPLIED and len(decision.proposals) == 1


def test_only_the_dates_of_the_guest_are_offered() -> None:
    more = """BEGIN:VEVENT
UID:m1
RECURRENCE-ID;TZID=Europe/Berlin:20261116T100000
DTSTAMP:20261101T080000Z
DTSTART;TZID=Europe/Berlin:20261116T120000
DURATION:PT1H
ORGANIZER:mailto:alice@example.org
ATTENDEE:mailto:carol@example.net
END:VEVENT
BEGIN:VEVENT
UID:m1
RECURRENCE-ID;TZID=Europe/Berlin:20261123T100000
DTSTAMP:20261101T080000Z
DTSTART;TZID=Europe/Berlin:20261123T100000
STATUS:CANCELLED
ORGANIZER:mailto:alice@example.org
ATTENDEE:mailto:bob@example.net
END:VEVENT"""
    standing = invited.standing(meeting(*WEEKLY, more=more), BOB, datetime(2026, 11, 10, tzinfo=UTC))
    assert standing.whole and standing.repeats and not standing.cancelled
    assert [one.key for one in standing.dates] == ["20261130T090000Z", "20261207T090000Z"]


def test_a_meeting_is_cancelled_when_all_of_it_is() -> None:
    assert invited.standing(meeting("DTSTART:20261110T100000Z", "STATUS:CANCELLED"), BOB, NOW).cancelled
    endless = invited.standing(meeting("DTSTART:20261110T100000Z", "RRULE:FREQ=DAILY"), BOB, NOW)
    assert endless.last is None and len(endless.dates) == invited.DATES


@pytest.mark.parametrize("key", ["", "20261116T090000Z"])
def test_a_place_is_handed_on_with_both_lines(key: str) -> None:
    stored = meeting(*WEEKLY)
    message = invited.delegation(stored, BOB, key, to=EVE, name="Eve", comment="away", context=CONTEXT)
    assert message is not None
    (component,) = message.components
    own, other = component.all("ATTENDEE")
    assert (own.param("PARTSTAT"), own.param("DELEGATED-TO")) == ("DELEGATED", "mailto:eve@example.net")
    assert (other.value, other.param("CN"), other.param("DELEGATED-FROM")) == (
        "mailto:eve@example.net",
        "Eve",
        "mailto:bob@example.net",
    )
    assert violations(message, Method.REPLY) == ()


@pytest.mark.parametrize("to", [ALICE, BOB, Address("urn:uuid:1"), Address("nobody"), Address("")])
def test_a_place_is_handed_to_nobody_who_cannot_take_it(to: Address) -> None:
    assert invited.delegation(meeting(), BOB, "", to=to, name="", comment="", context=CONTEXT) is None
    assert invited.delegation(meeting(), EVE, "", to=BOB, name="", comment="", context=CONTEXT) is None
