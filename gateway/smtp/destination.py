"""Where mail goes: the URLs of `smarthost` and `relay_to` (INTERFACE 3)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from gateway.ports import Sent

MALFORMED = Sent(
    state="failed", code=553, text="5.1.3 malformed address"
)  # ours to say: it goes on no command line
_PORTS = {"smtp": 25, "smtps": 465, "lmtp": 24}


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A parsed URL; `path` is that of a unix socket or of a Maildir."""

    scheme: str  # smtp | smtps | lmtp | maildir
    host: str = ""
    port: int = 0
    path: str = ""
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def is_near(self) -> bool:
        """Whether the way there stays on this machine, so that nobody else can listen."""
        if self.path or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_destination(url: str) -> Destination:
    """Read `smtp://user:pass@host:port`, `smtps://`, `lmtp://`, `lmtp+unix:/path` or `maildir:/path`. Raise ValueError."""
    for prefix, scheme in (("maildir:", "maildir"), ("lmtp+unix:", "lmtp")):
        if url.startswith(prefix):
            path = url[len(prefix) :]
            path = "/" + path.lstrip("/") if path.startswith("//") else path
            if not path.strip("/"):
                raise ValueError(f"{prefix} needs a path")
            return Destination(scheme=scheme, path=path)
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        raise ValueError("a destination begins with smtp://, smtps://, lmtp://, lmtp+unix: or maildir:")
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"{parts.scheme}:// needs a host, and nothing behind it but a port")
    return _from_parts(parts)


def _from_parts(parts: SplitResult) -> Destination:
    return Destination(
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=parts.port or _PORTS[parts.scheme],
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )
