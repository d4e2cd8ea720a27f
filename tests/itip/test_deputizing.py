"""Our guest who sends somebody else writes to two people, and a delegate's answer goes to two."""

from __future__ import annotations

from typing import Any

import pytest

MEETING = """BEGIN:VEVENT
UID:d2@example.com
DTSTAMP:20291201T000000Z
SEQUENCE:2
ORGANIZER;CN=A:mailto:a@example.com
{line}
DTSTART:20300107T090000Z
DTEND:20300107T100000Z
RRULE:FREQ=WEEKLY;COUNT=5
SUMMARY:Weekly{mine}
END:VEVENT
"""
ASKED = "ATTENDEE;RSVP=TRUE:mailto:c@example.com"


def to(*delegates: str) -> str:
    named = ",".join(f'"mailto:{one}"' for one in delegates)
    return f"ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO={named}:mailto:c@example.com"


@pytest.fixture
def desk(stage: Any) -> Any:
    made = stage.desk("c@example.com")
    made.meet(stage.message("REQUEST", MEETING.format(line=ASKED, mine=""), "a@example.com"))
    return made


def save(stage: Any, desk: Any, line: str, mine: str = "") -> list[tuple[str, str]]:
    decision = desk.save(stage.object(MEETING.format(line=line, mine=mine)), stage.now)
    desk.letters = decision.outgoing
    return [(str(one.method), str(one.recipient)) for one in decision.outgoing]


def test_the_delegate_gets_what_the_organizer_said_and_none_of_our_users_notes(stage: Any, desk: Any) -> None:
    assert save(stage, desk, to("e@example.net"), "\nDESCRIPTION:mine alone") == [
        ("REPLY", "a@example.com"),
        ("REQUEST", "e@example.net"),
    ]
    text = desk.letters[1].object.data
    assert b"mine alone" not in text and b"RRULE:FREQ=WEEKLY;COUNT=5" in text
    assert (desk.letters[1].sender, desk.letters[1].automatic) == ("c@example.com", False)


def test_organizer_and_delegate_read_who_comes_for_whom(stage: Any, desk: Any) -> None:
    save(stage, desk, to("e@example.net"))
    answer, invitation = (one.summary for one in desk.letters)
    assert (answer.kind, answer.attendee.sends) == ("reply", "e@example.net")
    assert invitation.kind == "delegation"
    own = next(one for one in invitation.now.guests if one.address == "e@example.net")
    assert own.stands_for == "c@example.com"


def test_another_delegate_is_another_answer(stage: Any, desk: Any) -> None:
    save(stage, desk, to("e@example.net"))
    assert save(stage, desk, to("e@example.net")) == []
    assert save(stage, desk, to("f@example.net")) == [
        ("REPLY", "a@example.com"),
        ("REQUEST", "f@example.net"),
    ]


def test_of_several_delegates_the_first_is_asked(stage: Any, desk: Any) -> None:
    assert save(stage, desk, to("e@example.net", "f@example.net"))[1:] == [("REQUEST", "e@example.net")]
    assert b"f@example.net" not in b"".join(one.object.data for one in desk.letters)


@pytest.mark.parametrize("whom", ["a@example.com", "c@example.com"])
def test_nobody_sends_the_organizer_or_himself(stage: Any, desk: Any, whom: str) -> None:
    assert save(stage, desk, to(whom)) == []


def test_a_delegation_without_a_delegate_is_an_answer_alone(stage: Any, desk: Any) -> None:
    assert save(stage, desk, "ATTENDEE;PARTSTAT=DELEGATED:mailto:c@example.com") == [
        ("REPLY", "a@example.com")
    ]


def test_what_a_delegator_passes_on_does_not_outrank_the_organizer(stage: Any) -> None:
    desk = stage.desk("e@example.com")
    passed = MEETING.format(
        line='ATTENDEE;RSVP=TRUE;DELEGATED-FROM="mailto:c@example.com":mailto:e@example.com', mine=""
    ).replace("SEQUENCE:2", "SEQUENCE:99")
    desk.meet(stage.message("REQUEST", passed, "c@example.com"))
    assert desk.marks == {}
    said = passed.replace("SEQUENCE:99", "SEQUENCE:3").replace("SUMMARY:Weekly", "SUMMARY:Monthly")
    assert str(desk.meet(stage.message("REQUEST", said, "a@example.com")).outcome) == "applied"
    assert desk.stored.master.value("SUMMARY") == "Monthly"
