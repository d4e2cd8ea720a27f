"""Calendar text becomes iTIP messages, one per UID: what leaves here is legal, whatever came in.

RFC 5546 3.1 to 3.5 give each method a table of what must stand in it. What is sent keeps to these tables; what is received
is classified only: a message without its subject, its sender's line or its meaning is refused, all else is tolerated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from gateway.errors import MalformedCalendar
from gateway.ical import recur, times
from gateway.ical.address import Address
from gateway.ical.bounds import DEFAULT_BOUNDS, Bounds
from gateway.ical.event import CalendarObject, method_of, split
from gateway.ical.tree import Component, Property, prop
from gateway.itip import partial
from gateway.itip.model import Message, Method, Outcome, Reason

# RFC 5546 3: which method there is for which component.
METHODS: Mapping[str, frozenset[Method]] = {
    "VEVENT": frozenset(Method),
    "VTODO": frozenset(Method),
    "VJOURNAL": frozenset({Method.PUBLISH, Method.CANCEL, Method.ADD}),
    "VFREEBUSY": frozenset({Method.PUBLISH, Method.REQUEST, Method.REPLY}),
}

# What each method cannot be understood without, in every component of it (RFC 5546 3.2). CANCEL and REPLY may leave the
# times out; a REPLY without ORGANIZER comes from Exchange and is found by its UID. A task and a journal need no time at
# all, but what is added to a series has no other name.
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

_UIDS = 100  # meetings in one object: a mail brings one, a published calendar some; each more is a job for each recipient
_TIMES = frozenset({"DTSTART", "DTEND", "DUE"})
_DATES = frozenset({"RDATE", "EXDATE"})
_TIMELESS = frozenset({"VTODO", "VJOURNAL"})
_SETS = ("RRULE", "RDATE")
_PRIVATE = "X-IMIP-GATEWAY-"
_RULES = ("RRULE", "EXRULE", "RDATE", "EXDATE")
_RANGES = frozenset({"THISANDFUTURE", "THISANDPRIOR"})
_TOO_LONG = re.compile(r"(\d{8}T\d{6})0(Z?)")

_EXPANDED = frozenset({Method.PUBLISH, Method.REQUEST, Method.ADD, Method.COUNTER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a part of a mail is no message; a refusal is a value."""

    outcome: Outcome
    reason: Reason
    uid: str = ""
    method: str = ""
    detail: str = ""


def messages(
    tree: Component,
    sender: Address | None,
    method_hint: str = "",
    *,
    bounds: Bounds = DEFAULT_BOUNDS,
) -> tuple[Message | Refusal, ...]:
    """The messages in one VCALENDAR, one per UID (SPEC 12.13); METHOD in the object wins over the MIME parameter.

    What would have to be expanded beyond `bounds` is refused, and each message carries them.
    """
    method = (method_of(tree) or method_hint).strip().upper()
    if not method:
        return (Refusal(outcome=Outcome.IGNORED, reason=Reason.NO_METHOD),)
    if method not in Method.__members__:
        return (Refusal(outcome=Outcome.UNSUPPORTED, reason=Reason.UNSUPPORTED_METHOD, detail=method[:40]),)
    groups = tuple(_by_uid(tree))
    if not groups:
        return (replace(_malformed("no component"), method=method),)
    if len(groups) > _UIDS:
        many = Reason.TOO_MANY_COMPONENTS
        return (Refusal(outcome=Outcome.REFUSED, reason=many, method=method, detail=f"{len(groups)} UIDs"),)
    found = (_message(part, uid, Method(method), sender, bounds=bounds) for uid, part in groups)
    return tuple(replace(one, method=method) if isinstance(one, Refusal) else one for one in found)


def _message(
    part: Component, uid: str, method: Method, sender: Address | None, *, bounds: Bounds
) -> Message | Refusal:
    kinds = {child.name for child in part.components if child.name in METHODS}
    unusable = _unusable(kinds, uid, method)
    if unusable is not None:
        return unusable
    if method is Method.ADD:
        if any(component.first(name) is not None for component in part.components for name in _SETS):
            return _malformed("ADD of more than a date", uid)
        part = _as_dates(part)
    try:
        found = split(_with_named_ranges(part))
        if len(found) != 1:
            return _malformed("several objects under one UID", uid)
        readable = _readable(found[0].within(bounds))
        if method in _EXPANDED:
            # SPEC 12.16: a rule bomb is refused here, before anything can be written
            recur.guard(readable)
        fault = _fault(readable, method)
    except MalformedCalendar as error:
        return Refusal(outcome=Outcome.REFUSED, reason=Reason(error.code), uid=uid, detail=error.detail)
    return _malformed(fault, uid) if fault else Message(method=method, object=readable, sender=sender)


def _as_dates(part: Component) -> Component:
    """RFC 5546 3.2.4: each component of an ADD is a further date of the series, as if an RDATE said its DTSTART."""

    def dated(component: Component) -> Component:
        start = component.first("DTSTART")
        if component.name not in METHODS or start is None:
            return component
        named = prop("RECURRENCE-ID", start.value, TZID=start.param("TZID"), VALUE=start.param("VALUE"))
        return component.put(named)

    return _with_each(part, dated)


def _with_named_ranges(part: Component) -> Component:
    """RFC 5546 4.4.5 prints the value of RANGE without its name; read as no RANGE at all it would change one date only."""

    def ranged(component: Component) -> Component:
        line = component.first("RECURRENCE-ID")
        bare = [one.name for one in line.params if one.name in _RANGES] if line is not None else []
        if line is None or not bare:
            return component
        return component.replace(line, line.with_params(RANGE=bare[0], **dict.fromkeys(bare)))

    return _with_each(part, ranged)


def _with_each(part: Component, mended: Callable[[Component], Component]) -> Component:
    """A copy with each component mended; one walk, as there may be thousands."""
    return part.with_children(
        mended(child) if isinstance(child, Component) else child for child in part.children
    )


def _unusable(kinds: set[str], uid: str, method: Method) -> Refusal | None:
    if not uid:
        return _malformed("no UID")
    if len(kinds) != 1:
        return _malformed("several kinds of component under one UID", uid)
    kind = next(iter(kinds))
    if method not in METHODS[kind]:
        return Refusal(outcome=Outcome.UNSUPPORTED, reason=Reason.UNSUPPORTED_METHOD, uid=uid)
    return None


def _readable(of: CalendarObject) -> CalendarObject:
    """The object with times that can be read: nothing behind this asks again. Raise MalformedCalendar."""
    changed: dict[str, Component] = {}
    for key in (*([""] if of.master is not None else []), *of.overrides):
        component = of.component(key)
        if component is None:
            continue
        component = component.without(partial.MARK)  # a word between us and a calendar server
        if key:
            # RFC 5546 4.7.2 prints one with a rule; a date of a series has no rule of its own (RFC 5545 3.8.4.4)
            component = component.without(*_RULES)
        if component.first("ORGANIZER") is None and of.organizer_prop is not None:
            # RFC 5546 4.4.8 prints an answer that names him in the master alone
            component = component.add(of.organizer_prop)
        for line in component.properties:
            if line.name.startswith(_PRIVATE):
                # what we note in calendars joins objects and moves answers; no mail may say it
                component = component.with_children(child for child in component.children if child != line)
            elif line.name in _TIMES:
                component = component.replace(line, _mended(line, of))
            elif line.name in _DATES:
                times.spans(line, of.zones)
        times.end(component, of.zones)
        if component is not of.component(key):
            changed[key] = component
    return of.with_components(changed) if changed else of


def _mended(line: Property, of: CalendarObject) -> Property:
    """A time with a digit too many, as RFC 5546 4.2.1 itself prints one, is cut to its length."""
    long = _TOO_LONG.fullmatch(line.value.strip())
    line = line if long is None else line.with_value(f"{long[1]}{long[2]}")
    times.moment(line, of.zones)
    return line


def _fault(of: CalendarObject, method: Method) -> str:
    """What makes the message meaningless, or ""."""
    timed = of.kind not in _TIMELESS or method is Method.ADD
    needed = [name for name in _NEEDED[method] if name != "DTSTART" or timed]
    for component in of.components:
        missing = [name for name in needed if not (component.value(name) or "").strip()]
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


__all__ = ["METHODS", "Refusal", "messages"]
