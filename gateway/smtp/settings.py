"""What a listener is told at its start, and where it listens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.ports import Clock, Intake, Peer

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long a silent client is kept, in seconds (RFC 5321 4.5.3.2.7 asks for five minutes at least)."""

    command: float = 300.0
    chunk: float = 300.0  # between two chunks of a mail; begins anew with each
    mail: float = (
        3600.0  # from DATA to its end, so that a drop each minute does not hold a connection for ever
    )
    handshake: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSettings:
    """One `[[listener]]` (INTERFACE 3), already parsed, with the limits of SPEC 11."""

    role: str = "incoming"  # incoming | outgoing
    protocol: str = "smtp"  # smtp | lmtp
    listen: str = "127.0.0.1:2525"  # host:port, [v6]:port, unix:/path
    hostname: str = "localhost"  # what we call ourselves: greeting, EHLO, Received
    trusted_networks: tuple[str, ...] = ("127.0.0.0/8", "::1")
    tls_cert: str = ""
    tls_key: str = ""
    auth_required: bool = False  # outgoing: being in a trusted network is not enough
    max_message: int = 25 * MEGABYTE
    max_connections: int = 1000
    max_connections_per_peer: int = 50  # not for trusted peers: the mail server is one peer
    max_recipients: int = 1000
    max_line: int = 100_000  # octets of one line of a mail, without its CRLF
    max_received: int = 50
    max_errors: int = 20  # commands not understood, and refused logins, until we hang up
    unknown_recipients: str = "refuse"  # refuse | accept
    after: str = "discard"
    relay_to: str = ""
    evidence: str = "login"  # outgoing: what shows that the sender has logged in (login | network)
    offer_smtputf8: bool = True
    offer_8bitmime: bool = True
    offer_dsn: bool = False  # only where NOTIFY, RET, ENVID and ORCPT are passed on
    proxy_protocol: bool = False  # trusted peers are proxies, and say first who speaks
    socket_mode: int = 0o660
    timeouts: Timeouts = field(default_factory=Timeouts)


class OnEvent(Protocol):
    """Where events go: `mail.accepted`, `mail.refused` (INTERFACE 6)."""

    def __call__(self, name: str, /, **facts: Any) -> None: ...


def no_event(name: str, /, **facts: Any) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callables:
    """Whom a listener asks. `known` and `authenticate` may answer at once or be awaited."""

    intake: Intake
    known: Callable[[str], bool | Awaitable[bool]]  # may this RCPT TO come in?
    may_send: Callable[[str, Peer], bool]  # outgoing: is this MAIL FROM an account that this peer speaks for?
    authenticate: Callable[[str, str], str | Awaitable[str | None] | None] | None
    on_event: OnEvent
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A parsed `listen`: either a TCP host and port, or the path of a unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_endpoint(text: str) -> Endpoint:
    """Read `host:port`, `[v6]:port`, `:port` (every interface) or `unix:/path`. Raise ValueError."""
    if text.startswith("unix:"):
        path = text[len("unix:") :]
        if not path.startswith("/"):
            raise ValueError(f"{text!r}: the path of a unix socket must be absolute")
        return Endpoint(path=path)
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(f"{text!r} is not host:port, [v6]:port or unix:/path")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{text!r}: an IPv6 address stands in brackets")
    return Endpoint(host="" if host == "*" else host, port=int(port))
