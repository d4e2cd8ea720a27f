"""The XML of WebDAV and CalDAV: request bodies, and multistatus answers read strictly.

A cut, empty or foreign answer raises BrokenAnswer; it can never look like an empty calendar (SPEC 5.1). Entities and
document types are refused before anything is expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat
from xml.sax.saxutils import escape as xml_escape
from xml.sax.saxutils import quoteattr

from gateway.caldav.faults import BrokenAnswer
from gateway.caldav.href import canonical, escape

DAV = "{DAV:}"
CALDAV = "{urn:ietf:params:xml:ns:caldav}"
SERVER = "{http://calendarserver.org/ns/}"
NEXTCLOUD = "{http://nextcloud.com/ns}"

MAX_DEPTH = 64
_PREFIXES = {DAV: "D", CALDAV: "C", SERVER: "S", NEXTCLOUD: "N"}
_HEAD = '<?xml version="1.0" encoding="utf-8"?>'
_SPACES = " ".join(f'xmlns:{prefix}="{name[1:-1]}"' for name, prefix in _PREFIXES.items())
_STATUS = re.compile(r"HTTP/\d(?:\.\d)?\s+(\d{3})(?:\s|\Z)")
_SAYABLE = re.compile("[^\\\\,;\n\r\x00-\x1f\ud800-\udfff\ufffe\uffff]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One resource of a multistatus (RFC 4918 13): its properties that were found, or its status."""

    path: str  # canonical
    status: int  # 0: it has properties
    properties: Mapping[str, Element]

    def text(self, name: str) -> str:
        """The text of a property; "" when it is absent or empty."""
        found = self.properties.get(name)
        return (found.text or "").strip() if found is not None else ""

    def path_of(self, name: str) -> str:
        """The one href inside a property, canonical; "" when there is none."""
        return next(iter(self.paths_of(name)), "")

    def paths_of(self, name: str) -> tuple[str, ...]:
        """The hrefs inside a property, canonical, such as calendar-home-set (RFC 4791 6.2.1)."""
        return tuple(canonical(one, base=self.path) for one in self.hrefs_of(name))

    def hrefs_of(self, name: str) -> tuple[str, ...]:
        """The hrefs inside a property as the server wrote them."""
        found = self.properties.get(name)
        if found is None:
            return ()
        return tuple(text for one in found.iter(f"{DAV}href") if (text := (one.text or "").strip()))


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiStatus:
    """A multistatus answer; `sync_token` only after a sync-collection report (RFC 6578 6.4)."""

    members: tuple[Member, ...]
    path: str = "/"  # where the answer came from, after redirects
    sync_token: str = ""

    def member(self, path: str) -> Member | None:
        """The member at this path, whatever slash the server writes."""
        wanted = path.rstrip("/")
        return next((one for one in self.members if one.path.rstrip("/") == wanted), None)


# --- what we ask -----------------------------------------------------------------------------------------------------


def propfind(*names: str) -> bytes:
    """The body of a PROPFIND for these properties (RFC 4918 9.1)."""
    return _document(f"<D:propfind {_SPACES}>{_properties(names)}</D:propfind>")


def sync_collection(token: str) -> bytes:
    """The body of a sync-collection report (RFC 6578 3.2). No limit: Xandikos skips what it cuts off."""
    return _document(
        f"<D:sync-collection {_SPACES}><D:sync-token>{xml_escape(token)}</D:sync-token>"
        f"<D:sync-level>1</D:sync-level>{_properties((f'{DAV}getetag',))}</D:sync-collection>"
    )


def multiget(paths: Iterable[str]) -> bytes:
    """The body of a calendar-multiget report (RFC 4791 7.9)."""
    hrefs = "".join(f"<D:href>{xml_escape(escape(path))}</D:href>" for path in paths)
    wanted = _properties((f"{DAV}getetag", f"{CALDAV}calendar-data", f"{CALDAV}schedule-tag"))
    return _document(f"<C:calendar-multiget {_SPACES}>{wanted}{hrefs}</C:calendar-multiget>")


def query_by_uid(component: str, part: str) -> bytes:
    """The body of a calendar-query for objects whose UID contains `part` (RFC 4791 7.8.6): text-match is a substring
    match on every server, so the asker compares the UID himself."""
    match = f'<C:text-match collation="i;octet">{xml_escape(part)}</C:text-match>'
    return _document(
        f"<C:calendar-query {_SPACES}>{_properties((f'{DAV}getetag', f'{CALDAV}calendar-data'))}"
        f'<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name={quoteattr(component)}>'
        f'<C:prop-filter name="UID">{match}</C:prop-filter>'
        "</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
    )


def query_by_time(component: str, start: datetime, end: datetime) -> bytes:
    """The body of a calendar-query for objects that overlap a half-open stretch of time (RFC 4791 9.9)."""
    span = f'start="{start:%Y%m%dT%H%M%SZ}" end="{end:%Y%m%dT%H%M%SZ}"'
    return _document(
        f"<C:calendar-query {_SPACES}>{_properties((f'{DAV}getetag', f'{CALDAV}calendar-data'))}"
        f'<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="{component}"><C:time-range {span}/>'
        "</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
    )


def make_calendar(name: str, components: Iterable[str] = ("VEVENT", "VTODO")) -> bytes:
    """The body of a MKCALENDAR (RFC 4791 5.3.1)."""
    kinds = "".join(f"<C:comp name={quoteattr(one)}/>" for one in components)
    return _document(
        f"<C:mkcalendar {_SPACES}><D:set><D:prop><D:displayname>{xml_escape(name)}</D:displayname>"
        f"<C:supported-calendar-component-set>{kinds}</C:supported-calendar-component-set>"
        "</D:prop></D:set></C:mkcalendar>"
    )


def searchable(uid: str) -> str:
    """The longest run of a UID that means the same raw, unescaped and in XML; the search is for substrings anyway."""
    return max(_SAYABLE.findall(uid), key=len, default="")


def _properties(names: Iterable[str]) -> str:
    return f"<D:prop>{''.join(_empty_element(name) for name in names)}</D:prop>"


def _empty_element(name: str) -> str:
    space, _, local = name.rpartition("}")
    return f"<{_PREFIXES[space + '}']}:{local}/>"


def _document(body: str) -> bytes:
    return (_HEAD + body).encode("utf-8")


# --- what we are told ------------------------------------------------------------------------------------------------


def parse(body: bytes) -> Element:
    """The root of an XML document without document type, of bounded depth; raises BrokenAnswer."""
    builder = TreeBuilder()
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise BrokenAnswer("an XML answer nested too deep")
        builder.start(_clark(name), {_clark(key): value for key, value in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_clark(name))

    def refuse(*facts: object) -> None:
        raise BrokenAnswer("an XML answer with a document type")

    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(body, True)
        return builder.close()
    except (expat.ExpatError, AssertionError, ValueError, LookupError) as error:
        raise BrokenAnswer(f"an answer that is not well-formed XML: {error}") from error


def parse_multistatus(body: bytes, *, base: str) -> MultiStatus:
    """A multistatus, strictly (RFC 4918 14.16); raises BrokenAnswer for anything else."""
    root = parse(body)
    if root.tag != f"{DAV}multistatus":
        raise BrokenAnswer(f"expected a multistatus, got {root.tag[:100]}")
    members = [member for one in root.iterfind(f"{DAV}response") for member in _members(one, base)]
    token = (root.findtext(f"{DAV}sync-token") or "").strip()
    return MultiStatus(members=tuple(members), path=base, sync_token=token)


def precondition(body: bytes) -> str:
    """The precondition that an error body names (RFC 4918 16), without its namespace; "" when it names none."""
    if body.lstrip()[:1] != b"<":
        return ""
    try:
        root = parse(body)
    except BrokenAnswer:
        return ""
    error = root if root.tag == f"{DAV}error" else root.find(f".//{DAV}error")
    for one in error if error is not None else ():
        space, _, local = one.tag.rpartition("}")
        if space + "}" in (DAV, CALDAV) and local != "responsedescription":
            return local
    return ""


def calendar_text(member: Member) -> bytes | None:
    """The calendar text of a report's member (RFC 4791 9.6); its line ends were lost in XML and are put back."""
    found = member.properties.get(f"{CALDAV}calendar-data")
    if found is None or not found.text or not found.text.strip():
        return None
    text = found.text.lstrip()
    return (text if "\r" in text else text.replace("\n", "\r\n")).encode("utf-8")


def _members(response: Element, base: str) -> Iterator[Member]:
    hrefs = [(one.text or "").strip() for one in response.iterfind(f"{DAV}href")]
    if not hrefs or not all(hrefs):
        raise BrokenAnswer("a multistatus response without href")
    line = response.findtext(f"{DAV}status")
    propstats = response.findall(f"{DAV}propstat")
    if line is None and not propstats:
        raise BrokenAnswer("a multistatus response with neither status nor properties")
    status = _status(line) if line is not None and not propstats else 0
    properties = dict(_found(propstats))
    for href in hrefs:
        yield Member(path=canonical(href, base=base), status=status, properties=properties)


def _found(propstats: Iterable[Element]) -> Iterator[tuple[str, Element]]:
    for propstat in propstats:
        if not 200 <= _status(propstat.findtext(f"{DAV}status")) < 300:
            continue
        for prop in propstat.iterfind(f"{DAV}prop"):
            yield from ((one.tag, one) for one in prop)


def _status(line: str | None) -> int:
    match = _STATUS.match((line or "").strip())
    if match is None:
        raise BrokenAnswer("a multistatus with an unreadable status line")
    return int(match[1])


def _clark(name: str) -> str:
    return "{" + name if "}" in name else name


__all__ = [
    "CALDAV",
    "DAV",
    "NEXTCLOUD",
    "SERVER",
    "Member",
    "MultiStatus",
    "calendar_text",
    "make_calendar",
    "multiget",
    "parse",
    "parse_multistatus",
    "precondition",
    "propfind",
    "query_by_uid",
    "searchable",
    "sync_collection",
]
