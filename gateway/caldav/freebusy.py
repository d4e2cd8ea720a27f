"""What a calendar holds of a stretch of time: calendar-query with a time-range (RFC 4791 7.8, 9.9)."""

from __future__ import annotations

from datetime import datetime

from gateway.caldav.client import DavClient
from gateway.caldav.fetch import get
from gateway.caldav.xml import calendar_text, query_by_time


async def overlapping(client: DavClient, path: str, *, start: datetime, end: datetime) -> tuple[bytes, ...]:
    """The text of every event in this calendar that may overlap; the servers expand, and err on either side of the edge."""
    found = await client.report(path, query_by_time("VEVENT", start, end))
    texts = []
    for member in found.members:
        data = calendar_text(member)
        if data is None and not member.status and member.path != path:
            resource = await get(client, member.path)
            data = resource.data if resource is not None else None
        if data is not None:
            texts.append(data)
    return tuple(texts)


__all__ = ["overlapping"]
