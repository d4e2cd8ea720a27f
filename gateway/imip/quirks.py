"""What programs are known to get wrong in calendar text, one named rule each, mended before the text is read (SPEC 2.4).

A rule gives the calendar back as it should have been, or as it came. Each that was needed is noted by its name, so that
the journal tells what was changed; each can be switched off by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from datetime import UTC, datetime
from operator import is_

from gateway.ical.address import address, is_mail, mailto
from gateway.ical.event import KINDS
from gateway.ical.times import utc_prop
from gateway.ical.tree import Component, Property, prop
from gateway.ical.zones import clean_tzid, iana_name
from gateway.itip.model import Note

PRODID = "-//imip-gateway//EN"

_ONCE_IN_CALENDAR = frozenset({"CALSCALE", "METHOD", "PRODID", "VERSION"})
_ONCE_IN_COMPONENT = frozenset(
    [
        "CLASS",
        "CREATED",
        "DESCRIPTION",
        "DTEND",
        "DTSTAMP",
        "DTSTART",
        "DUE",
        "DURATION",
        "GEO",
        "LAST-MODIFIED",
        "LOCATION",
        "ORGANIZER",
        "PRIORITY",
        "RECURRENCE-ID",
        "SEQUENCE",
        "STATUS",
        "SUMMARY",
        "TRANSP",
        "UID",
        "URL",
    ]
)

Rule = Callable[[Component, datetime | None], Component]


def mend(
    calendar: Component, mailed: datetime | None, *, off: Set[str] = frozenset()
) -> tuple[Component, tuple[Note, ...]]:
    """The calendar with every rule applied that is not off, and a note per rule that was needed; `mailed` is the mail's Date."""
    notes = []
    for name, rule in RULES.items():
        if name in off:
            continue
        mended = rule(calendar, mailed)
        if mended is not calendar:
            notes.append(Note(code=name))
            calendar = mended
    return calendar, tuple(notes)


def missing_version(calendar: Component, mailed: datetime | None) -> Component:
    """RFC 5545 3.6 requires VERSION: scripts and test mails leave it out, and calendar servers refuse what has none."""
    return _with_head(calendar, "VERSION", "2.0")


def missing_prodid(calendar: Component, mailed: datetime | None) -> Component:
    """RFC 5545 3.6 requires PRODID: Zimbra's import, Zoom and home-made senders leave it out."""
    return _with_head(calendar, "PRODID", PRODID)


def missing_dtstamp(calendar: Component, mailed: datetime | None) -> Component:
    """RFC 5545 3.6.1 requires DTSTAMP: the mail's Date is when an OpenPaaS or Zimbra invitation without it was made."""
    if mailed is None:
        return calendar
    stamp = utc_prop("DTSTAMP", mailed.astimezone(UTC))
    return _each(calendar, lambda part: part if part.first("DTSTAMP") is not None else part.add(stamp))


def repeated_property(calendar: Component, mailed: datetime | None) -> Component:
    """RFC 5545 3.6 and 3.6.1 allow these once: Yahoo says STATUS twice, and a calendar server refuses that. The first counts."""
    return _each(_once(calendar, _ONCE_IN_CALENDAR), lambda part: _once(part, _ONCE_IN_COMPONENT))


def end_and_duration(calendar: Component, mailed: datetime | None) -> Component:
    """RFC 5545 3.6.1 allows either: some Thunderbirds said both, and a calendar server refuses that. DTEND counts."""
    return _each(calendar, lambda part: part.without("DURATION") if part.first("DTEND") else part)


def address_without_mailto(calendar: Component, mailed: datetime | None) -> Component:
    """RFC 5545 3.3.3 asks for a URI: the iPhone's `ORGANIZER:someone@example.org` is a mail address that lacks `mailto:`."""
    return _each(calendar, _with_schemes)


def contradictory_timezone(calendar: Component, mailed: datetime | None) -> Component:
    """RFC 5545 3.6.5 defines a zone by onsets: Tine 2.0 lets summer and winter begin in the same second, once and for all.

    Where the name alone tells the zone, such a definition is dropped for it.
    """
    bad = [zone for zone in calendar.subcomponents("VTIMEZONE") if _contradicts_itself(zone)]
    if not bad:
        return calendar
    return calendar.with_children(child for child in calendar.children if child not in bad)


RULES: Mapping[str, Rule] = {
    "missing-version": missing_version,
    "missing-prodid": missing_prodid,
    "missing-dtstamp": missing_dtstamp,
    "repeated-property": repeated_property,
    "end-and-duration": end_and_duration,
    "address-without-mailto": address_without_mailto,
    "contradictory-timezone": contradictory_timezone,
}


def _with_head(calendar: Component, name: str, value: str) -> Component:
    if (calendar.value(name) or "").strip():
        return calendar
    return calendar.without(name).with_children((prop(name, value), *calendar.without(name).children))


def _each(calendar: Component, change: Callable[[Component], Component]) -> Component:
    """The calendar with a change in its scheduling components; itself when nothing changed."""
    changed = [
        change(child) if child.name in KINDS and isinstance(child, Component) else child
        for child in calendar.children
    ]
    return calendar if all(map(is_, changed, calendar.children)) else calendar.with_children(changed)


def _once(part: Component, names: Set[str]) -> Component:
    seen: set[str] = set()
    kept = []
    for child in part.children:
        if isinstance(child, Component) or child.name not in names or child.name not in seen:
            kept.append(child)
        seen.add(child.name)
    return part if len(kept) == len(part.children) else part.with_children(kept)


def _with_schemes(part: Component) -> Component:
    bare = [line for name in ("ORGANIZER", "ATTENDEE") for line in part.all(name) if _is_bare(line)]
    for line in bare:
        part = part.replace(line, line.with_value(mailto(address(line.value))))
    return part


def _is_bare(line: Property) -> bool:
    return ":" not in line.value and is_mail(address(line.value))


def _contradicts_itself(zone: Component) -> bool:
    parts = [part for part in zone.components if part.name in ("STANDARD", "DAYLIGHT")]
    if any(part.first("RRULE") or part.first("RDATE") for part in parts):
        return False
    onsets = {part.value("DTSTART") for part in parts}
    offsets = {part.value("TZOFFSETTO") for part in parts}
    return len(onsets) == 1 < len(offsets) and iana_name(clean_tzid(zone.text("TZID") or "")) is not None


__all__ = ["PRODID", "RULES", "Rule", "mend"]
