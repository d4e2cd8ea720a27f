"""The text of an RRULE to its parts, or None for what no sentence could tell."""

from __future__ import annotations

import re
from dataclasses import dataclass

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_PARTS = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTHDAY", "BYMONTH"}) | {
    "BYSETPOS",
    "BYHOUR",
    "BYMINUTE",
    "BYSECOND",
}
_BYDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,6}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """RFC 5545 3.3.10; weekdays count from Monday, 0, and an ordinal 0 is each of them."""

    freq: str
    interval: int = 1
    count: int | None = None
    until: str = ""
    week_start: int = 0
    days: tuple[tuple[int, int], ...] = ()
    month_days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    positions: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    minutes: frozenset[int] = frozenset()
    seconds: frozenset[int] = frozenset()
    exceptions: bool = False  # EXDATE beside it

    @property
    def weekdays(self) -> frozenset[int] | None:
        """The weekdays of a BYDAY without ordinals, else None."""
        return None if any(nth for nth, _ in self.days) else frozenset(day for _, day in self.days)


def read(text: str) -> Rule | None:
    """The parts of an RRULE value; lines after the first name what stands beside it, of which only EXDATE has words."""
    rule, *beside = text.upper().split("\n")
    if any(not one.startswith("EXDATE") for one in beside):
        return None
    pairs = [part.partition("=") for part in rule.split(";") if part]
    parts = {name: value for name, _, value in pairs}
    if len(parts) < len(pairs) or not parts.keys() <= _PARTS or {"COUNT", "UNTIL"} <= parts.keys():
        return None
    try:
        return _rule(parts, exceptions=bool(beside))
    except (ValueError, KeyError):
        return None


def _rule(parts: dict[str, str], *, exceptions: bool) -> Rule | None:
    rule = Rule(
        freq=parts["FREQ"],
        interval=_number(parts.get("INTERVAL", "1")),
        count=_number(parts["COUNT"]) if "COUNT" in parts else None,
        until=parts.get("UNTIL", ""),
        week_start=WEEKDAYS.index(parts.get("WKST", "MO")),
        days=tuple(_day(one) for one in parts.get("BYDAY", "").split(",") if one),
        exceptions=exceptions,
        month_days=_numbers(parts.get("BYMONTHDAY", "")),
        months=_numbers(parts.get("BYMONTH", "")),
        positions=_numbers(parts.get("BYSETPOS", "")),
        hours=_numbers(parts.get("BYHOUR", "")),
        minutes=_numbers(parts.get("BYMINUTE", "")),
        seconds=_numbers(parts.get("BYSECOND", "")),
    )
    return rule if rule.interval >= 1 and rule.count not in {0, 1} else None


def _day(text: str) -> tuple[int, int]:
    match = _BYDAY.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return int(match[1] or 0), WEEKDAYS.index(match[2])


def _numbers(text: str) -> frozenset[int]:
    return frozenset(_number(one) for one in text.split(",") if one)


def _number(text: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(text)
    return int(text)


__all__ = ["WEEKDAYS", "Rule", "read"]
