"""What an organizer changed: which instances came, went, moved or say something new, before anybody is told.

difference(before, after, now=..., past=...)  ->  Difference
difference.concern(guest)                     ->  Concern: what of it is his, as a REQUEST and as a CANCEL
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.ical import recur, times
from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, attendee_of
from gateway.ical.tree import Component
from gateway.itip.significance import (
    InstanceFacts,
    facts_by_key,
    instance,
    instance_facts,
    material,
    raises_sequence,
    rescheduled,
)
from gateway.itip.views import is_cancelled

_DERIVED = (
    100  # new dates that get an override of their own to hold their answers; more are reset with the series
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """What one guest must be told: `asked` instances by REQUEST (`full`: all he has), `lost` ones by CANCEL."""

    was: frozenset[str]
    now: frozenset[str]
    asked: frozenset[str] = frozenset()
    full: bool = False
    lost: frozenset[str] = frozenset()
    uninvited: frozenset[str] = frozenset()  # of the lost ones those that take place without him

    @property
    def first(self) -> bool:
        return not self.was


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two states of a meeting, instance by instance; `was` and `now` hold those that take place and may matter."""

    before: CalendarObject | None
    after: CalendarObject
    reset: frozenset[str]
    raised: frozenset[str]
    news: frozenset[str]
    whole: bool
    was: Mapping[str, Component]
    now: Mapping[str, Component]

    def concern(self, who: Address) -> Concern:
        """What of the difference is this guest's. A full REQUEST excludes what he lost, so it needs no CANCEL beside it."""
        was = frozenset(key for key, component in self.was.items() if attendee_of(component, who))
        now = frozenset(key for key, component in self.now.items() if attendee_of(component, who))
        lost = was - now
        uninvited = lost & self.now.keys()
        if "" in lost:
            rest = now - {""}
            return Concern(was=was, now=now, asked=rest, lost=frozenset({""}), uninvited=uninvited & {""})
        asked = (now - was) | (self.news & now)
        if "" in now and (
            self.whole or "" in asked or any(self.after.component(key) is None for key in asked)
        ):
            return Concern(was=was, now=now, asked=now, full=True)
        return Concern(was=was, now=now, asked=asked, lost=lost, uninvited=uninvited)


def difference(
    before: CalendarObject | None, after: CalendarObject, *, now: datetime, skip_past: bool
) -> Difference:
    """Compare two states; instances that are over in both say nothing when `skip_past`."""
    over = _all_over(before, after, now) if skip_past else frozenset()
    reset = rescheduled(before, after) - over if before is not None else frozenset()
    raised = raises_sequence(before, after) if before is not None else frozenset()
    whole = _whole(before, after, over)
    news = (raised | reset | material(before, after)) - {""} | ({""} if whole else set())
    after = _with_derived(after, reset, now)
    if any(after.component(key) is None for key in reset):
        reset = frozenset(key for key in reset if after.component(key) is not None) | {""}
    keys = _candidates(before, after) - over
    return Difference(
        before=before,
        after=after,
        reset=reset,
        raised=raised,
        news=news & keys,
        whole=whole,
        was=_living(before, keys),
        now=_living(after, keys),
    )


def _whole(before: CalendarObject | None, after: CalendarObject, over: frozenset[str]) -> bool:
    """Whether the series as such says something new: more than dates taken out of it, or tidied up once they are over."""
    if before is None or before.master is None or after.master is None:
        return after.master is not None
    was, now = facts_by_key(before), facts_by_key(after)
    if _but_exdates(was[""]) != _but_exdates(now[""]) or was[""].exdates - now[""].exdates - over:
        return True
    gone = was.keys() - now.keys() - over
    return any(_fell_back(was[key], instance_facts(after, key)) for key in gone)


def _but_exdates(facts: InstanceFacts) -> tuple[object, ...]:
    return (*facts.series, facts.end, facts.bounds, facts.rdates, facts.status, facts.told)


def _fell_back(was: InstanceFacts, now: InstanceFacts | None) -> bool:
    return now is not None and _but_exdates(was) != _but_exdates(now)


def _with_derived(after: CalendarObject, reset: frozenset[str], now: datetime) -> CalendarObject:
    """Dates whose answers are void although they have no component get one: only there can NEEDS-ACTION stand."""
    bare = sorted(key for key in reset if after.component(key) is None)
    if not bare or len(bare) > _DERIVED or "" in reset:
        return after
    derived = {key: recur.derive_instance(after, key, dtstamp=now) for key in bare}
    return after.with_components({key: made for key, made in derived.items() if made is not None})


def _candidates(before: CalendarObject | None, after: CalendarObject) -> frozenset[str]:
    """The keys at which a guest may have come or gone."""
    keys = {"", *after.overrides}
    if before is None:
        return frozenset(keys)
    keys.update(before.overrides)
    was, now = facts_by_key(before).get(""), facts_by_key(after).get("")
    if was is not None and now is not None:
        keys.update(was.exdates ^ now.exdates)
    return frozenset(keys)


def _living(meeting: CalendarObject | None, keys: Iterable[str]) -> dict[str, Component]:
    if meeting is None:
        return {}
    found = ((key, instance(meeting, key)) for key in keys)
    return {key: one for key, one in found if one is not None and not is_cancelled(one)}


def _all_over(before: CalendarObject | None, after: CalendarObject, now: datetime) -> frozenset[str]:
    """The instances that may have changed and have ended in every state in which they exist; an overdue task has not."""
    if after.kind == "VTODO":
        return frozenset()
    return frozenset(key for key in _candidates(before, after) if key and _over(key, (before, after), now))


def _over(key: str, states: Iterable[CalendarObject | None], now: datetime) -> bool:
    """Whether this instance has ended in every state in which it exists."""
    ends = []
    for meeting in states:
        component = instance(meeting, key) if meeting is not None else None
        if meeting is not None and component is not None:
            ends.append(times.end(component, meeting.zones))
    return bool(ends) and all(end is not None and end.instant() <= now for end in ends)


__all__ = ["Concern", "Difference", "difference"]
