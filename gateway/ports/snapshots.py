"""Calendars as we last saw them, and the state of each watched collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from gateway.ports.jobs import NewJob

VANISHED: Final = "the server lists it no more"  # the error of a collection; since when says its `synced_at`


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A calendar object as we last settled it. `data` is the whole text; `base` the organizer's last version."""

    account: str
    collection: str
    href: str
    uid: str
    etag: str
    fingerprint: str
    data: bytes
    base: bytes | None = None
    series_by: str = ""  # the organizer's address, where it is a series


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionState:
    """What we know of one watched collection."""

    account: str
    path: str
    token: str = ""
    baseline: bool = False  # True once the first sight is complete
    due: datetime | None = None
    interval: float = 60.0  # seconds; adaptive
    synced_at: datetime | None = None
    error: str = ""
    lease: str = ""  # what proves that the round is ours to end


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkRow:
    """One row of the ledger: `mark` is `itip.order.dump(...)`."""

    recurrence_id: str
    party: str
    mark: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """What is known of a meeting: where it lies, and what was last said of it."""

    here: tuple[Snapshot, ...]
    beside: bool = False  # whether something is known of its tail, too
    indexed: frozenset[str] = frozenset()  # collections whose every object is known, lately enough
    marks: tuple[MarkRow, ...] = ()  # the ledger


class Snapshots(Protocol):
    """Snapshots, the UID index and the state of the collections."""

    async def of_collection(self, account: str, collection: str) -> tuple[Snapshot, ...]: ...
    async def etags(
        self, account: str, collection: str, *, hrefs: Sequence[str] | None = None
    ) -> Mapping[str, str]:
        """href -> ETag of everything known there, or (at least) of these; without the data."""
        ...

    async def by_uid(self, account: str, uid: str) -> tuple[Snapshot, ...]: ...
    async def whereabouts(
        self, account: str, uid: str, tail: str, *, within: timedelta | None
    ) -> Whereabouts:
        """`by_uid`, the ledger, whether there is anything of the tail, and `fresh` if asked for and needed, in one question."""
        ...

    async def by_href(self, account: str, href: str) -> Snapshot | None: ...
    async def series_by(self, account: str, organizer: str, *, limit: int) -> tuple[Snapshot, ...]:
        """The series of one organizer in this account's calendars, the last changed first, no more than `limit`."""
        ...

    async def collections(self, account: str | None = None) -> tuple[CollectionState, ...]: ...
    async def due(self, now: datetime) -> frozenset[str]:
        """The accounts of whom a collection is due."""
        ...

    async def hasten(self, *, account: str = "", path: str = "") -> int:
        """Make the collections of one account, or those at or above one path, due now; how many there were."""
        ...

    async def lease_collection(
        self, account: str, path: str, *, worker: str, lease: timedelta
    ) -> CollectionState | None:
        """What is known of a collection that nobody but the caller looks at now; None: somebody else does."""
        ...

    async def in_hand(self, account: str) -> frozenset[str]:
        """The UIDs of the account's meetings that somebody works on: what he has seen of them is not known yet."""
        ...

    async def keep_collection(self, state: CollectionState, lease: timedelta) -> bool:
        """Prolong the lease of a round; False when it is lost: another process is at the collection."""
        ...

    async def synced(
        self,
        state: CollectionState,
        *,
        put: Sequence[Snapshot] = (),
        gone: Sequence[str] = (),
        spawn: Sequence[NewJob] = (),
        over: Mapping[str, Snapshot | None] | None = None,
        unseen: CollectionState | None = None,
    ) -> None:
        """End one watch round of one collection in one transaction; releases its lease. Raise LeaseLost. `put` are snapshots of first
        sight and echoes, `gone` hrefs whose snapshot is dropped, `spawn` the changes that must settle."""
        ...

    async def emptied(self, account: str, collection: str) -> bool:
        """Whether several objects are known there, and all of them have an undecided or held change that is no save."""
        ...

    async def changed_meetings(
        self, account: str, collection: str, since: datetime, *, harsh: bool = False
    ) -> int:
        """How many different UIDs of this account have a journal entry of kind "change" with letters since then, or were
        held as a burst (the burst breaker's count); `harsh`: of those with letters only such whose entry's method is
        CANCEL, or REPLY with a letter that declines."""
        ...
