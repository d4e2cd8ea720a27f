"""What the SMTP tests share: a listener on a free port, a queue that only remembers, and a client that speaks bytes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import ssl
import struct
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.ports import Draft, Peer, ReceivedMail
from gateway.smtp.listener import Server, listen
from gateway.smtp.settings import ListenerSettings

OURS = frozenset({"alice@example.org", "bob@example.org", "jürgen@example.org", "postmaster"})
NOW = datetime(2027, 3, 10, 9, 30, tzinfo=UTC)


class FixedClock:
    def now(self) -> datetime:
        return NOW


@dataclass
class Queue:
    """An intake that remembers; `error` is raised, `gate` holds the commit until it is set."""

    mails: list[ReceivedMail] = field(default_factory=list)
    error: Exception | None = None
    gate: asyncio.Event | None = None
    drafts: Callable[[], Draft] | None = None  # where large mails go
    entered: asyncio.Event = field(default_factory=asyncio.Event)

    def draft(self) -> Draft | None:
        return None if self.drafts is None else self.drafts()

    async def accept(self, mail: ReceivedMail) -> str:
        self.entered.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.mails.append(mail)
        return f"job-{len(self.mails)}"


class Client:
    """Bytes out, lines in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def line(self) -> str:
        """The next line without its end; "" when the server hung up."""
        line = await asyncio.wait_for(self.reader.readline(), 20)
        assert not line or line.endswith(b"\r\n"), line
        return line.decode().removesuffix("\r\n")

    async def reply(self) -> list[str]:
        """The next reply, all its lines."""
        lines = [await self.line()]
        while lines[-1][3:4] == "-":
            lines.append(await self.line())
        return lines

    async def say(self, *commands: str) -> list[str]:
        """Send commands at once; the last line of each reply."""
        await self.send("".join(f"{command}\r\n" for command in commands).encode())
        return [(await self.reply())[-1] for _ in commands]

    async def hello(self, verb: str = "EHLO") -> list[str]:
        await self.reply()
        await self.send(f"{verb} client.example\r\n".encode())
        return await self.reply()

    async def begin(self, *recipients: str, sender: str = "carol@example.net", verb: str = "EHLO") -> None:
        """Everything up to the 354."""
        await self.hello(verb)
        said = await self.say(f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{one}>" for one in recipients), "DATA")
        assert said[-1].startswith("354"), said

    async def starttls(self, context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        protocol = self.writer.transport.get_protocol()
        transport = await loop.start_tls(self.writer.transport, protocol, context)
        self.writer._transport = transport
        self.reader._transport = transport
        protocol._replace_writer(self.writer)

    async def rest(self) -> bytes:
        return await asyncio.wait_for(self.reader.read(), 20)

    def drop(self) -> None:
        """Vanish with a reset, not with a polite end."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await self.writer.wait_closed()


@dataclass
class Bench:
    """An open listener with what it did."""

    server: Server
    queue: Queue
    events: list[tuple[str, dict[str, Any]]]
    clients: list[Client] = field(default_factory=list)

    @property
    def mails(self) -> list[ReceivedMail]:
        return self.queue.mails

    async def connect(self, local: str = "") -> Client:
        address = self.server.addresses[0]
        if address.startswith("unix:"):
            streams = await asyncio.open_unix_connection(address[5:])
        else:
            host, _, port = address.rpartition(":")
            source = (local, 0) if local else None
            streams = await asyncio.open_connection(host.strip("[]"), int(port), local_addr=source)
        client = Client(*streams)
        self.clients.append(client)
        return client

    def body(self, index: int = -1) -> bytes:
        """The content of a mail below our Received line."""
        content = self.mails[index].content
        assert content.startswith(b"Received: from ")
        end = content.index(b"\r\n")
        while content[end + 2 : end + 3] in (b"\t", b" "):
            end = content.index(b"\r\n", end + 2)
        return content[end + 2 :]


Start = Callable[..., Awaitable[Bench]]


def _known(address: str) -> bool:
    return address.lower() in OURS


def _may_send(sender: str, peer: Peer) -> bool:
    return sender in OURS and peer.user in ("", sender)


async def _authenticate(username: str, password: str) -> str | None:
    if username == "broken":
        raise RuntimeError("dsn=postgres://user:secret@db")
    return "alice@example.org" if (username, password) == ("alice", "wonder land") else None


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """`await start(protocol="lmtp", ...)` opens a listener; it is closed at the end of the test."""
    benches: list[Bench] = []

    async def open_one(queue: Queue | None = None, **changes: Any) -> Bench:
        callables = {
            name: changes.pop(name, default)
            for name, default in (("known", _known), ("may_send", _may_send), ("authenticate", _authenticate))
        }
        settings = replace(ListenerSettings(listen="127.0.0.1:0", hostname="mx.example.org"), **changes)
        queue = queue or Queue()
        events: list[tuple[str, dict[str, Any]]] = []

        def remember(name: str, /, **facts: Any) -> None:
            events.append((name, facts))

        server = await listen(settings, intake=queue, on_event=remember, clock=FixedClock(), **callables)
        benches.append(Bench(server, queue, events))
        return benches[-1]

    yield open_one
    for bench in benches:
        for client in bench.clients:
            await client.close()
        await bench.server.close(0)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for localhost and 127.0.0.1, with its key."""
    program = shutil.which("openssl")
    if program is None:
        assert not os.environ.get("CI"), "openssl is missing"
        pytest.skip("openssl is not installed: TLS tests were skipped")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    words = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext {names}"
    subprocess.run([program, *words.split(), "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


@pytest.fixture
def trusting(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    """A client that trusts this one certificate."""
    return ssl.create_default_context(cafile=str(certificate[0]))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "dialog" in metafunc.fixturenames:
        paths = sorted((Path(__file__).parent / "dialogs").glob("*.txt"))
        metafunc.parametrize("dialog", paths, ids=[path.stem for path in paths])
