"""A recurrence rule in one sentence, or None: never a wrong sentence (the letter then shows the next dates alone).

A rule is read into one of these shapes; what has any other part, or does not fit its own DTSTART, has no words here.

| shape    | rule                                                        |
|----------|-------------------------------------------------------------|
| daily    | FREQ=DAILY                                                  |
| workdays | FREQ=WEEKLY or DAILY; BYDAY=MO,TU,WE,TH,FR                  |
| weekly   | FREQ=WEEKLY; BYDAY=...                                      |
| monthly  | FREQ=MONTHLY; BYMONTHDAY=1..28 or -1                        |
| nth      | FREQ=MONTHLY; BYDAY=2TU, or BYDAY=TU;BYSETPOS=2, also -1    |
| yearly   | FREQ=YEARLY on its own date                                 |
| yearly   | FREQ=YEARLY; BYMONTH=11; BYDAY=4TH                          |
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from babel.dates import format_skeleton, get_day_names, get_month_names
from babel.lists import format_list

from gateway.itip.model import When
from gateway.render.dates import day, midnight, shown
from gateway.render.voice import Voice, zone_of

_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_WORKDAYS = frozenset(_WEEKDAYS[:5])
_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS"}
_BYDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_UNTIL = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """RFC 5545 3.3.10, as far as these shapes need it."""

    freq: str
    interval: int = 1
    count: int | None = None
    until: str = ""
    days: tuple[tuple[int, str], ...] = ()  # ordinal (0: each), weekday
    month_days: tuple[int, ...] = ()
    months: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()


def words(rule: str, start: When, voice: Voice) -> str | None:
    """The sentence for an RRULE value, or None."""
    try:
        read = _read(rule)
    except (ValueError, KeyError):
        return None
    if read is None or read.interval < 1 or read.count in {0, 1} or not _clocks_agree(start, voice):
        return None
    shape = _SHAPES.get(read.freq)
    sentence = shape(read, start.local.date(), voice) if shape else None
    return _ended(sentence, read, start, voice) if sentence else None


def _read(text: str) -> Rule | None:
    parts = dict(part.split("=", 1) for part in text.upper().split(";") if part)
    if not set(parts) <= _PARTS or ("COUNT" in parts and "UNTIL" in parts):
        return None
    days = []
    for one in filter(None, parts.get("BYDAY", "").split(",")):
        match = _BYDAY.fullmatch(one)
        if match is None:
            return None
        days.append((int(match[1] or 0), match[2]))
    return Rule(
        freq=parts["FREQ"],
        interval=int(parts.get("INTERVAL", "1")),
        count=int(parts["COUNT"]) if "COUNT" in parts else None,
        until=parts.get("UNTIL", ""),
        days=tuple(days),
        month_days=_numbers(parts.get("BYMONTHDAY", "")),
        months=_numbers(parts.get("BYMONTH", "")),
        positions=_numbers(parts.get("BYSETPOS", "")),
    )


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(one) for one in text.split(",") if one)


def _clocks_agree(start: When, voice: Voice) -> bool:
    """A rule speaks of days in the event's zone; in another zone they may be other days, at least in summer."""
    there, here = start.local, shown(start, voice).local.replace(tzinfo=None)
    if here == there:
        return True
    hour = timedelta(hours=1)
    return all(one.date() == there.date() for one in (here - hour, here, here + hour))


def _daily(rule: Rule, first: date, voice: Voice) -> str | None:
    if rule.month_days or rule.months or rule.positions:
        return None
    if rule.days:
        weekly = {name for ordinal, name in rule.days if not ordinal}
        return _workdays(rule, first, voice) if rule.interval == 1 and weekly == _WORKDAYS else None
    return voice.count("Every day", "Every %(n)s days", rule.interval)


def _workdays(rule: Rule, first: date, voice: Voice) -> str | None:
    if first.weekday() > 4 or len(rule.days) != 5:
        return None
    return voice.say("Every weekday, Monday to Friday")


def _weekly(rule: Rule, first: date, voice: Voice) -> str | None:
    if rule.month_days or rule.months or rule.positions or any(ordinal for ordinal, _ in rule.days):
        return None
    names = {name for _, name in rule.days} or {_WEEKDAYS[first.weekday()]}
    if _WEEKDAYS[first.weekday()] not in names:
        return None
    if names == _WORKDAYS and rule.interval == 1:
        return voice.say("Every weekday, Monday to Friday")
    days = _listed([_weekday(name, voice) for name in _WEEKDAYS if name in names], voice)
    return voice.count("Every week on %(days)s", "Every %(n)s weeks on %(days)s", rule.interval, days=days)


def _monthly(rule: Rule, first: date, voice: Voice) -> str | None:
    if rule.months:
        return None
    if rule.days:
        return _monthly_nth(rule, first, voice)
    if rule.positions or len(rule.month_days) > 1:
        return None
    number = rule.month_days[0] if rule.month_days else first.day
    if number == -1 and first.day == monthrange(first.year, first.month)[1]:
        return voice.count("Every month on the last day", "Every %(n)s months on the last day", rule.interval)
    # The 29th, 30th and 31st are missing in some months: "every month" would be wrong.
    if number != first.day or not 1 <= number <= 28:
        return None
    return voice.count(
        "Every month on day %(day)s", "Every %(n)s months on day %(day)s", rule.interval, day=number
    )


def _monthly_nth(rule: Rule, first: date, voice: Voice) -> str | None:
    nth = _nth(rule, first)
    if nth is None:
        return None
    n, name = rule.interval, _weekday(nth[1], voice)
    match nth[0]:
        case 1:
            return voice.count(
                "Every month on the first %(day)s", "Every %(n)s months on the first %(day)s", n, day=name
            )
        case 2:
            return voice.count(
                "Every month on the second %(day)s", "Every %(n)s months on the second %(day)s", n, day=name
            )
        case 3:
            return voice.count(
                "Every month on the third %(day)s", "Every %(n)s months on the third %(day)s", n, day=name
            )
        case 4:
            return voice.count(
                "Every month on the fourth %(day)s", "Every %(n)s months on the fourth %(day)s", n, day=name
            )
        case _:
            return voice.count(
                "Every month on the last %(day)s", "Every %(n)s months on the last %(day)s", n, day=name
            )


def _yearly(rule: Rule, first: date, voice: Voice) -> str | None:
    if rule.months not in ((), (first.month,)):
        return None
    if rule.days:
        return _yearly_nth(rule, first, voice) if rule.months else None
    same_day = rule.month_days in ((), (first.day,)) and not (rule.month_days and not rule.months)
    if rule.positions or not same_day or (first.month, first.day) == (2, 29):
        return None
    return voice.count(
        "Every year on %(date)s",
        "Every %(n)s years on %(date)s",
        rule.interval,
        date=_month_day(first, voice),
    )


def _yearly_nth(rule: Rule, first: date, voice: Voice) -> str | None:
    nth = _nth(rule, first)
    if nth is None:
        return None
    n, name = rule.interval, _weekday(nth[1], voice)
    month = str(get_month_names("wide", context="stand-alone", locale=voice.locale)[first.month])
    match nth[0]:
        case 1:
            return voice.count(
                "Every year on the first %(day)s of %(month)s",
                "Every %(n)s years on the first %(day)s of %(month)s",
                n,
                day=name,
                month=month,
            )
        case 2:
            return voice.count(
                "Every year on the second %(day)s of %(month)s",
                "Every %(n)s years on the second %(day)s of %(month)s",
                n,
                day=name,
                month=month,
            )
        case 3:
            return voice.count(
                "Every year on the third %(day)s of %(month)s",
                "Every %(n)s years on the third %(day)s of %(month)s",
                n,
                day=name,
                month=month,
            )
        case 4:
            return voice.count(
                "Every year on the fourth %(day)s of %(month)s",
                "Every %(n)s years on the fourth %(day)s of %(month)s",
                n,
                day=name,
                month=month,
            )
        case _:
            return voice.count(
                "Every year on the last %(day)s of %(month)s",
                "Every %(n)s years on the last %(day)s of %(month)s",
                n,
                day=name,
                month=month,
            )


def _nth(rule: Rule, first: date) -> tuple[int, str] | None:
    """The one ordinal weekday of a rule, when DTSTART is on it."""
    if len(rule.days) != 1 or rule.month_days or len(rule.positions) > 1:
        return None
    ordinal, name = rule.days[0]
    if rule.positions and ordinal:
        return None
    nth = ordinal or (rule.positions[0] if rule.positions else 0)
    week = (first.day - 1) // 7 + 1
    last = first.day + 7 > monthrange(first.year, first.month)[1]
    fits = nth == week if nth > 0 else nth == -1 and last
    return (nth, name) if nth in {1, 2, 3, 4, -1} and fits and name == _WEEKDAYS[first.weekday()] else None


def _ended(sentence: str, rule: Rule, start: When, voice: Voice) -> str | None:
    if rule.count is not None:
        return voice.count("%(rule)s, once", "%(rule)s, %(n)s times", rule.count, rule=sentence)
    if not rule.until:
        return sentence
    until = _until(rule.until, start)
    return (
        None
        if until is None or until < start.local.date()
        else voice.say("%(rule)s, until %(date)s", rule=sentence, date=day(until, voice))
    )


def _until(text: str, start: When) -> date | None:
    """The last possible day, inclusive, on the event's own calendar."""
    match = _UNTIL.fullmatch(text)
    if match is None:
        return None
    try:
        if match[4] is None:
            return date(int(match[1]), int(match[2]), int(match[3]))
        year, month, number, hour, minute, second = map(int, match.groups()[:6])
        moment = datetime(year, month, number, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    zone = zone_of(start.zone) if match[7] and start.zone else None
    if match[7] and start.form == "zoned" and zone is None:
        return None
    local = moment.astimezone(zone) if zone else moment
    # An UNTIL before the time of day of the start excludes that very day.
    return local.date() if local.time() >= start.local.time() else local.date() - timedelta(days=1)


def _weekday(name: str, voice: Voice) -> str:
    return str(get_day_names("wide", context="format", locale=voice.locale)[_WEEKDAYS.index(name)])


def _month_day(first: date, voice: Voice) -> str:
    return str(format_skeleton("MMMMd", midnight(first), locale=voice.locale))


def _listed(names: list[str], voice: Voice) -> str:
    return str(format_list(names, locale=voice.locale))


_SHAPES = {"DAILY": _daily, "WEEKLY": _weekly, "MONTHLY": _monthly, "YEARLY": _yearly}

__all__ = ["Rule", "words"]
