"""Reading calendar objects: one by GET, many by calendar-multiget, the search for a UID; and what is attached to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from itertools import islice

from gateway.caldav.client import REPORT_LIMIT, DavClient, entity_tag
from gateway.caldav.discover import Calendar
from gateway.caldav.faults import BrokenAnswer
from gateway.caldav.uid import uid_of
from gateway.caldav.xml import (
    CALDAV,
    DAV,
    Member,
    calendar_text,
    multiget,
    propfind,
    query_by_uid,
    searchable,
)
from gateway.errors import BackendUnavailable
from gateway.ports import Document, Resource

BATCH = 50  # objects of one multiget: with the largest allowed ones still below the limit of an answer
MULTIGET = f"{CALDAV}calendar-multiget"
SEARCHED = ("VEVENT", "VTODO", "VJOURNAL")
_GONE = (404, 410)
_OBJECTS = (b"BEGIN:VCALENDAR", b"BEGIN:VCARD")


async def get(client: DavClient, path: str) -> Resource | None:
    """One object, or None when it is not there. Raises BrokenAnswer for what is no calendar, such as a login page."""
    reply = await client.request("GET", path)
    if reply.status in _GONE:
        return None
    reply.expect(200)
    if b"BEGIN:VCALENDAR" not in reply.body[:1024].upper():
        raise BrokenAnswer(f"{reply.request}: no calendar text")
    etag = reply.etag or await _etag_of(client, path)
    tag = reply.headers.get("schedule-tag", "")
    return Resource(href=path, etag=etag, data=reply.body, schedule_tag=tag)


async def attachment(client: DavClient, url: str, *, limit: int) -> Document | None:
    """RFC 8607 3.10: a managed attachment; None where the server has none for this login, and for a place elsewhere.

    A meeting or a person is none: should a server check less than it announces, no other calendar of the account is read so.
    """
    try:
        path = client.origin.inside(url, base="/")
    except BrokenAnswer:  # no path of ours
        path = None
    if path is None:
        return None
    reply = await client.request("GET", path, limit=limit, follow=False)
    if reply.status == 200 and reply.body[:64].lstrip().upper().startswith(_OBJECTS):
        return None
    if reply.status == 200:
        return Document(content=reply.body, kind=reply.headers.get("content-type", ""))
    trouble = reply.error()
    if reply.status >= 400 and isinstance(trouble, BackendUnavailable):
        raise trouble
    return None


async def get_many(client: DavClient, calendar: Calendar, paths: Sequence[str]) -> tuple[Resource, ...]:
    """The objects at these paths; those that are gone are left out, those over the size limit too."""
    found: list[Resource] = []
    for batch in _batches(paths):
        found.extend([one async for one in _batch(client, calendar, batch)])
    return tuple(found)


async def search(client: DavClient, calendar: Calendar, uid: str) -> Resource | None:
    """The object with exactly this UID in one calendar (RFC 4791 7.8.6; the servers match substrings)."""
    part = searchable(uid)
    if not part:
        return None
    for kind in SEARCHED:
        if kind not in calendar.collection.components:
            continue
        found = await client.report(calendar.collection.path, query_by_uid(kind, part))
        for member in found.members:
            data = calendar_text(member)
            if member.status or (data is not None and uid_of(data) != uid):
                continue
            resource = await get(client, member.path)
            if resource is not None and uid_of(resource.data) == uid:
                return resource
    return None


async def _batch(client: DavClient, calendar: Calendar, paths: Sequence[str]) -> AsyncIterator[Resource]:
    answered: set[str] = set()
    if len(paths) > 1 and calendar.offers(MULTIGET):
        try:
            found = await client.report(calendar.collection.path, multiget(paths))
        except BrokenAnswer:  # one object with a character that XML cannot say spoils the whole answer
            found = None
        for member in found.members if found is not None else ():
            resource = _resource(member)
            if resource is not None:
                yield resource
            if resource is not None or member.status in _GONE or member.status == 403:
                answered.add(member.path)
    # DAViCal and sabre leave out what they do not find; only a GET tells gone from forgotten.
    for path in paths:
        if path not in answered and (one := await _get_if_readable(client, path)):
            yield one


async def _get_if_readable(client: DavClient, path: str) -> Resource | None:
    try:
        return await get(client, path)
    except BrokenAnswer:
        return None


def _resource(member: Member) -> Resource | None:
    data, etag = calendar_text(member), entity_tag(member.text(f"{DAV}getetag"))
    if member.status or data is None or not etag:
        return None
    tag = member.text(f"{CALDAV}schedule-tag")
    return Resource(href=member.path, etag=etag, data=data, schedule_tag=tag)


async def _etag_of(client: DavClient, path: str) -> str:
    found = await client.propfind(path, propfind(f"{DAV}getetag"), depth=0)
    member = found.member(found.path)
    return entity_tag(member.text(f"{DAV}getetag")) if member is not None else ""


def _batches(paths: Sequence[str]) -> list[list[str]]:
    unique = iter(dict.fromkeys(paths))
    batches = []
    while batch := list(islice(unique, BATCH)):
        batches.append(batch)
    return batches


__all__ = ["BATCH", "REPORT_LIMIT", "attachment", "get", "get_many", "search"]
