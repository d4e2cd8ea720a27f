"""What one guest of a meeting may answer, read from the organizer's copy, and the message that his answer makes.

A page or a plain mail has no calendar program that writes a REPLY or COUNTER for it: here they are composed from what the
organizer's calendar holds at that moment, and decided on like any other by `itip.decide` (SPEC 7.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from gateway.errors import MalformedCalendar
from gateway.ical import onward, recur, times
from gateway.ical.address import Address, is_mail, mailto
from gateway.ical.event import ONWARD, CalendarObject, partstat
from gateway.ical.stamp import to_utc
from gateway.ical.times import Moment, moment_prop
from gateway.ical.tree import Component, Property, prop, text_prop
from gateway.itip import compose, roles, sequences
from gateway.itip import delegation as delegating
from gateway.itip.counter import disallows
from gateway.itip.model import Context, When
from gateway.itip.significance import components_by_key, instance
from gateway.itip.summary import when_of
from gateway.itip.views import is_cancelled, leaving

OPEN: Final = "NEEDS-ACTION"
DATES: Final = 12  # of a series that a page offers
_LOOKED_AT: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """One coming date of a series that he is invited to."""

    key: str
    when: When
    partstat: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the guest stands to the meeting now. `line` None: he is not, or no longer, invited to any of it."""

    line: Property | None
    whole: bool = False  # invited to all of it, not to single dates only
    repeats: bool = False
    cancelled: bool = False
    last: datetime | None = None  # when the last of it is over; None: it has no end
    counters: bool = False  # the organizer takes proposals of another time
    dates: tuple[Dated, ...] = ()

    @property
    def partstat(self) -> str:
        return partstat(self.line) if self.line is not None else ""


def standing(stored: CalendarObject, who: Address, now: datetime) -> Standing:
    """What he may answer."""
    names = frozenset({who})
    own = roles.line_in(stored.master, names)
    line = own or roles.attendee(stored, names)
    if line is None:
        return Standing(line=None)
    repeats = stored.recurring or bool(stored.overrides)
    return Standing(
        line=line,
        whole=own is not None,
        repeats=repeats,
        cancelled=all(map(is_cancelled, (stored.master,) if stored.master else stored.components)),
        last=_last(stored),
        counters=not disallows(stored, "") and stored.kind == "VEVENT",
        dates=_dates(stored, names, now) if repeats else (),
    )


def reply(
    stored: CalendarObject, who: Address, key: str, *, answer: str, comment: str, context: Context
) -> CalendarObject | None:
    """RFC 5546 3.2.3: his answer to all of it (""), to one date or to one and all following; None where he is not invited."""
    component = instance(stored, onward.anchor(key))
    line = roles.line_in(component, frozenset({who}))
    if component is None or line is None:
        return None
    component = _current(stored, onward.anchor(key), component, context)
    named = component.first("RECURRENCE-ID")
    if onward.is_onward(key) and named is not None:
        component = component.put(named.with_params(RANGE="THISANDFUTURE"))
    clean = leaving(Component(component.name, (line,))).properties[0]
    stamp = compose.Stamp(now=context.now, prodid=context.prodid)
    message = compose.reply([(component, clean.with_params(PARTSTAT=answer))], stored, stamp)
    if not comment:
        return message
    said = {name: one.add(text_prop("COMMENT", comment)) for name, one in components_by_key(message)}
    return message.with_components(said)


def withdrawal(stored: CalendarObject, who: Address, *, context: Context) -> CalendarObject | None:
    """RFC 5546 3.2.3: whatever was answered in his name, to all of it or to single dates, he has not decided. None where he is
    not invited."""
    lines = [(key, one, roles.line_in(one, frozenset({who}))) for key, one in components_by_key(stored)]
    his = [(key, one, line) for key, one, line in lines if line is not None]
    answered = [(key, one, line) for key, one, line in his if partstat(line) != OPEN]
    taken = []
    for key, component, line in answered or his[:1]:
        clean = leaving(Component(component.name, (line,))).properties[0]
        open_ = clean.with_params(PARTSTAT=OPEN, DELEGATED_TO=None)
        taken.append((_current(stored, key, component, context), open_))
    return (
        compose.reply(taken, stored, compose.Stamp(now=context.now, prodid=context.prodid)) if taken else None
    )


def delegation(
    stored: CalendarObject,
    who: Address,
    key: str,
    *,
    to: Address,
    name: str,
    comment: str,
    context: Context,
) -> CalendarObject | None:
    """RFC 5546 3.2.2.3: he sends somebody else, to all of it or to one date. None where that cannot be."""
    message = reply(stored, who, key, answer="DELEGATED", comment=comment, context=context)
    if message is None or not is_mail(to):
        return None
    sent = {}
    for place, component in components_by_key(message):
        (own,) = component.all("ATTENDEE")
        line = own.with_params(DELEGATED_TO=(mailto(to),))
        if delegating.fault(instance(stored, key), who, line):
            return None
        other = prop("ATTENDEE", mailto(to), CN=name or None, DELEGATED_FROM=own.value)
        sent[place] = component.replace(own, line).add(other)
    return message.with_components(sent)


def counter(
    stored: CalendarObject,
    who: Address,
    key: str,
    *,
    times_: tuple[datetime, datetime],
    zone: tzinfo,
    comment: str,
    context: Context,
) -> CalendarObject | None:
    """RFC 5546 3.2.7: the event at another time, on his clock, told in the terms of the organizer's.

    Of an all-day event the second is the last day. None where he is not invited, or the date does not take place.
    """
    component = instance(stored, key)
    line = roles.line_in(component, frozenset({who}))
    begin = times.start(component, stored.zones) if component is not None else None
    if component is None or line is None or begin is None:
        return None
    start, end = (_in_terms(begin, one, zone) for one in times_)
    component = _current(stored, key, component, context).without("DURATION", "RRULE", "RDATE", "EXDATE")
    moved = component.put(moment_prop("DTSTART", start)).put(moment_prop("DTEND", end))
    stamp = compose.Stamp(now=context.now, prodid=context.prodid)
    return compose.counter(moved, line, stored, stamp=stamp, comment=comment)


def is_all_day(stored: CalendarObject, key: str) -> bool:
    """Whether it is days that the event takes, not hours."""
    begin = _begin(stored, key)
    return begin is not None and begin.is_date


def zone_at(stored: CalendarObject, key: str) -> tzinfo:
    """The clock by which the organizer reads it."""
    begin = _begin(stored, key)
    return begin.zone if begin is not None and begin.zone is not None else UTC


def _begin(stored: CalendarObject, key: str) -> Moment | None:
    component = instance(stored, key)
    return times.start(component, stored.zones) if component is not None else None


def key_of(scope: str, date: str) -> str:
    """The key of what is answered: series, instance or following."""
    return {"instance": date, "following": date + ONWARD}.get(scope, "") if date else ""


def _current(stored: CalendarObject, key: str, component: Component, context: Context) -> Component:
    """With the SEQUENCE that guests were last told, which the calendar may lack (SPEC 5.6)."""
    known = sequences.known(stored, key, context.marks)
    return component if known is None else component.put(prop("SEQUENCE", str(known)))


def _in_terms(begin: Moment, at: datetime, zone: tzinfo) -> Moment:
    if begin.is_date or begin.utc is None:
        return begin.at_local(at)
    return begin.at_instant(to_utc(at, zone))


def _dates(stored: CalendarObject, names: frozenset[Address], now: datetime) -> tuple[Dated, ...]:
    found: list[Dated] = []
    try:
        coming = recur.first(stored, _LOOKED_AT, after=now)
    except MalformedCalendar:
        return ()
    for each in coming:
        line = roles.line_in(instance(stored, each.key), names)
        when = when_of(each.start, stored.zones)
        if line is not None and when is not None and not is_cancelled(each.component):
            found.append(Dated(key=onward.anchor(each.key), when=when, partstat=partstat(line)))
    return tuple(found[:DATES])


def _last(stored: CalendarObject) -> datetime | None:
    if stored.kind == "VTODO":
        return None  # a task that is overdue is not over
    try:
        return recur.last_end(stored)
    except MalformedCalendar:
        return None


__all__ = [
    "DATES",
    "OPEN",
    "Dated",
    "Standing",
    "counter",
    "delegation",
    "is_all_day",
    "key_of",
    "reply",
    "standing",
    "withdrawal",
    "zone_at",
]
