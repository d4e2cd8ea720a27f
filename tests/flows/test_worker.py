"""Whatever a job does, the worker goes on, and the job is tried again, ended or buried; never lost."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import select

from gateway.errors import BackendUnavailable, LeaseLost, MalformedCalendar
from gateway.flows.worker import LEASE, Worker, WorkerSettings, delay
from gateway.log import Log
from gateway.ports import Clock, Job, JobKind, JobState, NewJob, Queue
from gateway.store import schema
from gateway.store.claims import ALONE


@pytest.fixture
def queued(world):
    async def queue(journey, **facts) -> str:
        world.journeys["apply"] = journey
        world.process = world.begin()
        plain = {"kind": JobKind.APPLY, "lane": "l", "payload": {"source": "mail"}, "uid": "m1"}
        (name,) = await world.store.queue.add([NewJob(**plain | facts)])
        return name

    return queue


async def ended(world, job) -> None:
    await world.store.queue.finish(job)


async def test_an_unknown_exception_is_retried_and_then_buried_with_its_name_but_not_its_text(world, queued):
    async def broken(job):
        raise ZeroDivisionError("a secret of the calendar")

    name = await queued(broken)
    await world.work()
    assert await world.waiting() == [("apply", "due", "internal-error")]
    for _ in range(60):
        world.clock.forward(hours=1, minutes=15)
        await world.work()
    assert await world.waiting() == [("apply", "buried", "internal-error")]
    (entry,) = await world.store.journal.story(name)
    assert (entry["outcome"], entry["reason"], entry["kind"]) == ("failed", "internal-error", "mail")
    assert entry["notes"] == [{"code": "detail", "text": "ZeroDivisionError"}]


async def test_what_a_peer_sent_wrong_is_not_tried_for_two_days(world, queued):
    async def malformed(job):
        raise MalformedCalendar("odd")

    await queued(malformed)
    await world.work()
    assert await world.waiting() == [("apply", "buried", "malformed-calendar")]


async def test_a_released_job_gets_another_life(world, queued):
    lives = []

    async def once_broken(job):
        lives.append(job.id)
        if len(lives) == 1:
            raise MalformedCalendar("odd")
        await ended(world, job)

    name = await queued(once_broken)
    await world.work()
    assert await world.store.queue.release(name)
    await world.work()
    assert lives == [name, name]
    assert await world.waiting() == []


async def test_retries_wait_longer_and_longer_up_to_an_hour():
    for attempts in range(50):
        base = min(60 * 2**attempts, 3600)
        assert timedelta(seconds=0.8 * base) <= delay(attempts) <= timedelta(seconds=1.2 * base)


async def test_a_job_whose_lease_is_lost_is_left_to_its_new_owner(world, queued):
    async def robbed(job):
        raise LeaseLost("gone")

    await queued(robbed)
    assert await world.work() == 1
    assert await world.waiting() == [("apply", "leased", "")]


async def test_a_job_that_could_not_be_put_back_is_reported_before_the_next_is_claimed(
    world, queued, monkeypatch
):
    lives = []

    async def run(job):
        lives.append(job.attempts)
        if len(lives) == 1:
            raise BackendUnavailable("the calendar")
        await ended(world, job)

    async def retry(*args, **kwargs):
        raise BackendUnavailable("the database")

    await queued(run)
    monkeypatch.setattr(world.store.queue, "retry", retry)
    assert await world.work() == 2  # without it the lease would have to run out
    assert lives == [0, 1]


@pytest.mark.parametrize(("trouble", "deaths"), [(True, 0), (False, 1)])
async def test_who_lost_the_lease_while_the_database_was_silent_has_not_died(
    world, queued, monkeypatch, trouble, deaths
):
    """But who lost it though it answered has kept the process from asking in time, and may be what kills processes."""

    async def extend(*args, **kwargs):
        if trouble:
            raise BackendUnavailable("no route to host")
        return False

    async def run(job):
        world.clock.forward(seconds=1)
        await world.store.queue.claim("another", limit=1, lease=LEASE)
        await asyncio.Event().wait()

    await queued(run)
    monkeypatch.setattr("gateway.flows.worker.LEASE", timedelta(seconds=0.03))
    monkeypatch.setattr(world.store.queue, "extend", extend)
    await world.work()
    counted = await world.store.db.read(lambda conn: conn.execute(select(schema.job.c.deaths)).scalar())
    assert counted == deaths


async def test_what_is_in_hand_at_the_end_is_given_back(world, queued):
    begun = asyncio.Event()

    async def run(job):
        begun.set()
        await asyncio.Event().wait()

    await queued(run)
    working = asyncio.create_task(world.process.worker.run())
    await begun.wait()
    working.cancel()
    await asyncio.wait([working])
    await world.process.worker.leave()
    assert await world.waiting() == [("apply", "due", "lease-lost")]
    (again,) = await world.store.queue.claim("next", limit=1, lease=LEASE)
    assert not again.alone


async def test_a_job_of_a_dead_process_runs_when_its_lease_has_run_out(world, queued):
    ran = []

    async def run(job):
        ran.append(job.id)
        await ended(world, job)

    name = await queued(run)
    await world.store.queue.claim("the dead", limit=1, lease=LEASE)
    assert await world.work() == 0
    world.clock.forward(minutes=6)
    assert await world.work() == 1
    assert ran == [name]


async def test_jobs_of_a_lane_run_one_after_the_other_and_others_beside_them(world, queued):
    world.concurrency = 16
    running: set[str] = set()
    most = 0

    async def run(job):
        nonlocal most
        assert job.lane not in running
        running.add(job.lane)
        most = max(most, len(running))
        for _ in range(5):
            await asyncio.sleep(0)
        running.remove(job.lane)
        await ended(world, job)

    await queued(run)
    jobs = [NewJob(kind=JobKind.APPLY, lane=f"lane {number % 4}", payload={}) for number in range(20)]
    await world.store.queue.add(jobs)
    assert await world.work() == 21
    assert most > 1


async def test_beside_a_job_that_many_workers_died_with_nothing_is_begun(world, queued):
    world.concurrency = 16
    running: list[str] = []
    beside: list[str] = []

    async def run(job):
        running.append(job.id)
        for _ in range(20):
            await asyncio.sleep(0)
            beside.extend(running if job.alone else ())
        running.remove(job.id)
        await ended(world, job)

    name = await queued(run)
    for _ in range(ALONE + 1):
        await world.store.queue.claim("dead", limit=1, lease=LEASE)
        world.clock.forward(minutes=5)
    await world.store.queue.add([NewJob(kind=JobKind.APPLY, lane=f"{one}", payload={}) for one in range(3)])
    assert await world.work() == 4
    assert set(beside) == {name}


async def test_a_queue_that_does_not_answer_ends_nothing(world, queued, monkeypatch):
    async def run(job):
        await ended(world, job)

    await queued(run)
    real = world.store.queue.claim
    troubles = [BackendUnavailable("locked"), ZeroDivisionError()]

    async def claim(*args, **kwargs):
        if troubles:
            raise troubles.pop(0)
        return await real(*args, **kwargs)

    monkeypatch.setattr(world.store.queue, "claim", claim)
    monkeypatch.setattr("gateway.store.queue.POLL", 0.01)
    running = asyncio.create_task(world.process.worker.run())
    while await world.waiting():
        await asyncio.sleep(0.01)
    world.process.worker.stop()
    await running
    assert troubles == []


async def test_a_worker_that_is_stopped_finishes_what_it_holds(world, queued):
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(job):
        begun.set()
        await go_on.wait()
        await ended(world, job)

    await queued(slow)
    running = asyncio.create_task(world.process.worker.run())
    await begun.wait()
    world.process.worker.stop()
    go_on.set()
    await running
    assert await world.waiting() == []


async def test_a_job_that_takes_long_keeps_its_lease_and_one_that_lost_it_is_stopped(
    world, queued, monkeypatch
):
    monkeypatch.setattr("gateway.flows.worker.LEASE", timedelta(seconds=0.3))
    kept = []

    async def extend(job, lease):
        kept.append(job.id)
        if len(kept) == 1:
            raise BackendUnavailable("locked")
        return len(kept) < 4

    monkeypatch.setattr(world.store.queue, "extend", extend)

    async def endless(job):
        await asyncio.Event().wait()

    name = await queued(endless)
    assert await world.work() == 1
    assert kept == [name] * 4
    assert [one[1] for one in await world.waiting()] == ["leased"]


async def test_a_job_that_nobody_knows_how_to_run_is_buried_in_the_end_and_stops_nothing(world, queued):
    async def run(job):
        await ended(world, job)

    await queued(run)
    await world.store.queue.add([NewJob(kind=JobKind.SYNC, lane="s", payload={})])
    await world.work()
    assert await world.waiting() == [("sync", "due", "internal-error")]


class Ended:
    """A queue that only forgets."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    async def finish(self, job: Job, **facts: Any) -> None:
        self.ended.append(job.id)

    async def claim(self, name: str, **facts: Any) -> tuple[Job, ...]:
        return ()

    async def wait_for_work(self, seconds: float) -> None:
        await asyncio.sleep(0)


def job_in_hand(name: str) -> Job:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    facts: dict[str, Any] = dict.fromkeys(("account", "uid", "message_id", "reason"), "")
    return Job(
        **facts,
        id=name,
        kind=JobKind.RELAY,
        state=JobState.LEASED,
        lane=name,
        payload={},
        body=b"x" * 60,
        attempts=0,
        due=now,
        created=now,
        token="t",
    )


async def test_hands_take_so_many_mails_and_octets_and_none_after_the_end() -> None:
    queue, go = Ended(), asyncio.Event()

    async def relay(job: Job) -> None:
        await go.wait()
        await queue.finish(job)

    worker = Worker(
        name="w",
        queue=cast("Queue", queue),
        journeys={"relay": relay},
        clock=cast("Clock", None),
        log=Log(),
        settings=WorkerSettings(at_once=2, at_once_bytes=100),
    )
    assert not worker.reserve(1)  # it does not work yet
    working = asyncio.create_task(worker.run())
    await asyncio.sleep(0)
    assert worker.reserve(60)
    assert not worker.reserve(60)
    assert worker.reserve(40)
    assert not worker.reserve(0)
    worker.release(40)
    worker.take(job_in_hand("a"))
    worker.stop()
    assert not worker.reserve(1)
    await asyncio.sleep(0)
    assert not working.done()  # what it has in its hands is brought to its end
    go.set()
    await working
    assert queue.ended == ["a"]
