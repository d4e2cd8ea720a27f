"""The port `Calendars` on CalDAV: every account of every configured server."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence, Set
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx

from gateway.accounts import BOOKABLE, Account
from gateway.caldav.client import Connections, DavClient, ServerSettings
from gateway.caldav.discover import (
    Calendar,
    Surroundings,
    configured_path,
    discover,
    invitation_calendar,
    watched,
)
from gateway.caldav.fetch import attachment, get, get_many, search
from gateway.caldav.freebusy import overlapping
from gateway.caldav.href import as_collection, canonical, last_segment, object_path, parent
from gateway.caldav.locks import Lanes, Reach
from gateway.caldav.sync import changes_since
from gateway.caldav.uid import uid_of
from gateway.caldav.write import remove, store
from gateway.errors import BackendError, BackendRefused, BackendUnavailable, ConfigError, PreconditionFailed
from gateway.ports import Collection, Document, Exclusion, ProfileFacts, Resource, SyncResult

GLANCE = 1.0  # seconds: who wipes a calendar does not have us look for new ones at each of its meetings
REFRESH = timedelta(minutes=15)  # how soon a new calendar is seen; costs five requests per account


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    surroundings: Surroundings
    until: float


class CalDavCalendars:
    """Implements `ports.Calendars`. Knows each account's surroundings for a while; keeps no calendar data."""

    def __init__(
        self,
        servers: Iterable[ServerSettings],
        *,
        accounts: Iterable[Account] = (),
        exclusion: Exclusion | None = None,
        refresh: timedelta = REFRESH,
        transport: Callable[[ServerSettings], httpx.AsyncBaseTransport] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`exclusion`: of other processes, where there are any; `accounts`: all whose calendars they write."""
        self._connections = {one.name: Connections(one, transport=transport) for one in servers}
        self._exclusion = exclusion
        self._reach = Reach((self._host(one), one.address) for one in accounts)
        self._refresh = refresh.total_seconds()
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._failures: dict[str, tuple[float, BackendError]] = {}
        self._writes = Lanes()
        self._discoveries = Lanes()

    async def aclose(self) -> None:
        """Close the connections to every server."""
        for one in self._connections.values():
            await one.aclose()

    async def profile(self, account: Account) -> ProfileFacts:
        return (await self._surroundings(account)).facts

    async def user_addresses(self, account: Account) -> tuple[str, ...]:
        found = await self._surroundings(account)
        return (*((found.principal,) if found.principal else ()), *found.addresses)

    async def collections(self, account: Account) -> tuple[Collection, ...]:
        return watched(await self._surroundings(account), account)

    async def invitations(self, account: Account, kind: str = "VEVENT") -> Collection:
        found = await self._surroundings(account)
        path = configured_path(self._client(account), account, found.homes)
        return invitation_calendar(found, account, path, kind=kind)

    async def find(
        self,
        account: Account,
        uid: str,
        *,
        hints: Sequence[str] = (),
        indexed: Set[str] = frozenset(),
        without: Set[str] = frozenset(),
    ) -> Resource | None:
        client = self._client(account)
        for href in dict.fromkeys(canonical(one) for one in hints):
            if parent(href) not in without and (found := await _with_uid(client, href, uid)) is not None:
                return found
        calendars = [one for one in await self._searched(account) if one.collection.path not in without]
        if not calendars:
            return await self._elsewhere(account, uid, without) if hints else None
        profile = (await self._surroundings(account)).profile
        guarded = profile.guards_uid
        known = guarded and profile.guards_creation and calendars[0].collection.path in indexed
        predictable = object_path(calendars[0].collection.path, uid)
        if not known and (found := await _with_uid(client, predictable, uid)) is not None:
            return found
        for index, calendar in enumerate(calendars):
            if guarded and calendar.collection.path in indexed:
                continue  # a query by UID costs seconds in a large calendar; a twin would be refused at the PUT
            try:
                found = await search(client, calendar, uid)
            except BackendRefused:
                self._forget(account)
                if index == 0:
                    raise
                continue  # a calendar of somebody else that is no longer shared must not stop everything
            if found is not None:
                return found
        searched = {one.collection.path for one in calendars}
        return await self._elsewhere(account, uid, without | searched) if hints else None

    async def _elsewhere(self, account: Account, uid: str, without: Set[str]) -> Resource | None:
        """What lay elsewhere and is gone may have been moved into a calendar that was made since we looked for them, or into
        one of the account's own that we may read and not write."""
        known = self._known.get(account.address)
        if known is not None and known.until - self._refresh < self._clock() - GLANCE:
            self._forget(account)
        there = await self._surroundings(account)
        for calendar in there.calendars:
            one = calendar.collection
            if one.path in without or not (one.writable or there.owns(calendar)):
                continue
            try:
                found = await search(self._client(account), calendar, uid)
            except BackendRefused:
                if one.writable:
                    raise
                continue  # of this one we may see no more than that it is there
            if found is not None:
                return found
        return None

    async def get(self, account: Account, href: str) -> Resource | None:
        return await get(self._client(account), canonical(href))

    async def attachment(self, account: Account, url: str, *, limit: int) -> Document | None:
        return await attachment(self._client(account), url, limit=limit)

    async def multiget(self, account: Account, collection: str, hrefs: Sequence[str]) -> tuple[Resource, ...]:
        calendar = await self._calendar(account, collection)
        return await get_many(self._client(account), calendar, [canonical(one) for one in hrefs])

    async def overlapping(self, account: Account, start: datetime, end: datetime) -> tuple[bytes, ...]:
        client = self._client(account)
        calendars = await self.collections(account)
        blind = account.kind not in BOOKABLE  # what a room promises counts, wherever it stands
        paths = [
            one.path for one in calendars if "VEVENT" in one.components and not (one.transparent and blind)
        ]
        return tuple(
            [text for path in paths for text in await overlapping(client, path, start=start, end=end)]
        )

    def new_href(self, collection: str, uid: str) -> str:
        return object_path(collection, uid)

    async def put(self, account: Account, href: str, data: bytes, *, etag: str) -> Resource:
        path = canonical(href)
        calendar = await self._calendar(account, parent(path))
        profile = (await self._surroundings(account)).profile
        uid = uid_of(data)
        async with self._alone(account, calendar, f"uid {uid}", f"name {last_segment(path)}"):
            try:
                return await store(
                    self._client(account), calendar, profile, path=path, data=data, etag=etag, uid=uid
                )
            except BackendRefused:
                self._forget(account)
                raise

    async def delete(self, account: Account, href: str, *, etag: str) -> None:
        path = canonical(href)
        calendar = await self._calendar(account, parent(path))
        profile = (await self._surroundings(account)).profile
        async with self._alone(account, calendar, f"name {last_segment(path)}"):
            await remove(self._client(account), profile, path=path, etag=etag)

    @asynccontextmanager
    async def _alone(self, account: Account, calendar: Calendar, *names: str) -> AsyncIterator[None]:
        """Nobody else of us writes what bears one of these names in the calendar, whichever way he reaches it."""
        host, places = self._host(account), _places(calendar)
        objects = sorted([f"{host} {place} {name}" for place in places for name in names])
        elsewhere: AbstractAsyncContextManager[None] = nullcontext()
        overlaps = (await self._surroundings(account)).profile.overlaps
        if (
            self._exclusion is not None
            and overlaps
            and not self._reach.is_alone(host, account.address, places)
        ):
            elsewhere = self._exclusion.hold(objects)
        async with self._writes.hold(*objects), elsewhere:
            yield

    async def sync(self, account: Account, collection: str, *, token: str) -> SyncResult:
        calendar = await self._calendar(account, collection)
        try:
            return await changes_since(self._client(account), calendar, token)
        except (BackendRefused, PreconditionFailed):
            self._forget(account)
            raise

    def _host(self, account: Account) -> str:
        connections = self._connections.get(account.server)
        return connections.origin.host if connections is not None else ""

    def _client(self, account: Account) -> DavClient:
        connections = self._connections.get(account.server)
        if connections is None:
            raise ConfigError((f"account {account.address}: no server named {account.server}",))
        return connections.client(account)

    async def _surroundings(self, account: Account) -> Surroundings:
        """What discovery found, asked again after a while and after a refusal."""
        known = self._known.get(account.address)
        if known is not None and self._clock() < known.until:
            return known.surroundings
        asked = self._clock()
        async with self._discoveries.hold(account.address):
            known = self._known.get(account.address)
            if known is not None and self._clock() < known.until:
                return known.surroundings
            failed = self._failures.get(account.address)
            if (
                failed is not None and failed[0] >= asked
            ):  # while we waited: a dead server costs one timeout, not many
                raise type(failed[1])(failed[1].detail)
            return await self._discovered(account)

    async def _discovered(self, account: Account) -> Surroundings:
        client = self._client(account)
        try:
            found = await discover(
                client, account, profile=self._connections[account.server].settings.profile
            )
        except (BackendUnavailable, BackendRefused) as error:
            self._failures[account.address] = (self._clock(), error)
            raise
        self._failures.pop(account.address, None)
        self._known[account.address] = _Known(surroundings=found, until=self._clock() + self._refresh)
        if self._exclusion is not None:
            writable = (one for one in found.calendars if one.collection.writable)
            self._reach.saw(self._host(account), account.address, frozenset().union(*map(_places, writable)))
        return found

    def _forget(self, account: Account) -> None:
        self._known.pop(account.address, None)

    async def _calendar(self, account: Account, path: str) -> Calendar:
        """What discovery knows of a collection; of one it does not know, nothing is assumed."""
        found = (await self._surroundings(account)).calendar(canonical(path))
        return found or Calendar(collection=Collection(path=as_collection(canonical(path))))

    async def _searched(self, account: Account) -> tuple[Calendar, ...]:
        """The calendars in which a UID may be, the one for invitations first."""
        found = await self._surroundings(account)
        mine = [one for one in found.calendars if one.collection.writable]
        try:
            first = (await self.invitations(account)).path
        except BackendRefused:
            first = ""
        return tuple(sorted(mine, key=lambda one: one.collection.path != first))


def _places(calendar: Calendar) -> frozenset[str]:
    """By what a calendar is known, whoever looks: its path, and its owner where the server shows one at several paths."""
    one = calendar.collection
    return frozenset(filter(None, (one.path, one.owner.rstrip("/"))))


async def _with_uid(client: DavClient, path: str, uid: str) -> Resource | None:
    """The object at a place where it may be, if it is there and is the one."""
    try:
        found = await get(client, path)
    except BackendRefused:  # a hint may be old: a calendar that was shared once
        return None
    return found if found is not None and uid_of(found.data) == uid else None


__all__ = ["CalDavCalendars"]
