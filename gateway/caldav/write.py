"""Conditional writes, with what each kind of server needs around them (SPEC 9.2)."""

from __future__ import annotations

import re

from gateway.caldav.client import CALENDAR_TYPE, DavClient, Reply
from gateway.caldav.discover import Calendar
from gateway.caldav.faults import WriteLost
from gateway.caldav.fetch import get, search
from gateway.caldav.profiles import Profile
from gateway.caldav.uid import uid_of
from gateway.caldav.xml import DAV, precondition, propfind
from gateway.errors import (
    BackendError,
    BackendRefused,
    BackendUnavailable,
    ObjectRefused,
    PreconditionFailed,
)
from gateway.ports import Resource

UID_TAKEN = "no-uid-conflict"
TRASHED = "an object with this UID lies in the trash bin: restore it there, or delete it for good"
_DONE = (200, 201, 202, 204)
_GONE = (404, 410)
_UNTAKEN = (400, 413, 415, 422)  # the object itself is at fault
_UNTAKEN_BY_NAME = (403, 409, 412)  # so it is where one of these is named (RFC 4791 5.3.2.1)
_FORM = frozenset(
    {
        "supported-calendar-data",
        "valid-calendar-data",
        "valid-calendar-object-resource",
        "supported-calendar-component",
        "max-resource-size",
        "min-date-time",
        "max-date-time",
        "max-instances",
        "max-attendees-per-instance",
    }
)
_MARKUP = re.compile(r"<[^>]*>")


async def store(
    client: DavClient, calendar: Calendar, profile: Profile, *, path: str, data: bytes, etag: str, uid: str
) -> Resource:
    """Write one object and return what the server now holds. Raises PreconditionFailed when it is not as we read it."""
    await _look_first(client, calendar, profile, path=path, etag=etag, uid=uid)
    reply = await _put(client, path, data, etag)
    if reply.status not in _DONE:
        raise await _refusal(client, calendar, reply, profile=profile, etag=etag)
    if reply.etag.startswith('"') and not (profile.read_back or profile.overlaps):
        tag = reply.headers.get("schedule-tag", "")
        return Resource(href=path, etag=reply.etag, data=data, schedule_tag=tag)
    return await _read_back(client, profile, path, data=data, etag=reply.etag, uid=uid)


async def remove(client: DavClient, profile: Profile, *, path: str, etag: str) -> None:
    """Delete one object if it is as we read it; success when it is gone already."""
    if not profile.guards_deletion:
        current = await get(client, path)
        if current is None:
            return
        if current.etag != etag:
            raise PreconditionFailed(f"DELETE {path}: changed since it was read")
    reply = await _conditional(client, "DELETE", path, etag)
    if reply.status in (*_DONE, *_GONE):
        return
    if reply.status == 412 and await get(client, path) is None:
        return
    raise reply.error()


async def _look_first(
    client: DavClient, calendar: Calendar, profile: Profile, *, path: str, etag: str, uid: str
) -> None:
    """SOGo overwrites in spite of If-None-Match and creates in spite of If-Match; sabre and DAViCal take a UID twice."""
    if not profile.guards_creation:
        current = await get(client, path)
        if (current.etag if current is not None else "") != etag:
            raise PreconditionFailed(f"PUT {path}: not as it was read")
    if etag or profile.guards_uid:
        return
    taken = await search(client, calendar, uid)
    if taken is not None:
        raise PreconditionFailed(f"PUT {path}: the UID lies at {taken.href}", element=UID_TAKEN)


async def _put(client: DavClient, path: str, data: bytes, etag: str) -> Reply:
    return await _conditional(client, "PUT", path, etag, body=data)


async def _conditional(client: DavClient, method: str, path: str, etag: str, *, body: bytes = b"") -> Reply:
    """A write that happens only on what we read (RFC 9110 13.1). A weak ETag never fits If-Match (13.1.1), though
    Cyrus gives them to what it delivered itself: if the object still shows it, its strong form is tried."""
    headers = {"Content-Type": CALENDAR_TYPE} if body else {}
    if method == "DELETE":
        headers["Schedule-Reply"] = "F"  # RFC 6638 8.1: what we delete, nobody declines
    condition = {"If-Match": etag} if etag else {"If-None-Match": "*"}
    reply = await _surely(client, method, path, body=body, headers={**headers, **condition}, etag=etag)
    if reply.status != 412 or not etag.startswith("W/"):
        return reply
    current = await get(client, path)
    if current is None or current.etag != etag:
        return reply
    return await client.request(method, path, body=body, headers={**headers, "If-Match": etag[2:]})


async def _surely(
    client: DavClient, method: str, path: str, *, body: bytes, headers: dict[str, str], etag: str
) -> Reply:
    """A conditional write; if its answer was lost, look what became of it: sent once more if nothing, done if all of it.
    What cannot be told from another hand's change stays lost, and is decided anew from what the calendar then holds."""
    try:
        return await client.request(method, path, body=body, headers=headers)
    except WriteLost:
        current = await get(client, path)
        if (current.data if current is not None else b"") == body:
            return Reply(request=f"{method} {path}", path=path, status=204, headers={}, body=b"")
        if (current.etag if current is not None else "") != etag:
            raise
        reply = await client.request(method, path, body=body, headers=headers)
        if reply.status == 412:  # the first one was under way all the time
            raise
        return reply


async def _refusal(
    client: DavClient, calendar: Calendar, reply: Reply, *, profile: Profile, etag: str
) -> BackendError:
    """What a refused PUT means; each server has its own way to say that a UID is taken or a calendar is missing."""
    element = precondition(reply.body)
    if reply.status in _GONE and etag:
        return PreconditionFailed(f"{reply.request}: gone", status=reply.status)
    if reply.status == 400 and not etag and _speaks_of_uid(reply.body):
        return PreconditionFailed(f"{reply.request}: the UID is taken", element=UID_TAKEN, status=400)
    if reply.status == 500 and not etag and profile.keeps_deleted:
        return BackendUnavailable(f"{reply.request}: 500; perhaps {TRASHED}")
    if reply.status == 409 and not element and not await _exists(client, calendar.collection.path):
        return BackendRefused(f"{reply.request}: no such calendar")
    if reply.status in _UNTAKEN or (reply.status in _UNTAKEN_BY_NAME and element in _FORM):
        words = _words(reply.body) if not element else ""
        return ObjectRefused(" ".join(filter(None, (f"{reply.request}: {reply.status}", element, words))))
    return reply.error()


def _words(body: bytes) -> str:
    """What the server says for a person to read, on one line."""
    text = _MARKUP.sub(" ", body[:4096].decode("utf-8", "replace"))
    return "".join(one for one in " ".join(text.split()) if one.isprintable())[:200]


def _speaks_of_uid(body: bytes) -> bool:
    """Nextcloud: "Calendar object with uid already exists in this calendar collection." """
    text = body.lower()
    return b"uid" in text and b"exist" in text


async def _exists(client: DavClient, path: str) -> bool:
    try:
        found = await client.propfind(path, propfind(f"{DAV}resourcetype"), depth=0)
    except (BackendRefused, PreconditionFailed):
        return False
    own = found.member(found.path)
    return own is not None and not own.status


async def _read_back(
    client: DavClient, profile: Profile, path: str, *, data: bytes, etag: str, uid: str
) -> Resource:
    """What the server made of it. If somebody wrote meanwhile, ours is returned, so that his change is still news.

    Not where two writes may both win: then he has perhaps never seen ours, and it has to be decided on what he wrote.
    """
    current = await get(client, path)
    if current is None:
        raise PreconditionFailed(f"PUT {path}: gone right after it was written", status=404)
    if etag.startswith('"') and current.etag != etag:
        if profile.overlaps:
            raise PreconditionFailed(f"PUT {path}: somebody wrote at the same moment")
        return Resource(href=path, etag=etag, data=data)
    if uid_of(current.data) != uid or b"END:VCALENDAR" not in current.data[-256:].upper():
        raise BackendUnavailable(f"PUT {path}: the server stored something else than it was given")
    return current


__all__ = ["remove", "store"]
