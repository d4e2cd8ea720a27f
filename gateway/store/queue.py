"""Jobs with leases: claimed in batches, ended only by those who hold them (SPEC 9.1, 9.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.errors import LeaseLost
from gateway.ports import Entry, Held, Job, JobKind, JobState, NewJob, Stored
from gateway.store import claims, lanes, mailq, schema
from gateway.store import held as held_items
from gateway.store.bodies import LARGE, Body
from gateway.store.db import Database
from gateway.store.ids import bounded
from gateway.store.jobs import Jobs, Laid, Lease, job_of
from gateway.store.kept import Kept
from gateway.store.schema import AHEAD, LEASED

POLL = 1.0  # seconds: other processes ring no bell here
SETTLING = "settling"

_T = schema.job
_ALIVE = update(_T).where(_T.c.deaths > 0).values(deaths=_T.c.deaths - 1)


class _Outrun(Exception):
    """What was to be queued anew has taken the place of another process's job; nothing of that may stand."""


class Queue:
    """Implements `ports.Queue`, and what the commands ask of a queue."""

    def __init__(self, db: Database, jobs: Jobs) -> None:
        self._db = db
        self._jobs = jobs
        self._turns = claims.Turns()

    async def add(self, jobs: Sequence[NewJob]) -> tuple[str, ...]:
        """Queue jobs; the names that they have there."""
        laid = await self._jobs.lay(jobs)
        return await self._db.write(lambda conn: self._jobs.queue(conn, laid))

    async def replace(self, job: NewJob, *, over: Job | None) -> bool:
        """Queue it in the place of `over`, which waits with its key, or None; False when that is so no more."""
        laid = await self._jobs.lay((job,))
        there = (_T.c.key == bounded(job.key), _T.c.state == str(JobState.DUE))

        def change(conn: Connection) -> bool:
            now = conn.execute(select(_T.c.payload).where(*there).with_for_update()).scalar()
            if now != (None if over is None else over.payload):
                return False
            names = self._jobs.queue(conn, laid)
            if over is None and names != (laid[0].id,):
                raise _Outrun  # between the two statements
            return True

        try:
            return await self._db.write(change)
        except (IntegrityError, _Outrun):  # another process was first by a moment
            return False

    async def claim(
        self, worker: str, *, limit: int, lease: timedelta, kinds: Sequence[JobKind] = ()
    ) -> tuple[Job, ...]:
        """Lease up to `limit` due jobs, at most one per lane, no lane that has a leased job; oldest due first, but never more than half of
        one account while another has something due."""

        def change(conn: Connection) -> list[tuple[dict[str, Any], Body]] | None:
            for row in claims.poison(conn, self._jobs.now()):
                self._bury(conn, job_of(row), "internal-error", (_deadly(row),))
            rows = claims.take(
                conn, worker, now=self._jobs.now(), lease=lease, limit=limit, kinds=kinds, turns=self._turns
            )
            if rows is None:
                return None
            bodies = self._jobs.bodies.find(conn, [one["id"] for one in rows]) if rows else {}
            return [(one, bodies.get(one["id"], Body())) for one in rows]

        while (found := await self._db.write(change)) is None:
            pass  # a part at a time, so that nobody else waits for it
        jobs = [await self._whole(row, body) for row, body in found]
        return tuple(one for one in jobs if one is not None)

    async def _whole(self, row: dict[str, Any], body: Body) -> Job | None:
        """A job whose body is lost can never run: it is buried, and does not stop the others."""
        job = job_of(row)
        try:
            stored: Stored | None = await self._jobs.bodies.stored(body.file) if body.file else None
        except OSError as error:
            await self.bury(job, "internal-error", entries=(_lost(job, error),))
            return None
        if body.size:
            stored = Kept(self._db, job.id, body.size)
        return replace(job, body=body.data, file=stored)

    async def extend(self, job: Job, lease: timedelta) -> bool:
        """Prolong the lease; False when it is lost: the worker must stop before it writes."""
        until = self._jobs.now() + lease
        statement = (
            update(_T)
            .where(_T.c.id == job.id, _T.c.lease_token == job.token, _T.c.state == LEASED)
            .values(lease_until=until)
        )
        return await self._db.write(lambda conn: conn.execute(statement).rowcount == 1)

    async def finish(
        self,
        job: Job,
        *,
        entries: Sequence[Entry] = (),
        spawn: Sequence[NewJob] = (),
        onward: timedelta | None = None,
    ) -> Job | None:
        """Delete the job, write the journal, queue what follows. Raise LeaseLost.

        `onward`: who held the job goes on with what follows at once, leased for so long; given back unless its lane is busy.
        """
        if not entries and not spawn and _is_alone(job):
            await self._db.write_each(self._end, job)
            return None
        laid = await self._jobs.lay(spawn)

        def change(conn: Connection) -> Laid | None:
            lease = self._jobs.lease(conn, job)
            self._jobs.tell(conn, entries, origin=lease.origin)
            self._jobs.remove(conn, lease)
            first = self._jobs.held(conn, laid, lease=lease, onward=onward) if onward is not None else None
            rest = laid if first is None else (first, *laid[1:])
            self._jobs.queue(conn, rest, origin=lease.origin)
            return first

        kept = await self._db.write(change)
        return None if kept is None else self._jobs.born(kept)

    def _end(self, conn: Connection, jobs: Sequence[Job]) -> Sequence[None]:
        """All that end at the same time: of a mail that went on nothing is left but this."""
        self._jobs.end(conn, jobs)
        return [None] * len(jobs)

    async def retry(self, job: Job, *, due: datetime, reason: str) -> None:
        """Try again at `due`; a newer job with the same key makes that needless."""
        await self._db.write(lambda conn: self._again(conn, job, due=due, reason=reason))

    def _again(self, conn: Connection, job: Job, *, due: datetime, reason: str) -> None:
        lease = self._jobs.lease(conn, job)
        if self._jobs.successor(conn, lease):
            self._jobs.remove(conn, lease)
            return
        self._jobs.put_back(
            conn, lease, state=str(JobState.DUE), due=due, reason=reason, attempts=job.attempts + 1
        )

    async def outlived(self, jobs: Sequence[Job]) -> None:
        """Who held these lives: what nobody has taken over is free at once, and for the rest his death was counted wrongly."""

        def change(conn: Connection) -> None:
            for job in jobs:
                try:
                    self._again(conn, job, due=self._jobs.now(), reason="lease-lost")
                except LeaseLost:
                    conn.execute(_ALIVE.where(_T.c.id == job.id))

        await self._db.write(change)

    async def hold(
        self, job: Job, held: Held, *, entries: Sequence[Entry] = (), spawn: Sequence[NewJob] = ()
    ) -> str:
        """Put the job into state WAITING with a held row, and queue what tells of it; return the held id."""
        name = self._jobs.name()
        laid = await self._jobs.lay(spawn)

        def change(conn: Connection) -> None:
            lease = self._waiting(conn, job, entries, reason=held.reason, due=None)
            conn.execute(insert(schema.held).values(_held_row(name, held, lease, self._jobs.now())))
            self._jobs.queue(conn, laid, origin=lease.origin)

        await self._db.write(change)
        return name

    async def hold_burst(
        self,
        job: Job,
        held: Held,
        *,
        within: timedelta,
        entries: Sequence[Entry] = (),
        spawn: Sequence[NewJob] = (),
    ) -> None:
        """`hold` one of many; only the first of its account for so long spawns, across processes and restarts."""
        name = self._jobs.name()
        laid = await self._jobs.lay(spawn)

        def change(conn: Connection) -> None:
            now = self._jobs.now()
            first = held_items.is_first(conn, held, since=now - within)
            lease = self._waiting(conn, job, entries, reason=held.reason, due=None)
            conn.execute(insert(schema.held).values(_held_row(name, held, lease, now)))
            if first:
                self._jobs.queue(conn, laid, origin=lease.origin)

        await self._db.write(change)

    async def park(self, job: Job, *, due: datetime, reason: str, entries: Sequence[Entry] = ()) -> None:
        """Let the job wait until its meeting is settled, or `due`."""
        await self._db.write(lambda conn: self._waiting(conn, job, entries, reason=reason, due=due))

    def _waiting(
        self, conn: Connection, job: Job, entries: Sequence[Entry], *, reason: str, due: datetime | None
    ) -> Lease:
        lease = self._jobs.lease(conn, job)
        self._jobs.tell(conn, entries, origin=lease.origin)
        self._jobs.put_back(conn, lease, state=str(JobState.WAITING), due=due, reason=reason)
        return lease

    async def bury(
        self, job: Job, reason: str, *, entries: Sequence[Entry] = (), spawn: Sequence[NewJob] = ()
    ) -> None:
        """Given up, but kept: a person may look at it and release it. What it spawns, it spawns once."""
        laid = await self._jobs.lay(spawn)
        await self._db.write(lambda conn: self._bury(conn, job, reason, entries, laid=laid))

    def _bury(
        self, conn: Connection, job: Job, reason: str, entries: Sequence[Entry], *, laid: Sequence[Laid] = ()
    ) -> None:
        lease = self._jobs.lease(conn, job)
        self._jobs.tell(conn, entries, origin=lease.origin)
        self._jobs.queue(conn, laid, origin=lease.origin)
        told = {"payload": {**job.payload, "told": True}} if laid else {}
        self._jobs.put_back(conn, lease, state=str(JobState.BURIED), due=None, reason=reason, **told)

    async def settling(self, account: str, *, gone: bool = False) -> int:
        """How many changes of this account have not been decided; one that is tried again has its error for a reason."""
        statement = (
            select(func.count())
            .select_from(_T)
            .where(
                _T.c.account == account,
                _T.c.state.in_([str(JobState.DUE), str(JobState.LEASED)]),
                _T.c.key.startswith("change|", autoescape=True),
            )
        )
        if gone:
            statement = statement.where(_T.c.reason != SETTLING)
        return await self._db.read(lambda conn: int(conn.execute(statement).scalar_one()))

    async def to_come(self, account: str, uid: str) -> tuple[Job, ...]:
        """The APPLY jobs of one meeting that are to run by themselves and that nobody works on, without their bodies."""
        mine = (_T.c.account == account, _T.c.uid == uid, _T.c.kind == str(JobKind.APPLY))
        statement = select(_T).where(*mine, _T.c.state == str(JobState.DUE)).order_by(_T.c.created, _T.c.id)
        return await self._db.read(lambda conn: tuple(job_of(row) for row in conn.execute(statement)))

    async def next_due(self) -> datetime | None:
        """When the next job that is not leased or waiting comes due; None when there is none."""
        statement = select(func.min(_T.c.due, type_=_T.c.due.type)).where(
            _T.c.state == str(JobState.DUE), _T.c.state != LEASED, AHEAD
        )
        return await self._db.read(lambda conn: conn.execute(statement).scalar())

    async def wait_for_work(self, seconds: float) -> None:
        """Return when a job was added, a lane became free, or after `seconds`, a second at most."""
        await self._db.bell.wait(min(seconds, POLL))

    def wake(self) -> None:
        """Another process says that there is work."""
        self._db.bell.ring()

    async def recover(self, owner: str = "") -> int:
        """End the leases of a worker that is known to be dead (all, when `owner` is ""); how many there were.

        For the start of a daemon that holds the state directory alone: what it left behind need not time out.
        """
        now = self._jobs.now()
        statement = update(_T).where(_T.c.state == LEASED, _T.c.lease_until > now).values(lease_until=now)
        if owner:
            statement = statement.where(_T.c.lease_owner == owner)
        return await self._db.write(lambda conn: conn.execute(statement).rowcount)

    async def heal(self) -> int:
        """Wake jobs that wait behind nobody (an older program freed their lanes while it ran beside this one); how many."""
        return await self._db.write(lanes.heal)

    async def sweep(self, now: float | None = None, *, alone: bool = False) -> int:
        """Remove the files of bodies that a crash left without a job, or (`alone`: nobody else runs) half come; how many."""
        files = select(schema.content.c.file).where(schema.content.c.file != "")
        known = await self._db.read(lambda conn: frozenset(conn.execute(files).scalars()))
        return await asyncio.to_thread(partial(self._jobs.bodies.sweep, known, now, alone=alone))

    # --- the commands (INTERFACE 2 and 7) ----------------------------------------------------------------------------

    async def list_jobs(self) -> list[dict[str, Any]]:
        """`queue list`."""
        return await self._db.read(mailq.listing)

    async def show(self, job: str) -> dict[str, Any] | None:
        """`queue show`; None when there is no such job."""
        return await self._db.read(lambda conn: mailq.showing(conn, job))

    async def stats(self) -> dict[str, float | None]:
        """`queue stats`."""
        now = self._jobs.now()
        return await self._db.read(lambda conn: mailq.stats(conn, now))

    async def drained(self, include_timers: bool) -> bool:
        """Is no job due or leased? With `include_timers`: nor waits one for its settle or undo time."""
        now = self._jobs.now()
        return await self._db.read(lambda conn: mailq.drained(conn, now, timers=include_timers))

    async def retry_now(self, job: str) -> bool:
        """Do not wait for the due time; False when no job of that name waits for one."""
        states = (str(JobState.DUE), str(JobState.WAITING))
        return await self._db.write(
            lambda conn: mailq.make_due(conn, self._jobs, job, states=states, timed=True)
        )

    async def release(self, job: str) -> bool:
        """Give a buried job another life; False when no job of that name is buried."""
        states = (str(JobState.BURIED),)
        return await self._db.write(
            lambda conn: mailq.make_due(conn, self._jobs, job, states=states, timed=False)
        )

    async def drop(self, job: str) -> bool:
        """Remove a job that nobody works on, with a line in the journal; False when there is none."""
        return await self._db.write(lambda conn: mailq.drop(conn, self._jobs, job))


def _is_alone(job: Job) -> bool:
    """Whether nothing can wait for the end of this job, in its lane or in a file."""
    return job.lane == lanes.alone(job.kind, job.id) and len(job.body) <= LARGE and job.file is None


def _held_row(name: str, held: Held, lease: Lease, now: datetime) -> dict[str, Any]:
    return {
        "id": name,
        "kind": held.kind,
        "since": held.since or now,
        "account": held.account,
        "sender": held.sender,
        "uid": held.uid,
        "method": held.method,
        "message_id": held.message_id,
        "reason": held.reason,
        "job": lease.id,
        "answer": "",
        "closed": None,
    }


def _lost(job: Job, error: OSError) -> Entry:
    return _failed(job, f"the body of the job is lost: {error.strerror}")


def _deadly(row: Row[Any]) -> Entry:
    return _failed(
        job_of(row), f"the process that worked on it died {row.deaths + 1} times, at last to bury it"
    )


def _failed(job: Job, text: str) -> Entry:
    return Entry(
        job=job.id,
        kind=str(job.payload.get("source", job.kind)),
        outcome="failed",
        reason="internal-error",
        message_id=job.message_id,
        uid=job.uid,
        account=job.account,
        notes=({"code": "detail", "text": text},),
    )


__all__ = ["POLL", "Queue"]
