"""Peers that cost next to nothing: a CalDAV server that forgets, a mail sink, and a bare aiosmtpd that stores nothing.

python -m bench.peers caldav PORT | sink PORT | aiosmtpd PORT
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import re
import signal
import sys
import time
from typing import Any

NS = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
_COLLECTION = (
    "<resourcetype><collection/><C:calendar/></resourcetype><displayname>calendar</displayname>"
    '<C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set>'
    "<current-user-privilege-set><privilege><all/></privilege></current-user-privilege-set>"
    "<supported-report-set><supported-report><report><sync-collection/></report></supported-report>"
    "<supported-report><report><C:calendar-query/></report></supported-report>"
    "<supported-report><report><C:calendar-multiget/></report></supported-report></supported-report-set>"
    "<sync-token>token-1</sync-token>"
)
_PRINCIPAL = (
    "<current-user-principal><href>{home}</href></current-user-principal><principal-URL><href>{home}</href>"
    "</principal-URL><C:calendar-home-set><href>{home}</href></C:calendar-home-set>"
    "<resourcetype><collection/></resourcetype>"
)


def multistatus(token: int = 1, **responses: str) -> bytes:
    body = "".join(
        f"<response><href>{href}</href><propstat><prop>{prop}</prop><status>HTTP/1.1 200 OK</status></propstat>"
        "</response>"
        for href, prop in responses.items()
    )
    return f'<?xml version="1.0"?><multistatus {NS}>{body}<sync-token>token-{token}</sync-token></multistatus>'.encode()


class NullCalDav(asyncio.Protocol):
    """Keeps objects in a dict, and does nothing else with them."""

    written: list[float] = []
    versions = itertools.count()
    objects: dict[str, tuple[int, bytes]] = {}
    changed: dict[str, list[str]] = {}  # of a calendar, one path for each version after the first

    def connection_made(self, transport: Any) -> None:
        self.transport, self.buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            found = re.search(rb"(?im)^content-length: *(\d+)", head)
            length = int(found[1]) if found else 0
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4 : end + 4 + length]
            self.buffer = self.buffer[end + 4 + length :]
            method, path = head.split(b" ", 2)[:2]
            self.transport.write(self.answer(method.decode(), path.decode(), head, body))
            if b"\r\nconnection: close" in head.lower():
                self.transport.close()

    def answer(self, method: str, path: str, head: bytes, body: bytes) -> bytes:
        if method == "PUT":
            if not self.fits(path, head):
                return self.reply(412, b"")
            NullCalDav.written.append(time.time())
            NullCalDav.objects[path] = (number := next(NullCalDav.versions), body)
            NullCalDav.changed.setdefault(path.rpartition("/")[0] + "/", []).append(path)
            return self.reply(201, b"", f'ETag: "{number}"\r\n')
        if method == "GET" and path == "/bench/written":
            text = " ".join(f"{one:.6f}" for one in NullCalDav.written)
            NullCalDav.written.clear()
            return self.reply(200, text.encode())
        if method == "GET" and path == "/bench/count":
            return self.reply(200, str(len(NullCalDav.written)).encode())
        if method == "GET" and path.endswith("/"):
            return self.reply(
                200, "\n".join(one for one in NullCalDav.objects if one.startswith(path)).encode()
            )
        if method == "GET" and path in NullCalDav.objects:
            number, text = NullCalDav.objects[path]
            return self.reply(200, text, f'ETag: "{number}"\r\n')
        if method == "PROPFIND":
            home = self.home(head)
            principal, calendar = _PRINCIPAL.format(home=home), f"{home}calendar/"
            if b"depth: 1" in head.lower():
                return self.reply(207, multistatus(**{home: principal, calendar: _COLLECTION}))
            return self.reply(207, multistatus(**{path: _COLLECTION if path == calendar else principal}))
        if method == "REPORT":
            return self.reply(207, self.changes(path, body))
        if method == "OPTIONS":
            return self.reply(200, b"", "DAV: 1, calendar-access\r\n")
        return self.reply(404 if method == "GET" else 204, b"")

    def home(self, head: bytes) -> str:
        """Of whoever asks."""
        found = re.search(rb"(?im)^authorization: basic (\S+)", head)
        user = base64.b64decode(found[1]).partition(b":")[0].decode() if found else "alice"
        return f"/{user}/"

    def changes(self, path: str, body: bytes) -> bytes:
        """Since the token; nobody hears of Alice's, into whose calendar the other measures write."""
        token = re.search(rb"token-(\d+)<", body)
        changed = NullCalDav.changed.get(path, []) if not path.startswith("/alice/") else []
        new = dict.fromkeys(changed[int(token[1]) - 1 if token else 0 :])
        etags = {one: f'<getetag>"{NullCalDav.objects[one][0]}"</getetag>' for one in new}
        return multistatus(1 + len(changed), **etags)

    def fits(self, path: str, head: bytes) -> bool:
        """Whether the conditions of a write hold (RFC 9110 13.1)."""
        old = NullCalDav.objects.get(path)
        if b"if-none-match: *" in (lower := head.lower()) and old is not None:
            return False
        wanted = re.search(rb'if-match: *("[^"]*")', lower)
        return wanted is None or (old is not None and wanted[1] == b'"%d"' % old[0])

    def reply(self, status: int, body: bytes, fields: str = "") -> bytes:
        kind = "Content-Type: application/xml\r\n" if body else ""
        return f"HTTP/1.1 {status} x\r\n{fields}{kind}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Sink(asyncio.Protocol):
    """Says 250 to everything."""

    def connection_made(self, transport: Any) -> None:
        self.transport, self.buffer, self.in_data = transport, b"", False
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            mark = b"\r\n.\r\n" if self.in_data else b"\r\n"
            end = self.buffer.find(mark)
            if end < 0:
                return
            line, self.buffer = self.buffer[:end], self.buffer[end + len(mark) :]
            if self.in_data:
                self.in_data = False
                self.transport.write(b"250 taken\r\n")
                continue
            verb = line[:4].upper()
            if verb == b"EHLO":
                self.transport.write(b"250-sink\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 PIPELINING\r\n")
            elif verb == b"DATA":
                self.in_data = True
                self.transport.write(b"354 go\r\n")
            elif verb == b"QUIT":
                self.transport.write(b"221 bye\r\n")
                self.transport.close()
                return
            else:
                self.transport.write(b"250 ok\r\n")


class Nothing:
    """aiosmtpd's handler that stores nothing."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - its name
        return "250 ok"


async def serve(kind: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    if kind == "aiosmtpd":
        from aiosmtpd.smtp import SMTP

        def factory() -> Any:
            return SMTP(Nothing(), hostname="sink", loop=loop, data_size_limit=50_000_000)

        serving: Any = factory
    else:
        serving = NullCalDav if kind == "caldav" else Sink
    server = await loop.create_server(serving, "127.0.0.1", port, backlog=1024)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    async with server:
        await stop.wait()


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(sys.argv[1], int(sys.argv[2])))
