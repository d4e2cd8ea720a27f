"""A series whose rest moved for good, as the two objects that calendars understand: one that ends, and its tail (SPEC 4.7).

    parts(whole)          the series that ends before the move, and the tail that begins with it under a UID of its own
    joined(head, tail)    the one meeting again, with the move as its organizer said it: RANGE=THISANDFUTURE
    tail_uid(uid)         what the tail of a meeting is called
    whole_uid(object)     of which meeting this is the tail; else its own UID

Only calendars know tails. All that is decided is decided about the whole. Both objects carry what joins them, so that a
program that strips one of unknown lines does not part them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Final

from gateway.errors import LimitExceeded, MalformedCalendar
from gateway.ical import recur, times
from gateway.ical.event import CalendarObject, RecurrenceKey, build, key_in
from gateway.ical.onward import anchor, is_onward, series, shifted
from gateway.ical.stamp import plus
from gateway.ical.times import Moment, Zones, moment_prop, read_key
from gateway.ical.tree import Component, Property, prop, text_prop

TAIL_OF: Final = "X-IMIP-GATEWAY-TAIL-OF"
BEGINS: Final = "X-IMIP-GATEWAY-TAIL-BEGINS"  # the RECURRENCE-ID of the first occurrence that moved
RULE: Final = "X-IMIP-GATEWAY-TAIL-RULE"  # the RRULE of the whole, as its organizer said it
_OURS: Final = (TAIL_OF, BEGINS, RULE)
_SET: Final = ("RRULE", "RDATE", "EXDATE", "EXRULE")
_DAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_LOOKED_AT: Final = 400  # occurrences in which a shifted rule must do as the organizer's


def tail_uid(uid: str) -> str:
    """A meeting has one tail at most, so that its name needs nothing else."""
    return f"tail-{hashlib.sha256(uid.encode('utf-8', 'surrogateescape')).hexdigest()[:40]}"


def whole_uid(of: CalendarObject) -> str:
    """The UID by which the organizer knows it."""
    line = of.components[0].first(TAIL_OF)
    uid = line.text if line is not None else ""
    return uid if uid and tail_uid(uid) == of.uid else of.uid


def has_tail(head: CalendarObject) -> bool:
    """Whether this series says that it goes on in another object."""
    return head.master is not None and head.master.first(BEGINS) is not None


def parts(whole: CalendarObject) -> tuple[CalendarObject, CalendarObject | None]:
    """The object to store, and its tail if something moved for good.

    Raise LimitExceeded (`expansion-limit`) where no rule says what the rest is.
    """
    begin = next((key for key in whole.overrides if is_onward(key)), "")
    if whole.master is None or not begin:
        return whole, None
    join = _join(whole, whole.master, begin)
    ended = recur.ended_before(series(whole), anchor(begin))
    if ended is None:
        raise LimitExceeded("a whole endless series moved", code="expansion-limit")
    behind = {
        key: at
        for key in whole.overrides
        if key >= anchor(begin) and key != begin and (at := read_key(key, join.starts)) is not None
    }
    tail = [_tail_master(whole, whole.overrides[begin], join)]
    for key, at in behind.items():
        named = moment_prop("RECURRENCE-ID", join.there(at))
        tail.append(_renamed(whole.overrides[key], tail_uid(whole.uid)).put(named))
    head = whole.with_component("", _marked(ended, join))
    for key in (begin, *behind):
        head = head.without_component(key)
    product = whole.tree.value("PRODID") or ""
    return head, build(tail, whole, prodid=product).within(whole.bounds)


def joined(head: CalendarObject | None, tail: CalendarObject | None) -> CalendarObject | None:
    """The meeting that these are parts of. A tail alone is what is left of one whose beginning was deleted."""
    bare = None if head is None else _unmarked(head)
    if tail is None or tail.master is None:
        return bare
    join = _read_join(tail, head)
    if join is None or (head is not None and head.organizer != tail.organizer):
        return bare
    if head is not None and not has_tail(head) and recur.is_occurrence(series(head), join.named.key):
        return bare  # it tells all again: a tail that was not removed yet
    uid = tail.master.text(TAIL_OF) or "" if head is None else head.uid
    named = moment_prop("RECURRENCE-ID", join.named)
    whole = {f"{join.named.key}+": _onward(tail.master, uid, named)}
    for key, component in tail.overrides.items():
        at = read_key(key, join.first)
        if at is not None:
            back = join.back(at)
            whole[back.key] = _renamed(component, uid).put(moment_prop("RECURRENCE-ID", back))
    if bare is None:
        product = tail.tree.value("PRODID") or ""
        return build(whole.values(), tail, prodid=product).within(tail.bounds)
    if bare.master is not None:
        whole[""] = _whole_master(bare.master, tail.master, join, tail.zones)
    return bare.with_components(whole, zones_from=tail)


class _Join:
    """Where the tail begins, in the terms of the series and in its own."""

    def __init__(self, starts: Moment, named: Moment, first: Moment, *, rule: str) -> None:
        self.starts = starts
        self.named = named
        self.first = first
        self.rule = rule

    def there(self, at: Moment) -> Moment:
        """When an occurrence of the series takes place in the tail."""
        return shifted(self.first, self.named, at)

    def back(self, at: Moment) -> Moment:
        """Which occurrence of the series one of the tail is."""
        return shifted(self.named, self.first, at)


def _join(whole: CalendarObject, master: Component, begin: RecurrenceKey) -> _Join:
    starts, first = times.start(master, whole.zones), times.start(whole.overrides[begin], whole.zones)
    named, rules = read_key(anchor(begin), starts), master.all("RRULE")
    if starts is None or first is None or named is None or len(rules) != 1 or master.first("EXRULE"):
        raise LimitExceeded("a series that no one rule tells", code="expansion-limit")
    if not _same_clock(first, named):
        # RFC 5545 3.8.4.4: on another clock the same shift is another hour in summer
        raise LimitExceeded("a series moved to another time zone", code="expansion-limit")
    return _Join(starts, named, first, rule=rules[0].value)


def _same_clock(one: Moment, other: Moment) -> bool:
    """Whether two moments are told by clocks that go alike, whatever their zones are called."""
    if one.form is not other.form or one.utc is None or other.utc is None:
        return (one.form, one.tzid) == (other.form, other.tzid)
    seasons = [plus(one.utc, timedelta(days=days)) for days in (0, 91, 182, 273)]
    return all(one.at_instant(at).local == other.at_instant(at).local for at in seasons)


def _read_join(tail: CalendarObject, head: CalendarObject | None) -> _Join | None:
    """What the tail says of itself, or its head of it. None: it is no tail, as far as anybody can see."""
    masters = [one.master for one in (tail, head) if one is not None and one.master is not None]
    begins = next((line for one in masters if (line := one.first(BEGINS)) is not None), None)
    rule = next((line for one in masters if (line := one.first(RULE)) is not None), None)
    if begins is None or rule is None or tail.master is None:
        return None
    zones = tail.zones if head is None else tail.zones.joined(head.zones)
    try:
        named, first = times.moment(begins, zones), times.start(tail.master, tail.zones)
    except MalformedCalendar:
        return None
    return None if first is None else _Join(named, named, first, rule=rule.value)


def _tail_master(whole: CalendarObject, component: Component, join: _Join) -> Component:
    out = _renamed(component, tail_uid(whole.uid)).without("RECURRENCE-ID", *_SET, *_OURS)
    out = out.add(prop("RRULE", _shifted_rule(whole, join)))
    for name, at in _behind(whole, join):
        out = out.add(moment_prop(name, join.there(at)))
    out = out.add(text_prop("RELATED-TO", whole.uid, RELTYPE="SIBLING"))
    return _marked(out, join).add(text_prop(TAIL_OF, whole.uid))


def _whole_master(head: Component, tail: Component, join: _Join, zones: Zones) -> Component:
    """The series as it was before it was parted; what the owner took out of its tail is taken out of it."""
    out = head.put(prop("RRULE", join.rule))
    for name in ("RDATE", "EXDATE"):
        for line in tail.all(name):
            for at in times.moments(line, zones):
                out = out.add(moment_prop(name, join.back(at)))
    return out


def _onward(component: Component, uid: str, named: Property) -> Component:
    sibling = [line for line in component.all("RELATED-TO") if line.text == uid]
    out = _renamed(component, uid).without(*_SET, *_OURS)
    out = out.with_children(child for child in out.children if child not in sibling)
    return out.put(named.with_params(RANGE="THISANDFUTURE"))


def _behind(whole: CalendarObject, join: _Join) -> Iterator[tuple[str, Moment]]:
    """The dates of the series from the move on, each in the series' terms."""
    for name in ("RDATE", "EXDATE"):
        for line in whole.master.all(name) if whole.master is not None else ():
            for at in times.moments(line, whole.zones):
                own = read_key(key_in(join.starts, at), join.starts)
                if own is None or own.instant() < join.named.instant():
                    continue
                if "/" in line.value:
                    raise LimitExceeded("a period in a rest that moved", code="expansion-limit")
                yield name, own


def _shifted_rule(whole: CalendarObject, join: _Join) -> str:
    """The rule that gives each occurrence from the move on as RFC 5545 3.8.4.4 wants it: what it would be, and looked at."""
    wanted = _moved_occurrences(whole, join)
    for rule in _candidates(_bounded(whole, join), join):
        found = recur.first(_by_rule(whole, join.first, rule), _LOOKED_AT)
        if [one.start.key for one in found] == wanted:
            return rule
    raise LimitExceeded("a rest that no rule tells", code="expansion-limit")


def _moved_occurrences(whole: CalendarObject, join: _Join) -> list[str]:
    organized = _by_rule(whole, join.starts, join.rule)
    since = recur.first(organized, _LOOKED_AT + 1, join.named.instant())
    moments = [join.named, *(one.start for one in since if one.key != join.named.key)]
    return [join.there(at).key for at in islice(moments, _LOOKED_AT)]


def _by_rule(whole: CalendarObject, begin: Moment, rule: str) -> CalendarObject:
    """A series of this rule and nothing else."""
    named = {"UID": whole.uid, "DTSTAMP": "19700101T000000Z", "RRULE": rule}
    lines = [prop(name, value) for name, value in named.items()]
    event = Component("VEVENT", (*lines, moment_prop("DTSTART", begin)))
    return build((event,), whole, prodid="-").within(whole.bounds)


def _bounded(whole: CalendarObject, join: _Join) -> list[tuple[str, str]]:
    """The parts of the rule, its end told for the tail."""
    out = []
    for part in join.rule.split(";"):
        name, _, value = part.partition("=")
        name = name.strip().upper()
        if name == "UNTIL":
            ends = times.moment(prop("UNTIL", value.strip()), whole.zones)
            at = (
                join.starts.at_instant(ends.utc) if ends.utc is not None else join.starts.at_local(ends.local)
            )
            last = join.there(at)
            value = last.key if ends.utc is not None or ends.is_date == last.is_date else value
        elif name == "COUNT":
            gone = recur.occurrences(
                _by_rule(whole, join.starts, join.rule),
                after=join.starts.instant(),
                before=join.named.instant(),
            )
            value = str(int(value) - len(gone))
        if name:
            out.append((name, value.strip()))
    return out


def _candidates(rule: list[tuple[str, str]], join: _Join) -> Iterator[str]:
    """As it is; with its weekdays moved along; with the hour of the day left to DTSTART."""
    days = (join.first.local.date() - join.named.local.date()).days
    plain = [part for part in rule if part[0] not in ("BYHOUR", "BYMINUTE", "BYSECOND")]
    for one in (rule, plain):
        yield _text(one)
        yield _text([(name, _turned(value, days) if name == "BYDAY" else value) for name, value in one])


def _turned(days: str, by: int) -> str:
    """MO,WE moved by a day is TU,TH; what is no plain weekday stays, and is found out."""
    named = [day.strip().upper() for day in days.split(",")]
    return ",".join(_DAYS[(_DAYS.index(day) + by) % 7] if day in _DAYS else day for day in named)


def _text(rule: list[tuple[str, str]]) -> str:
    return ";".join(f"{name}={value}" for name, value in rule)


def _marked(component: Component, join: _Join) -> Component:
    return component.put(moment_prop(BEGINS, join.named)).put(prop(RULE, join.rule))


def _unmarked(head: CalendarObject) -> CalendarObject:
    if head.master is None or not any(head.master.first(name) for name in _OURS):
        return head
    return head.with_component("", head.master.without(*_OURS))


def _renamed(component: Component, uid: str) -> Component:
    return component.put(text_prop("UID", uid))


__all__ = ["has_tail", "joined", "parts", "tail_uid", "whole_uid"]
