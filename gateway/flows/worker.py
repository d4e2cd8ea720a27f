"""Jobs are leased and handed to their journey; what fails is tried again, later and later, then buried."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from gateway.errors import GatewayError, LeaseLost, ObjectRefused, PeerError
from gateway.flows.keeper import Keeper
from gateway.itip.model import Outcome, Reason
from gateway.log import Event, Log, Stage
from gateway.ports import Clock, Entry, Job, NewJob, Queue

Run = Callable[[Job], Awaitable[Job | None]]  # gives the job that goes on from it at once, leased already
LEASE = timedelta(minutes=1)  # a node that dies is missed for so long
FIRST, LONGEST, SMEAR = 60.0, 3600.0, 0.2  # SPEC 12.12, seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    concurrency: int = 16
    at_once: int = 64  # mails beside these that go on from memory, and how many octets they may have together
    at_once_bytes: int = 32_000_000
    retry_for: timedelta = timedelta(days=2)


def delay(attempts: int) -> timedelta:
    """How long to wait before the next try: 1 min, doubling to 1 h, smeared by 20 % (SPEC 12.12)."""
    seconds = min(FIRST * 2 ** min(attempts, 10), LONGEST)
    return timedelta(seconds=seconds * random.uniform(1 - SMEAR, 1 + SMEAR))  # noqa: S311 - no secret


class LastWord(Protocol):
    """Is asked before a job is given up."""

    async def may(self, job: Job) -> bool:
        """Whether it may be."""
        ...

    def begins(self, job: Job) -> Sequence[NewJob]:
        """What is to be done when it is."""
        ...


class Worker:
    """Claims jobs and runs them, up to `concurrency` at once; and is the `ports.Hands` of the door."""

    lease = LEASE

    def __init__(
        self,
        *,
        name: str,
        queue: Queue,
        journeys: Mapping[str, Run],
        clock: Clock,
        log: Log,
        settings: WorkerSettings,
        burial: LastWord | None = None,
    ) -> None:
        self.name = name
        self._queue = queue
        self._journeys = journeys
        self._clock = clock
        self._log = log
        self._settings = settings
        self._burial = burial
        self._running: set[asyncio.Task[None]] = set()
        self._at_once: set[asyncio.Task[None]] = set()
        self._reserved, self._octets, self._ran = 0, 0, 0
        self._outlived: list[Job] = []  # leases that ended otherwise than by our death; the queue cannot know
        self._open = False
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop` is called, then finish what is leased."""
        self._open = True
        while not self._stopping.is_set():
            try:
                claimed = await self._fill()
            except Exception:  # nothing may end the worker
                logging.getLogger("imip-gateway").exception("the queue could not be read")
                claimed = 0
            if not claimed:
                await self._queue.wait_for_work(1.0)
        await self.idle()

    async def once(self) -> int:
        """Run everything that is due now; how many jobs that were (for `drain` without a daemon)."""
        before = self._ran
        while True:
            claimed = await self._fill()
            await self.idle()
            if not claimed:
                return self._ran - before

    async def idle(self) -> None:
        """Wait for the jobs in hand."""
        while self._running or self._at_once:
            await asyncio.wait(self._running | self._at_once)

    def stop(self) -> None:
        self._open = False
        self._stopping.set()

    async def leave(self) -> None:
        """After `run`: give back what is still in hand; others go on with it at once, and nobody died with it."""
        tasks = self._running | self._at_once
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            await self._report()
        except GatewayError as error:
            logging.getLogger("imip-gateway").warning("jobs could not be given back: %s", error.detail)

    def reserve(self, size: int) -> bool:
        """Room for one more mail that goes on from memory; a mail that finds none waits its turn in the queue."""
        full = self._reserved >= self._settings.at_once or (
            self._octets + size > self._settings.at_once_bytes and self._reserved
        )
        if full or not self._open:
            return False
        self._reserved += 1
        self._octets += size
        return True

    def release(self, size: int) -> None:
        self._reserved -= 1
        self._octets -= size

    def take(self, job: Job) -> None:
        """Run a job that is leased to us already, and for which there is room."""
        task = asyncio.create_task(self._handle(job), name=f"job {job.id}")
        self._at_once.add(task)
        task.add_done_callback(self._at_once.discard)
        task.add_done_callback(lambda _: self.release(len(job.body)))

    async def _fill(self) -> int:
        free = self._settings.concurrency - len(self._running)
        if free <= 0:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            free = 1
        try:
            await self._report()
            jobs = await self._queue.claim(self.name, limit=free, lease=LEASE)
        except GatewayError as error:
            logging.getLogger("imip-gateway").warning("the queue does not answer: %s", error.detail)
            return 0
        for job in jobs:
            task = asyncio.create_task(self._handle(job), name=f"job {job.id}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        if any(job.alone for job in jobs):
            await asyncio.wait(self._running)
        return len(jobs)

    async def _report(self) -> None:
        """Before anything is claimed: those of others may be among what is counted."""
        told, self._outlived = self._outlived, []
        try:
            if told:
                await self._queue.outlived(told)
        except BaseException:
            self._outlived += told
            raise

    async def _handle(self, job: Job) -> None:
        """A job, and what goes on from it: nothing that they do may end the worker."""
        onward: Job | None = job
        while onward is not None:
            self._ran += 1
            onward = await self._tried(onward)

    async def _tried(self, job: Job) -> Job | None:
        keeper = Keeper(lambda: self._queue.extend(job, LEASE), LEASE)
        try:
            return await self._journey(job)
        except LeaseLost:
            self._lost(job, keeper)
        except GatewayError as error:
            await self._again(
                job, error.code, error.detail, hopeless=isinstance(error, (PeerError, ObjectRefused))
            )
        except Exception as error:
            logging.getLogger("imip-gateway").exception("job %s failed", job.id)
            await self._again(job, str(Reason.INTERNAL_ERROR), type(error).__name__)
        except asyncio.CancelledError:
            if not keeper.has_lost():  # we are being stopped
                self._outlived.append(job)
                raise
            self._lost(job, keeper)
        finally:
            keeper.close()
        return None

    def _lost(self, job: Job, keeper: Keeper) -> None:
        """Who kept the whole process from prolonging its lease is as bad as one that killed it; a silent store is not his fault."""
        self._log.emit(Event.JOB_RETRIED, job=job.id, reason="lease-lost")
        if keeper.cut_off:
            self._outlived.append(job)

    async def _journey(self, job: Job) -> Job | None:
        if job.doomed:
            detail = f"the process that worked on it died {job.doomed} times"
            await self._bury(job, str(Reason.INTERNAL_ERROR), detail)
            return None
        onward = await self._journeys[str(job.kind)](job)
        arrived = job.payload.get("arrived")
        if arrived:  # from the door to the end of what the mail asked for
            age = self._clock.now() - datetime.fromisoformat(str(arrived))
            self._log.stage(Stage.END_TO_END, age.total_seconds())
        return onward

    async def _again(self, job: Job, reason: str, detail: str, *, hopeless: bool = False) -> None:
        try:
            hope = not hopeless and self._clock.now() - _begun(job) < self._settings.retry_for
            if hope or (self._burial is not None and not await self._burial.may(job)):
                due = self._clock.now() + delay(job.attempts)
                await self._queue.retry(job, due=due, reason=reason)
                self._log.emit(Event.JOB_RETRIED, job=job.id, reason=reason, detail=detail)
                return
            await self._bury(job, reason, detail)
        except GatewayError as error:  # the lease runs out and the job comes back
            if not isinstance(error, LeaseLost):
                self._outlived.append(job)
            logging.getLogger("imip-gateway").warning(
                "job %s could not be put back: %s", job.id, error.detail
            )

    async def _bury(self, job: Job, reason: str, detail: str) -> None:
        entry = Entry(
            job=job.id,
            kind=str(job.payload.get("source", job.kind)),
            outcome=str(Outcome.FAILED),
            reason=reason,
            message_id=job.message_id,
            uid=job.uid,
            account=job.account,
            notes=({"code": "detail", "text": detail},),
        )
        await self._queue.bury(job, reason, entries=(entry,), spawn=self._farewell(job))
        self._log.emit(Event.JOB_BURIED, job=job.id, reason=reason)

    def _farewell(self, job: Job) -> Sequence[NewJob]:
        """What is to be done at its burial; who cannot say keeps nobody from it."""
        try:
            return self._burial.begins(job) if self._burial is not None else ()
        except Exception:
            logging.getLogger("imip-gateway").exception("of job %s nobody can be told", job.id)
            return ()


def _begun(job: Job) -> datetime:
    """When it could first run: some jobs are made long before their time."""
    not_before = job.payload.get("not_before")
    return max(job.created, datetime.fromisoformat(str(not_before))) if not_before else job.created
