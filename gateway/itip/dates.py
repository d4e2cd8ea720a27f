"""The dates of a meeting that are still to come and take a room, and the copy in which each of them has its answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, tzinfo

from gateway.ical import recur
from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, partstat
from gateway.ical.recur import Occurrence
from gateway.ical.times import Moment, Period
from gateway.ical.tree import Component
from gateway.itip.freebusy import stretch
from gateway.itip.roles import identities, line_in
from gateway.itip.views import is_cancelled

_COMING = frozenset({"ACCEPTED", "TENTATIVE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Date:
    """One occurrence that invites the owner and takes place."""

    key: str  # as the copy names it: "" where it does not repeat
    start: Moment
    period: Period
    component: Component
    answer: str  # his PARTSTAT


def dates(
    of: CalendarObject, owner: Set[Address], *, after: datetime, before: datetime, zone: tzinfo
) -> tuple[Date, ...]:
    """Those that overlap the window, in order. Raise MalformedCalendar for what cannot be expanded."""
    found = recur.occurrences(of, after=after, before=before, floating=zone)
    return tuple(date for one in found if (date := _date(of, one, owner, zone)) is not None)


def beyond(of: CalendarObject, owner: Set[Address], *, after: datetime, zone: tzinfo) -> Date | None:
    """The first of those that begin later."""
    found = recur.first(of, 1 + len(of.overrides), after=after)
    return next((date for one in found if (date := _date(of, one, owner, zone)) is not None), None)


def _date(of: CalendarObject, one: Occurrence, owner: Set[Address], zone: tzinfo) -> Date | None:
    line = line_in(one.component, owner)
    if line is None or is_cancelled(one.component):
        return None
    plain = not one.overridden and not of.recurring
    return Date(
        key="" if plain else one.key,
        start=one.start,
        period=stretch(one.start.instant(zone), one.end.instant(zone)),
        component=one.component,
        answer=partstat(line),
    )


def answered(
    of: CalendarObject, answers: Mapping[str, str], owner: Set[Address], *, now: datetime
) -> CalendarObject:
    """The copy with these answers by date: the series says what most can be told by, other dates say theirs themselves."""
    plain = [one for key, one in answers.items() if key not in of.overrides]
    whole = "ACCEPTED" if "ACCEPTED" in plain else next(iter(plain), "")
    changed: dict[str, Component] = {}
    if of.master is not None and whole:
        changed[""] = saying(of.master, whole, owner)
    for key, answer in answers.items():
        component = of.overrides.get(key)
        if component is None and key and answer != whole:
            component = recur.derive_instance(of, key, dtstamp=now)
        if component is not None:
            changed[key] = saying(component, answer, owner)
    return of.with_components(changed)


def unanswered(of: CalendarObject, keys: Iterable[str], owner: Set[Address]) -> CalendarObject:
    """The copy as if these dates had no answer yet."""
    asked = set(keys)
    there = {key: one for key, one in of.overrides.items() if key in asked}
    if of.master is not None and asked - there.keys():
        there[""] = of.master
    return of.with_components({key: saying(one, "NEEDS-ACTION", owner) for key, one in there.items()})


def saying(component: Component, answer: str, owner: Set[Address]) -> Component:
    """The component with this answer of the owner's. What is taken is not free, whatever the organizer's own calendar shows."""
    for line in component.all("ATTENDEE"):
        if identities(line) & owner:
            rsvp = line.param("RSVP") if answer == "NEEDS-ACTION" else None
            component = component.replace(line, line.with_params(PARTSTAT=answer, RSVP=rsvp))
    return component.without("TRANSP") if answer in _COMING else component


__all__ = ["Date", "answered", "beyond", "dates", "saying", "unanswered"]
