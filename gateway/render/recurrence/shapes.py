"""A rule and its first date to one of fourteen shapes that a sentence can tell, or to None.

| shape              | a rule of it (others mean the same)                | in English                                  |
|--------------------|----------------------------------------------------|---------------------------------------------|
| daily              | FREQ=DAILY                                         | Every day                                   |
| workdays           | FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR                   | Every weekday, Monday to Friday             |
| weekly             | FREQ=WEEKLY;BYDAY=MO,WE                            | Every week on Monday and Wednesday          |
| month-day          | FREQ=MONTHLY;BYMONTHDAY=15                         | Every month on day 15                       |
| month-days         | FREQ=MONTHLY;BYMONTHDAY=1,15                       | Every month on days 1 and 15                |
| month-late         | FREQ=MONTHLY;BYMONTHDAY=31                         | Every month on day 31, in months that ...   |
| month-end          | FREQ=MONTHLY;BYMONTHDAY=-1                         | Every month on the last day                 |
| month-nth          | FREQ=MONTHLY;BYDAY=2TU; several: BYDAY=1MO,3MO     | Every month on the second Tuesday           |
| month-last         | FREQ=MONTHLY;BYDAY=-1FR                            | Every month on the last Friday              |
| month-first-workday| FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1       | Every month on the first weekday, Monday ...|
| month-last-workday | FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1      | Every month on the last weekday, Monday ... |
| year-dates         | FREQ=YEARLY; several: BYMONTH=1,7;BYMONTHDAY=15    | Every year on 23 November                   |
| year-nth           | FREQ=YEARLY;BYMONTH=11;BYDAY=4TH                   | Every year on the fourth Thursday of ...    |
| year-month-end     | FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1                | Every year on the last day of February      |

Each may have an interval, times of day (BYHOUR, BYMINUTE), an end and exceptions. What does not fit its own DTSTART,
and every rule that is not exactly one of these, has no shape: better none than one that is nearly right.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum

from gateway.render.recurrence.rule import Rule, read

WORKDAYS = frozenset(range(5))
TIMES = 6  # more times of a day than these are not read as words
LISTED = 4  # nor more dates of a month or a year
_ORDINALS = frozenset({1, 2, 3, 4, -1})
_UNTIL = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?", re.ASCII)


class Kind(StrEnum):
    DAILY = "daily"
    WORKDAYS = "workdays"
    WEEKLY = "weekly"
    MONTH_DAY = "month-day"
    MONTH_DAYS = "month-days"
    MONTH_LATE = "month-late"
    MONTH_END = "month-end"
    MONTH_NTH = "month-nth"
    MONTH_LAST = "month-last"
    MONTH_FIRST_WORKDAY = "month-first-workday"
    MONTH_LAST_WORKDAY = "month-last-workday"
    YEAR_DATES = "year-dates"
    YEAR_NTH = "year-nth"
    YEAR_MONTH_END = "year-month-end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a sentence tells. `until` is the last possible day, inclusive, on the event's own calendar."""

    kind: Kind
    interval: int = 1
    weekdays: tuple[int, ...] = ()  # Monday is 0
    month_days: tuple[int, ...] = ()
    nths: tuple[tuple[int, int], ...] = ()  # ordinal (-1: last), weekday
    dates: tuple[tuple[int, int], ...] = ()  # month, day
    month: int = 0
    times: tuple[tuple[int, int], ...] = ()  # hour, minute; () is the time of the first one
    count: int | None = None
    until: date | None = None
    exceptions: bool = False

    def falls_on(self, day: date, first: date) -> bool:
        """Whether this shape, begun at `first`, has that day; its own count of times is not looked at."""
        if day < first or (self.until is not None and day > self.until):
            return False
        return self._in_turn(day, first) and _HOLDS[self.kind](self, day)

    def _in_turn(self, day: date, first: date) -> bool:
        match _PERIOD.get(self.kind, self.kind.partition("-")[0]):
            case "day":
                gone = (day - first).days
            case "week":
                gone = (_monday(day) - _monday(first)).days // 7
            case "month":
                gone = 12 * (day.year - first.year) + day.month - first.month
            case _:
                gone = day.year - first.year
        return gone % self.interval == 0


def shape(text: str, start: date | datetime, zone: tzinfo | None = None) -> Shape | None:
    """The shape of a rule, for a local DTSTART; `zone` is the event's, for an UNTIL that is in UTC."""
    rule = read(text)
    if rule is None:
        return None
    first = start.date() if isinstance(start, datetime) else start
    found = _CLASSES[rule.freq](rule, first) if rule.freq in _CLASSES else None
    times = _times(rule, start)
    if found is None or times is None or (len(times) > 1 and rule.count is not None):
        return None
    ended = replace(found, interval=rule.interval, times=times, count=rule.count, exceptions=rule.exceptions)
    if rule.until:
        until = _until(rule.until, start, zone)
        if until is None or until < first:
            return None
        ended = replace(ended, until=until)
    return ended if ended.falls_on(first, first) else None


def _daily(rule: Rule, first: date) -> Shape | None:
    if rule.month_days or rule.months or rule.positions:
        return None
    if rule.days:
        return _weekly(rule, first) if rule.interval == 1 else None
    return Shape(kind=Kind.DAILY)


def _weekly(rule: Rule, first: date) -> Shape | None:
    if rule.month_days or rule.months or rule.positions or rule.weekdays is None:
        return None
    days = rule.weekdays or frozenset({first.weekday()})
    if rule.interval == 1:
        if len(days) == 7:
            return Shape(kind=Kind.DAILY)
        if days == WORKDAYS:
            return Shape(kind=Kind.WORKDAYS)
    elif not _weeks_agree(days, first, rule):
        return None
    return Shape(kind=Kind.WEEKLY, weekdays=tuple(sorted(days)))


def _weeks_agree(days: frozenset[int], first: date, rule: Rule) -> bool:
    """Whether every second week means the same for readers whose week begins on Monday, Saturday or Sunday."""
    found = set()
    for begin in {rule.week_start, 0, 5, 6}:
        week = -((first.weekday() - begin) % 7)
        found.add(frozenset((week + (day - begin) % 7) % (7 * rule.interval) for day in days))
    return len(found) == 1


def _monthly(rule: Rule, first: date) -> Shape | None:
    if rule.months:
        return _yearly(rule, first) if rule.interval == 1 and (rule.days or rule.month_days) else None
    if rule.days:
        return _monthly_by_weekday(rule)
    days = rule.month_days or frozenset({first.day})
    if days == {28, 29, 30, 31} and rule.positions == {-1}:
        days = frozenset({-1})
    elif rule.positions:
        return None
    if days == {-1}:
        return Shape(kind=Kind.MONTH_END)
    if not all(1 <= day <= 31 for day in days) or len(days) > LISTED:
        return None
    if len(days) > 1:
        return Shape(kind=Kind.MONTH_DAYS, month_days=tuple(sorted(days))) if max(days) <= 28 else None
    kind = Kind.MONTH_LATE if max(days) > 28 else Kind.MONTH_DAY
    return Shape(kind=kind, month_days=tuple(days))


def _monthly_by_weekday(rule: Rule) -> Shape | None:
    if not rule.month_days and len(rule.positions) == 1 and rule.weekdays:
        (position,) = rule.positions
        if rule.weekdays == WORKDAYS:
            known = {1: Kind.MONTH_FIRST_WORKDAY, -1: Kind.MONTH_LAST_WORKDAY}
            return Shape(kind=known[position]) if position in known else None
        if len(rule.weekdays) == 7:
            return Shape(kind=Kind.MONTH_END) if position == -1 else None
    nths = _nths(rule)
    if nths is None:
        return None
    kind = Kind.MONTH_LAST if len(nths) == 1 and nths[0][0] == -1 else Kind.MONTH_NTH
    return Shape(kind=kind, nths=nths)


def _yearly(rule: Rule, first: date) -> Shape | None:
    months = rule.months or frozenset({first.month})
    if not all(1 <= month <= 12 for month in months):
        return None
    if rule.days:
        nths = _nths(rule) if len(rule.months) == 1 else None
        return Shape(kind=Kind.YEAR_NTH, nths=nths, month=min(months)) if nths and len(nths) == 1 else None
    if rule.positions or (rule.month_days and not rule.months):
        return None
    days = rule.month_days or frozenset({first.day})
    if days == {-1}:
        return Shape(kind=Kind.YEAR_MONTH_END, month=min(months)) if len(months) == 1 else None
    dates = tuple((month, day) for month in sorted(months) for day in sorted(days))
    # 2023 has no leap day: what that year has, every year has.
    fit = all(1 <= day <= monthrange(2023, month)[1] for month, day in dates)
    return Shape(kind=Kind.YEAR_DATES, dates=dates) if fit and len(dates) <= LISTED else None


def _nths(rule: Rule) -> tuple[tuple[int, int], ...] | None:
    """The ordinal weekdays of a month in any of the three ways to write them: 2TU; TU and BYSETPOS=2; TU among 8 to 14."""
    weekdays = rule.weekdays
    if weekdays is not None and len(weekdays) == 1:
        (day,) = weekdays
        if rule.month_days and not rule.positions:
            numbers = {nth for nth in (1, 2, 3, 4) if rule.month_days == set(range(7 * nth - 6, 7 * nth + 1))}
        else:
            numbers = set() if rule.month_days else set(rule.positions)
        found = {(number, day) for number in numbers}
    else:
        found = set() if rule.month_days or rule.positions else set(rule.days)
    if not found or len(found) > LISTED or any(nth not in _ORDINALS for nth, _ in found):
        return None
    if len({nth > 0 for nth, _ in found}) > 1:  # the last Friday may be the fourth one: one date, not two
        return None
    return tuple(sorted(found))


def _times(rule: Rule, start: date | datetime) -> tuple[tuple[int, int], ...] | None:
    if not (rule.hours or rule.minutes or rule.seconds):
        return ()
    if not isinstance(start, datetime) or rule.positions or rule.seconds not in ({start.second}, frozenset()):
        return None
    hours, minutes = rule.hours or {start.hour}, rule.minutes or {start.minute}
    if not all(0 <= hour <= 23 for hour in hours) or not all(0 <= minute <= 59 for minute in minutes):
        return None
    times = tuple((hour, minute) for hour in sorted(hours) for minute in sorted(minutes))
    # An earlier time of the first day is not among the dates of the rule, nor always one of the last day.
    fits = times[0] == (start.hour, start.minute) and not (len(times) > 1 and rule.until)
    if len(times) == 1:
        return () if fits else None
    return times if fits and len(times) <= TIMES else None


def _until(text: str, start: date | datetime, zone: tzinfo | None) -> date | None:
    match = _UNTIL.fullmatch(text)
    if match is None:
        return None
    year, month, number, hour, minute, second = (int(one or 0) for one in match.groups()[:6])
    try:
        if match[4] is None:
            return date(year, month, number)
        moment = datetime(year, month, number, hour, minute, min(second, 59), tzinfo=UTC)
        if match[7] and zone is not None:
            moment = moment.astimezone(zone)
        # An UNTIL before the time of day of the start excludes that very day.
        begun = not isinstance(start, datetime) or moment.time() >= start.time().replace(tzinfo=None)
        return moment.date() if begun else moment.date() - timedelta(days=1)
    except (ValueError, OverflowError):
        return None


def _monday(day: date) -> date:
    return date.fromordinal(max(1, day.toordinal() - day.weekday()))


def _is_nth(day: date, nth: int, weekday: int) -> bool:
    week = (day.day - 1) // 7 + 1
    return day.weekday() == weekday and (week == nth if nth > 0 else day.day + 7 > _last(day))


def _is_workday(day: date, nth: int) -> bool:
    """Whether it is the first (1) or the last (-1) Monday to Friday of its month."""
    days = [n for n in range(1, _last(day) + 1) if day.replace(day=n).weekday() in WORKDAYS]
    return day.day == (days[0] if nth == 1 else days[-1])


def _last(day: date) -> int:
    return monthrange(day.year, day.month)[1]


_CLASSES: dict[str, Callable[[Rule, date], Shape | None]] = {
    "DAILY": _daily,
    "WEEKLY": _weekly,
    "MONTHLY": _monthly,
    "YEARLY": _yearly,
}
_PERIOD = {Kind.DAILY: "day", Kind.WORKDAYS: "day", Kind.WEEKLY: "week"}
_HOLDS: dict[Kind, Callable[[Shape, date], bool]] = {
    Kind.DAILY: lambda _, day: True,
    Kind.WORKDAYS: lambda _, day: day.weekday() in WORKDAYS,
    Kind.WEEKLY: lambda one, day: day.weekday() in one.weekdays,
    Kind.MONTH_DAY: lambda one, day: day.day in one.month_days,
    Kind.MONTH_DAYS: lambda one, day: day.day in one.month_days,
    Kind.MONTH_LATE: lambda one, day: day.day in one.month_days,
    Kind.MONTH_END: lambda _, day: day.day == _last(day),
    Kind.MONTH_NTH: lambda one, day: any(_is_nth(day, *nth) for nth in one.nths),
    Kind.MONTH_LAST: lambda one, day: any(_is_nth(day, *nth) for nth in one.nths),
    Kind.MONTH_FIRST_WORKDAY: lambda _, day: _is_workday(day, 1),
    Kind.MONTH_LAST_WORKDAY: lambda _, day: _is_workday(day, -1),
    Kind.YEAR_DATES: lambda one, day: (day.month, day.day) in one.dates,
    Kind.YEAR_NTH: lambda one, day: day.month == one.month and any(_is_nth(day, *nth) for nth in one.nths),
    Kind.YEAR_MONTH_END: lambda one, day: day.month == one.month and day.day == _last(day),
}

__all__ = ["Kind", "Shape", "shape"]
