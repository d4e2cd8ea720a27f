"""Calendars in which everybody bears his mail address, whatever the server calls him (SPEC 2.4).

What comes out of a calendar names our accounts by address, so that nothing behind this place meets a principal; what goes
back is spelled as it was found. An address that a server gives an account beside its configured ones is not believed: on
most servers a user can enter any.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime

from gateway.accounts import Account, Accounts
from gateway.errors import MalformedCalendar
from gateway.flows.sharing import Sharing
from gateway.flows.stored import GENEROUS
from gateway.ical import principals
from gateway.ical.address import Address
from gateway.ical.principals import Named, Person, Place, place
from gateway.ical.tree import Property
from gateway.ports import (
    Calendars,
    Collection,
    Document,
    Principals,
    ProfileFacts,
    Resource,
    Snapshots,
    SyncResult,
)


class Naming:
    """Implements `ports.Calendars` on another one."""

    def __init__(
        self,
        calendars: Calendars,
        *,
        accounts: Accounts,
        principals: Principals,
        snapshots: Snapshots,
        hosts: Mapping[str, str],
        domains: Iterable[str],
    ) -> None:
        """`hosts`: server name -> the host that its URL names."""
        self._calendars = calendars
        self._accounts = accounts
        self._principals = principals
        self._snapshots = snapshots
        self._sharing = Sharing(calendars, accounts=accounts, principals=principals)
        self._hosts = hosts
        self._domains = tuple(one.lower() for one in domains)
        self._learned: dict[str, tuple[str, ...]] = {}
        self._book: dict[tuple[str, str], frozenset[str]] = {}

    async def profile(self, account: Account) -> ProfileFacts:
        return await self._calendars.profile(account)

    async def user_addresses(self, account: Account) -> tuple[str, ...]:
        return await self._calendars.user_addresses(account)

    async def collections(self, account: Account) -> tuple[Collection, ...]:
        found = await self._calendars.collections(account)
        await self._learn(account)
        foreign = await self._sharing.foreign(account)
        return tuple(one for one in found if one.path not in foreign) if foreign else found

    async def invitations(self, account: Account, kind: str = "VEVENT") -> Collection:
        return await self._calendars.invitations(account, kind)

    async def find(
        self,
        account: Account,
        uid: str,
        *,
        hints: Sequence[str] = (),
        indexed: Set[str] = frozenset(),
        without: Set[str] = frozenset(),
    ) -> Resource | None:
        foreign = without | await self._sharing.foreign(account)
        found = await self._calendars.find(account, uid, hints=hints, indexed=indexed, without=foreign)
        return None if found is None else await self._read(account, found)

    async def get(self, account: Account, href: str) -> Resource | None:
        found = await self._calendars.get(account, href)
        return None if found is None else await self._read(account, found)

    async def attachment(self, account: Account, url: str, *, limit: int) -> Document | None:
        return await self._calendars.attachment(account, url, limit=limit)

    async def multiget(self, account: Account, collection: str, hrefs: Sequence[str]) -> tuple[Resource, ...]:
        found = await self._calendars.multiget(account, collection, hrefs)
        return tuple([await self._read(account, one) for one in found])

    async def overlapping(self, account: Account, start: datetime, end: datetime) -> tuple[bytes, ...]:
        foreign = await self._sharing.foreign(account)
        if not account.calendar and not foreign:
            found = await self._calendars.overlapping(account, start, end)
            return tuple([await self._named(account, one) for one in found])
        texts: list[bytes] = []
        for one in await self.collections(account):  # whose a text is, its calendar tells
            writers = await self._sharing.writers(account, one.path)
            found = await self._calendars.overlapping(replace(account, watch=(one.path,)), start, end)
            texts += [await self._named(account, text, writers) for text in found]
        return tuple(texts)

    def new_href(self, collection: str, uid: str) -> str:
        return self._calendars.new_href(collection, uid)

    async def put(self, account: Account, href: str, data: bytes, *, etag: str) -> Resource:
        if principals.marked(data):
            writers = await self._sharing.writers(account, _parent(href))
            data = principals.spelled(data, GENEROUS, await self._who(account, data, writers))
        return await self._read(account, await self._calendars.put(account, href, data, etag=etag))

    async def delete(self, account: Account, href: str, *, etag: str) -> None:
        await self._calendars.delete(account, href, etag=etag)

    async def sync(self, account: Account, collection: str, *, token: str) -> SyncResult:
        return await self._calendars.sync(account, collection, token=token)

    async def _read(self, account: Account, found: Resource) -> Resource:
        writers = await self._sharing.writers(account, _parent(found.href))
        data = await self._named(account, found.data, writers)
        return found if data is found.data else replace(found, data=data)

    async def _named(self, account: Account, data: bytes, writers: frozenset[Address] = frozenset()) -> bytes:
        if not writers and not principals.strange(data):
            return data
        try:
            meant = await self._spoken_for(account, data, writers) if writers else writers
            return principals.named(data, GENEROUS, await self._who(account, data, meant))
        except MalformedCalendar:
            return data  # whoever reads it says so

    async def _spoken_for(
        self, account: Account, data: bytes, writers: frozenset[Address]
    ) -> frozenset[Address]:
        """Of those who may, who organizes this meeting in the account's name.

        Nobody, where it is a guest itself, or the meeting is known to be one of the writer's own calendar: a copy.
        """
        uids, organizers, guests = principals.speakers(data, GENEROUS)
        who = await self._who(account, data, frozenset())
        meant = frozenset(_address(who, one) for one in organizers) & writers
        if not meant or any(_address(who, one) == account.address for one in guests):
            return frozenset()
        for uid in uids:
            if any(one.data for one in await self._snapshots.by_uid(account.address, uid)):
                continue
            for mate in {one.address for one in map(self._accounts.find, meant) if one is not None}:
                foreign = await self._sharing.own(account)
                twins = await self._snapshots.by_uid(mate, uid)
                if any(one.data and one.collection not in foreign for one in twins):
                    return frozenset()
        return meant

    async def _who(self, account: Account, data: bytes, writers: frozenset[Address]) -> Named:
        """Whom the lines of this text name, asked in one question to the store; `writers` speak for the account."""
        await self._learn(account)
        asked = {one: self._keys(account.server, one) for one in principals.places(data, GENEROUS)}
        wanted = {key for keys in asked.values() for key in keys} - {
            uri for server, uri in self._book if server == account.server
        }
        if wanted:
            found = await self._principals.named(account.server, wanted)
            self._book |= {(account.server, uri): accounts for uri, accounts in found.items()}

        def who(line: Property) -> Person | None:
            at = place(line.value)
            known = asked.get(at, ()) if at is not None else ()
            claim = {one for key in known for one in self._book.get((account.server, key), ())}
            told = self._one_of(claim, account)
            if (told or line.address) in writers:
                return Person(address=Address(account.address), name=account.name)
            return None if told is None else Person(address=told)

        return who

    def _one_of(self, claim: Set[str], reader: Account) -> Address | None:
        """Two accounts may share one login: in its own calendars each is meant, elsewhere the first."""
        if reader.address in claim:
            return Address(reader.address)
        return next((Address(one.address) for one in self._accounts if one.address in claim), None)

    async def _learn(self, account: Account) -> None:
        """What the server calls the account, as far as it is no mail address."""
        said = await self._calendars.user_addresses(account)
        if self._learned.get(account.address) == said:
            return
        uris: set[str] = set()
        for one in map(place, said):
            if one is not None:
                uris |= {one.path, one.host + one.path}
        if uris:
            await self._principals.learn(account.server, account.address, uris)
        for key in [(account.server, uri) for uri in uris]:
            self._book.pop(key, None)
        self._learned[account.address] = said

    def _keys(self, server: str, at: Place) -> tuple[str, ...]:
        """Under what a URI may be known; without its host only where that can be this server."""
        if not at.host:
            return (at.path,)
        name = at.host.partition(":")[0]
        near = name == self._hosts.get(server) or any(f".{name}".endswith(f".{one}") for one in self._domains)
        return (at.host + at.path, at.path) if near else (at.host + at.path,)


def _address(who: Named, line: Property) -> Address:
    person = who(line)
    return line.address if person is None else person.address


def _parent(href: str) -> str:
    return href.rpartition("/")[0] + "/"


__all__ = ["Naming"]
