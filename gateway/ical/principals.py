"""Calendar users who stand in a calendar as what their server calls them: a principal's path, its URL, a UUID.

Programs write into ORGANIZER and ATTENDEE what the server told them (RFC 6638 2.4.1). Inside the gateway such a line bears the
mail address, and beside it, in a parameter, what stands in the calendar; what goes back there is spelled as it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from gateway.ical.address import Address, is_mail, mailto
from gateway.ical.lexer import unfolded
from gateway.ical.tree import Component, Limits, Property, parse, write

STORED_AS: Final = "X-IMIP-GATEWAY-STORED-AS"
STORED_CN: Final = "X-IMIP-GATEWAY-STORED-CN"
_PEOPLE: Final = ("ORGANIZER", "ATTENDEE")
_LINE = re.compile(rb"^(?:ORGANIZER|ATTENDEE)[;:].*$", re.IGNORECASE | re.MULTILINE)
_MAIL = re.compile(rb":\s*mailto:[^:\s]+\s*$", re.IGNORECASE)
_PORTS: Final = {"http": 80, "https": 443}
_UNSAFE = re.compile(r"[\x00-\x20\x7f\"]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who a line means: his address, and his name where it is not the one that stands there."""

    address: Address
    name: str = ""


Named = Callable[[Property], Person | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A calendar user's URI in one spelling: `host` only where it was told, `path` everything else."""

    host: str
    path: str


def place(uri: str) -> Place | None:
    """RFC 3986 6.2.2, 6.2.3 and RFC 6638 2.4.1: case, escapes, default port, dot segments, the slash at the end.

    None: a mail address, or what names nobody.
    """
    text = uri.strip()
    lower = text.lower()
    if lower.startswith("urn:"):
        return Place(host="", path=lower)
    if lower.startswith(("http://", "https://", "//")):
        try:
            parts = urlsplit(text)
            port = "" if parts.port in (None, _PORTS.get(parts.scheme)) else f":{parts.port}"
            host, rest = (parts.hostname or "").lower() + port, parts.path
        except ValueError:
            return None
    elif text.startswith("/"):
        host, rest = "", text.partition("?")[0].partition("#")[0]
    else:
        return None
    path = _path(rest)
    return Place(host=host, path=path) if path else None


def strange(data: bytes) -> bool:
    """Whether a text has a person who does not stand there as mail address; costs microseconds where all do."""
    return any(_MAIL.search(line) is None for line in _LINE.findall(unfolded(data)))


def places(data: bytes, limits: Limits) -> frozenset[Place]:
    """The URIs by which people stand in a text, and those that are to stand there again."""
    lines = (line for part in parse(data, limits).components for line in _people(part))
    found = (place(uri) for line in lines for uri in (line.value, line.param(STORED_AS) or ""))
    return frozenset(one for one in found if one is not None)


def named(data: bytes, limits: Limits, who: Named) -> bytes:
    """The text with the mail address of everybody whom `who` knows by what stands in his line."""

    def told(line: Property) -> Property:
        person = who(line)
        if person is None or line.address == person.address or _UNSAFE.search(line.value):
            return line
        new = line.with_value(mailto(person.address)).with_params(X_IMIP_GATEWAY_STORED_AS=line.value)
        if not person.name:
            return new
        return new.with_params(CN=person.name, X_IMIP_GATEWAY_STORED_CN=line.param("CN") or "")

    return _rewritten(data, limits, told)


def marked(data: bytes) -> bool:
    """Whether a text may have lines that `named` rewrote."""
    return STORED_AS.encode() in unfolded(data).upper()


def spelled(data: bytes, limits: Limits, who: Named) -> bytes:
    """The text as it belongs into the calendar; what `who` would not read back the same way keeps its mail address."""

    def told(line: Property) -> Property:
        was = line.param(STORED_AS)
        if was is None:
            return line
        called = line.param(STORED_CN)
        bare = line.with_params(X_IMIP_GATEWAY_STORED_AS=None, X_IMIP_GATEWAY_STORED_CN=None)
        person = who(bare.with_value(was))
        if person is None or person.address != line.address or not is_mail(line.address):
            return bare
        bare = bare if called is None else bare.with_params(CN=called or None)
        return bare.with_value(was)

    return _rewritten(data, limits, told)


def speakers(
    data: bytes, limits: Limits
) -> tuple[frozenset[str], tuple[Property, ...], tuple[Property, ...]]:
    """The UIDs of a text, its organizers and its guests."""
    parts = parse(data, limits).components
    uids = frozenset(uid for part in parts if (uid := part.value("UID")))
    organizers, guests = (tuple(line for part in parts for line in part.all(name)) for name in _PEOPLE)
    return uids, organizers, guests


def _people(part: Component) -> tuple[Property, ...]:
    return tuple(line for name in _PEOPLE for line in part.all(name))


def _rewritten(data: bytes, limits: Limits, told: Callable[[Property], Property]) -> bytes:
    root = parse(data, limits)
    parts: Mapping[int, Component] = {id(part): _part(part, told) for part in root.components}
    if all(id(part) == known for known, part in parts.items()):
        return data
    return write(root.with_children(parts.get(id(child), child) for child in root.children))


def _part(part: Component, told: Callable[[Property], Property]) -> Component:
    lines = {id(line): told(line) for line in _people(part)}
    if all(id(line) == known for known, line in lines.items()):
        return part
    return part.with_children(lines.get(id(child), child) for child in part.children)


def _path(text: str) -> str:
    """RFC 3986 5.2.4 and 6.2.2; "" for the root, which is nobody's principal."""
    kept: list[str] = []
    for segment in text.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(
                quote(unquote(segment, errors="surrogateescape"), safe="@:+,=~", errors="surrogateescape")
            )
    return "/" + "/".join(kept) if kept else ""


__all__ = [
    "STORED_AS",
    "Named",
    "Person",
    "Place",
    "marked",
    "named",
    "place",
    "places",
    "speakers",
    "spelled",
    "strange",
]
