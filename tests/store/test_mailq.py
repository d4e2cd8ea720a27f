from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from gateway.ports import Held, JobKind
from gateway.store import schema
from gateway.store.bodies import LARGE

LEASE = timedelta(minutes=5)


async def claim(store):
    return await store.queue.claim("w", limit=10, lease=LEASE)


async def test_the_list_shows_each_job_with_null_for_what_is_not_there(store, new_job, clock) -> None:
    (name,) = await store.queue.add([new_job(kind=JobKind.MAIL, account="", uid="")])
    assert await store.queue.list_jobs() == [
        {
            "id": name,
            "kind": "mail",
            "state": "due",
            "account": None,
            "uid": None,
            "message_id": None,
            "attempts": 0,
            "due": "2027-03-10T09:30:00.000Z",
            "reason": None,
        }
    ]
    shown = await store.queue.show(name)
    assert (shown["created"], shown["lease_until"]) == ("2027-03-10T09:30:00.000Z", None)
    assert await store.queue.show("nothing") is None


async def test_the_figures_count_each_job_once(store, new_job, clock) -> None:
    later = clock.now() + timedelta(minutes=1)
    assert (await store.queue.stats())["oldest_seconds"] is None
    await store.queue.add([new_job(f"lane-{n}") for n in range(4)])
    held, parked, buried, _ = await claim(store)
    await store.queue.hold(held, Held(kind="mail", account="a", reason="r"))
    await store.queue.park(parked, due=later, reason="unknown-uid")
    await store.queue.bury(buried, "given-up")
    await store.queue.add([new_job("l1", kind=JobKind.LETTER)])
    (letter,) = await claim(store)
    await store.queue.retry(letter, due=later, reason="451")
    await store.queue.add([new_job("l2", kind=JobKind.LETTER), new_job("x"), new_job("y", due=later)])
    clock.forward(seconds=3)
    assert await store.queue.stats() == {
        "due": 2,
        "leased": 1,
        "waiting": 2,
        "parked": 1,
        "held": 1,
        "buried": 1,
        "letters_due": 1,
        "letters_deferred": 1,
        "oldest_seconds": 3.0,
    }


async def test_drained_means_nothing_due_or_leased(store, new_job, clock) -> None:
    drained = store.queue.drained
    assert await drained(True)
    await store.queue.add([new_job()])
    assert not await drained(False)
    (job,) = await claim(store)
    assert not await drained(False)
    await store.queue.retry(job, due=clock.now() + timedelta(minutes=1), reason="x")
    assert await drained(True), "what waits for a peer does not count"
    await store.queue.add([new_job("b", due=clock.now() + timedelta(seconds=30), reason="settling")])
    assert await drained(False)
    assert not await drained(True), "what waits for a timer counts when asked for"
    clock.forward(minutes=1)
    assert not await drained(False)


async def test_what_waits_for_a_person_or_a_peer_is_drained(store, new_job, clock) -> None:
    await store.queue.add([new_job(f"lane-{n}") for n in range(3)])
    held, parked, buried = await claim(store)
    await store.queue.hold(held, Held(kind="mail", account="a", reason="r"))
    await store.queue.park(parked, due=clock.now() + timedelta(hours=1), reason="unknown-uid")
    await store.queue.bury(buried, "given-up")
    assert await store.queue.drained(True)


async def test_a_person_can_make_a_waiting_job_run_now(store, new_job, clock) -> None:
    (name,) = await store.queue.add([new_job(due=clock.now() + timedelta(hours=1))])
    assert await store.queue.retry_now(name)
    assert [job.id for job in await claim(store)] == [name]
    assert not await store.queue.retry_now(name), "it runs"
    assert not await store.queue.retry_now("nothing")


async def test_a_held_job_is_not_retried(store, new_job) -> None:
    await store.queue.add([new_job()])
    (job,) = await claim(store)
    await store.queue.hold(job, Held(kind="mail", account="a", reason="r"))
    assert not await store.queue.retry_now(job.id)


async def test_a_dropped_job_leaves_a_line_in_the_journal(store, new_job, state_dir) -> None:
    (name,) = await store.queue.add([new_job(body=b"x" * (LARGE + 1), message_id="<m@x>")])
    assert await store.queue.drop(name)
    assert await store.queue.list_jobs() == []
    assert list(state_dir.glob("content/*")) == []
    line = await store.db.read(lambda conn: conn.execute(select(schema.journal)).one())
    assert (line.job, line.outcome, line.reason, line.message_id) == (name, "failed", "dropped", "<m@x>")
    assert not await store.queue.drop(name)


async def test_a_job_that_runs_is_not_dropped(store, new_job) -> None:
    (name,) = await store.queue.add([new_job()])
    await claim(store)
    assert not await store.queue.drop(name)


async def test_dropping_a_held_job_closes_what_is_held(store, new_job) -> None:
    await store.queue.add([new_job()])
    (job,) = await claim(store)
    await store.queue.hold(job, Held(kind="mail", account="a", reason="r"))
    assert await store.queue.drop(job.id)
    assert await store.held.list() == []
