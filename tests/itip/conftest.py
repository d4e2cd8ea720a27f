"""A stage for iTIP: accounts with their calendars and ledgers, and mails that meet them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.ical.address import Address, address
from gateway.ical.event import CalendarObject, parse_object
from gateway.ical.times import Period
from gateway.ical.tree import parse
from gateway.itip import freebusy
from gateway.itip.changes import changes
from gateway.itip.decide import decide
from gateway.itip.model import (
    Certainty,
    Context,
    Decision,
    Kin,
    Mark,
    MarkKey,
    Message,
    Outcome,
    Policy,
    Remove,
    Store,
    Verdict,
)
from gateway.itip.order import dump, load
from gateway.itip.parse import Refusal, messages
from gateway.policy import booking

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def calendar(body: str, method: str = "") -> bytes:
    """A VCALENDAR around components; a whole one goes through as it is."""
    if body.lstrip().upper().startswith("BEGIN:VCALENDAR"):
        return body.encode()
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN"] + ([f"METHOD:{method}"] if method else [])
    return "\r\n".join([*head, *body.strip().splitlines(), "END:VCALENDAR", ""]).encode()


@dataclass
class Desk:
    """One account: what its calendar holds under one UID, its ledger, and what waits."""

    owner: frozenset[Address]
    policy: Policy = Policy()
    stored: CalendarObject | None = None
    base: CalendarObject | None = None
    marks: dict[MarkKey, Mark] = field(default_factory=dict)
    mail: dict[str, object] = field(
        default_factory=dict
    )  # what its next mails are: auto_submitted, is_list, ...
    calendar: CalendarObject | None = None  # what else is in it
    parked: list[tuple[Message, Certainty, datetime | None, datetime]] = field(default_factory=list)

    drawer: dict[str, tuple[CalendarObject | None, CalendarObject | None, dict[MarkKey, Mark]]] = field(
        default_factory=dict
    )  # what the account has under other UIDs
    about: str = ""

    def turn_to(self, name: str) -> None:
        """The desk is about another UID from here on."""
        self.drawer[self.about] = (self.stored, self.base, self.marks)
        self.stored, self.base, self.marks = self.drawer.pop(name, (None, None, {}))
        self.about = name

    @property
    def kin(self) -> tuple[Kin, ...]:
        """As `flows.messages` reads them for a UID that is unknown."""
        found = () if self.stored is not None else tuple(self.drawer.values())
        return tuple(
            Kin(object=stored, base=base, marks=marks) for stored, base, marks in found if stored is not None
        )

    def meet(
        self,
        message: Message,
        certainty: Certainty = Certainty.PROVEN,
        *,
        approved: bool = False,
        mail_date: datetime | None = None,
        now: datetime = NOW,
    ) -> Decision:
        """Decide, and carry the decision out as the journeys do, the texts written and read in between."""
        decision = self._decide(
            message, certainty, approved=approved, mail_date=mail_date, now=now, arrived=now
        )
        if decision.outcome is Outcome.PARKED:
            self.parked.append((message, certainty, mail_date, now))
        elif decision.marks:
            self.replay(now)
        return decision

    def _decide(
        self,
        message: Message,
        certainty: Certainty,
        *,
        approved: bool,
        mail_date: datetime | None,
        now: datetime,
        arrived: datetime,
    ) -> Decision:
        context = Context(
            owner=self.owner,
            now=now,
            marks=self.marks,
            base=self.base,
            verdict=Verdict(sender=message.sender, certainty=certainty),
            policy=replace(self.policy, approved=approved),
            arrived=arrived,
            mail_date=mail_date,
            kin=self.kin,
            **self.mail,  # type: ignore[arg-type]
        )
        decision = booking.asking(
            decide(self.stored, message, context), self.stored, message, context=context
        )
        if isinstance(decision, booking.Wish):
            decision = booking.answer(decision, self._taken(decision))
        if decision.outcome not in {Outcome.PARKED, Outcome.HELD}:
            self._carry_out(decision)
        return decision

    def _taken(self, wish: booking.Wish) -> list[Period]:
        """When everything but this meeting takes a room."""
        others = [stored for stored, _, _ in self.drawer.values()] + [self.calendar]
        there = [one for one in others if one is not None and one.uid not in wish.own]
        found = [freebusy.taken(one, self.owner, wish.within) for one in there]
        return [one.period for part in found for one in part]

    def save(self, after: CalendarObject | None, now: datetime) -> Decision:
        """The owner's program saves an object; what that comes to leaves, as `flows.changed` does it."""
        context = Context(
            owner=self.owner, now=now, marks=self.marks, base=self.base, policy=self.policy, arrived=now
        )
        decision = changes(self.stored, after, context)
        self.stored = after
        self._carry_out(decision)
        return decision

    def _carry_out(self, decision: Decision) -> None:
        self.marks |= {key: load(dump(mark)) for key, mark in decision.marks.items()}
        if isinstance(decision.change, Store):
            self.stored = parse_object(decision.change.object.data)
        elif isinstance(decision.change, Remove):
            self.stored = self.base = None
        if decision.base is not None:
            self.base = parse_object(decision.base.data)

    def replay(self, now: datetime = NOW) -> None:
        """Parked messages are asked again whenever something was applied."""
        moved = True
        while moved:
            moved = False
            for item in list(self.parked):
                message, certainty, mail_date, arrived = item
                decision = self._decide(
                    message, certainty, approved=False, mail_date=mail_date, now=now, arrived=arrived
                )
                if decision.outcome is not Outcome.PARKED:
                    self.parked.remove(item)
                    moved = moved or bool(decision.marks)


class Stage:
    """Makes messages and desks."""

    now = NOW
    Desk = Desk

    def desk(self, *owner: str, **policy: object) -> Desk:
        return Desk(owner=frozenset(address(one) for one in owner), policy=Policy(**policy))  # type: ignore[arg-type]

    def object(self, body: str) -> CalendarObject:
        return parse_object(calendar(body))

    def read(self, method: str, body: str, sender: str = "") -> Message | Refusal:
        (found,) = messages(parse(calendar(body, method)), address(sender) if sender else None)
        return found

    def message(self, method: str, body: str, sender: str = "") -> Message:
        found = self.read(method, body, sender)
        assert isinstance(found, Message), found
        return found

    def after(self, minutes: float) -> datetime:
        return NOW + timedelta(minutes=minutes)


@pytest.fixture(scope="session")
def stage() -> Stage:
    return Stage()
