"""The last look at a mail before it leaves: what would break in some reader is found here, not there.

`faults` stop the letter: the mail is read from its octets, so the check does not share a mistake with what wrote it.
`warnings` stop nothing: shapes that known calendar programs drop or show wrongly, for the journal.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.errors import MalformedCalendar
from gateway.ical.address import address, is_mail
from gateway.ical.tree import Component, parse

LINE = 998  # RFC 5322 2.1.1
GUESTS = 100  # Proton takes no more
LARGE = 1_048_576

_UNFOLD = re.compile(rb"\r\n([ \t])")
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_METHOD = re.compile(r'method="?([A-Za-z-]+)"?', re.IGNORECASE)
_ONCE = ("from", "to", "subject", "date", "message-id", "mime-version", "content-type")
_NEEDED = {
    "REQUEST": ("UID", "DTSTAMP", "ORGANIZER", "ATTENDEE"),
    "CANCEL": ("UID", "DTSTAMP", "ORGANIZER", "SEQUENCE"),
    "REPLY": ("UID", "DTSTAMP", "ORGANIZER", "ATTENDEE"),
    "DECLINECOUNTER": ("UID", "DTSTAMP", "ORGANIZER"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A MIME entity: its fields (lower-case names) and its octets."""

    fields: tuple[tuple[str, str], ...]
    content: bytes

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(value for key, value in self.fields if key == name)

    @property
    def type(self) -> str:
        return (self.all("content-type") or ("text/plain",))[0]

    @property
    def kind(self) -> str:
        return self.type.partition(";")[0].strip().lower()

    @property
    def children(self) -> tuple[Part, ...]:
        match = _BOUNDARY.search(self.type) if self.kind.startswith("multipart/") else None
        if match is None:
            return ()
        pieces = (b"\r\n" + self.content).split(b"\r\n--" + match[1].encode("ascii", "replace"))
        return tuple(part(piece.removeprefix(b"\r\n")) for piece in pieces[1:] if not piece.startswith(b"--"))

    def walk(self) -> Iterator[Part]:
        yield self
        for child in self.children:
            yield from child.walk()


def part(octets: bytes) -> Part:
    """An entity from its octets."""
    head, _, content = octets.partition(b"\r\n\r\n")
    fields = []
    for row in _UNFOLD.sub(rb"\1", head).split(b"\r\n"):
        name, _, value = row.decode("utf-8", "replace").partition(":")
        fields.append((name.strip().lower(), value.strip()))
    return Part(fields=tuple(fields), content=content)


def faults(content: bytes, *, notice: bool = False) -> tuple[str, ...]:
    """Every reason why this mail must not leave; empty when it may. `notice`: it must carry no meeting."""
    mail = part(content)
    tree = _words(mail) if notice else (*_tree(mail), *_calendar(mail))
    return (*_octets(content), *_header(mail), *tree)


def warnings(root: Component, size: int) -> tuple[str, ...]:
    """What some calendar programs will not take: RFC 5545 allows it, people will still miss the meeting."""
    out = [warning for component in root.components for warning in _outlook(component)]
    if any(len(component.all("ATTENDEE")) > GUESTS for component in root.components):
        out.append("more than 100 guests: Proton takes none of them")
    if size > LARGE:
        out.append("over a megabyte")
    return tuple(dict.fromkeys(out))


def _octets(content: bytes) -> Iterator[str]:
    if _BARE.search(content):
        yield "a bare CR or LF"
    if max(map(len, content.split(b"\r\n"))) > LINE:
        yield "a line over 998 octets"


def _header(mail: Part) -> Iterator[str]:
    for name in _ONCE:
        if len(mail.all(name)) != 1:
            yield f"{len(mail.all(name))} fields {name}"
    spec = (mail.all("to") or ("",))[0].rpartition("<")[2]
    if "@" not in spec or "," in spec:
        yield "not exactly one recipient"
    if mail.all("bcc") or mail.all("cc"):
        yield "a recipient besides the one"


def _tree(mail: Part) -> Iterator[str]:
    """MS-STANOICAL V0343: Exchange looks for the meeting in the first child only."""
    children = mail.children
    if mail.kind != "multipart/mixed" or not children or children[0].kind != "multipart/alternative":
        yield "the first child of multipart/mixed is not multipart/alternative"
        return
    kinds = [child.kind for child in children[0].children]
    if kinds != ["text/plain", "text/html", "text/calendar"]:
        yield f"the alternatives are {', '.join(kinds)}"
    for entity in mail.walk():
        if len(entity.all("content-type")) > 1:
            yield "two Content-Type fields in one part"
        if entity.kind == "text/calendar" and entity.all("content-disposition"):
            yield "text/calendar with a Content-Disposition"


def _words(mail: Part) -> Iterator[str]:
    """SPEC 3.4: what nobody is to answer has no meeting in it, and says that a machine wrote it."""
    kinds = [child.kind for child in mail.children]
    if mail.kind != "multipart/alternative" or kinds != ["text/plain", "text/html"]:
        yield f"a notice is {mail.kind} of {', '.join(kinds)}"
    if mail.all("auto-submitted") != ("auto-generated",):
        yield "a notice without Auto-Submitted: auto-generated"


def _calendar(mail: Part) -> Iterator[str]:
    entity = _meeting(mail)
    root = _parsed(entity) if entity else None
    if entity is None or root is None:
        yield "no calendar part that can be read"
        return
    copies = {_decoded(one) for one in mail.walk() if one.kind in {"text/calendar", "application/ics"}}
    if len(copies) != 1:
        yield "the copies of the calendar differ"
    parameter = _METHOD.search(entity.type)
    method = root.value("METHOD") or ""
    if parameter is None or parameter[1] != method:
        yield "METHOD differs from the parameter of Content-Type"
    if "utf-8" not in entity.type.lower():
        yield "text/calendar without its charset"
    yield from _object(root, method, mail)


def _object(root: Component, method: str, mail: Part) -> Iterator[str]:
    zones = {zone.value("TZID") for zone in root.subcomponents("VTIMEZONE")}
    components = [one for one in root.components if one.name != "VTIMEZONE"]
    if not components:
        yield "no component"
    for component in components:
        for name in _NEEDED.get(method, ("UID", "DTSTAMP")):
            if component.first(name) is None:
                yield f"{component.name} without {name}"
        used = {one.param("TZID") for one in component.properties} - {None}
        yield from (f"no VTIMEZONE for {tzid}" for tzid in sorted(str(one) for one in used - zones))
        yield from _people(component)
    if method in {"REQUEST", "CANCEL"}:
        yield from _addressed(components, mail)
    if method == "REPLY" and any(len(one.all("ATTENDEE")) > 2 for one in components):
        yield "a REPLY of several attendees"


def _people(component: Component) -> Iterator[str]:
    for one in (*component.all("ORGANIZER"), *component.all("ATTENDEE")):
        if one.name == "ORGANIZER" and not one.value.lower().startswith("mailto:"):
            yield "ORGANIZER is no mailto: address"
        leaking = [p.name for p in one.params if p.name.startswith("SCHEDULE-")]
        if leaking:
            yield f"{one.name} carries {leaking[0]}"
    if component.subcomponents("VALARM"):
        yield "an alarm of the sender"


def _addressed(components: list[Component], mail: Part) -> Iterator[str]:
    """Gmail and Thunderbird show buttons only to an ATTENDEE; Outlook throws a meeting from yourself away."""
    to = address((mail.all("to") or ("",))[0].rpartition("<")[2].rstrip("> "))
    guests = set()
    for one in (one for component in components for one in component.all("ATTENDEE")):
        guests.add(one.address if is_mail(one.address) else address(one.param("EMAIL") or ""))
    if to not in guests:
        yield "the recipient is no ATTENDEE"
    if any(one.address == to for component in components for one in component.all("ORGANIZER")):
        yield "the recipient is the ORGANIZER"


def _outlook(component: Component) -> Iterator[str]:
    rule = component.value("RRULE") or ""
    if component.first("RDATE") is not None and not rule and component.name != "VTIMEZONE":
        yield "RDATE without RRULE: Outlook shows one date"
    if component.first("EXRULE") is not None or "RSCALE=" in rule:
        yield "EXRULE or RSCALE: hardly any program takes it"
    if re.search(
        r"BYMONTHDAY=[^;]*,|BYDAY=[^;]*\d[A-Z]{2},|BYSETPOS=[^;]*,|FREQ=(HOUR|MINUTE|SECOND)LY", rule
    ):
        yield "a rule that Outlook does not take"
    if component.name == "VTIMEZONE" and any(
        one.first("RDATE") is not None and one.first("RRULE") is not None for one in component.components
    ):
        yield "a VTIMEZONE with RDATE and RRULE: Outlook does not take it"


def _meeting(mail: Part) -> Part | None:
    """The calendar part as Exchange finds it."""
    first = mail.children[0] if mail.children else mail
    return next((one for one in first.walk() if one.kind == "text/calendar"), None)


def _parsed(entity: Part) -> Component | None:
    try:
        return parse(_decoded(entity))
    except MalformedCalendar:
        return None


def _decoded(entity: Part) -> bytes:
    try:
        return b64decode(entity.content)
    except ValueError:
        return b""


__all__ = ["Part", "faults", "part", "warnings"]
