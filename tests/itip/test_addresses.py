"""An invitee's other address is asked about once and remembered for that meeting; nobody else profits."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.ical.address import address
from gateway.itip.model import Certainty, Outcome, Reason

ALICE, BOB, HOME = "alice@example.com", "bob@example.net", "bob@home.example"
GROUP = "ATTENDEE;CUTYPE=GROUP:mailto:team@example.net"


def meeting(uid: str = "m", guests: str = "") -> str:
    lines = f"""BEGIN:VEVENT
UID:{uid}
DTSTAMP:20290101T000000Z
DTSTART:20300107T090000Z
DTEND:20300107T100000Z
SUMMARY:Lunch
ORGANIZER:mailto:{ALICE}
ATTENDEE;PARTSTAT=ACCEPTED:mailto:{ALICE}
ATTENDEE;PARTSTAT=NEEDS-ACTION;CN=Bob:mailto:{BOB}
ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:carol@example.net
{guests}
END:VEVENT"""
    return "\n".join(line for line in lines.splitlines() if line)


def answer(who: str = HOME, partstat: str = "ACCEPTED", minute: int = 0, more: str = "") -> str:
    return f"""BEGIN:VEVENT
UID:m
DTSTAMP:20291201T00{minute:02}00Z
DTSTART:20300107T090000Z
ORGANIZER:mailto:{ALICE}
ATTENDEE;PARTSTAT={partstat}{more}:mailto:{who}
END:VEVENT"""


def desk_of(stage: Any, thread: str = BOB, guests: str = "", **policy: Any) -> Any:
    desk = stage.desk(ALICE, **policy)
    desk.stored = stage.object(meeting(guests=guests))
    desk.mail = {"thread": address(thread)} if thread else {}
    return desk


def said_by(desk: Any, who: str) -> str | None:
    for line in desk.stored.master.all("ATTENDEE"):
        if line.address == who:
            return str(line.param("PARTSTAT"))
    return None


@pytest.mark.parametrize("named", [HOME, BOB])
def test_an_answer_in_the_thread_of_our_letter_waits_once_and_is_the_invitees(stage: Any, named: str) -> None:
    desk = desk_of(stage)
    first = stage.message("REPLY", answer(named), HOME)
    held = desk.meet(first)
    assert (held.outcome, held.reason, held.held_kind) == (Outcome.HELD, Reason.OTHER_ADDRESS, "crasher")
    assert said_by(desk, BOB) == "NEEDS-ACTION"
    assert desk.meet(first, approved=True).reason is Reason.ANSWER_RECORDED
    assert (said_by(desk, BOB), said_by(desk, HOME)) == ("ACCEPTED", None)
    desk.mail = {}
    later = stage.message("REPLY", answer(named, "DECLINED", 5), HOME)
    assert desk.meet(later, Certainty.LIKELY).reason is Reason.ANSWER_RECORDED
    assert said_by(desk, BOB) == "DECLINED"
    own = stage.message("REPLY", answer(BOB, "TENTATIVE", 3), BOB)
    assert desk.meet(own).outcome is Outcome.STALE, "the two addresses are one person with one order"


@pytest.mark.parametrize("crasher", ["add", "ignore"])
def test_whatever_is_done_with_crashers_an_invitees_other_address_waits(stage: Any, crasher: str) -> None:
    desk = desk_of(stage, party_crasher=crasher)
    assert desk.meet(stage.message("REPLY", answer(), HOME)).reason is Reason.OTHER_ADDRESS


@pytest.mark.parametrize(
    ("certainty", "outcome"), [("unknown", Outcome.HELD), ("contradicted", Outcome.REFUSED)]
)
@pytest.mark.parametrize("on_unknown", ["hold", "store"])
def test_who_is_not_sure_to_be_the_sender_never_profits_of_an_approval(
    stage: Any, certainty: str, outcome: Outcome, on_unknown: str
) -> None:
    desk = desk_of(stage, on_unknown=on_unknown)
    desk.meet(stage.message("REPLY", answer(), HOME), approved=True)
    forged = stage.message("REPLY", answer(partstat="DECLINED", minute=5), HOME)
    assert desk.meet(forged, Certainty(certainty)).outcome is outcome
    assert said_by(desk, BOB) == "ACCEPTED"


def test_an_approval_of_an_unknown_sender_is_for_this_answer_alone(stage: Any) -> None:
    desk = desk_of(stage)
    desk.meet(stage.message("REPLY", answer(), HOME), Certainty.UNKNOWN, approved=True)
    assert said_by(desk, BOB) == "ACCEPTED"
    again = desk.meet(stage.message("REPLY", answer(partstat="DECLINED", minute=5), HOME))
    assert (again.outcome, again.reason) == (Outcome.HELD, Reason.OTHER_ADDRESS)


@pytest.mark.parametrize("sender", ["mallory@evil.example", "bob@home.example.evil.example"])
def test_an_approval_of_one_sender_helps_no_other(stage: Any, sender: str) -> None:
    desk = desk_of(stage)
    desk.meet(stage.message("REPLY", answer(), HOME), approved=True)
    desk.mail = {}
    forged = stage.message("REPLY", answer(BOB, "DECLINED", 5), sender)
    assert desk.meet(forged).reason is Reason.SENDER_NOT_ATTENDEE
    assert desk.meet(stage.message("REPLY", answer(sender, "DECLINED", 5), sender)).outcome is Outcome.HELD
    assert said_by(desk, BOB) == "ACCEPTED"


def test_a_remembered_address_speaks_for_no_other_guest_and_in_no_other_meeting(stage: Any) -> None:
    desk = desk_of(stage)
    desk.meet(stage.message("REPLY", answer(), HOME), approved=True)
    desk.mail = {}
    for_carol = stage.message("REPLY", answer("carol@example.net", "DECLINED", 5), HOME)
    assert desk.meet(for_carol).reason is Reason.SENDER_NOT_ATTENDEE
    desk.turn_to("another meeting")
    desk.stored = stage.object(meeting())
    assert desk.meet(stage.message("REPLY", answer(), HOME)).reason is Reason.PARTY_CRASHER


@pytest.mark.parametrize(
    ("thread", "more", "reason"),
    [
        ("", "", Reason.PARTY_CRASHER),
        ("nobody@example.net", "", Reason.PARTY_CRASHER),
        (ALICE, "", Reason.PARTY_CRASHER),
        ("team@example.net", "", Reason.PARTY_CRASHER),
        (BOB, f';DELEGATED-FROM="mailto:{BOB}"', Reason.SENDER_NOT_ATTENDEE),
        (BOB, ';MEMBER="mailto:team@example.net"', Reason.ANSWER_RECORDED),
    ],
)
def test_a_thread_makes_no_invitee_of_a_delegate_a_group_or_a_stranger(
    stage: Any, thread: str, more: str, reason: Reason
) -> None:
    desk = desk_of(stage, thread, GROUP)
    decision = desk.meet(stage.message("REPLY", answer(more=more), HOME))
    if more.startswith(";MEMBER"):
        assert decision.outcome is Outcome.APPLIED
    else:
        assert decision.reason is reason
    assert said_by(desk, BOB) == "NEEDS-ACTION"


def test_an_invited_address_answers_for_itself_whatever_the_thread_says(stage: Any) -> None:
    desk = desk_of(stage)
    desk.meet(stage.message("REPLY", answer("carol@example.net"), "carol@example.net"))
    assert (said_by(desk, BOB), said_by(desk, "carol@example.net")) == ("NEEDS-ACTION", "ACCEPTED")
