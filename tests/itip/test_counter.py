"""COUNTER and DECLINECOUNTER at both ends; `scripts/rfc5546_4_2_4_*.txt` and `rfc5546_4_4_9_*.txt` tell the whole story."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.ical.address import Address
from gateway.itip import compose, counter, order, tables
from gateway.itip.model import Certainty, Context, MarkKey, Message, Method

ALICE, BOB, CAROL = (Address(f"{one}@example.com") for one in "abc")
MEETING = """BEGIN:VEVENT
UID:m1@example.com
DTSTAMP:20291201T000000Z
SEQUENCE:1
ORGANIZER;CN=Alice:mailto:a@example.com
ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@example.com
ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:c@example.com
DTSTART:20300107T090000Z
DTEND:20300107T100000Z
SUMMARY:Lunch
{more}END:VEVENT
"""
COUNTER = """BEGIN:VEVENT
UID:m1@example.com
DTSTAMP:{dtstamp}
{sequence}ORGANIZER:mailto:a@example.com
ATTENDEE{partstat}:mailto:{who}
DTSTART:{start}
{more}END:VEVENT
"""


def meeting(stage: Any, more: str = "") -> Any:
    desk = stage.desk(ALICE)
    desk.stored = stage.object(MEETING.format(more=more))
    return desk


def proposal(stage: Any, sender: str = BOB, **facts: str) -> Any:
    lines = {
        "dtstamp": "20291231T000000Z",
        "sequence": "SEQUENCE:1\n",
        "partstat": "",
        "who": sender,
        "start": "20300107T140000Z",
        "more": "",
    } | facts
    return stage.message("COUNTER", COUNTER.format(**lines), sender)


def test_what_is_kept_is_only_what_can_ever_count(stage: Any) -> None:
    more = "DESCRIPTION:" + "d" * 5000 + "\nLOCATION:" + "l" * 5000 + "\nCOMMENT:" + "c" * 5000 + "\n"
    (kept,) = meeting(stage).meet(proposal(stage, more=more)).proposals
    assert len(kept.comment) == 500
    component = kept.object.components[0]
    assert component.first("DESCRIPTION") is None and component.first("ATTENDEE") is None
    assert len(component.text("LOCATION")) == 1000 and len(kept.object.data) < 2000


def test_a_proposal_that_names_no_version_is_about_the_one_that_is_there(stage: Any) -> None:
    (kept,) = meeting(stage).meet(proposal(stage, sequence="")).proposals
    assert kept.sequence == 1


def test_the_organizer_reads_what_is_and_what_would_be_and_why(stage: Any) -> None:
    (kept,) = meeting(stage).meet(proposal(stage, more="COMMENT:After lunch?\n")).proposals
    notice = kept.notice
    assert (notice.sender, notice.recipient) == (BOB, ALICE)
    assert notice.summary.before.start.utc.hour == 9 and notice.summary.now.start.utc.hour == 14
    assert notice.summary.now.comment == "After lunch?" and "start" in notice.summary.changed


def test_a_guest_is_told_of_five_times_a_day_and_his_last_word_still_counts(stage: Any) -> None:
    desk = meeting(stage)
    found = [
        desk.meet(proposal(stage, dtstamp=f"20291231T00{n:02}00Z", start=f"20300107T14{n:02}00Z"))
        for n in range(8)
    ]
    assert [one.proposals[0].notice is not None for one in found] == [True] * 5 + [False] * 3
    assert "not-told" in [note.code for note in found[-1].notes]
    (other,) = desk.meet(proposal(stage, CAROL)).proposals
    assert other.notice is not None


def test_one_message_of_very_many_dates_is_refused(stage: Any) -> None:
    body = "".join(
        COUNTER.format(
            dtstamp="20291231T000000Z",
            sequence="",
            partstat="",
            who=BOB,
            start=f"203001{day:02}T140000Z",
            more=f"RECURRENCE-ID:203001{day:02}T090000Z\n",
        )
        for day in range(7, 29)
    )
    desk = meeting(stage, more="RRULE:FREQ=DAILY\n")
    decision = desk.meet(stage.message("COUNTER", body, BOB))
    assert (str(decision.outcome), str(decision.reason)) == ("refused", "too-many-components")
    assert decision.proposals == () and decision.marks == {}


@pytest.mark.parametrize("certainty", ["unknown", "contradicted"])
def test_nobody_unproven_proposes(stage: Any, certainty: str) -> None:
    decision = meeting(stage).meet(proposal(stage), Certainty(certainty))
    assert (decision.proposals, decision.change, decision.outgoing) == ((), None, ())


def test_another_guests_line_in_a_proposal_moves_nobody(stage: Any) -> None:
    desk = meeting(stage)
    before = desk.stored
    (kept,) = desk.meet(proposal(stage, who=CAROL, partstat=";PARTSTAT=DECLINED")).proposals
    assert kept.sender == BOB and desk.stored is before


DISALLOWED = "X-MICROSOFT-DISALLOW-COUNTER:TRUE\n"


def test_a_meeting_that_takes_no_proposals_declines_once_a_day(stage: Any) -> None:
    desk = meeting(stage, DISALLOWED)
    first = desk.meet(proposal(stage))
    again = desk.meet(proposal(stage, dtstamp="20291231T010000Z", start="20300107T150000Z"))
    higher = desk.meet(
        proposal(stage, dtstamp="20291231T020000Z", start="20300107T160000Z", sequence="SEQUENCE:9\n")
    )
    (letter,) = first.outgoing
    assert (letter.method, letter.recipient, letter.automatic) == (Method.DECLINECOUNTER, BOB, True)
    assert tables.violations(letter.object, letter.method) == ()
    assert again.outgoing == higher.outgoing == () and first.proposals == again.proposals == ()


@pytest.mark.parametrize(
    "mail", [{"auto_submitted": "auto-replied"}, {"is_list": True}, {"null_sender": True}]
)
def test_no_machine_is_declined_to(stage: Any, mail: dict[str, Any]) -> None:
    desk = meeting(stage, DISALLOWED)
    desk.mail = mail
    assert desk.meet(proposal(stage)).outgoing == ()


def test_who_is_only_likely_proposes_and_is_not_declined_to_by_a_machine(stage: Any) -> None:
    assert meeting(stage).meet(proposal(stage), Certainty.LIKELY).proposals != ()
    barred = meeting(stage, DISALLOWED).meet(proposal(stage), Certainty.LIKELY)
    assert (barred.outgoing, str(barred.reason)) == ((), "counter-disallowed")


def test_a_proposal_of_ours_is_closed_by_the_organizers_no_and_by_nobody_elses(stage: Any) -> None:
    """The attendee's side: what he sends is lawful, the ledger has it open, a DECLINECOUNTER closes it once."""
    desk = stage.desk(BOB)
    desk.stored = stage.object(MEETING.format(more=""))
    wanted = stage.object(MEETING.format(more="").replace("T09", "T14").replace("T10", "T15"))
    sent = compose.counter(
        wanted.master,
        wanted.attendees()[0],
        desk.stored,
        stamp=compose.Stamp(now=stage.now, prodid="-//test//EN"),
        comment="After lunch?",
    )
    assert tables.violations(sent, Method.COUNTER) == ()
    at_alice = meeting(stage)
    (kept,) = at_alice.meet(Message(method=Method.COUNTER, object=sent, sender=BOB)).proposals
    assert (kept.start, kept.comment) == ("2030-01-07T14:00:00Z", "After lunch?")
    party = MarkKey(recurrence_id="", party=counter.register(BOB))
    stamp = order.stamp(sent, "", Context(owner=frozenset({BOB}), now=stage.now))
    desk.marks |= counter.opened("", BOB, stamp)
    no = stage.message("DECLINECOUNTER", MEETING.format(more=""), CAROL)
    assert str(desk.meet(no).reason) == "sender-not-organizer"
    no = stage.message("DECLINECOUNTER", MEETING.format(more=""), ALICE)
    assert [str(desk.meet(no).reason) for _ in range(2)] == ["proposal-declined", "duplicate"]
    assert desk.marks[party].partstat == counter.CLOSED
