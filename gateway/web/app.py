"""The web application: health, metrics, and whatever pages it is given."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# No script, no foreign content, no frame: what a page of ours never needs (SPEC 7.1).
HEADERS = {
    b"content-security-policy": b"default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"form-action 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'self'",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
    b"x-robots-tag": b"noindex, nofollow",
    b"cache-control": b"no-store",
}


class Health:
    """Whether the daemon takes work: "" when it does, else what hinders it."""

    def __init__(self) -> None:
        self._trouble = "starting"

    @property
    def trouble(self) -> str:
        return self._trouble

    def now(self, trouble: str) -> None:
        """The daemon says how it stands."""
        self._trouble = trouble


class StrictHeaders:
    """Adds the strict headers to every answer that does not set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                extra = [(name, value) for name, value in HEADERS.items() if name not in there]
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        await self._app(scope, receive, sending)


def application(
    *, health: Health, metrics: Callable[[], bytes], pages: Sequence[BaseRoute] = ()
) -> Starlette:
    """`/healthz` lives while the process does; `/readyz` says whether it takes work; `/metrics` is Prometheus text."""

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        return PlainTextResponse(f"{health.trouble or 'ready'}\n", status_code=503 if health.trouble else 200)

    async def exposition(_: Request) -> Response:
        return Response(metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    app = Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", exposition),
            *pages,
        ]
    )
    app.add_middleware(StrictHeaders)
    return app


class _Quiet(uvicorn.Server):
    """uvicorn without its signal handlers: the daemon has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """The socket of the web, for one process or for several that share it. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


class WebServer:
    """uvicorn inside our loop."""

    def __init__(
        self, app: Starlette, host: str, port: int, *, inherited: socket.socket | None = None
    ) -> None:
        self._address = (host, port)
        self._inherited = inherited
        settings = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", server_header=False, ws="none"
        )
        self._server = _Quiet(settings)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> tuple[str, int]:
        """Listen; returns the address that was bound. Raises OSError when it cannot be had."""
        wire = self._inherited or bind(*self._address)
        wire.setblocking(False)
        self._task = asyncio.create_task(self._server.serve(sockets=[wire]))
        name = wire.getsockname()
        return str(name[0]), int(name[1])

    async def close(self) -> None:
        """Finish the requests in hand."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
