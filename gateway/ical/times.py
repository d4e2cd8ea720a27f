"""Dates and times of a calendar object as values: a Moment keeps how it was said and knows its instant.

    moment(event.first("DTSTART"), zones)  ->  Moment(form=ZONED, local=10:00, tzid="Europe/Berlin", utc=09:00Z)

Two moments are the same occurrence when their `key`s are equal; `key` is also how an occurrence is named everywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

from gateway.errors import LimitExceeded, MalformedCalendar
from gateway.ical.stamp import (
    Span,
    clock_text,
    date_text,
    parse_span,
    plus,
    read_stamp,
    to_local,
    to_utc,
)
from gateway.ical.tree import Component, Property, prop
from gateway.ical.zones import Zones


class Form(StrEnum):
    """The four ways in which RFC 5545 3.3.4 and 3.3.5 tell a time."""

    DATE = "date"
    UTC = "utc"
    ZONED = "zoned"
    FLOATING = "floating"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A date or date-time. `local` is naive, a date is its midnight; a TZID that nobody knows leaves the form FLOATING."""

    form: Form
    local: datetime
    tzid: str = ""
    utc: datetime | None = None  # UTC and ZONED only
    zone: tzinfo | None = field(default=None, repr=False, compare=False)

    @property
    def is_date(self) -> bool:
        return self.form is Form.DATE

    @property
    def key(self) -> str:
        """`20261123T140000Z` for an instant, `20261123` for a date, `20261123T140000` for a floating time."""
        if self.utc is not None:
            return f"{clock_text(self.utc)}Z"
        return date_text(self.local) if self.is_date else clock_text(self.local)

    def instant(self, floating: tzinfo = UTC) -> datetime:
        """The aware UTC time; dates and floating times are taken in the zone `floating`."""
        return self.utc if self.utc is not None else to_utc(self.local, floating)

    def shifted(self, span: Span) -> Moment:
        """RFC 5545 3.3.6: days are nominal and keep the wall clock, seconds are exact. It stops at the ends of the calendar."""
        if self.is_date:
            return self.at_local(plus(self.local, timedelta(days=span.days + span.seconds // 86_400)))
        moved = self.at_local(plus(self.local, timedelta(days=span.days)))
        exact = timedelta(seconds=span.seconds)
        if moved.utc is None:
            return moved.at_local(plus(moved.local, exact))
        return moved.at_instant(plus(moved.utc, exact)) if exact else moved

    def at_local(self, local: datetime) -> Moment:
        """Another wall clock time in the same form and zone."""
        if self.form is Form.UTC:
            return Moment(form=Form.UTC, local=local, utc=local.replace(tzinfo=UTC), zone=UTC)
        utc = to_utc(local, self.zone) if self.zone is not None else None
        return Moment(form=self.form, local=local, tzid=self.tzid, utc=utc, zone=self.zone)

    def at_instant(self, instant: datetime) -> Moment:
        """The moment of an instant in the same form and zone; in UTC terms where the form has no zone."""
        if self.form is Form.ZONED and self.zone is not None:
            local = to_local(instant, self.zone)
            return Moment(
                form=self.form, local=local, tzid=self.tzid, utc=instant.astimezone(UTC), zone=self.zone
            )
        return self.at_local(instant.astimezone(UTC).replace(tzinfo=None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A stretch of time, aware UTC, half-open: its end is no longer in it."""

    start: datetime
    end: datetime


def moment(found: Property, zones: Zones) -> Moment:
    """The date or date-time of a property; of a list or a PERIOD the first start. Raise MalformedCalendar."""
    return _moment(found, found.value.partition(",")[0].partition("/")[0], zones)


def moments(found: Property, zones: Zones) -> tuple[Moment, ...]:
    """Every date or date-time of a list (EXDATE, RDATE), of PERIODs their starts. Raise MalformedCalendar."""
    return tuple(
        _moment(found, item.partition("/")[0], zones) for item in found.value.split(",") if item.strip()
    )


def spans(found: Property, zones: Zones) -> tuple[tuple[Moment, Moment | None], ...]:
    """Every start of a list with its end, where the value is a PERIOD (RFC 5545 3.3.9). Raise MalformedCalendar."""
    out: list[tuple[Moment, Moment | None]] = []
    for item in found.value.split(","):
        if not item.strip():
            continue
        begin, slash, rest = item.partition("/")
        first = _moment(found, begin, zones)
        if not slash:
            out.append((first, None))
        elif rest.strip()[:1] in "+-Pp":
            out.append((first, first.shifted(parse_span(rest))))
        else:
            out.append((first, _moment(found, rest, zones)))
    return tuple(out)


def readable(found: Property, zones: Zones) -> tuple[tuple[Moment, Moment | None], ...]:
    """Like `spans`, without the items that cannot be read: an exception that names no day excludes none."""
    out: list[tuple[Moment, Moment | None]] = []
    for item in found.value.split(","):
        try:
            out.extend(spans(found.with_value(item), zones))
        except LimitExceeded:
            raise
        except MalformedCalendar:
            continue
    return tuple(out)


def moment_prop(name: str, when: Moment, **params: str | None) -> Property:
    """A property that says a moment in its own form."""
    if when.is_date:
        return prop(name, date_text(when.local), VALUE="DATE", **params)
    if when.form is Form.UTC:
        return prop(name, f"{clock_text(when.local)}Z", **params)
    return prop(name, clock_text(when.local), TZID=when.tzid or None, **params)


def utc_prop(name: str, at: datetime) -> Property:
    """A property that says an instant in UTC (DTSTAMP, CREATED, COMPLETED)."""
    return prop(name, f"{clock_text(at.astimezone(UTC))}Z")


def utc_moment(at: datetime) -> Moment:
    """An instant as a moment of form UTC."""
    utc = at.astimezone(UTC).replace(microsecond=0)
    return Moment(form=Form.UTC, local=utc.replace(tzinfo=None), utc=utc, zone=UTC)


def read_key(key: str, begin: Moment | None) -> Moment | None:
    """The moment that a key names, in the form of a series that begins at `begin`; None when it is no key of that form."""
    try:
        stamp = read_stamp(key)
    except MalformedCalendar:
        return None
    if begin is None:
        return utc_moment(stamp.local.replace(tzinfo=UTC)) if stamp.is_utc else None
    if stamp.is_date != begin.is_date or stamp.is_utc != (begin.utc is not None):
        return None
    return begin.at_instant(stamp.local.replace(tzinfo=UTC)) if stamp.is_utc else begin.at_local(stamp.local)


def start(component: Component, zones: Zones) -> Moment | None:
    """DTSTART; of a task without it DUE. None when there is neither. Raise MalformedCalendar."""
    found = component.first("DTSTART")
    if found is None and component.name == "VTODO":
        found = component.first("DUE")
    return None if found is None or not found.value.strip() else moment(found, zones)


def end(component: Component, zones: Zones) -> Moment | None:
    """RFC 5545 3.6.1: the effective end, which DTEND, DUE, DURATION or the default tells. Raise MalformedCalendar.

    None without a start, and for a task without DUE. Never before the start; an all-day event whose DTEND is its
    DTSTART lasts that day (Outlook writes such).
    """
    begin = start(component, zones)
    found = component.first("DUE" if component.name == "VTODO" else "DTEND")
    if found is not None and found.value.strip():
        told: Moment | None = moment(found, zones)
    elif begin is not None and (duration := component.value("DURATION")):
        told = begin.shifted(parse_span(duration))
    else:
        told = None
    if begin is None or (told is None and component.name == "VTODO"):
        return told
    least = begin.shifted(Span(days=1)) if begin.is_date and component.name == "VEVENT" else begin
    return least if told is None or told.instant() < least.instant() else told


def _moment(found: Property, text: str, zones: Zones) -> Moment:
    """One value. A Z wins over a TZID, which may not stand beside it (RFC 5545 3.2.19), and a time of day over VALUE=DATE."""
    stamp = read_stamp(text)
    local = stamp.local
    if stamp.is_utc:
        return Moment(form=Form.UTC, local=local, utc=local.replace(tzinfo=UTC), zone=UTC)
    midnight = not (local.hour or local.minute or local.second)
    if stamp.is_date or (midnight and (found.param("VALUE") or "").upper() == "DATE"):
        return Moment(form=Form.DATE, local=local)
    tzid = found.param("TZID") or ""
    zone = zones.zone(tzid) if tzid else None
    if zone is None:
        return Moment(form=Form.FLOATING, local=local, tzid=tzid)
    return Moment(form=Form.ZONED, local=local, tzid=tzid, utc=to_utc(local, zone), zone=zone)


__all__ = [
    "Form",
    "Moment",
    "Period",
    "Span",
    "Zones",
    "end",
    "moment",
    "moment_prop",
    "moments",
    "parse_span",
    "read_key",
    "readable",
    "spans",
    "start",
    "utc_moment",
    "utc_prop",
]
