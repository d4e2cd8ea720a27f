"""A meeting for calendar programs that come back for it: their key reads what a guest may see, and answers nothing."""

from __future__ import annotations

from gateway.flows.opened import Opener
from gateway.imip.links import Purpose
from gateway.ports import Shown, Visit
from gateway.render.question import Questions


class Feed:
    """Implements `ports.Pages` for what is subscribed to: it is given to programs of others, so its key is not the guest's."""

    def __init__(self, *, opener: Opener, pages: Questions) -> None:
        self._opener = opener
        self._pages = pages

    async def show(self, visit: Visit) -> Shown:
        """There is nothing for people."""
        return Shown(status=404, html=self._pages.nothing(visit))

    async def take(self, visit: Visit) -> Shown:
        """Nor to be told."""
        return Shown(status=404, html=self._pages.nothing(visit))

    async def calendar(self, visit: Visit) -> bytes | None:
        """The meeting as it is now."""
        opened = await self._opener.open(Purpose.CALENDAR, visit.token)
        return opened.published() if opened is not None else None


__all__ = ["Feed"]
