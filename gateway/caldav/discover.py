"""From a login to its calendars: principal, calendar home, collections, and where new invitations go.

RFC 6764 6, RFC 5397, RFC 4791 6.2.1, RFC 6638 9.2.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from gateway.accounts import Account
from gateway.caldav.client import DavClient
from gateway.caldav.href import as_collection, canonical, last_segment, parent
from gateway.caldav.profiles import Evidence, Profile, judge
from gateway.caldav.xml import CALDAV, DAV, NEXTCLOUD, Member, MultiStatus, propfind
from gateway.errors import BackendRefused, BackendUnavailable, NoFittingCalendar, PreconditionFailed
from gateway.ports import Collection, ProfileFacts

WELL_KNOWN = "/.well-known/caldav"
DEFAULT_NAMES = ("default", "calendar", "personal")
_PLURAL = {"VEVENT": "events", "VTODO": "tasks", "VJOURNAL": "journals"}
_PRINCIPAL = (
    f"{DAV}current-user-principal",
    f"{DAV}principal-URL",
    f"{CALDAV}calendar-home-set",
    f"{DAV}resourcetype",
)
_HOME = (
    f"{CALDAV}calendar-home-set",
    f"{CALDAV}schedule-inbox-URL",
    f"{CALDAV}calendar-user-address-set",
)
_CALENDAR = (
    f"{DAV}resourcetype",
    f"{DAV}displayname",
    f"{CALDAV}supported-calendar-component-set",
    f"{CALDAV}schedule-calendar-transp",
    f"{DAV}current-user-privilege-set",
    f"{DAV}owner",
    f"{DAV}supported-report-set",
    f"{DAV}sync-token",
    f"{NEXTCLOUD}deleted-at",
)
_WRITES = frozenset({f"{DAV}all", f"{DAV}write", f"{DAV}write-content"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """A collection and what may be asked of it."""

    collection: Collection
    reports: frozenset[str] = frozenset()  # Clark names; empty: the server does not say
    sync_token: str = ""

    def offers(self, report: str) -> bool:
        return not self.reports or report in self.reports


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Everything of one account that discovery found."""

    principal: str
    homes: tuple[str, ...]
    inbox: str
    calendars: tuple[Calendar, ...]
    default: str  # the server's schedule-default-calendar-URL, or ""
    profile: Profile
    facts: ProfileFacts
    addresses: tuple[str, ...] = ()  # calendar-user-address-set (RFC 6638 2.4.1), as the server wrote it

    def owns(self, calendar: Calendar) -> bool:
        """Whether it is nobody else's, as far as the server says."""
        owner = calendar.collection.owner.rstrip("/")
        return not owner or not self.principal or owner == self.principal.rstrip("/")

    def calendar(self, path: str) -> Calendar | None:
        """The calendar at this path."""
        wanted = as_collection(path)
        return next((one for one in self.calendars if one.collection.path == wanted), None)


async def discover(client: DavClient, account: Account, *, profile: str) -> Surroundings:
    """Ask the server for everything about this account. Raises BackendRefused when it has no calendar home."""
    principal, homes, inbox, addresses = await _homes(client, account)
    calendars: dict[str, Calendar] = {}
    for home in homes:
        found = await client.propfind(home, propfind(*_CALENDAR), depth=1)
        calendars.update((one.collection.path, one) for one in map(_calendar, found.members) if one)
    configured = configured_path(client, account, homes)
    if configured and configured not in calendars:
        with suppress(BackendRefused):  # said by `invitations`, so that the other calendars go on
            found = await client.propfind(configured, propfind(*_CALENDAR), depth=0)
            calendars.update((one.collection.path, one) for one in map(_calendar, found.members) if one)
    default = await _server_default(client, inbox) if inbox else ""
    options = await client.request("OPTIONS", homes[0])
    if options.status >= 400 and isinstance(trouble := options.error(), BackendUnavailable):
        raise trouble  # a server that is busy has not said that it schedules by itself
    token = next((one.sync_token for one in calendars.values() if one.sync_token), "")
    said = options.headers if options.status < 400 else {}
    seen = Evidence(headers=said, home=homes[0], sync_token=token, origin=str(client.origin))
    known, facts = judge(profile, seen)
    return Surroundings(
        principal=principal,
        homes=homes,
        inbox=inbox,
        calendars=tuple(calendars.values()),
        default=default,
        profile=known,
        facts=facts,
        addresses=addresses,
    )


def watched(found: Surroundings, account: Account) -> tuple[Collection, ...]:
    """The calendars whose path, last segment or display name fits one of the account's globs."""
    return tuple(
        one.collection
        for one in found.calendars
        if any(_fits(one.collection, pattern) for pattern in account.watch)
    )


def invitation_calendar(
    found: Surroundings, account: Account, configured: str, *, kind: str = "VEVENT"
) -> Collection:
    """Where new invitations go: as configured, else as the server says, else by name, else the first that can take them."""
    if account.calendar:
        known = found.calendar(configured) or _by_name(found, account.calendar)
        if known is None:
            raise BackendRefused(f"{account.address}: no calendar at {account.calendar}")
        if kind == "VEVENT" or kind in known.collection.components:
            return known.collection
    fit = [
        one.collection
        for one in found.calendars
        if one.collection.writable and kind in one.collection.components
    ]
    if not fit:
        refusal = BackendRefused if kind == "VEVENT" else NoFittingCalendar
        raise refusal(f"{account.address}: no writable calendar for {_PLURAL.get(kind, kind)}")
    return min(enumerate(fit), key=lambda pair: (_rank(pair[1], found.default), pair[0]))[1]


def configured_path(client: DavClient, account: Account, homes: Iterable[str] = ()) -> str:
    """The path of the account's configured calendar: from the root of the server, or as one name inside the home."""
    if not account.calendar:
        return ""
    if account.calendar.startswith("/") or "://" in account.calendar:
        return as_collection(canonical(account.calendar))
    home = next(iter(homes), "")
    return as_collection(canonical(account.calendar, base=home)) if home and "/" in account.calendar else ""


async def _homes(client: DavClient, account: Account) -> tuple[str, tuple[str, ...], str, tuple[str, ...]]:
    """Principal, calendar homes and schedule inbox of the account, and what the server calls it."""
    configured = configured_path(client, account)
    principal, homes = await _principal(client)
    if client.credential.service:
        principal = _of_user(principal, client.credential.login, client.credential.user)
        homes = ()
        if configured:
            return principal, (parent(configured),), "", ()
    if not principal:
        if configured or homes:
            return "", homes or (parent(configured),), "", ()
        raise BackendRefused(f"{account.address}: the server names no principal for this login")
    found = await client.propfind(principal, propfind(*_HOME), depth=0)
    member = found.member(found.path) or next(iter(found.members), None)
    if member is not None:
        homes = _homes_of(client, member) or homes
    if not homes:
        raise BackendRefused(f"{account.address}: the server names no calendar home")
    inbox = member.path_of(f"{CALDAV}schedule-inbox-URL") if member else ""
    return principal, homes, inbox, member.hrefs_of(f"{CALDAV}calendar-user-address-set") if member else ()


async def _principal(client: DavClient) -> tuple[str, tuple[str, ...]]:
    """The login's principal and, where the place itself tells, its homes: at the configured path, at the well-known one.

    RFC 6764 6: a bare origin is asked at its well-known place first.
    """
    start = client.origin.start
    places = (start, WELL_KNOWN) if start != "/" else (WELL_KNOWN, start)
    refused: BackendRefused | None = None
    for place in places:
        try:
            found = await client.propfind(place, propfind(*_PRINCIPAL), depth=0)
        except (BackendRefused, PreconditionFailed) as error:
            refused = error if isinstance(error, BackendRefused) else BackendRefused(error.detail)
            continue
        for member in found.members:
            principal = member.path_of(f"{DAV}current-user-principal") or _itself(member)
            if principal:
                return as_collection(principal), _homes_of(client, member)
    if refused is not None:
        raise refused
    return "", ()


def _itself(member: Member) -> str:
    kinds = member.properties.get(f"{DAV}resourcetype")
    is_principal = kinds is not None and kinds.find(f"{DAV}principal") is not None
    return (member.path_of(f"{DAV}principal-URL") or member.path) if is_principal else ""


def _homes_of(client: DavClient, member: Member) -> tuple[str, ...]:
    homes = []
    for href in member.hrefs_of(f"{CALDAV}calendar-home-set"):
        if client.origin.elsewhere(href):
            raise BackendRefused(f"the calendar home is at {href[:200]}: configure that server's URL")
        homes.append(as_collection(canonical(href, base=member.path)))
    return tuple(homes)


async def _server_default(client: DavClient, inbox: str) -> str:
    """RFC 6638 9.2: the default calendar stands on the inbox; a server that will not say leaves the choice to us."""
    try:
        found = await client.propfind(inbox, propfind(f"{CALDAV}schedule-default-calendar-URL"), depth=0)
    except (BackendRefused, PreconditionFailed):
        return ""
    path = _first_path(found, f"{CALDAV}schedule-default-calendar-URL")
    return as_collection(path) if path else ""


def _first_path(found: MultiStatus, name: str) -> str:
    return next((path for one in found.members if (path := one.path_of(name))), "")


def _of_user(principal: str, login: str, user: str) -> str:
    """A service login's principal with the account's name in the place of its own."""
    return "/".join(user if one == login else one for one in principal.split("/")) if principal else ""


def _calendar(member: Member) -> Calendar | None:
    """A calendar collection, if this is one that objects live in (RFC 4791 4.2)."""
    kinds = member.properties.get(f"{DAV}resourcetype")
    if kinds is None or kinds.find(f"{CALDAV}calendar") is None:
        return None
    if kinds.find(f"{CALDAV}schedule-inbox") is not None or member.text(f"{NEXTCLOUD}deleted-at"):
        return None
    path = as_collection(member.path)
    return Calendar(
        collection=Collection(
            path=path,
            name=member.text(f"{DAV}displayname") or last_segment(path),
            components=_components(member.properties.get(f"{CALDAV}supported-calendar-component-set")),
            writable=_writable(member.properties.get(f"{DAV}current-user-privilege-set")),
            owner=next(iter(member.hrefs_of(f"{DAV}owner")), ""),
            transparent=_transparent(member.properties.get(f"{CALDAV}schedule-calendar-transp")),
        ),
        reports=_reports(member.properties.get(f"{DAV}supported-report-set")),
        sync_token=member.text(f"{DAV}sync-token"),
    )


def _components(found: Element | None) -> frozenset[str]:
    """RFC 4791 5.2.3: without the property every kind of component is taken."""
    names = (
        frozenset(one.get("name", "").upper() for one in found.iter(f"{CALDAV}comp"))
        if found is not None
        else None
    )
    return names or frozenset({"VEVENT", "VTODO", "VJOURNAL"})


def _writable(found: Element | None) -> bool:
    """RFC 3744 5.5: without the property we shall see when we write."""
    if found is None:
        return True
    return any(one.tag in _WRITES for privilege in found.iter(f"{DAV}privilege") for one in privilege)


def _transparent(found: Element | None) -> bool:
    """RFC 6638 9.1: without the property a calendar is opaque."""
    return found is not None and found.find(f"{CALDAV}transparent") is not None


def _reports(found: Element | None) -> frozenset[str]:
    """RFC 3253 3.1.5."""
    if found is None:
        return frozenset()
    return frozenset(one.tag for report in found.iter(f"{DAV}report") for one in report)


def _fits(collection: Collection, pattern: str) -> bool:
    names = (collection.path, collection.path.rstrip("/"), last_segment(collection.path), collection.name)
    return any(fnmatch.fnmatchcase(name, pattern) for name in names)


def _by_name(found: Surroundings, name: str) -> Calendar | None:
    wanted = name.strip("/")
    for one in found.calendars:
        if wanted in (last_segment(one.collection.path), one.collection.name):
            return one
    return None


def _rank(collection: Collection, default: str) -> int:
    if collection.path == default:
        return 0
    names = (last_segment(collection.path).lower(), collection.name.lower())
    if any(name in DEFAULT_NAMES for name in names):
        return 1
    return 2 if any(name.endswith(DEFAULT_NAMES) for name in names) else 3


__all__ = [
    "Calendar",
    "Surroundings",
    "configured_path",
    "discover",
    "invitation_calendar",
    "watched",
]
