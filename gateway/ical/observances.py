"""A VTIMEZONE as a tzinfo of its own, computed from its observances and never put into a process-wide table.

The definition comes from a stranger, so only what real ones hold is understood: STANDARD and DAYLIGHT with offsets,
YEARLY rules and RDATEs. A year's onsets are computed when that year is asked for: Outlook's 1601 costs nothing.
"""

# ruff: noqa: DTZ001, DTZ901 - wall clock times are naive here, their zone stands elsewhere

from __future__ import annotations

import calendar
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple

from gateway.errors import LimitExceeded, MalformedCalendar
from gateway.ical.rules import number, rule_parts
from gateway.ical.stamp import plus, read_offset, read_stamp
from gateway.ical.tree import Component

MAX_RULES = 100  # of one VTIMEZONE; a full history of London has 60
MAX_ONSETS = 5_000
MAX_MONTHS = (
    20_000  # that one zone may look through for the days of its rules; a century of summer times is 200
)
_MAX_A_YEAR = 12  # onsets of one rule
_WEEKDAYS = {"MO": 0, "TU": 1, "WE": 2, "TH": 3, "FR": 4, "SA": 5, "SU": 6}
_BYDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_ZERO = timedelta(0)
_MONTH = timedelta(days=30)


class Offsets(NamedTuple):
    """What an observance says: the offset before its onset, the one after, and its name."""

    before: timedelta
    after: timedelta
    name: str
    daylight: bool


class Onset(NamedTuple):
    """One moment at which the offset changes; `local` is the wall clock before the change."""

    local: datetime
    offsets: Offsets

    @property
    def utc(self) -> datetime:
        return plus(self.local, -self.offsets.before)


class YearRule:
    """FREQ=YEARLY of one observance: its onsets, year by year (RFC 5545 3.3.10, 3.6.5)."""

    __slots__ = (
        "_budget",
        "_by_day",
        "_by_month",
        "_by_monthday",
        "_interval",
        "_start",
        "_time",
        "_until",
        "_years",
        "offsets",
    )

    def __init__(self, text: str, start: datetime, offsets: Offsets, *, budget: list[int]) -> None:
        parts = rule_parts(text)
        if parts.get("FREQ") != "YEARLY":
            raise LimitExceeded("a time zone rule that is not YEARLY", code="expansion-limit")
        self._budget = budget
        self.offsets = offsets
        self._start = start
        self._years: dict[int, tuple[datetime, ...]] = {}
        self._interval = max(1, min(number(parts.get("INTERVAL", "1")), 10_000))
        self._by_month = _numbers(parts, "BYMONTH", 12)
        self._by_monthday = _numbers(parts, "BYMONTHDAY", 31)
        self._by_day = tuple(
            (int(found[1] or 0), _WEEKDAYS[found[2]]) for found in _BYDAY.finditer(parts.get("BYDAY", ""))
        )[:60]
        hour, minute, second = (
            number(parts[name].partition(",")[0]) if name in parts else own
            for name, own in (("BYHOUR", start.hour), ("BYMINUTE", start.minute), ("BYSECOND", start.second))
        )
        self._time = timedelta(hours=hour % 24, minutes=minute % 60, seconds=second % 60)
        self._until = self._last(parts)

    @property
    def endless(self) -> bool:
        return self._until == datetime.max

    def latest(self, at: datetime) -> Onset | None:
        """The last onset at or before this wall clock time."""
        if at < self._start:
            return None
        at = min(at, self._until)
        behind = (at.year - self._start.year) % self._interval
        year = at.year - behind
        for _ in range(9):  # 29 February comes every eighth year at the latest
            if year < self._start.year:
                break
            for onset in reversed(self._of(year)):
                if onset <= at:
                    return Onset(onset, self.offsets)
            year -= self._interval
        return None

    def first(self) -> Onset | None:
        """The first onset; DTSTART only where the rule gives it: Exchange lets both rules of a zone start on 1 January."""
        for year in range(self._start.year, min(self._start.year + 9 * self._interval, 9999), self._interval):
            if found := self._of(year):
                return Onset(found[0], self.offsets)
        return None

    def _of(self, year: int) -> tuple[datetime, ...]:
        found = self._years.get(year)
        if found is None:
            self._budget[0] -= len(self._by_month) or 12
            days = self._days(year) if self._budget[0] >= 0 else ()
            if self._budget[0] < 0 or len(days) > _MAX_A_YEAR:
                raise LimitExceeded("a time zone that changes too often", code="expansion-limit")
            onsets = (datetime(year, day.month, day.day) + self._time for day in days)
            found = self._years[year] = tuple(onset for onset in onsets if onset >= self._start)
        return found

    def _days(self, year: int) -> Sequence[date]:
        if not self._by_month and not self._by_day and not self._by_monthday:
            return _existing(year, self._start.month, [self._start.day])
        months = self._by_month or range(1, 13)
        days = [day for month in months for day in self._days_of_month(year, month)]
        if self._by_day and not self._by_month:
            days = [day for day in days if self._fits(day, _year_ordinals(day))]
        return sorted(set(days))

    def _days_of_month(self, year: int, month: int) -> Sequence[date]:
        length = calendar.monthrange(year, month)[1]
        if self._by_monthday:
            numbers = [day if day > 0 else length + 1 + day for day in self._by_monthday]
        else:
            numbers = list(range(1, length + 1)) if self._by_day else [self._start.day]
        days = _existing(year, month, numbers)
        if self._by_day and self._by_month:
            return [day for day in days if self._fits(day, _month_ordinals(day, length))]
        return days

    def _fits(self, day: date, ordinals: tuple[int, int]) -> bool:
        weekday = day.weekday()
        return any(weekday == wanted and (not nth or nth in ordinals) for nth, wanted in self._by_day)

    def _last(self, parts: Mapping[str, str]) -> datetime:
        """The end that UNTIL or COUNT sets."""
        self._until = datetime.max
        if until := parts.get("UNTIL"):
            stamp = read_stamp(until)
            return plus(stamp.local, self.offsets.before) if stamp.is_utc else stamp.local
        left = number(parts.get("COUNT", "0"))
        if not 0 < left <= 500:
            return datetime.max
        for year in range(
            self._start.year, min(self._start.year + 500 * self._interval, 9999), self._interval
        ):
            onsets = self._of(year)
            if len(onsets) >= left:
                return onsets[left - 1]
            left -= len(onsets)
        return datetime.max


class ObservanceZone(tzinfo):
    """The zone that one VTIMEZONE defines; made by `observance_zone` only."""

    __slots__ = ("_first", "_onsets", "_rules", "_steady", "_utcs", "_walls")

    def __init__(self, onsets: Sequence[Onset], rules: Sequence[YearRule]) -> None:
        self._onsets = sorted(onsets, key=_utc)
        self._rules = tuple(rules)
        self._first = min([*self._onsets[:1], *filter(None, (rule.first() for rule in rules))], key=_utc)
        self._steady = not self._onsets and all(rule.endless for rule in rules)
        self._utcs = [onset.utc for onset in self._onsets]
        self._walls = (
            [plus(onset.utc, max(onset.offsets.before, onset.offsets.after)) for onset in self._onsets],
            [plus(onset.utc, min(onset.offsets.before, onset.offsets.after)) for onset in self._onsets],
        )

    def is_excerpt_of(self, zone: tzinfo) -> bool:
        """Whether this lists some of that zone's changes one by one and no rule for those to come.

        libcalendaring (Roundcube) does so for the years around an event, with the hours of the changes in UTC: a series
        behind the last of them, or an event in such a night, would be off by an hour.
        """
        if self._rules or len(self._onsets) < 2:
            return False
        first, last = self._onsets[0], self._onsets[-1]
        told = [
            (plus(first.utc, -_MONTH), first.offsets.before),
            (plus(last.utc, _MONTH), last.offsets.after),
        ]
        told += [
            (one.utc + (after.utc - one.utc) / 2, one.offsets.after)
            for one, after in zip(self._onsets, self._onsets[1:], strict=False)
        ]
        return all(at.replace(tzinfo=UTC).astimezone(zone).utcoffset() == offset for at, offset in told)

    def utcoffset(self, dt: datetime | None) -> timedelta:
        return _ZERO if dt is None else self._offset(dt)

    def dst(self, dt: datetime | None) -> timedelta:
        offsets = None if dt is None else self._at(dt.replace(tzinfo=None), dt.fold)
        return max(offsets.after - offsets.before, _ZERO) if offsets and offsets.daylight else _ZERO

    def tzname(self, dt: datetime | None) -> str | None:
        offsets = None if dt is None else self._at(dt.replace(tzinfo=None), dt.fold)
        return offsets.name if offsets else None

    def fromutc(self, dt: datetime) -> datetime:
        utc = dt.replace(tzinfo=None, fold=0)
        best = self._since(utc) or self._since(self._as_later(utc))
        offset = best.offsets.after if best else self._first.offsets.before
        local = (utc + offset).replace(tzinfo=self)
        return local if self._offset(local) == offset else local.replace(fold=1)

    def _offset(self, dt: datetime) -> timedelta:
        offsets = self._at(dt.replace(tzinfo=None), dt.fold)
        return offsets.after if offsets else self._first.offsets.before

    def _at(self, wall: datetime, fold: int) -> Offsets | None:
        """What holds at a wall clock time; as PEP 495 wants it, which is RFC 5545 3.3.5 with fold 0."""
        best = self._before(wall, fold) or self._before(self._as_later(wall), fold)
        return best.offsets if best else None

    def _since(self, utc: datetime) -> Onset | None:
        best = self._static(self._utcs, utc)
        for rule in self._rules:
            best = _later(best, rule.latest(plus(utc, rule.offsets.before)))
        return best

    def _before(self, wall: datetime, fold: int) -> Onset | None:
        best = self._static(self._walls[fold], wall)
        choose = min if fold else max
        for rule in self._rules:
            shift = choose(rule.offsets.after - rule.offsets.before, _ZERO)
            best = _later(best, rule.latest(plus(wall, -shift)))
        return best

    def _as_later(self, at: datetime) -> datetime:
        """Before the first onset the same season of the first full year, where only endless rules are given.

        iOS and others let a zone begin at its last change before today, and the event may be older. RFC 5545 3.6.5 knows
        only the offset before the onset, which holds for every zone with a history.
        """
        if not self._steady or at.year > self._first.local.year or self._first.local.year >= 9999:
            return at
        return at.replace(year=self._first.local.year + 1, day=min(at.day, 28) if at.month == 2 else at.day)

    def _static(self, keys: list[datetime], at: datetime) -> Onset | None:
        place = bisect_right(keys, at)
        return self._onsets[place - 1] if place else None


def observance_zone(vtimezone: Component) -> ObservanceZone | None:
    """The zone of a VTIMEZONE (RFC 5545 3.6.5), None when it defines nothing usable. Raise LimitExceeded for a bomb."""
    onsets: list[Onset] = []
    rules: list[YearRule] = []
    budget = [MAX_MONTHS]
    for child in vtimezone.components:
        if child.name in ("STANDARD", "DAYLIGHT"):
            try:
                _observance(child, onsets, rules, budget=budget)
            except LimitExceeded:
                raise
            except MalformedCalendar:
                continue  # the other observances may still be good
    if len(rules) > MAX_RULES or len(onsets) > MAX_ONSETS:
        raise LimitExceeded("too many time zone rules", code="expansion-limit")
    return ObservanceZone(onsets, rules) if onsets or any(rule.first() for rule in rules) else None


def _observance(
    component: Component, onsets: list[Onset], rules: list[YearRule], *, budget: list[int]
) -> None:
    start = read_stamp(component.value("DTSTART") or "").local
    offsets = Offsets(
        read_offset(component.value("TZOFFSETFROM") or component.value("TZOFFSETTO") or ""),
        read_offset(component.value("TZOFFSETTO") or ""),
        component.text("TZNAME") or "",
        component.name == "DAYLIGHT",
    )
    given = component.all("RRULE")[: MAX_RULES + 1]
    if not given:
        onsets.append(Onset(start, offsets))
    for found in component.all("RDATE"):
        for item in found.value.split(",")[: MAX_ONSETS + 1]:
            stamp = read_stamp(item.partition("/")[0])
            onsets.append(Onset(plus(stamp.local, offsets.before) if stamp.is_utc else stamp.local, offsets))
    rules.extend(
        YearRule(found.value, start, offsets, budget=budget)
        for found in component.all("RRULE")[: MAX_RULES + 1]
    )


def _utc(onset: Onset) -> datetime:
    return onset.utc


def _later(one: Onset | None, other: Onset | None) -> Onset | None:
    if one is None or other is None:
        return one or other
    return other if other.utc >= one.utc else one


def _existing(year: int, month: int, numbers: Sequence[int]) -> list[date]:
    length = calendar.monthrange(year, month)[1]
    return [date(year, month, number) for number in numbers if 1 <= number <= length]


def _month_ordinals(day: date, length: int) -> tuple[int, int]:
    return (day.day - 1) // 7 + 1, -((length - day.day) // 7 + 1)


def _year_ordinals(day: date) -> tuple[int, int]:
    number = day.timetuple().tm_yday
    length = 366 if calendar.isleap(day.year) else 365
    return (number - 1) // 7 + 1, -((length - number) // 7 + 1)


def _numbers(parts: Mapping[str, str], name: str, bound: int) -> tuple[int, ...]:
    numbers = {number(item) for item in parts.get(name, "").split(",")[:400] if item}
    return tuple(
        sorted(number for number in numbers if 1 <= abs(number) <= bound and (number > 0 or bound == 31))
    )


__all__ = ["ObservanceZone", "observance_zone"]
