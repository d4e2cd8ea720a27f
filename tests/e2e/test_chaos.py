"""Two gateways whose post delays, repeats and reorders every mail: in the end all calendars say the same.

The same post, in good order, carries each method of iTIP once.
"""

from __future__ import annotations

import email.policy
import random
import re
import smtplib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from gateway.ical import recur, times
from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, parse_object, partstat
from gateway.ical.tree import Component, prop, text_prop
from gateway.imip.read import read
from gateway.itip.model import Method
from gateway.itip.roles import line_in
from gateway.itip.significance import instance

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]

START = (datetime.now(UTC) + timedelta(days=30)).replace(hour=10, minute=0, second=0, microsecond=0)
UID = "through-the-storm"
ALICE, BOB, CAROL = Address("alice@example.org"), Address("bob@example.net"), Address("carol@example.net")
LOSSLESS = 8  # rounds in which everything that waits is delivered; each answers the one before


@dataclass
class Mail:
    sender: str
    recipient: str
    content: bytes
    times: int = 0  # that it was delivered


@dataclass
class Post:
    """The mail server between the two: it takes everything, and delivers when and how often it likes, but at last once."""

    port: int
    routes: dict[str, Any] = field(default_factory=dict)  # domain -> gateway
    waiting: list[Mail] = field(default_factory=list)
    carried: list[Mail] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        for to in envelope.rcpt_tos:
            self.waiting.append(Mail(envelope.mail_from or "", to, envelope.original_content))
        return "250 ok"

    def deliver(self, mail: Mail) -> None:
        """Each time as a mail of its own, by its trace: the door would know the same octets again."""
        mail.times += 1
        trace = f"Received: from storm by post.example; {datetime.now(UTC):%a, %d %b %Y %H:%M:%S} +0000\r\n"
        with smtplib.SMTP(
            "127.0.0.1", self.routes[mail.recipient.rpartition("@")[2]].port, timeout=30
        ) as wire:
            wire.sendmail(
                mail.sender, [mail.recipient], f"X-Round: {mail.times}\r\n{trace}".encode() + mail.content
            )

    def shake(self, chance: random.Random, share: float) -> None:
        """A part of what waits, in any order; some of it twice, and now and then something that was carried before."""
        chosen = [mail for mail in self.waiting if chance.random() < share]
        self.waiting = [mail for mail in self.waiting if mail not in chosen]
        again = [mail for mail in (*chosen, *self.carried) if chance.random() < 0.3]
        self.carried += chosen
        bag = [*chosen, *again]
        chance.shuffle(bag)
        for mail in bag:
            self.deliver(mail)
        for side in {id(side): side for side in self.routes.values()}.values() if bag else ():
            side.run("drain", "--timeout", "60")

    def calm(self, chance: random.Random | None = None) -> None:
        """Until nobody has anything more to say. Without chance: in the order in which it came, once each."""
        for _ in range(LOSSLESS):
            for side in {id(side): side for side in self.routes.values()}.values():
                side.settle()
            if not self.waiting:
                return
            if chance is not None:
                self.shake(chance, 1.0)
                continue
            waiting, self.waiting = self.waiting, []
            self.carried += waiting
            for mail in waiting:
                self.deliver(mail)
        raise AssertionError("they go on writing to each other")


@pytest.fixture
def street(start: Callable[..., Any], free_port: Callable[[], int]) -> Iterator[tuple[Any, Any, Post]]:
    """Alice here, Bob and Carol there, and the post between them."""
    post = Post(port=free_port())
    controller = Controller(post, hostname="127.0.0.1", port=post.port, enable_SMTPUTF8=True)
    controller.start()
    settings = {
        "smarthost": f"smtp://127.0.0.1:{post.port}",
        "trust": 'trusted_networks_are = "proven"',
    }
    here = start("here", users=("alice",), domain="example.org", **settings)
    there = start("there", users=("bob", "carol"), domain="example.net", **settings)
    post.routes = {"example.org": here, "example.net": there}
    here.settle()
    there.settle()
    yield here, there, post
    controller.stop()


def instant(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%SZ}"


def meeting(*lines: str, uid: str = UID, kind: str = "VEVENT") -> str:
    end = "DUE" if kind == "VTODO" else "DTEND"
    return "\r\n".join(
        [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//Client//EN",
            f"BEGIN:{kind}",
            f"UID:{uid}",
            f"DTSTAMP:{instant(datetime.now(UTC))}",
            f"DTSTART:{instant(START)}",
            f"{end}:{instant(START + timedelta(hours=1))}",
            "SUMMARY:Across the street",
            f"ORGANIZER:mailto:{ALICE}",
            f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{BOB}",
            *lines,
            f"END:{kind}",
            "END:VCALENDAR",
            "",
        ]
    )


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody with a calendar program, which knows only what stands in his calendar."""

    side: Any
    name: str
    address: Address
    post: Post

    def copy(self, uid: str = UID) -> CalendarObject | None:
        text = self.side.object(self.name, uid)
        return parse_object(text.encode()) if text else None

    def save(self, of: CalendarObject) -> None:
        self.side.put(self.name, of.uid, of.data.decode())
        self.side.settle()

    def answers(self, value: str, *, week: int | None = None, uid: str = UID) -> None:
        """He can answer only what he has, and only where it is on; "all of it" means every date that he has not answered."""
        of = self.copy(uid)
        if of is None:
            return
        key = "" if week is None else (keys(of)[week : week + 1] or [""])[0]
        changed = of
        for each in [key, *(of.overrides if week is None else ())]:
            component = instance(of, each)
            line = line_in(component, {self.address})
            if component is None or line is None or component.value("STATUS") == "CANCELLED":
                continue
            if each == key or partstat(line) == "NEEDS-ACTION":
                told = component.replace(line, line.with_params(PARTSTAT=value, RSVP=None))
                changed = changed.with_component(each, told)
        if changed is not of:
            self.save(changed)

    def component(self, uid: str) -> Component:
        of = self.copy(uid)
        assert of is not None and of.master is not None
        return of.master

    def answer_of(self, who: Address, uid: str) -> str:
        """What this person's calendar says of that guest; "" where it does not know him."""
        line = line_in(self.component(uid), {who})
        return partstat(line) if line is not None else ""

    def saves(self, uid: str, change: Callable[[Component], Component]) -> None:
        of = self.copy(uid)
        assert of is not None and of.master is not None
        self.save(of.with_component("", change(of.master)))

    def line(self, uid: str, **params: str | None) -> Callable[[Component], Component]:
        """His own line, changed so."""

        def change(component: Component) -> Component:
            found = line_in(component, {self.address})
            assert found is not None
            return component.replace(found, found.with_params(**params))

        return change

    def tells(self, uid: str, *, days: int) -> list[str]:
        """A meeting of his of that day, as lines; whom he invites stands last."""
        begin = START + timedelta(days=days)
        return [
            f"UID:{uid}",
            f"SEQUENCE:{days}",
            f"DTSTART:{instant(begin)}",
            f"DTEND:{instant(begin + timedelta(hours=1))}",
            "SUMMARY:More",
            f"ORGANIZER:mailto:{self.address}",
            f"ATTENDEE;RSVP=TRUE:mailto:{BOB}",
        ]

    def proposes(self, uid: str, *, hours: int) -> None:
        """COUNTER, as mail programs write it."""
        begin = START + timedelta(hours=hours)
        self.mails(
            "COUNTER",
            ALICE,
            f"UID:{uid}",
            f"SEQUENCE:{self.component(uid).value('SEQUENCE') or 0}",
            f"DTSTART:{instant(begin)}",
            f"DTEND:{instant(begin + timedelta(hours=1))}",
            "SUMMARY:Across the street",
            f"ORGANIZER:mailto:{ALICE}",
            f"ATTENDEE;PARTSTAT=TENTATIVE:mailto:{self.address}",
        )

    def mails(self, method: str, to: Address, *lines: str) -> None:
        """What a program writes that mails by itself."""
        mail = EmailMessage(policy=email.policy.SMTP)
        mail["From"], mail["To"], mail["Subject"] = self.address, to, method
        mail["Message-ID"], mail["Date"] = (
            f"<{method}-{len(self.post.carried)}-{self.name}@post.example>",
            datetime.now(UTC),
        )
        mail.set_content(method)
        text = "\r\n".join(
            [
                "BEGIN:VCALENDAR",
                "VERSION:2.0",
                "PRODID:-//Client//EN",
                f"METHOD:{method}",
                "BEGIN:VEVENT",
                f"DTSTAMP:{instant(datetime.now(UTC))}",
                *lines,
                "END:VEVENT",
                "END:VCALENDAR",
                "",
            ]
        )
        mail.add_alternative(text.encode(), "text", "calendar", params={"method": method, "charset": "utf-8"})
        self.post.waiting.append(Mail(self.address, to, mail.as_bytes()))


def alone(of: CalendarObject) -> CalendarObject:
    """The series without what is special about single dates."""
    assert of.master is not None
    for key in of.overrides:
        of = of.without_component(key)
    return of


def keys(of: CalendarObject) -> list[str]:
    """The RECURRENCE-IDs of the series, as the master has them."""
    found = recur.occurrences(alone(of), after=START - timedelta(days=9), before=START + timedelta(days=60))
    return [instant(one.start.instant()) for one in found]


@dataclass(frozen=True, kw_only=True)
class Organizer(Person):
    def edits(self, name: str, value: str) -> None:
        of = self.copy()
        assert of is not None and of.master is not None
        changed = of.with_component("", of.master.put(text_prop(name, value)))
        for key, override in of.overrides.items():
            changed = changed.with_component(key, override.put(text_prop(name, value)))
        self.save(changed)

    def moves(self, hours: int) -> None:
        """The whole series, as programs do it: what was special about single dates is gone."""
        of = self.copy()
        assert of is not None and of.master is not None
        begin = START + timedelta(hours=hours)
        master = of.master.without("EXDATE").put(prop("DTSTART", instant(begin)))
        master = master.put(prop("DTEND", instant(begin + timedelta(hours=1))))
        self.save(alone(of).with_component("", master))

    def takes_out(self, week: int) -> None:
        of = self.copy()
        assert of is not None and of.master is not None
        key = keys(of)[week]
        self.save(of.with_component("", of.master.add(prop("EXDATE", key))).without_component(key))


def said(of: CalendarObject | None, who: Address, every: list[str]) -> dict[str, Any]:
    """What a calendar tells of each date, and how that guest answered it."""
    assert of is not None
    out: dict[str, Any] = {}
    for key in every:
        component = instance(of, key)
        if component is None or component.value("STATUS") == "CANCELLED":
            out[key] = "off"
            continue
        begin = times.start(component, of.zones)
        line = line_in(component, {who})
        facts = (component.text("SUMMARY"), component.text("LOCATION"))
        out[key] = (begin and instant(begin.instant()), *facts, line and partstat(line))
    return out


def everybody(street: tuple[Any, Any, Post]) -> tuple[Organizer, Person, Person]:
    here, there, post = street
    return (
        Organizer(side=here, name="alice", address=ALICE, post=post),
        Person(side=there, name="bob", address=BOB, post=post),
        Person(side=there, name="carol", address=CAROL, post=post),
    )


def methods(post: Post) -> set[tuple[str, str]]:
    """(method, component) of everything that was carried."""
    parts = [part for mail in post.carried for part in read(mail.content).parts]
    told = [re.findall(rb"^(?:METHOD|BEGIN):(\w+)", part.data, re.MULTILINE) for part in parts]
    words = [[word.decode() for word in one if not word.startswith(b"VTIMEZONE")] for one in told]
    return {(one[1], one[2]) for one in words}


def test_the_post_carries_each_method_and_both_sides_agree(street: tuple[Any, Any, Post]) -> None:
    """A task and its progress, a delegation, a question for what stands, two proposals, a date more, a cancellation."""
    here, there, post = street
    alice, bob, carol = everybody(street)
    here.put_new("alice", "task", meeting(uid="task", kind="VTODO"))
    here.put_new("alice", "talk", meeting(uid="talk"))
    post.calm()
    done = (prop("PERCENT-COMPLETE", "100"), prop("STATUS", "COMPLETED"))
    bob.saves("task", lambda task: task.put(done[0]).put(done[1]))
    bob.saves("task", bob.line("task", PARTSTAT="COMPLETED", RSVP=None))
    bob.saves("talk", bob.line("talk", PARTSTAT="DELEGATED", DELEGATED_TO=f"mailto:{CAROL}", RSVP=None))
    post.calm()
    assert alice.answer_of(BOB, "task") == "COMPLETED"
    assert alice.component("task").value("STATUS") == "COMPLETED"
    assert (alice.answer_of(BOB, "talk"), alice.answer_of(CAROL, "talk")) == ("DELEGATED", "NEEDS-ACTION")
    carol.saves("talk", carol.line("talk", PARTSTAT="ACCEPTED", RSVP=None))
    post.calm()
    assert [one.answer_of(CAROL, "talk") for one in (alice, carol)] == ["ACCEPTED"] * 2
    carol.mails("REFRESH", ALICE, "UID:talk", f"ORGANIZER:mailto:{ALICE}", f"ATTENDEE:mailto:{CAROL}")
    post.calm()
    assert "refreshed" in {line["reason"] for line in here.json("why", "talk")}
    carol.proposes("talk", hours=2)
    post.calm()
    here.run("proposal", "decline", here.json("proposal", "list")[0]["id"])
    post.calm()
    carol.proposes("talk", hours=4)
    post.calm()
    here.run("proposal", "accept", here.json("proposal", "list")[0]["id"])
    post.calm()
    later = instant(START + timedelta(hours=4))
    assert [one.component("talk").value("DTSTART") for one in (alice, carol)] == [later] * 2
    assert here.json("proposal", "list") == []
    alice.mails("REQUEST", BOB, *alice.tells("more", days=0))
    alice.mails("ADD", BOB, *alice.tells("more", days=1))
    alice.mails("PUBLISH", BOB, *alice.tells("public", days=0)[:-1])
    post.calm()
    assert f"{START + timedelta(days=1):%Y%m%dT}" in there.object("bob", "more")
    assert [line["reason"] for line in there.json("why", "public")] == ["publish-off"]
    here.delete("alice", "talk")
    post.calm()
    assert [one.component("talk").value("STATUS") for one in (bob, carol)] == ["CANCELLED"] * 2
    carried = {method for method, _ in methods(post)}
    assert {("REQUEST", "VTODO"), ("REPLY", "VTODO")} <= methods(post)
    assert carried == set(Method)
    for side in (here, there):
        stats = side.json("queue", "stats")
        assert (stats["held"], stats["buried"], stats["letters_due"]) == (0, 0, 0)


@pytest.mark.parametrize(
    "seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)]
)
def test_a_post_that_delays_repeats_and_reorders_ends_in_equal_calendars(
    street: tuple[Any, Any, Post], seed: int
) -> None:
    here, there, post = street
    chance = random.Random(seed)
    alice, bob, carol = everybody(street)
    guest = f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{CAROL}"
    here.put_new("alice", UID, meeting(guest, "RRULE:FREQ=WEEKLY;COUNT=4"))
    here.settle()
    alices: list[Callable[[], None]] = [
        lambda: alice.edits("SUMMARY", "Renamed"),
        lambda: alice.moves(1),
        lambda: alice.takes_out(2),
        lambda: alice.edits("LOCATION", "The other room"),
    ]
    guests: list[Callable[[], None]] = [
        lambda: bob.answers("ACCEPTED"),
        lambda: carol.answers("DECLINED"),
        lambda: bob.answers("DECLINED", week=1),
        lambda: carol.answers("TENTATIVE"),
    ]
    chance.shuffle(guests)
    for organizers, one in zip(alices, guests, strict=True):
        organizers()
        post.shake(chance, 0.5)
        one()
        post.shake(chance, 0.5)
    post.calm(chance)
    held = alice.copy()
    assert held is not None and held.master is not None
    every = keys(held.with_component("", held.master.without("EXDATE")))
    assert len(every) == 4 and list(said(held, BOB, every).values()).count("off") == 1
    for person in (bob, carol):
        story = f"{here.run('why', UID)}\n--- {person.name}\n{there.run('why', UID)}"
        assert said(person.copy(), person.address, every) == said(held, person.address, every), story
    assert {mail.times for mail in post.carried} > {1}, "nothing was repeated"
    for side in (here, there):
        stats = side.json("queue", "stats")
        assert (stats["held"], stats["buried"], stats["letters_due"]) == (0, 0, 0)
