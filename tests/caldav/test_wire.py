"""A server that closes what it let us keep."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.caldav.wire import GRUDGE, Wire


class Sogod:
    """Answers as if the connection stayed; every connection takes one request, and hangs up on the second."""

    def __init__(self) -> None:
        self.connections = 0
        self.answers = 1  # of one connection
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            for _ in range(self.answers):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def sogod() -> AsyncIterator[Sogod]:
    found = Sogod()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    yield found
    server.close()
    await server.wait_closed()


async def ask(wire: Wire, url: str) -> int:
    response = await wire.handle_async_request(httpx.Request("DELETE", url))
    async for _ in response.stream:
        pass
    await response.aclose()
    return response.status_code


async def test_who_hung_up_once_gets_a_connection_for_each_request_for_a_while(sogod: Sogod):
    now = [0.0]
    wire = Wire(connections=4, clock=lambda: now[0])
    assert await ask(wire, sogod.url) == 200
    with pytest.raises(httpx.HTTPError):
        await ask(wire, sogod.url)
    assert [await ask(wire, sogod.url) for _ in range(5)] == [200] * 5 and sogod.connections == 6
    now[0], sogod.answers = GRUDGE + 1, 9
    assert [await ask(wire, sogod.url) for _ in range(3)] == [200] * 3 and sogod.connections == 7
    await wire.aclose()


async def test_who_keeps_his_word_is_asked_over_one_connection(sogod: Sogod):
    sogod.answers = 9
    wire = Wire(connections=4)
    assert [await ask(wire, sogod.url) for _ in range(5)] == [200] * 5 and sogod.connections == 1
    await wire.aclose()
