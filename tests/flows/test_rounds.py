"""Who is looked at next: bounded, fair, and at once when somebody says so."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from gateway.accounts import Account, Accounts
from gateway.errors import BackendUnavailable
from gateway.flows.rounds import Rounds
from gateway.flows.watch import Round

HOUR = timedelta(hours=1)


@pytest.fixture
def clock():
    return Clock()


class Clock:
    moment = datetime(2026, 11, 2, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def forward(self, **time: float) -> None:
        self.moment += timedelta(**time)


class Looking:
    """Stands for `Watch` and the store: who is due, who was looked at, whose server hangs."""

    def __init__(self) -> None:
        self.looked: list[str] = []
        self.overdue: set[str] = set()
        self.hanging: set[str] = set()
        self.broken: set[str] = set()
        self.free = asyncio.Event()

    async def due(self, what):
        if not isinstance(what, Account):
            return frozenset(self.overdue)
        self.looked.append(what.address)
        if what.address in self.hanging:
            await self.free.wait()
        if what.address in self.broken:
            raise BackendUnavailable("down")
        self.overdue.discard(what.address)
        return (Round(account=what.address, collection="/c/"),)


def accounts(*names: str, server: str = "main") -> list[Account]:
    return [Account(address=f"{name}@example.org", username=name, server=server) for name in names]


def rounds(looking, clock, people, *, width: int = 4) -> Rounds:
    return Rounds(
        accounts=Accounts(people, domains=("example.org",), service_address="calendar@example.org"),
        snapshots=looking,
        watch=looking,
        clock=clock,
        interval=HOUR,
        width=width,
    )


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_everybody_is_looked_at_once_at_first_and_then_when_due(clock) -> None:
    looking = Looking()
    made = rounds(looking, clock, accounts("a", "b"))
    await made.beat()
    await turns()
    await made.beat()
    await turns()
    assert looking.looked == ["a@example.org", "b@example.org"]
    looking.overdue = {"b@example.org"}
    await made.beat()
    await turns()
    assert looking.looked[2:] == ["b@example.org"]


async def test_no_more_at_once_than_a_server_bears_and_a_dead_server_starves_no_other(clock) -> None:
    looking = Looking()
    slow = accounts(*"abcdefgh")
    looking.hanging = {one.address for one in slow}
    made = rounds(looking, clock, [*slow, *accounts("z", server="other")], width=3)
    for _ in range(3):
        await made.beat()
        await turns()
    assert sorted(looking.looked) == ["a@example.org", "b@example.org", "c@example.org", "z@example.org"]
    looking.free.set()
    await turns()
    await made.beat()
    await turns()
    assert len(looking.looked) == 7


async def test_who_could_not_be_looked_at_comes_again_sooner(clock) -> None:
    looking = Looking()
    looking.broken = {"a@example.org"}
    made = rounds(looking, clock, accounts("a", "b"))
    for _ in range(3):
        await made.beat()
        await turns()
        clock.forward(hours=1)
    assert looking.looked == ["a@example.org", "b@example.org", "a@example.org", "a@example.org"]


@pytest.mark.timeout(20)
async def test_a_word_from_outside_is_heard_at_once_and_the_end_leaves_nothing_running(
    clock, monkeypatch
) -> None:
    monkeypatch.setattr("gateway.flows.rounds.BEAT", 3600)
    looking = Looking()
    made = rounds(looking, clock, accounts("a"))
    running = asyncio.create_task(made.run())
    await turns()
    looking.hanging = {"a@example.org"}
    looking.overdue = {"a@example.org"}
    made.wake()
    await turns()
    assert looking.looked == ["a@example.org"] * 2
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not made._running
