"""A calendar object: all components of one UID, master and overrides, over the tree that they came in (RFC 4791 4.1).

    object = parse_object(data)            or MalformedCalendar
    object.master, object.overrides        overrides by RecurrenceKey: the instant that each one replaces
    object.with_component(key, changed)    values again; untouched lines stay untouched
    object.data                            the text, with the VTIMEZONEs that it needs and no others

A RecurrenceKey is the `Moment.key` of the occurrence in the master's own terms, so that the same instant said in UTC, in
another zone, as a date or with a zeroed time is the same key. "" is the master. With RANGE=THISANDFUTURE a `+` follows:
what is said of the rest of a series and what is said of its first occurrence are two things.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from types import MappingProxyType

from gateway.errors import LimitExceeded, MalformedCalendar
from gateway.ical.address import Address, address, is_mail
from gateway.ical.bounds import DEFAULT_BOUNDS, Bounds
from gateway.ical.stamp import plus
from gateway.ical.times import Form, Moment, Zones, moment, readable, start
from gateway.ical.tree import DEFAULT_LIMITS, Component, Limits, Property, parse, prop, write
from gateway.ical.zones import clean_tzid

RecurrenceKey = str
ONWARD = "+"  # ends the key of a component that speaks of this occurrence and all behind it

_MAX_ZONES = 100  # that one object may name; each unknown one costs look-ups
_MAX_DATES = 5_000
KINDS = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY")


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarObject:
    """One meeting or task. Made by `parse_object`, `split` and `build` only, which see to its consistency."""

    tree: Component  # the VCALENDAR, without METHOD
    uid: str
    kind: str  # one of KINDS
    zones: Zones = field(compare=False)
    master: Component | None = field(
        compare=False
    )  # this and `overrides` stand in the tree, which is compared
    overrides: Mapping[RecurrenceKey, Component] = field(compare=False)
    bounds: Bounds = field(compare=False, default=DEFAULT_BOUNDS)  # how far it may be expanded

    @property
    def components(self) -> tuple[Component, ...]:
        """The master, then the overrides by key."""
        ordered = tuple(self.overrides[key] for key in sorted(self.overrides))
        return ordered if self.master is None else (self.master, *ordered)

    def component(self, key: RecurrenceKey) -> Component | None:
        """The master (""), or the override of an occurrence."""
        return self.overrides.get(key) if key else self.master

    @property
    def organizer_prop(self) -> Property | None:
        """The first ORGANIZER line: the master's, else an override's."""
        found = None if self.master is None else self.master.first("ORGANIZER")
        if found is not None or not self.overrides:
            return found
        return self._read()[2]

    @property
    def organizer(self) -> Address | None:
        """The organizer's address; one who stands there as a principal or a UUID by his EMAIL parameter."""
        found = self.organizer_prop
        return None if found is None else person(found)

    @property
    def recurring(self) -> bool:
        """Whether the master repeats."""
        return self.master is not None and any(self.master.first(name) for name in ("RRULE", "RDATE"))

    def sequence(self, key: RecurrenceKey = "") -> int | None:
        """SEQUENCE of the master or an override; None when it is absent or no number (SPEC 4.1)."""
        component = self.component(key)
        return None if component is None else sequence_of(component)

    def dtstamp(self, key: RecurrenceKey = "") -> datetime | None:
        """DTSTAMP of the master or an override, aware UTC; None when it is absent or unreadable."""
        component = self.component(key)
        found = component.first("DTSTAMP") if component is not None else None
        try:
            return None if found is None else moment(found, self.zones).instant()
        except MalformedCalendar:
            return None

    def attendees(self, key: RecurrenceKey | None = None) -> tuple[Property, ...]:
        """The ATTENDEE lines of one component, or of all, where the first line of an address counts."""
        if key is not None:
            component = self.component(key)
            return () if component is None else component.all("ATTENDEE")
        return self._read()[0]

    @property
    def ranges(self) -> tuple[RecurrenceKey, ...]:
        """The keys of the overrides that speak of an occurrence and all behind it (RANGE)."""
        return self._read()[1]

    def _read(self) -> tuple[tuple[Property, ...], tuple[RecurrenceKey, ...], Property | None]:
        """The guests, the ranges and the first organizer: they are asked for with each of two thousand occurrences."""
        known = self.tree.memo
        if not isinstance(known, tuple):
            seen: dict[Address, Property] = {}
            for component in self.components:
                for found in component.all("ATTENDEE"):
                    seen.setdefault(person(found), found)
            ranges = tuple(key for key in self.overrides if key.endswith(ONWARD))
            organizer = next((one for c in self.components if (one := c.first("ORGANIZER"))), None)
            known = self.tree.memo = (tuple(seen.values()), ranges, organizer)
        return known

    def attendee(self, who: Address | Iterable[Address], key: RecurrenceKey = "") -> Property | None:
        """The ATTENDEE line of a person in one component, found by any of his addresses or its EMAIL parameter."""
        component = self.component(key)
        return None if component is None else attendee_of(component, who)

    def with_component(
        self, key: RecurrenceKey, component: Component, *, zones_from: CalendarObject | None = None
    ) -> CalendarObject:
        """A copy in which `component` is the master ("") or that override, in place or behind the others.

        `zones_from` is the object that the component came from, whose VTIMEZONEs come along where this one has none.
        """
        return self.with_components({key: component}, zones_from=zones_from)

    def with_components(
        self, components: Mapping[RecurrenceKey, Component], *, zones_from: CalendarObject | None = None
    ) -> CalendarObject:
        """A copy with several components set at once; itself when it has them all."""
        zones = self.zones if zones_from is None else self.zones.joined(zones_from.zones)
        components = {key: new for key, new in components.items() if new is not self.component(key)}
        if not components:
            return self if zones is self.zones else replace(self, zones=zones)
        by_identity = {
            id(old): components[key] for key in components if (old := self.component(key)) is not None
        }
        children = [by_identity.get(id(child), child) for child in self.tree.children]
        children += [new for key, new in sorted(components.items()) if self.component(key) is None]
        master = components.get("", self.master)
        overrides = {**self.overrides, **{key: new for key, new in components.items() if key}}
        return replace(
            self,
            tree=self.tree.with_children(children),
            master=master,
            overrides=MappingProxyType(overrides),
            zones=zones,
        )

    def without_component(self, key: RecurrenceKey) -> CalendarObject:
        """A copy without the master ("") or that override; unchanged when it has none."""
        return self.without_components((key,))

    def without_components(self, keys: Iterable[RecurrenceKey]) -> CalendarObject:
        """A copy without several components, at once; unchanged when it has none of them."""
        found = {key: one for key in keys if (one := self.component(key)) is not None}
        if not found:
            return self
        left = {id(one) for one in found.values()}
        return replace(
            self,
            tree=self.tree.with_children(child for child in self.tree.children if id(child) not in left),
            master=None if "" in found else self.master,
            overrides=MappingProxyType(
                {key: kept for key, kept in self.overrides.items() if key not in found}
            ),
        )

    def within(self, bounds: Bounds) -> CalendarObject:
        """The same object, expanded at most so far (SPEC 11)."""
        return self if bounds == self.bounds else replace(self, bounds=bounds)

    @property
    def data(self) -> bytes:
        """The text: VTIMEZONEs that nothing names any more are left out, missing ones are added (RFC 5545 3.6.5)."""
        return write(self.tree.with_children(_with_needed_zones(self)))


def parse_object(data: bytes, limits: Limits = DEFAULT_LIMITS) -> CalendarObject:
    """The one object of a calendar text. Raise MalformedCalendar when it holds none, several UIDs or several kinds."""
    found = split(parse(data, limits))
    if len(found) != 1 or not found[0].uid:
        raise MalformedCalendar(f"{len(found)} objects in one calendar")
    return found[0]


def split(tree: Component) -> tuple[CalendarObject, ...]:
    """The objects of a VCALENDAR, one per UID in document order, without METHOD; each keeps the VTIMEZONEs that it names.

    Raise MalformedCalendar for a UID with components of two kinds, two masters, two overrides of one occurrence, or an
    unreadable RECURRENCE-ID (SPEC 12.13).
    """
    grouped: dict[tuple[str, int], list[Component]] = {}
    for place, component in enumerate(tree.components):
        if component.name in KINDS:
            uid = (component.text("UID") or "").strip()
            grouped.setdefault((uid, -1 if uid else place), []).append(
                component
            )  # without UID it stands alone
    zones = Zones.of(tree)
    plain = tree.without("METHOD")
    whole = len(grouped) == 1
    return tuple(
        _object(plain if whole else _part(plain, found), uid, found, zones)
        for (uid, _), found in grouped.items()
    )


def build(
    components: Iterable[Component], zones_from: CalendarObject | None = None, *, prodid: str
) -> CalendarObject:
    """A new object of these components of one UID; VTIMEZONEs come from `zones_from`, or are made when it is written.

    Raise MalformedCalendar as `split` does.
    """
    parts = tuple(components)
    head: list[Property | Component] = [prop("VERSION", "2.0"), prop("PRODID", prodid)]
    if zones_from is not None:
        named = {clean_tzid(tzid) for tzid in _tzids(parts)}
        head += [defined for tzid, defined in zones_from.zones.own.items() if tzid in named]
    found = split(Component("VCALENDAR", [*head, *parts]))
    if len(found) != 1:
        raise MalformedCalendar(f"{len(found)} objects in one calendar")
    return found[0]


def method_of(tree: Component) -> str | None:
    """METHOD of a VCALENDAR in upper case (RFC 5545 3.7.2)."""
    value = tree.text("METHOD")
    return value.strip().upper() or None if value is not None else None


def key_of(component: Component, master: Component | None, zones: Zones) -> RecurrenceKey:
    """The occurrence that a component speaks of, in the master's terms; "" without RECURRENCE-ID (RFC 5545 3.8.4.4).

    Exchange, Google and others say the same occurrence in UTC, as a date, or with its time zeroed. Raise MalformedCalendar.
    """
    return _Terms(master, zones).key_of(component)


def key_in(
    begin: Moment | None, named: Moment, own_time: Callable[[Moment], bool] = lambda _: False
) -> RecurrenceKey:
    """The key of the occurrence that `named` means in a series beginning at `begin`.

    `own_time` tells whether the series may really have an occurrence at a midnight that its start does not explain.
    """
    if begin is None:
        return named.key
    if begin.is_date:
        return begin.at_local(_day_of(named)).key
    if named.is_date:
        return _on_day(begin, named.local).key
    if begin.form is Form.FLOATING:
        return begin.at_local(named.local).key
    same = begin.at_local(named.local) if named.utc is None else begin.at_instant(named.utc)
    if _zeroed(named) and same.local.time() != begin.local.time() and not own_time(same):
        return _on_day(begin, named.local).key
    return same.key


def partstat(found: Property) -> str:
    """PARTSTAT in upper case; NEEDS-ACTION when it is absent (RFC 5545 3.2.12)."""
    return (found.param("PARTSTAT") or "").strip().upper() or "NEEDS-ACTION"


def person(found: Property) -> Address:
    """The address of an ATTENDEE or ORGANIZER; where its value is a principal path or a UUID, that of EMAIL (Apple), else of
    CN (DAVx5)."""
    own = found.address
    if is_mail(own):
        return own
    told = (address(found.param(name) or "") for name in ("EMAIL", "CN"))
    return next((one for one in told if is_mail(one)), own)


def attendee_of(component: Component, who: Address | Iterable[Address]) -> Property | None:
    """The ATTENDEE line of a person in a component."""
    wanted = {who} if isinstance(who, str) else frozenset(who)
    for found in component.all("ATTENDEE"):
        if found.address in wanted or person(found) in wanted:
            return found
    return None


def sequence_of(component: Component) -> int | None:
    """SEQUENCE of a component; None when it is absent or no number (RFC 5545 3.8.7.4)."""
    value = (component.value("SEQUENCE") or "").strip().removeprefix("+")
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else None


def _object(tree: Component, uid: str, found: Iterable[Component], zones: Zones) -> CalendarObject:
    parts = tuple(found)
    if any(component.name != parts[0].name for component in parts):
        raise MalformedCalendar("two kinds of component under one UID")
    master = next((c for c in parts if not (c.value("RECURRENCE-ID") or "").strip()), None)
    if len(_tzids(parts)) > _MAX_ZONES:
        raise LimitExceeded("too many time zones", code="expansion-limit")
    terms = _Terms(master, zones)
    by_key: dict[RecurrenceKey, Component] = {}
    twice: set[int] = set()
    for component in parts:
        key = terms.key_of(component)
        if key not in by_key:
            by_key[key] = component
        elif by_key[key] == component:  # the same component once more is no contradiction
            twice.add(id(component))
        else:
            raise MalformedCalendar(f"two components of {key or 'the master'} under one UID")
    by_key.pop("", None)
    return CalendarObject(
        tree=tree.with_children(child for child in tree.children if id(child) not in twice)
        if twice
        else tree,
        uid=uid,
        kind=parts[0].name,
        zones=zones,
        master=master,
        overrides=MappingProxyType(by_key),
    )


def _part(tree: Component, found: Iterable[Component]) -> Component:
    """The VCALENDAR of one of several objects: its components, its zones, and what belongs to no UID."""
    mine = tuple(found)
    own, named = {id(component) for component in mine}, {clean_tzid(tzid) for tzid in _tzids(mine)}
    return tree.with_children(
        child
        for child in tree.children
        if isinstance(child, Property)
        or id(child) in own
        or (child.name == "VTIMEZONE" and _tzid(child) in named)
        or (child.name not in KINDS and child.name != "VTIMEZONE")
    )


def _with_needed_zones(source: CalendarObject) -> Iterator[Property | Component]:
    """The children of the tree; missing zones stand before the first component that may name them."""
    needed = _tzids(child for child in source.tree.components if child.name != "VTIMEZONE")
    present = {_tzid(child) for child in source.tree.subcomponents("VTIMEZONE")}
    missing = _made(source, [tzid for tzid in needed if clean_tzid(tzid) not in present])
    wanted = {clean_tzid(tzid) for tzid in needed}
    for child in source.tree.children:
        if isinstance(child, Component) and child.name == "VTIMEZONE":
            if _tzid(child) not in wanted:
                continue
            wanted.remove(_tzid(child))
        elif isinstance(child, Component):
            yield from missing
            missing = ()
        yield child


def _made(source: CalendarObject, tzids: Iterable[str]) -> tuple[Component, ...]:
    begin = _readable_start(source.master, source.zones)
    since = min(2000, begin.local.year) if begin is not None else 2000
    return tuple(made for tzid in tzids if (made := source.zones.vtimezone(tzid, since)) is not None)


def _tzid(vtimezone: Component) -> str:
    return clean_tzid(vtimezone.text("TZID") or "")


def _tzids(components: Iterable[Component]) -> dict[str, None]:
    """Every TZID that the properties of these components name, in order."""
    found: dict[str, None] = {}
    for component in components:
        found.update(dict.fromkeys(component.tzids))
        found.update(_tzids(component.components))
    return found


def _readable_start(master: Component | None, zones: Zones) -> Moment | None:
    try:
        return None if master is None else start(master, zones)
    except MalformedCalendar:
        return None


def _day_of(named: Moment) -> datetime:
    """The day of an all-day occurrence; a server that said it in UTC meant the midnight nearest to it."""
    local = named.local
    if named.form is Form.UTC and local.hour >= 12:
        local = plus(local, timedelta(days=1))
    return local.replace(hour=0, minute=0, second=0)


def _on_day(begin: Moment, day: datetime) -> Moment:
    return begin.at_local(datetime.combine(day.date(), begin.local.time()))


def _zeroed(named: Moment) -> bool:
    return not (named.local.hour or named.local.minute or named.local.second)


class _Terms:
    """A master's own terms for its occurrences; its RDATEs are read at most once, however many overrides ask."""

    __slots__ = ("_begin", "_master", "_own", "_zones")

    def __init__(self, master: Component | None, zones: Zones) -> None:
        self._master = master
        self._zones = zones
        self._begin = _readable_start(master, zones)
        self._own: frozenset[RecurrenceKey] | None = None

    def key_of(self, component: Component) -> RecurrenceKey:
        found = component.first("RECURRENCE-ID")
        if found is None or not found.value.strip():
            return ""
        key = key_in(self._begin, moment(found, self._zones), self._has_own_time)
        return key + ONWARD if (found.param("RANGE") or "").strip().upper() == "THISANDFUTURE" else key

    def _has_own_time(self, when: Moment) -> bool:
        """Whether the series may really have an occurrence at that time of day: BYHOUR, or an RDATE that says so."""
        if self._master is None:
            return False
        if any("BYHOUR" in found.value.upper() for found in self._master.all("RRULE")):
            return True
        if self._own is None:
            dates = (each for found in self._master.all("RDATE") for each, _ in readable(found, self._zones))
            self._own = frozenset(each.key for each in islice(dates, _MAX_DATES))
        return when.key in self._own


__all__ = [
    "KINDS",
    "ONWARD",
    "CalendarObject",
    "RecurrenceKey",
    "attendee_of",
    "build",
    "key_in",
    "key_of",
    "method_of",
    "parse_object",
    "partstat",
    "person",
    "sequence_of",
    "split",
]
