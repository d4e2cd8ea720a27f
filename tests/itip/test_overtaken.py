"""A cancellation that comes after the invitation which overtook it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.ical.address import Address
from gateway.ical.tree import prop
from gateway.itip.model import Mark, MarkKey, Outcome, Reason
from gateway.itip.order import CANCEL, ORGANIZER
from gateway.itip.roles import line_in

ALICE, BOB = "alice@example.com", "bob@example.net"
BOBS = frozenset({Address(BOB)})
DATE = "20300211T100000Z"


def event(minute: int, sequence: int, *lines: str) -> str:
    head = (f"DTSTAMP:20300101T00{minute:02}00Z", f"SEQUENCE:{sequence}", f"ORGANIZER:mailto:{ALICE}")
    return "\n".join(("BEGIN:VEVENT", "UID:u", *head, *lines, f"ATTENDEE:mailto:{BOB}", "END:VEVENT"))


SERIES = ("DTSTART:20300204T100000Z", "RRULE:FREQ=WEEKLY;COUNT=4", "SUMMARY:Plan")


def asked_again(stage: Any) -> Any:
    """Bob has said yes to the first version and holds the second; a CANCEL between them is under way."""
    desk = stage.desk(BOB)
    desk.meet(stage.message("REQUEST", event(1, 0, *SERIES), ALICE), now=stage.after(2))
    answer(desk, stage, "ACCEPTED", 3)
    desk.meet(stage.message("REQUEST", event(6, 2, *SERIES), ALICE), now=stage.after(7))
    return desk


def answer(desk: Any, stage: Any, said: str, minute: int) -> None:
    line = line_in(desk.stored.master, BOBS)
    new = desk.stored.master.replace(line, line.with_params(PARTSTAT=said))
    desk.save(desk.stored.with_component("", new), stage.after(minute))


def said(desk: Any, key: str = "") -> str | None:
    line = line_in(desk.stored.component(key), BOBS)
    return line.param("PARTSTAT") if line is not None else None


def late(stage: Any, sequence: int = 1, *lines: str) -> Any:
    return stage.message("CANCEL", event(5, sequence, *lines), ALICE)


def test_an_answer_from_before_is_void(stage: Any) -> None:
    desk = asked_again(stage)
    assert said(desk) == "ACCEPTED"
    decision = desk.meet(late(stage), now=stage.after(10))
    assert (decision.outcome, decision.reason) == (Outcome.APPLIED, Reason.ASKED_ANEW)
    assert said(desk) == "NEEDS-ACTION"
    assert desk.stored.master.value("STATUS") is None


def test_an_answer_given_since_stays(stage: Any) -> None:
    desk = asked_again(stage)
    answer(desk, stage, "DECLINED", 8)
    decision = desk.meet(late(stage), now=stage.after(10))
    assert (decision.outcome, decision.change) == (Outcome.STALE, None)
    assert said(desk) == "DECLINED"


@pytest.mark.parametrize(("minute", "left"), [(4, "NEEDS-ACTION"), (8, "DECLINED")])
def test_where_the_sequence_was_not_raised_the_clock_decides(stage: Any, minute: int, left: str) -> None:
    desk = stage.desk(BOB)
    desk.meet(stage.message("REQUEST", event(1, 0, *SERIES), ALICE), now=stage.after(2))
    if minute < 6:
        answer(desk, stage, "DECLINED", minute)
    desk.meet(stage.message("REQUEST", event(6, 0, *SERIES), ALICE), now=stage.after(7))
    if minute > 6:
        answer(desk, stage, "DECLINED", minute)
    desk.meet(late(stage, 0), now=stage.after(10))
    assert said(desk) == left


def test_what_nobody_has_answered_is_left_as_it_is(stage: Any) -> None:
    desk = stage.desk(BOB)
    desk.meet(stage.message("REQUEST", event(6, 2, *SERIES), ALICE), now=stage.after(7))
    decision = desk.meet(late(stage), now=stage.after(10))
    assert (decision.outcome, decision.change) == (Outcome.STALE, None)
    assert decision.marks[MarkKey(recurrence_id="", party=CANCEL)].sequence == 1


def test_an_older_one_after_that_says_nothing(stage: Any) -> None:
    desk = asked_again(stage)
    desk.meet(late(stage), now=stage.after(10))
    answer(desk, stage, "ACCEPTED", 11)
    decision = desk.meet(stage.message("CANCEL", event(4, 0), ALICE), now=stage.after(12))
    assert (decision.outcome, decision.marks) == (Outcome.STALE, {})
    assert said(desk) == "ACCEPTED"


def test_one_date_that_was_off_is_asked_anew_alone(stage: Any) -> None:
    desk = stage.desk(BOB)
    alone = (f"RECURRENCE-ID:{DATE}", f"DTSTART:{DATE}", "SUMMARY:Plan")
    desk.meet(stage.message("REQUEST", event(1, 0, *SERIES), ALICE), now=stage.after(2))
    answer(desk, stage, "ACCEPTED", 3)
    desk.meet(stage.message("REQUEST", event(6, 2, *alone), ALICE), now=stage.after(7))
    assert said(desk, DATE) == "ACCEPTED"
    desk.meet(late(stage, 1, f"RECURRENCE-ID:{DATE}"), now=stage.after(10))
    assert (said(desk), said(desk, DATE)) == ("ACCEPTED", "NEEDS-ACTION")


def test_a_date_that_was_taken_out_before_is_back(stage: Any) -> None:
    desk = asked_again(stage)
    stored = desk.stored.with_component("", desk.stored.master.add(prop("EXDATE", DATE)))
    desk.stored = stored
    desk.meet(late(stage), now=stage.after(10))
    assert desk.stored.master.value("EXDATE") is None


def test_a_date_that_was_taken_out_since_stays_out(stage: Any) -> None:
    desk = asked_again(stage)
    desk.save(desk.stored.with_component("", desk.stored.master.add(prop("EXDATE", DATE))), stage.after(8))
    desk.meet(late(stage), now=stage.after(10))
    assert desk.stored.master.value("EXDATE") == DATE
    assert said(desk) == "NEEDS-ACTION"


def test_the_ledger_is_that_of_the_right_order(stage: Any) -> None:
    crooked, straight = asked_again(stage), stage.desk(BOB)
    crooked.meet(late(stage), now=stage.after(10))
    for message in (
        stage.message("REQUEST", event(1, 0, *SERIES), ALICE),
        late(stage),
        stage.message("REQUEST", event(6, 2, *SERIES), ALICE),
    ):
        straight.meet(message, now=stage.after(10))
    ours = {ORGANIZER, CANCEL}

    def ledger(desk: Any) -> dict[MarkKey, Mark]:
        return {key: mark for key, mark in desk.marks.items() if key.party in ours}

    assert ledger(crooked) == ledger(straight)


def test_a_date_that_was_off_once_and_is_left_out_since_stays_out(stage: Any) -> None:
    desk = stage.desk(BOB)
    desk.meet(stage.message("REQUEST", event(1, 0, *SERIES), ALICE), now=stage.after(2))
    desk.meet(late(stage, 1, f"RECURRENCE-ID:{DATE}"), now=stage.after(5))
    desk.meet(stage.message("REQUEST", event(6, 2, *SERIES), ALICE), now=stage.after(7))
    desk.save(desk.stored.with_component("", desk.stored.master.add(prop("EXDATE", DATE))), stage.after(8))
    desk.meet(stage.message("REQUEST", event(9, 2, *SERIES, "LOCATION:Room 1"), ALICE), now=stage.after(10))
    assert desk.stored.master.value("EXDATE") == DATE
