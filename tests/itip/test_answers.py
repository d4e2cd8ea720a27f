"""REPLY at the organizer; the common cases are scripts."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.itip.answers import COMMENT
from gateway.itip.model import Mark, MarkKey, Outcome, Reason

ALICE, BOB, CAROL = "alice@example.com", "bob@example.net", "carol@example.net"
SERIES = """BEGIN:VEVENT
UID:u
DTSTAMP:20290101T000000Z
SEQUENCE:3
DTSTART;TZID=Europe/Berlin:20290105T100000
DTEND;TZID=Europe/Berlin:20290105T110000
RRULE:FREQ=WEEKLY;COUNT=5
SUMMARY:A
ORGANIZER:mailto:alice@example.com
ATTENDEE;CN=Bob:mailto:bob@example.net
ATTENDEE:mailto:carol@example.net
END:VEVENT"""
REPLY = """BEGIN:VEVENT
UID:u
DTSTAMP:2029010{stamp}T000000Z
SEQUENCE:3
{more}
ATTENDEE;PARTSTAT={answer}:mailto:{who}
END:VEVENT"""


def reply(stage: Any, who: str, answer: str, *, stamp: int = 2, more: str = "X-A:1") -> Any:
    return stage.message("REPLY", REPLY.format(stamp=stamp, answer=answer, who=who, more=more), who)


@pytest.fixture
def desk(stage: Any) -> Any:
    desk = stage.desk(ALICE)
    desk.stored = stage.object(SERIES)
    return desk


def partstat(desk: Any, who: str, key: str = "") -> str | None:
    found = desk.stored.attendee(who, key)
    return found.param("PARTSTAT") if found is not None else None


@pytest.mark.parametrize(
    "named",
    [
        "RECURRENCE-ID:20290112T090000Z",
        "RECURRENCE-ID;TZID=Europe/Berlin:20290112T100000",
        "RECURRENCE-ID;VALUE=DATE:20290112",
        "RECURRENCE-ID;TZID=Europe/Berlin:20290112T000000",
    ],
)
def test_an_occurrence_is_known_by_its_instant(stage: Any, desk: Any, named: str) -> None:
    decision = desk.meet(reply(stage, BOB, "DECLINED", more=named))
    assert decision.recurrence_id == "20290112T090000Z"
    assert partstat(desk, BOB, "20290112T090000Z") == "DECLINED"
    assert partstat(desk, BOB) is None
    override = desk.stored.overrides["20290112T090000Z"]
    assert override.value("DTSTART") == "20290112T100000"
    assert override.value("DTEND") == "20290112T110000"
    assert override.first("RECURRENCE-ID").param("TZID") == "Europe/Berlin"


@pytest.mark.parametrize("named", ["RECURRENCE-ID:20290113T090000Z", "RECURRENCE-ID:20290209T090000Z"])
def test_a_date_on_which_nothing_happens_is_refused(stage: Any, desk: Any, named: str) -> None:
    decision = desk.meet(reply(stage, BOB, "DECLINED", more=named))
    assert (decision.outcome, decision.reason, decision.marks) == (
        Outcome.REFUSED,
        Reason.NO_SUCH_INSTANCE,
        {},
    )


def test_the_one_date_of_a_meeting_that_does_not_repeat_is_the_meeting(stage: Any, desk: Any) -> None:
    desk.stored = stage.object(SERIES.replace("RRULE:FREQ=WEEKLY;COUNT=5\n", ""))
    desk.meet(reply(stage, BOB, "ACCEPTED", more="RECURRENCE-ID:20290105T090000Z"))
    assert partstat(desk, BOB) == "ACCEPTED"
    assert not desk.stored.overrides


def test_an_answer_to_what_was_reset_is_stale_and_noted(stage: Any, desk: Any) -> None:
    desk.marks[MarkKey(recurrence_id="", party=BOB)] = Mark(reset_sequence=4)
    decision = desk.meet(reply(stage, BOB, "ACCEPTED"))
    assert (decision.outcome, decision.reason) == (Outcome.STALE, Reason.OLDER_SEQUENCE)
    assert decision.notes[0].code == "stale-answer"
    assert decision.change is None


def test_a_reset_outlives_the_answer(stage: Any, desk: Any) -> None:
    desk.marks[MarkKey(recurrence_id="", party=BOB)] = Mark(reset_sequence=3)
    desk.meet(reply(stage, BOB, "ACCEPTED"))
    mark = desk.marks[MarkKey(recurrence_id="", party=BOB)]
    assert (mark.reset_sequence, mark.partstat, mark.sequence) == (3, "ACCEPTED", 3)


def test_an_answer_to_the_series_does_not_reach_an_occurrence_that_moved_since(stage: Any, desk: Any) -> None:
    desk.meet(reply(stage, CAROL, "ACCEPTED", more="RECURRENCE-ID:20290112T090000Z"))
    desk.marks[MarkKey(recurrence_id="20290112T090000Z", party=BOB)] = Mark(reset_sequence=9)
    desk.meet(reply(stage, BOB, "ACCEPTED"))
    assert partstat(desk, BOB) == "ACCEPTED"
    assert partstat(desk, BOB, "20290112T090000Z") is None


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ("COMMENT:On holiday\\, sorry", "On holiday, sorry"),
        ("COMMENT:one\nCOMMENT:two", "one\ntwo"),
        ("COMMENT:" + "x" * 900, "x" * 500),
        ("COMMENT:a\x1b[31mb\u202e", "a[31mb"),
    ],
)
def test_a_comment_stands_on_the_answering_line(stage: Any, desk: Any, more: str, text: str) -> None:
    desk.meet(reply(stage, BOB, "DECLINED", more=more))
    assert desk.stored.attendee(BOB).param(COMMENT) == text
    desk.meet(reply(stage, BOB, "ACCEPTED", stamp=3))
    assert desk.stored.attendee(BOB).param(COMMENT) is None


def test_all_lines_of_a_guest_whom_a_server_has_doubled_take_his_answer(stage: Any, desk: Any) -> None:
    line = desk.stored.attendee(BOB)
    twin = line.with_value(line.value.replace("mailto", "MAILTO"))
    desk.stored = desk.stored.with_component("", desk.stored.master.add(twin))
    desk.meet(reply(stage, BOB, "ACCEPTED"))
    lines = [one for one in desk.stored.master.all("ATTENDEE") if one.address == BOB]
    assert [one.param("PARTSTAT") for one in lines] == ["ACCEPTED", "ACCEPTED"]


def test_google_says_its_comment_in_a_parameter(stage: Any, desk: Any) -> None:
    body = REPLY.format(stamp=2, answer="DECLINED;X-RESPONSE-COMMENT=busy", who=BOB, more="X-A:1")
    desk.meet(stage.message("REPLY", body, BOB))
    assert desk.stored.attendee(BOB).param(COMMENT) == "busy"


def test_no_fact_of_a_note_tells_the_comment(stage: Any, desk: Any) -> None:
    decision = desk.meet(reply(stage, BOB, "DECLINED", more="COMMENT:secret"))
    assert "secret" not in str(decision.notes)


def test_an_answer_without_a_partstat_moves_nothing(stage: Any, desk: Any) -> None:
    body = REPLY.format(stamp=2, answer="X", who=BOB, more="X-A:1").replace("PARTSTAT=X", "CN=Bob")
    decision = desk.meet(stage.message("REPLY", body, BOB))
    assert decision.notes[0].code == "no-partstat"
    assert partstat(desk, BOB) is None


@pytest.mark.parametrize("said", ["IN-PROCESS", "COMPLETED", "X-MAYBE"])
def test_an_answer_that_no_event_knows_moves_nothing(stage: Any, desk: Any, said: str) -> None:
    desk.meet(reply(stage, BOB, "TENTATIVE"))
    decision = desk.meet(reply(stage, BOB, said, stamp=3))
    assert decision.notes[0].code == "no-partstat"
    assert partstat(desk, BOB) == "TENTATIVE"


@pytest.mark.parametrize("status", ["3.7;Invalid Calendar User", "5.1;Service unavailable"])
def test_a_failure_is_reported_and_resets_nothing(stage: Any, desk: Any, status: str) -> None:
    desk.meet(reply(stage, BOB, "ACCEPTED"))
    desk.meet(reply(stage, BOB, "NEEDS-ACTION", stamp=3, more=f"REQUEST-STATUS:{status}"))
    line = desk.stored.attendee(BOB)
    assert (line.param("PARTSTAT"), line.param("SCHEDULE-STATUS")) == ("ACCEPTED", status[:3])


def test_only_the_answering_line_differs(stage: Any, desk: Any) -> None:
    before = desk.stored.data.splitlines()
    desk.meet(reply(stage, BOB, "ACCEPTED", more="SUMMARY:mine\nDTSTART:20300101T000000Z\nSTATUS:CANCELLED"))
    after = desk.stored.data.splitlines()
    changed = [line for line in after if line not in before]
    assert all(b"bob" in line or line.startswith(b" ") for line in changed)
    assert len([line for line in before if line not in after]) == 1


DELEGATION = """BEGIN:VEVENT
UID:u
DTSTAMP:20290102T000000Z
SEQUENCE:3
ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO="mailto:{to}":mailto:bob@example.net
END:VEVENT"""


def test_a_delegator_hands_his_place_on(stage: Any, desk: Any) -> None:
    desk.meet(stage.message("REPLY", DELEGATION.format(to="dan@example.org"), BOB))
    dan = desk.stored.attendee("dan@example.org")
    assert (dan.param("DELEGATED-FROM"), dan.param("PARTSTAT")) == ("mailto:bob@example.net", "NEEDS-ACTION")
    assert desk.stored.attendee(BOB).param("DELEGATED-TO") == "mailto:dan@example.org"


def test_a_delegation_does_not_run_in_a_circle(stage: Any, desk: Any) -> None:
    desk.meet(stage.message("REPLY", DELEGATION.format(to=CAROL), BOB))
    assert desk.stored.attendee(CAROL).param("DELEGATED-FROM") == "mailto:bob@example.net"
    back = DELEGATION.format(to=BOB).replace(":mailto:bob@example.net", f":mailto:{CAROL}")
    desk.meet(stage.message("REPLY", back, CAROL))
    assert desk.stored.attendee(BOB).param("DELEGATED-FROM") is None
    desk.meet(stage.message("REPLY", DELEGATION.format(to=BOB).replace("0102T", "0104T"), BOB))
    assert len(desk.stored.attendees()) == 2


def test_an_answer_under_a_principals_address_finds_its_line(stage: Any, desk: Any) -> None:
    desk.stored = stage.object(
        SERIES.replace("ATTENDEE;CN=Bob:mailto:bob@example.net", "ATTENDEE;EMAIL=bob@example.net:urn:uuid:1")
    )
    desk.meet(reply(stage, BOB, "ACCEPTED"))
    assert desk.stored.attendee("urn:uuid:1").param("PARTSTAT") == "ACCEPTED"
