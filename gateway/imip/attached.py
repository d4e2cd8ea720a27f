"""Attachments that the organizer's calendar server keeps behind its login (RFC 8607), and the links by which guests get them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from gateway.ical.tree import Component, Property, parse, write
from gateway.itip.model import Facts

LARGEST: Final = 25 * 1024 * 1024  # octets of one that is passed on
MOST: Final = 100  # of one meeting
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Managed:
    """One attachment; `url` as the calendar has it."""

    id: str
    url: str
    name: str = ""


def attaches(calendar: bytes) -> bool:
    """Whether it is worth asking for a keeper."""
    return b"\nATTACH" in calendar.upper()


def managed(calendar: bytes, keeper: str) -> tuple[Managed, ...]:
    """Those that lie at `keeper`, the origin of a server that manages attachments: each once, in the order of the text.

    With a MANAGED-ID that it has not given the server takes no object (RFC 8607 3.11), but with one that it has given some
    take any URI. Only where the id itself is the last part of the path it names nothing but the attachment: whoever may
    write into a shared calendar must not choose what we fetch with its owner's login.
    """
    if not keeper or not attaches(calendar):
        return ()
    found: dict[str, Managed] = {}
    for line in _lines(parse(calendar)):
        known = _managed(line, keeper)
        if known is not None:
            found.setdefault(known.id, known)
    return tuple(found.values())[:MOST]


def links(found: Iterable[Managed], page: str) -> dict[str, str]:
    """MANAGED-ID -> where the guest of this page gets it: its number in his letter."""
    return {one.id: f"{page}/{number}" for number, one in enumerate(found, 1)}


def linked(calendar: bytes, keeper: str, by_id: Mapping[str, str]) -> bytes:
    """The same text with a link in the place of each URI that no guest can open.

    RFC 8607 4.3: what nobody manages has no MANAGED-ID; what the document is called, and of what kind and size, stays true.
    """
    if not by_id:
        return calendar
    root = parse(calendar)
    return write(root.with_children(_linked(one, keeper, by_id) for one in root.children))


def told(facts: Facts, found: Iterable[Managed], by_id: Mapping[str, str]) -> Facts:
    """What is told of the meeting in which they were found, with a link in the place of each such URI."""
    known = {one.url: by_id.get(one.id, one.url) for one in found}
    return replace(
        facts, attached=tuple(replace(one, url=known.get(one.url, one.url)) for one in facts.attached)
    )


def _lines(root: Component) -> Iterator[Property]:
    for component in root.components:
        yield from component.all("ATTACH")


def _managed(line: Property, keeper: str) -> Managed | None:
    name, size = line.param("MANAGED-ID") or "", line.param("SIZE") or "0"
    if not name or (line.param("VALUE") or "URI").upper() != "URI":
        return None
    if not size.isdecimal() or len(size) > 12 or int(size) > LARGEST:
        return None
    path = _path(line.value, keeper)
    if not path or path.rpartition("/")[2] != name:
        return None
    return Managed(id=name, url=line.value, name=line.param("FILENAME") or "")


def _path(url: str, keeper: str) -> str:
    """The path of a URI on that origin, and of one without an origin; "" of any other."""
    try:
        parts, own = urlsplit(url), urlsplit(keeper)
        if parts.username is not None or parts.query or parts.fragment or not parts.path.startswith("/"):
            return ""
        there = (parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme))
        here = (own.scheme, own.hostname, own.port or _PORTS.get(own.scheme))
    except ValueError:
        return ""
    local = not parts.scheme and not parts.netloc
    return parts.path if local or there == here else ""


def _linked(child: Property | Component, keeper: str, by_id: Mapping[str, str]) -> Property | Component:
    if isinstance(child, Component):
        return child.with_children(
            _linked(one, keeper, by_id) if isinstance(one, Property) else one for one in child.children
        )
    known = _managed(child, keeper) if child.name == "ATTACH" else None
    if known is None or known.id not in by_id:
        return child
    return child.with_value(by_id[known.id]).with_params(MANAGED_ID=None)


__all__ = ["LARGEST", "Managed", "attaches", "linked", "links", "managed", "told"]
