"""The lexical forms of dates, times, durations and offsets (RFC 5545 3.3.4-3.3.6, 3.3.14), read tolerantly.

Tolerated because calendars hold them: dashes and colons, a small t and z, missing seconds, second 60, hour 24.
"""

# ruff: noqa: DTZ001 - wall clock times are naive here, their zone stands elsewhere

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from gateway.errors import MalformedCalendar

_STAMP = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:Z\Z|[Tt ](\d\d):?(\d\d)(?::?(\d\d))?(?:\.\d+)?([Zz]?))?", re.ASCII
)
_SPAN = re.compile(
    r"([+-]?)P(?=[\dT])(?:(\d{1,6})W)?(?:(\d{1,7})D)?"
    r"(?:T(?:(\d{1,8})H)?(?:(\d{1,9})M)?(?:(\d{1,10})S)?)?",
    re.ASCII | re.IGNORECASE,
)
_OFFSET = re.compile(r"([+-]?)(\d\d):?(\d\d)(?::?(\d\d))?", re.ASCII)

_USUAL = 20  # characters of a value that is worth being kept
EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC, microsecond=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """A date or date-time as written, without its zone."""

    local: datetime
    is_date: bool
    is_utc: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A duration (RFC 5545 3.3.6): nominal days, exact seconds; both carry the sign."""

    days: int = 0
    seconds: int = 0

    @property
    def total(self) -> timedelta:
        """The length where every day has 24 hours."""
        return timedelta(days=self.days, seconds=self.seconds)

    def __neg__(self) -> Span:
        return Span(days=-self.days, seconds=-self.seconds)


def read_stamp(text: str) -> Stamp:
    """A DATE or DATE-TIME value. Raise MalformedCalendar."""
    return _known_stamp(text) if len(text) <= _USUAL else _read_stamp(text)


def _read_stamp(text: str) -> Stamp:
    found = _STAMP.fullmatch(text.strip())
    if found is None:
        raise MalformedCalendar(f"not a date: {text[:40]!r}")
    year, month, day, hour, minute, second, zulu = found.groups()
    try:
        if hour is None:
            return Stamp(local=datetime(int(year), int(month), int(day)), is_date=True, is_utc=False)
        local = datetime(
            int(year), int(month), int(day), int(hour) % 24, int(minute), min(int(second or 0), 59)
        )
        if hour == "24":
            local += timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise MalformedCalendar(f"no such date: {text[:40]!r}") from error
    if int(hour) > 24:
        raise MalformedCalendar(f"no such hour: {text[:40]!r}")
    return Stamp(local=local, is_date=False, is_utc=bool(zulu))


_known_stamp = lru_cache(maxsize=4096)(_read_stamp)  # each reader of an event asks for its times anew


def parse_span(text: str) -> Span:
    """A DURATION value. Raise MalformedCalendar."""
    found = _SPAN.fullmatch(text.strip())
    if found is None or text.strip()[-1:] in "PTpt":
        raise MalformedCalendar(f"not a duration: {text[:40]!r}")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    sign = -1 if found[1] == "-" else 1
    span = Span(days=sign * (7 * weeks + days), seconds=sign * (3600 * hours + 60 * minutes + seconds))
    if abs(span.total) > timedelta(days=3_660_000):
        raise MalformedCalendar(f"a duration of millennia: {text[:40]!r}")
    return span


def read_offset(text: str) -> timedelta:
    """A UTC-OFFSET value (RFC 5545 3.3.14), less than a day. Raise MalformedCalendar."""
    found = _OFFSET.fullmatch(text.strip())
    if found is None:
        raise MalformedCalendar(f"not an offset: {text[:40]!r}")
    size = timedelta(hours=int(found[2]), minutes=int(found[3]), seconds=int(found[4] or 0))
    if size >= timedelta(hours=24):
        raise MalformedCalendar(f"not an offset: {text[:40]!r}")
    return -size if found[1] == "-" else size


def offset_text(offset: timedelta) -> str:
    """The UTC-OFFSET value of an offset."""
    total = int(offset.total_seconds())
    hours, rest = divmod(abs(total), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{'-' if total < 0 else '+'}{hours:02}{minutes:02}{f'{seconds:02}' if seconds else ''}"


def date_text(local: datetime) -> str:
    """A DATE value; strftime would not fill the year of Outlook's 1601, let alone 0001."""
    return f"{local.year:04}{local.month:02}{local.day:02}"


def clock_text(local: datetime) -> str:
    """A DATE-TIME value without its Z."""
    return f"{date_text(local)}T{local.hour:02}{local.minute:02}{local.second:02}"


def to_utc(local: datetime, zone: tzinfo) -> datetime:
    """RFC 5545 3.3.5: the instant of a local time. Of two it is the first; one in a gap counts by the offset before it."""
    try:
        return local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    except (OverflowError, ValueError):
        return EARLIEST if local.year < 5000 else LATEST


def to_local(instant: datetime, zone: tzinfo) -> datetime:
    """The naive local time of an instant."""
    try:
        return instant.astimezone(zone).replace(tzinfo=None, fold=0)
    except (OverflowError, ValueError):
        return instant.replace(tzinfo=None)


def plus(at: datetime, span: timedelta) -> datetime:
    """A time moved, stopping at the ends of the calendar."""
    try:
        return at + span
    except OverflowError:
        return (LATEST if span > timedelta(0) else EARLIEST).replace(tzinfo=at.tzinfo)


__all__ = [
    "EARLIEST",
    "LATEST",
    "Span",
    "Stamp",
    "clock_text",
    "date_text",
    "offset_text",
    "parse_span",
    "plus",
    "read_offset",
    "read_stamp",
    "to_local",
    "to_utc",
]
