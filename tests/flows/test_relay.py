"""A mail that goes on to the next hop: unchanged, at least once to each, and never lost without a word."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.errors import BackendUnavailable
from gateway.flows.receive import Door
from gateway.flows.relay import Relay, RelaySettings, marked
from gateway.flows.worker import LEASE, Worker, WorkerSettings
from gateway.ports import Envelope, JobKind, PassedOn, Peer, Queue, ReceivedMail, Recipient, Sent
from gateway.store.desk import Store

TEXT = (
    b"Received: from a by b\r\nSubject: hello\r\nX-Imip-Gateway-Id: forged\r\n\tfolded\r\n\r\nbody \xff\r\n"
)
OK, BUSY, NO = (
    Sent(state="sent", code=250),
    Sent(state="deferred", code=450),
    Sent(state="failed", code=550, text="5.1.1 no such user"),
)


@dataclass
class Hop:
    """A next hop that says to each recipient what the table says, once in each turn."""

    answers: Mapping[str, list[Sent]] = field(default_factory=dict)
    took: list[PassedOn] = field(default_factory=list)
    asked: list[PassedOn] = field(default_factory=list)

    async def pass_on(self, mail: PassedOn) -> tuple[Sent, ...]:
        self.asked.append(mail)
        said = tuple(self._answer(one.address) for one in mail.envelope.recipients)
        took = tuple(
            one for one, sent in zip(mail.envelope.recipients, said, strict=True) if sent.state == "sent"
        )
        if took:
            self.took.append(replace(mail, envelope=replace(mail.envelope, recipients=took)))
        return said

    def _answer(self, address: str) -> Sent:
        left = self.answers.get(address, [])
        return left.pop(0) if len(left) > 1 else left[0] if left else OK

    async def offers(self) -> frozenset[str]:
        return frozenset()


class Road:
    """The door, a worker that only relays, and both hops."""

    def __init__(self, world: Any, *, queue: Queue | None = None, **answers: list[Sent]) -> None:
        """`queue`: of another node."""
        self.world = world
        self.hop, self.smarthost = Hop({f"{name}@example.org": said for name, said in answers.items()}), Hop()
        self.queue = queue or world.store.queue
        relay = Relay(
            queue=self.queue,
            hop=lambda url: self.hop if url else self.smarthost,
            clock=world.clock,
            log=world.log,
            settings=RelaySettings(
                hostname="example.org", postmaster="MAILER-DAEMON@example.org", retry_for=timedelta(days=2)
            ),
        )
        self.worker = Worker(
            name="w",
            queue=self.queue,
            journeys={str(JobKind.RELAY): relay.run},
            clock=world.clock,
            log=world.log,
            settings=WorkerSettings(),
        )

    async def take(
        self, *to: str, sender: str = "carol@example.com", content: bytes = TEXT, **options: Any
    ) -> str:
        recipients = tuple(
            one if isinstance(one, Recipient) else Recipient(address=f"{one}@example.org") for one in to
        )
        mail = ReceivedMail(
            envelope=Envelope(sender=sender, recipients=recipients, **options),
            peer=Peer(after="relay", relay_to="smtp://hop"),
            content=content,
            received_at=self.world.clock.now(),
        )
        return await Door(self.world.store.intake, self.world.accounts, self.world.log).accept(mail)

    async def jobs(self) -> list[dict[str, Any]]:
        return list(await self.world.store.queue.list_jobs())


async def test_a_mail_goes_on_as_it_came_but_for_one_header(world: Any) -> None:
    road = Road(world)
    job = await road.take("nobody", body="8BITMIME", ret="HDRS", envid="e1")
    await road.worker.once()
    (mail,) = road.hop.took
    assert mail.content == f"X-Imip-Gateway-Id: {job}\r\n".encode() + TEXT.replace(
        b"X-Imip-Gateway-Id: forged\r\n\tfolded\r\n", b""
    )
    assert (mail.envelope.sender, mail.envelope.body, mail.envelope.ret, mail.envelope.envid) == (
        "carol@example.com",
        "8BITMIME",
        "HDRS",
        "e1",
    )
    assert await road.jobs() == []


async def test_an_invitation_is_read_under_the_name_that_the_mail_carries(world: Any) -> None:
    road = Road(world)
    calendar = b"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
    job = await road.take("alice", content=calendar)
    kinds = {one["kind"]: one["id"] for one in await road.jobs()}
    assert set(kinds) == {"mail", "relay"}
    assert kinds["mail"] == job
    (relayed,) = list(await world.store.queue.claim("w", limit=9, lease=timedelta(1), kinds=[JobKind.RELAY]))
    assert relayed.payload["mail"] == job


async def test_what_is_for_the_gateway_itself_ends_here(world: Any) -> None:
    road = Road(world)
    await road.take("calendar", "alice")
    await road.take("calendar")
    relays = await world.store.queue.claim("w", limit=9, lease=timedelta(1), kinds=[JobKind.RELAY])
    assert [[one["address"] for one in job.payload["envelope"]["recipients"]] for job in relays] == [
        ["alice@example.org"]
    ]


async def test_who_was_busy_is_asked_again_and_who_took_it_is_not(world: Any) -> None:
    road = Road(world, bob=[BUSY, BUSY, OK])
    await road.take("alice", "bob")
    for _ in range(4):
        await road.worker.once()
        world.clock.moment += timedelta(hours=2)
    assert [[one.address for one in mail.envelope.recipients] for mail in road.hop.took] == [
        ["alice@example.org"],
        ["bob@example.org"],
    ]
    assert await road.jobs() == []


async def test_a_hop_that_is_down_keeps_the_mail_waiting_longer_and_longer(world: Any) -> None:
    road = Road(world, bob=[BUSY])
    await road.take("bob")
    waits = []
    for _ in range(4):
        await road.worker.once()
        (job,) = await road.jobs()
        due = await world.store.queue.next_due()
        waits.append(due - world.clock.now())
        world.clock.moment = due
    assert job["state"] == "due"
    assert waits == sorted(waits)
    assert waits[-1] > 4 * waits[0]


async def test_who_is_refused_is_told_to_the_sender(world: Any) -> None:
    road = Road(world, eve=[NO])
    await road.take("alice", "eve", envid="e1")
    await road.worker.once()
    (report,) = road.smarthost.took
    assert (report.envelope.sender, [one.address for one in report.envelope.recipients]) == (
        "",
        ["carol@example.com"],
    )
    mail = email.message_from_bytes(report.content, policy=email.policy.default)
    assert mail.get_content_type() == "multipart/report"
    text, status, headers = mail.iter_parts()
    assert "<eve@example.org>" in text.get_content()
    whole, one = status.get_payload()
    assert (whole["Original-Envelope-Id"], one["Final-Recipient"]) == ("e1", "rfc822; eve@example.org")
    assert (one["Action"], one["Status"]) == ("failed", "5.1.1")
    assert "Subject: hello" in headers.get_content()
    assert b"body" not in report.content.partition(b"rfc822-headers")[2]
    (line,) = await world.store.journal.story(await world.store.db.read(_origin))
    assert (line["outcome"], line["reason"]) == ("failed", "next-hop-refused")


def _origin(conn: Any) -> str:
    return str(conn.exec_driver_sql("SELECT origin FROM journal").scalar())


@pytest.mark.parametrize("notify", ["NEVER", "SUCCESS"])
async def test_who_asked_for_no_report_gets_none(world: Any, notify: str) -> None:
    road = Road(world, eve=[NO])
    await road.take(Recipient(address="eve@example.org", notify=notify))  # type: ignore[arg-type]
    await road.worker.once()
    assert road.smarthost.took == []
    assert await road.jobs() == []


async def test_a_mail_that_nobody_can_be_told_about_is_buried(world: Any) -> None:
    road = Road(world, eve=[NO])
    await road.take("eve", sender="")
    await road.worker.once()
    (job,) = await road.jobs()
    assert (job["state"], job["reason"]) == ("buried", "next-hop-refused")
    assert road.smarthost.took == []


async def test_a_hop_that_stays_down_is_given_up_and_told(world: Any) -> None:
    road = Road(world, bob=[BUSY])
    await road.take("bob")
    await road.worker.once()
    world.clock.moment += timedelta(days=3)
    await road.worker.once()
    assert len(road.smarthost.took) == 1
    assert await road.jobs() == []


async def test_a_mail_that_comes_twice_goes_on_once(world: Any) -> None:
    road = Road(world)
    assert await road.take("alice") == await road.take("alice")
    await road.worker.once()
    assert len(road.hop.took) == 1


@dataclass
class Slow(Hop):
    """Takes a mail only once it is told to."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def pass_on(self, mail: PassedOn) -> tuple[Sent, ...]:
        self.reached.set()
        await self.go.wait()
        return await super().pass_on(mail)


@pytest.fixture
async def nodes(new_world: Any, database: str) -> AsyncIterator[tuple[Road, Road]]:
    """Two nodes on one database, before one next hop; that of the first is slow."""
    world = await new_world(database=database)
    other = Store(database, world.folder, "example.org", now=world.clock.now)
    await other.start()
    one, two = Road(world), Road(world, queue=other.queue)
    one.hop = Slow(took=two.hop.took)
    yield one, two
    await other.close()


async def test_a_mail_whose_node_dies_after_the_250_goes_on_once_more_and_is_the_same(
    nodes: tuple[Road, Road], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least once: the next hop has it, and nobody knows (RFC 1047)."""
    one, two = nodes
    one.hop.go.set()  # type: ignore[attr-defined]
    await one.take("bob")

    async def dies(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(one.queue, "finish", dies)
    dead = asyncio.create_task(one.worker.once())
    while not one.hop.took:
        await asyncio.sleep(0)
    dead.cancel()
    assert await two.worker.once() == 0, "it may yet end what it began"
    one.world.clock.moment += LEASE
    assert await two.worker.once() == 1
    first, second = one.hop.took
    assert (first.content, first.envelope) == (second.content, second.envelope)
    assert await two.jobs() == []


async def test_a_slow_next_hop_gets_one_copy_from_the_node_that_keeps_its_lease(
    nodes: tuple[Road, Road], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = nodes
    kept, extend = asyncio.Event(), one.queue.extend

    async def keeps(*args: Any) -> bool:
        found = await extend(*args)
        kept.set()
        return found

    monkeypatch.setattr("gateway.flows.worker.LEASE", timedelta(seconds=0.3))
    monkeypatch.setattr(one.queue, "extend", keeps)
    await one.take("bob")
    working = asyncio.create_task(one.worker.once())
    await one.hop.reached.wait()  # type: ignore[attr-defined]
    for _ in range(3):
        one.world.clock.moment += timedelta(seconds=0.2)
        kept.clear()
        await kept.wait()
        assert await two.worker.once() == 0
    one.hop.go.set()  # type: ignore[attr-defined]
    assert await working == 1
    assert (len(one.hop.took), await two.jobs()) == (1, [])


@pytest.mark.parametrize("trouble", ["taken over", "cut off"])
async def test_a_node_that_loses_its_lease_while_the_next_hop_is_slow_sends_no_copy(
    nodes: tuple[Road, Road], monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """One copy, from the node that took it over."""
    one, two = nodes

    async def unreachable(*_: Any, **__: Any) -> bool:
        raise BackendUnavailable("no route to host")

    monkeypatch.setattr("gateway.flows.worker.LEASE", timedelta(seconds=0.3))
    await one.take("bob")
    working = asyncio.create_task(one.worker.once())
    await one.hop.reached.wait()  # type: ignore[attr-defined]
    if trouble == "cut off":
        monkeypatch.setattr(one.queue, "extend", unreachable)
        monkeypatch.setattr(one.queue, "claim", unreachable)
    one.world.clock.moment += timedelta(seconds=1)
    if trouble == "taken over":
        assert await two.worker.once() == 1
    await working
    one.hop.go.set()  # type: ignore[attr-defined]
    await two.worker.once()
    assert (len(one.hop.took), one.hop.asked, await two.jobs()) == (1, [], [])


@pytest.mark.parametrize(
    ("content", "left"),
    [
        (
            b"A: 1\r\n\r\nX-Imip-Gateway-Id: in the body\r\n",
            b"A: 1\r\n\r\nX-Imip-Gateway-Id: in the body\r\n",
        ),
        (b"x-imip-gateway-ID : a\r\nA: 1\r\n\r\n", b"A: 1\r\n\r\n"),
        (b"\r\nno header\r\n", b"\r\nno header\r\n"),
        (b"", b""),
        (b"A: 1\r\nX-Imip-Gateway-Id: no end", b"A: 1\r\nX-Imip-Gateway-Id: no end"),
    ],
)
def test_only_the_header_is_touched(content: bytes, left: bytes) -> None:
    assert marked(content, "j") == b"X-Imip-Gateway-Id: j\r\n" + left
