"""A recurrence rule as a value (RFC 5545 3.3.10), and the guard that no rule bomb passes (SPEC 12.16).

`read_rule` refuses what nobody can use (MalformedCalendar) and what would keep a server busy (LimitExceeded with code
`expansion-limit`): SECONDLY and MINUTELY, INTERVAL=0, a huge COUNT, hundreds of times a day, days that never come.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from gateway.errors import LimitExceeded, MalformedCalendar
from gateway.ical.bounds import Bounds
from gateway.ical.stamp import Stamp, read_stamp
from gateway.ical.tree import Property

MAX_RULES = 20  # of one component
MAX_COUNT = 10_000  # or `[limits] expansion_instances`, where that is more
MAX_TIMES_A_DAY = 24  # of a rule that does not count
MAX_TIMES_COUNTED = 1_440
FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_TOO_FAST = frozenset({"MINUTELY", "SECONDLY"})
_MONTH_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_BYDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_BLANK = re.compile(r"\s+")
# The numeric BY parts, the largest value of each, and whether it counts from the end too.
_BOUNDS = {
    "BYSECOND": (0, 60, False),
    "BYMINUTE": (0, 59, False),
    "BYHOUR": (0, 23, False),
    "BYMONTHDAY": (1, 31, True),
    "BYYEARDAY": (1, 366, True),
    "BYWEEKNO": (1, 53, True),
    "BYMONTH": (1, 12, False),
    "BYSETPOS": (1, 366, True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule that can be expanded. `by` holds the numeric BY parts, `days` BYDAY as (ordinal or 0, weekday from Monday 0)."""

    freq: str
    interval: int = 1
    count: int | None = None
    until: Stamp | None = None
    week_start: int = 0
    by: Mapping[str, tuple[int, ...]] = field(hash=False)
    days: tuple[tuple[int, int], ...] = ()

    @property
    def endless(self) -> bool:
        return self.count is None and self.until is None

    def part(self, name: str) -> tuple[int, ...]:
        return self.by.get(name, ())

    def times_a_day(self) -> int:
        """At most how often the rule comes on one day."""
        hours = 24 if self.freq == "HOURLY" else max(1, len(self.part("BYHOUR")))
        return hours * max(1, len(self.part("BYMINUTE"))) * max(1, len(self.part("BYSECOND")))

    def completed(self, start: datetime) -> Rule:
        """RFC 5545 3.3.10: what the rule leaves open is taken from DTSTART."""
        by, days = dict(self.by), self.days
        if not days and not any(self.by.get(name) for name in ("BYMONTHDAY", "BYYEARDAY")):
            if self.part("BYWEEKNO"):
                days = ((0, start.weekday()),)
            elif self.freq == "YEARLY":
                by.setdefault("BYMONTH", (start.month,))
            if self.freq in ("YEARLY", "MONTHLY") and not days:
                by["BYMONTHDAY"] = (start.day,)
            elif self.freq == "WEEKLY":
                days = ((0, start.weekday()),)
        if self.freq != "HOURLY":
            by.setdefault("BYHOUR", (start.hour,))
        by.setdefault("BYMINUTE", (start.minute,))
        by.setdefault("BYSECOND", (start.second,))
        return replace(self, by=MappingProxyType(by), days=days)


def rule_parts(text: str) -> dict[str, str]:
    """The parts of a RECUR value, names and values in upper case, blanks dropped; of doubled parts the last one counts."""
    pairs = (part.partition("=") for part in _BLANK.sub("", text).upper().split(";"))
    return {name: value for name, equals, value in pairs if equals}


def number(text: str) -> int:
    """A whole number of at most nine digits. Raise MalformedCalendar."""
    if _NUMBER.fullmatch(text) is None:
        raise MalformedCalendar(f"not a number: {text[:20]!r}")
    return int(text)


def read_rule(text: str, start: datetime, *, most: int = MAX_COUNT) -> Rule:
    """The rule of a RECUR value for a series that starts at this wall clock time, with every part explicit.

    `most`: so many occurrences may be counted.
    """
    parts = rule_parts(text)
    freq = parts.get("FREQ", "")
    if freq in _TOO_FAST:
        raise LimitExceeded(f"a {freq} rule", code="expansion-limit")
    if freq not in FREQUENCIES:
        raise MalformedCalendar(f"a rule without a frequency: {text[:60]!r}")
    if parts.get("RSCALE", "GREGORIAN") != "GREGORIAN":
        raise MalformedCalendar(f"a rule of another calendar: {parts['RSCALE'][:20]!r}")  # RFC 7529
    by = {name: _by_part(name, parts[name]) for name in _BOUNDS if parts.get(name)}
    rule = Rule(
        freq=freq,
        interval=_interval(parts),
        count=_count(parts, most),
        until=read_stamp(parts["UNTIL"]) if parts.get("UNTIL") else None,
        week_start=WEEKDAYS.index(parts["WKST"]) if parts.get("WKST") in WEEKDAYS else 0,
        by=MappingProxyType(by),
        days=_by_day(parts.get("BYDAY", ""), freq, in_month=freq == "MONTHLY" or "BYMONTH" in by),
    ).completed(start)
    _refuse_bombs(rule)
    return rule


def read_rules(found: Sequence[Property], start: datetime, bounds: Bounds) -> tuple[Rule, ...]:
    """The rules of one component, few enough to be expanded together. Raise as `read_rule` does."""
    most = max(MAX_COUNT, bounds.instances)
    if len(found) > MAX_RULES:
        raise LimitExceeded(f"{len(found)} rules", code="expansion-limit")
    rules = tuple(read_rule(each.value, start, most=most) for each in found)
    if sum(rule.count or 0 for rule in rules) > most:
        raise LimitExceeded("rules with too many occurrences", code="expansion-limit")
    return rules


def _interval(parts: Mapping[str, str]) -> int:
    interval = number(parts.get("INTERVAL") or "1")
    if interval < 1:  # an endless loop in dateutil and whatever is built on it
        raise LimitExceeded("a rule whose interval is no step forward", code="expansion-limit")
    return min(interval, 100_000)


def _count(parts: Mapping[str, str], most: int) -> int | None:
    if not parts.get("COUNT"):
        return None
    count = number(parts["COUNT"])
    if count < 1:
        raise MalformedCalendar("a rule that counts no occurrence")
    if count > most:
        raise LimitExceeded(f"a rule with {count} occurrences", code="expansion-limit")
    return count


def _by_part(name: str, text: str) -> tuple[int, ...]:
    least, most, negative = _BOUNDS[name]
    items = text.split(",")
    if len(items) > 1000:
        raise LimitExceeded(f"{len(items)} values in {name}", code="expansion-limit")
    numbers = {number(item) for item in items if item}
    if not numbers or not all(least <= (abs(n) if negative else n) <= most for n in numbers):
        raise MalformedCalendar(f"no such {name}: {text[:40]!r}")
    return tuple(sorted({min(n, 59) for n in numbers} if name == "BYSECOND" else numbers))


def _by_day(text: str, freq: str, *, in_month: bool) -> tuple[tuple[int, int], ...]:
    """BYDAY; an ordinal counts in months and years only (RFC 5545 3.3.10), elsewhere it is dropped."""
    found: set[tuple[int, int]] = set()
    for item in filter(None, text.split(",")[:1000]):
        read = _BYDAY.fullmatch(item)
        if read is None:
            raise MalformedCalendar(f"no such BYDAY: {item[:20]!r}")
        nth = int(read[1] or 0) if freq in ("YEARLY", "MONTHLY") else 0
        if abs(nth) > (5 if in_month else 53):
            raise MalformedCalendar(f"no such BYDAY: {item!r}")
        found.add((nth, WEEKDAYS.index(read[2])))
    return tuple(sorted(found))


def _refuse_bombs(rule: Rule) -> None:
    times = rule.times_a_day()
    if times > (MAX_TIMES_COUNTED if rule.count else MAX_TIMES_A_DAY):
        raise LimitExceeded(f"a rule that comes {times} times a day", code="expansion-limit")
    if len(rule.part("BYSETPOS")) > 62:
        raise LimitExceeded("a rule with too many positions", code="expansion-limit")
    months = rule.part("BYMONTH") or range(1, 13)
    days = rule.part("BYMONTHDAY")
    if days and not any(abs(day) <= _MONTH_LENGTHS[month - 1] for month in months for day in days):
        raise LimitExceeded("a rule whose day never comes", code="expansion-limit")


__all__ = ["FREQUENCIES", "MAX_COUNT", "WEEKDAYS", "Rule", "number", "read_rule", "read_rules", "rule_parts"]
