"""The meeting as a COUNTER wants it: its times, its rule and its place, and nothing else of what the message says.

Outlook writes "New Time Proposed:" before the title and puts the guest's words into the description; who accepts a
time does not ask for these (RFC 5546 3.2.7).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.ical import recur, times
from gateway.ical.event import CalendarObject
from gateway.ical.times import Moment
from gateway.ical.tree import Component, Property, text_prop
from gateway.itip.significance import InstanceFacts, instance, instance_facts, read_facts


def as_proposed(
    stored: CalendarObject, key: str, counter: CalendarObject, *, now: datetime
) -> CalendarObject | None:
    """The stored meeting with what this COUNTER proposes for one instance, or for the whole; None: it has no such instance."""
    was = stored.component(key) or recur.derive_instance(stored, key, dtstamp=now)
    told = counter.components[0]
    if was is None:
        return None
    new = _with_times(was, told, stored, counter)
    new = _with_place(new, told)
    if not key:
        new = _with_rule(new, told, stored, counter)
    return stored if new is was else stored.with_component(key, new, zones_from=counter)


def differs(stored: CalendarObject, new: CalendarObject, key: str) -> bool:
    """Whether a guest would see another time, rule or place."""
    was, now = instance_facts(stored, key), instance_facts(new, key)
    return was is None or now is None or _seen(was) != _seen(now)


def is_usable(stored: CalendarObject, new: CalendarObject, key: str) -> bool:
    """Whether the change can be made by a program: exceptions of a series that moves would hang in the air, and a rule for
    Mondays makes nothing of a Tuesday."""
    if _loses_its_place(stored, new, key):
        return False
    master, moved = stored.master, new.master
    if key or master is None or moved is None or not stored.recurring:
        return True
    was, now = read_facts(master, stored), read_facts(moved, new)
    if (was.start, was.rule) == (now.start, now.rule):
        return True
    if stored.overrides or was.rdates or was.exdates:
        return False
    same_rule = master.value("RRULE") == moved.value("RRULE")
    return not (same_rule and _names_days(master)) or _day(master, stored) == _day(moved, new)


def _loses_its_place(stored: CalendarObject, new: CalendarObject, key: str) -> bool:
    """Whether what took place at an instant would take place at a time of which nobody knows when that is: in a zone that
    the message does not define, or in none."""
    pairs = zip(_ends(stored, key), _ends(new, key), strict=True)
    return any(
        was is not None and was.utc is not None and now is not None and not now.is_date and now.utc is None
        for was, now in pairs
    )


def _ends(of: CalendarObject, key: str) -> tuple[Moment | None, Moment | None]:
    component = instance(of, key)
    if component is None:
        return None, None
    return times.start(component, of.zones), times.end(component, of.zones)


def when(component: Component | None, of: CalendarObject) -> tuple[str, str]:
    """Start and end as RFC 3339 has them; of an all-day event the days, the end not included; "" for what is not there."""
    if component is None:
        return "", ""
    start, end = times.start(component, of.zones), times.end(component, of.zones)
    return _text(start), _text(end)


def _with_times(
    was: Component, told: Component, stored: CalendarObject, counter: CalendarObject
) -> Component:
    """In the terms of the organizer's own zone, where both are instants: he goes on reading his own clock."""
    out, moved = was, timedelta()
    last = "DUE" if was.name == "VTODO" else "DTEND"
    began = _moment(was.first("DTSTART"), stored)
    begins = _in_terms(began, _moment(told.first("DTSTART"), counter))
    if begins is not None and (began is None or begins.key != began.key):
        out = out.put(times.moment_prop("DTSTART", begins))
        moved = begins.instant() - began.instant() if began is not None else moved
    ended = times.end(was, stored.zones)
    if (told.first(last) is None and told.first("DURATION") is None) or _takes_no_time(told, counter):
        return _as_long(out, last, began, begins, ended=ended, moved=moved)
    ends = _in_terms(ended, times.end(told, counter.zones))
    if ends is None or (ended is not None and ends.key == ended.key and was.first(last) is not None):
        return out
    if out is was and ended is not None and ends.key == ended.key:
        return was
    return out.without("DURATION").put(times.moment_prop(last, ends))


def _takes_no_time(told: Component, counter: CalendarObject) -> bool:
    """RFC 5545 3.8.2.2: an end comes after its start; one that does not says nothing about the length."""
    start, end = times.start(told, counter.zones), times.end(told, counter.zones)
    if told.first("DTSTART") is None or start is None or end is None:
        return False
    return start.key == end.key


def _as_long(
    out: Component,
    last: str,
    began: Moment | None,
    begins: Moment | None,
    *,
    ended: Moment | None,
    moved: timedelta,
) -> Component:
    """A proposal without an end keeps the length."""
    if out.first(last) is None or begins is None or not moved:
        return out
    if began is None or ended is None or began.form != begins.form:
        return out.without(last)
    if ended.is_date:
        return out.put(times.moment_prop(last, ended.at_local(ended.local + moved)))
    return out.put(times.moment_prop(last, ended.at_instant(ended.instant() + moved)))


def _with_place(out: Component, told: Component) -> Component:
    place = " ".join((told.text("LOCATION") or "").split())
    if not place or place == " ".join((out.text("LOCATION") or "").split()):
        return out
    return out.put(text_prop("LOCATION", told.text("LOCATION") or ""))


def _with_rule(out: Component, told: Component, stored: CalendarObject, counter: CalendarObject) -> Component:
    line = told.first("RRULE")
    if line is None:
        return out
    was, now = read_facts(out, stored), read_facts(told, counter)
    return out if (was.rule, was.bounds) == (now.rule, now.bounds) else out.put(line)


def _in_terms(old: Moment | None, new: Moment | None) -> Moment | None:
    if old is None or new is None or old.utc is None or new.utc is None:
        return new
    return old.at_instant(new.utc)


def _moment(line: Property | None, of: CalendarObject) -> Moment | None:
    return times.moment(line, of.zones) if line is not None and line.value.strip() else None


def _seen(facts: InstanceFacts) -> tuple[object, ...]:
    place = frozenset(value for name, value in facts.told if name == "LOCATION")
    return (*facts.series, facts.end, facts.bounds, place)


def _names_days(component: Component) -> bool:
    """Whether the rule says on which days, rather than taking them from the first one."""
    return any(part.upper().startswith("BY") for part in (component.value("RRULE") or "").split(";"))


def _day(component: Component, of: CalendarObject) -> object:
    start = times.start(component, of.zones)
    return start.local.date() if start is not None else None


def _text(when: Moment | None) -> str:
    if when is None:
        return ""
    if when.is_date:
        return when.local.date().isoformat()
    return f"{(when.utc or when.local).replace(tzinfo=None).isoformat()}{'Z' if when.utc else ''}"


__all__ = ["as_proposed", "differs", "is_usable", "when"]
