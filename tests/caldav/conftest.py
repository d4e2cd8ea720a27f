"""Real servers for the calendar edge, each started once on a free port, and a small HTTP server that misbehaves."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from gateway.accounts import Account
from gateway.caldav.calendars import CalDavCalendars
from gateway.caldav.client import Connections, DavClient, ServerSettings
from gateway.caldav.embedded import EmbeddedRadicale

ALICE = Account(address="alice@example.org", username="alice", password="secret")
RECORDED = Path(__file__).parent / "recorded"


@dataclass(frozen=True)
class Lab:
    """A server under test, and how to make an account that no other test uses."""

    settings: ServerSettings
    password: str
    users: Iterator[str]

    def account(self, **more: object) -> Account:
        user = next(self.users)
        return Account(address=f"{user}@example.org", username=user, password=self.password, **more)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def radicale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    names = [f"user{number}" for number in range(40)]
    accounts = [Account(address=f"{one}@example.org", username=one, password="secret") for one in names]
    server = EmbeddedRadicale(tmp_path_factory.mktemp("radicale"), accounts)
    url = asyncio.run(server.start())
    yield Lab(settings=ServerSettings(url=url), password="secret", users=iter(names))
    asyncio.run(server.stop())


@pytest.fixture(scope="session")
def xandikos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("xandikos")
    (folder / "data").mkdir()
    port = free_port()
    command = [sys.executable, "-m", "xandikos", "multi-user", "-d", str(folder / "data"), "--defaults"]
    command += [
        "--state-dir",
        str(folder / "state"),
        "--no-detect-systemd",
        "-l",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(
            [*command, "--trust-x-remote-user-from", "127.0.0.1"], stdout=log, stderr=log, cwd=folder
        )
    url = f"http://127.0.0.1:{port}/"
    try:
        wait_for(url, child, folder / "log")
        users = iter([f"user{number}" for number in range(40)])
        yield Lab(settings=ServerSettings(url=url, auth="header"), password="", users=users)
    finally:
        child.terminate()
        child.wait(10)


def wait_for(url: str, child: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and child.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"the server does not answer: {log.read_text()[-500:]}")


@pytest.fixture(params=["radicale", "xandikos"])
def lab(request: pytest.FixtureRequest) -> Lab:
    """Each real server in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture
async def open_calendars() -> AsyncIterator[Callable[..., CalDavCalendars]]:
    """Make `CalDavCalendars` that are closed when the test ends."""
    opened: list[CalDavCalendars] = []

    def make(*servers: ServerSettings, **more: object) -> CalDavCalendars:
        opened.append(CalDavCalendars(servers, **more))
        return opened[-1]

    yield make
    for one in opened:
        await one.aclose()


@pytest.fixture
def calendars(lab: Lab, open_calendars: Callable[..., CalDavCalendars]) -> CalDavCalendars:
    return open_calendars(lab.settings)


@pytest.fixture
def event() -> Callable[..., bytes]:
    """Calendar text of a small meeting."""

    def make(uid: str, summary: str = "Meeting", *extra: str) -> bytes:
        lines = [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//test//test//EN",
            "BEGIN:VEVENT",
            f"UID:{uid}",
            "DTSTAMP:20261101T100000Z",
            "DTSTART:20261201T100000Z",
            "DTEND:20261201T110000Z",
            f"SUMMARY:{summary}",
            *extra,
            "END:VEVENT",
            "END:VCALENDAR",
        ]
        return "".join(line + "\r\n" for line in lines).encode()

    return make


@pytest.fixture
def recorded() -> Callable[[str], bytes]:
    """A recorded answer by its file name."""
    return lambda name: (RECORDED / name).read_bytes()


# --- a server that says what it is told to -----------------------------------------------------------------------


class Scripted:
    """Answers by method and path; the last answer given for a request is repeated."""

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []
        self._answers: dict[tuple[str, str], list[httpx.Response]] = {}

    def on(self, method: str, path: str, body: bytes = b"", *, status: int = 207, **headers: str) -> Scripted:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = httpx.Response(status, content=body, headers=named)
        self._answers.setdefault((method, path), []).append(answer)
        return self

    def transport(self, _: ServerSettings) -> httpx.AsyncBaseTransport:
        async def handle(request: httpx.Request) -> httpx.Response:
            return await self._handle(request)  # as it then is: a test may put a fault before it

        return httpx.MockTransport(handle)

    def methods(self) -> list[str]:
        return [one.method for one in self.asked]

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        await asyncio.sleep(0)
        left = self._answers.get((request.method, request.url.raw_path.decode()), [])
        if not left:
            return httpx.Response(404)
        answer = left.pop(0) if len(left) > 1 else left[0]
        return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()


@pytest.fixture
async def open_client() -> AsyncIterator[Callable[..., DavClient]]:
    """A `DavClient` for one account at one server, closed when the test ends."""
    opened: list[Connections] = []

    def make(
        settings: ServerSettings, account: Account = ALICE, *, server: Scripted | None = None
    ) -> DavClient:
        opened.append(Connections(settings, transport=server.transport if server else None))
        return opened[-1].client(account)

    yield make
    for one in opened:
        await one.aclose()


@pytest.fixture
def alice() -> Account:
    return ALICE


# --- a server that misbehaves ----------------------------------------------------------------------------------------


@dataclass
class Asked:
    """One request as it came over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Respond = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Crook:
    """A raw HTTP server; `respond` writes whatever it likes and the connection is then closed."""

    url: str
    asked: list[Asked] = field(default_factory=list)
    respond: Respond | None = None


@pytest.fixture
async def crook() -> AsyncIterator[Crook]:
    server_state = Crook(url="")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = await _read(reader)
            server_state.asked.append(asked)
            assert server_state.respond is not None
            await server_state.respond(asked, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    server_state.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    yield server_state
    server.close()
    await server.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method=method, path=path, headers=headers, body=body)
