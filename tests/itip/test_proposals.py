"""The organizer's word on a proposal; tests/flows/test_proposals.py tells what comes of it outside."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, partstat
from gateway.itip import tables
from gateway.itip.model import Context, Mark, MarkKey, Method, Policy, Proposal, Store
from gateway.itip.order import ORGANIZER
from gateway.itip.proposals import accept, decline

ALICE, BOB = Address("a@example.com"), Address("b@example.com")
MEETING = """BEGIN:VEVENT
UID:m1@example.com
DTSTAMP:20291201T000000Z
SEQUENCE:1
ORGANIZER:mailto:a@example.com
ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:b@example.com
ATTENDEE;PARTSTAT=ACCEPTED:mailto:c@example.com
DTSTART:20300107T090000Z
DTEND:20300107T100000Z
SUMMARY:Lunch
{more}END:VEVENT
"""
WANTED = """BEGIN:VEVENT
UID:m1@example.com
DTSTAMP:20291231T000000Z
{lines}END:VEVENT
"""
LATER = "DTSTART:20300107T140000Z\n"


def asked(stage: Any, lines: str = LATER, **facts: Any) -> Proposal:
    return Proposal(
        **{"object": stage.object(WANTED.format(lines=lines)), "sender": BOB, "sequence": 1, **facts}
    )


def stored(stage: Any, more: str = "") -> CalendarObject:
    found: CalendarObject = stage.object(MEETING.format(more=more))
    return found


def context(stage: Any, **facts: Any) -> Context:
    return Context(**{"owner": frozenset({ALICE}), "now": stage.now, **facts})


def answer_of(of: CalendarObject, who: str) -> str:
    return next(partstat(line) for line in of.attendees() if line.address == who)


def test_who_proposed_has_said_yes_and_everybody_else_is_asked_anew(stage: Any) -> None:
    decision = accept(stored(stage), asked(stage), context(stage))
    assert isinstance(decision.change, Store)
    new = decision.change.object
    assert [answer_of(new, who) for who in (BOB, "c@example.com")] == ["ACCEPTED", "NEEDS-ACTION"]
    assert new.sequence() == 2 and str(decision.reason) == "proposal-accepted"
    assert decision.marks[MarkKey(recurrence_id="", party=BOB)].partstat == "ACCEPTED"
    for letter in decision.outgoing:
        assert letter.method is Method.REQUEST and tables.violations(letter.object, letter.method) == ()
    assert len(decision.outgoing) == 2


def test_another_place_raises_the_version_though_nobody_must_answer_again(stage: Any) -> None:
    decision = accept(stored(stage), asked(stage, "LOCATION:Room 2\n"), context(stage))
    assert isinstance(decision.change, Store)
    assert decision.change.object.sequence() == 2
    assert answer_of(decision.change.object, "c@example.com") == "ACCEPTED"


@pytest.mark.parametrize("sequence", [0, 1, None])
def test_a_proposal_speaks_of_one_version(stage: Any, sequence: int | None) -> None:
    decision = accept(stored(stage), asked(stage, sequence=sequence), context(stage))
    assert str(decision.outcome) == ("stale" if sequence == 0 else "applied")


def test_the_ledger_knows_of_a_version_that_the_calendar_does_not(stage: Any) -> None:
    marks = {MarkKey(recurrence_id="", party=ORGANIZER): Mark(sequence=4)}
    decision = accept(stored(stage), asked(stage), context(stage, marks=marks))
    assert (str(decision.outcome), str(decision.reason), decision.change) == ("stale", "older-sequence", None)


def test_what_is_gone_or_off_or_over_is_too_late(stage: Any) -> None:
    assert str(accept(None, asked(stage), context(stage)).outcome) == "stale"
    gone = asked(stage, recurrence_id="20300108T090000Z")
    assert str(accept(stored(stage, "RRULE:FREQ=WEEKLY\n"), gone, context(stage)).outcome) == "stale"
    past = context(stage, now=stage.now.replace(year=2031), policy=Policy(past_events="skip"))
    assert (
        accept(stored(stage), asked(stage), past).change,
        accept(stored(stage), asked(stage), past).outgoing,
    ) == (
        None,
        (),
    )


def test_a_meeting_that_went_to_another_organizer_is_not_ours_to_move(stage: Any) -> None:
    theirs = context(stage, owner=frozenset({BOB}))
    assert str(accept(stored(stage), asked(stage), theirs).reason) == "not-our-organizer"


def test_a_no_restates_the_time_that_holds_and_the_version_that_was_countered(stage: Any) -> None:
    decision = decline(stored(stage), asked(stage, sequence=0), context(stage))
    (letter,) = decision.outgoing
    assert (letter.method, letter.recipient, letter.automatic) == (Method.DECLINECOUNTER, BOB, False)
    assert tables.violations(letter.object, letter.method) == ()
    assert letter.object.sequence() == 0
    assert letter.object.master is not None and letter.object.master.value("DTSTART") == "20300107T090000Z"
    assert [str(line.address) for line in letter.object.attendees()] == [BOB]
    assert letter.summary.kind == "proposal-declined" and decision.change is None


def test_who_is_invited_no_more_is_not_written_to(stage: Any) -> None:
    stranger = replace(asked(stage), sender=Address("x@example.com"))
    decision = decline(stored(stage), stranger, context(stage))
    assert (decision.outgoing, [note.code for note in decision.notes]) == ((), ["nobody-to-tell"])


def test_one_who_was_struck_off_since_has_no_answer_in_the_ledger(stage: Any) -> None:
    """The organizer may take up the time of one whom he no longer invites."""
    stranger = replace(asked(stage), sender=Address("x@example.com"))
    decision = accept(stored(stage), stranger, context(stage))
    assert str(decision.reason) == "proposal-accepted"
    assert MarkKey(recurrence_id="", party="x@example.com") not in decision.marks
    assert {letter.recipient for letter in decision.outgoing} == {BOB, "c@example.com"}
