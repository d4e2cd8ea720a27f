"""What is over is forgotten: after any number of days the store holds what the last ones brought, and the ledger."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from gateway.flows.changed import Burst
from gateway.ports import Peer
from gateway.store import schema

ALICE, BOB, CAROL, EVE = "alice@example.org", "bob@example.net", "carol@example.com", "eve@example.com"
FAR = {"DTSTART": "20270110T100000Z", "DTEND": "20270110T110000Z"}
RELAYED = Peer(address="192.0.2.1", after="relay", relay_to="smtp://next:25")
RENDERED = Peer(
    role="outgoing",
    address="192.0.2.1",
    trusted=True,
    after="render",
    relay_to="smtp://next:25",
    evidence="network",
)
LARGE = 300_000  # octets; such a body lies in a file
KEEP = timedelta(days=2)
STEADY = 5  # days until the stream has filled what is kept: mails before their meeting are parked for three, then kept
REPORT = (Path(__file__).parents[1] / "imip" / "bounces" / "postfix-unknown.eml").read_bytes()


class Life:
    """One day after the other at Alice's."""

    def __init__(self, world: Any, say: Any) -> None:
        self.world, self.say = world, say
        self.day = 0

    async def live(self, days: int, *what: Callable[[], Awaitable[None]]) -> None:
        for _ in range(days):
            self.day += 1
            begun: datetime = self.world.clock.moment
            for one in what:
                await one()
            self.clears()
            await self.world.drain()
            self.world.clock.moment = begun + timedelta(days=1)
            await self.world.store.forget(self.world.clock.now() - KEEP)
            self.world.outbox.mails.clear()
            self.world.onward.mails.clear()

    def times(self, hour: int) -> dict[str, str]:
        day = self.world.clock.moment + timedelta(days=1)
        return {"DTSTART": f"{day:%Y%m%d}T{hour:02}0000Z", "DTEND": f"{day:%Y%m%d}T{hour + 1:02}0000Z"}

    def stamp(self) -> str:
        self.world.clock.forward(seconds=10)
        return f"{self.world.clock.moment:%Y%m%dT%H%M%SZ}"

    def asked(self, uid: str, hour: int = 10, **lines: str) -> str:
        return self.say.invitation(uid, DTSTAMP=self.stamp(), **self.times(hour), **lines)

    def asks(self, uid: str, hour: int = 10, **lines: str) -> str:
        return self.say.meeting(uid, f"{BOB} {CAROL}", DTSTAMP=self.stamp(), **self.times(hour), **lines)

    async def invited(self) -> None:
        """Bob asks, moves and cancels; Alice answers; others say what they have no right to."""
        world, uid = self.world, f"in{self.day}"
        await world.mail("REQUEST", self.asked(uid))
        world.edit(f"/alice/calendar/{uid}.ics", ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))
        await world.drain()
        await world.mail("REQUEST", self.asked(uid, 12, SEQUENCE="1"))
        for name in ("<twice@example.net>",) * 2:
            await world.mail("REQUEST", self.asked(uid, 12, SEQUENCE="1"), message_id=name)
        await world.mail("CANCEL", self.asked(uid, 12, SEQUENCE="2", STATUS="CANCELLED"))
        await world.mail("REQUEST", self.asked(f"refused{self.day}"), sender=EVE, dmarc="fail")
        await world.mail("CANCEL", self.asked(uid, SEQUENCE="9"), sender=EVE)
        await world.mail("REPLY", self.say.answer(f"parked{self.day}", DTSTAMP=self.stamp()))
        for number in range(2):
            words = f"Lunch {'and more ' * (LARGE // 9 * number)}"
            await world.mail("REQUEST", self.asked(f"held{self.day}-{number}", SUMMARY=words), dmarc="none")
        await self.decide()

    async def decide(self) -> None:
        held = self.world.store.held
        for number, item in enumerate(await held.list()):
            assert await (held.refuse if number % 2 else held.approve)(item["id"])
        await self.world.drain()

    async def invites(self) -> None:
        """Alice asks, is answered and asked for another time; one letter comes back; she calls it off."""
        world, uid = self.world, f"out{self.day}"
        href = world.save(self.asks(uid), name=uid)
        await world.drain()
        letter = next(one for one in world.outbox.mails if one.recipient == CAROL)
        await world.deliver(
            REPORT.replace(b"\n", b"\r\n") + self.stamp().encode(), to=letter.sender, sender=""
        )
        await world.mail("REPLY", self.say.answer(uid, DTSTAMP=self.stamp(), **self.times(10)))
        for who, crasher in ((BOB, ""), (EVE, "eve")):
            await world.mail(
                "REPLY", self.say.answer(uid, who=who, DTSTAMP=self.stamp(), **self.times(10)), sender=who
            )
            if not crasher:
                guest = f"ORGANIZER:mailto:{ALICE}\nATTENDEE;PARTSTAT=TENTATIVE:mailto:{who}"
                later = self.say.event(uid, more=guest, DTSTAMP=self.stamp(), **self.times(15))
                await world.mail("COUNTER", later, sender=who)
        await self.decide()
        world.edit(href, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
        await world.drain()
        for number in range(2):
            later = self.asks(f"sent{self.day}-{number}")
            content = self.say.raw_mail(
                self.say.calendar(later, "REQUEST"),
                "REQUEST",
                sender=ALICE,
                to=BOB,
                message_id=f"<r{self.day}@a>",
            )
            await world.deliver(content, to=f"{BOB},{EVE}", sender=ALICE, peer=RENDERED)
        await world.drain()
        world.calendars.remove(href)
        await world.drain()

    async def goes_on(self) -> None:
        """Two meetings that stay, of which each day somebody says something, also about days that they have not."""
        world, day = self.world, f"{self.world.clock.moment:%Y%m%d}"
        rid = {"RECURRENCE_ID": f"{day}T070000Z", "DTSTART": f"{day}T080000Z", "DTEND": f"{day}T090000Z"}
        if self.day == 1:
            world.save(self.say.meeting("ours0", f"{BOB} {CAROL}", DTSTAMP=self.stamp(), **FAR), name="ours0")
            await world.drain()
        world.edit("/alice/calendar/ours0.ics", ("SUMMARY:Lunch", f"SUMMARY:Lunch{self.day}\r\nX-OLD:"))
        await world.drain()
        await world.mail("REPLY", self.say.answer("ours0", DTSTAMP=self.stamp(), **FAR))
        await world.mail("REPLY", self.say.answer("ours0", DTSTAMP=self.stamp(), **rid))
        await world.mail(
            "REPLY", self.say.answer("ours0", who=f"{day}@x.net"), sender=f"{day}@x.net", dmarc="fail"
        )
        sequence = {"DTSTAMP": self.stamp(), "SEQUENCE": str(self.day), "SUMMARY": f"Tea{self.day}", **FAR}
        await world.mail("REQUEST", self.say.invitation("theirs0", **sequence))
        await world.mail("CANCEL", self.say.invitation("theirs0", **{**sequence, **rid}))
        await self.decide()

    async def imports(self) -> None:
        """Many at once are held; half of them is let go."""
        for number in range(8):
            self.world.save(self.asks(f"many{self.day}-{number}"), name=f"many{self.day}-{number}")
        await self.world.drain()
        await self.decide()

    async def passes_by(self) -> None:
        """Mail that is none of ours, small and large."""
        for size in (100, LARGE):
            content = (
                b"Received: from a by b\r\nSubject: " + self.stamp().encode() + b"\r\n\r\n" + b"x" * size
            )
            await self.world.deliver(content, peer=RELAYED)
        await self.world.deliver(
            b"Subject: no meeting " + self.stamp().encode() + b"\r\n\r\nx" + b"x" * LARGE
        )
        await self.world.drain()

    async def makes_a_calendar(self) -> None:
        """One for a day, in which a meeting lies to the end."""
        calendars = self.world.calendars
        path = calendars.collection("alice", f"day{self.day}")
        self.world.save(self.asks(f"there{self.day}"), name="m", path=path)
        await self.world.drain()
        del calendars.objects[path]
        await self.world.drain()

    def clears(self) -> None:
        """Alice keeps no meeting that is long over."""
        objects = self.world.calendars.objects
        for href in [one for one in objects["/alice/calendar/"] if _day(one) <= self.day - 2]:
            self.world.calendars.remove(href)


def _day(href: str) -> int:
    """Of whose making it is; 0: it stays."""
    name = href.rpartition("/")[2].partition("-")[0]
    return int("".join(filter(str.isdigit, name))) or sys.maxsize


async def rows(store: Any) -> dict[str, int]:
    """How many rows each table has."""
    return {
        one.name: await store.db.read(
            lambda conn, one=one: conn.execute(select(func.count()).select_from(one)).scalar_one()
        )
        for one in schema.metadata.sorted_tables
    }


async def marked(store: Any) -> Counter[str]:
    """How many rows of the ledger each meeting has."""
    uids = select(schema.ledger.c.uid)
    return Counter(await store.db.read(lambda conn: conn.execute(uids).scalars().all()))


def spooled(world: Any) -> int:
    return sum(1 for one in world.folder.rglob("*") if one.is_file() and "sqlite3" not in one.name)


@pytest.mark.slow
async def test_the_store_holds_no_more_after_ten_days_than_after_five(new_world, database, say):
    world = await new_world(
        database=database, burst=Burst(events=6, within=timedelta(minutes=10)), statuses=True
    )
    life = Life(world, say)
    what = (
        *(life.invited, life.invites, life.goes_on),
        *(life.imports, life.passes_by, life.makes_a_calendar),
    )
    await life.live(STEADY, *what)
    before, marks, files = await rows(world.store), await marked(world.store), spooled(world)
    await life.live(10 - STEADY, *what)
    after, later = await rows(world.store), await marked(world.store)
    assert {**after, "ledger": 0} == {**before, "ledger": 0}
    assert spooled(world) == files
    assert {uid: later[uid] for uid in marks} == marks
    assert max(later.values()) == max(marks.values())


async def test_mail_that_passes_by_and_calendars_of_a_day_leave_nothing(world, say):
    life = Life(world, say)
    await life.live(3, life.passes_by, life.makes_a_calendar)
    before = await rows(world.store)
    await life.live(3, life.passes_by, life.makes_a_calendar)
    assert await rows(world.store) == before
    assert spooled(world) == 0
