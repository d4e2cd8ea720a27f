"""What the owner's program orders to be sent once more is sent once more, to him alone, and the order is gone then."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, parse_object
from gateway.itip import forced
from gateway.itip.changes import changes
from gateway.itip.model import Context, Decision, Method, Outcome, Store
from gateway.itip.significance import fingerprint

ALICE, BOB = Address("alice@example.org"), Address("bob@example.org")
MEETING = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//t//EN
BEGIN:VEVENT
UID:1
DTSTAMP:20261101T100000Z
SEQUENCE:2
DTSTART:20261123T100000Z
DTEND:20261123T110000Z
SUMMARY:Plan
ORGANIZER:mailto:alice@example.org
ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.org
ATTENDEE;PARTSTAT=ACCEPTED:mailto:carol@example.org
END:VEVENT
END:VCALENDAR
"""
ASKED = MEETING.replace(":mailto:bob", ";SCHEDULE-FORCE-SEND=REQUEST:mailto:bob")
TOLD = MEETING.replace("ORGANIZER:", "ORGANIZER;SCHEDULE-FORCE-SEND=REPLY:")


def meeting(text: str) -> CalendarObject:
    return parse_object(text.encode())


def run(before: str, after: str, who: Address) -> Decision:
    context = Context(owner=frozenset({who}), now=datetime(2026, 11, 2, tzinfo=UTC), base=meeting(MEETING))
    return changes(meeting(before), meeting(after), context)


@pytest.mark.parametrize(
    ("after", "who", "method", "to"),
    [(ASKED, ALICE, Method.REQUEST, BOB), (TOLD, BOB, Method.REPLY, ALICE)],
    ids=["a guest", "the organizer"],
)
def test_an_order_sends_one_letter_and_goes_with_it(
    after: str, who: Address, method: Method, to: Address
) -> None:
    decision = run(MEETING, after, who)
    (letter,) = decision.outgoing
    assert (letter.method, letter.recipient, letter.object.sequence()) == (method, to, 2)
    assert isinstance(decision.change, Store)
    assert decision.change.object == meeting(MEETING)
    assert b"FORCE" not in letter.object.data


@pytest.mark.parametrize(
    ("before", "after", "who"),
    [
        (ASKED, ASKED, ALICE),
        (TOLD, TOLD, BOB),
        (MEETING, ASKED, BOB),
        (MEETING, TOLD, ALICE),
        (MEETING, ASKED.replace("SCHEDULE-FORCE", "SCHEDULE-AGENT=CLIENT;SCHEDULE-FORCE"), ALICE),
        (MEETING, ASKED.replace("=REQUEST", "=X-ODD"), ALICE),
        (MEETING.replace("PARTSTAT=ACCEPTED:mailto:bob", "CN=B:mailto:bob"),
         TOLD.replace("PARTSTAT=ACCEPTED:mailto:bob", "CN=B:mailto:bob"), BOB),
    ],
    ids=["already there", "already there, a reply", "not his guests", "not his organizer", "served by the program",
         "unknown", "nothing answered yet"],
)  # fmt: skip
def test_an_order_that_is_old_or_not_his_to_give_sends_nothing(before: str, after: str, who: Address) -> None:
    decision = run(before, after, who)
    assert (decision.outcome, decision.outgoing) == (Outcome.IGNORED, ())


def test_an_order_beside_news_makes_no_second_letter() -> None:
    moved = ASKED.replace("T100000Z\nDTEND", "T103000Z\nDTEND")
    decision = run(MEETING, moved, ALICE)
    assert sorted(one.recipient for one in decision.outgoing) == ["bob@example.org", "carol@example.org"]
    assert isinstance(decision.change, Store)
    assert b"FORCE" not in decision.change.object.data


def test_an_order_is_no_echo_of_what_was_there() -> None:
    assert len({fingerprint(meeting(text)) for text in (MEETING, ASKED, TOLD)}) == 3
    assert forced.done(meeting(MEETING)).tree == meeting(MEETING).tree
