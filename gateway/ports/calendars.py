"""A CalDAV server, seen from one account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.accounts import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A calendar collection (RFC 4791 4.2). `path` is the absolute path, unescaped as the server gave it."""

    path: str
    name: str = ""
    components: frozenset[str] = frozenset({"VEVENT"})
    writable: bool = True
    transparent: bool = False  # what lies in it takes nobody's time (RFC 6638 9.1)
    owner: str = ""  # the principal whose it is (RFC 3744 5.1), as the server names it


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A calendar object resource (RFC 4791 4.1); `etag` as sent, with its quotes (and W/)."""

    href: str
    etag: str
    data: bytes
    schedule_tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One member of a sync answer; `etag` None: it is gone."""

    href: str
    etag: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncResult:
    """What changed in a collection. `full` says that the answer lists every member (first sync, or a listing)."""

    token: str
    changes: tuple[Change, ...]
    full: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFacts:
    """How an account's server behaves, configured or probed (SPEC 5.4)."""

    name: str  # radicale, xandikos, sabre, ...; "unknown"
    sends: str  # gateway (full) | inbound | nobody (off)
    schedules: bool = False  # announces calendar-auto-schedule
    problems: tuple[str, ...] = ()
    provided: tuple[str, ...] = ()  # what the operator vouches for by naming the profile, and nobody can see
    orphans: int = 1  # so many overrides without their master it takes in one object
    momentary: bool = True  # it takes an event that ends when it begins
    replaces: bool = False  # what it refuses as `attendee-allowed` goes through as DELETE and PUT
    keeper: str = ""  # the origin at which it manages attachments (RFC 8607), if it does


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """An attachment as its server gave it; `kind` is the media type, `name` what to call the file."""

    content: bytes
    kind: str = ""
    name: str = ""


class Calendars(Protocol):
    """A CalDAV server, seen from one account. Every call may raise BackendUnavailable or BackendRefused."""

    async def profile(self, account: Account) -> ProfileFacts: ...
    async def user_addresses(self, account: Account) -> tuple[str, ...]:
        """What the server calls the account, as it says it: its principal, and RFC 6638 2.4.1."""
        ...

    async def collections(self, account: Account) -> tuple[Collection, ...]: ...
    async def invitations(self, account: Account, kind: str = "VEVENT") -> Collection:
        """Where new invitations go: the configured calendar, else the default one; for another kind of component one that
        takes it. Raise BackendRefused if there is none."""
        ...

    async def find(
        self,
        account: Account,
        uid: str,
        *,
        hints: Sequence[str] = (),
        indexed: Set[str] = frozenset(),
        without: Set[str] = frozenset(),
    ) -> Resource | None:
        """The object with exactly this UID: at a hinted href, at our predictable href, else by query in every calendar but
        `without`.

        `indexed` are calendars of which the caller knows every UID, and this one is not among them: where the server refuses
        a second object of a UID, and one where there is one, they are not asked; a PUT of a new object tells.
        """
        ...

    async def get(self, account: Account, href: str) -> Resource | None: ...
    async def attachment(self, account: Account, url: str, *, limit: int) -> Document | None:
        """What lies at this URI of the account's own server, in no more octets; None where there is nothing to be had, and for
        any other place. Redirects are not followed."""
        ...

    async def multiget(
        self, account: Account, collection: str, hrefs: Sequence[str]
    ) -> tuple[Resource, ...]: ...
    async def overlapping(self, account: Account, start: datetime, end: datetime) -> tuple[bytes, ...]:
        """The text of all events that may overlap this half-open stretch of time (aware UTC), of the watched calendars that
        are not transparent."""
        ...

    def new_href(self, collection: str, uid: str) -> str:
        """The predictable href of a new object: escaped UID, hashed when long or odd."""
        ...

    async def put(self, account: Account, href: str, data: bytes, *, etag: str) -> Resource:
        """Write with If-Match, or with If-None-Match: * when `etag` is ""; return what the server now holds (read back
        when it gave no strong ETag). Raise PreconditionFailed."""
        ...

    async def delete(self, account: Account, href: str, *, etag: str) -> None:
        """Delete with If-Match; gone already is success. Raise PreconditionFailed."""
        ...

    async def sync(self, account: Account, collection: str, *, token: str) -> SyncResult:
        """What changed since `token` (RFC 6578), or a listing of everything. An answer that is cut, empty of body, or not
        a multistatus raises; it is never an empty calendar."""
        ...


class Principals(Protocol):
    """What the calendar servers call the accounts, as was learned of them one after the other."""

    async def learn(self, server: str, account: str, uris: Iterable[str]) -> None: ...
    async def named(self, server: str, uris: Iterable[str]) -> Mapping[str, frozenset[str]]:
        """URI -> addresses of the accounts that it was said to name."""
        ...
