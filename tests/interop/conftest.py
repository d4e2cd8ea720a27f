"""One real server of each kind and a gateway daemon beside it, for as long as its scenarios run."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from gateway.accounts import Account
from gateway.caldav.calendars import CalDavCalendars
from gateway.caldav.client import ServerSettings
from tests.e2e.conftest import Gateway, unfold
from tests.interop.between import Between
from tests.interop.command import command
from tests.interop.servers import PASSWORD, SERVERS, Server

WANTED = bool(os.environ.get("INTEROP") or os.environ.get("CI"))

ALICE = Account(address="alice@example.org", username="alice", password=PASSWORD)


class Beside(Gateway):
    """A gateway beside any server: what is particular to one comes from `Server`."""

    def __init__(self, folder: Path, server: Server) -> None:
        super().__init__(folder, server)  # type: ignore[arg-type]
        self.server = server
        self.between = Between(server.port)
        text = self.config.read_text()
        if server.headers:
            text = text.replace(f'password = "{PASSWORD}"\n', "")
        text = text.replace("[gateway]\n", f'[gateway]\npublic_url = "http://127.0.0.1:{self.web}"\n')
        here = server.url.replace(f":{server.port}/", f":{self.between.port}/")
        self.config.write_text(text.replace(f'url = "{server.url}"\n', f'url = "{here}"\n{server.settings}'))

    def run(self, *words: str, stdin: bytes = b"", ok: Sequence[int] = (0,)) -> str:
        name, *rest = words
        status, out, err = command([name, "-c", str(self.config), *rest], self.folder)
        assert status in ok, f"{words} ended with {status}:\n{out}{err}\n{self._tail()}"
        return out

    def objects(self, user: str) -> dict[str, str]:
        with self.server.client(user) as client:
            home = self.server.path(user)
            body = b'<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>'
            headers = {"Depth": "1", "Content-Type": "application/xml"}
            listing = client.request("PROPFIND", home, content=body, headers=headers)
            assert listing.status_code == 207, listing.text
            names = {part.split("<")[0].rpartition("/")[2] for part in listing.text.split("href>")}
            paths = sorted(home + name for name in names if name.endswith(".ics"))
            return {path: unfold(client.get(path).text) for path in paths}

    def put(self, user: str, uid: str, text: str) -> None:
        path = next(
            (path for path, old in self.objects(user).items() if f"UID:{uid}\n" in old),
            f"{self.server.path(user)}saved-{uid}.ics",
        )
        with self.server.client(user) as client:
            reply = client.put(path, content=text.encode(), headers={"Content-Type": "text/calendar"})
            assert reply.status_code < 300, reply.text

    def settled(self) -> list[EmailMessage]:
        """What leaves once everything that was saved is seen and settled."""
        self.settle()
        return self.take_letters()

    def make_calendar(self, name: str) -> str:
        """One more calendar of alice."""
        path = f"{self.server.path('alice').rstrip('/').rpartition('/')[0]}/{name}/"
        with self.server.client("alice") as client:
            made = client.request("MKCALENDAR", path)
            assert made.status_code < 300, made.text
        return path


@pytest.fixture(scope="session", params=sorted(SERVERS))
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each server in turn. What is not installed fails where it was asked for, and is named where it was not."""
    kind = SERVERS[request.param]
    if missing := kind.missing():
        (pytest.fail if WANTED else pytest.skip)(missing)
    found = kind()
    yield found
    found.stop()


@pytest.fixture(scope="session")
def beside(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    gateway = Beside(tmp_path_factory.mktemp(server.name) / "gateway", server)
    gateway.start()
    gateway.settle()
    yield gateway
    gateway.stop()
    gateway.between.stop()


@pytest.fixture
def gateway(beside: Beside) -> Beside:
    """The gateway of this server, with nothing left over in its outbox."""
    beside.settle()
    beside.take_letters()
    return beside


@pytest.fixture
def settings(server: Server) -> ServerSettings:
    """What the calendar edge is told of it."""
    words = dict(line.split(" = ") for line in server.settings.splitlines())
    told: dict[str, Any] = {name: value.strip('"') for name, value in words.items()}
    return ServerSettings(url=server.url, **told)


@pytest.fixture
async def calendars(settings: ServerSettings) -> AsyncIterator[tuple[CalDavCalendars, Account]]:
    """The calendar edge alone, as alice."""
    edge = CalDavCalendars([settings])
    yield edge, ALICE
    await edge.aclose()
