"""A master as a series: what its start, rules, dates and exceptions give by wall clock, read once and asked often."""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Iterator
from copy import copy
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from gateway.errors import LimitExceeded
from gateway.ical.bounds import Bounds
from gateway.ical.event import CalendarObject, RecurrenceKey, key_in
from gateway.ical.expand import Budget, times
from gateway.ical.rules import Rule, read_rules
from gateway.ical.stamp import plus, to_local
from gateway.ical.times import Moment, read_key, readable, start
from gateway.ical.tree import Component
from gateway.ical.zones import Zones

_DAY = timedelta(days=1)


class Instance(NamedTuple):
    start: Moment
    end: Moment | None  # where an RDATE;VALUE=PERIOD has an end of its own


def series_of(source: CalendarObject, bounds: Bounds | None = None) -> Series | None:
    """The master as a series (of one, when it does not repeat); None without a master, or when it names no time.

    It is read once, however many of its occurrences are asked for: a message may name two thousand.
    """
    bounds, master = bounds or source.bounds, source.master
    if master is None:
        return None
    known = master.memo
    if not isinstance(known, Series) or known.zones is not source.zones or known.bounds != bounds:
        refuse_many_dates(master, bounds)
        begin = start(master, source.zones)
        if begin is None:
            return None
        known = master.memo = Series(master, begin, source.zones, bounds)
    known = copy(known)
    known.budget = Budget(bounds.steps)
    return known


def _local(instance: Instance) -> datetime:
    return instance.start.local


class Series:
    """A master, read: its start, rules, dates and exceptions in the master's own terms."""

    __slots__ = (
        "bare",
        "begin",
        "bounds",
        "budget",
        "dates",
        "derived",
        "excluded",
        "exrules",
        "in_order",
        "master",
        "rules",
        "zones",
    )

    def __init__(self, master: Component, begin: Moment, zones: Zones, bounds: Bounds) -> None:
        self.master = master
        self.bare = master.without("RRULE", "RDATE", "EXDATE", "EXRULE")
        self.zones = zones
        self.bounds = bounds
        self.derived: dict[tuple[RecurrenceKey, datetime], Component | None] = {}
        self.budget = Budget(bounds.steps)
        self.begin = begin
        self.rules = self._rules("RRULE", bounds)
        self.exrules = self._rules("EXRULE", bounds)  # RFC 2445 4.8.5.2
        self.dates = self._dates()
        self.in_order = sorted(self.dates.values(), key=_local)
        self.excluded = frozenset(
            key_in(begin, when, self._comes_at)
            for found in self.master.all("EXDATE")
            for when, _ in readable(found, self.zones)
        )

    @property
    def endless(self) -> bool:
        return any(rule.endless for rule in self.rules)

    def instances(
        self, after: datetime, before: datetime, rules: tuple[Rule, ...] | None = None
    ) -> Iterator[Instance]:
        """What the dates and the rules (or only some) give, without exceptions, by wall clock from `after` up to `before`."""
        first, behind = (bisect_left(self.in_order, at, key=_local) for at in (after, before))
        dates = self.in_order[first:behind]
        given = [self._expanded(rule, after, before) for rule in (self.rules if rules is None else rules)]
        banned = heapq.merge(*(self._expanded(rule, after, before) for rule in self.exrules), key=_local)
        never, last = next(banned, None), ""
        for found in heapq.merge(dates, *given, key=_local):
            while never is not None and never.start.local < found.start.local:
                never = next(banned, None)
            key = found.start.key
            if key == last or key in self.excluded or (never is not None and never.start.key == key):
                continue
            last = key
            yield found

    def has(self, key: RecurrenceKey) -> bool:
        named = read_key(key, self.begin)
        if named is None or key in self.excluded:
            return False
        if key in self.dates and not self.exrules:
            return True
        near = self.instances(plus(named.local, -_DAY), plus(named.local, _DAY))
        return any(found.start.key == key for found in near)

    def local(self, at: datetime) -> datetime:
        """An instant on the series' wall clock."""
        return to_local(at, self.begin.zone or UTC)

    def _rules(self, name: str, bounds: Bounds) -> tuple[Rule, ...]:
        return read_rules(self.master.all(name), self.begin.local, bounds)

    def _dates(self) -> dict[RecurrenceKey, Instance]:
        """DTSTART, which is always an instance, and the RDATEs."""
        found = {self.begin.key: Instance(self.begin, None)}
        for line in self.master.all("RDATE"):
            for when, until in readable(line, self.zones):
                key = key_in(self.begin, when, lambda _: True)
                here = read_key(key, self.begin)
                if here is not None:
                    found[key] = Instance(here, until)
        return found

    def _comes_at(self, when: Moment) -> bool:
        return when.key in self.dates or any(
            rule.part("BYHOUR")[1:] or rule.freq == "HOURLY" for rule in self.rules
        )

    def _expanded(self, rule: Rule, after: datetime, before: datetime) -> Iterator[Instance]:
        until = until_of(rule, self.begin)
        for local in times(rule, self.begin.local, (after, before), budget=self.budget):
            if until is not None and local > until:
                return
            yield Instance(self.begin.at_local(local), None)


def refuse_many_dates(component: Component, bounds: Bounds) -> None:
    for name in ("RDATE", "EXDATE"):
        if sum(found.value.count(",") + 1 for found in component.all(name)) > bounds.instances:
            raise LimitExceeded(f"too many {name}s", code="expansion-limit")


def until_of(rule: Rule, begin: Moment) -> datetime | None:
    """UNTIL on the series' wall clock, inclusive; a date means that whole day (RFC 5545 3.3.10)."""
    if rule.until is None:
        return None
    local = rule.until.local
    if rule.until.is_date:
        return local.replace(hour=23, minute=59, second=59)
    if rule.until.is_utc and begin.utc is not None:
        return begin.at_instant(local.replace(tzinfo=UTC)).local
    return local


__all__ = ["Instance", "Series", "refuse_many_dates", "series_of", "until_of"]
