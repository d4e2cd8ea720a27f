"""A shape to its sentence: one message for each, so that a translator sees it whole.

gettext's plural forms are chosen by `n` alone and some hold more than one number (21 in Russian has the form of 1), so
"every day" and "every 21 days" are two messages. Weekdays come in the form that their sentence wants, each a message
with its context; how a sentence ends is a message around the sentence, since gettext has one plural for each message.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from typing import Protocol

from babel.core import Locale
from babel.dates import format_date, format_skeleton, format_time, get_month_names
from babel.lists import format_list

from gateway.render.recurrence.shapes import Kind, Shape

_BLANKS = str.maketrans({"\u202f": "\u00a0", "\u2009": "\u00a0"})


class Speaker(Protocol):
    """One language: its CLDR data and its catalogue."""

    @property
    def locale(self) -> Locale: ...
    def say(self, message: str, **values: object) -> str: ...
    def count(self, singular: str, plural: str, n: int, **values: object) -> str: ...
    def term(self, context: str, message: str) -> str: ...


def sentence(shape: Shape, speaker: Speaker) -> str:
    """The whole sentence. Times of day are the event's: who reads another clock needs the next dates instead."""
    values = _values(shape, speaker)
    if shape.interval == 1:
        text = speaker.say(_EACH[shape.kind], **values)
    else:
        one, many = _EVERY[shape.kind]
        text = speaker.count(one, many, shape.interval, **values)
    if shape.times:
        clocks = _listed((_clock(*one, speaker) for one in shape.times), speaker)
        text = speaker.say("%(rule)s, at %(times)s", rule=text, times=clocks)
    if shape.count is not None:
        text = speaker.count("%(rule)s, %(n)s times", "%(rule)s, %(n)s times", shape.count, rule=text)
    if shape.until is not None:
        text = speaker.say("%(rule)s, until %(date)s", rule=text, date=_day(shape.until, speaker))
    return speaker.say("%(rule)s, with exceptions", rule=text) if shape.exceptions else text


def _values(shape: Shape, speaker: Speaker) -> dict[str, object]:
    match shape.kind:
        case Kind.WEEKLY:
            return {"days": _listed((speaker.term(*_WEEKDAYS[day]) for day in shape.weekdays), speaker)}
        case Kind.MONTH_DAY | Kind.MONTH_LATE:
            return {"day": shape.month_days[0]}
        case Kind.MONTH_DAYS:
            return {"days": _listed(map(str, shape.month_days), speaker)}
        case Kind.MONTH_NTH | Kind.MONTH_LAST:
            return {"nth": _listed((speaker.term(*_NTHS[nth]) for nth in shape.nths), speaker)}
        case Kind.YEAR_DATES:
            return {"dates": _listed((_month_day(*one, speaker) for one in shape.dates), speaker)}
        case Kind.YEAR_NTH:
            return {"nth": speaker.term(*_NTHS[shape.nths[0]]), "month": _month(shape.month, speaker)}
        case Kind.YEAR_MONTH_END:
            return {"month": _month(shape.month, speaker)}
        case _:
            return {}


def _listed(names: Iterable[str], speaker: Speaker) -> str:
    return str(format_list(list(names), locale=speaker.locale))


def _month(number: int, speaker: Speaker) -> str:
    """As it stands in a date: many languages have a genitive."""
    return str(get_month_names("wide", context="format", locale=speaker.locale)[number])


def _month_day(month: int, day: int, speaker: Speaker) -> str:
    moment = datetime(2023, month, day, tzinfo=UTC)
    return str(format_skeleton("MMMMd", moment, locale=speaker.locale)).translate(_BLANKS)


def _day(day: date, speaker: Speaker) -> str:
    return str(format_date(day, "full", locale=speaker.locale)).translate(_BLANKS)


def _clock(hour: int, minute: int, speaker: Speaker) -> str:
    return str(format_time(time(hour, minute), "short", locale=speaker.locale)).translate(_BLANKS)


def say(message: str) -> str:
    """Mark a message for the catalogues."""
    return message


def count(singular: str, plural: str) -> tuple[str, str]:
    """Mark a message that depends on a number."""
    return singular, plural


def term(context: str, message: str) -> tuple[str, str]:
    """Mark a word of a context."""
    return context, message


_EACH = {
    Kind.DAILY: say("Every day"),
    Kind.WORKDAYS: say("Every weekday, Monday to Friday"),
    Kind.WEEKLY: say("Every week on %(days)s"),
    Kind.MONTH_DAY: say("Every month on day %(day)s"),
    Kind.MONTH_DAYS: say("Every month on days %(days)s"),
    Kind.MONTH_LATE: say("Every month that has it, on day %(day)s"),
    Kind.MONTH_END: say("Every month on the last day"),
    Kind.MONTH_NTH: say("Every month on the %(nth)s"),
    Kind.MONTH_LAST: say("Every month on the %(nth)s"),
    Kind.MONTH_FIRST_WORKDAY: say("Every month on the first weekday, Monday to Friday"),
    Kind.MONTH_LAST_WORKDAY: say("Every month on the last weekday, Monday to Friday"),
    Kind.YEAR_DATES: say("Every year on %(dates)s"),
    Kind.YEAR_NTH: say("Every year on the %(nth)s of %(month)s"),
    Kind.YEAR_MONTH_END: say("Every year on the last day of %(month)s"),
}
_EVERY = {
    Kind.DAILY: count("Every %(n)s days", "Every %(n)s days"),
    Kind.WEEKLY: count("Every %(n)s weeks on %(days)s", "Every %(n)s weeks on %(days)s"),
    Kind.MONTH_DAY: count("Every %(n)s months on day %(day)s", "Every %(n)s months on day %(day)s"),
    Kind.MONTH_DAYS: count("Every %(n)s months on days %(days)s", "Every %(n)s months on days %(days)s"),
    Kind.MONTH_LATE: count(
        "Every %(n)s months on day %(day)s, if the month has it",
        "Every %(n)s months on day %(day)s, if the month has it",
    ),
    Kind.MONTH_END: count("Every %(n)s months on the last day", "Every %(n)s months on the last day"),
    Kind.MONTH_NTH: count("Every %(n)s months on the %(nth)s", "Every %(n)s months on the %(nth)s"),
    Kind.MONTH_LAST: count("Every %(n)s months on the %(nth)s", "Every %(n)s months on the %(nth)s"),
    Kind.MONTH_FIRST_WORKDAY: count(
        "Every %(n)s months on the first weekday, Monday to Friday",
        "Every %(n)s months on the first weekday, Monday to Friday",
    ),
    Kind.MONTH_LAST_WORKDAY: count(
        "Every %(n)s months on the last weekday, Monday to Friday",
        "Every %(n)s months on the last weekday, Monday to Friday",
    ),
    Kind.YEAR_DATES: count("Every %(n)s years on %(dates)s", "Every %(n)s years on %(dates)s"),
    Kind.YEAR_NTH: count(
        "Every %(n)s years on the %(nth)s of %(month)s", "Every %(n)s years on the %(nth)s of %(month)s"
    ),
    Kind.YEAR_MONTH_END: count(
        "Every %(n)s years on the last day of %(month)s", "Every %(n)s years on the last day of %(month)s"
    ),
}
_WEEKDAYS = (
    term("every week on", "Monday"),
    term("every week on", "Tuesday"),
    term("every week on", "Wednesday"),
    term("every week on", "Thursday"),
    term("every week on", "Friday"),
    term("every week on", "Saturday"),
    term("every week on", "Sunday"),
)
_NTHS = {
    (1, 0): term("on the ... of a month", "first Monday"),
    (1, 1): term("on the ... of a month", "first Tuesday"),
    (1, 2): term("on the ... of a month", "first Wednesday"),
    (1, 3): term("on the ... of a month", "first Thursday"),
    (1, 4): term("on the ... of a month", "first Friday"),
    (1, 5): term("on the ... of a month", "first Saturday"),
    (1, 6): term("on the ... of a month", "first Sunday"),
    (2, 0): term("on the ... of a month", "second Monday"),
    (2, 1): term("on the ... of a month", "second Tuesday"),
    (2, 2): term("on the ... of a month", "second Wednesday"),
    (2, 3): term("on the ... of a month", "second Thursday"),
    (2, 4): term("on the ... of a month", "second Friday"),
    (2, 5): term("on the ... of a month", "second Saturday"),
    (2, 6): term("on the ... of a month", "second Sunday"),
    (3, 0): term("on the ... of a month", "third Monday"),
    (3, 1): term("on the ... of a month", "third Tuesday"),
    (3, 2): term("on the ... of a month", "third Wednesday"),
    (3, 3): term("on the ... of a month", "third Thursday"),
    (3, 4): term("on the ... of a month", "third Friday"),
    (3, 5): term("on the ... of a month", "third Saturday"),
    (3, 6): term("on the ... of a month", "third Sunday"),
    (4, 0): term("on the ... of a month", "fourth Monday"),
    (4, 1): term("on the ... of a month", "fourth Tuesday"),
    (4, 2): term("on the ... of a month", "fourth Wednesday"),
    (4, 3): term("on the ... of a month", "fourth Thursday"),
    (4, 4): term("on the ... of a month", "fourth Friday"),
    (4, 5): term("on the ... of a month", "fourth Saturday"),
    (4, 6): term("on the ... of a month", "fourth Sunday"),
    (-1, 0): term("on the ... of a month", "last Monday"),
    (-1, 1): term("on the ... of a month", "last Tuesday"),
    (-1, 2): term("on the ... of a month", "last Wednesday"),
    (-1, 3): term("on the ... of a month", "last Thursday"),
    (-1, 4): term("on the ... of a month", "last Friday"),
    (-1, 5): term("on the ... of a month", "last Saturday"),
    (-1, 6): term("on the ... of a month", "last Sunday"),
}

__all__ = ["Speaker", "sentence"]
