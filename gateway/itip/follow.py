"""Our copy follows the organizer's version: what he said enters it, what is the owner's own stays (SPEC 4.2)."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from gateway.ical import onward, times
from gateway.ical.event import CalendarObject, partstat
from gateway.ical.tree import Component, Property, prop, text_prop
from gateway.itip import order, version
from gateway.itip.merge import Mine, cancelled, merge
from gateway.itip.model import Certainty, Context, Mark, MarkKey, Message
from gateway.itip.order import Standing, answered_since
from gateway.itip.roles import acts_as_organizer, identities, line_in
from gateway.itip.significance import rescheduled
from gateway.itip.version import Components, Part
from gateway.itip.views import is_cancelled

_STAMPS = ("DTSTAMP", "SEQUENCE", "CREATED", "LAST-MODIFIED", "RECURRENCE-ID")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a decision about the owner's copy is made from."""

    stored: CalendarObject | None
    message: Message
    context: Context
    standing: Standing
    answered: frozenset[str] = frozenset()  # the instances whose answer stands, whatever has moved

    @property
    def deletes(self) -> bool:
        return self.context.policy.cancel == "delete"

    @property
    def proven(self) -> bool:
        """Whether this is the organizer's word for sure; a guest who passes his invitation on proves nothing of it."""
        verdict, sender, policy = self.context.verdict, self.message.sender, self.context.policy
        if policy.approved:
            return True
        if verdict is None or verdict.certainty is not Certainty.PROVEN or sender is None:
            return False
        organizer = self.message.object.organizer_prop
        if sender in policy.delegates or (organizer is not None and sender in identities(organizer)):
            return True
        return self.stored is not None and acts_as_organizer(self.stored, sender, self.context)


def scene_of(stored: CalendarObject | None, message: Message, context: Context) -> Scene:
    return Scene(
        stored=stored, message=message, context=context, standing=standing_of(message, context.marks)
    )


def standing_of(message: Message, marks: Mapping[MarkKey, Mark]) -> Standing:
    return Standing(marks, message.object.organizer)


def follow(
    scene: Scene, after: Standing, applied: tuple[Part, ...]
) -> tuple[CalendarObject | None, CalendarObject, frozenset[str]]:
    """Our copy, the organizer's version and what of it has moved, once these parts and marks hold.

    The copy is None when nothing is left of it.
    """
    full = any(part.key == "" for part in applied)
    whole = scene.message.object if full else None
    ours = version.components(scene.stored, whole)
    told = version.components(scene.context.base, whole)
    known = told if applied or "" in told else {**ours, **told}
    if full:
        known = {key: old for key, old in ours.items() if key and after.content(key) is not None} | told
    frame = _frame(scene, full=full)
    others = (scene.stored, scene.message.object, scene.context.base)
    now = version.fold(known, applied, standing=after, frame=frame)
    base = version.assemble(frame, now, *others)
    shown = _shown(base, scene.stored)
    was = _shown(scene.context.base) if scene.context.base is not None else None
    told = told if was is None else version.components(was, whole)
    now = version.components(shown)
    moved = _moved_keys(scene, was, shown) - scene.answered
    merged = _merge_all(scene, after, shown, moved=moved, now=now, ours=ours, told=told, full=full)
    if not merged:
        return None, base, moved
    copy = version.assemble(frame, merged, *others)
    return version.assemble(copy, version.dated(copy, merged, now)), base, moved


def _shown(of: CalendarObject, behind: CalendarObject | None = None) -> CalendarObject:
    """The organizer's version as a calendar shows it: RANGE told as overrides, and what he added as dates of the series."""
    full = version.in_full(of, behind, tail=True)
    found = version.components(full)
    return version.assemble(full, version.dated(full, found, found))


def _frame(scene: Scene, *, full: bool) -> CalendarObject:
    """Whose VCALENDAR the result stands in: times are told by the zones of the object that brought the master."""
    if full or scene.stored is None:
        return scene.message.object
    return scene.stored


def _merge_all(
    scene: Scene,
    after: Standing,
    base: CalendarObject,
    *,
    moved: frozenset[str],
    now: Components,
    ours: Components,
    told: Components,
    full: bool,
) -> Components:
    """Every component of our copy after the organizer's version has become `now`."""
    frame = base
    out: Components = {}
    again = _is_on_again(told, now)
    excluded = {key: one for key, one in _excluded(scene).items() if not again or key in scene.answered}
    had = version.deriving(scene.stored or frame, ours)
    said = version.deriving(scene.context.base or frame, told)
    alone = version.assemble(frame, {"": now[""]} if "" in now else {})
    for key, new in now.items():
        old = ours.get(key) or had(key)
        if old is None and key in excluded and key not in moved:
            continue  # the owner took this occurrence out of his calendar, and it is as it was
        if key not in ours and key in told and onward.is_onward(key) and key not in moved:
            continue  # and so with a rest that only its tail told
        was = told.get(key) or said(key)
        out[key] = merge(was, old, _in_masters_terms(new, alone, key), mine=_mine(scene, key in moved))
        if old is None:
            out[key] = _with_alarm(out[key], scene)
    kept = {key: old for key, old in ours.items() if key not in now and not after.cut(key)}
    kept = {key: old for key, old in kept.items() if not onward.is_onward(key)}
    left = {key: old for key, old in kept.items() if full or key in told}
    out |= {key: _off_with_the_whole(old, after, key) for key, old in kept.items() if key not in left}
    out |= _personal(scene, left, told=told, out=out, moved=moved, frame=frame, again=again)
    return _excluding(scene, after, out, excluded=excluded, frame=frame)


def _is_on_again(told: Components, now: Components) -> bool:
    """Whether the organizer had called off the whole: to what he makes of it anew the owner has said nothing yet."""
    was, new = told.get(""), now.get("")
    return was is not None and new is not None and is_cancelled(was) and not is_cancelled(new)


def _off_with_the_whole(component: Component, after: Standing, key: str) -> Component:
    """RFC 5546 3.2.5: a CANCEL of the whole takes along the instances that only the owner's copy tells apart."""
    whole = after.active_cancel("")
    if whole is None or not key or after.said_after(key, whole):
        return component
    return cancelled(component, sequence=whole.sequence)


def _moved_keys(scene: Scene, was: CalendarObject | None, shown: CalendarObject) -> frozenset[str]:
    """The instances whose answer is void, seen from the organizer's last version, or from our copy where we have none."""
    if scene.stored is not None and (was is None or was.master is None):
        was = _shown(scene.stored)
    return rescheduled(was, shown)


def _mine(scene: Scene, moved: bool) -> Mine:
    return Mine(
        owner=scene.context.owner,
        invited_as=scene.context.invited_as,
        rescheduled=moved,
        proven=scene.proven,
    )


def _personal(
    scene: Scene,
    left: Components,
    *,
    told: Components,
    out: Components,
    moved: frozenset[str],
    frame: CalendarObject,
    again: bool,
) -> Components:
    """Overrides that the organizer does not know, or took back: what of them is the owner's own stays."""
    kept: Components = {}
    ours = version.deriving(frame, out)
    plainly = version.deriving(frame, version.components(frame))
    said = version.deriving(scene.context.base or frame, told)
    for key, old in left.items():
        new = ours(key)
        plain = plainly(key)
        if new is None or plain is None or key in moved:
            continue
        was = told.get(key) or said(key)
        mine = merge(was, old, plain, mine=_mine(scene, again and key not in scene.answered))
        if _canonical(mine, scene) != _canonical(new, scene):
            kept[key] = mine
    return kept


def _canonical(component: Component, scene: Scene) -> str:
    line = line_in(component, scene.context.owner)
    plain = component.without(*_STAMPS)
    if line is not None:
        plain = plain.replace(line, line.with_params(RSVP=None, PARTSTAT=partstat(line)))
    return order.digest(plain)


def _in_masters_terms(new: Component, alone: CalendarObject, key: str) -> Component:
    """RFC 5545 3.8.4.4: a RECURRENCE-ID has the form of the master's DTSTART; Google and Exchange say it in UTC."""
    master, said = alone.master, new.first("RECURRENCE-ID")
    if not key or master is None or said is None:
        return new
    start = master.first("DTSTART")
    if start is not None and (start.param("TZID"), start.param("VALUE"), len(start.value)) == (
        said.param("TZID"),
        said.param("VALUE"),
        len(said.value),
    ):
        return new
    model = version.derived(alone, key)
    own = model.first("RECURRENCE-ID") if model is not None else None
    return new if own is None else new.put(own.with_params(RANGE=said.param("RANGE")))


def _with_alarm(component: Component, scene: Scene) -> Component:
    """The account's default alarm on what is new to it."""
    trigger = scene.context.policy.default_alarm
    if not trigger or component.value("RECURRENCE-ID") or component.name == "VJOURNAL":
        return component
    alarm = Component(
        "VALARM",
        (
            prop("ACTION", "DISPLAY"),
            prop("TRIGGER", trigger),
            text_prop("DESCRIPTION", component.text("SUMMARY") or "Reminder"),
        ),
    )
    return component.with_children((*component.children, alarm))


def _excluded(scene: Scene) -> dict[str, times.Moment]:
    """The occurrences that the owner took out of his calendar: EXDATEs that the organizer did not say."""
    base = scene.context.base
    his = _exdates(base.master, base) if base is not None else {}
    ours = _exdates(scene.stored.master, scene.stored) if scene.stored is not None else {}
    return {key: moment for key, moment in ours.items() if key not in his}


def _left_out_since(scene: Scene, cancel: Mark | None, key: str) -> bool:
    """Whether the owner has declined this occurrence since it was off."""
    marks = (scene.context.marks.get(MarkKey(recurrence_id=key, party=who)) for who in scene.context.owner)
    told = (mark for mark in marks if mark is not None and mark.partstat == "DECLINED")
    return key in scene.answered or (cancel is not None and any(answered_since(one, cancel) for one in told))


def _exdates(master: Component | None, of: CalendarObject) -> dict[str, times.Moment]:
    if master is None:
        return {}
    begin = times.start(master, of.zones)
    all_day = begin if begin is not None and begin.is_date else None
    return {
        all_day.at_local(moment.local).key if all_day is not None else moment.key: moment
        for item in master.all("EXDATE")
        for moment in times.moments(item, of.zones)
    }


def _readmitted(master: Component, keys: Set[str], frame: CalendarObject) -> Component:
    """The master without the EXDATEs of occurrences that the organizer told anew: they are back in the calendar.

    His own EXDATEs too, by which he had let the owner off a date: of one that is excluded and told, programs show what they like.
    """
    if not keys:
        return master
    lines: list[Property] = []
    for item in master.all("EXDATE"):
        alone = _exdates(master.without("EXDATE").add(item), frame)
        left = [moment for key, moment in alone.items() if key not in keys]
        whole = len(left) == len(alone)
        lines += [item] if whole else [times.moment_prop("EXDATE", moment) for moment in left]
    bare = master.without("EXDATE")
    for item in lines:
        bare = bare.add(item)
    return bare


def _excluding(
    scene: Scene,
    after: Standing,
    out: Components,
    *,
    excluded: Mapping[str, times.Moment],
    frame: CalendarObject,
) -> Components:
    """The owner's own EXDATEs carried over; with policy `delete` what was called off is taken out."""
    whole = after.active_cancel("") if scene.deletes else None
    if whole is not None:
        left = {key: one for key, one in out.items() if key and after.said_after(key, whole)}
        return {key: one for key, one in left.items() if not after.in_force(key)}
    master = out.get("")
    if master is None:
        return {key: one for key, one in out.items() if not (scene.deletes and after.in_force(key))}
    there = _exdates(master, frame)
    back = {
        key
        for key in version.overtaken(after, excluded)
        if not _left_out_since(scene, after.cancel(key), key)
    }
    master = _readmitted(master, there.keys() & out.keys(), frame)
    told = version.deriving(frame, out)
    for key, moment in excluded.items():
        if key not in there and key not in out and key not in back and told(key):
            master = master.add(times.moment_prop("EXDATE", moment))
    if scene.deletes:
        for key, _ in after.cancels_above(after.floor()):
            said = out[key].first("RECURRENCE-ID") if key in out else None
            if said is not None:
                master = _without_date(master, said)
                out = {place: one for place, one in out.items() if place != key}
    return {**out, "": master}


def _without_date(master: Component, said: Property) -> Component:
    """The series without one date: a date that was added is no longer said, any other is excluded."""
    form = (said.value, said.param("TZID"), said.param("VALUE"))
    for line in master.all("RDATE"):
        if (line.value, line.param("TZID"), line.param("VALUE")) == form:
            return master.with_children(tuple(one for one in master.children if one is not line))
    return master.add(prop("EXDATE", said.value, TZID=form[1], VALUE=form[2]))


__all__ = ["Scene", "follow", "scene_of", "standing_of"]
