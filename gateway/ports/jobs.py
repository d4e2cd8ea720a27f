"""The queue: jobs with leases, what is held, and the journal that tells how they ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol


class JobKind(StrEnum):
    MAIL = "mail"
    APPLY = "apply"
    LETTER = "letter"
    SYNC = "sync"
    RELAY = "relay"


class JobState(StrEnum):
    DUE = "due"  # may run when `due` has come
    LEASED = "leased"
    WAITING = "waiting"  # for a person (held) or a peer (parked)
    BURIED = "buried"


class Stored(Protocol):
    """A large content that lies in a file, as long as the job that carries it."""

    def __len__(self) -> int: ...

    async def read(self, start: int, count: int) -> bytes:
        """Up to `count` octets from `start` on."""
        ...

    async def whole(self) -> bytes:
        """All of it in memory: for one at a time."""
        ...

    async def isascii(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to be queued. Of jobs with the same non-empty `key` that are not leased at most one exists: a newer one
    replaces its payload and due time (this is how changes settle and collapse)."""

    kind: JobKind
    lane: str  # one job of a lane runs at a time, across processes and nodes (SPEC 9.1)
    payload: Mapping[str, Any]  # JSON
    body: bytes = b""  # mail content or calendar text, beside the JSON
    file: Stored | None = None  # instead of a large body
    account: str = ""
    uid: str = ""
    message_id: str = ""
    due: datetime | None = None  # None: now
    state: JobState = JobState.DUE
    reason: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job; `token` proves the lease: every write that ends or changes a leased job is refused without it."""

    id: str
    kind: JobKind
    state: JobState
    lane: str
    payload: Mapping[str, Any]
    body: bytes
    account: str
    uid: str
    message_id: str
    attempts: int
    due: datetime
    created: datetime
    reason: str
    token: str = ""
    file: Stored | None = None  # of mails alone: a large body that was not read
    alone: bool = False  # several workers died with it: nothing may run beside it
    doomed: int = 0  # so many that it is to be buried, and not to be run


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the journal (INTERFACE 7, `why`)."""

    job: str
    kind: str  # mail | change | answer | letter | bounce
    outcome: str
    reason: str
    message_id: str = ""
    uid: str = ""
    recurrence_id: str = ""
    method: str = ""
    account: str = ""
    sender: str = ""
    certainty: str = ""
    notes: tuple[Mapping[str, Any], ...] = ()
    letters: tuple[str, ...] = ()  # letter ids
    restore: bytes | None = None  # the object before this decision, for `retract`


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Something that waits for a person (INTERFACE 7, `held list`): its job waits in state WAITING."""

    kind: str  # mail | burst | crasher | booking
    account: str
    reason: str
    job: str = ""
    sender: str = ""
    uid: str = ""
    method: str = ""
    message_id: str = ""
    id: str = ""
    since: datetime | None = None


class Queue(Protocol):
    """Jobs with leases. Everything given to one call happens in one transaction."""

    async def add(self, jobs: Sequence[NewJob]) -> tuple[str, ...]: ...

    async def replace(self, job: NewJob, *, over: Job | None) -> bool:
        """Queue it in the place of `over`, which waits with its key (None: nobody does); False when that is so no more."""
        ...

    async def claim(
        self, worker: str, *, limit: int, lease: timedelta, kinds: Sequence[JobKind] = ()
    ) -> tuple[Job, ...]:
        """Lease up to `limit` due jobs, at most one per lane, no lane that has a leased job; oldest due first."""
        ...

    async def extend(self, job: Job, lease: timedelta) -> bool:
        """Prolong the lease; False when it is lost: the worker must stop before it writes."""
        ...

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
        ...

    async def retry(self, job: Job, *, due: datetime, reason: str) -> None: ...
    async def outlived(self, jobs: Sequence[Job]) -> None:
        """Who held these could not say so when their leases ended, and lives: no worker has died with them."""
        ...

    async def hold(
        self, job: Job, held: Held, *, entries: Sequence[Entry] = (), spawn: Sequence[NewJob] = ()
    ) -> str:
        """Put the job into state WAITING with a held row, and queue what tells of it; return the held id."""
        ...

    async def hold_burst(
        self,
        job: Job,
        held: Held,
        *,
        within: timedelta,
        entries: Sequence[Entry] = (),
        spawn: Sequence[NewJob] = (),
    ) -> None:
        """`hold` one of many; what tells of it is queued where it is the first that is held of its account for so long."""
        ...

    async def park(self, job: Job, *, due: datetime, reason: str, entries: Sequence[Entry] = ()) -> None:
        """Let the job wait (state WAITING) until its meeting comes: any `Plans.settle` of the same (account, uid) makes it
        due at once, and it comes due by itself at `due`, when it runs for the last time."""
        ...

    async def settling(self, account: str, *, gone: bool = False) -> int:
        """How many changes of this account wait for their settle time, are being decided or are tried again: state DUE or
        LEASED. `gone`: without those that are known to be saved, not deleted (reason "settling")."""
        ...

    async def bury(
        self, job: Job, reason: str, *, entries: Sequence[Entry] = (), spawn: Sequence[NewJob] = ()
    ) -> None:
        """Give up, but keep. A job that had something to spawn then is `told` in its payload from now on."""
        ...

    async def to_come(self, account: str, uid: str) -> tuple[Job, ...]:
        """The APPLY jobs of one meeting that are to run by themselves and that nobody works on, without their bodies."""
        ...

    async def drop(self, job: str) -> bool:
        """Remove a job that nobody works on, with a line in the journal; False when there is none."""
        ...

    async def next_due(self) -> datetime | None:
        """When the next job that is not leased or waiting comes due; None when there is none."""
        ...

    async def wait_for_work(self, seconds: float) -> None:
        """Return when a job was added, a lane became free, or after `seconds`."""
        ...


class Journal(Protocol):
    async def write(self, entries: Sequence[Entry]) -> None: ...

    async def story(self, key: str) -> list[dict[str, Any]]:
        """Every entry of a Message-ID, UID or job, oldest first, in the shape of INTERFACE 7."""
        ...
