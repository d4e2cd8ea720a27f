"""SEQUENCE: whatever an organizer does to a meeting, no guest is told something that he must take for old news."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ical import recur
from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, attendee_of, parse_object
from gateway.itip import sequences
from gateway.itip.changes import changes
from gateway.itip.model import Context, Mark, MarkKey, Method, Outgoing, Policy, Store
from gateway.itip.significance import components_by_key
from gateway.itip.tables import violations
from gateway.itip.views import is_cancelled

ALICE = Address("alice@example.org")
GUESTS = tuple(Address(f"{who}@example.org") for who in ("bob", "carol", "dora"))
DAYS = tuple(f"2026112{number}" for number in range(3, 8))
NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)


def event(key: str, start: str, guests: Iterable[Address], *more: str) -> str:
    ends = f"{start[:9]}{int(start[9:11]) + 1}{start[11:]}"
    head = [f"RECURRENCE-ID;TZID=Europe/Berlin:{key}"] if key else []
    lines = ["UID:1", "DTSTAMP:20261101T100000Z", f"DTSTART;TZID=Europe/Berlin:{start}"]
    lines += [f"DTEND;TZID=Europe/Berlin:{ends}", "SUMMARY:Plan", f"ORGANIZER:mailto:{ALICE}", *head, *more]
    return "\n".join(["BEGIN:VEVENT", *lines, *(f"ATTENDEE:mailto:{one}" for one in guests), "END:VEVENT"])


def meeting(dice: random.Random) -> CalendarObject:
    """Anything that a program may save: other hours, dates, guests, a series or a single day, on or off."""

    def some() -> list[Address]:
        return dice.sample(GUESTS, dice.randint(0, 3))

    hour = dice.choice(("11", "11", "14"))
    out = [day for day in DAYS if dice.random() < 0.15]
    series = dice.random() < 0.8
    more = ["RRULE:FREQ=DAILY;COUNT=5"] if series else []
    more += [f"EXDATE;TZID=Europe/Berlin:{day}T{hour}0000" for day in out if series]
    more += ["STATUS:CANCELLED"] if dice.random() < 0.15 else []
    parts = [event("", f"20261123T{hour}0000", some(), *more)]
    for day in dice.sample(DAYS, dice.randint(0, 2) if series else 0):
        status = ["STATUS:CANCELLED"] if dice.random() < 0.3 else []
        at = dice.choice((hour, "16"))
        parts += [event(f"{day}T{hour}0000", f"{day}T{at}0000", some(), *status)]
    if len(parts) > 1 and dice.random() < 0.15:
        del parts[0]
    text = "\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//t//EN", *parts, "END:VCALENDAR", ""])
    return parse_object(text.encode())


def saved(was: CalendarObject | None, dice: random.Random) -> CalendarObject | None:
    """The next state; most programs keep SEQUENCE and do not raise it, some lose it."""
    if dice.random() < 0.1:
        return None
    new = meeting(dice)
    if was is None or dice.random() < 0.2:
        return new
    kept = {key: was.sequence(key) for key, _ in components_by_key(new)}
    return sequences.with_sequences(new, {key: one or was.sequence() or 0 for key, one in kept.items()})


class Guest:
    """What one guest has been told."""

    def __init__(self, who: Address) -> None:
        self.who = who
        self.told: dict[str, tuple[Method, int]] = {}

    def reads(self, letters: Iterable[Outgoing]) -> None:
        for letter in letters:
            news = dict(components_by_key(letter.object))
            for key, component in news.items():
                assert attendee_of(component, self.who) is not None
                self.accepts(letter.method, key, letter.object.sequence(key))
            self.told |= {key: (letter.method, letter.object.sequence(key) or 0) for key in news}

    def accepts(self, method: Method, key: str, sequence: int | None) -> None:
        assert sequence is not None
        before, had = self.told.get(key, (method, -1))
        assert sequence >= had, "lower than what he has of it"
        assert before == method or sequence > had, "neither above nor below what said the contrary"
        whole, number = self.told.get("", (method, -1))
        assert method is not Method.REQUEST or whole is not Method.CANCEL or sequence >= number


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_nobody_is_told_what_stands_below_what_he_was_told_before(seed: int) -> None:
    dice = random.Random(seed)
    marks: dict[MarkKey, Mark] = {}
    guests = [Guest(who) for who in GUESTS]
    now, was = NOW, None
    for _ in range(8):
        now += timedelta(minutes=10)
        new = saved(was, dice)
        decision = changes(was, new, Context(owner=frozenset({ALICE}), now=now, marks=marks, policy=Policy()))
        assert not [fault for one in decision.outgoing for fault in violations(one.object, one.method)]
        for guest in guests:
            letters = [one for one in decision.outgoing if one.recipient == guest.who]
            assert len({one.method for one in letters}) == len(letters)
            guest.reads(sorted(letters, key=lambda one: one.method is Method.REQUEST))
        marks |= decision.marks
        was = decision.change.object if isinstance(decision.change, Store) else new


def dates_of(meeting: CalendarObject | None, who: Address) -> dict[str, tuple[datetime, datetime]]:
    """When he is expected."""
    if meeting is None:
        return {}
    return {
        one.key: (one.start.instant(), one.end.instant())
        for one in recur.occurrences(meeting, after=NOW, before=NOW + timedelta(days=60))
        if not is_cancelled(one.component) and attendee_of(one.component, who) is not None
    }


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_every_guest_has_the_dates_on_which_the_organizer_expects_him(stage: Any, seed: int) -> None:
    dice = random.Random(seed)
    organizer, now = stage.desk(str(ALICE)), NOW
    guests = {who: stage.desk(str(who)) for who in GUESTS}
    for _ in range(6):
        now += timedelta(minutes=10)
        for letter in organizer.save(saved(organizer.stored, dice), now).outgoing:
            body = letter.object.data.decode().replace("VERSION", f"METHOD:{letter.method}\r\nVERSION", 1)
            message = stage.message("", body, letter.sender)
            guests[letter.recipient].meet(message, now=now + timedelta(seconds=5))
        held = organizer.stored
        off = held is not None and held.master is not None and is_cancelled(held.master)
        for who, desk in guests.items():
            assert dates_of(desk.stored, who) == ({} if off else dates_of(held, who))
