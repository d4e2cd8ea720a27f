"""The pages as Chromium shows them: a gateway on a real store serves them, and its clock is commanded by the test.

Where there is no Chromium they are skipped, and say why; with CI set they fail.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import aiohttp
import pytest

from gateway.log import Log
from gateway.web.app import Health, WebServer, application
from gateway.web.links import Doorman, routes, styled
from tests.browser.chromium import Chromium, Tab, path
from tests.flows.conftest import (  # noqa: F401 - fixtures
    TEMPLATES,
    World,
    composing,
    empty_database,
    new_world,
    say,
    world,
)

ABSENT = "Chromium absent (Debian: apt install chromium): no page was looked at"
ALICE, BOB, CAROL = "alice@example.org", "bob@example.net", "carol@example.com"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    if not path():
        assert not os.environ.get("CI"), ABSENT
        pytest.skip(ABSENT)
    browser = Chromium()
    yield browser
    browser.close()


@pytest.fixture
async def tab(chromium: Chromium) -> AsyncIterator[Tab]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(chromium.socket, max_msg_size=0) as wire,
    ):
        found = Tab(wire)
        await found.open()
        yield found
        await found.close()


@dataclass(frozen=True, slots=True)
class Site:
    """Where the pages of a world are."""

    url: str
    world: World

    def link(self, to: str = BOB, query: str = "?a=yes") -> str:
        """The link of the last letter to this person."""
        mail = next(one for one in reversed(self.world.outbox.mails) if one.recipient == to)
        text = mail.content.decode().replace("=\r\n", "").replace("=3D", "=")
        found = re.search(r"http://pages(/[ro]/[^?\s\"]+)", text)
        assert found is not None
        return self.url + found[1] + query

    async def undo_time_is_over(self) -> None:
        self.world.clock.forward(seconds=61)
        await self.world.work()

    def line(self, who: str = BOB, href: str = "/alice/calendar/m1.ics") -> str:
        """What the organizer's calendar says of this guest."""
        found = (one for one in self.world.text(href).splitlines() if who in one)
        return next(one for one in found if one.startswith("ATTENDEE"))


@pytest.fixture
async def site(world: World) -> AsyncIterator[Site]:  # noqa: F811
    doorman = Doorman()
    style = (TEMPLATES / "web" / "pages.css").read_text()
    found = [*routes("r", world.rsvp, doorman=doorman), *routes("o", world.organizing, doorman=doorman)]
    app = application(health=Health(), metrics=Log().exposition, pages=[*found, styled(style)])
    server = WebServer(app, "127.0.0.1", 0)
    host, port = await server.start()
    yield Site(f"http://{host}:{port}", world)
    await server.close()
