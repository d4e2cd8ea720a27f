"""Calendar text becomes iTIP messages, one per UID: what leaves here is legal, whatever came in.

RFC 5546 3.1 to 3.5 give each method a table of what must stand in it. What is sent keeps to these tables; what is received
is classified only: a message without its subject, its sender's line or its meaning is refused, all else is tolerated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from gateway.errors import MalformedCalendar
from gateway.ical import recur, times
from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, method_of, split
from gateway.ical.tree import Component
from gateway.itip.model import Message, Method, Outcome, Reason

# RFC 5546 3: which method there is for which component.
METHODS: Mapping[str, frozenset[Method]] = {
    "VEVENT": frozenset(Method),
    "VTODO": frozenset(Method),
    "VJOURNAL": frozenset({Method.PUBLISH, Method.CANCEL, Method.ADD}),
    "VFREEBUSY": frozenset({Method.PUBLISH, Method.REQUEST, Method.REPLY}),
}

# The components that `itip.decide` knows today.
SUPPORTED = frozenset({"VEVENT"})

# What each method cannot be understood without, in every component of it (RFC 5546 3.2). CANCEL and REPLY may leave the
# times out; a REPLY without ORGANIZER comes from Exchange and is found by its UID.
_NEEDED: Mapping[Method, tuple[str, ...]] = {
    Method.PUBLISH: ("DTSTART",),
    Method.REQUEST: ("DTSTART", "ORGANIZER"),
    Method.REPLY: ("ATTENDEE",),
    Method.ADD: ("DTSTART",),
    Method.CANCEL: (),
    Method.REFRESH: (),
    Method.COUNTER: ("DTSTART",),
    Method.DECLINECOUNTER: (),
}

_EXPANDED = frozenset({Method.PUBLISH, Method.REQUEST, Method.ADD, Method.COUNTER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a part of a mail is no message; a refusal is a value."""

    outcome: Outcome
    reason: Reason
    uid: str = ""
    method: str = ""
    detail: str = ""


def messages(tree: Component, sender: Address | None, method_hint: str = "") -> tuple[Message | Refusal, ...]:
    """The messages in one VCALENDAR, one per UID (SPEC 12.13); METHOD in the object wins over the MIME parameter."""
    method = (method_of(tree) or method_hint).strip().upper()
    if not method:
        return (Refusal(outcome=Outcome.IGNORED, reason=Reason.NO_METHOD),)
    if method not in Method.__members__:
        return (Refusal(outcome=Outcome.UNSUPPORTED, reason=Reason.UNSUPPORTED_METHOD, detail=method[:40]),)
    groups = tuple(_by_uid(tree))
    if not groups:
        return (replace(_malformed("no component"), method=method),)
    found = (_message(part, uid, Method(method), sender) for uid, part in groups)
    return tuple(replace(one, method=method) if isinstance(one, Refusal) else one for one in found)


def _message(part: Component, uid: str, method: Method, sender: Address | None) -> Message | Refusal:
    kinds = {child.name for child in part.components if child.name in METHODS}
    unusable = _unusable(kinds, uid, method)
    if unusable is not None:
        return unusable
    try:
        found = split(part)
        if len(found) != 1:
            return _malformed("several objects under one UID", uid)
        if method in _EXPANDED:
            # SPEC 12.16: a rule bomb is refused here, before anything can be written
            recur.guard(found[0])
            _guard_times(found[0])
        fault = _fault(found[0], method)
    except MalformedCalendar as error:
        return Refusal(outcome=Outcome.REFUSED, reason=Reason(error.code), uid=uid, detail=error.detail)
    return _malformed(fault, uid) if fault else Message(method=method, object=found[0], sender=sender)


def _unusable(kinds: set[str], uid: str, method: Method) -> Refusal | None:
    if not uid:
        return _malformed("no UID")
    if len(kinds) != 1:
        return _malformed("several kinds of component under one UID", uid)
    kind = next(iter(kinds))
    if kind not in SUPPORTED:
        return Refusal(outcome=Outcome.UNSUPPORTED, reason=Reason.UNSUPPORTED_COMPONENT, uid=uid)
    if method not in METHODS[kind]:
        return Refusal(outcome=Outcome.UNSUPPORTED, reason=Reason.UNSUPPORTED_METHOD, uid=uid)
    return None


def _guard_times(of: CalendarObject) -> None:
    """Raise MalformedCalendar for a start or an end that is no time: nothing behind this asks again."""
    for component in of.components:
        times.start(component, of.zones)
        times.end(component, of.zones)


def _fault(of: CalendarObject, method: Method) -> str:
    """What makes the message meaningless, or ""."""
    for component in of.components:
        missing = [name for name in _NEEDED[method] if not (component.value(name) or "").strip()]
        if missing:
            return f"{method} without {missing[0]}"
    organizers = {one.address for component in of.components for one in component.all("ORGANIZER")}
    return "differing ORGANIZERs" if len(organizers) > 1 else ""


def _by_uid(tree: Component) -> Iterable[tuple[str, Component]]:
    """The VCALENDAR once per UID, each with all that is no scheduling component (time zones, properties)."""
    uids: dict[str, None] = {}
    for child in tree.components:
        if child.name in METHODS:
            uids.setdefault(_uid(child))
    for uid in uids:
        yield (
            uid,
            tree.with_children(
                child
                for child in tree.children
                if not isinstance(child, Component) or child.name not in METHODS or _uid(child) == uid
            ),
        )


def _uid(component: Component) -> str:
    return (component.text("UID") or "").strip()


def _malformed(detail: str, uid: str = "") -> Refusal:
    return Refusal(outcome=Outcome.REFUSED, reason=Reason.MALFORMED_CALENDAR, uid=uid, detail=detail)


__all__ = ["METHODS", "SUPPORTED", "Refusal", "messages"]
