"""Wall clock times out of a rule, by python-dateutil on a leash; the only file that knows dateutil.

dateutil can spin inside one `next` for as long as a rule finds no day. It adds its interval once for every period that it
looks at, so the interval that it gets here is a number that counts: it ends the walk behind the window, and refuses it
when the budget of candidate days is spent. A rule without COUNT is not walked from its start but from near the window.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from dateutil import rrule

from gateway.errors import LimitExceeded, MalformedCalendar
from gateway.ical.rules import Rule

_FREQUENCIES: dict[str, Any] = {
    "YEARLY": rrule.YEARLY,
    "MONTHLY": rrule.MONTHLY,
    "WEEKLY": rrule.WEEKLY,
    "DAILY": rrule.DAILY,
    "HOURLY": rrule.HOURLY,
}
_WEEKDAYS = (rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA, rrule.SU)
_CANDIDATES = {
    "YEARLY": 366,
    "MONTHLY": 31,
    "WEEKLY": 7,
    "DAILY": 1,
    "HOURLY": 1,
}  # days that a period offers


_COUNTED: Final = 5_000  # times of a COUNT that are kept at hand
_STEPS: Final = 20_000  # candidate days in which they must be found, to be kept


class Budget:
    """Candidate days that may still be looked at; one for all rules of an object."""

    __slots__ = ("left",)

    def __init__(self, steps: int) -> None:
        self.left = steps

    def take(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise LimitExceeded("a rule that takes too long to expand", code="expansion-limit")


class _BehindTheWindow(Exception):
    pass


class _Interval(int):
    """An interval that knows how often it was added."""

    budget: Budget
    weight: int
    periods: int

    def __radd__(self, other: int) -> int:
        self._step()
        return int(self) + other

    def __mul__(self, other: int) -> int:  # WEEKLY adds `interval * 7`
        self._step()
        return int(self) * other

    def _step(self) -> None:
        if self.periods <= 0:
            raise _BehindTheWindow
        self.periods -= 1
        self.budget.take(self.weight)


def times(
    rule: Rule, start: datetime, window: tuple[datetime, datetime], *, budget: Budget
) -> Iterator[datetime]:
    """The rule's wall clock times in the half-open window, in order; `start` is DTSTART's, UNTIL is not looked at.

    Raise LimitExceeded when the budget is spent.
    """
    after, before = window
    every = _counted(rule, start) if rule.count is not None and rule.count <= _COUNTED else None
    if every is not None:
        budget.take(len(every))
        yield from every[bisect_left(every, after) : bisect_left(every, before)]
    else:
        yield from _times(rule, start, window, budget=budget)


@lru_cache(maxsize=64)
def _counted(rule: Rule, start: datetime) -> tuple[datetime, ...] | None:
    """All times of a rule with COUNT, which else is walked from its start for each occurrence that somebody asks about.

    None where that would take long: COUNT says nothing of how far apart they are.
    """
    try:
        return tuple(_times(rule, start, (start, datetime.max), budget=Budget(_STEPS)))  # noqa: DTZ901 - wall clock
    except LimitExceeded:
        return None


def _times(
    rule: Rule, start: datetime, window: tuple[datetime, datetime], *, budget: Budget
) -> Iterator[datetime]:
    after, before = window
    left = rule.count
    if left is not None and start != next(_walk(rule, start, (start, before), budget=budget), start):
        left -= (
            1  # RFC 5545 3.3.10: DTSTART counts as the first occurrence, even one that the rule does not give
        )
    for found in _walk(
        rule, start, (start if left is not None else max(after, start), before), budget=budget
    ):
        if found >= before:
            return
        if left is not None:
            left -= 1
            if left < 0:
                return
        if found >= after:
            yield found


def _walk(
    rule: Rule, start: datetime, window: tuple[datetime, datetime], *, budget: Budget
) -> Iterator[datetime]:
    """Every time from `window[0]` on, until a little behind `window[1]`."""
    try:
        base = _base(rule, start, window[0])
        found: rrule.rrule = _ruled(rule, base, _interval(rule, base, window[1], budget=budget))
        for time in found:
            if time >= window[0]:
                yield time
    except (_BehindTheWindow, OverflowError):
        return
    except (ValueError, IndexError, TypeError) as error:
        if isinstance(error, ValueError) and "year" in str(error):
            return  # the calendar ends in 9999
        raise MalformedCalendar(f"a rule that cannot be expanded: {error}") from error


def _interval(rule: Rule, base: datetime, before: datetime, *, budget: Budget) -> _Interval:
    weight = _CANDIDATES[rule.freq] * max(1, len(rule.part("BYSETPOS"))) + rule.times_a_day() // 24
    interval = _Interval(rule.interval)
    interval.budget, interval.weight = budget, weight
    interval.periods = _periods(rule.freq, base, before) // rule.interval + (
        50 if rule.freq == "HOURLY" else 2
    )
    return interval


def _periods(freq: str, one: datetime, other: datetime) -> int:
    """How many periods of a frequency lie between two times."""
    if freq == "YEARLY":
        return max(0, other.year - one.year)
    if freq == "MONTHLY":
        return max(0, 12 * (other.year - one.year) + other.month - one.month)
    unit = {"WEEKLY": timedelta(days=7), "DAILY": timedelta(days=1), "HOURLY": timedelta(hours=1)}[freq]
    return max(0, (other - one) // unit) + 1


def _base(rule: Rule, start: datetime, after: datetime) -> datetime:
    """The beginning of a period in step with the series, one or two periods before `after` or where the series begins."""
    jump = max(0, _periods(rule.freq, start, after) // rule.interval - 2) * rule.interval
    midnight = start.replace(hour=0, minute=0, second=0)
    if rule.freq == "YEARLY":
        return midnight.replace(year=start.year + jump, month=1, day=1)
    if rule.freq == "MONTHLY":
        years, month = divmod(start.month - 1 + jump, 12)
        return midnight.replace(year=start.year + years, month=month + 1, day=1)
    if rule.freq == "WEEKLY":
        back = (start.weekday() - rule.week_start) % 7
        if midnight.toordinal() - back < 1:
            return midnight
        return midnight + timedelta(days=7 * jump - back)
    if rule.freq == "DAILY":
        return midnight + timedelta(days=jump)
    return start.replace(minute=0, second=0) + timedelta(hours=jump)


def _ruled(rule: Rule, base: datetime, interval: _Interval) -> rrule.rrule:
    days = [_WEEKDAYS[day](nth) if nth else _WEEKDAYS[day] for nth, day in rule.days]
    parts: dict[str, Any] = {name.lower(): list(values) for name, values in rule.by.items()}
    parts |= {"wkst": _WEEKDAYS[rule.week_start], "byweekday": days or None}
    return rrule.rrule(_FREQUENCIES[rule.freq], dtstart=base, interval=interval, **parts)


__all__ = ["Budget", "times"]
