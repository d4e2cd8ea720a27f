"""What of a meeting matters: canonical facts per instance, and what their differences mean.

    fingerprint(object)             equal for two spellings of one meeting, however a server rewrote it
    rescheduled(before, after)      whose start, end or due moved, or who is new: answers are void (SPEC 5.2)
    raises_sequence(before, after)  the set of RFC 5546 2.1.4 differs: SEQUENCE must rise
    material(before, after)         what guests want to be told without being asked again

Everything else (alarms, others' answers, X-properties, stamps) is cosmetic. The three differences are sets of
recurrence keys, "" for the master. A key may name an instance that has no component of its own in `after`: an override
that went away, an RDATE that came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gateway.errors import MalformedCalendar
from gateway.ical import onward, times
from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, partstat, person
from gateway.ical.stamp import plus
from gateway.ical.times import Moment, Span, Zones
from gateway.ical.tree import Component, prop
from gateway.itip import forced, tasks

_TOLD_TEXT: Final = ("SUMMARY", "DESCRIPTION", "LOCATION", "CONTACT", "RESOURCES")
_TOLD_VALUE: Final = ("URL", "CONFERENCE", "ATTACH", "GEO", "PRIORITY")
_BY_DEFAULT: Final = {"PRIORITY": "0"}
_STATUS: Final = {"VEVENT": "CONFIRMED", "VTODO": "NEEDS-ACTION"}
_DAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_BY_DAY: Final = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_BY_TIME: Final = frozenset({"BYHOUR", "BYMINUTE", "BYSECOND"})
_DAY: Final = timedelta(days=1)
_RULE_DEFAULTS: Final = {"INTERVAL": "1", "WKST": "MO"}
_STAMPS: Final = ("DTSTAMP", "LAST-MODIFIED", "CREATED", "SEQUENCE", "X-")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFacts:
    """One component in canonical values; instants are keys such as `20261123T140000Z`."""

    start: str
    end: str  # effective: DTEND, DUE, or start plus duration
    rule: str  # RRULE without its bounds
    bounds: str  # COUNT and UNTIL
    clock: str  # of a series: the zone's UTC offsets through a year, so that 11:00 Berlin is not 09:00 UTC
    rdates: frozenset[str]
    exdates: frozenset[str]
    status: str
    told: frozenset[tuple[str, str]]
    answers: frozenset[tuple[Address, str]]
    progress: str  # of a task, and of each of its attendees

    @property
    def times(self) -> tuple[str, str]:
        return self.start, self.end

    @property
    def cancelled(self) -> bool:
        return self.status == "CANCELLED"

    @property
    def series(self) -> tuple[str, ...]:
        """What moves every occurrence when it differs."""
        return (self.start, self.rule, self.clock)

    @property
    def sequenced(self) -> tuple[object, ...]:
        """RFC 5546 2.1.4: DTSTART, DTEND, DURATION, DUE, RRULE, RDATE, EXDATE, STATUS."""
        return (*self.series, self.end, self.bounds, self.rdates, self.exdates, self.status)


def fingerprint(meeting: CalendarObject) -> str:
    """A hash of what matters, PARTSTATs and orders to send included; without SEQUENCE, stamps, alarms, X-* and the other
    SCHEDULE-* (HOUSE 4, apply).

    Never raises: where a date cannot be read, the lines themselves are hashed.
    """
    digest = hashlib.sha256(meeting.uid.encode("utf-8", "surrogateescape"))
    try:
        _digest_facts(meeting, digest.update)
    except MalformedCalendar:
        for key, component in components_by_key(meeting):
            lines = sorted(line for line in component.lines() if not line.startswith(_STAMPS))
            digest.update(repr((key, lines)).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:40]


def _digest_facts(meeting: CalendarObject, update: Callable[[bytes], None]) -> None:
    ordered = sorted(line.line for component in meeting.components for line in forced.orders(component))
    if ordered:
        update(repr(ordered).encode("utf-8", "surrogateescape"))
    for key, facts in sorted(facts_by_key(meeting).items()):
        plain = (
            key,
            facts.start,
            facts.end,
            facts.rule,
            facts.bounds,
            facts.clock,
            facts.status,
            facts.progress,
        )
        lists = (facts.rdates, facts.exdates, facts.told, facts.answers)
        update(repr((plain, [sorted(one) for one in lists])).encode("utf-8", "surrogateescape"))


def rescheduled(before: CalendarObject | None, after: CalendarObject) -> frozenset[str]:
    """The instances that nobody has answered as they are now (SPEC 5.2): never STATUS, EXDATE, a bound or LOCATION.

    Occurrences that a longer UNTIL or COUNT adds keep the series' answer: they have no component that could be reset.
    """
    if before is None:
        return frozenset(key for key, one in components_by_key(after) if _status(one) != "CANCELLED")
    now = facts_by_key(after)
    living = frozenset(key for key, facts in now.items() if not facts.cancelled)
    was = facts_by_key(before)
    first = _begun_later(before, was.get(""), now.get(""))
    if first is None and _series_moved(was.get(""), now.get("")):
        return living
    moved = {key for key in living if key and _moved(instance_facts(before, key), now[key])}
    if "" in living and _moved(first or was.get(""), now[""]):
        moved.add("")
    moved |= {key for key in was.keys() - now.keys() if _moved_back(was[key], instance_facts(after, key))}
    return frozenset(moved) | _added_dates(before, after, was.get(""), now.get(""))


def raises_sequence(before: CalendarObject | None, after: CalendarObject) -> frozenset[str]:
    """Where a property of RFC 5546 2.1.4 differs; an override that went away counts for the master."""
    return _differing(before, after, lambda facts: facts.sequenced)


def material(before: CalendarObject | None, after: CalendarObject) -> frozenset[str]:
    """Where SUMMARY, DESCRIPTION, LOCATION, URL, CONFERENCE, ATTACH and their like differ (SPEC 5.2)."""
    return _differing(before, after, lambda facts: facts.told)


def facts_by_key(meeting: CalendarObject) -> dict[str, InstanceFacts]:
    """The facts of the master ("") and of every override."""
    return {key: read_facts(component, meeting) for key, component in components_by_key(meeting)}


def components_by_key(meeting: CalendarObject) -> Iterator[tuple[str, Component]]:
    """The master, if there is one, then the overrides by their keys."""
    if meeting.master is not None:
        yield "", meeting.master
    yield from sorted(meeting.overrides.items())


def instance(meeting: CalendarObject, key: str) -> Component | None:
    """The component of an instance: its override, or one derived from the rest; None when it does not take place."""
    return meeting.component(key) or onward.instance(meeting, key)


def instance_facts(meeting: CalendarObject, key: str) -> InstanceFacts | None:
    """The facts of an instance, with or without a component of its own."""
    component = instance(meeting, key)
    return None if component is None else read_facts(component, meeting)


def read_facts(component: Component, meeting: CalendarObject) -> InstanceFacts:
    """The canonical values of one component."""
    start = times.start(component, meeting.zones)
    end = times.end(component, meeting.zones)
    rule, bounds = _rules(component, start, meeting.zones)
    rdates = _dates(component, "RDATE", start, meeting.zones)
    return InstanceFacts(
        start=start.key if start else "",
        end=end.key if end else "",
        rule=rule,
        bounds=bounds,
        clock=_clock(start) if rule or rdates else "",
        rdates=rdates,
        exdates=_dates(component, "EXDATE", start, meeting.zones),
        status=_status(component),
        told=frozenset(_told(component)),
        answers=frozenset(_answers(component, meeting.organizer)),
        progress=tasks.fact(component) if component.name == "VTODO" else "",
    )


def _status(component: Component) -> str:
    return (component.value("STATUS") or _STATUS.get(component.name, "")).strip().upper()


def _series_moved(was: InstanceFacts | None, now: InstanceFacts | None) -> bool:
    if was is None or now is None or not (was.clock or now.clock):
        return False
    if was.rule == now.rule == "":  # dates only: each of them is an instance of its own
        return was.start != now.start
    return was.series != now.series


def _begun_later(
    before: CalendarObject, was: InstanceFacts | None, now: InstanceFacts | None
) -> InstanceFacts | None:
    """The first occurrence that is left of a series whose beginning was taken off: none of the others has moved by that."""
    if before.master is None or was is None or now is None:
        return None
    if not was.rule or was.rule != now.rule or was.start >= now.start:
        return None
    alone = before.with_component("", before.master.without("EXDATE"))
    alone = alone.without_components(before.overrides)
    left = instance(alone, now.start)
    start = times.start(left, before.zones) if left is not None else None
    if left is None or start is None or _clock(start) != now.clock:
        return None
    return read_facts(left, before)


def _moved(was: InstanceFacts | None, now: InstanceFacts) -> bool:
    return was is None or was.cancelled or was.times != now.times


def _moved_back(was: InstanceFacts, now: InstanceFacts | None) -> bool:
    return now is not None and _moved(was, now)


def _added_dates(
    before: CalendarObject, after: CalendarObject, was: InstanceFacts | None, now: InstanceFacts | None
) -> frozenset[str]:
    """Instances that an RDATE brought or made longer, or that an EXDATE gave back; not those that the series had anyway."""
    if was is None or now is None:
        return frozenset()
    added = (now.rdates - was.rdates) | (was.exdates - now.exdates)
    keys = {text.partition("/")[0] for text in added} - after.overrides.keys()
    facts = ((key, instance_facts(before, key), instance_facts(after, key)) for key in keys)
    return frozenset(key for key, old, new in facts if new is not None and _moved(old, new))


def _differing(
    before: CalendarObject | None, after: CalendarObject, view: Callable[[InstanceFacts], object]
) -> frozenset[str]:
    if before is None:
        return frozenset(key for key, _ in components_by_key(after))
    was, now = facts_by_key(before), facts_by_key(after)
    found: set[str] = set()
    for key, facts in now.items():
        old = was.get(key) or (instance_facts(before, key) if key else None)
        if old is None or view(old) != view(facts):
            found.add(key)
    for key in was.keys() - now.keys():
        left = instance_facts(after, key) if key else None
        if left is not None and view(left) != view(was[key]):
            found.add("")
    return frozenset(found)


def _told(component: Component) -> Iterator[tuple[str, str]]:
    for name in _TOLD_TEXT:
        for found in component.all(name):
            text = " ".join(found.text.split())
            if text:
                yield name, text
    for name in _TOLD_VALUE:
        for found in component.all(name):
            value = found.value.strip()
            if value and value != _BY_DEFAULT.get(name):
                yield name, value


def _answers(component: Component, organizer: Address | None) -> Iterator[tuple[Address, str]]:
    for found in component.all("ATTENDEE"):
        who = person(found)
        if who != organizer:
            yield who, partstat(found)


def _dates(component: Component, name: str, start: Moment | None, zones: Zones) -> frozenset[str]:
    """RDATE and EXDATE as one expanded set of keys; a period keeps its end behind a slash."""
    keys = set()
    for found in component.all(name):
        for moment, end in times.spans(found, zones):
            keys.add(_key(moment, start) + (f"/{end.key}" if end is not None else ""))
    return frozenset(keys)


def _key(moment: Moment, start: Moment | None) -> str:
    """In an all-day series a date with a time means its day."""
    if start is not None and start.is_date and not moment.is_date:
        return moment.local.strftime("%Y%m%d")
    return moment.key


def _clock(start: Moment | None) -> str:
    """How the wall clock of a series runs: its offsets from UTC in four seasons, or the form that has none."""
    if start is None or start.utc is None:
        return str(start.form) if start is not None else "none"
    seasons = (start.shifted(Span(days=days)) for days in (0, 91, 182, 273))
    return ",".join(str(one.local - one.utc.replace(tzinfo=None)) for one in seasons if one.utc is not None)


def _rules(component: Component, start: Moment | None, zones: Zones) -> tuple[str, str]:
    pairs = [_rule(found.value, start, zones) for found in component.all("RRULE")]
    return "|".join(sorted(rule for rule, _ in pairs)), "|".join(sorted(bound for _, bound in pairs))


def _rule(text: str, start: Moment | None, zones: Zones) -> tuple[str, str]:
    """RFC 5545 3.3.10: one spelling per rule; its parts sorted, defaults and what DTSTART says anyway left out."""
    parts: dict[str, str] = {}
    for item in text.upper().replace(" ", "").split(";"):
        name, _, value = item.partition("=")
        if value and value != _RULE_DEFAULTS.get(name):
            parts[name] = ",".join(sorted(one.lstrip("+") for one in value.split(",")))
    until = parts.pop("UNTIL", "")
    count = parts.pop("COUNT", "")
    if start is not None:
        _drop_implied(parts, start)
    rule = ";".join(f"{name}={value}" for name, value in sorted(parts.items()))
    if until and start is not None and not count:
        by_day = parts.get("FREQ") in _BY_DAY and not parts.keys() & _BY_TIME
        until = _until(until, start, zones, by_day=by_day)
    return rule, f"COUNT={count}" if count else f"UNTIL={until}" if until else ""


def _drop_implied(parts: dict[str, str], start: Moment) -> None:
    by = {name for name in parts if name.startswith("BY")}
    implied = {
        "WEEKLY": {"BYDAY": _DAYS[start.local.weekday()]},
        "MONTHLY": {"BYMONTHDAY": str(start.local.day)},
        "YEARLY": {"BYMONTH": str(start.local.month), "BYMONTHDAY": str(start.local.day)},
    }.get(parts.get("FREQ", ""), {})
    if by == {"BYMONTHDAY"} and parts.get("FREQ") == "YEARLY":
        return  # without BYMONTH this is the day of every month
    if by <= implied.keys() and all(parts[name] == implied[name] for name in by):
        for name in by:
            del parts[name]


def _until(text: str, start: Moment, zones: Zones, *, by_day: bool) -> str:
    """The last day on which a rule `by_day` may come, else the instant: programs write UNTIL as a date, in UTC, in local time,
    and as any hour between the last occurrence and the next."""
    if "T" not in text:
        return text if by_day else f"{text}T235959"
    named = times.moment(prop("UNTIL", text, TZID=None if text.endswith("Z") else start.tzid or None), zones)
    at = start.at_instant(named.utc) if start.utc is not None and named.utc is not None else named
    if not by_day:
        return at.key
    late = start.is_date or at.local.time() >= start.local.time()
    return f"{at.local if late else plus(at.local, -_DAY):%Y%m%d}"


__all__ = [
    "InstanceFacts",
    "components_by_key",
    "facts_by_key",
    "fingerprint",
    "instance",
    "instance_facts",
    "material",
    "raises_sequence",
    "read_facts",
    "rescheduled",
]
