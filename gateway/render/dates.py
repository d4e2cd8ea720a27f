"""Dates and times in words: the reader's own clock first, the event's beside it where they differ.

Formats, names and the 12 or 24 hours are CLDR's; the order of a line is a sentence of the catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from babel.dates import format_date, format_skeleton, format_time, get_timezone_location
from babel.lists import format_list

from gateway.itip.model import When
from gateway.render.voice import Voice, zone_of

_THIN = str.maketrans({"\u202f": "\u00a0", "\u2009": "\u00a0"})
_BETWEEN_UNITS = {"ja": "", "zh": " "}  # where 1 hour 30 minutes is no list of two things
_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A moment as one reader sees it. `clock` None: a whole day. `zone` None: wherever he is."""

    local: datetime
    whole_day: bool
    zone: tzinfo | None = None
    name: str = ""  # of a zone that is not in the IANA list


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A day as the leaf of a calendar shows it."""

    month: str
    day: str
    weekday: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """When something takes place: `lines` are the essence, the rest is beside it."""

    lines: tuple[str, ...]
    leaf: Leaf
    length: str = ""
    zone: str = ""
    other: str = ""  # the same in the event's zone
    machine: str = ""  # for <time datetime>
    whole: str = ""  # in one line, for the list of what changed


def shown(when: When, voice: Voice) -> Shown:
    """A moment on the reader's clock; on the event's where we know none."""
    if when.form == "date":
        return Shown(local=when.local, whole_day=True)
    if when.form == "floating" or when.utc is None:
        return Shown(local=when.local, whole_day=False, name=when.zone)
    zone = voice.zone or (zone_of(when.zone) if when.zone else voice.home)
    if zone is None:
        return Shown(local=when.local, whole_day=False, name=when.zone)
    try:
        return Shown(local=when.utc.astimezone(zone), whole_day=False, zone=zone)
    except OverflowError:  # the first and the last day of the calendar
        return Shown(local=when.local, whole_day=False, name=when.zone)


def span(start: When, end: When | None, voice: Voice) -> Span:
    """From start to end, as the reader needs it."""
    begin = shown(start, voice)
    finish = shown(end, voice) if end is not None else begin
    if begin.whole_day:
        return _days(begin.local.date(), finish.local.date(), voice)
    lines = _lines(begin, finish, voice)
    return Span(
        lines=lines,
        whole=" ".join(lines) if begin.local.date() != finish.local.date() else _joined(lines, voice),
        leaf=leaf(begin.local, voice),
        length=length(start, end, voice),
        zone=place(begin, voice),
        other=_other(start, end, voice),
        machine=(start.utc or start.local).isoformat(),
    )


def short(when: When, voice: Voice) -> str:
    """The one-line form for subjects and lists of dates: `Tue, 6 Oct 2026, 14:00`."""
    moment = shown(when, voice)
    text = day(moment.local, voice, short=True)
    if moment.whole_day:
        return text
    return voice.say("%(date)s, %(time)s", date=text, time=clock(moment.local, voice))


def short_zone(when: When, voice: Voice) -> str:
    """`CET`, `UTC+5:30`, or "" for what has no zone."""
    moment = shown(when, voice)
    if moment.zone is None:
        return ""
    name = moment.local.tzname() or ""
    return name if name.isalpha() else _offset(moment.local)


def day(moment: date, voice: Voice, *, short: bool = False) -> str:
    """The date with its weekday and year."""
    if short:
        return str(format_skeleton("yMMMEd", midnight(moment), locale=voice.locale)).translate(_THIN)
    return str(format_date(moment, "full", locale=voice.locale)).translate(_THIN)


def leaf(moment: date, voice: Voice) -> Leaf:
    """Month, day and weekday, short."""
    month, number, weekday = (format_date(moment, form, locale=voice.locale) for form in ("MMM", "d", "EEE"))
    return Leaf(month=month, day=number, weekday=weekday)


def midnight(moment: date) -> datetime:
    """Babel's skeletons want a datetime, and show nothing of its time."""
    return datetime(moment.year, moment.month, moment.day, tzinfo=UTC)


def clock(moment: datetime, voice: Voice) -> str:
    """The time of day, 12 or 24 hours as the region has it."""
    return str(format_time(moment.time(), "short", locale=voice.locale)).translate(_THIN)


def place(moment: Shown, voice: Voice) -> str:
    """Whose clock it is: `Berlin, UTC+1`."""
    if moment.zone is None:
        return moment.name
    if moment.zone is UTC:
        return "UTC"
    city = get_timezone_location(moment.zone, locale=voice.locale, return_city=True).rpartition("/")[2]
    return voice.say("%(city)s time, %(offset)s", city=city, offset=_offset(moment.local))


def length(start: When, end: When | None, voice: Voice) -> str:
    """How long it takes: `1 hour and 30 minutes`; "" for nothing."""
    if end is None:
        return ""
    exact = start.utc is not None and end.utc is not None
    gap = (end.utc - start.utc) if start.utc and end.utc and exact else end.local - start.local
    return lasting(gap, voice)


def lasting(gap: timedelta, voice: Voice) -> str:
    """A length of time in words; "" for less than a minute."""
    seconds = int(gap / timedelta(seconds=1))
    if seconds < 60:
        return ""
    parts = []
    for name, size in _UNITS:
        amount, seconds = divmod(seconds, size)
        if amount:
            parts.append(_amount(name, amount, voice))
    between = _BETWEEN_UNITS.get(voice.locale.language)
    if between is not None:
        return between.join(parts)
    # Not the style "unit": Babel has only parts of it for most languages, and fails on three items.
    return str(format_list(parts, locale=voice.locale))


def _lines(begin: Shown, finish: Shown, voice: Voice) -> tuple[str, ...]:
    first = day(begin.local, voice)
    if finish.local == begin.local:
        return (first, clock(begin.local, voice))
    if finish.local.date() == begin.local.date():
        return (first, _range(clock(begin.local, voice), clock(finish.local, voice), voice))
    start = voice.say("%(date)s, %(time)s", date=first, time=clock(begin.local, voice))
    end = voice.say("%(date)s, %(time)s", date=day(finish.local, voice), time=clock(finish.local, voice))
    return (voice.say("%(start)s –", start=start), end)


def _days(first: date, after: date, voice: Voice) -> Span:
    """All-day: DTEND is the day after the last one (RFC 5545 3.6.1), people mean the last one."""
    last = after - timedelta(days=1) if after > first else first
    days = (last - first).days + 1
    if days == 1:
        only = (day(first, voice), voice.say("all day"))
        return Span(
            lines=only, whole=_joined(only, voice), leaf=leaf(first, voice), machine=first.isoformat()
        )
    lines = (voice.say("%(start)s –", start=day(first, voice)), day(last, voice))
    return Span(
        lines=lines,
        whole=" ".join(lines),
        leaf=leaf(first, voice),
        length=_amount("day", days, voice),
        machine=first.isoformat(),
    )


def _joined(lines: tuple[str, ...], voice: Voice) -> str:
    return voice.say("%(date)s, %(time)s", date=lines[0], time=lines[1])


def _amount(unit: str, n: int, voice: Voice) -> str:
    """Sentences of ours: Babel's format_unit has no units for half of the languages."""
    match unit:
        case "day":
            return voice.count("%(n)s day", "%(n)s days", n)
        case "hour":
            return voice.count("%(n)s hour", "%(n)s hours", n)
        case _:
            return voice.count("%(n)s minute", "%(n)s minutes", n)


def _range(start: str, end: str, voice: Voice) -> str:
    return voice.say("%(start)s – %(end)s", start=start, end=end)


def _other(start: When, end: When | None, voice: Voice) -> str:
    """The same in the event's own zone, when its clock shows something else."""
    zone = zone_of(start.zone) if start.form == "zoned" and start.zone else None
    if zone is None or voice.zone is None or start.utc is None or not 1 < start.utc.year < 9999:
        return ""
    mine = shown(start, voice).local
    begin = start.utc.astimezone(zone)
    if begin.replace(tzinfo=None) == mine.replace(tzinfo=None):
        return ""
    text = clock(begin, voice)
    if end is not None and end.utc is not None and end.utc.astimezone(zone).date() == begin.date():
        text = _range(text, clock(end.utc.astimezone(zone), voice), voice) if end.utc > start.utc else text
    if begin.date() != mine.date():
        text = voice.say("%(date)s, %(time)s", date=day(begin, voice, short=True), time=text)
    where = place(Shown(local=begin, whole_day=False, zone=zone), voice)
    return voice.say("%(time)s (%(zone)s)", time=text, zone=where)


def _offset(moment: datetime) -> str:
    seconds = int((moment.utcoffset() or timedelta()).total_seconds())
    if not seconds:
        return "UTC"
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"UTC{'+' if seconds > 0 else '−'}{hours}" + (f":{minutes:02d}" if minutes else "")


__all__ = [
    "Leaf",
    "Shown",
    "Span",
    "clock",
    "day",
    "lasting",
    "leaf",
    "length",
    "place",
    "short",
    "short_zone",
    "shown",
    "span",
]
