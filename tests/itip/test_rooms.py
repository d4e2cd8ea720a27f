"""Whatever is asked of a room, in whatever order: it promises no time to more than it holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some

from gateway.accounts import Booking
from gateway.ical.event import CalendarObject
from gateway.ical.times import Period
from gateway.itip import dates
from gateway.itip.model import Outcome

ROOM = "room@example.com"
DAY = datetime(2030, 1, 7, tzinfo=UTC)


@some.composite
def wishes(draw: Any) -> tuple[str, str, int, int, int, bool]:
    """Whose meeting, REQUEST or CANCEL, when, how long, how often, and whether one date of it alone."""
    return (
        draw(some.sampled_from("abcd")),
        draw(some.sampled_from(["REQUEST", "REQUEST", "REQUEST", "CANCEL"])),
        draw(some.integers(0, 8)),
        draw(some.integers(1, 3)),
        draw(some.integers(1, 3)),
        draw(some.booleans()),
    )


def body(wish: tuple[str, str, int, int, int, bool], number: int) -> str:
    who, method, hour, length, count, alone = wish
    start = DAY + timedelta(hours=hour)
    lines = [
        "BEGIN:VEVENT",
        f"UID:{who}",
        f"DTSTAMP:20291201T{number // 60:02}{number % 60:02}00Z",
        f"SEQUENCE:{number}",
        f"DTSTART:{start:%Y%m%dT%H%M%SZ}",
        f"DTEND:{start + timedelta(hours=length):%Y%m%dT%H%M%SZ}",
        f"SUMMARY:{who}",
        f"ORGANIZER:mailto:{who}@example.com",
        f"ATTENDEE;RSVP=TRUE:mailto:{ROOM}",
        *(["STATUS:CANCELLED"] if method == "CANCEL" else []),
    ]
    if alone:
        lines.append(f"RECURRENCE-ID:{DAY + timedelta(days=count - 1, hours=2):%Y%m%dT%H%M%SZ}")
    elif count > 1:
        lines.append(f"RRULE:FREQ=DAILY;COUNT={count}")
    return "\n".join([*lines, "END:VEVENT"])


def promised(stored: CalendarObject | None, desk: Any) -> Iterator[Period]:
    if stored is not None:
        window = {"after": DAY, "before": DAY + timedelta(days=9), "zone": UTC}
        found = dates.dates(stored, desk.owner, **window)
        yield from (one.period for one in found if one.answer == "ACCEPTED")


@given(some.lists(wishes(), min_size=2, max_size=10), some.integers(1, 2), some.booleans())
@settings(max_examples=60, deadline=None)
def test_no_time_is_promised_more_often_than_it_may_be(
    stage: Any, history: list[tuple[str, str, int, int, int, bool]], most: int, partial: bool
) -> None:
    desk = stage.desk(ROOM)
    booking = Booking(who=("@example.com",), simultaneous=most, partial=partial)
    desk.policy = replace(desk.policy, booking=booking)
    for number, wish in enumerate(history):
        who, method = wish[:2]
        if desk.about != who:
            desk.turn_to(who)
        message = stage.message(method, body(wish, number), f"{who}@example.com")
        decision = desk.meet(message)
        assert decision.outcome in {Outcome.APPLIED, Outcome.PARKED, Outcome.STALE, Outcome.UNCHANGED}
        there = [desk.stored, *(stored for stored, _, _ in desk.drawer.values())]
        promises = [list(promised(stored, desk)) for stored in there]
        for start in {one.start for each in promises for one in each}:
            at_once = sum(any(one.start <= start < one.end for one in each) for each in promises)
            assert at_once <= most, (number, start, decision.reason)


@given(some.lists(wishes(), min_size=2, max_size=10))
@settings(max_examples=60, deadline=None)
def test_who_is_booked_has_been_told_so(
    stage: Any, history: list[tuple[str, str, int, int, int, bool]]
) -> None:
    """Of single meetings the calendar and the last answer say the same, but where a change was refused and the old time kept."""
    desk = stage.desk(ROOM)
    desk.policy = replace(desk.policy, booking=Booking(who=("@example.com",)))
    told: dict[str, tuple[str | None, str | None]] = {}
    for number, wish in enumerate(history):
        who, method = wish[:2]
        if desk.about != who:
            desk.turn_to(who)
        single = (*wish[:4], 1, False)
        decision = desk.meet(stage.message(method, body(single, number), f"{who}@example.com"))
        for letter in decision.outgoing:
            (line,) = letter.object.attendees()
            told[who] = (line.param("PARTSTAT"), letter.object.master.value("DTSTART"))
        master = desk.stored.master if desk.stored is not None else None
        if master is not None and master.value("STATUS") != "CANCELLED":
            (line,) = master.all("ATTENDEE")
            kept = (told[who][0], line.param("PARTSTAT")) == ("DECLINED", "ACCEPTED")
            assert kept or told[who] == (line.param("PARTSTAT"), master.value("DTSTART"))
