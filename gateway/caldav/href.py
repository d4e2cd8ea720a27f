"""Paths as DAV servers name things, in one spelling, and never outside the configured origin.

A canonical path is absolute and percent-decoded, so that differently escaped hrefs of one resource are equal (RFC 4918
8.3.1). Three things stay escaped, upper case: `%2F` and `%25`, which would mean something else decoded, and what is no
printable UTF-8.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from gateway.caldav.faults import BrokenAnswer

# What the transport's own URL library leaves as it is: digest authentication signs the very octets that are sent.
_UNESCAPED = "/@:;=,+&!$'()*~-._"
_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_KEPT = re.compile(r"(%[0-9A-F]{2})")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9@_-][A-Za-z0-9@._-]{0,119}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Scheme, host and port of a server, and where on it the configuration says to begin."""

    scheme: str
    host: str
    port: int
    start: str  # canonical path, with a slash at the end

    def __str__(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        standard = self.port == _port(self.scheme)
        return f"{self.scheme}://{name}" + ("" if standard else f":{self.port}")

    def url(self, path: str) -> str:
        """The URL to ask for a canonical path."""
        return f"{self}{escape(path)}"

    def inside(self, location: str, *, base: str) -> str | None:
        """The canonical path of a redirect's target; None when it leaves this origin."""
        target = self._target(location)
        return (
            canonical(location, base=base) if target in (None, (self.scheme, self.host, self.port)) else None
        )

    def elsewhere(self, href: str) -> bool:
        """Whether an href names another host; another scheme or port is a proxy's doing and only the path counts."""
        target = self._target(href)
        return target is not None and target[1] != self.host

    def _target(self, location: str) -> tuple[str, str, int] | None:
        try:
            parts = urlsplit(location.strip())
            if not parts.scheme and not parts.netloc:
                return None
            scheme = (parts.scheme or self.scheme).lower()
            return scheme, (parts.hostname or "").lower(), parts.port or _port(scheme)
        except ValueError as error:
            raise BrokenAnswer(f"an unreadable location: {location[:200]!r}") from error


def origin_of(url: str) -> Origin:
    """Where a configured URL points; raises ValueError when it is no http(s) URL."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"not an http or https URL: {url}")
    start = as_collection(canonical(parts.path or "/"))
    return Origin(scheme=scheme, host=parts.hostname.lower(), port=parts.port or _port(scheme), start=start)


def canonical(href: str, *, base: str = "/") -> str:
    """One spelling of an href: absolute path, decoded; of an absolute URL only the path counts (proxies hide hosts)."""
    text = href.strip()
    if match := re.match(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]*", text):
        text = text[match.end() :] or "/"
    elif text.startswith("//"):
        text = "/" + text[2:].partition("/")[2]
    if not text.startswith("/"):
        text = base.rpartition("/")[0] + "/" + text
    path = _decoded(text)
    if any(segment in (".", "..") for segment in path.split("/")):
        raise BrokenAnswer(f"a path with dot segments: {href[:200]!r}")
    return path


def escape(path: str) -> str:
    """A canonical path as it stands in a request line or in XML."""
    return "".join(
        piece if odd else quote(piece, safe=_UNESCAPED) for odd, piece in _numbered(_KEPT.split(path))
    )


def as_collection(path: str) -> str:
    """The path with the slash that some servers leave out at the end of a collection (RFC 4918 5.2)."""
    return path if path.endswith("/") else path + "/"


def parent(path: str) -> str:
    """The collection that holds this path."""
    return path.rstrip("/").rpartition("/")[0] + "/"


def last_segment(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def object_path(collection: str, uid: str) -> str:
    """The predictable path of a new object. Radicale refuses `:` and `;`, others `/`: odd and long UIDs are hashed."""
    if _PLAIN_NAME.match(uid):
        return f"{as_collection(collection)}{uid}.ics"
    return f"{as_collection(collection)}{hashlib.sha256(uid.encode('utf-8', 'replace')).hexdigest()}.ics"


def _numbered(pieces: list[str]) -> list[tuple[bool, str]]:
    return [(bool(index % 2), piece) for index, piece in enumerate(pieces)]


def _decoded(text: str) -> str:
    if "%" not in text and text.isprintable():
        return text
    lone = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", text)
    visible = "".join(char if char in "/%" else _kept(char) for char in lone)
    return _ESCAPES.sub(lambda match: _decoded_run(match[0]), visible)


def _decoded_run(run: str) -> str:
    octets = bytes.fromhex(run.replace("%", ""))
    text = octets.decode("utf-8", "surrogateescape")
    return "".join(_kept(char) for char in text)


def _kept(char: str) -> str:
    if char in "/%":
        return f"%{ord(char):02X}"
    if char.isprintable():
        return char
    return "".join(f"%{octet:02X}" for octet in char.encode("utf-8", "surrogateescape"))


def _port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


__all__ = [
    "Origin",
    "as_collection",
    "canonical",
    "escape",
    "last_segment",
    "object_path",
    "origin_of",
    "parent",
]
