"""What one side's calendar says leaves as a message, and the other side's calendar says it then: the whole circle."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, parse_object, partstat
from gateway.ical.tree import parse, prop, text_prop
from gateway.itip.changes import changes
from gateway.itip.decide import decide
from gateway.itip.model import (
    Certainty,
    Context,
    Decision,
    Mark,
    MarkKey,
    Message,
    Outcome,
    Outgoing,
    Remove,
    Store,
    Verdict,
)
from gateway.itip.parse import messages
from gateway.itip.significance import fingerprint, instance, rescheduled

ALICE, BOB = Address("alice@example.org"), Address("bob@example.com")
START = datetime(2026, 11, 2, 9, tzinfo=UTC)
NEXT = "20261130T100000Z"
SERIES = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:one@example.org
DTSTAMP:20261101T100000Z
DTSTART;TZID=Europe/Berlin:20261123T110000
DTEND;TZID=Europe/Berlin:20261123T120000
RRULE:FREQ=WEEKLY;COUNT=6
SUMMARY:Plan
ORGANIZER:mailto:alice@example.org
ATTENDEE:mailto:bob@example.com
END:VEVENT
END:VCALENDAR
"""


class Side:
    """One person's calendar and ledger; `edit` is his client, `receive` his gateway."""

    def __init__(self, who: Address) -> None:
        self.who = who
        self.stored: CalendarObject | None = None
        self.base: CalendarObject | None = None
        self.marks: dict[MarkKey, Mark] = {}

    def edit(self, after: CalendarObject | None, now: datetime) -> tuple[Outgoing, ...]:
        decision = changes(self.stored, after, self._context(now))
        self.stored = after
        self._take(decision)
        return decision.outgoing

    def receive(self, letter: Outgoing, now: datetime) -> Decision:
        root = parse(letter.object.data)
        root = root.with_children((prop("METHOD", str(letter.method)), *root.children))
        (message,) = messages(root, letter.sender, str(letter.method))
        assert isinstance(message, Message)
        verdict = Verdict(sender=letter.sender, certainty=Certainty.PROVEN)
        decision = decide(self.stored, message, replace(self._context(now), verdict=verdict, arrived=now))
        self._take(decision)
        return decision

    def _context(self, now: datetime) -> Context:
        return Context(owner=frozenset({self.who}), now=now, marks=self.marks, base=self.base)

    def _take(self, decision: Decision) -> None:
        self.marks |= decision.marks
        if isinstance(decision.change, Store):
            self.stored = parse_object(decision.change.object.data)
        elif isinstance(decision.change, Remove):
            self.stored = None
        if decision.base is not None:
            self.base = decision.base


class Pair:
    """Alice invites, Bob answers; each step takes an hour."""

    def __init__(self) -> None:
        self.alice, self.bob, self.now = Side(ALICE), Side(BOB), START

    def alices(self, after: CalendarObject | None) -> list[Decision]:
        return self._between(self.alice, self.bob, after)

    def bobs(self, after: CalendarObject | None) -> list[Decision]:
        return self._between(self.bob, self.alice, after)

    def _between(self, one: Side, other: Side, after: CalendarObject | None) -> list[Decision]:
        self.now += timedelta(hours=1)
        letters = one.edit(after, self.now)
        self.now += timedelta(minutes=1)
        return [other.receive(letter, self.now) for letter in letters]

    def answers(self, key: str = "") -> tuple[str, str]:
        return answer(self.alice.stored, key), answer(self.bob.stored, key)


def answer(of: CalendarObject | None, key: str) -> str:
    component = instance(of, key) if of is not None else None
    lines = [one for one in component.all("ATTENDEE") if one.address == BOB] if component else []
    return partstat(lines[0]) if lines else "-"


def answered(of: CalendarObject | None, value: str, key: str = "") -> CalendarObject:
    assert of is not None
    component = instance(of, key)
    assert component is not None
    line = component.all("ATTENDEE")[0]
    return of.with_component(key, component.replace(line, line.with_params(PARTSTAT=value, RSVP=None)))


def edited(of: CalendarObject | None, key: str = "", **values: str) -> CalendarObject:
    assert of is not None
    component = instance(of, key)
    assert component is not None
    for name, value in values.items():
        if value.startswith("2026"):
            component = component.put(prop(name, value, TZID="Europe/Berlin"))
        else:
            component = component.put(text_prop(name, value))
    return of.with_component(key, component)


def excluded(of: CalendarObject | None, local: str) -> CalendarObject:
    assert of is not None
    assert of.master is not None
    return of.with_component("", of.master.add(prop("EXDATE", local, TZID="Europe/Berlin")))


def begun() -> Pair:
    pair = Pair()
    (decision,) = pair.alices(parse_object(SERIES.encode()))
    assert decision.outcome is Outcome.APPLIED
    return pair


def test_an_invitation_and_its_answer_come_round() -> None:
    pair = begun()
    assert pair.answers() == ("NEEDS-ACTION", "NEEDS-ACTION")
    (decision,) = pair.bobs(answered(pair.bob.stored, "ACCEPTED"))
    assert decision.outcome is Outcome.APPLIED
    assert pair.answers() == ("ACCEPTED", "ACCEPTED")


def test_a_new_time_asks_again_on_both_sides() -> None:
    pair = begun()
    pair.bobs(answered(pair.bob.stored, "ACCEPTED"))
    (decision,) = pair.alices(edited(pair.alice.stored, DTSTART="20261123T100000"))
    assert decision.outcome is Outcome.APPLIED
    assert pair.answers() == ("NEEDS-ACTION", "NEEDS-ACTION")


def test_another_title_keeps_the_answer_on_both_sides() -> None:
    pair = begun()
    pair.bobs(answered(pair.bob.stored, "ACCEPTED"))
    pair.alices(edited(pair.alice.stored, SUMMARY="Other"))
    assert pair.answers() == ("ACCEPTED", "ACCEPTED")
    assert pair.bob.stored is not None
    assert pair.bob.stored.components[0].value("SUMMARY") == "Other"


def test_one_moved_date_is_asked_again_alone() -> None:
    pair = begun()
    pair.bobs(answered(pair.bob.stored, "ACCEPTED"))
    pair.alices(edited(pair.alice.stored, NEXT, DTSTART="20261130T103000"))
    assert pair.answers() == ("ACCEPTED", "ACCEPTED")
    assert pair.answers(NEXT) == ("NEEDS-ACTION", "NEEDS-ACTION")
    (decision,) = pair.bobs(answered(pair.bob.stored, "DECLINED", NEXT))
    assert decision.outcome is Outcome.APPLIED
    assert pair.answers() == ("ACCEPTED", "ACCEPTED")
    assert pair.answers(NEXT) == ("DECLINED", "DECLINED")


def test_one_date_declined_by_taking_it_out() -> None:
    pair = begun()
    pair.bobs(answered(pair.bob.stored, "ACCEPTED"))
    (decision,) = pair.bobs(excluded(pair.bob.stored, "20261130T110000"))
    assert decision.outcome is Outcome.APPLIED
    assert answer(pair.alice.stored, NEXT) == "DECLINED"
    assert answer(pair.alice.stored, "") == "ACCEPTED"


def test_one_date_cancelled() -> None:
    pair = begun()
    (decision,) = pair.alices(excluded(pair.alice.stored, "20261130T110000"))
    assert decision.outcome is Outcome.APPLIED
    assert pair.bob.stored is not None
    gone = instance(pair.bob.stored, NEXT)
    assert gone is None or gone.value("STATUS") == "CANCELLED"


def test_deleted_and_made_again() -> None:
    pair = begun()
    first = pair.alice.stored
    (decision,) = pair.alices(None)
    assert decision.outcome is Outcome.APPLIED
    assert pair.bob.stored is None or pair.bob.stored.components[0].value("STATUS") == "CANCELLED"
    (decision,) = pair.alices(first)
    assert decision.outcome is Outcome.APPLIED
    assert pair.bob.stored is not None
    assert pair.bob.stored.components[0].value("STATUS") != "CANCELLED"


def test_a_guest_struck_off_and_asked_again() -> None:
    pair = begun()
    before = pair.alice.stored
    assert before is not None
    assert before.master is not None
    (decision,) = pair.alices(before.with_component("", before.master.without("ATTENDEE")))
    assert decision.outcome is Outcome.APPLIED
    again = pair.alice.stored
    assert again is not None
    assert again.master is not None
    (decision,) = pair.alices(again.with_component("", again.master.add(prop("ATTENDEE", f"mailto:{BOB}"))))
    assert decision.outcome is Outcome.APPLIED
    assert answer(pair.bob.stored, "") == "NEEDS-ACTION"


def test_a_deleted_copy_declines() -> None:
    pair = begun()
    pair.bobs(answered(pair.bob.stored, "TENTATIVE"))
    (decision,) = pair.bobs(None)
    assert decision.outcome is Outcome.APPLIED
    assert answer(pair.alice.stored, "") == "DECLINED"


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("answer"),
            st.sampled_from(["", NEXT]),
            st.sampled_from(["ACCEPTED", "DECLINED", "TENTATIVE"]),
        ),
        st.tuples(st.just("title"), st.sampled_from(["", NEXT]), st.sampled_from(["One", "Two", "Three"])),
        st.tuples(st.just("start"), st.sampled_from(["", NEXT]), st.sampled_from(["0930", "1000", "1045"])),
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_both_calendars_say_the_same_after_any_exchange(steps: list[tuple[str, str, str]]) -> None:
    pair = begun()
    for what, key, value in steps:
        side = pair.bob if what == "answer" else pair.alice
        if side.stored is None or instance(side.stored, key) is None:
            continue
        if what == "answer":
            new = answered(side.stored, value, key)
            for open_date in (
                [] if key else [one for one in new.overrides if answer(new, one) == "NEEDS-ACTION"]
            ):
                new = answered(
                    new, value, open_date
                )  # as clients do: who answers the series answers what is open in it
            decisions = pair.bobs(new)
        elif what == "title":
            decisions = pair.alices(edited(side.stored, key, SUMMARY=value))
        else:
            day = "20261130" if key else "20261123"
            new = edited(side.stored, key, DTSTART=f"{day}T{value}00")
            for gone in [] if key else new.overrides:
                new = new.without_component(gone)  # as clients do: who moves the series begins it anew
            decisions = pair.alices(new)
        assert all(one.outcome in {Outcome.APPLIED, Outcome.UNCHANGED} for one in decisions), decisions
    alices, bobs = pair.alice.stored, pair.bob.stored
    assert alices is not None
    assert bobs is not None
    assert rescheduled(alices, bobs) == frozenset()
    for key in {"", *alices.overrides, *bobs.overrides}:
        assert pair.answers(key)[0] == pair.answers(key)[1], key
    assert fingerprint(alices) == fingerprint(parse_object(alices.data))
