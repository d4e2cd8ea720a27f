"""RANGE: whatever the order in which its messages come, the calendar is the same (SPEC 4.1, 4.7)."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest

from gateway.ical import linked, recur
from gateway.itip.changes import changes
from gateway.itip.model import Context, Method, Outcome, Reason
from gateway.itip.significance import facts_by_key

ALICE, BOB = "alice@example.com", "bob@example.net"
ALL = {"after": datetime(2029, 1, 1, tzinfo=UTC), "before": datetime(2030, 1, 1, tzinfo=UTC)}


def event(stamp: int, sequence: int, day: str, *lines: str, onward: bool = True, at: str = "10") -> str:
    """A component about the occurrence of that day in January; "" is the series."""
    named = [f"RECURRENCE-ID{';RANGE=THISANDFUTURE' * onward}:202901{day}T100000Z"] if day else []
    day = day or "05"
    return "\n".join(
        [
            "BEGIN:VEVENT",
            "UID:weekly@example.com",
            f"DTSTAMP:202801{stamp:02}T080000Z",
            f"SEQUENCE:{sequence}",
            *named,
            f"DTSTART:202901{day}T{at}0000Z",
            f"DTEND:202901{day}T{at}3000Z",
            *(lines or (f"SUMMARY:said on {stamp}",)),
            f"ORGANIZER:mailto:{ALICE}",
            f"ATTENDEE;RSVP=TRUE:mailto:{BOB}",
            "END:VEVENT",
        ]
    )


SERIES = event(1, 0, "", "SUMMARY:first", "RRULE:FREQ=DAILY;COUNT=12")
ONE = ("REQUEST", event(2, 1, "12", onward=False, at="18"))
REST = ("REQUEST", event(3, 2, "10", at="12"))
LATER = ("REQUEST", event(4, 3, "13", at="15"))
OFF = ("CANCEL", event(5, 4, "14", "STATUS:CANCELLED"))
ITS_FIRST = ("REQUEST", event(6, 5, "10", onward=False, at="09"))


def seen(desk: Any) -> list[tuple[str, str, str, str]]:
    assert not any(key.endswith("+") for key in desk.stored.overrides)
    return [
        (each.key, each.start.key, each.end.key, each.component.value("SUMMARY") or "")
        for each in recur.occurrences(desk.stored, **ALL)
    ]


@pytest.mark.parametrize("said", [(ONE, REST, LATER, OFF), (REST, OFF, ITS_FIRST), (ONE, REST, ITS_FIRST)])
def test_every_order_ends_in_the_same_calendar(stage: Any, said: tuple[tuple[str, str], ...]) -> None:
    ends = []
    for order in permutations((("REQUEST", SERIES), *said)):
        desk = stage.desk(BOB)
        for method, body in (*order, order[0]):
            desk.meet(stage.message(method, body, ALICE))
        ends.append(seen(desk))
    assert all(end == ends[0] for end in ends)


def test_each_occurrence_is_told_by_the_last_range_before_it(stage: Any) -> None:
    desk = stage.desk(BOB)
    for method, body in (("REQUEST", SERIES), ONE, REST, LATER, OFF):
        assert desk.meet(stage.message(method, body, ALICE)).outcome is Outcome.APPLIED
    told = {key[6:8]: (start[9:11], end[9:13], summary) for key, start, end, summary in seen(desk)}
    assert list(told) == [f"{day:02}" for day in range(5, 14)]
    assert told["09"] == ("10", "1030", "first")
    assert told["10"] == told["11"] == ("12", "1230", "said on 3")
    assert told["12"] == ("18", "1830", "said on 2")
    assert told["13"] == ("15", "1530", "said on 4")


def test_a_guest_of_single_occurrences_loses_those_that_are_called_off_with_the_rest(stage: Any) -> None:
    desk = stage.desk(BOB)
    for day in ("06", "10"):
        desk.meet(stage.message("REQUEST", event(2, 1, day, onward=False), ALICE))
    assert desk.meet(stage.message("CANCEL", event(3, 2, "08", "STATUS:CANCELLED"), ALICE)).marks
    status = {key: component.value("STATUS") for key, component in desk.stored.overrides.items()}
    assert status == {"20290106T100000Z": None, "20290110T100000Z": "CANCELLED"}


def test_guests_taken_off_the_rest_stay_on_what_comes_before(stage: Any) -> None:
    desk = stage.desk(BOB)
    carol = f"ATTENDEE:mailto:carol@example.net\nORGANIZER:mailto:{ALICE}"
    desk.meet(stage.message("REQUEST", SERIES.replace(f"ORGANIZER:mailto:{ALICE}", carol), ALICE))
    body = event(3, 2, "14").replace(f"ATTENDEE;RSVP=TRUE:mailto:{BOB}", "ATTENDEE:mailto:carol@example.net")
    decision = desk.meet(stage.message("CANCEL", body, ALICE))
    assert (decision.reason, decision.recurrence_id) == (Reason.GUESTS_REMOVED, "")
    invited = [
        each.key[6:8]
        for each in recur.occurrences(desk.stored, **ALL)
        if any("carol" in line.value for line in each.component.all("ATTENDEE"))
    ]
    assert invited == [f"{day:02}" for day in range(5, 14)]


def test_what_our_answer_repeats_is_the_occurrence_as_the_range_has_it(stage: Any) -> None:
    desk = stage.desk(BOB)
    desk.meet(stage.message("REQUEST", SERIES, ALICE))
    desk.meet(stage.message("REQUEST", REST[1], ALICE))
    before, key = desk.stored, "20290111T100000Z"
    mine = before.overrides[key]
    (line,) = mine.all("ATTENDEE")
    after = before.with_component(key, mine.replace(line, line.with_params(PARTSTAT="ACCEPTED")))
    context = Context(
        owner=desk.owner, now=datetime(2028, 2, 1, tzinfo=UTC), base=desk.base, marks=desk.marks
    )
    (reply,) = changes(before, after, context).outgoing
    assert reply.method is Method.REPLY
    (answered,) = reply.object.components
    assert answered.value("RECURRENCE-ID") == "20290111T100000Z"
    assert answered.value("DTSTART") == "20290111T120000Z"


def test_a_rest_of_many_large_occurrences_is_a_series_of_its_own(stage: Any) -> None:
    desk = stage.desk(BOB)
    long = SERIES.replace("COUNT=12", "COUNT=1500").replace("SUMMARY:first", "SUMMARY:" + "x" * 2_000)
    desk.meet(stage.message("REQUEST", long, ALICE))
    decision = desk.meet(stage.message("REQUEST", REST[1], ALICE))
    assert (decision.outcome, decision.reason) == (Outcome.APPLIED, Reason.INVITATION_RESCHEDULED)
    head, tail = linked.parts(desk.stored)
    assert len(head.data) + len(tail.data) < 10_000
    assert "COUNT=1495" in (tail.master.value("RRULE") or "")


def test_a_series_that_moves_from_its_first_on_for_ever_waits_for_a_person(stage: Any) -> None:
    desk = stage.desk(BOB)
    desk.meet(stage.message("REQUEST", SERIES.replace(";COUNT=12", ""), ALICE))
    decision = desk.meet(stage.message("REQUEST", event(3, 2, "05", at="12"), ALICE))
    assert (decision.outcome, decision.reason) == (Outcome.HELD, Reason.EXPANSION_LIMIT)


ENDLESS = SERIES.replace(";COUNT=12", "")


@pytest.mark.parametrize(
    "said", [(ONE, REST, LATER), (REST, LATER, ITS_FIRST), (ONE, REST, ITS_FIRST), (REST, LATER, OFF)]
)
def test_every_order_ends_in_the_same_two_objects(stage: Any, said: tuple[tuple[str, str], ...]) -> None:
    ends = []
    for order in permutations((("REQUEST", ENDLESS), *said)):
        desk = stage.desk(BOB)
        for method, body in order:
            desk.meet(stage.message(method, body, ALICE))
        objects = linked.parts(desk.stored)
        ends.append([sorted(of_one(one)) for one in objects if one is not None])
    assert all(end == ends[0] for end in ends), "the order of the messages shows"


def of_one(of: Any) -> list[tuple[str, ...]]:
    """Its components, and when each takes place."""
    facts = facts_by_key(of).items()
    return [
        (key, one.start, one.end, one.rule, one.bounds, *map(str, sorted(one.told))) for key, one in facts
    ]
