"""What changed in a collection: sync-collection where the server offers it, else a listing of ETags (RFC 6578).

Whatever is doubtful (a token refused, a token older than ours) becomes a full answer; whatever is broken raises. Neither
can make an object look deleted that is not.
"""

from __future__ import annotations

import re

from gateway.caldav.client import REPORT_LIMIT, XML_TYPE, DavClient, entity_tag
from gateway.caldav.discover import Calendar
from gateway.caldav.faults import BrokenAnswer
from gateway.caldav.xml import (
    DAV,
    Member,
    MultiStatus,
    parse_multistatus,
    propfind,
    sync_collection,
)
from gateway.ports import Change, SyncResult

SYNC = f"{DAV}sync-collection"
PAGES = 200  # of one answer that the server cuts by 507
_NUMBERED = re.compile(r"(.*?)(\d+)\Z", re.DOTALL)
_GONE = (404, 410)
_CUT = 507
# With a token: the server will not go on from it. Without: it has no such report after all.
_REFUSALS = (400, 403, 405, 409, 412, 415, 422, 501, _CUT)


class _RefusedError(Exception):
    """The server would not answer this sync-collection report."""


async def changes_since(client: DavClient, calendar: Calendar, token: str) -> SyncResult:
    """Everything that changed since the token, or everything there is. Raises BackendError, never guesses."""
    path = calendar.collection.path
    if not calendar.offers(SYNC):
        return await _listing(client, path)
    if token:
        try:
            result = await _pages(client, path, token)
        except _RefusedError:  # RFC 6578 3.2: begin anew; Xandikos says 412, the others 403
            result = None
        if result is not None and not _backwards(token, result.token):
            return result
    try:
        return await _pages(client, path, "")
    except _RefusedError:
        return await _listing(client, path)


async def _pages(client: DavClient, path: str, token: str) -> SyncResult:
    """All pages of one answer: RFC 6578 3.6 lets a server cut it with a 507 on the collection itself."""
    full = not token
    seen: dict[str, str | None] = {}
    for _ in range(PAGES):
        page = await _report(client, path, token)
        if not page.sync_token:
            raise _RefusedError
        cut = False
        for member in page.members:
            if member.path.rstrip("/") == page.path.rstrip("/"):
                cut = cut or member.status == _CUT
            elif not member.path.endswith("/"):
                seen[member.path] = _etag(member)
        if not cut:
            return SyncResult(token=page.sync_token, changes=_changes(seen, full=full), full=full)
        if page.sync_token == token:
            break
        token = page.sync_token
    raise BrokenAnswer(f"REPORT {path}: sync-collection is cut without end")


async def _report(client: DavClient, path: str, token: str) -> MultiStatus:
    headers = {"Depth": "0", "Content-Type": XML_TYPE}  # RFC 6578 3.2: Depth 0, the level is in the body
    reply = await client.request(
        "REPORT", path, body=sync_collection(token), headers=headers, limit=REPORT_LIMIT
    )
    if reply.status in _REFUSALS:
        raise _RefusedError
    return parse_multistatus(reply.expect(207).body, base=reply.path)


async def _listing(client: DavClient, path: str) -> SyncResult:
    """Every member and its ETag by PROPFIND; the collection itself must be in the answer, or it is not a listing."""
    found = await client.propfind(path, propfind(f"{DAV}getetag", f"{DAV}resourcetype"), depth=1)
    own = found.member(found.path)
    if own is None or own.status:
        raise BrokenAnswer(f"PROPFIND {path}: a listing without the collection itself")
    seen: dict[str, str | None] = {}
    for member in found.members:
        if member is own or member.path.endswith("/") or _is_collection(member):
            continue
        seen[member.path] = _etag(member)
    return SyncResult(token="", changes=_changes(seen, full=True), full=True)


def _changes(seen: dict[str, str | None], *, full: bool) -> tuple[Change, ...]:
    """A full answer has only what is there: Radicale lists old deletions in a first sync too."""
    return tuple(Change(href=href, etag=etag) for href, etag in seen.items() if not (full and etag is None))


def _etag(member: Member) -> str | None:
    """None: gone. "": there, but its ETag is not told, so that the object itself has to be looked at."""
    if member.status in _GONE:
        return None
    if member.status >= 500:
        raise BrokenAnswer(f"{member.path}: {member.status} inside a multistatus")
    return entity_tag(member.text(f"{DAV}getetag"))


def _is_collection(member: Member) -> bool:
    kinds = member.properties.get(f"{DAV}resourcetype")
    return kinds is not None and kinds.find(f"{DAV}collection") is not None


def _backwards(before: str, after: str) -> bool:
    """Whether a server that counts went back, as after a restore: sabre and Nextcloud then say that nothing changed."""
    old, new = _NUMBERED.match(before), _NUMBERED.match(after)
    return bool(old and new and old[1] == new[1] and int(new[2]) < int(old[2]))


__all__ = ["changes_since"]
