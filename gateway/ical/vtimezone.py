"""A VTIMEZONE written from a zone of the IANA database, for objects that name a TZID and do not define it.

RFC 5545 3.6.5 wants the definition with the object. Changes that come every year on one pattern become a rule, the others
RDATEs, so that Europe/Berlin is two observances. (icalendar's generator writes the onset in the wrong offset and ends in 2038.)
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from gateway.ical.stamp import clock_text, offset_text
from gateway.ical.tree import Component, Property, prop, text_prop

_LAST_YEAR = 2037  # what repeats until here is taken to repeat for good
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


class _Change(NamedTuple):
    utc: datetime
    before: timedelta
    after: timedelta
    name: str
    daylight: bool

    @property
    def local(self) -> datetime:
        return (self.utc + self.before).replace(tzinfo=None)

    @property
    def kind(self) -> tuple[object, ...]:
        return self.before, self.after, self.name, self.daylight

    @property
    def patterns(self) -> frozenset[tuple[object, ...]]:
        """Every way to say which day of the year this is: the n-th weekday of its month, the last one, the date."""
        local = self.local
        length = calendar.monthrange(local.year, local.month)[1]
        day, clock = _WEEKDAYS[local.weekday()], local.time()
        ways = {(f"BYMONTH={local.month};BYDAY={(local.day - 1) // 7 + 1}{day}", clock)}
        if local.day + 7 > length:
            ways.add((f"BYMONTH={local.month};BYDAY=-1{day}", clock))
        ways.add((f"BYMONTH={local.month};BYMONTHDAY={local.day}", clock))
        return frozenset(ways)


class _Run(NamedTuple):
    """Changes of one kind, one in each of consecutive years, which one pattern describes."""

    changes: list[_Change]
    patterns: frozenset[tuple[object, ...]]


def vtimezone_of(zone: ZoneInfo, tzid: str, since: int = 2000) -> Component:
    """The VTIMEZONE of an IANA zone under this TZID (RFC 5545 3.6.5), right from the first day of year `since` on."""
    return Component(
        "VTIMEZONE", [text_prop("TZID", tzid), *_observances(zone.key, max(1970, min(since, 2030)))]
    )


@lru_cache(maxsize=256)
def _observances(key: str, since: int) -> tuple[Component, ...]:
    zone = ZoneInfo(key)
    changes = _changes(zone, since)
    found = tuple(_components(_runs(changes)))
    if changes and changes[0].utc.year == since:
        return found
    begin = datetime(
        since, 1, 1, tzinfo=UTC
    )  # without a change in its first year the zone says what held then
    offset = _offset(zone, begin)
    still = _Change(begin - offset, offset, offset, begin.astimezone(zone).tzname() or "", daylight=False)
    return (_component([still], None), *found)


def _changes(zone: ZoneInfo, since: int) -> list[_Change]:
    """Every change of offset, found by looking every ten days and halving (Morocco's Ramadan lasts four weeks)."""
    found: list[_Change] = []
    at, end = datetime(since, 1, 1, tzinfo=UTC), datetime(_LAST_YEAR + 1, 1, 1, tzinfo=UTC)
    while at < end:
        after = at + timedelta(days=10)
        if _offset(zone, at) != _offset(zone, after):
            found.append(_between(zone, at, after))
        at = after
    return found


def _between(zone: ZoneInfo, low: datetime, high: datetime) -> _Change:
    before = _offset(zone, low)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
        low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
    local = high.astimezone(zone)
    return _Change(high, before, _offset(zone, high), local.tzname() or "", bool(local.dst()))


def _runs(changes: Iterable[_Change]) -> list[_Run]:
    runs: list[_Run] = []
    for change in changes:
        for place, run in enumerate(runs):
            last = run.changes[-1]
            shared = run.patterns & change.patterns
            if last.kind == change.kind and last.local.year + 1 == change.local.year and shared:
                runs[place] = _Run([*run.changes, change], shared)
                break
        else:
            runs.append(_Run([change], change.patterns))
    return runs


def _components(runs: Sequence[_Run]) -> Iterable[Component]:
    single: dict[tuple[object, ...], list[_Change]] = {}
    for run in runs:
        if len(run.changes) < 3:
            single.setdefault(run.changes[0].kind, []).extend(run.changes)
    for changes in single.values():
        yield _component(sorted(changes), None)
    for run in runs:
        if len(run.changes) >= 3:
            pattern = min(str(way[0]) for way in run.patterns)
            endless = run.changes[-1].local.year == _LAST_YEAR
            until = "" if endless else f";UNTIL={clock_text(run.changes[-1].utc)}Z"
            yield _component(run.changes[:1], f"FREQ=YEARLY;{pattern}{until}")


def _component(changes: Sequence[_Change], rule: str | None) -> Component:
    first = changes[0]
    lines: list[Property] = [prop("DTSTART", clock_text(first.local))]
    if rule is not None:
        lines.append(prop("RRULE", rule))
    elif len(changes) > 1:
        lines.append(prop("RDATE", ",".join(clock_text(change.local) for change in changes[1:])))
    lines += [
        prop("TZOFFSETFROM", offset_text(first.before)),
        prop("TZOFFSETTO", offset_text(first.after)),
        text_prop("TZNAME", first.name),
    ]
    return Component("DAYLIGHT" if first.daylight else "STANDARD", lines)


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)


__all__ = ["vtimezone_of"]
