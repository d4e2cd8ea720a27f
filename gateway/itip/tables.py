"""The tables of RFC 5546 3 as data: which property how often, per component and method, in the RFC's order.

What leaves is checked against these tables strictly; what comes in is only classified by them (SPEC 4). VTIMEZONE is
not counted here: `CalendarObject.data` adds one for every TZID (the RFC's REPLY table says "0 or 1"; two TZIDs need two).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from gateway.ical.address import address
from gateway.ical.event import CalendarObject
from gateway.ical.tree import Component
from gateway.itip.model import Method

_MANY: Final = 1_000_000
_PRESENCE: Final = {"0": (0, 0), "0-1": (0, 1), "0+": (0, _MANY), "1": (1, 1), "1+": (1, _MANY)}

_ROWS: Final = {
    # RFC 5546 3.2.1
    ("VEVENT", "PUBLISH"): """
        1+ VEVENT; 1 DTSTAMP DTSTART ORGANIZER SUMMARY UID; 0-1 RECURRENCE-ID SEQUENCE; 0+ ATTACH
        CATEGORIES; 0-1 CLASS; 0+ COMMENT; 0-1 CONTACT CREATED DESCRIPTION DTEND DURATION; 0+ EXDATE; 0-1
        GEO LAST-MODIFIED LOCATION PRIORITY; 0+ RDATE RELATED-TO RESOURCES; 0-1 RRULE STATUS TRANSP URL; 0
        ATTENDEE REQUEST-STATUS; 0+ VALARM
    """,
    # RFC 5546 3.2.2
    ("VEVENT", "REQUEST"): """
        1+ VEVENT ATTENDEE; 1 DTSTAMP DTSTART ORGANIZER; 0-1 SEQUENCE; 1 SUMMARY UID; 0+ ATTACH CATEGORIES;
        0-1 CLASS; 0+ COMMENT CONTACT; 0-1 CREATED DESCRIPTION DTEND DURATION; 0+ EXDATE; 0-1 GEO
        LAST-MODIFIED LOCATION PRIORITY; 0+ RDATE; 0-1 RECURRENCE-ID; 0+ RELATED-TO; 0 REQUEST-STATUS; 0+
        RESOURCES; 0-1 RRULE STATUS TRANSP URL; 0+ VALARM
    """,
    # RFC 5546 3.2.3
    ("VEVENT", "REPLY"): """
        1+ VEVENT; 1 ATTENDEE DTSTAMP ORGANIZER; 0-1 RECURRENCE-ID; 1 UID; 0-1 SEQUENCE; 0+ ATTACH
        CATEGORIES; 0-1 CLASS; 0+ COMMENT CONTACT; 0-1 CREATED DESCRIPTION DTEND DTSTART DURATION; 0+
        EXDATE; 0-1 GEO LAST-MODIFIED LOCATION PRIORITY; 0+ RDATE RELATED-TO RESOURCES REQUEST-STATUS; 0-1
        RRULE STATUS SUMMARY TRANSP URL; 0 VALARM
    """,
    # RFC 5546 3.2.4
    ("VEVENT", "ADD"): """
        1 VEVENT DTSTAMP DTSTART ORGANIZER SEQUENCE SUMMARY UID; 0+ ATTACH ATTENDEE CATEGORIES; 0-1 CLASS;
        0+ COMMENT CONTACT; 0-1 CREATED DESCRIPTION DTEND DURATION GEO LAST-MODIFIED LOCATION PRIORITY; 0+
        RELATED-TO RESOURCES; 0-1 STATUS TRANSP URL; 0 EXDATE RECURRENCE-ID REQUEST-STATUS RDATE RRULE; 0+
        VALARM
    """,
    # RFC 5546 3.2.5
    ("VEVENT", "CANCEL"): """
        1+ VEVENT; 0+ ATTENDEE; 1 DTSTAMP ORGANIZER SEQUENCE UID; 0+ COMMENT ATTACH CATEGORIES; 0-1 CLASS;
        0+ CONTACT; 0-1 CREATED DESCRIPTION DTEND DTSTART DURATION; 0+ EXDATE; 0-1 GEO LAST-MODIFIED
        LOCATION PRIORITY; 0+ RDATE; 0-1 RECURRENCE-ID; 0+ RELATED-TO RESOURCES; 0-1 RRULE STATUS SUMMARY
        TRANSP URL; 0 REQUEST-STATUS VALARM
    """,
    # RFC 5546 3.2.6
    ("VEVENT", "REFRESH"): """
        1 VEVENT ATTENDEE DTSTAMP ORGANIZER UID; 0+ COMMENT; 0-1 RECURRENCE-ID; 0 ATTACH CATEGORIES CLASS
        CONTACT CREATED DESCRIPTION DTEND DTSTART DURATION EXDATE GEO LAST-MODIFIED LOCATION PRIORITY RDATE
        RELATED-TO REQUEST-STATUS RESOURCES RRULE SEQUENCE STATUS SUMMARY TRANSP URL VALARM
    """,
    # RFC 5546 3.2.7
    ("VEVENT", "COUNTER"): """
        1 VEVENT DTSTAMP DTSTART ORGANIZER SEQUENCE SUMMARY UID; 0+ ATTACH ATTENDEE CATEGORIES; 0-1 CLASS;
        0+ COMMENT CONTACT; 0-1 CREATED DESCRIPTION DTEND DURATION; 0+ EXDATE; 0-1 GEO LAST-MODIFIED
        LOCATION PRIORITY; 0+ RDATE; 0-1 RECURRENCE-ID; 0+ RELATED-TO REQUEST-STATUS RESOURCES; 0-1 RRULE
        STATUS TRANSP URL; 0+ VALARM
    """,
    # RFC 5546 3.2.8
    ("VEVENT", "DECLINECOUNTER"): """
        1+ VEVENT ATTENDEE; 1 DTSTAMP ORGANIZER SEQUENCE UID; 0+ ATTACH CATEGORIES; 0-1 CLASS; 0+ COMMENT
        CONTACT; 0-1 CREATED DESCRIPTION DTSTART DTEND DURATION; 0+ EXDATE; 0-1 GEO LAST-MODIFIED LOCATION
        PRIORITY; 0+ RDATE; 0-1 RECURRENCE-ID; 0+ RELATED-TO REQUEST-STATUS RESOURCES; 0-1 RRULE STATUS
        SUMMARY TRANSP URL; 0 VALARM
    """,
    # RFC 5546 3.3.1
    ("VFREEBUSY", "PUBLISH"): """
        1+ VFREEBUSY; 1 DTSTAMP DTSTART DTEND; 0+ FREEBUSY; 1 ORGANIZER UID; 0+ COMMENT; 0-1 CONTACT URL; 0
        ATTENDEE DURATION REQUEST-STATUS VALARM
    """,
    # RFC 5546 3.3.2
    ("VFREEBUSY", "REQUEST"): """
        1 VFREEBUSY; 1+ ATTENDEE; 1 DTEND DTSTAMP DTSTART ORGANIZER UID; 0+ COMMENT; 0-1 CONTACT; 0 FREEBUSY
        DURATION REQUEST-STATUS URL VALARM
    """,
    # RFC 5546 3.3.3
    ("VFREEBUSY", "REPLY"): """
        1 VFREEBUSY ATTENDEE DTSTAMP DTEND DTSTART; 0+ FREEBUSY; 1 ORGANIZER UID; 0+ COMMENT; 0-1 CONTACT;
        0+ REQUEST-STATUS; 0-1 URL; 0 DURATION SEQUENCE VALARM
    """,
    # RFC 5546 3.4.1
    ("VTODO", "PUBLISH"): """
        1+ VTODO; 1 DTSTAMP DTSTART ORGANIZER PRIORITY; 0-1 SEQUENCE; 1 SUMMARY UID; 0+ ATTACH CATEGORIES;
        0-1 CLASS; 0+ COMMENT; 0-1 COMPLETED; 0+ CONTACT; 0-1 CREATED DESCRIPTION DUE DURATION; 0+ EXDATE;
        0-1 GEO LAST-MODIFIED LOCATION PERCENT-COMPLETE; 0+ RDATE; 0-1 RECURRENCE-ID; 0+ RELATED-TO
        RESOURCES; 0-1 RRULE STATUS URL; 0 ATTENDEE REQUEST-STATUS; 0+ VALARM
    """,
    # RFC 5546 3.4.2
    ("VTODO", "REQUEST"): """
        1+ VTODO ATTENDEE; 1 DTSTAMP DTSTART ORGANIZER PRIORITY; 0-1 SEQUENCE; 1 SUMMARY UID; 0+ ATTACH
        CATEGORIES; 0-1 CLASS; 0+ COMMENT; 0-1 COMPLETED; 0+ CONTACT; 0-1 CREATED DESCRIPTION DUE DURATION;
        0+ EXDATE; 0-1 GEO LAST-MODIFIED LOCATION PERCENT-COMPLETE; 0+ RDATE; 0-1 RECURRENCE-ID; 0+
        RELATED-TO RESOURCES; 0-1 RRULE STATUS URL; 0 REQUEST-STATUS; 0+ VALARM
    """,
    # RFC 5546 3.4.3
    ("VTODO", "REPLY"): """
        1+ VTODO; 1 ATTENDEE DTSTAMP ORGANIZER; 0+ REQUEST-STATUS; 1 UID; 0+ ATTACH CATEGORIES; 0-1 CLASS;
        0+ COMMENT; 0-1 COMPLETED; 0+ CONTACT; 0-1 CREATED DESCRIPTION DTSTART DUE DURATION; 0+ EXDATE; 0-1
        GEO LAST-MODIFIED LOCATION PERCENT-COMPLETE PRIORITY; 0+ RDATE RELATED-TO RESOURCES; 0-1 RRULE
        RECURRENCE-ID SEQUENCE STATUS SUMMARY URL; 0 VALARM
    """,
    # RFC 5546 3.4.4
    ("VTODO", "ADD"): """
        1 VTODO DTSTAMP ORGANIZER PRIORITY SEQUENCE SUMMARY UID; 0+ ATTACH ATTENDEE CATEGORIES; 0-1 CLASS;
        0+ COMMENT; 0-1 COMPLETED; 0+ CONTACT; 0-1 CREATED DESCRIPTION DTSTART DUE DURATION GEO
        LAST-MODIFIED LOCATION PERCENT-COMPLETE; 0+ RELATED-TO RESOURCES; 0-1 STATUS URL; 0 EXDATE
        RECURRENCE-ID REQUEST-STATUS RDATE RRULE; 0+ VALARM
    """,
    # RFC 5546 3.4.5
    ("VTODO", "CANCEL"): """
        1+ VTODO; 0+ ATTENDEE; 1 UID DTSTAMP ORGANIZER SEQUENCE; 0+ ATTACH CATEGORIES; 0-1 CLASS; 0+
        COMMENT; 0-1 COMPLETED; 0+ CONTACT; 0-1 CREATED DESCRIPTION DTSTART DUE DURATION; 0+ EXDATE; 0-1 GEO
        LAST-MODIFIED LOCATION PERCENT-COMPLETE; 0+ RDATE; 0-1 RECURRENCE-ID; 0+ RELATED-TO RESOURCES; 0-1
        RRULE PRIORITY STATUS URL; 0 REQUEST-STATUS VALARM
    """,
    # RFC 5546 3.4.6
    ("VTODO", "REFRESH"): """
        1 VTODO ATTENDEE DTSTAMP UID; 0-1 RECURRENCE-ID; 0 ATTACH CATEGORIES CLASS COMMENT COMPLETED CONTACT
        CREATED DESCRIPTION DTSTART DUE DURATION EXDATE GEO LAST-MODIFIED LOCATION ORGANIZER
        PERCENT-COMPLETE PRIORITY RDATE RELATED-TO REQUEST-STATUS RESOURCES RRULE SEQUENCE STATUS URL VALARM
    """,
    # RFC 5546 3.4.7
    ("VTODO", "COUNTER"): """
        1 VTODO; 1+ ATTENDEE; 1 DTSTAMP ORGANIZER PRIORITY SUMMARY UID; 0+ ATTACH CATEGORIES; 0-1 CLASS; 0+
        COMMENT; 0-1 COMPLETED; 0+ CONTACT; 0-1 CREATED DESCRIPTION DTSTART DUE DURATION; 0+ EXDATE; 0-1 GEO
        LAST-MODIFIED LOCATION PERCENT-COMPLETE; 0+ RDATE; 0-1 RECURRENCE-ID; 0+ RELATED-TO REQUEST-STATUS
        RESOURCES; 0-1 RRULE SEQUENCE STATUS URL; 0+ VALARM
    """,
    # RFC 5546 3.4.8
    ("VTODO", "DECLINECOUNTER"): """
        1 VTODO; 1+ ATTENDEE; 1 DTSTAMP ORGANIZER SEQUENCE UID; 0+ ATTACH CATEGORIES; 0-1 CLASS; 0+ COMMENT;
        0-1 COMPLETED; 0+ CONTACT; 0-1 CREATED DESCRIPTION DTSTART DUE DURATION; 0+ EXDATE; 0-1 GEO
        LAST-MODIFIED LOCATION PERCENT-COMPLETE PRIORITY; 0+ RDATE; 0-1 RECURRENCE-ID; 0+ RELATED-TO
        REQUEST-STATUS RESOURCES; 0-1 RRULE STATUS URL; 0 VALARM
    """,
    # RFC 5546 3.5.1
    ("VJOURNAL", "PUBLISH"): """
        1+ VJOURNAL; 1 DESCRIPTION DTSTAMP DTSTART ORGANIZER UID; 0+ ATTACH CATEGORIES; 0-1 CLASS; 0+
        COMMENT CONTACT; 0-1 CREATED; 0+ EXDATE; 0-1 LAST-MODIFIED; 0+ RDATE; 0-1 RECURRENCE-ID; 0+
        RELATED-TO; 0-1 RRULE SEQUENCE STATUS SUMMARY URL; 0 ATTENDEE REQUEST-STATUS; 0+ VALARM
    """,
    # RFC 5546 3.5.2
    ("VJOURNAL", "ADD"): """
        1 VJOURNAL DESCRIPTION DTSTAMP DTSTART ORGANIZER SEQUENCE UID; 0+ ATTACH CATEGORIES; 0-1 CLASS; 0+
        COMMENT CONTACT; 0-1 CREATED LAST-MODIFIED; 0+ RELATED-TO; 0-1 STATUS SUMMARY URL; 0 ATTENDEE EXDATE
        RECURRENCE-ID REQUEST-STATUS RDATE RRULE; 0+ VALARM
    """,
    # RFC 5546 3.5.3
    ("VJOURNAL", "CANCEL"): """
        1+ VJOURNAL; 1 DTSTAMP ORGANIZER SEQUENCE UID; 0+ ATTACH; 0 ATTENDEE; 0+ CATEGORIES; 0-1 CLASS; 0+
        COMMENT CONTACT; 0-1 CREATED DESCRIPTION DTSTART; 0+ EXDATE; 0-1 LAST-MODIFIED; 0+ RDATE; 0-1
        RECURRENCE-ID; 0+ RELATED-TO; 0-1 RRULE STATUS SUMMARY URL; 0 REQUEST-STATUS VALARM
    """,
}


def _read(rows: str) -> Mapping[str, tuple[int, int]]:
    table: dict[str, tuple[int, int]] = {}
    for group in " ".join(rows.split()).split("; "):
        presence, *names = group.split()
        table.update(dict.fromkeys(names, _PRESENCE[presence]))
    return MappingProxyType(table)


TABLES: Final = MappingProxyType({key: _read(rows) for key, rows in _ROWS.items()})

# The values of STATUS that a method allows, where the comments of the tables say so.
STATUS: Final = MappingProxyType(
    {
        ("VEVENT", "REQUEST"): ("TENTATIVE", "CONFIRMED"),
        ("VEVENT", "PUBLISH"): ("TENTATIVE", "CONFIRMED", "CANCELLED"),
        ("VEVENT", "CANCEL"): ("CANCELLED",),
        ("VEVENT", "COUNTER"): ("CONFIRMED", "TENTATIVE", "CANCELLED"),
        ("VEVENT", "DECLINECOUNTER"): ("TENTATIVE", "CONFIRMED"),
        ("VTODO", "REQUEST"): ("COMPLETED", "NEEDS-ACTION", "IN-PROCESS"),
        ("VTODO", "CANCEL"): ("CANCELLED",),
        ("VJOURNAL", "CANCEL"): ("CANCELLED",),
    }
)

_EXCLUSIVE: Final = (("DTEND", "DURATION"), ("DUE", "DURATION"))


def violations(meeting: CalendarObject, method: Method | str) -> tuple[str, ...]:
    """Every breach of RFC 5546 3 by an object that is to leave with this method; empty: it may leave."""
    table = TABLES.get((meeting.kind, str(method)))
    if table is None:
        return (f"{method} of a {meeting.kind} does not exist",)
    components = meeting.components
    found = [*_count(meeting.kind, len(components), table[meeting.kind])]
    for component in components:
        found += _of_component(component, table)
        found += _status(component, str(method))
    return tuple(found)


def _of_component(component: Component, table: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    counts: dict[str, int] = {}
    for child in component.children:
        counts[child.name] = counts.get(child.name, 0) + 1
    for name, (least, most) in table.items():
        count = counts.get(name, 0)
        if name == "ATTENDEE" and least == most == 1:
            count -= _delegates(component)
        if not least <= count <= most and name != component.name:
            yield from _count(name, count, (least, most))
    for one, other in _EXCLUSIVE:
        if one in counts and other in counts:
            yield f"{one} beside {other}"


def _delegates(component: Component) -> int:
    """RFC 5546 3.2.2.3, 4.2.5: beside the one line that its table allows a REPLY names the delegate in a line of his."""
    lines = component.all("ATTENDEE")
    deputies = {address(one) for line in lines for one in line.param_values("DELEGATED-TO")}
    return 1 if len(lines) == 2 and lines[1].address in deputies else 0


def _count(name: str, count: int, presence: tuple[int, int]) -> Iterator[str]:
    least, most = presence
    if count < least:
        yield f"{name} missing"
    elif count > most:
        yield f"{name} must not be present" if most == 0 else f"{name} more than once"


def _status(component: Component, method: str) -> Iterator[str]:
    allowed = STATUS.get((component.name, method))
    value = (component.value("STATUS") or "").strip().upper()
    if allowed and value and value not in allowed:
        yield f"STATUS {value} in {method}"


__all__ = ["STATUS", "TABLES", "violations"]
