"""A guest of single instances has overrides without their series; servers that refuse that get a master made up for it.

    wrapped(object)      with a master whose DTSTART and RDATEs are exactly those instances, each of which has its override
    unwrapped(object)    what stands in such an object, as the organizer said it

SPEC 12.3: `flows` wraps what it writes and unwraps what it reads, so that nothing else ever sees the made-up master. What
the owner's program did to it, since it shows it as a series, is read as done to the instances.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from gateway.ical import recur, times
from gateway.ical.event import CalendarObject, RecurrenceKey, key_of, partstat
from gateway.ical.onward import is_onward
from gateway.ical.times import Moment
from gateway.ical.tree import Component, Property, prop
from gateway.itip.roles import identities, line_in
from gateway.itip.views import is_cancelled

MARK: Final = "X-IMIP-GATEWAY-PARTIAL"
_SAID: Final = "X-IMIP-GATEWAY-PARTSTAT"  # what the made-up line of a guest said when it was written
_OPEN: Final = "NEEDS-ACTION"


def wrapped(of: CalendarObject) -> CalendarObject:
    """The object under a made-up master; itself where it has one, or where its instances cannot be dates of one series."""
    dates = _dates(of)
    if of.master is not None or not dates or len({one.is_date for one in dates.values()}) > 1:
        return of
    keys = sorted(dates, key=lambda key: (dates[key].instant(), key))
    model = next((of.overrides[key] for key in keys if not is_cancelled(of.overrides[key])), None)
    master = _master(model or of.overrides[keys[0]], [dates[key] for key in keys], of)
    if any(key_of(one, master, of.zones) != key for key, one in of.overrides.items()):
        return of
    whole = of.with_component("", master)
    at = next(
        n
        for n, child in enumerate(of.tree.children)
        if isinstance(child, Component) and child.name == of.kind
    )
    children = (*of.tree.children[:at], master, *of.tree.children[at:])
    return replace(whole, tree=of.tree.with_children(children))


def unwrapped(of: CalendarObject) -> CalendarObject:
    """The instances without the master that we made up for them; an object of anybody else's is left as it is."""
    master = of.master
    if master is None or (master.value(MARK) or "").strip().upper() != "TRUE":
        return of
    told: dict[RecurrenceKey, Component] = {**_without_override(of), **of.overrides}
    if not told:
        return of
    told = {key: _with_alarms(_answered(one, master), master) for key, one in told.items()}
    return of.with_components(told).without_component("")


def _dates(of: CalendarObject) -> Mapping[RecurrenceKey, Moment]:
    """Which instances they are, as the organizer said it; none where RANGE says more than single ones."""
    if any(is_onward(key) for key in of.overrides):
        return {}
    named = {key: one.first("RECURRENCE-ID") for key, one in of.overrides.items()}
    return {key: times.moment(line, of.zones) for key, line in named.items() if line is not None}


def _master(model: Component, dates: list[Moment], of: CalendarObject) -> Component:
    """RFC 5545 3.8.5.2: DTSTART, and RDATE for the others; a single one is its own RDATE, so that it is a series at all."""
    first, begin, end = dates[0], times.start(model, of.zones), times.end(model, of.zones)
    out = model.without("RECURRENCE-ID", "DTSTART").without_components("VALARM")
    out = out.add(times.moment_prop("DTSTART", first))
    ending = "DUE" if model.name == "VTODO" else "DTEND"
    if out.first(ending) is not None:
        out = out.without(ending)
        if begin is not None and end is not None and begin.is_date == end.is_date == first.is_date:
            out = out.add(times.moment_prop(ending, _as_long(first, begin, end)))
    for date in dates[1:] or dates:
        out = out.add(times.moment_prop("RDATE", date))
    for line in out.all("ATTENDEE"):
        said = {partstat(own) for one in of.components if (own := line_in(one, identities(line)))}
        answer = said.pop() if len(said) == 1 else _OPEN
        out = out.replace(line, line.with_params(PARTSTAT=answer, X_IMIP_GATEWAY_PARTSTAT=answer))
    return out.add(prop(MARK, "TRUE"))


def _as_long(first: Moment, begin: Moment, end: Moment) -> Moment:
    if first.utc is not None and begin.utc is not None and end.utc is not None:
        return first.at_instant(first.utc + (end.utc - begin.utc))
    return first.at_local(first.local + (end.local - begin.local))


def _without_override(of: CalendarObject) -> dict[RecurrenceKey, Component]:
    """Dates that a program shows as the master tells them, since it took their override away."""
    master = of.master
    if master is None:
        return {}
    alone = of.with_component("", master.without("RRULE", MARK))
    most = 1 + sum(line.value.count(",") + 1 for line in master.all("RDATE"))
    keys = [each.key for each in recur.first(alone, most) if not each.overridden]
    stamp = of.dtstamp()
    made = {key: recur.derive_instance(alone, key, dtstamp=stamp) for key in keys if stamp is not None}
    return {key: _plain(one) for key, one in made.items() if one is not None}


def _plain(component: Component) -> Component:
    for line in component.all("ATTENDEE"):
        component = component.replace(line, line.with_params(X_IMIP_GATEWAY_PARTSTAT=None))
    return component


def _answered(component: Component, master: Component) -> Component:
    """What he answered to the series as his program showed it is said of each instance that he had answered alike."""
    for line in master.all("ATTENDEE"):
        was, now = line.param(_SAID) or _OPEN, partstat(line)
        own: Property | None = line_in(component, identities(line))
        if now != was and own is not None and partstat(own) in (was, _OPEN):
            component = component.replace(own, own.with_params(PARTSTAT=now))
    return component


def _with_alarms(component: Component, master: Component) -> Component:
    """An alarm of the series is its owner's, since we give it none; what is to remind him of each date, each date gets."""
    there = component.subcomponents("VALARM")
    new = [one for one in master.subcomponents("VALARM") if one not in there]
    return component.with_children((*component.children, *new)) if new else component


__all__ = ["MARK", "unwrapped", "wrapped"]
