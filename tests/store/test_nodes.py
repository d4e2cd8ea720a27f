"""Several processes on one PostgreSQL: they wake each other, and who comes second tries again."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from gateway.errors import BackendUnavailable
from gateway.ports import CollectionState, JobKind, NewJob, Snapshot
from gateway.store import schema
from gateway.store.bodies import LARGE
from gateway.store.db import Database

pytestmark = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
LEASE = timedelta(minutes=1)


async def heard(store, seconds: float = 20.0) -> bool:
    """Has the bell of this store been rung within so many seconds?"""
    loop = asyncio.get_running_loop()
    before = loop.time()
    await store.db.bell.wait(seconds)
    return loop.time() - before < seconds


async def test_a_job_of_one_node_wakes_the_others(open_store, new_job) -> None:
    here, there = await open_store(), await open_store()
    while not await heard(there, 0.2):  # its ear may not be open yet
        await here.queue.add([new_job("a")])
    assert len(await there.queue.claim("w", limit=1, lease=LEASE)) == 1


async def test_one_mail_that_comes_to_two_nodes_at_once_is_one_job(open_store, new_mail) -> None:
    nodes = [await open_store() for _ in range(3)]
    for number in range(10):
        mail = new_mail(str(number))
        names = await asyncio.gather(*(node.intake.accept(mail) for node in nodes))
        assert len(set(names)) == 1
    assert len(await nodes[0].queue.list_jobs()) == 10


async def test_one_key_that_comes_to_two_nodes_at_once_is_one_job(open_store, new_job) -> None:
    nodes = [await open_store() for _ in range(3)]
    for number in range(10):
        names = await asyncio.gather(*(node.queue.add([new_job(key=f"k{number}")]) for node in nodes))
        assert len(set(names)) == 1


async def test_a_lane_is_never_leased_twice_however_many_nodes_ask(open_store, new_job) -> None:
    nodes = [await open_store() for _ in range(3)]
    await nodes[0].queue.add([new_job(f"lane{number % 7}") for number in range(70)])
    done = []
    while len(done) < 70:
        claims = await asyncio.gather(*(node.queue.claim("w", limit=4, lease=LEASE) for node in nodes))
        jobs = [job for claimed in claims for job in claimed]
        assert len({job.lane for job in jobs}) == len(jobs) > 0
        for node, claimed in zip(nodes, claims, strict=True):
            for job in claimed:
                await node.queue.finish(job)
        done += [job.id for job in jobs]
    assert len(set(done)) == 70


async def test_one_node_looks_at_a_collection_at_a_time(open_store) -> None:
    nodes = [await open_store() for _ in range(3)]
    for number in range(5):
        path = f"/cal{number}/"
        got = await asyncio.gather(
            *(node.snapshots.lease_collection("alice", path, worker=str(node), lease=LEASE) for node in nodes)
        )
        assert got.count(None) == 2


async def test_a_node_that_starts_leaves_the_leases_of_the_others_alone(open_store, new_job) -> None:
    here = await open_store()
    await here.queue.add([new_job()])
    (job,) = await here.queue.claim("here", limit=1, lease=LEASE)
    other = await open_store()
    await other.recover("other")
    assert await other.queue.claim("other", limit=1, lease=LEASE) == ()
    await here.queue.finish(job)


async def test_a_large_body_is_where_every_node_finds_it(open_store, new_job, state_dir) -> None:
    here, there = await open_store(), await open_store()
    body = b"x" * (LARGE + 1)
    await here.queue.add([new_job(body=body)])
    assert list(state_dir.glob("content/*")) == []
    (job,) = await there.queue.claim("there", limit=1, lease=LEASE)
    assert await job.file.whole() == body


@pytest.mark.parametrize(
    "uid",
    ["with\0nul", "half \ud83d surrogate", "long " * 2000, "ü" * 5000],
    ids=["nul", "half", "long", "wide"],
)
async def test_text_that_the_database_cannot_hold_loses_no_job(store, uid: str) -> None:
    new = NewJob(
        kind=JobKind.APPLY, lane=f"alice|{uid}", payload={"uid": uid}, uid=uid, message_id=f"<{uid}@x>"
    )
    (name,) = await store.queue.add([new])
    (job,) = await store.queue.claim("w", limit=1, lease=LEASE)
    assert job.id == name
    shot = Snapshot(account="a", collection="/", href="/x", uid=uid, etag="", fingerprint="", data=b"")
    await store.snapshots.synced(CollectionState(account="a", path="/"), put=[shot])
    (found,) = await store.snapshots.by_uid("a", uid)
    assert found.href == "/x"


async def test_nodes_that_start_together_upgrade_once(postgresql, backend, tmp_path) -> None:
    url = postgresql.url(postgresql.create())
    nodes = [Database(url, tmp_path / str(number)) for number in range(4)]
    await asyncio.gather(*(asyncio.to_thread(node.upgrade) for node in nodes))
    assert {node.version() for node in nodes} == {schema.REVISION}
    for node in nodes:
        node.dispose()


async def test_a_server_that_is_gone_is_unavailable_and_comes_back(postgresql, store, new_job) -> None:
    """Every connection is cut, as at a failover: what is asked next connects anew."""
    name = await store.db.read(lambda conn: conn.exec_driver_sql("SELECT current_database()").scalar())
    postgresql.cut(name)
    for _ in range(3):  # what was begun on a dead connection fails once, as unavailable
        try:
            (job,) = await store.queue.add([new_job()])
        except BackendUnavailable:
            continue
        break
    assert await store.db.read(lambda conn: conn.execute(select(schema.job.c.id)).scalar_one()) == job
