"""The queue against a model of it: two processes, any order of claims, endings, deaths and waits."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as some
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway.errors import LeaseLost
from gateway.ports import Held, Job, JobKind, NewJob
from gateway.store.claims import ALONE, MOST_DEATHS
from gateway.store.db import Database
from gateway.store.desk import Store

LEASE = timedelta(seconds=60)
FREE = ("due", "waiting", "buried")


@dataclass
class Known:
    """What the model knows of one job."""

    id: str
    lane: str
    key: str
    state: str
    due: datetime | None
    attempts: int = 0
    deaths: int = 0
    owner: int = 0
    until: datetime | None = None
    lease: Job | None = None

    @property
    def place(self) -> tuple[datetime, str]:
        assert self.due is not None
        return (self.due, self.id)


class Queues(RuleBasedStateMachine):
    """Two stores on one database, and a dict."""

    fresh: Callable[[Path], str]  # makes it anew; its URL

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        url = type(self).fresh(self.folder)
        self.now = datetime(2027, 3, 10, tzinfo=UTC)
        self.loop = asyncio.Runner()
        self.stores = [Store(url, self.folder, "example.org", now=lambda: self.now) for _ in range(2)]
        for store in self.stores:
            self.loop.run(store.start())
        self.jobs: dict[str, Known] = {}
        self.ghosts: list[Job] = []

    def teardown(self) -> None:
        for store in self.stores:
            self.loop.run(store.close())
        self.loop.close()
        shutil.rmtree(self.folder)

    # --- what can happen ---

    @rule(
        who=some.integers(0, 1),
        lane=some.sampled_from("abc"),
        key=some.sampled_from(["", "", "k1", "k2"]),
        delay=some.sampled_from([0, 0, 5, 90]),
    )
    def add(self, who: int, lane: str, key: str, delay: int) -> None:
        self.now += timedelta(milliseconds=1)  # names of one moment sort by chance
        due = self.now + timedelta(seconds=delay)
        new = NewJob(kind=JobKind.APPLY, lane=lane, key=key, due=due, payload={})
        (name,) = self.loop.run(self.stores[who].queue.add([new]))
        old = next((one for one in self.jobs.values() if key and one.key == key and one.state in FREE), None)
        if old is None:
            assert name not in self.jobs
            self.jobs[name] = Known(id=name, lane=lane, key=key, state="due", due=due)
            return
        assert name == old.id
        old.lane, old.attempts = lane, 0
        if old.state != "waiting":
            old.state, old.due = "due", due

    @rule(who=some.integers(0, 1), limit=some.integers(1, 3))
    def claim(self, who: int, limit: int) -> None:
        for one in self._expired():
            if one.deaths >= MOST_DEATHS:
                self.ghosts.append(one.lease)
                one.state, one.due, one.until, one.lease = "buried", None, None, None
        expected = self._claimable(who, limit)
        got = self.loop.run(self.stores[who].queue.claim(str(who), limit=limit, lease=LEASE))
        assert [job.id for job in got] == [one.id for one in expected]
        for job, one in zip(got, expected, strict=True):
            if one.lease is not None:
                self.ghosts.append(one.lease)
                one.attempts += 1
                one.deaths += 1
            one.state, one.until, one.lease, one.owner = "leased", self.now + LEASE, job, who
            assert job.alone is (one.deaths > ALONE)
            assert job.doomed == (one.deaths if one.deaths >= MOST_DEATHS else 0)
            assert (job.lane, job.attempts) == (one.lane, one.attempts)

    def _expired(self) -> list[Known]:
        return [one for one in self.jobs.values() if one.until and one.until <= self.now]

    def _claimable(self, who: int, limit: int) -> list[Known]:
        ours = sorted(self._expired(), key=lambda one: one.place)[:limit]
        if deadly := [one for one in ours if one.deaths >= ALONE]:
            busy = [
                one for one in self.jobs.values() if one.until and one.until > self.now and one.owner == who
            ]
            return [] if busy else deadly[:1]
        taken = {one.lane for one in self.jobs.values() if one.state == "leased"}
        heads: dict[str, Known] = {}
        for one in self.jobs.values():
            if one.state in FREE and one.due is not None and one.lane not in taken:
                head = heads.setdefault(one.lane, one)
                if one.place < head.place:
                    heads[one.lane] = one
        ready = sorted((one for one in heads.values() if one.place[0] <= self.now), key=lambda one: one.place)
        return ours + ready[: limit - len(ours)]

    def _leased(self) -> Known | None:
        return next((one for one in self.jobs.values() if one.lease is not None), None)

    @precondition(lambda self: self._leased())
    @rule(who=some.integers(0, 1), spawn=some.booleans())
    def finish(self, who: int, spawn: bool) -> None:
        one = self._leased()
        self.loop.run(self.stores[who].queue.finish(one.lease))
        self.ghosts.append(one.lease)
        del self.jobs[one.id]

    @precondition(lambda self: self._leased())
    @rule(how=some.sampled_from(["retry", "park", "hold", "bury"]))
    def put_back(self, how: str) -> None:
        one, queue = self._leased(), self.stores[0].queue
        job, later = one.lease, self.now + timedelta(seconds=30)
        newer = any(two.key == one.key for two in self.jobs.values() if one.key and two.state in FREE)
        if how == "retry":
            self.loop.run(queue.retry(job, due=later, reason="r"))
        elif how == "park":
            self.loop.run(queue.park(job, due=later, reason="r"))
        elif how == "hold":
            self.loop.run(queue.hold(job, Held(kind="mail", account="a", reason="r")))
        else:
            self.loop.run(queue.bury(job, "r"))
        self.ghosts.append(job)
        if how == "retry" and newer:
            del self.jobs[one.id]
            return
        one.state = {"retry": "due", "bury": "buried"}.get(how, "waiting")
        one.due = later if how in ("retry", "park") else None
        one.attempts += how == "retry"
        one.key = "" if newer else one.key
        one.until = one.lease = None

    @precondition(lambda self: self._leased())
    @rule()
    def extend(self) -> None:
        one = self._leased()
        assert self.loop.run(self.stores[1].queue.extend(one.lease, LEASE))
        one.until = self.now + LEASE

    @precondition(lambda self: any(one.state == "buried" for one in self.jobs.values()))
    @rule()
    def release(self) -> None:
        one = next(one for one in self.jobs.values() if one.state == "buried")
        assert self.loop.run(self.stores[1].queue.release(one.id))
        one.state, one.due, one.attempts, one.deaths = "due", self.now, 1, 0

    @rule(who=some.integers(0, 1))
    def a_process_dies_and_comes_back(self, who: int) -> None:
        self.loop.run(self.stores[who].queue.recover(str(who)))
        for one in self.jobs.values():
            if one.until is not None and one.until > self.now and one.owner == who:
                one.until = self.now

    @precondition(lambda self: any(one.state in ("due", "waiting") and one.due for one in self.jobs.values()))
    @rule()
    def try_now(self) -> None:
        one = next(one for one in self.jobs.values() if one.state in ("due", "waiting") and one.due)
        assert self.loop.run(self.stores[0].queue.retry_now(one.id))
        one.state, one.due = "due", self.now

    @precondition(lambda self: any(one.state in FREE for one in self.jobs.values()))
    @rule()
    def drop(self) -> None:
        one = next(one for one in self.jobs.values() if one.state in FREE)
        assert self.loop.run(self.stores[1].queue.drop(one.id))
        del self.jobs[one.id]

    @rule(seconds=some.sampled_from([1, 30, 61]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.ghosts)
    @rule(who=some.integers(0, 1))
    def a_lost_lease_writes_nothing(self, who: int) -> None:
        queue, job = self.stores[who].queue, self.ghosts.pop()
        with pytest.raises(LeaseLost):
            self.loop.run(queue.finish(job, spawn=[NewJob(kind=JobKind.APPLY, lane="x", payload={})]))
        assert not self.loop.run(queue.extend(job, LEASE))

    @precondition(lambda self: self.ghosts)
    @rule(who=some.integers(0, 1))
    def somebody_lives_who_was_taken_for_dead(self, who: int) -> None:
        job = self.ghosts.pop()
        self.loop.run(self.stores[who].queue.outlived([job]))
        if job.id in self.jobs:
            one = self.jobs[job.id]
            one.deaths = max(0, one.deaths - 1)

    @precondition(lambda self: self._leased())
    @rule(who=some.integers(0, 1))
    def somebody_who_was_cut_off_gives_back(self, who: int) -> None:
        one = self._leased()
        newer = any(two.key == one.key for two in self.jobs.values() if one.key and two.state in FREE)
        self.loop.run(self.stores[who].queue.outlived([one.lease]))
        self.ghosts.append(one.lease)
        if newer:
            del self.jobs[one.id]
            return
        one.state, one.due, one.until, one.lease = "due", self.now, None, None
        one.attempts += 1

    # --- what is always so ---

    @invariant()
    def the_queue_is_the_model(self) -> None:
        listed = self.loop.run(self.stores[0].queue.list_jobs())
        assert {one["id"]: (one["state"], one["attempts"]) for one in listed} == {
            one.id: (one.state, one.attempts) for one in self.jobs.values()
        }

    @invariant()
    def a_lane_has_one_leased_job_at_most(self) -> None:
        lanes = [one.lane for one in self.jobs.values() if one.state == "leased"]
        assert len(lanes) == len(set(lanes))


def test_two_processes_and_any_history_agree_with_the_model(
    backend: str, database_url: str, empty_database: Path
) -> None:
    def fresh_folder(folder: Path) -> str:
        shutil.copy(empty_database, folder / "gateway.sqlite3")
        return ""

    def emptied(folder: Path) -> str:
        database = Database(database_url, folder)
        database.write_now(lambda conn: conn.exec_driver_sql("TRUNCATE job, held, journal CASCADE"))
        database.dispose()
        return database_url

    class Machine(Queues):
        fresh = staticmethod(fresh_folder if backend == "sqlite" else emptied)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
