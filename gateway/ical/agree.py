"""Two objects that mean different zones by one TZID: before they are merged, one of them gets another name for its own.

`Customized Time Zone` is what Exchange calls whatever an administrator made, and a hostile mail may define any name as it
likes. If a component moved from one object into the other under the same name, its times, or all the others, would shift.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from hashlib import sha256

from gateway.errors import MalformedCalendar
from gateway.ical.event import CalendarObject, split
from gateway.ical.times import start
from gateway.ical.tree import Component, Property, text_prop, write
from gateway.ical.zones import PROBES, Zones, clean_tzid


def with_distinct_zones(source: CalendarObject, other: CalendarObject) -> CalendarObject:
    """`source` with new names for those of its zones that `other` defines otherwise; itself when there are none.

    The new name is made from the definition, so that the same message comes to the same name again. Raise
    MalformedCalendar as `split` does.
    """
    names = {
        tzid: f"{tzid} {sha256(write(own)).hexdigest()[:8]}"
        for tzid, own in source.zones.own.items()
        if _differs(tzid, source, other)
    }
    if not names:
        return source
    return split(_renamed(source.tree, names))[0]


def _differs(tzid: str, source: CalendarObject, other: CalendarObject) -> bool:
    if source.zones.own[tzid] == other.zones.own.get(tzid):
        return False
    ours, theirs = source.zones.zone(tzid), _meaning(tzid, other)
    if ours is None or theirs is None:
        return False
    return any(_offset(ours, at) != _offset(theirs, at) for at in (*PROBES, *_times(source), *_times(other)))


def _meaning(tzid: str, other: CalendarObject) -> tzinfo | None:
    """What the other object means by the name, if it uses it at all."""
    if tzid in other.zones.own or _names(other.tree, tzid):
        return other.zones.zone(tzid)
    return None


def _names(component: Component, tzid: str) -> bool:
    return any(
        _names(child, tzid) if isinstance(child, Component) else clean_tzid(child.tzid) == tzid
        for child in component.children
        if child.name != "VTIMEZONE"
    )


def _times(of: CalendarObject) -> tuple[datetime, ...]:
    """When its components begin, and the seasons of these years."""
    found: set[datetime] = set()
    for component in of.components[:50]:
        begin = _start(component, of.zones)
        if begin is not None:
            found.add(begin)
            found.update(datetime(begin.year, month, 1, tzinfo=UTC) for month in (1, 4, 7, 10))
    return tuple(found)


def _start(component: Component, zones: Zones) -> datetime | None:
    try:
        begin = start(component, zones)
    except MalformedCalendar:
        return None
    return None if begin is None else begin.instant()


def _offset(zone: tzinfo, at: datetime) -> timedelta | None:
    try:
        return at.astimezone(zone).utcoffset()
    except OverflowError:
        return None


def _renamed(component: Component, names: Mapping[str, str]) -> Component:
    defines = component.name == "VTIMEZONE"
    out: list[Property | Component] = []
    for child in component.children:
        if isinstance(child, Component):
            out.append(_renamed(child, names))
        elif defines and child.name == "TZID":
            tzid = clean_tzid(child.text)
            out.append(text_prop("TZID", names[tzid]) if tzid in names else child)
        else:
            tzid = clean_tzid(child.tzid)
            out.append(child.with_params(TZID=names[tzid]) if tzid in names else child)
    return component.with_children(out)


__all__ = ["with_distinct_zones"]
