"""Calendars are watched: what changed settles, is compared with its snapshot, and becomes letters.

First sight of a collection only takes snapshots: history is never mailed. Nothing that fails, is cut or comes back
empty is ever read as a deletion (SPEC 5.1).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.accounts import Account
from gateway.errors import BackendUnavailable, GatewayError, LeaseLost, MalformedCalendar
from gateway.flows.keeper import Keeper
from gateway.flows.receive import lane
from gateway.flows.stored import read_stored
from gateway.ical import linked
from gateway.ical.event import CalendarObject
from gateway.itip import splits
from gateway.itip.model import Reason
from gateway.itip.significance import fingerprint
from gateway.log import Event, Log
from gateway.ports import (
    VANISHED,
    Calendars,
    Clock,
    CollectionState,
    JobKind,
    NewJob,
    Resource,
    Snapshot,
    Snapshots,
    SyncResult,
)

LEASE = timedelta(minutes=1)
BEAT, PATIENCE = 0.1, 600  # seconds, and how many of them a command waits for another process's round
SETTLING, GOING = "settling", "settling-gone"  # why a change job waits
SLOWEST = 10  # SPEC 5.1: the interval grows to ten times the configured one while nothing changes


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    interval: timedelta
    settle: timedelta
    settle_deleted: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one look at one collection found (INTERFACE 7, `sync --json`)."""

    account: str
    collection: str
    changed: int = 0
    baseline: bool = False
    error: str = ""


class Watch:
    """Looks at collections and queues what changed; the changes themselves are decided by `flows/changed`."""

    def __init__(
        self,
        *,
        snapshots: Snapshots,
        calendars: Calendars,
        clock: Clock,
        log: Log,
        settings: WatchSettings,
        worker: str,
        schedules: Callable[[Account, CalendarObject], bool],
    ) -> None:
        self._snapshots = snapshots
        self._calendars = calendars
        self._clock = clock
        self._log = log
        self._settings = settings
        self._worker = worker
        self._schedules = schedules
        self._pauses: dict[str, datetime] = {}  # account -> when a server that did not answer is asked again

    async def due(self, account: Account) -> tuple[Round, ...]:
        """A round over those collections of an account whose time has come, or was set when the interval was longer."""
        now = self._clock.now()
        if now < self._pauses.get(account.address, now):
            return ()
        latest = now + self._settings.interval * SLOWEST
        return await self._rounds(
            account, lambda state: state is None or state.due is None or not now < state.due <= latest
        )

    async def all(self, account: Account) -> tuple[Round, ...]:
        """A round over every collection of an account, begun now: one that another process is at is waited for."""
        return await self._rounds(account, lambda state: True, patience=PATIENCE)

    async def _rounds(
        self, account: Account, wanted: Callable[[CollectionState | None], bool], *, patience: int = 1
    ) -> tuple[Round, ...]:
        states = {one.path: one for one in await self._snapshots.collections(account.address)}
        try:
            collections = await self._calendars.collections(account)
        except Exception as error:
            reason, detail = _trouble(error, account.address)
            self._pauses[account.address] = self._clock.now() + self._settings.interval
            self._log.emit(Event.WATCH_SYNCED, account=account.address, outcome="failed", reason=reason)
            return (Round(account=account.address, collection="", error=detail),)
        self._pauses.pop(account.address, None)
        found = []
        listed = {one.path for one in collections}
        for known in states.values():
            missed = known.path not in listed and wanted(known)
            if missed and (state := await self._leased(account, known.path, 1)):
                await self._missed(state)
        for one in collections:
            if wanted(states.get(one.path)):
                if state := await self._leased(account, one.path, patience):
                    found.append(await self._round(account, state))
                elif patience > 1:
                    busy = "another process has been at it for long"
                    found.append(Round(account=account.address, collection=one.path, error=busy))
        return tuple(found)

    async def _leased(self, account: Account, path: str, patience: int) -> CollectionState | None:
        """What is known now, under the lease: another process may just have ended its round."""
        for attempt in range(patience):
            if attempt:
                await asyncio.sleep(BEAT)
            state = await self._snapshots.lease_collection(
                account.address, path, worker=self._worker, lease=LEASE
            )
            if state is not None:
                return state
        return None

    async def _round(self, account: Account, state: CollectionState) -> Round:
        """Under the lease, which its end gives back; who has lost it ends nothing."""
        keeper = Keeper(lambda: self._snapshots.keep_collection(state, LEASE), LEASE)
        try:
            return await self._looked(account, state)
        except LeaseLost as error:
            return self._told(state, error.code, error.detail)
        except asyncio.CancelledError:
            if not keeper.has_lost():  # we are being stopped
                raise
            return self._told(state, LeaseLost.code, "another process has taken it over")
        finally:
            keeper.close()

    async def _looked(self, account: Account, state: CollectionState) -> Round:
        try:
            return await self._look(account, state)
        except LeaseLost:
            raise
        except Exception as error:
            reason, detail = _trouble(error, state.path)
            return await self._failed(state, reason, detail)

    async def _missed(self, state: CollectionState) -> None:
        """The server lists it no more: what lay in it is not believed gone, and the store forgets it in time."""
        since = state.synced_at if state.error == VANISHED else self._clock.now()
        await self._snapshots.synced(replace(self._next(state, busy=False), error=VANISHED, synced_at=since))

    async def _failed(self, state: CollectionState, reason: str, detail: str) -> Round:
        """What could not be read is as it was: no token, no snapshot moves."""
        told = self._told(state, reason, detail)
        await self._snapshots.synced(replace(self._next(state, busy=False), error=detail))
        return told

    def _told(self, state: CollectionState, reason: str, detail: str) -> Round:
        self._log.emit(Event.WATCH_SYNCED, account=state.account, outcome="failed", reason=reason)
        return Round(account=state.account, collection=state.path, error=detail)

    async def _look(self, account: Account, state: CollectionState) -> Round:
        known: Mapping[str, str] = (
            {} if state.token else await self._snapshots.etags(account.address, state.path)
        )
        result = await self._calendars.sync(account, state.path, token=state.token)
        if state.token:
            known = await self._named(state, result)
        gone = _gone(result, known)
        if result.full and known and len(gone) == len(known):
            raise BackendUnavailable(f"{state.path}: the whole calendar seems to be gone; not believed")
        # Asked after the calendar and before the store: what is not in hand now is settled, or will be decided on what is there.
        moving = await self._snapshots.in_hand(account.address) if result.changes or gone else frozenset()
        put, spawn, over = await self._changes(account, state, result, known)
        again = any(one.uid in moving for one in put)
        for href in gone:
            old = over[href] = await self._snapshots.by_href(account.address, href)
            if old is not None and old.data:
                spawn.append(self._change(account, _meeting(None, old), gone=True))
            again = again or (old is None and bool(moving))
        after = replace(
            self._next(state, busy=bool(spawn)),
            token=result.token,
            baseline=True,
            synced_at=self._clock.now(),
            error="",
        )
        drop = [href for href in gone if (old := over[href]) is not None and not old.data]
        unseen = replace(self._next(state, busy=True), error="")
        await self._snapshots.synced(
            unseen if again else after, put=put, gone=drop, spawn=spawn, over=over, unseen=unseen
        )
        event = Event.WATCH_SYNCED if state.baseline else Event.WATCH_BASELINE
        self._log.emit(event, account=account.address, collection=state.path, outcome="applied")
        return Round(
            account=account.address, collection=state.path, changed=len(spawn), baseline=not state.baseline
        )

    async def _named(self, state: CollectionState, result: SyncResult) -> Mapping[str, str]:
        """href -> ETag of what an answer is about: most are about nothing, and calendars are large."""
        which = None if result.full else [one.href for one in result.changes]
        return await self._snapshots.etags(state.account, state.path, hrefs=which)

    async def _changes(
        self, account: Account, state: CollectionState, result: SyncResult, known: Mapping[str, str]
    ) -> tuple[list[Snapshot], list[NewJob], dict[str, Snapshot | None]]:
        """What is new or different there: as snapshots where it says nothing, else as changes that must settle; and over what
        was known of them."""
        fresh = [
            one.href
            for one in result.changes
            if one.etag is not None and (known.get(one.href) != one.etag or not one.etag)
        ]
        resources = await self._calendars.multiget(account, state.path, fresh) if fresh else ()
        put: list[Snapshot] = []
        spawn: list[NewJob] = []
        over: dict[str, Snapshot | None] = {}
        for resource in resources:
            old = over[resource.href] = await self._snapshots.by_href(account.address, resource.href)
            found = await self._found(account, state, resource, old)
            if isinstance(found, Snapshot):
                put.append(found)
            else:
                spawn.append(found)
        return put, spawn, over

    async def _found(
        self, account: Account, state: CollectionState, resource: Resource, old: Snapshot | None
    ) -> Snapshot | NewJob:
        """An object as the server has it now: first sight and echoes become snapshots, changes become jobs."""
        try:
            seen = read_stored(resource.data)
        except MalformedCalendar:
            if old is not None and old.data:
                return replace(old, etag=resource.etag)  # what it was is still what the guests know
            return _snapshot(account, state, resource, uid=f"malformed:{resource.href}", keep=False, old=old)
        prints, scheduled = fingerprint(seen), self._schedules(account, seen)
        if old is not None and old.fingerprint == prints and (old.data or not scheduled):
            return _snapshot(
                account, state, resource, uid=seen.uid, seen=seen, prints=prints, keep=bool(old.data), old=old
            )
        if old is None and scheduled:
            elsewhere = await self._elsewhere(account, state, resource, seen)
            if elsewhere is not None:
                return elsewhere
        if not state.baseline or not (scheduled or (old is not None and old.data)):
            return _snapshot(
                account, state, resource, uid=seen.uid, seen=seen, prints=prints, keep=scheduled, old=old
            )
        return self._change(account, _meeting(seen, old))

    async def _elsewhere(
        self, account: Account, state: CollectionState, resource: Resource, seen: CalendarObject
    ) -> Snapshot | NewJob | None:
        """A meeting that we know at another place was moved, or copied; neither is a first sight of it.

        A copy gets the snapshot of its twin: what the guests know is one thing, wherever the meeting lies.
        """
        twins = [one for one in await self._snapshots.by_uid(account.address, seen.uid) if one.data]
        for twin in twins:
            if await self._calendars.get(account, twin.href) is None:
                return self._change(account, linked.whole_uid(seen))
        if not twins:
            return None
        return replace(twins[0], href=resource.href, collection=state.path, etag=resource.etag)

    def _change(self, account: Account, uid: str, *, gone: bool = False) -> NewJob:
        """The job says where to look, not what was seen: several saves collapse into the last (SPEC 5.3)."""
        return NewJob(
            kind=JobKind.APPLY,
            lane=lane(account, uid),
            key=f"change|{account.address}|{uid}",
            account=account.address,
            uid=uid,
            payload={"source": "change"},
            due=self._clock.now() + (self._settings.settle_deleted if gone else self._settings.settle),
            reason=GOING if gone else SETTLING,
        )

    def _next(self, state: CollectionState, *, busy: bool) -> CollectionState:
        least = self._settings.interval.total_seconds()
        interval = least if busy or not state.baseline else min(state.interval * 1.5, least * SLOWEST)
        return replace(state, interval=interval, due=self._clock.now() + timedelta(seconds=interval))


def _trouble(error: Exception, where: str) -> tuple[str, str]:
    """Reason and detail; a bug is told in the log, and ends neither the watch nor keeps a lease."""
    if isinstance(error, GatewayError):
        return error.code, error.detail
    logging.getLogger("imip-gateway").error("watching %s failed", where, exc_info=error)
    return str(Reason.INTERNAL_ERROR), type(error).__name__


def _meeting(seen: CalendarObject | None, old: Snapshot | None) -> str:
    """The UID by which the organizer knows what lies there (SPEC 4.7), as it says itself, or said when it last settled."""
    told = [] if seen is None else [seen]
    if old is not None and old.data and (seen is None or seen.uid == old.uid):
        told.append(read_stored(old.data))
    return next((uid for one in told if (uid := linked.whole_uid(one)) != one.uid), told[0].uid)


def _gone(result: SyncResult, known: Mapping[str, str]) -> tuple[str, ...]:
    if result.full:
        members = {one.href for one in result.changes if one.etag is not None}
        return tuple(href for href in known if href not in members)
    return tuple(one.href for one in result.changes if one.etag is None)  # known or settled while we looked


def _snapshot(
    account: Account,
    state: CollectionState,
    resource: Resource,
    *,
    uid: str,
    seen: CalendarObject | None = None,
    prints: str = "",
    keep: bool = True,
    old: Snapshot | None,
) -> Snapshot:
    """Objects that schedule nothing are kept without their text: index and ETag are enough."""
    return Snapshot(
        account=account.address,
        collection=state.path,
        href=resource.href,
        uid=uid,
        etag=resource.etag,
        fingerprint=prints,
        series_by=(splits.series_by(seen) or "") if seen is not None and keep else "",
        data=resource.data if keep else b"",
        base=old.base if old is not None else None,
    )


def rounds_json(rounds: Iterable[Round]) -> list[dict[str, object]]:
    """`sync --json` (INTERFACE 7)."""
    return [
        {
            "account": one.account,
            "collection": one.collection,
            "changed": one.changed,
            "baseline": one.baseline,
            "error": one.error or None,
        }
        for one in rounds
    ]
