"""Which occurrences a series has, within bounds, and the override that one of them would be (RFC 5545 3.8.5).

    guard(object)                                  before anything is written: no rule bomb passes (SPEC 12.16)
    occurrences(object, after=..., before=...)     what falls into a window, overrides in place of what they replace
    derive_instance(object, key, dtstamp=now)      a complete, valid override of the master for that occurrence

All walking is bounded: candidate days, instances in a window, years behind the window's beginning or the series' start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from gateway.errors import LimitExceeded, MalformedCalendar
from gateway.ical.bounds import DEFAULT_BOUNDS, Bounds
from gateway.ical.event import CalendarObject, RecurrenceKey
from gateway.ical.expand import Budget, times
from gateway.ical.rules import Rule, read_rules
from gateway.ical.series import Instance, Series, refuse_many_dates, series_of, until_of
from gateway.ical.stamp import EARLIEST, LATEST, plus
from gateway.ical.times import (
    Moment,
    end,
    moment_prop,
    moments,
    parse_span,
    read_key,
    start,
    utc_prop,
)
from gateway.ical.tree import Component, prop

_PROBE_STEPS = 20_000  # candidate days in which a rule must come once
_DAY = timedelta(days=1)
_YEAR = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One instance: `component` is the override, or the master that it comes from."""

    key: RecurrenceKey
    start: Moment
    end: Moment
    component: Component
    overridden: bool


def guard(source: CalendarObject, bounds: Bounds | None = None) -> None:
    """Refuse what would keep a calendar server busy: rules, dates and zones of every component (SPEC 12.16).

    Raise LimitExceeded (`expansion-limit`), or MalformedCalendar for a rule that nobody can use.
    """
    bounds = bounds or source.bounds
    if len(source.overrides) > bounds.instances:
        raise LimitExceeded("too many overrides", code="expansion-limit")
    for tzid in source.zones.own:
        source.zones.zone(tzid)
    budget = Budget(bounds.steps)
    for component in source.tree.components:
        if component.name != "VTIMEZONE":
            _guard(component, source, bounds, budget)


def occurrences(
    source: CalendarObject,
    *,
    after: datetime,
    before: datetime,
    bounds: Bounds | None = None,
    floating: tzinfo = UTC,
) -> tuple[Occurrence, ...]:
    """The occurrences that overlap the half-open window, cancelled ones included, in order.

    Dates and floating times are taken in the zone `floating`. Nothing is looked for later than `bounds.years` behind the
    window's beginning or the series' start. Raise LimitExceeded when the window holds more than `bounds.instances`.
    """
    bounds = bounds or source.bounds
    found = [each for each in _overridden(source) if _overlaps(each, after, before, floating)]
    if (series := series_of(source, bounds)) is not None:
        length = _length(series, floating)
        low = plus(series.local(after), -(length + _DAY))
        high = _horizon(series, low, plus(series.local(before), _DAY), bounds)
        for instance in series.instances(low, high):
            if instance.start.key in source.overrides:
                continue
            each = _occurrence(series.master, series, instance)
            if _overlaps(each, after, before, floating):
                found.append(each)
                if len(found) > bounds.instances:
                    raise LimitExceeded("too many occurrences", code="expansion-limit")
    return tuple(sorted(found, key=lambda each: (each.start.instant(floating), each.key)))


def is_occurrence(source: CalendarObject, key: RecurrenceKey) -> bool:
    """Whether the object has this occurrence: an override, or an instance that the master gives and does not exclude."""
    if key in source.overrides:
        return True
    series = series_of(source) if key else None
    return series is not None and series.has(key)


def absent(source: CalendarObject, keys: Iterable[RecurrenceKey]) -> tuple[RecurrenceKey, ...]:
    """Those of the keys at which the master gives no instance; what lies within a year of the next is sought in one walk."""
    begin, found = _begin(source), list[RecurrenceKey]()
    left = sorted((named.local, key) for key in keys if (named := read_key(key, begin)) is not None)
    while left and (series := series_of(source)) is not None:
        gaps = (place for place in range(1, len(left)) if left[place][0] - left[place - 1][0] > _YEAR)
        end = next(gaps, len(left))
        group, left = left[:end], left[end:]
        there = {
            each.start.key for each in series.instances(plus(group[0][0], -_DAY), plus(group[-1][0], _DAY))
        }
        found += [key for _, key in group if key not in there]
    return tuple(found)


def first(
    source: CalendarObject, count: int, after: datetime | None = None, *, bounds: Bounds | None = None
) -> tuple[Occurrence, ...]:
    """The first `count` occurrences that begin at or after an instant."""
    bounds = bounds or source.bounds
    since = EARLIEST if after is None else after
    found = [each for each in _overridden(source) if each.start.instant() >= since]
    if (series := series_of(source, bounds)) is not None:
        low = series.begin.local if after is None else plus(series.local(after), -_DAY)
        plain = 0
        for instance in series.instances(low, _horizon(series, low, datetime.max, bounds)):  # noqa: DTZ901 - wall clock
            if instance.start.key not in source.overrides and instance.start.instant() >= since:
                found.append(_occurrence(series.master, series, instance))
                plain += 1
                if plain >= count:
                    break
    return tuple(sorted(found, key=lambda each: (each.start.instant(), each.key))[:count])


def last_end(source: CalendarObject, bounds: Bounds | None = None) -> datetime | None:
    """When the last occurrence is over, aware UTC; None when the series is endless or has no times at all."""
    ends = [each.end.instant() for each in _overridden(source)]
    series = series_of(source, bounds)
    if series is None:
        return max(ends, default=None)
    if series.endless:
        return None
    ends += [_occurrence(series.master, series, each).end.instant() for each in _last(series, source)]
    return max(ends, default=series.begin.instant())


def derive_instance(source: CalendarObject, key: RecurrenceKey, *, dtstamp: datetime) -> Component | None:
    """RFC 5545 3.8.4.4: the master as the override of one occurrence; None when it has no such occurrence.

    Complete and valid for CalDAV (RFC 4791 4.1): only the recurrence set is gone, RECURRENCE-ID is in the master's form.
    """
    series = series_of(source) if source.recurring and key else None
    if series is None:
        return None
    if (key, dtstamp) not in series.derived:
        series.derived[key, dtstamp] = _derived(series, key, dtstamp)
    return series.derived[key, dtstamp]


def _derived(series: Series, key: RecurrenceKey, dtstamp: datetime) -> Component | None:
    named = read_key(key, series.begin)
    if named is None or not series.has(key):
        return None
    instance = series.dates.get(key) or Instance(named, None)
    each = _occurrence(series.master, series, instance)
    derived = series.bare.put(utc_prop("DTSTAMP", dtstamp)).put(moment_prop("RECURRENCE-ID", each.start))
    if derived.first("DTSTART") is not None:
        derived = derived.put(moment_prop("DTSTART", each.start))
    ending = "DUE" if derived.name == "VTODO" else "DTEND"
    if derived.first(ending) is not None:
        return derived.put(moment_prop(ending, each.end))
    if instance.end is not None:
        return derived.without("DURATION").put(moment_prop(ending, each.end))
    return derived


def ended_before(source: CalendarObject, key: RecurrenceKey) -> Component | None:
    """The master with a series that ends before this occurrence (SPEC 4.7); None when nothing would be left of it."""
    series = series_of(source)
    named = None if series is None else read_key(key, series.begin)
    if (
        series is None
        or named is None
        or not any(True for _ in series.instances(series.begin.local, named.local))
    ):
        return None
    until = named.at_local(plus(named.local, -_DAY if named.is_date else timedelta(seconds=-1)))
    out = []
    for child in series.master.children:
        if isinstance(child, Component) or child.name not in ("RRULE", "RDATE", "EXDATE"):
            out.append(child)
        elif child.name == "RRULE":
            parts = [
                p
                for p in child.value.split(";")
                if p and p.partition("=")[0].strip().upper() not in ("COUNT", "UNTIL")
            ]
            out.append(prop("RRULE", ";".join([*parts, f"UNTIL={until.key}"])))
        elif kept := [w for w in moments(child, series.zones) if w.instant() < named.instant()]:
            whole = len(kept) == len(moments(child, series.zones))
            out += [child] if whole else [moment_prop(child.name, when) for when in kept]
    return series.master.with_children(out)


def _guard(component: Component, source: CalendarObject, bounds: Bounds, budget: Budget) -> None:
    rules = (*component.all("RRULE"), *component.all("EXRULE"))
    refuse_many_dates(component, bounds)
    if rules:
        begin = start(component, source.zones)
        if begin is None:
            raise MalformedCalendar("a rule without a start")
        for rule in read_rules(rules, begin.local, bounds):
            _probe(rule, begin, budget)
    for child in component.components:
        _guard(child, source, bounds, budget)


def _probe(rule: Rule, begin: Moment, budget: Budget) -> None:
    """A rule must come once within `_PROBE_STEPS` candidate days: those who expand it on their side have no leash."""
    mine = Budget(min(_PROBE_STEPS, budget.left))
    at = begin.local
    never = next(times(rule, at, (at, datetime.max), budget=mine), None) is None  # noqa: DTZ901 - wall clock
    budget.take(_PROBE_STEPS - mine.left if mine.left < _PROBE_STEPS else 0)
    if never:
        raise LimitExceeded("a rule that never comes", code="expansion-limit")


def _overridden(source: CalendarObject) -> Iterator[Occurrence]:
    for key, component in source.overrides.items():
        begin = start(component, source.zones) or (read_key(key, _begin(source)))
        if begin is not None:
            ending = end(component, source.zones) or begin
            yield Occurrence(key=key, start=begin, end=ending, component=component, overridden=True)


def _begin(source: CalendarObject) -> Moment | None:
    return None if source.master is None else start(source.master, source.zones)


def _occurrence(master: Component, series: Series, instance: Instance) -> Occurrence:
    ending = instance.end or _end_of(series.bare, series, instance.start)
    return Occurrence(
        key=instance.start.key, start=instance.start, end=ending, component=master, overridden=False
    )


def _end_of(master: Component, series: Series, begin: Moment) -> Moment:
    """RFC 5545 3.8.5.3: a DURATION is the same nominal one for every instance, a DTEND or DUE the same exact one."""
    last = end(master, series.zones)
    if last is None:
        return begin
    first_start = series.begin
    if (
        last.is_date
        or first_start.is_date
        or last.utc is None
        or first_start.utc is None
        or begin.utc is None
    ):
        return last.at_local(plus(begin.local, last.local - first_start.local))
    duration = master.value("DURATION")
    if duration and master.first("DTEND") is None and master.first("DUE") is None:
        ending = begin.shifted(parse_span(duration))
        return begin if ending.instant() < begin.instant() else ending
    return last.at_instant(plus(begin.utc, last.utc - first_start.utc))


def _length(series: Series, floating: tzinfo) -> timedelta:
    """The longest instance."""
    last = end(series.master, series.zones)
    longest = timedelta(0) if last is None else last.instant(floating) - series.begin.instant(floating)
    own = (
        each.end.instant(floating) - each.start.instant(floating)
        for each in series.dates.values()
        if each.end
    )
    return max(timedelta(0), longest, *own)


def _last(series: Series, source: CalendarObject) -> list[Instance]:
    """The last instances that the dates and each rule of a series that ends give."""
    alone = ((), *((rule,) for rule in series.rules))
    return [found for rules in alone for found in _tail(series, rules, source)]


def _tail(series: Series, rules: tuple[Rule, ...], source: CalendarObject) -> list[Instance]:
    """A rule that counts is walked, of one with UNTIL the end is looked at, backwards in growing windows."""
    until = [plus(last, _DAY) for rule in rules if (last := until_of(rule, series.begin)) is not None]
    high = min(until, default=LATEST.replace(tzinfo=None))
    size = 32 * _DAY
    low = plus(high, -size) if until else series.begin.local
    while True:
        walked = series.instances(max(low, series.begin.local), high, rules)
        found = [each for each in walked if each.start.key not in source.overrides]
        if found or low <= series.begin.local:
            return found[-100:]
        size *= 4
        low = plus(high, -size)


def _horizon(series: Series, low: datetime, high: datetime, bounds: Bounds) -> datetime:
    return min(high, plus(max(low, series.begin.local), bounds.years * 366 * _DAY))


def _overlaps(each: Occurrence, after: datetime, before: datetime, floating: tzinfo) -> bool:
    """Half-open on both sides; what takes no time is where it is."""
    begin, ending = each.start.instant(floating), each.end.instant(floating)
    return begin < before and (ending > after or (begin == ending and begin >= after))


__all__ = [
    "DEFAULT_BOUNDS",
    "Bounds",
    "Occurrence",
    "absent",
    "derive_instance",
    "ended_before",
    "first",
    "guard",
    "is_occurrence",
    "last_end",
    "occurrences",
]
