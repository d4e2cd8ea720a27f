"""What one calendar user may see of a meeting when it leaves the house (SPEC 4.8, 12.10).

leaving(component)          without SCHEDULE-*, alarms, colours and private X-
view(meeting, guest, ...)   only his instances, the rest of them excluded from the series; the guest list as it is allowed
"""

from __future__ import annotations

from typing import Final

from gateway.ical import onward, principals
from gateway.ical.address import Address, is_mail, mailto
from gateway.ical.event import CalendarObject, attendee_of, partstat, person
from gateway.ical.tree import Component, Property, prop
from gateway.itip.significance import components_by_key

_PRIVATE: Final = (
    "X-MOZ-",
    "X-EVOLUTION-",
    "X-CALENDARSERVER-",
    "X-LIC-",
    "X-IMIP-GATEWAY-",
    "X-APPLE-TRAVEL",
    "X-APPLE-DEFAULT-ALARM",
    "X-APPLE-NEEDS-REPLY",
    "X-APPLE-SUGGESTION",
    "X-APPLE-CREATOR",
    "X-APPLE-CALENDAR-COLOR",
    "X-APPLE-LOCAL-",
    "X-APPLE-SORT-ORDER",
    "X-APPLE-EWS-",
    "X-APPLE-SERVER",
    "X-RESPONSE-COMMENT",  # a guest's words to the organizer, as Google writes them
)
_ADDRESSES: Final = (
    "SENT-BY",
    "DELEGATED-TO",
    "DELEGATED-FROM",
    "MEMBER",
)  # RFC 5545 3.2.4, 3.2.5, 3.2.11, 3.2.18
_DROPPED: Final = frozenset({"COLOR", "REQUEST-STATUS", "METHOD"})


def is_private(name: str) -> bool:
    """Whether a property or parameter of that name stays at home (SPEC 12.10); RFC 6638 7 for SCHEDULE-*."""
    return name.startswith((*_PRIVATE, "SCHEDULE-"))


def leaving(component: Component) -> Component:
    """The component without what is nobody else's business."""
    kept: list[Property | Component] = []
    for child in component.children:
        if isinstance(child, Component):
            if child.name != "VALARM":
                kept.append(child)
        elif child.name not in _DROPPED and not is_private(child.name):
            line = _outward(child) if child.name in ("ORGANIZER", "ATTENDEE") else child
            kept += [] if line is None else [_without_private(line)]
    return component.with_children(kept)


def shareable(meeting: CalendarObject) -> CalendarObject:
    """The meeting without what is nobody else's business, and without RANGE, which hardly any program reads (SPEC 4.7)."""
    if meeting.ranges and meeting.master is not None:
        full = onward.spread(meeting, tail=True)
        meeting = meeting.without_components(meeting.overrides.keys() - full.keys()).with_components(full)
    return meeting.with_components({key: leaving(one) for key, one in components_by_key(meeting)})


def is_cancelled(component: Component) -> bool:
    return (component.value("STATUS") or "").strip().upper() == "CANCELLED"


def instances_of(meeting: CalendarObject, who: Address) -> frozenset[str]:
    """The keys of the components that invite him and take place."""
    return frozenset(
        key
        for key, component in components_by_key(meeting)
        if not is_cancelled(component) and attendee_of(component, who) is not None
    )


def view(
    meeting: CalendarObject,
    who: Address,
    *,
    guest_list: str = "full",
    only: frozenset[str] | None = None,
) -> dict[str, Component]:
    """What he is shown of a `shareable` meeting, by key; with `only` just these. Dates without him are excluded."""
    keys = instances_of(meeting, who)
    shown: dict[str, Component] = {}
    for key, component in components_by_key(meeting):
        if key in keys and (only is None or key in only):
            his = component if key else _without_others(component, meeting, keys)
            shown[key] = restrict_guests(his, who, guest_list)
    return shown


def restrict_guests(component: Component, who: Address, guest_list: str) -> Component:
    """Guest list privacy: `self` leaves his own line only. Who has not answered is asked to."""
    own = attendee_of(component, who)
    if guest_list == "self":
        component = component.with_children(
            child for child in component.children if child is own or child.name != "ATTENDEE"
        )
    return component if own is None else component.replace(own, _asking(own))


def _without_others(master: Component, meeting: CalendarObject, keys: frozenset[str]) -> Component:
    """An EXDATE for each instance of the series that he is not invited to, or that does not take place."""
    for key, override in sorted(meeting.overrides.items()):
        named = override.first("RECURRENCE-ID")
        if key in keys or named is None:
            continue
        master = master.add(prop("EXDATE", named.value, TZID=named.param("TZID"), VALUE=named.param("VALUE")))
    return master


def _asking(line: Property) -> Property:
    """RFC 5545 3.2.17: RSVP is FALSE when absent, and Outlook then shows no buttons; an explicit FALSE is the organizer's wish."""
    if partstat(line) == "NEEDS-ACTION" and line.param("RSVP") is None:
        return line.with_params(RSVP="TRUE")
    return line


def _outward(line: Property) -> Property | None:
    """Only mail addresses mean anything outside, and principals are nobody's business: they name logins and servers.

    None for a guest who has no other name; Apple and DAVx5 write such.
    """
    if line.param(principals.STORED_AS) is not None:
        line = line.with_params(EMAIL=None)  # of the principal's owner, as his program knows him
    elif not is_mail(line.address):
        mail = person(line)
        if is_mail(mail):
            line = line.with_value(mailto(mail)).with_params(EMAIL=None)
        elif line.name == "ATTENDEE" and principals.place(line.value) is not None:
            return None
    kept = {name: [one for one in line.param_values(name) if not _internal(one)] for name in _ADDRESSES}
    return line.with_params(**{name.replace("-", "_"): kept[name] or None for name in _ADDRESSES})


def _internal(value: str) -> bool:
    return principals.place(value) is not None


def _without_private(line: Property) -> Property:
    params = tuple(item for item in line.params if not is_private(item.name))
    return line if len(params) == len(line.params) else Property(line.name, line.value, params)


__all__ = ["instances_of", "is_cancelled", "is_private", "leaving", "restrict_guests", "shareable", "view"]
