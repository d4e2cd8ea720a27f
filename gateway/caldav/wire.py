"""The connections to one server: kept from one request to the next, unless the server hangs up on kept ones.

sogod answers as if it kept the connection and closes it a moment later, so that the next request of a busy gateway is sent
into a closed one; a proxy with a short idle time does it now and then. Whoever hung up gets a connection for each request
for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

GRUDGE = 600.0  # seconds


class Wire(httpx.AsyncBaseTransport):
    """httpx's transport over aiohttp's two pools: one that keeps, one that does not."""

    def __init__(self, *, connections: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept = _transport(connections, keep=True)
        self._fresh: AiohttpTransport | None = None
        self._connections = connections
        self._clock = clock
        self._until = clock()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Ask over a kept connection, or over a new one where the server lately hung up on those."""
        if self._clock() < self._until:
            if self._fresh is None:
                self._fresh = _transport(self._connections, keep=False)
            return await self._fresh.handle_async_request(request)
        try:
            return await self._kept.handle_async_request(request)
        except httpx.HTTPError as error:
            if _hung_up(error):
                self._until = self._clock() + GRUDGE
            raise

    async def aclose(self) -> None:
        """Close every connection."""
        await self._kept.aclose()
        if self._fresh is not None:
            await self._fresh.aclose()


def _hung_up(error: BaseException | None) -> bool:
    """Whether the server closed without a word of an answer."""
    closed = (aiohttp.ServerDisconnectedError, aiohttp.ClientConnectionResetError, ConnectionResetError)
    while error is not None and not isinstance(error, closed):
        error = error.__cause__
    return error is not None


def _transport(connections: int, *, keep: bool) -> AiohttpTransport:
    transport = AiohttpTransport(
        trust_env=True
    )  # the environment's certificates; httpx's own pool is not used

    def session() -> aiohttp.ClientSession:
        made = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=connections, ssl=transport.ssl_context, force_close=not keep
            ),
            cookie_jar=aiohttp.DummyCookieJar(),  # cookies belong to a credential, the connections to the server
        )
        # aiohttp sends PUT and DELETE again by itself when a kept connection was closed. A write that was done twice
        # answers 412 the second time, so that we would no longer know our own hand in it.
        made._retry_connection = False
        return made

    transport.client = session
    return transport


__all__ = ["Wire"]
