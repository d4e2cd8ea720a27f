"""A REFRESH is answered out of the stored meeting; `scripts/refresh_*.txt` tell the whole story."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.itip import tables
from gateway.itip.model import Method

MEETING = """BEGIN:VEVENT
UID:m1@example.com
DTSTAMP:20291201T000000Z
SEQUENCE:1
ORGANIZER:mailto:a@example.com
ATTENDEE{agent};PARTSTAT=ACCEPTED:mailto:b@example.com
DTSTART:20300107T090000Z
DTEND:20300107T100000Z
SUMMARY:Lunch
END:VEVENT
"""
QUESTION = """BEGIN:VEVENT
UID:m1@example.com
DTSTAMP:20300101T000000Z
ORGANIZER:mailto:a@example.com
ATTENDEE:mailto:b@example.com
END:VEVENT
"""


def asked(stage: Any, agent: str = "") -> Any:
    desk = stage.desk("a@example.com")
    desk.stored = stage.object(MEETING.format(agent=agent))
    return desk.meet(stage.message("REFRESH", QUESTION, "b@example.com"))


def test_the_answer_is_an_automatic_request_that_keeps_to_the_table(stage: Any) -> None:
    (letter,) = asked(stage).outgoing
    assert (letter.method, letter.automatic) == (Method.REQUEST, True)
    assert tables.violations(letter.object, letter.method) == ()
    assert letter.object.sequence() == 1 and letter.object.dtstamp() == stage.now


def test_the_calendar_does_not_change_by_a_question(stage: Any) -> None:
    assert asked(stage).change is None


def test_who_is_served_by_somebody_else_is_not_answered_by_us(stage: Any) -> None:
    decision = asked(stage, ";SCHEDULE-AGENT=CLIENT")
    assert (decision.outgoing, str(decision.reason)) == ((), "schedule-agent")


@pytest.mark.parametrize(("line", "answered"), [("b", True), ("b c", True), ("", True), ("c", False)])
def test_who_repeats_the_list_of_guests_asks_for_himself_if_he_is_on_it(
    stage: Any, line: str, answered: bool
) -> None:
    """RFC 5546 4.7.1."""
    desk = stage.desk("a@example.com")
    desk.stored = stage.object(MEETING.format(agent=""))
    named = "\n".join(f"ATTENDEE:mailto:{one}@example.com" for one in line.split())
    question = QUESTION.replace("ATTENDEE:mailto:b@example.com", named)
    assert bool(desk.meet(stage.message("REFRESH", question, "b@example.com")).outgoing) is answered
