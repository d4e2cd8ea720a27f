"""How a meeting repeats, for one reader: in words where they are true on his clock; and when it moves on his clock."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

from gateway.itip.model import Facts, When
from gateway.render.dates import clock, day, shown
from gateway.render.recurrence.sentences import sentence
from gateway.render.recurrence.shapes import shape
from gateway.render.voice import Voice, zone_of

_YEAR = timedelta(days=366)
_UNTIL = re.compile(r"UNTIL=(\d{8})", re.IGNORECASE | re.ASCII)
_CLOCKS = timedelta(hours=2)  # Berlin and Sydney are eight to ten hours apart


def words(rule: str, start: When, voice: Voice) -> str | None:
    """The sentence for the text of a rule (`Facts.rule`), or None."""
    zone = zone_of(start.zone) if start.zone else None
    if start.form == "zoned" and zone is None and "UNTIL" in rule.upper():
        return None
    found = shape(rule, start.local.date() if start.form == "date" else start.local, zone)
    if found is None or not _days_agree(start, voice) or (found.times and not _same_clock(start, voice)):
        return None
    return sentence(found, voice)


def moves(told: Facts, voice: Voice) -> str:
    """From when on a series that keeps its time begins at another time on the reader's clock, within a year; "" never."""
    start, rule = told.start, told.rule.partition("\n")[0].upper()
    zone = zone_of(start.zone) if start is not None and start.form == "zoned" else None
    if start is None or zone is None or voice.zone is None or not rule or "BYHOUR" in rule:
        return ""
    first = (told.next_dates[0] if told.next_dates else start).local
    found = _change(first, zone, voice.zone)
    if found is None or not _runs_on(told, rule, found):
        return ""
    mine = found.replace(tzinfo=zone).astimezone(voice.zone)
    return voice.say(
        "From %(date)s on it begins at %(time)s on your clock, because of daylight saving time.",
        date=day(mine, voice),
        time=clock(mine, voice),
    )


def _change(first: datetime, there: tzinfo, here: tzinfo) -> datetime | None:
    """The first day, by its time there, on which the two clocks stand otherwise to each other than at first."""

    def apart(moment: datetime) -> timedelta | None:
        event = moment.replace(tzinfo=there)
        mine = event.astimezone(here).utcoffset()
        return None if mine is None else mine - (event.utcoffset() or timedelta())

    if not 1 < first.year < 9998:
        return None
    begun = apart(first)
    weeks = (first + timedelta(weeks=count) for count in range(1, _YEAR // timedelta(weeks=1) + 1))
    week = next((one for one in weeks if apart(one) != begun), None)
    if week is None:
        return None
    days = (week - timedelta(days=6 - count) for count in range(7))
    return next(one for one in days if apart(one) != begun)


def _runs_on(told: Facts, rule: str, until: datetime) -> bool:
    """Whether the series is known to go on so long."""
    if "COUNT=" in rule:
        return any(one.local >= until for one in told.next_dates)
    last = _UNTIL.search(rule)
    return last is None or last[1] > f"{until:%Y%m%d}"


def _days_agree(start: When, voice: Voice) -> bool:
    """A rule speaks of days in the event's zone; in another zone they may be other days, at least in summer."""
    here = shown(start, voice).local.replace(tzinfo=None)
    return _same_clock(start, voice) or all(
        one.date() == start.local.date() for one in (here - _CLOCKS, here, here + _CLOCKS)
    )


def _same_clock(start: When, voice: Voice) -> bool:
    """Whether the reader's clock shows the event's own time all year."""
    if start.form in {"date", "floating"}:
        return True
    if not start.zone:
        return str(voice.zone or voice.home) == "UTC"
    return voice.zone is None or str(voice.zone) == start.zone


__all__ = ["moves", "words"]
