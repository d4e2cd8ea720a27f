"""Open a listener, and close it again without losing a mail."""

from __future__ import annotations

import asyncio
import socket
import ssl
import stat
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from gateway.errors import ConfigError
from gateway.ports import Clock, Intake, Peer
from gateway.smtp import replies
from gateway.smtp.desk import Desk
from gateway.smtp.limits import Receiving
from gateway.smtp.session import GatewaySMTP
from gateway.smtp.settings import (
    Callables,
    Endpoint,
    ListenerSettings,
    OnEvent,
    no_event,
    parse_endpoint,
)

_BACKLOG = 1024


class _SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def _nobody(address: str, peer: Peer) -> bool:
    return False


class Server:
    """An open listener."""

    def __init__(self, desk: Desk, server: asyncio.Server, endpoint: Endpoint, *, shared: bool) -> None:
        self._desk = desk
        self._server = server
        self._endpoint = endpoint
        self._shared = shared  # with other processes, which go on listening
        self.addresses: tuple[str, ...] = (
            (str(endpoint),) if endpoint.path else tuple(_bound(sock) for sock in server.sockets)
        )

    @property
    def relay_to(self) -> str:
        return self._desk.settings.relay_to

    def offer(self, extensions: frozenset[str]) -> None:
        """Offer to clients what the next hop takes (names in lower case); for those who say hello from now on."""
        self._desk.settings = replace(
            self._desk.settings,
            offer_smtputf8="smtputf8" in extensions,
            offer_8bitmime="8bitmime" in extensions,
            offer_dsn="dsn" in extensions,
        )

    async def close(self, grace: float) -> None:
        """Take no new client, let mails under way come in for `grace` seconds, then hang up; commits are awaited."""
        desk = self._desk
        desk.closing = True
        self._server.close()
        if not self._shared:
            remove(self._endpoint)
        for session in tuple(desk.sessions.values()):
            if session.listening and session.transaction.sender is None:
                session.dismiss(replies.SHUTTING_DOWN)
        if desk.sessions:
            await asyncio.wait(tuple(desk.sessions), timeout=grace)
        late = tuple(desk.sessions.items())
        for _, session in late:
            session.dismiss(replies.SHUTTING_DOWN)
        await asyncio.gather(*(task for task, _ in late), return_exceptions=True)
        await desk.settled()
        await self._server.wait_closed()


async def listen(
    settings: ListenerSettings,
    *,
    intake: Intake,
    known: Callable[[str], bool | Awaitable[bool]],
    may_send: Callable[[str, Peer], bool] = _nobody,
    authenticate: Callable[[str, str], str | Awaitable[str | None] | None] | None = None,
    on_event: OnEvent = no_event,
    clock: Clock | None = None,
    inherited: socket.socket | None = None,
    receiving: Receiving | None = None,
) -> Server:
    """Open the listener in the running loop, or take up one that the parent process has bound.

    `receiving` is shared by the listeners of a process. Raise ConfigError for settings that cannot be, OSError for a taken
    address.
    """
    endpoint = check(settings)
    callables = Callables(
        intake=intake,
        known=known,
        may_send=may_send,
        authenticate=authenticate,
        on_event=on_event,
        clock=clock or _SystemClock(),
    )
    desk = Desk(settings, callables, tls_context(settings), receiving)
    loop = asyncio.get_running_loop()

    def factory() -> GatewaySMTP:
        return GatewaySMTP(desk, loop)

    shared = inherited is not None
    if endpoint.path:
        own = inherited or _unix_socket(Path(endpoint.path), settings.socket_mode)
        server = await loop.create_unix_server(factory, sock=own, backlog=_BACKLOG)
    elif inherited is not None:
        server = await loop.create_server(factory, sock=inherited, backlog=_BACKLOG)
    else:
        server = await loop.create_server(factory, endpoint.host or None, endpoint.port, backlog=_BACKLOG)
    return Server(desk, server, endpoint, shared=shared)


def bind(settings: ListenerSettings) -> socket.socket:
    """The socket of a listener, for processes that share it. Raise ConfigError, OSError.

    Who connects waits in its backlog until one of them takes him, so that none is lost while they are replaced.
    """
    endpoint = check(settings)
    if endpoint.path:
        bound = _unix_socket(Path(endpoint.path), settings.socket_mode)
        bound.listen(_BACKLOG)
        return bound
    everywhere = not endpoint.host and socket.has_dualstack_ipv6()
    v6 = everywhere or ":" in endpoint.host
    return socket.create_server(
        (endpoint.host, endpoint.port),
        family=socket.AF_INET6 if v6 else socket.AF_INET,
        backlog=_BACKLOG,
        dualstack_ipv6=everywhere,
    )


def check(settings: ListenerSettings) -> Endpoint:
    """Where to listen. Raise ConfigError with everything that is wrong."""
    problems: list[str] = []
    endpoint = Endpoint()
    try:
        endpoint = parse_endpoint(settings.listen)
    except ValueError as error:
        problems.append(str(error))
    # RFC 2033 5
    if settings.protocol == "lmtp" and endpoint.port == 25:
        problems.append("LMTP must not be spoken on port 25")
    if settings.protocol not in ("smtp", "lmtp") or settings.role not in ("incoming", "outgoing"):
        problems.append(f"no such listener: {settings.role} {settings.protocol}")
    if bool(settings.tls_cert) != bool(settings.tls_key):
        problems.append("STARTTLS needs both a certificate and a key")
    if problems:
        raise ConfigError(tuple(problems))
    return endpoint


def tls_context(settings: ListenerSettings) -> ssl.SSLContext | None:
    """The server's side of STARTTLS, or None without a certificate. Raise ConfigError when it cannot be read."""
    if not settings.tls_cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ValueError) as error:
        raise ConfigError((f"certificate {settings.tls_cert}: {error}",)) from error
    return context


def _unix_socket(path: Path, mode: int) -> socket.socket:
    """Bind a unix socket; one that a dead process left is removed, one that somebody answers on is not."""
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
    bound = socket.socket(socket.AF_UNIX)
    try:
        bound.bind(str(path))
        path.chmod(mode)  # before it listens: nobody comes in earlier
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)
    return bound


def remove(endpoint: Endpoint) -> None:
    """Take the file of a unix socket away, where it is one."""
    if endpoint.path:
        Path(endpoint.path).unlink(missing_ok=True)


def _bound(sock: socket.socket) -> str:
    name = sock.getsockname()
    return str(Endpoint(host=name[0], port=name[1]))
