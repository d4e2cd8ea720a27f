"""A series that was cut in two: the rest of it comes under a new UID, and what the owner had of the old one he has of it too.

Google, Outlook and Apple change "this and all following" so: they end the old series (UNTIL, a smaller COUNT) and invite
to another one. The two messages come in either order. What tells that they belong together:

    Google            UID `<old>_R20190116T180000@google.com`, the stamp is the first occurrence of the rest
    CalendarServer    X-CALENDARSERVER-SPLIT-OLDER-UID, or -NEWER-UID, with the other half's UID
    Apple             RELATED-TO;RELTYPE=X-CALENDARSERVER-RECURRENCE-SET, the same in both
    Open-Xchange      X-OX-SPLIT-FROM with the old UID
    Nextcloud         RELATED-TO;RELTYPE=SIBLING with the other half's UID
    everybody else    the same organizer and title, and either it takes up where he has ended the old series lately, or it is
                      at all times when the old one is, for the same people

The old series, from that occurrence on, is then taken for our copy of the new one, and the organizer's word for his last:
what follows is the merge of any update (SPEC 4.2), so that whatever moved asks for an answer anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.errors import MalformedCalendar
from gateway.ical import onward, recur, times
from gateway.ical.address import Address
from gateway.ical.agree import with_distinct_zones
from gateway.ical.event import CalendarObject, RecurrenceKey, build, key_in, partstat, person
from gateway.ical.rules import rule_parts
from gateway.ical.times import Moment
from gateway.ical.tree import Component, Property, prop
from gateway.itip import attendee, version
from gateway.itip.changes import changes
from gateway.itip.model import (
    Certainty,
    Context,
    Decision,
    Kin,
    Mark,
    MarkKey,
    Message,
    Method,
    Note,
    Outcome,
    Outgoing,
    Reason,
    Role,
    Store,
)
from gateway.itip.order import Standing
from gateway.itip.roles import acts_as_organizer, identities, line_in, role, same_person
from gateway.itip.significance import read_facts
from gateway.itip.views import is_cancelled

CUT: Final = "cut"  # the ledger's line of a series that was ended earlier than it was to be
_LATELY: Final = timedelta(days=7)  # two messages of one change are no further apart
_DAY: Final = timedelta(days=1)
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
_GOOGLE: Final = re.compile(r"(?P<root>.+)_R(?P<at>\d{8}(?:T\d{6})?)(?P<domain>@.*)?", re.DOTALL)
_SPLIT_UIDS: Final = ("X-CALENDARSERVER-SPLIT-OLDER-UID", "X-CALENDARSERVER-SPLIT-NEWER-UID")
_SET: Final = "X-CALENDARSERVER-RECURRENCE-SET"
# RFC 5545 3.2.12: whom he sent in his place to the old series he has not sent to the new one.
_ANSWERS: Final = frozenset({"ACCEPTED", "DECLINED", "TENTATIVE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The series that a new one is the rest of, and the occurrence at which it was cut."""

    kin: Kin
    at: RecurrenceKey
    told: bool  # the organizer's program says so


def may_be_rest(message: Message) -> bool:
    """Whether this could be the rest of another series, so that the organizer's others are worth reading."""
    master = message.object.master
    return (
        message.method is Method.REQUEST
        and message.object.kind == "VEVENT"
        and master is not None
        and master.first("RRULE") is not None
    )


def series_by(meeting: CalendarObject) -> Address | None:
    """Whose series it is, if it is one that could be cut."""
    if meeting.kind != "VEVENT" or meeting.master is None or meeting.master.first("RRULE") is None:
        return None
    return meeting.organizer


def request(message: Message, context: Context) -> Decision | None:
    """What a REQUEST for an unknown UID comes to where it is the rest of a series that we have; None where it is not."""
    try:
        origin = origin_of(message, context)
        return None if origin is None else _inherited(origin, message, context)
    except (
        MalformedCalendar
    ):  # one of the others cannot be read or expanded: then it is an invitation like any other
        return None


def origin_of(message: Message, context: Context) -> Origin | None:
    """The one among the organizer's other series that this is the rest of; the likeliest first."""
    standing = Standing(context.marks, message.object.organizer)
    if not may_be_rest(message) or standing.content("") is not None or standing.cancel("") is not None:
        return None
    found: list[tuple[tuple[bool, bool, str], Origin]] = []
    for kin in context.kin:
        kin = replace(kin, object=kin.object.within(context.bounds))
        if kin.object.uid == message.object.uid or not _is_his(kin, message, context):
            continue
        origin = _origin(kin, message.object, context)
        if origin is not None:
            begin = times.start(kin.object.components[0], kin.object.zones)
            had = _had(kin, origin.at, context.now)
            found.append(((origin.told, had, begin.key if begin is not None else ""), origin))
    return max(found, key=lambda one: one[0])[1] if found else None


def with_memory(stored: CalendarObject | None, decision: Decision, context: Context) -> Decision:
    """The decision, and in the ledger the rule of a series that it ends early: the rest may come under another UID."""
    new = decision.change.object if isinstance(decision.change, Store) else None
    if stored is None or stored.master is None or new is None or new.master is None:
        return decision
    was, now = stored.master.value("RRULE"), new.master.value("RRULE")
    if not was or not now or was == now or _unbounded(was) != _unbounded(now):
        return decision
    try:
        before, after = recur.last_end(_alone(stored)), recur.last_end(_alone(new).within(stored.bounds))
    except MalformedCalendar:
        return decision
    if after is None or (before is not None and before <= after):
        return decision
    mark = Mark(rule=was, dtstamp=context.now)
    return replace(decision, marks={**decision.marks, MarkKey(recurrence_id="", party=CUT): mark})


# --- is it one? ------------------------------------------------------------------------------------------------------


def _is_his(kin: Kin, message: Message, context: Context) -> bool:
    """SPEC 3.3: only he who may change the old series can hand on what the owner said to it."""
    old = kin.object
    certainty = context.verdict.certainty if context.verdict is not None else Certainty.UNKNOWN
    sure = certainty in (Certainty.PROVEN, Certainty.LIKELY) or context.policy.approved
    return (
        sure
        and same_person(old.organizer_prop, message.object.organizer_prop)
        and acts_as_organizer(old, message.sender, context)
        and role(old, context.owner) is Role.ATTENDEE
    )


def _origin(kin: Kin, new: CalendarObject, context: Context) -> Origin | None:
    old = kin.object
    if series_by(old) is None or old.master is None or is_cancelled(old.master):
        return None
    stamp = _stamped(old.uid, new)
    told = stamp is not None or _says_so(kin, new)
    if not told and not _same_title(kin, new):
        return None
    begin = times.start(new.master, new.zones) if new.master is not None else None
    named = stamp or begin
    at = _place(_endless(old), named, exact=stamp is not None) if named is not None else None
    if at is None or not (told or _takes_up(kin, at, context.now) or _stands_over(kin, new)):
        return None
    return Origin(kin=kin, at=at, told=told)


def _stamped(old: str, new: CalendarObject) -> Moment | None:
    """Google: the new UID is the old one with the occurrence in it, in UTC; a second cut replaces the stamp of the first."""
    found, before = _GOOGLE.fullmatch(new.uid), _GOOGLE.fullmatch(old)
    if found is None:
        return None
    root = f"{before['root']}{before['domain'] or ''}" if before is not None else old
    if root != f"{found['root']}{found['domain'] or ''}":
        return None
    at = found["at"]
    line = prop("DTSTART", f"{at}Z") if "T" in at else prop("DTSTART", at, VALUE="DATE")
    return times.moment(line, new.zones)


def _says_so(kin: Kin, new: CalendarObject) -> bool:
    names = {new.tree.text(name) for name in _SPLIT_UIDS}
    names |= {text for part in new.components for text in (part.text("X-OX-SPLIT-FROM"), *_sets(part))}
    states = (kin.object,) if kin.base is None else (kin.object, kin.base)
    siblings = {text for part in new.components for text in _related(part, "SIBLING")}
    if kin.object.uid in siblings:
        return True
    known = {kin.object.uid, *(text for state in states for part in state.components for text in _sets(part))}
    return bool(names & known)


def _sets(component: Component) -> tuple[str, ...]:
    return _related(component, _SET)


def _related(component: Component, kind: str) -> tuple[str, ...]:
    lines = component.all("RELATED-TO")
    return tuple(line.text for line in lines if (line.param("RELTYPE") or "").upper() == kind and line.text)


def _same_title(kin: Kin, new: CalendarObject) -> bool:
    wanted = _title(new)
    return bool(wanted) and wanted in {_title(kin.object), _title(kin.base)}


def _title(of: CalendarObject | None) -> str:
    text = of.master.text("SUMMARY") if of is not None and of.master is not None else None
    return " ".join((text or "").split()).casefold()


def _place(series: CalendarObject, named: Moment, *, exact: bool) -> RecurrenceKey | None:
    """The occurrence that is meant: at this moment, or the one of that day where the rest was moved as well."""
    begin = times.start(series.components[0], series.zones)
    key = key_in(begin, named)
    if recur.is_occurrence(series, key):
        return key
    if exact:
        return None
    at = named.instant()
    near = recur.occurrences(series, after=at - _DAY, before=at + _DAY)
    return next((each.key for each in near if each.start.local.date() == named.local.date()), None)


def _had(kin: Kin, at: RecurrenceKey, now: datetime) -> bool:
    """Whether the old series has this occurrence, or had it before it was ended a short while ago."""
    if recur.is_occurrence(_alone(kin.object), at):
        return True
    cut = _cut(kin, now)
    return bool(cut) and recur.is_occurrence(_alone(kin.object, rule=cut), at)


def _cut(kin: Kin, now: datetime) -> str:
    """The rule that the old series had before its organizer ended it, if that was lately."""
    cut = kin.marks.get(MarkKey(recurrence_id="", party=CUT))
    if cut is None or cut.dtstamp is None or now - cut.dtstamp > _LATELY:
        return ""
    return cut.rule


def _takes_up(kin: Kin, at: RecurrenceKey, now: datetime) -> bool:
    """Whether this is the very next date that the old series would have had, had it not been ended."""
    cut, last = _cut(kin, now), recur.last_end(_alone(kin.object))
    if not cut or last is None:
        return False
    out = read_facts(kin.object.components[0], kin.object).exdates
    coming = recur.first(_alone(kin.object, rule=cut), len(out) + 1, last)
    return at == next((each.key for each in coming if each.key == at or each.key not in out), "")


def _stands_over(kin: Kin, new: CalendarObject) -> bool:
    """Whether the new series leaves the old one no date of its own: nobody holds two meetings of one name with the same people
    at one time, so the end of the old one is still on its way. One for others, or at another hour, is another meeting."""
    old = kin.object
    if old.master is None or new.master is None:
        return False
    begin = times.start(new.master, new.zones)
    was, now = read_facts(old.master, old), read_facts(new.master, new)
    ours, theirs = ({person(one) for one in of.master.all("ATTENDEE")} for of in (old, new) if of.master)
    return (
        begin is not None
        and (was.rule, was.clock) == (now.rule, now.clock)
        and recur.is_occurrence(_alone(old), key_in(times.start(old.master, old.zones), begin))
        and (ours <= theirs or theirs <= ours)
    )


def _alone(of: CalendarObject, *, rule: str = "") -> CalendarObject:
    """The series without what is said of single occurrences; with another rule, if one is given."""
    master = of.master
    if master is None:
        return of
    master = master.without("EXDATE")
    return version.assemble(of, {"": master.put(prop("RRULE", rule)) if rule else master})


def _endless(of: CalendarObject) -> CalendarObject:
    return _alone(of, rule=_unbounded(of.master.value("RRULE") or "") if of.master is not None else "")


def _unbounded(rule: str) -> str:
    parts = rule_parts(rule)
    return ";".join(f"{name}={value}" for name, value in parts.items() if name not in ("COUNT", "UNTIL"))


# --- what comes of it ------------------------------------------------------------------------------------------------


def _inherited(origin: Origin, message: Message, context: Context) -> Decision | None:
    """The merge with what he had, and an answer to the organizer where he has not brought it along himself."""
    kin = origin.kin
    message = replace(message, object=with_distinct_zones(message.object, kin.object))
    answers = _may_answer(context)
    ours = _rest(kin.object, origin, message.object, context)
    if ours is None:
        return None
    ours = _with_answers(ours, kin, context)
    if not answers:
        ours = ours.with_components(
            {key: _unanswered(one, context) for key, one in version.components(ours).items()}
        )
    base = _rest(version.in_full(kin.base, kin.object), origin, message.object, context) if kin.base else None
    decision = attendee.request(ours, message, replace(context, base=base))
    if decision.outcome is not Outcome.APPLIED or decision.base is None:
        return None
    change = decision.change if isinstance(decision.change, Store) else Store(object=ours)
    letters, marks = _reply(decision.base, change.object, context) if answers else ((), {})
    sure = {"told": "yes"} if origin.told else {}
    note = Note(code="split-of", facts={"uid": kin.object.uid, "recurrence_id": origin.at, **sure})
    return replace(
        decision,
        reason=Reason.INVITATION_STORED,
        change=change,
        outgoing=letters,
        marks={**decision.marks, **marks},
        notes=(*decision.notes, note),
    )


def _may_answer(context: Context) -> bool:
    """SPEC 12.5: an answer is carried on only where it is certain who asks; SPEC 3.4: and where he may be told of it."""
    verdict = context.verdict
    sure = context.policy.approved or (verdict is not None and verdict.certainty is Certainty.PROVEN)
    mute = context.is_list or context.null_sender or context.auto_submitted == "auto-replied"
    return sure and not mute


def _rest(of: CalendarObject, origin: Origin, new: CalendarObject, context: Context) -> CalendarObject | None:
    """The old series from that occurrence on, as if it had always had the new UID and no end."""
    of = of.within(context.bounds)
    series = _endless(of)
    head = recur.derive_instance(series, origin.at, dtstamp=of.dtstamp() or _NEVER)
    if head is None or of.master is None or series.master is None:
        return None
    head = head.without("RECURRENCE-ID")
    for line in (*series.master.all("RRULE"), *of.master.all("RDATE"), *of.master.all("EXDATE")):
        head = head.add(line)
    later = [one for key, one in of.overrides.items() if not onward.is_onward(key) and key >= origin.at]
    parts = [_renamed(one, new, context) for one in (head, *later)]
    return build(parts, of, prodid=context.prodid).within(context.bounds)


def _renamed(component: Component, new: CalendarObject, context: Context) -> Component:
    """The component under the new UID, without what a server noted about the delivery of the old one."""
    uid = new.components[0].first("UID")
    children: list[Property | Component] = []
    for child in component.children:
        if isinstance(child, Property) and child.name in ("ORGANIZER", "ATTENDEE"):
            child = child.with_params(SCHEDULE_STATUS=None, SCHEDULE_FORCE_SEND=None)
            if child.name == "ATTENDEE" and identities(child) & context.owner:
                child = _open(child, _ANSWERS)
        children.append(child)
    component = component.with_children(children)
    return component if uid is None else component.put(uid)


def _open(line: Property, kept: Iterable[str]) -> Property:
    if partstat(line) in kept:
        return line
    return line.with_params(PARTSTAT="NEEDS-ACTION", DELEGATED_TO=None)


def _unanswered(component: Component, context: Context) -> Component:
    for line in component.all("ATTENDEE"):
        if identities(line) & context.owner:
            component = component.replace(line, _open(line, ()))
    return component


def _with_answers(ours: CalendarObject, kin: Kin, context: Context) -> CalendarObject:
    """His answers to single occurrences, which our copy lost when the old series was ended; the ledger has them still."""
    found: dict[RecurrenceKey, Component] = {}
    for key, mark in kin.marks.items():
        said, at = mark.partstat, key.recurrence_id
        if key.party not in context.owner or not at or at in ours.overrides or said not in _ANSWERS:
            continue
        component = recur.derive_instance(ours, at, dtstamp=ours.dtstamp() or _NEVER)
        line = line_in(component, context.owner)
        if component is not None and line is not None and partstat(line) != said:
            found[at] = component.replace(line, line.with_params(PARTSTAT=said))
    return ours.with_components(found) if found else ours


def _reply(
    told: CalendarObject, ours: CalendarObject, context: Context
) -> tuple[tuple[Outgoing, ...], dict[MarkKey, Mark]]:
    """A REPLY where the organizer's new series does not have the answer, and he has not said that he wants none."""
    line = line_in(told.master, context.owner)
    if line is not None and (line.param("RSVP") or "").upper() == "FALSE":
        return (), {}
    said = changes(told, ours, replace(context, base=told))
    letters = tuple(replace(one, automatic=True) for one in said.outgoing if one.method is Method.REPLY)
    return letters, dict(said.marks) if letters else {}


__all__ = ["CUT", "Origin", "may_be_rest", "origin_of", "request", "series_by", "with_memory"]
