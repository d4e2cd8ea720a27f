"""The organizer's version of a meeting, folded from his messages in whatever order they came.

What he said last of each instance (content) and what he called off (the ledger's cancellations) are kept apart, so the
version is a function of both: a REQUEST that arrives after the CANCEL that overtook it still fills in what was cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

from gateway.ical import linked, onward, recur, times
from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, key_of
from gateway.ical.tree import Component, prop
from gateway.ical.zones import Zones
from gateway.itip import order
from gateway.itip.merge import cancelled
from gateway.itip.model import Context, Message
from gateway.itip.order import Stamp, Standing
from gateway.itip.roles import identities, same_person

_ENDS = ("DTEND", "DUE", "DURATION")

Components = dict[str, Component]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One component of a message: the occurrence it speaks of, in the stored master's terms, and what orders it."""

    key: str
    component: Component
    stamp: Stamp


def parts(message: Message, stored: CalendarObject | None, context: Context) -> tuple[Part, ...]:
    """The components of a message, each under the key that our copy knows it by.

    Beside its master an override was said when the whole was, even where it keeps the DTSTAMP of its last change.
    """
    new = message.object
    whole = order.stamp(new, "", context) if new.master is not None else None
    own = ({"": new.master} if new.master is not None else {}) | dict(new.overrides)
    master, zones = new.master, new.zones
    if master is None and stored is not None:
        master, zones = stored.master, new.zones.joined(stored.zones)
    return tuple(
        Part(
            key=key_of(component, master, zones) if key else "",
            component=component,
            stamp=whole if whole and not key else _not_before(whole, order.stamp(new, key, context)),
        )
        for key, component in own.items()
    )


def _not_before(whole: Stamp | None, own: Stamp) -> Stamp:
    if whole is None or whole.dtstamp is None or (own.dtstamp is not None and own.dtstamp >= whole.dtstamp):
        return own
    return replace(own, dtstamp=whole.dtstamp, arrived=whole.arrived)


def components(of: CalendarObject | None, whole: CalendarObject | None = None) -> Components:
    """Every component by key; `whole` when keys are to be in the terms of another's master (a guest of single instances)."""
    if of is None:
        return {}
    if of.master is None and whole is not None and whole.master is not None:
        zones = of.zones.joined(whole.zones)
        return {key_of(component, whole.master, zones): component for component in of.components}
    return ({"": of.master} if of.master is not None else {}) | dict(of.overrides)


def fold(
    known: Mapping[str, Component],
    applied: Iterable[Part],
    *,
    standing: Standing,
    frame: CalendarObject,
) -> Components:
    """The version after these parts. `standing` is the ledger with them; `frame` holds the zones.

    SPEC 4.1: a full REQUEST removes the overrides that were said before it, and only those.
    """
    new = {part.key: part.component for part in applied}
    out = dict(known)
    if "" in new:
        out = {key: old for key, old in out.items() if standing.content_survives(key)}
    out |= new
    _cut(out, standing, frame)
    _strike(out, standing, frame)
    return out


def in_full(
    of: CalendarObject, behind: CalendarObject | None = None, *, tail: bool = False
) -> CalendarObject:
    """The object with every RANGE told as overrides; `behind` has the series where `of` has only a part of it.

    SPEC 4.7: what is kept as the organizer's version says RANGE as he did; what is stored or compared does not, but for
    a rest that only a `tail` can tell. Raise LimitExceeded where that cannot either.
    """
    if not any(onward.is_onward(key) for key in of.overrides):
        return of
    if of.master is not None or behind is None or behind.master is None:
        full = assemble(of, onward.spread(of, tail=tail))
        linked.parts(full)
        return full
    ours = components(behind)
    found = onward.spread(assemble(behind, ours | components(of, behind), of), tail=tail)
    return assemble(of, {key: one for key, one in found.items() if one is not ours.get(key)}, behind)


def assemble(
    frame: CalendarObject, found: Mapping[str, Component], *others: CalendarObject | None
) -> CalendarObject:
    """An object of exactly these components in this frame; zones that it lacks come from the others."""
    out = frame.without_components(key for key in components(frame) if key not in found)
    out = out.with_components(found)
    for other in others:
        if other is not None:
            out = out.with_components({}, zones_from=other)
    return out


def telling(frame: CalendarObject, found: Mapping[str, Component]) -> CalendarObject:
    """What tells the occurrences that have no component of their own: the master, and changes of all behind one."""
    return assemble(frame, {key: one for key, one in found.items() if not key or onward.is_onward(key)})


def derived(told: CalendarObject, key: str) -> Component | None:
    """The occurrence as the others (`telling`) have it; None when there is none."""
    if told.master is None or not key:
        return None
    return onward.instance(told.without_component(key), key)


def deriving(frame: CalendarObject, found: Mapping[str, Component]) -> Callable[[str], Component | None]:
    """`derived` from what tells the others, put together once an occurrence is asked for: most messages have none."""
    whole = cache(lambda: telling(frame, found))
    return lambda key: derived(whole(), key) if key else None


def dated(frame: CalendarObject, found: Mapping[str, Component], keys: Iterable[str]) -> Components:
    """RFC 5546 3.2.4: what the series has besides its dates is a date of it, told by an RDATE of its master.

    An RDATE is made from what stands now and never kept: one that the organizer's next version has as an occurrence of
    its own needs none, and one that this version overtakes leaves none behind.
    """
    out = dict(found)
    master = out.get("")
    single = [key for key in keys if key in out and key and not onward.is_onward(key)]
    if master is None or not single:
        return out
    alone = assemble(frame, {"": master.without("EXDATE")})
    begin = times.start(master, alone.zones)
    onward.refuse_growth(alone, (key for key in single if out[key].first("ATTENDEE") is None))
    named = {key: times.read_key(key, begin) for key in _beside(alone, single)}
    lines = [times.moment_prop("RDATE", at) for at in named.values() if at is not None]
    if lines:
        out[""] = master.with_children((*master.properties, *lines, *master.components))
    told = assemble(frame, {"": out[""]})
    for key in named:
        plain = derived(told, key)
        if plain is not None:
            out[key] = _completed(out[key], plain, alone.zones)
    return out


def _beside(alone: CalendarObject, keys: Iterable[str]) -> Iterable[str]:
    return recur.absent(alone, keys) if alone.recurring else sorted(keys)


def _completed(component: Component, plain: Component, zones: Zones) -> Component:
    """A date that was added, with what it takes from the series: its name, its guests, its length."""
    own, same = times.start(component, zones), times.start(plain, zones)
    for line in plain.all("RECURRENCE-ID"):
        component = component.put(line)
    if own is None or same is None or own.key != same.key:
        return component
    if component.first("ATTENDEE") is None:
        organizer = plain.first("ORGANIZER")
        for line in plain.all("ATTENDEE"):
            component = component.add(
                line if same_person(line, organizer) else line.with_params(PARTSTAT=None)
            )
    if not any(component.first(name) is not None for name in _ENDS):
        for line in (found for name in _ENDS for found in plain.all(name)):
            component = component.add(line)
    return component


def without_guest(component: Component, guest: Address) -> Component:
    """The component without that guest's line."""
    return component.with_children(
        child
        for child in component.children
        if isinstance(child, Component) or child.name != "ATTENDEE" or guest not in identities(child)
    )


def _strike(out: Components, standing: Standing, frame: CalendarObject) -> None:
    """Take off what the ledger says is called off or uninvited, and no later REQUEST has brought back."""
    floor = standing.floor()
    off, gone = standing.cancels_above(floor), standing.removals_above(floor)
    if off or gone:
        onward.refuse_growth(assemble(frame, out), (key for key, _ in (*off, *gone)))
    told = telling(frame, out) if off else frame
    for key, cancel in off:
        component = out.get(key) or derived(told, key)
        if component is not None:
            out[key] = cancelled(component, sequence=cancel.sequence)
            told = telling(frame, out) if onward.is_onward(key) else told
    whole = standing.active_cancel("")
    for key, component in list(out.items()):
        if whole is not None and (not key or not standing.said_after(key, whole)):
            out[key] = cancelled(component, sequence=whole.sequence)
    told = telling(frame, out) if gone else frame
    for key, guest in gone:
        _uninvite(out, key, guest, standing, told=told)
        told = telling(frame, out) if not key or onward.is_onward(key) else told


def _cut(out: Components, standing: Standing, frame: CalendarObject) -> None:
    """RFC 5546 3.2.5: a CANCEL of an occurrence and all behind it ends the series before it (SPEC 4.7)."""
    for key in [key for key in out if standing.cut(key)]:
        del out[key]
    begin, cancel = min(standing.cuts(), default=("", None), key=lambda one: one[0])
    master = out.get("")
    if cancel is None or master is None:
        return
    alone = assemble(frame, {"": master})
    named = times.read_key(begin, times.start(master, alone.zones))
    if named is None or not recur.first(alone, 1, named.instant()):
        return
    ended = recur.ended_before(alone, begin)
    if ended is None:
        out[""] = cancelled(master, sequence=cancel.sequence)
    elif cancel.sequence is not None and cancel.sequence > (alone.sequence() or 0):
        out[""] = ended.put(prop("SEQUENCE", str(cancel.sequence)))
    else:
        out[""] = ended


def _uninvite(out: Components, key: str, guest: Address, standing: Standing, *, told: CalendarObject) -> None:
    """RFC 5546 3.2.5: one who is removed from the series is removed from all its instances."""
    if key and key not in out:
        component = derived(told, key)
        if component is not None:
            out[key] = component
    for place in [key] if key else list(out):
        if place in out and standing.removed(place, guest):
            out[place] = without_guest(out[place], guest)


def overtaken(standing: Standing, keys: Iterable[str]) -> Iterator[str]:
    """Instances that were called off once and are on again."""
    return (key for key in keys if key and standing.cancel(key) is not None and not standing.in_force(key))


__all__ = [
    "Components",
    "Part",
    "assemble",
    "components",
    "dated",
    "derived",
    "deriving",
    "fold",
    "in_full",
    "overtaken",
    "parts",
    "telling",
    "without_guest",
]
