"""Any order and repetition of a history ends in the same calendar, and a stranger's word in none (SPEC 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.ical.tree import Component
from gateway.itip.model import Outcome
from gateway.itip.order import digest

ALICE, BOB, CAROL, DAN = "alice@example.com", "bob@example.net", "carol@example.net", "dan@example.net"
START = datetime(2029, 1, 5, 10, tzinfo=UTC)
SAID = datetime(2029, 1, 1, tzinfo=UTC)
RUNS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def utc(at: datetime) -> str:
    return at.strftime("%Y%m%dT%H%M%SZ")


class Organizer:
    """Says things about a weekly series, with SEQUENCE and DTSTAMP as RFC 5546 2.1.4 wants them."""

    def __init__(self, ahead: timedelta = timedelta()) -> None:
        self.sequence = 0
        self.said = SAID
        self.ahead = ahead  # of her clock
        self.shift = 0
        self.guests = [BOB, CAROL, DAN]
        self.history: list[tuple[str, str]] = []
        self.overrides: dict[int, str] = {}

    def say(self, what: str, week: int, text: str) -> None:
        getattr(self, what)(week, text)

    def series(self, week: int, text: str) -> None:
        self._component(
            "REQUEST", f"DTSTART:{utc(self._at(0))}", "RRULE:FREQ=WEEKLY;COUNT=6", f"SUMMARY:{text}"
        )

    def whole(self, week: int, text: str) -> None:
        """Master and overrides in one message, each with the DTSTAMP of its own last change."""
        self.series(week, text)
        method, body = self.history.pop()
        self.history.append((method, "\n".join([body, *self.overrides.values()])))

    def move_series(self, week: int, text: str) -> None:
        self.shift += 1
        self.sequence += 1
        self.overrides.clear()
        self.series(week, text)

    def instance(self, week: int, text: str) -> None:
        self.sequence += 1
        at = self._at(week)
        self._component(
            "REQUEST",
            f"RECURRENCE-ID:{utc(at)}",
            f"DTSTART:{utc(at + timedelta(hours=3))}",
            f"SUMMARY:{text} alone",
        )
        self.overrides[week] = self.history[-1][1]

    def add(self, week: int, text: str) -> None:
        """One more date, which an instance of the series may or may not have of its own."""
        self.sequence += 1
        at = self._at(week) + timedelta(days=week % 3)
        self._say_no_more(week)
        self._component("ADD", f"DTSTART:{utc(at)}", f"SUMMARY:{text} more")

    def _say_no_more(self, week: int) -> None:
        """Who says something else of a date does not repeat what he said of it before."""
        if week % 3 == 0:
            self.overrides.pop(week, None)

    def cancel_added(self, week: int, text: str) -> None:
        self.sequence += 1
        self._say_no_more(week)
        self._component("CANCEL", f"RECURRENCE-ID:{utc(self._at(week) + timedelta(days=week % 3))}")

    def cancel_instance(self, week: int, text: str) -> None:
        self.sequence += 1
        self.overrides.pop(week, None)
        self._component("CANCEL", f"RECURRENCE-ID:{utc(self._at(week))}")

    def cancel(self, week: int, text: str) -> None:
        self.sequence += 1
        self._component("CANCEL", "STATUS:CANCELLED")

    def remove_guest(self, week: int, text: str) -> None:
        if DAN in self.guests:
            self.guests.remove(DAN)
            self.overrides.clear()
            self.sequence += 1
            self._write("CANCEL", [f"ATTENDEE:mailto:{DAN}"])

    def _at(self, week: int) -> datetime:
        return START + timedelta(hours=self.shift, weeks=week)

    def _component(self, method: str, *lines: str) -> None:
        self._write(method, [*lines, *(f"ATTENDEE;RSVP=TRUE:mailto:{guest}" for guest in self.guests)])

    def _write(self, method: str, lines: list[str]) -> None:
        self.said += timedelta(minutes=1)
        head = [
            "BEGIN:VEVENT",
            "UID:u",
            f"DTSTAMP:{utc(self.said + self.ahead)}",
            f"SEQUENCE:{self.sequence}",
            f"ORGANIZER:mailto:{ALICE}",
        ]
        self.history.append((method, "\n".join([*head, *lines, "END:VEVENT"])))


THINGS = (
    *("series", "whole", "move_series", "instance", "cancel_instance", "cancel", "remove_guest"),
    *("add", "cancel_added"),
)
HISTORIES = st.lists(
    st.tuples(st.sampled_from(THINGS), st.integers(0, 3), st.sampled_from("ABC")), min_size=1, max_size=6
)


# Of one clock, and of the post: how far it is ahead, and how long a mail is under way.
CLOCKS = st.one_of(
    st.sampled_from([timedelta(hours=-1), timedelta(), timedelta(minutes=3), timedelta(days=3)]),
    st.timedeltas(timedelta(hours=-1), timedelta(days=3)).map(
        lambda one: timedelta(seconds=one // timedelta(seconds=1))
    ),
)
DELAYS = st.sampled_from([timedelta(seconds=2), *(timedelta(minutes=one) for one in (2, 5, 60, 1500, 4300))])


@dataclass(frozen=True)
class Copy:
    """One copy of a mail: when it comes, and what its Date says."""

    arrives: datetime
    message: Any
    dated: datetime | None


def posted(told: list[Any], ahead: timedelta, data: st.DataObject) -> list[Copy]:
    """Each mail once or more, one a minute, as the post brings them."""
    skew = data.draw(st.sampled_from([None, timedelta(), ahead]))
    twice = data.draw(st.lists(st.integers(0, len(told) - 1), max_size=3))
    copies = []
    for minute in (*range(len(told)), *twice):
        sent = SAID + timedelta(minutes=minute + 1)
        dated = None if skew is None else sent + skew
        copies.append(Copy(sent + data.draw(DELAYS), told[minute], dated))
    return sorted(copies, key=lambda one: one.arrives)


def canonical(desk: Any) -> Any:
    """What is in the calendar, without stamps."""
    if desk.stored is None:
        return None

    def plain(component: Component) -> str:
        return digest(component.without("DTSTAMP", "LAST-MODIFIED"))

    held = {"": desk.stored.master} if desk.stored.master is not None else {}
    held |= dict(desk.stored.overrides)
    return {key: plain(component) for key, component in held.items()}


def text_of(desk: Any) -> str:
    return desk.stored.data.decode() if desk.stored is not None else "nothing"


@pytest.mark.parametrize("policy", ["mark", "delete"])
@RUNS
@given(history=HISTORIES, ahead=CLOCKS, data=st.data())
def test_any_order_of_the_organizers_history_ends_in_the_same_copy(
    stage: Any, policy: str, history: list[tuple[str, int, str]], ahead: timedelta, data: st.DataObject
) -> None:
    organizer = Organizer(ahead)
    organizer.say("series", 0, "A")
    for what, week, text in history:
        organizer.say(what, week, text)
    told = [stage.message(method, body, ALICE) for method, body in organizer.history]
    disorder = posted(told, ahead, data)
    straight, crooked = stage.desk(BOB, cancel=policy), stage.desk(BOB, cancel=policy)
    for minute, message in enumerate(told, 1):
        straight.meet(message, now=SAID + timedelta(minutes=minute))
    for copy in disorder:
        crooked.meet(copy.message, mail_date=copy.dated, now=copy.arrives)
    assert canonical(crooked) == canonical(straight), (
        f"{[(one.message.method.value, one.message.object.sequence() or 0) for one in disorder]}\n"
        f"in order:\n{text_of(straight)}\nin disorder:\n{text_of(crooked)}"
    )


@RUNS
@given(history=HISTORIES)
def test_a_message_met_twice_changes_nothing_the_second_time(
    stage: Any, history: list[tuple[str, int, str]]
) -> None:
    organizer, desk = Organizer(), stage.desk(BOB)
    organizer.say("series", 0, "A")
    for what, week, text in history:
        organizer.say(what, week, text)
    for method, body in organizer.history:
        message = stage.message(method, body, ALICE)
        first = desk.meet(message)
        before = text_of(desk)
        again = desk.meet(message)
        assert again.outcome in {Outcome.UNCHANGED, first.outcome} - {Outcome.APPLIED}
        assert again.change is None
        assert text_of(desk) == before


@RUNS
@given(history=HISTORIES, who=st.sampled_from(["mallory@evil.example", CAROL, BOB]))
def test_an_outsiders_message_never_changes_a_copy(
    stage: Any, history: list[tuple[str, int, str]], who: str
) -> None:
    organizer, desk = Organizer(), stage.desk(BOB)
    organizer.say("series", 0, "A")
    method, body = organizer.history[0]
    desk.meet(stage.message(method, body, ALICE))
    before = text_of(desk)
    for what, week, text in history:
        organizer.say(what, week, text)
    for method, body in organizer.history[1:]:
        for forged in (body, body.replace(f"ORGANIZER:mailto:{ALICE}", f"ORGANIZER:mailto:{who}")):
            decision = desk.meet(stage.message(method, forged, who))
            assert decision.change is None
            assert not decision.marks
            assert decision.outcome in {Outcome.REFUSED, Outcome.HELD, Outcome.IGNORED}
    assert text_of(desk) == before


SERIES = f"""BEGIN:VEVENT
UID:u
DTSTAMP:20290101T000000Z
SEQUENCE:0
DTSTART:{utc(START)}
RRULE:FREQ=WEEKLY;COUNT=6
SUMMARY:A
ORGANIZER:mailto:{ALICE}
ATTENDEE;RSVP=TRUE:mailto:{BOB}
ATTENDEE;RSVP=TRUE:mailto:{CAROL}
ATTENDEE;RSVP=TRUE:mailto:{DAN}
END:VEVENT"""

ANSWERS = st.lists(
    st.tuples(
        st.sampled_from([BOB, CAROL, DAN]),
        st.sampled_from([None, 0, 1, 2]),
        st.sampled_from(["ACCEPTED", "DECLINED", "TENTATIVE"]),
    ),
    min_size=1,
    max_size=8,
)


@RUNS
@given(answers=ANSWERS, ahead=CLOCKS, data=st.data())
def test_any_order_of_answers_ends_in_the_same_meeting(
    stage: Any, answers: list[tuple[str, int | None, str]], ahead: timedelta, data: st.DataObject
) -> None:
    told = []
    for minute, (who, week, partstat) in enumerate(answers):
        day = "" if week is None else f"RECURRENCE-ID:{utc(START + timedelta(weeks=week))}\n"
        body = (
            f"BEGIN:VEVENT\nUID:u\nDTSTAMP:{utc(SAID + ahead + timedelta(minutes=minute + 1))}\nSEQUENCE:0\n{day}"
            f"ATTENDEE;PARTSTAT={partstat}:mailto:{who}\nEND:VEVENT"
        )
        told.append(stage.message("REPLY", body, who))
    disorder = posted(told, ahead, data)
    straight, crooked = stage.desk(ALICE), stage.desk(ALICE)
    straight.stored = crooked.stored = stage.object(SERIES)
    for minute, message in enumerate(told, 1):
        straight.meet(message, now=SAID + timedelta(minutes=minute))
    for copy in disorder:
        crooked.meet(copy.message, mail_date=copy.dated, now=copy.arrives)
    assert canonical(crooked) == canonical(straight), f"{text_of(straight)}\n{text_of(crooked)}"
