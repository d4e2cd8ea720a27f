"""A change of an occurrence and all behind it, told in full: RANGE=THISANDFUTURE as overrides (RFC 5545 3.2.13, 3.8.4.4).

    spread(object)              the components as programs without RANGE understand them
    rest(object, key)           the occurrences from one on, as far as they end
    moved(component, ...)       what such a component says of one later occurrence

Where the series ends the rest becomes complete overrides. Where it does not and the times stay, the master becomes the new
version and what came before complete overrides. An endless rest that moves has no such form: it stays as it was said, for
`linked` to store as a series of its own, or is refused.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from gateway.errors import LimitExceeded
from gateway.ical import recur, times
from gateway.ical.event import ONWARD, CalendarObject, RecurrenceKey
from gateway.ical.recur import DEFAULT_BOUNDS, Occurrence
from gateway.ical.stamp import plus
from gateway.ical.times import Moment, moment_prop
from gateway.ical.tree import Component, write
from gateway.ical.zones import Zones

_OCTETS = 1_048_576  # what overrides made here may take up: as much as a message may bring
_TIMES = ("DTSTART", "DTEND", "DUE", "DURATION")
_SET = ("RRULE", "RDATE", "EXDATE", "EXRULE")
_DAY = timedelta(days=1)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def is_onward(key: RecurrenceKey) -> bool:
    """Whether this is the key of an occurrence and all behind it."""
    return key.endswith(ONWARD)


def anchor(key: RecurrenceKey) -> RecurrenceKey:
    """The one occurrence that a key names, with or without what is behind it."""
    return key.removesuffix(ONWARD)


def spread(of: CalendarObject, *, tail: bool = False) -> dict[RecurrenceKey, Component]:
    """RFC 5545 3.8.4.4: every component by key, none of which says RANGE; later overrides stay as they are.

    Where the rest has no such form within bounds its last change is left as it was said, if there may be a `tail`;
    else LimitExceeded (`expansion-limit`).
    """
    plain = {key: one for key, one in of.overrides.items() if not is_onward(key)}
    ranges = {anchor(key): _single(one) for key, one in of.overrides.items() if is_onward(key)}
    whole = {} if of.master is None else {"": of.master}
    out = whole | ranges | plain
    if not ranges or of.master is None:
        return out
    alone = series(of)
    last = max(ranges)
    try:
        found = _spelled(of, alone, ranges, out)
    except LimitExceeded:
        if not tail:
            raise
        found = tuple(each for each in _until(alone, last) if each.key >= min(ranges))
        _refuse_bulk(len(found), (of.master, *ranges.values()))
        out = whole | {key: one for key, one in ranges.items() if key != last} | plain
        out[last + ONWARD] = of.overrides[last + ONWARD]
    begins = sorted(ranges)
    for each in found:
        if each.key not in out:
            place = bisect_right(begins, each.key)
            made = _told(alone, ranges, begins[place - 1] if place else "", each)
            out |= {} if made is None else {each.key: made}
    return out


def _spelled(
    of: CalendarObject,
    alone: CalendarObject,
    ranges: Mapping[RecurrenceKey, Component],
    out: dict[RecurrenceKey, Component],
) -> tuple[Occurrence, ...]:
    """The occurrences that need a component of their own so that all is told. Raise LimitExceeded."""
    last = max(ranges)
    if recur.last_end(alone) is not None:
        found = _from(alone, min(ranges))
    elif of.master is not None and _in_place(alone, ranges[last], last):
        found = _until(alone, last)
        out[""] = _as_master(ranges[last], of.master)
    else:
        raise LimitExceeded("an endless series moved from one occurrence on", code="expansion-limit")
    _refuse_bulk(len(found), (*alone.components, *ranges.values()))
    return found


def instance(of: CalendarObject, key: RecurrenceKey) -> Component | None:
    """An occurrence without a component of its own: as the change before it tells it, else the master. None: there is none."""
    key = anchor(key)
    if of.master is None or not key:
        return None
    plain = recur.derive_instance(of, key, dtstamp=of.dtstamp() or _NEVER)
    begin = _before(of, key)
    to = times.start(plain, of.zones) if plain is not None and begin else None
    named = times.read_key(anchor(begin), to) if to is not None else None
    if to is None or named is None:
        return plain
    return moved(of.overrides[begin], of.zones, named=named, to=to)


def speaking(of: CalendarObject, key: RecurrenceKey) -> Component | None:
    """The component that speaks of an occurrence: its own, that of a change before it, else the master."""
    begin = _before(of, anchor(key)) if key else ""
    return of.component(key) or (of.overrides[begin] if begin else of.master)


def _before(of: CalendarObject, key: RecurrenceKey) -> RecurrenceKey:
    return max((one for one in of.ranges if anchor(one) <= key), default="")


def rest(of: CalendarObject, key: RecurrenceKey) -> tuple[RecurrenceKey, ...]:
    """The occurrences from one on, overrides included. Raise LimitExceeded where there is no end to them within bounds."""
    keys = {one for one in of.overrides if not is_onward(one) and one >= key}
    if of.master is not None:
        alone = series(of)
        if recur.last_end(alone) is None:
            raise LimitExceeded("the rest of an endless series", code="expansion-limit")
        keys |= {each.key for each in _from(alone, key)}
        _refuse_bulk(len(keys), (of.master,))
    return tuple(sorted(keys))


def earlier(of: CalendarObject, key: RecurrenceKey) -> tuple[RecurrenceKey, ...]:
    """The occurrences before one, overrides included. Raise LimitExceeded where they are too many."""
    keys = {one for one in of.overrides if not is_onward(one) and one < key}
    if of.master is not None:
        keys |= {each.key for each in _until(series(of), key)}
        _refuse_bulk(len(keys), (of.master,))
    return tuple(sorted(keys))


def endless(of: CalendarObject) -> bool:
    """Whether the master repeats for ever."""
    return of.recurring and recur.last_end(series(of)) is None


def moved(component: Component, zones: Zones, *, named: Moment, to: Moment) -> Component:
    """RFC 5545 3.8.4.4: what is said of `named` and all behind it, for one of these: the same shift, the same duration."""
    out = _single(component).put(moment_prop("RECURRENCE-ID", to))
    begin = times.start(component, zones)
    if begin is None:
        return out
    start = shifted(begin, named, to)
    if component.first("DTSTART") is not None:
        out = out.put(moment_prop("DTSTART", start))
    ending = "DUE" if component.name == "VTODO" else "DTEND"
    line = component.first(ending)
    if line is not None and line.value.strip():
        out = out.put(moment_prop(ending, _after(times.moment(line, zones), begin, start)))
    return out


def shifted(begin: Moment, named: Moment, to: Moment) -> Moment:
    """The wall clock of the changed occurrence: 10:00 moved to 11:00 is 11:00 all through the year."""
    if begin.utc is None or named.utc is None or to.utc is None:
        return begin.at_local(plus(to.local, begin.local - named.local))
    was, now = begin.at_instant(named.utc), begin.at_instant(to.utc)
    return begin.at_local(plus(now.local, begin.local - was.local))


def _after(end: Moment, begin: Moment, start: Moment) -> Moment:
    if end.utc is None or begin.utc is None or start.utc is None:
        return end.at_local(plus(start.local, end.local - begin.local))
    return end.at_instant(plus(start.utc, end.utc - begin.utc))


def _told(
    alone: CalendarObject, ranges: Mapping[RecurrenceKey, Component], begin: RecurrenceKey, each: Occurrence
) -> Component | None:
    named = times.read_key(begin, each.start) if begin else None
    if named is None:
        return recur.derive_instance(alone, each.key, dtstamp=alone.dtstamp() or _NEVER)
    return moved(ranges[begin], alone.zones, named=named, to=each.start)


def series(of: CalendarObject) -> CalendarObject:
    """The master and nothing else."""
    return of.without_components(of.overrides)


def _single(component: Component) -> Component:
    named = component.first("RECURRENCE-ID")
    if named is None or named.param("RANGE") is None:
        return component
    return component.replace(named, named.with_params(RANGE=None))


def _from(alone: CalendarObject, key: RecurrenceKey) -> tuple[Occurrence, ...]:
    """Its occurrences from this one to the last. A horizon that cuts the rest off silently would leave a part unchanged."""
    named, last = _named(alone, key), recur.last_end(alone)
    if named is None or last is None:
        return ()
    since = named.instant()
    if last - since > timedelta(days=365 * DEFAULT_BOUNDS.years):
        raise LimitExceeded("the rest of a series is too long", code="expansion-limit")
    found = recur.occurrences(alone, after=since, before=plus(last, _DAY))
    return tuple(each for each in found if each.key >= key)


def _until(alone: CalendarObject, key: RecurrenceKey) -> tuple[Occurrence, ...]:
    """Its occurrences before this one."""
    named = _named(alone, key)
    begin = None if alone.master is None else times.start(alone.master, alone.zones)
    if named is None or begin is None or begin.instant() >= named.instant():
        return ()
    if named.instant() - begin.instant() > timedelta(days=365 * DEFAULT_BOUNDS.years):
        raise LimitExceeded("the beginning of a series is too long", code="expansion-limit")
    found = recur.occurrences(alone, after=begin.instant(), before=named.instant())
    return tuple(each for each in found if each.key < key)


def _named(alone: CalendarObject, key: RecurrenceKey) -> Moment | None:
    begin = None if alone.master is None else times.start(alone.master, alone.zones)
    return times.read_key(key, begin)


def _in_place(alone: CalendarObject, component: Component, key: RecurrenceKey) -> bool:
    """Whether the changed occurrence is when the series has it, in the same words: so is then all behind it."""
    plain = recur.derive_instance(alone, key, dtstamp=_NEVER)
    if plain is None:
        return False
    read = (times.start, times.end)
    return [one(plain, alone.zones) for one in read] == [one(component, alone.zones) for one in read]


def _as_master(component: Component, master: Component) -> Component:
    """The change as the series itself, which keeps its times."""
    out = component.without("RECURRENCE-ID", *_TIMES, *_SET)
    for line in master.properties:
        out = out.add(line) if line.name in (*_TIMES, *_SET) else out
    return out


def refuse_growth(of: CalendarObject, keys: Iterable[RecurrenceKey]) -> None:
    """SPEC 11: a line that names an occurrence makes a whole component of it. Raise LimitExceeded before there are so many
    that nobody could read the meeting any more."""
    new = {anchor(key) for key in keys} - of.overrides.keys() - {""}
    if new and of.master is not None and len(new) * len(write(of.master)) + _size(of) > _OCTETS:
        raise LimitExceeded("too many occurrences of a large meeting", code="expansion-limit")


def _size(of: CalendarObject) -> int:
    return sum(len(write(one)) for one in of.components)


def _refuse_bulk(count: int, like: tuple[Component, ...]) -> None:
    if count * max(len(write(one)) for one in like) > _OCTETS:
        raise LimitExceeded("too much to tell one by one", code="expansion-limit")


__all__ = [
    "anchor",
    "earlier",
    "endless",
    "instance",
    "is_onward",
    "moved",
    "refuse_growth",
    "rest",
    "series",
    "shifted",
    "speaking",
    "spread",
]
