"""When the door of the queue closes, and when it opens again: jobs that wait, and bytes that the disk has left.

It closes at a mark and opens again well below it, so that a queue at its mark does not take and refuse in turns.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, case, func, select

from gateway.errors import QueueFull
from gateway.ports import JobState
from gateway.store import schema
from gateway.store.faults import translating
from gateway.store.instants import EPOCH

_WORK = case((schema.job.c.state.in_((str(JobState.DUE), str(JobState.LEASED))), 1), else_=0)
_COUNT = select(func.count().label("kept"), func.coalesce(func.sum(_WORK), 0).label("work")).select_from(
    schema.job
)
_COUNTED_EVERY = 256  # mails between two counts of the queue
_COUNTED_AFTER = timedelta(seconds=1)  # while the door is closed: who knocks must not make us count
_LOOKED_AT_AFTER = 8_000_000  # bytes of mail between two looks at the disk


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeLimits:
    """When the door closes, and how long a mail that comes again is known."""

    max_jobs: int = 100_000  # that are work; what waits for a person or a peer closes no door so soon
    max_kept: int = 1_000_000  # of all kinds
    min_free: int = 64_000_000  # bytes on the disk of the state directory
    window: timedelta = timedelta(hours=2)  # longer than an MTA waits between two tries (Postfix: 4 000 s)


class QueueRoom:
    """How many jobs may still come; used inside a transaction of the writer only, but for `closed`."""

    def __init__(self, limits: IntakeLimits) -> None:
        self._limits = limits
        self._left = 0  # mails until the queue is counted again
        self._counted = EPOCH
        self.closed = ""  # why, in words for the log

    def take(self, conn: Connection, wanted: int, now: datetime) -> None:
        """Room for so many mails. Raises QueueFull. Counting costs more than a mail does: it is done now and then."""
        if self.closed:
            self.look(conn, now)
        if self.closed:
            raise QueueFull(self.closed)
        if self._left < wanted:
            self._count(conn, wanted, now)
        self._left -= wanted

    def look(self, conn: Connection, now: datetime) -> None:
        """Whether a closed door may open: a quarter of the queue is free again."""
        if not self.closed or timedelta() <= now - self._counted < _COUNTED_AFTER:
            return
        self._counted = now
        work, kept = _counts(conn)
        if 4 * work <= 3 * self._limits.max_jobs and 4 * kept <= 3 * self._limits.max_kept:
            self.closed = ""

    def _count(self, conn: Connection, wanted: int, now: datetime) -> None:
        work, kept = _counts(conn)
        free = min(self._limits.max_jobs - work, self._limits.max_kept - kept)
        if free < wanted:
            self._left = 0
            if wanted == 1:  # of several that came together some may have room: they are asked one by one
                self.closed, self._counted = f"{work} jobs are due, {kept} in all", now
            raise QueueFull(f"{work} jobs are due, {kept} in all")
        self._left = min(free, max(_COUNTED_EVERY, wanted))


class DiskRoom:
    """How many bytes may still come; used in the event loop only."""

    def __init__(self, limits: IntakeLimits, path: Path, free_bytes: Callable[[Path], int] | None) -> None:
        self._least = limits.min_free
        self._path = path
        self._free_bytes = free_bytes or _free_bytes
        self._spare = 0  # bytes that may come until the disk is looked at again
        self.closed = ""

    def take(self, size: int) -> None:
        """Room for so many bytes. Raises QueueFull, BackendUnavailable.

        Asking the system for each mail would cost as much as its digest does: it is asked again after some megabytes.
        """
        if size > self._spare:
            free = self.look()
            if self.closed or free - size < self._least:
                self._spare = 0
                self.closed = f"{free} bytes are free on the disk of the state directory"
                raise QueueFull(self.closed)
            self._spare = max(size, min((free - self._least) // 4, _LOOKED_AT_AFTER))
        self._spare -= size

    def look(self) -> int:
        """The bytes that are free; a closed door opens when a quarter more than the least is."""
        with translating():
            free = self._free_bytes(self._path)
        if 4 * free >= 5 * self._least:
            self.closed = ""
        return free


def _counts(conn: Connection) -> tuple[int, int]:
    found = conn.execute(_COUNT).one()
    return int(found.work), int(found.kept)


def _free_bytes(path: Path) -> int:
    facts = os.statvfs(path)
    return facts.f_bavail * facts.f_frsize


__all__ = ["DiskRoom", "IntakeLimits", "QueueRoom"]
