"""A task goes on at its attendees and adds up at its organizer."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest

from gateway.ical.address import address
from gateway.ical.event import CalendarObject
from gateway.ical.tree import Component
from gateway.itip.changes import changes
from gateway.itip.model import Context, Decision, Outcome, Reason, Store
from gateway.itip.significance import fingerprint
from gateway.itip.tables import violations
from gateway.itip.tasks import Progress, answer, progress_of

ALICE, BOB, CAROL = (address(f"{name}@example.org") for name in ("alice", "bob", "carol"))
NOW = datetime(2029, 1, 10, 12, tzinfo=UTC)
TASK = """BEGIN:VTODO
UID:t
DTSTAMP:20290101T100000Z
SUMMARY:Paint
ORGANIZER:mailto:alice@example.org
ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.org
ATTENDEE;PARTSTAT=ACCEPTED:mailto:carol@example.org
END:VTODO"""


def with_lines(*lines: str, task: str = TASK) -> str:
    return task.replace("END:VTODO", "\n".join([*lines, "END:VTODO"]))


def told(stage: Any, before: str, after: str | None, *, who: str = BOB, base: str | None = TASK) -> Decision:
    """What Bob's program made of his copy comes to this."""
    context = Context(
        owner=frozenset({address(who)}), now=NOW, base=stage.object(base) if base is not None else None
    )
    return changes(stage.object(before), stage.object(after) if after is not None else None, context)


def lines_of(found: CalendarObject) -> dict[str, str]:
    assert found.master is not None
    return {item.name: item.value for item in found.master.properties}


DONE = ("STATUS:COMPLETED", "PERCENT-COMPLETE:100", "COMPLETED:20290110T113000Z")


@pytest.mark.parametrize(
    ("was", "now", "partstat", "percent"),
    [
        ((), DONE, "COMPLETED", "100"),
        ((), ("STATUS:COMPLETED",), "COMPLETED", "100"),
        ((), ("PERCENT-COMPLETE:30",), "IN-PROCESS", "30"),
        (("PERCENT-COMPLETE:30",), ("PERCENT-COMPLETE:60", "STATUS:IN-PROCESS"), "IN-PROCESS", "60"),
        ((), ("STATUS:IN-PROCESS",), "IN-PROCESS", None),
    ],
)
def test_work_that_goes_on_in_the_copy_is_told_to_the_organizer(
    stage: Any, was: tuple[str, ...], now: tuple[str, ...], partstat: str, percent: str | None
) -> None:
    decision = told(stage, with_lines(*was), with_lines(*now))
    (letter,) = decision.outgoing
    assert not violations(letter.object, letter.method)
    assert (letter.recipient, letter.summary.partstat) == (ALICE, partstat)
    said = lines_of(letter.object)
    assert (said.get("PERCENT-COMPLETE"), said["STATUS"]) == (percent, partstat)
    assert isinstance(decision.change, Store)
    line = decision.change.object.attendee(BOB)
    assert line is not None and line.param("PARTSTAT") == partstat


def test_work_that_is_taken_back_is_an_acceptance_again(stage: Any) -> None:
    done = TASK.replace("PARTSTAT=ACCEPTED:mailto:bob", "PARTSTAT=COMPLETED:mailto:bob")
    decision = told(stage, with_lines(*DONE, task=done), done)
    (letter,) = decision.outgoing
    assert letter.summary.partstat == "ACCEPTED"
    assert not {"STATUS", "PERCENT-COMPLETE", "COMPLETED"} & lines_of(letter.object).keys()


def test_the_organizers_own_progress_is_not_said_back_to_him(stage: Any) -> None:
    asked = with_lines("STATUS:IN-PROCESS", "PERCENT-COMPLETE:40").replace("ACCEPTED", "NEEDS-ACTION")
    accepted = asked.replace("PARTSTAT=NEEDS-ACTION:mailto:bob", "PARTSTAT=ACCEPTED:mailto:bob")
    (letter,) = told(stage, asked, accepted, base=asked).outgoing
    assert letter.summary.partstat == "ACCEPTED"
    assert not {"STATUS", "PERCENT-COMPLETE"} & lines_of(letter.object).keys()


def test_a_private_note_on_a_task_is_told_to_nobody(stage: Any) -> None:
    decision = told(stage, TASK, with_lines("X-NOTE:buy brushes"))
    assert (decision.outcome, decision.reason) == (Outcome.IGNORED, Reason.COSMETIC_CHANGE)


def test_one_who_declined_and_works_has_declined(stage: Any) -> None:
    declined = TASK.replace("PARTSTAT=ACCEPTED:mailto:bob", "PARTSTAT=DECLINED:mailto:bob")
    (letter,) = told(stage, TASK, with_lines("PERCENT-COMPLETE:10", task=declined)).outgoing
    assert letter.summary.partstat == "DECLINED"
    assert "PERCENT-COMPLETE" not in lines_of(letter.object)


def test_tidying_up_what_is_done_declines_nothing(stage: Any) -> None:
    done = with_lines(
        *DONE, task=TASK.replace("PARTSTAT=ACCEPTED:mailto:bob", "PARTSTAT=COMPLETED:mailto:bob")
    )
    assert not told(stage, done, None, base=done).outgoing


def test_progress_changes_the_fingerprint_and_not_what_guests_are_told(stage: Any) -> None:
    further = with_lines("PERCENT-COMPLETE:10")
    assert fingerprint(stage.object(TASK)) != fingerprint(stage.object(further))
    assert told(stage, TASK, further, who=ALICE).reason is Reason.COSMETIC_CHANGE


def reply(who: str, minute: int, partstat: str, *lines: str) -> str:
    return with_lines(
        *lines,
        task=f"""BEGIN:VTODO
UID:t
DTSTAMP:20290102T10{minute:02}00Z
ORGANIZER:mailto:alice@example.org
ATTENDEE;PARTSTAT={partstat}:mailto:{who}
END:VTODO""",
    )


HISTORY = (
    (BOB, reply(BOB, 1, "IN-PROCESS", "PERCENT-COMPLETE:20")),
    (BOB, reply(BOB, 2, "COMPLETED")),
    (CAROL, reply(CAROL, 3, "IN-PROCESS", "PERCENT-COMPLETE:50")),
    (BOB, reply(BOB, 4, "IN-PROCESS", "PERCENT-COMPLETE:70")),
)


def test_the_order_in_which_progress_arrives_does_not_matter(stage: Any) -> None:
    found = set()
    for history in permutations(HISTORY):
        desk = stage.desk(ALICE)
        desk.stored = stage.object(TASK)
        for who, body in (*history, *history[:2]):
            desk.meet(stage.message("REPLY", body, who))
        assert lines_of(desk.stored)["PERCENT-COMPLETE"] == "60"
        found.add(fingerprint(desk.stored))
    assert len(found) == 1


@pytest.mark.parametrize("declines_first", [True, False])
def test_who_declines_after_all_takes_his_progress_along(stage: Any, declines_first: bool) -> None:
    desk = stage.desk(ALICE)
    desk.stored = stage.object(TASK)
    bodies = [reply(BOB, 1, "IN-PROCESS", "PERCENT-COMPLETE:20"), reply(BOB, 2, "DECLINED")]
    for body in reversed(bodies) if declines_first else bodies:
        desk.meet(stage.message("REPLY", body, BOB))
    assert not progress_of(desk.stored.master).started


def test_the_organizers_own_figures_stay_while_nobody_tells_any(stage: Any) -> None:
    desk = stage.desk(ALICE)
    desk.stored = stage.object(with_lines("STATUS:IN-PROCESS", "PERCENT-COMPLETE:20"))
    desk.meet(stage.message("REPLY", reply(BOB, 1, "TENTATIVE"), BOB))
    assert lines_of(desk.stored)["PERCENT-COMPLETE"] == "20"


@pytest.mark.parametrize(
    ("told_partstat", "lines", "meant"),
    [
        ("ACCEPTED", ("STATUS:COMPLETED",), "COMPLETED"),
        ("IN-PROCESS", ("PERCENT-COMPLETE:100",), "COMPLETED"),
        ("ACCEPTED", ("PERCENT-COMPLETE:50",), "ACCEPTED"),
        ("", ("PERCENT-COMPLETE:50",), "IN-PROCESS"),
        ("DECLINED", ("STATUS:COMPLETED",), "DECLINED"),
        ("TENTATIVE", (), "TENTATIVE"),
    ],
)
def test_what_a_reply_means_is_read_from_all_that_it_says(
    stage: Any, told_partstat: str, lines: tuple[str, ...], meant: str
) -> None:
    assert answer(stage.object(with_lines(*lines)).master, told_partstat) == meant


@pytest.mark.parametrize("value", ["-1", "101", "half", "", "１０", "9" * 40])
def test_a_percentage_that_is_none_says_nothing(stage: Any, value: str) -> None:
    assert progress_of(stage.object(with_lines(f"PERCENT-COMPLETE:{value}")).master) == Progress()


def test_an_event_has_no_progress() -> None:
    assert progress_of(Component("VEVENT", ())) == Progress()
