"""What a person's approval of somebody else's mail opens for the next one, and what it never does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.itip.model import Certainty, Outcome, Reason
from gateway.itip.order import dump, load

ALICE, BOB, CAROL = "alice@example.com", "bob@example.net", "carol@example.net"
ROBOT, MALLORY = "noreply@calendar.example", "mallory@evil.example"


def event(day: int = 1, *, uid: str = "u", organizer: str = ALICE) -> str:
    return (
        f"BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:202901{day:02}T000000Z\nSEQUENCE:{day}\nDTSTART:20290205T100000Z\n"
        f"SUMMARY:version {day}\nORGANIZER:mailto:{organizer}\nATTENDEE:mailto:{BOB}\nEND:VEVENT"
    )


def title(desk: Any) -> str | None:
    return None if desk.stored is None else desk.stored.master.value("SUMMARY")


@pytest.fixture
def approved(stage: Any) -> Any:
    """Bob's desk, after he has let in an invitation of Alice's that a robot sent."""
    desk = stage.desk(BOB)
    first = stage.message("REQUEST", event(), ROBOT)
    held = desk.meet(first)
    assert (held.outcome, held.reason) == (Outcome.HELD, Reason.SENDER_NOT_ORGANIZER)
    assert desk.meet(first, approved=True).outcome is Outcome.APPLIED
    return desk


@pytest.mark.parametrize("method", ["REQUEST", "CANCEL"])
def test_the_next_word_of_an_approved_sender_does_not_wait(stage: Any, approved: Any, method: str) -> None:
    assert approved.meet(stage.message(method, event(2), ROBOT)).outcome is Outcome.APPLIED


def test_he_is_still_known_when_the_meeting_is_gone(stage: Any, approved: Any) -> None:
    approved.stored = None
    assert approved.meet(stage.message("REQUEST", event(2), ROBOT)).outcome is Outcome.APPLIED


def test_an_approval_helps_nobody_else(stage: Any, approved: Any) -> None:
    for sender in (MALLORY, CAROL, "noreply@calendar.example.evil.example"):
        decision = approved.meet(stage.message("REQUEST", event(2), sender))
        assert (decision.outcome, decision.reason) == (Outcome.REFUSED, Reason.SENDER_NOT_ORGANIZER)
    assert title(approved) == "version 1"


def test_an_approval_for_one_meeting_helps_in_no_other(stage: Any, approved: Any) -> None:
    other = stage.desk(BOB)  # another UID has a ledger of its own
    other.meet(stage.message("REQUEST", event(uid="v"), ALICE))
    assert other.meet(stage.message("REQUEST", event(2, uid="v"), ROBOT)).outcome is Outcome.REFUSED
    assert title(other) == "version 1"


def test_an_approval_is_bound_to_the_organizer_for_whom_it_was_given(stage: Any, approved: Any) -> None:
    takes_over = approved.meet(stage.message("REQUEST", event(2, organizer=CAROL), ROBOT))
    assert takes_over.outcome is not Outcome.APPLIED
    assert title(approved) == "version 1"
    handed_over = stage.message("REQUEST", event(2, organizer=CAROL), CAROL)
    assert approved.meet(handed_over, approved=True).outcome is Outcome.APPLIED
    after = approved.meet(stage.message("REQUEST", event(3, organizer=CAROL), ROBOT))
    assert (after.outcome, after.reason) == (Outcome.REFUSED, Reason.SENDER_NOT_ORGANIZER)


@pytest.mark.parametrize(
    ("certainty", "outcome"),
    [(Certainty.CONTRADICTED, Outcome.REFUSED), (Certainty.UNKNOWN, Outcome.HELD)],
)
@pytest.mark.parametrize("on_unknown", ["hold", "store"])
def test_an_approved_sender_must_still_be_who_he_says(
    stage: Any, approved: Any, certainty: Certainty, outcome: Outcome, on_unknown: str
) -> None:
    approved.policy = replace(approved.policy, on_unknown=on_unknown)
    decision = approved.meet(stage.message("REQUEST", event(2), ROBOT), certainty=certainty)
    assert decision.outcome is outcome
    assert title(approved) == "version 1"


def test_a_contradicted_mail_is_never_approved(stage: Any) -> None:
    desk = stage.desk(BOB)
    forged = stage.message("REQUEST", event(), ROBOT)
    assert desk.meet(forged, approved=True, certainty=Certainty.CONTRADICTED).outcome is Outcome.REFUSED
    assert desk.meet(stage.message("REQUEST", event(2), ROBOT)).outcome is Outcome.HELD


def test_what_was_approved_for_another_reason_makes_nobody_a_deputy(stage: Any) -> None:
    desk = stage.desk(BOB)
    unproven = stage.message("REQUEST", event(), ALICE)
    assert desk.meet(unproven, approved=True, certainty=Certainty.UNKNOWN).outcome is Outcome.APPLIED
    assert not any(key.party.startswith("deputy:") for key in desk.marks)


def test_a_guest_who_passes_an_invitation_on_speaks_for_nobody_afterwards(stage: Any) -> None:
    desk = stage.desk(BOB)
    by_carol = f"ATTENDEE:mailto:{CAROL}\nATTENDEE:mailto:{BOB}"
    passed_on = stage.message("REQUEST", event().replace(f"ATTENDEE:mailto:{BOB}", by_carol), CAROL)
    assert desk.meet(passed_on, approved=True).outcome is Outcome.APPLIED
    after = desk.meet(stage.message("REQUEST", event(2), CAROL))
    assert (after.outcome, after.reason) == (Outcome.REFUSED, Reason.SENDER_NOT_ORGANIZER)
    assert title(desk) == "version 1"


def test_the_ledger_keeps_whom_it_is_about(approved: Any) -> None:
    (mark,) = [mark for key, mark in approved.marks.items() if key.party == f"deputy:{ROBOT}"]
    assert load(dump(mark)) == mark
    assert mark.organizer == ALICE
