"""A lane may be as long as it likes: what stands behind is looked at once, and each in its turn runs."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from gateway.errors import LeaseLost
from gateway.ports import Plan
from gateway.store import lanes, mailq, schema

LEASE = timedelta(minutes=1)
J = schema.job


async def ahead(store) -> int:
    """How many jobs a claim would look at."""
    statement = select(func.count()).where(J.c.behind == 0, J.c.state != "leased")
    return await store.db.read(lambda conn: conn.execute(statement).scalar_one())


async def in_order(store) -> list[str]:
    done = []
    while jobs := await store.queue.claim("w", limit=4, lease=LEASE):
        for job in jobs:
            await store.queue.finish(job)
            done.append(job.id)
    return done


async def test_a_long_lane_is_looked_at_once(store, new_job, monkeypatch) -> None:
    monkeypatch.setattr(lanes, "PAGE", 8)
    monkeypatch.setattr(lanes, "PAGES", 3)
    names = []
    for _ in range(60):
        names += await store.queue.add([new_job("long")])
    (first,) = await store.queue.claim("w", limit=4, lease=LEASE)
    assert await ahead(store) > 0  # one transaction does not look at all of them
    assert await store.queue.claim("w", limit=4, lease=LEASE) == ()
    assert await ahead(store) == 0
    await store.queue.finish(first)
    assert await ahead(store) == 1
    assert [first.id, *await in_order(store)] == names


async def test_beside_a_long_lane_another_one_is_found(store, new_job, clock, monkeypatch) -> None:
    monkeypatch.setattr(lanes, "PAGE", 8)
    monkeypatch.setattr(lanes, "PAGES", 2)
    for _ in range(50):
        await store.queue.add([new_job("long")])
    (first,) = await store.queue.claim("w", limit=1, lease=LEASE)
    clock.forward(seconds=1)
    (other,) = await store.queue.add([new_job("short")])
    (job,) = await store.queue.claim("w", limit=1, lease=LEASE)
    assert job.id == other
    assert first.lane == "long"


@pytest.mark.parametrize("how", ["retry", "park", "bury", "finish"])
async def test_however_the_first_goes_the_second_comes(store, new_job, clock, how: str) -> None:
    await store.queue.add([new_job("a")])
    clock.forward(seconds=1)
    (second,) = await store.queue.add([new_job("a")])
    (job,) = await store.queue.claim("w", limit=4, lease=LEASE)
    assert await store.queue.claim("w", limit=4, lease=LEASE) == ()
    later = clock.now() + timedelta(hours=1)
    if how == "retry":
        await store.queue.retry(job, due=later, reason="r")
    elif how == "park":
        await store.queue.park(job, due=later, reason="r")
    elif how == "bury":
        await store.queue.bury(job, "r")
    else:
        await store.queue.finish(job)
    (job,) = await store.queue.claim("w", limit=4, lease=LEASE)
    assert job.id == second


async def test_what_stood_behind_a_dropped_job_comes(store, new_job, clock) -> None:
    (head,) = await store.queue.add([new_job("a", due=clock.now() + timedelta(seconds=5))])
    (other,) = await store.queue.add([new_job("a", due=clock.now() + timedelta(seconds=6))])
    clock.forward(seconds=10)
    conn = store.db
    await conn.write(lambda c: c.execute(update(J).where(J.c.id == other).values(behind=1)).rowcount)
    assert await store.queue.drop(head)
    (job,) = await store.queue.claim("w", limit=4, lease=LEASE)
    assert job.id == other


async def test_a_job_whose_plan_is_open_is_never_behind(store, new_job, clock) -> None:
    await store.queue.add([new_job("a", uid="u")])
    (job,) = await store.queue.claim("w", limit=1, lease=LEASE)
    await store.plans.plan(job, Plan(job=job.id, account="alice", uid="u", action="none"), [])
    for _ in range(3):
        await store.queue.add([new_job("a", uid="u")])
    clock.forward(seconds=1)
    await store.queue.retry(job, due=clock.now(), reason="r")
    assert [one.id for one in await store.queue.claim("w", limit=4, lease=LEASE)] == [job.id]


async def test_who_waits_behind_nobody_is_woken(store, new_job) -> None:
    """A program of before the marks does not wake anybody."""
    (name,) = await store.queue.add([new_job("a")])
    await store.queue.add([new_job("a")])
    await store.db.write(lambda conn: conn.execute(update(J).values(behind=1)).rowcount)
    assert await store.queue.claim("w", limit=4, lease=LEASE) == ()
    assert await store.queue.heal() == 1
    assert [one.id for one in await store.queue.claim("w", limit=4, lease=LEASE)] == [name]


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_nobody_is_left_behind_while_nodes_add_claim_and_finish(open_store, new_job) -> None:
    nodes = [await open_store() for _ in range(3)]
    added: list[str] = []
    done: list[str] = []

    async def fill(node) -> None:
        for number in range(30):
            added.extend(await node.queue.add([new_job(f"lane{number % 2}")]))

    async def work(node) -> None:
        while len(done) < 90:
            for job in await node.queue.claim(str(id(node)), limit=2, lease=LEASE):
                await node.queue.finish(job)
                done.append(job.id)
            await asyncio.sleep(0)

    async with asyncio.timeout(60):
        await asyncio.gather(*map(fill, nodes), *map(work, nodes))
    assert sorted(done) == sorted(added)


@pytest.mark.parametrize("way", ["dropped", "moved"])
async def test_the_next_one_comes_when_the_one_before_goes_as_the_first_of_the_lane_ends(
    open_store, new_job, clock, backend: str, way: str
) -> None:
    """Three transactions at once: a person takes the second away (or moves it behind), a claim marks the third, the first ends."""
    here, there, third = [await open_store() for _ in range(3)]
    names = []
    for _ in range(3):
        names += await here.queue.add([new_job("a")])
        clock.forward(seconds=1)
    (first,) = await here.queue.claim("w", limit=1, lease=LEASE)
    removed, go = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def take_away(conn) -> None:
        if way == "dropped":
            assert mailq.drop(conn, there.queue._jobs, names[1])
        else:
            assert mailq.make_due(conn, there.queue._jobs, names[1], states=["due"], timed=True)
        loop.call_soon_threadsafe(removed.set)
        assert go.wait(60)

    away = asyncio.create_task(there.db.write(take_away))
    await removed.wait()
    claim = asyncio.create_task(third.queue.claim("w", limit=4, lease=LEASE))
    if backend == "postgresql":  # SQLite lets nobody else write meanwhile
        assert await claim == ()
    end = asyncio.create_task(here.queue.finish(first))
    while backend == "postgresql" and not end.done() and not await waits(third):
        await asyncio.sleep(0)
    go.set()
    await asyncio.gather(away, claim, end)
    left = [names[2]] if way == "dropped" else [names[2], names[1]]
    taken = [job.id for job in claim.result()]
    for job in claim.result():
        await third.queue.finish(job)
    assert taken + await in_order(here) == left


async def waits(store) -> bool:
    """Whether somebody waits for the lock of another transaction."""
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return await store.db.read(lambda conn: bool(conn.exec_driver_sql(waiting).first()))


async def test_a_node_dead_until_its_lease_ends_is_followed_and_writes_nothing_when_it_returns(
    open_store, new_job, clock
) -> None:
    dead, other = await open_store(), await open_store()
    await dead.queue.add([new_job("a", uid="u"), new_job("a", uid="u")])
    (job,) = await dead.queue.claim("dead", limit=4, lease=LEASE)
    plan = await dead.plans.plan(job, Plan(job=job.id, account="alice", uid="u", action="none"), [])
    assert await dead.snapshots.lease_collection("alice", "/cal/", worker="dead", lease=LEASE)
    assert await other.queue.claim("other", limit=4, lease=LEASE) == ()
    assert not await other.snapshots.lease_collection("alice", "/cal/", worker="other", lease=LEASE)
    clock.forward(seconds=61)
    (taken,) = await other.queue.claim("other", limit=4, lease=LEASE)
    assert (taken.id, taken.attempts) == (job.id, 1)
    assert await other.snapshots.lease_collection("alice", "/cal/", worker="other", lease=LEASE)
    assert not await dead.snapshots.lease_collection("alice", "/cal/", worker="dead", lease=LEASE)
    assert not await dead.queue.extend(job, LEASE)
    for late in (
        dead.plans.settle(job, plan, snapshot=None, spawn=[new_job("b")]),
        dead.plans.plan(job, plan, []),
        dead.queue.finish(job, spawn=[new_job("b")]),
        dead.queue.retry(job, due=clock.now(), reason="r"),
        dead.queue.bury(job, "r"),
    ):
        with pytest.raises(LeaseLost):
            await late
    listed = await other.queue.list_jobs()
    assert sorted(one["state"] for one in listed) == ["due", "leased"]
    assert await other.plans.open_plan(taken) == plan


async def steps(store, clock) -> int:
    """What a look at all that is due costs, in steps of SQLite's machine."""
    counted = 0

    def one() -> int:
        nonlocal counted
        counted += 1
        return 0

    def look(conn) -> None:
        raw = conn.connection.driver_connection
        raw.set_progress_handler(one, 10)
        try:
            lanes.ready(conn, 4, now=clock.now(), kinds=())
        finally:
            raw.set_progress_handler(None, 0)

    await store.db.write(look)
    return counted


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_looking_at_a_lane_costs_in_line_with_its_length(store, new_job, clock) -> None:
    """Twice as many jobs may cost about twice as much, never four times."""
    costs = []
    for name, length in (("short", 200), ("long", 400)):
        await store.queue.add([new_job(name) for _ in range(length)])
        (job,) = await store.queue.claim("w", limit=1, lease=LEASE)
        costs.append(await steps(store, clock))
        assert job.lane == name
    assert costs[1] < costs[0] * 3


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("apart", [0, 1])
async def test_the_next_of_a_lane_costs_the_same_however_many_wait(store, new_job, clock, apart: int) -> None:
    costs, long = [], timedelta(days=1)
    for name, length in (("short", 10), ("long", 1000)):
        await store.queue.add(
            [new_job(name, due=clock.now() + timedelta(seconds=n * apart)) for n in range(length)]
        )
        clock.forward(hours=1)
        (job,) = await store.queue.claim("w", limit=4, lease=long)
        while await ahead(store):
            assert await store.queue.claim("w", limit=4, lease=long) == ()
        await store.queue.finish(job)
        costs.append(await steps(store, clock))
        (job,) = await store.queue.claim("w", limit=4, lease=long)
        assert job.lane == name
    assert costs[1] < costs[0] * 1.5


async def test_what_an_older_program_planned_keeps_its_lane_waiting_too(store, new_job, clock) -> None:
    """It did not write the lane beside the plan."""
    await store.queue.add([new_job("a", uid="u"), new_job("a", uid="u")])
    (job,) = await store.queue.claim("w", limit=4, lease=LEASE)
    await store.plans.plan(job, Plan(job=job.id, account="alice", uid="u", action="none"), [])
    await store.db.write(lambda conn: conn.execute(update(schema.plan).values(lane="")).rowcount)
    await store.queue.retry(job, due=clock.now() + timedelta(hours=1), reason="r")
    assert await store.queue.heal() == 0
    assert await store.queue.claim("w", limit=4, lease=LEASE) == ()
    clock.forward(hours=1)
    assert [one.id for one in await store.queue.claim("w", limit=4, lease=LEASE)] == [job.id]
