"""Attachments of a meeting for those who have no login at its calendar server: fetched there, each time, as its organizer."""

from __future__ import annotations

from dataclasses import replace

from gateway.flows.opened import Opener
from gateway.imip.attached import LARGEST, managed
from gateway.imip.fields import plain
from gateway.imip.links import Purpose
from gateway.ports import Calendars, Document, Shown, Visit
from gateway.render.question import Questions

LONGEST = 120  # characters of a file's name


class Attachments:
    """Implements `ports.Attachments`: what stood in the letter, still stands in the meeting, and is shown to this guest."""

    def __init__(self, *, opener: Opener, calendars: Calendars, pages: Questions) -> None:
        self._opener = opener
        self._calendars = calendars
        self._pages = pages

    async def show(self, visit: Visit) -> Shown:
        return Shown(status=404, html=self._pages.nothing(visit))

    async def fetch(self, visit: Visit, number: int) -> Document | None:
        opened = await self._opener.open(Purpose.ATTACHMENT, visit.token)
        meeting = opened.calendar() if opened is not None else None
        if opened is None or meeting is None:
            return None
        keeper = (await self._calendars.profile(opened.account)).keeper
        named = dict(enumerate(managed(opened.letter.letter.calendar, keeper), 1)).get(number)
        there = {one.id: one for one in managed(meeting.data, keeper)}
        found = there.get(named.id) if named is not None else None
        if found is None:
            return None
        document = await self._calendars.attachment(opened.account, found.url, limit=LARGEST)
        return None if document is None else replace(document, name=_file_name(found.name))


def _file_name(name: str) -> str:
    """RFC 6266 4.3: one that names no folder and no hidden file, and that ends as it seems to."""
    last = plain(name).replace("\\", "/").rpartition("/")[2].strip(". ")
    stem, dot, ending = last.rpartition(".")
    if len(last) > LONGEST and dot and len(ending) < 10:
        return f"{stem[: LONGEST - 1 - len(ending)]}.{ending}"
    return last[:LONGEST] or "attachment"


__all__ = ["Attachments"]
