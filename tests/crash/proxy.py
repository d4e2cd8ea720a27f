"""A proxy before a CalDAV server that misbehaves as networks and servers do, by a seeded plan.

It never lies about what is: a 412 is a true one (somebody else wrote first, or the request was done twice on its way).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

FAULTS = {  # of a thousand requests
    "busy": 40,  # 503 with Retry-After, nothing done
    "slow": 60,
    "cut": 30,  # the answer ends in its middle
    "lost": 30,  # done, and no answer
    "twice": 20,  # done twice, the second answer
    "rival": 40,  # somebody else saves first
    "closed": 5,  # nobody is there for a while
}
WRITES = frozenset({"PUT", "DELETE", "POST"})


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    head: bytes
    body: bytes

    def raw(self) -> bytes:
        return self.head + b"\r\nConnection: close\r\n\r\n" + self.body

    def other(self, method: str, body: bytes = b"", fields: bytes = b"") -> Request:
        """Another request of the same user for the same object."""
        login = re.search(rb"(?im)^authorization:[^\r\n]*", self.head)
        head = f"{method} {self.path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n".encode()
        return Request(method, self.path, head + fields + (login[0] if login else b"X-None: 1"), body)


@dataclass
class Proxy:
    """Listens in a thread of its own from `start` to `stop`; misbehaves between `storm` and `calm`."""

    upstream: int
    port: int
    chance: random.Random
    stormy: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)  # what was asked, and what came of it

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> Proxy:
        self._loop = asyncio.new_event_loop()
        self._closed_until = 0.0
        self._rivals, self._status = 0, ""
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", self.port)
        )
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        async def end() -> None:
            self._server.close()
            await asyncio.sleep(0)  # who was accepted a moment ago has no task before the next turn
            while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
                await asyncio.sleep(0)

        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.run_until_complete(end())
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while self._loop.time() >= self._closed_until:
                request = await _request(reader)
                if request is None or not await self._answer(request, writer):
                    break
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """False when the connection is to end."""
        fault = self._fault(request)
        self.counts[fault] += 1
        begun, number = datetime.now(UTC), len(self.trace)
        self.trace.append(f"{begun:%H:%M:%S.%f} {request.method} {request.path} {fault}: no end")
        try:
            return await self._answered(request, writer, fault)
        finally:
            seconds = (datetime.now(UTC) - begun).total_seconds()
            self.trace[number] = self.trace[number].replace("no end", f"{self._status} after {seconds:.2f} s")

    async def _answered(self, request: Request, writer: asyncio.StreamWriter, fault: str) -> bool:
        if fault == "closed":
            self._closed_until = self._loop.time() + self.chance.uniform(0.1, 1.0)
            return False
        if fault == "busy":
            writer.write(b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")
            return True
        if fault == "slow":
            await asyncio.sleep(self.chance.uniform(0.05, 0.8))
        if fault == "rival":
            await self._rival(request)
        if fault == "twice":
            await self._ask(request)
        answer = await self._ask(request)
        if fault == "lost":
            return False
        if fault == "cut":
            writer.write(answer[: self.chance.randrange(len(answer))])
            return False
        writer.write(answer)
        await writer.drain()
        return True

    def _fault(self, request: Request) -> str:
        if not self.stormy:
            return "none"
        kinds = [one for one in FAULTS if request.method in WRITES or one not in ("twice", "rival")]
        weights = [FAULTS[one] for one in kinds]
        return self.chance.choices([*kinds, "none"], [*weights, 1000 - sum(weights)])[0]

    async def _rival(self, request: Request) -> None:
        """Another program of the same user saves the same object a moment earlier, with a property of its own."""
        if request.method != "PUT":
            return
        answer = await self._ask(request.other("GET"))
        head, _, text = answer.partition(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0] or b"BEGIN:VEVENT" not in text:
            return
        etag = re.search(rb"(?im)^etag: *([^\r\n]*)", head)
        fields = b"Content-Type: text/calendar\r\nIf-Match: " + (etag[1] if etag else b"*") + b"\r\n"
        self._rivals += 1
        text = re.sub(rb"(?m)^X-RIVAL:[^\n]*\n", b"", text)
        text = text.replace(b"END:VEVENT", b"X-RIVAL:%d\r\nEND:VEVENT" % self._rivals, 1)
        await self._ask(request.other("PUT", text, fields))

    async def _ask(self, request: Request) -> bytes:
        """The whole answer of the server, with a Content-Length and a connection that stays."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        try:
            writer.write(request.raw())
            answer = await reader.read(-1)
        finally:
            writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = [
            one for one in head.split(b"\r\n")[1:] if not re.match(rb"(?i)(connection|content-length):", one)
        ]
        status = head.split(b" ", 1)[1].split(b"\r\n")[0]
        self._status = status.decode()
        length = b"" if request.method == "HEAD" else b"Content-Length: %d" % len(body)
        return b"\r\n".join([b"HTTP/1.1 " + status, *lines, length, b"", body])


async def _request(reader: asyncio.StreamReader) -> Request | None:
    with contextlib.suppress(asyncio.IncompleteReadError):
        head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
        length = re.search(rb"(?im)^content-length: *(\d+)", head)
        assert b"transfer-encoding" not in head.lower()
        body = await reader.readexactly(int(length[1])) if length else b""
        method, path, _ = head.split(b"\r\n")[0].decode().split(" ", 2)
        return Request(method, path, head, body)
    return None
