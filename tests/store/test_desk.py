from __future__ import annotations

from datetime import timedelta

import pytest

from gateway import ports
from gateway.store.desk import Store

LEASE = timedelta(minutes=5)


def rooms(store: Store) -> tuple[object, ...]:
    """That the rooms are what the journeys ask for, mypy says of these lines."""
    intake: ports.Intake = store.intake
    queue: ports.Queue = store.queue
    plans: ports.Plans = store.plans
    ledger: ports.Ledger = store.ledger
    journal: ports.Journal = store.journal
    snapshots: ports.Snapshots = store.snapshots
    return intake, queue, plans, ledger, journal, snapshots


async def test_every_room_has_every_method_that_the_journeys_ask_for(store) -> None:
    protocols = (ports.Intake, ports.Queue, ports.Plans, ports.Ledger, ports.Journal, ports.Snapshots)
    for room, protocol in zip(rooms(store), protocols, strict=True):
        asked = [name for name in vars(protocol) if not name.startswith("_")]
        assert asked
        assert [name for name in asked if not hasattr(room, name)] == []


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_what_a_dead_process_left_is_taken_up_at_once(open_store, new_job, state_dir) -> None:
    dead = await open_store()
    (name,) = await dead.queue.add([new_job()])
    await dead.queue.claim("dead", limit=1, lease=LEASE)
    await dead.snapshots.lease_collection("alice@example.org", "/cal/", worker="dead", lease=LEASE)
    store = await open_store()
    assert await store.queue.claim("w", limit=1, lease=LEASE) == ()
    await store.recover("w")
    (job,) = await store.queue.claim("w", limit=1, lease=LEASE)
    assert (job.id, job.attempts) == (name, 1)
    assert await store.snapshots.lease_collection("alice@example.org", "/cal/", worker="w", lease=LEASE)
