"""The organizer's side of a changed calendar: who is invited, updated or cancelled, and what his own object must say.

    create or new guest   REQUEST                    time or rule moved   SEQUENCE+1, answers void, REQUEST to all
    date taken out        CANCEL of that instance    guest struck off     CANCEL to him, without STATUS
    deleted, CANCELLED    CANCEL to all              anything cosmetic    nothing

Per guest at most one REQUEST and one CANCEL leave. ADD is never sent (SPEC 4.6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, attendee_of, partstat, person
from gateway.ical.tree import Component, Property
from gateway.itip import forced, sequences
from gateway.itip.circle import Circle, circle_of, only_instance, strict
from gateway.itip.difference import Concern, Difference, difference
from gateway.itip.model import Context, Decision, Mark, MarkKey, Outcome, Outgoing, Reason, Store
from gateway.itip.order import ORGANIZER
from gateway.itip.significance import components_by_key
from gateway.itip.views import is_cancelled, shareable

# RFC 5546 3.2.2.3: who sent a deputy has given no answer that a new time could void.
_KEPT_ANSWERS: Final = frozenset({"DELEGATED", "NEEDS-ACTION"})


def inviting(
    before: CalendarObject | None,
    after: CalendarObject | None,
    context: Context,
    *,
    organizer: Address,
    agreed: frozenset[Address] = frozenset(),
) -> Decision:
    """What the organizer's change asks for; the caller has seen to roles and to meetings that are over."""
    circle = replace(circle_of(before, after, context, organizer=organizer), agreed=agreed)
    if after is None or is_off(after):
        if before is None or is_off(before):
            return Decision(outcome=Outcome.IGNORED, reason=Reason.NOTHING_TO_SEND)
        return _called_off(before, after, circle)
    # A meeting that is on again is a new one to its guests.
    known = None if before is not None and is_off(before) else before
    found = difference(known, after, now=context.now, skip_past=context.policy.past_events == "skip")
    if known is None:
        found = replace(found, reset=_told_off(before, found, context))
    again = forced.guests(known, after)
    concerns = {who: _once_more(found.concern(who), who in again) for who in circle.guests}
    concerns = {who: one for who, one in concerns.items() if _worth_a_letter(one, circle.guests[who])}
    if not concerns:
        return Decision(outcome=Outcome.IGNORED, reason=_why_none(circle), notes=circle.notes)
    return _told(found, concerns, circle, states=(before, after))


def _once_more(concern: Concern, ordered: bool) -> Concern:
    """SPEC 12.17: all that he has, where nothing of it is news anyway."""
    if not ordered or concern.asked or concern.lost or not concern.now:
        return concern
    return replace(concern, was=frozenset(), asked=concern.now, full="" in concern.now)


def _told_off(before: CalendarObject | None, found: Difference, context: Context) -> frozenset[str]:
    """The instances of which the guests have heard that they are off: who had answered is asked anew."""
    if before is not None:
        return frozenset(found.now)
    marks = {key: context.marks.get(MarkKey(recurrence_id=key, party=ORGANIZER)) for key in ("", *found.now)}
    off = {key for key, mark in marks.items() if mark is not None and mark.cancelled}
    return frozenset(found.now if "" in off else off & found.now.keys())


def is_off(meeting: CalendarObject) -> bool:
    """Whether all of the meeting is cancelled."""
    if meeting.master is not None:
        return is_cancelled(meeting.master)
    return all(is_cancelled(component) for component in meeting.components)


def _worth_a_letter(concern: Concern, line: Property) -> bool:
    """RFC 5546 3.2.2.3: a delegator goes on getting updates only as NON-PARTICIPANT."""
    if concern.lost:
        return True
    delegated = partstat(line) == "DELEGATED" and (line.param("ROLE") or "").upper() != "NON-PARTICIPANT"
    return bool(concern.asked) and not (delegated and not concern.first)


def _why_none(circle: Circle) -> Reason:
    if circle.guests:
        return Reason.COSMETIC_CHANGE
    return Reason.SCHEDULE_AGENT if circle.notes else Reason.NOTHING_TO_SEND


# --- the meeting is off ----------------------------------------------------------------------------------------------


def _called_off(before: CalendarObject, after: CalendarObject | None, circle: Circle) -> Decision:
    """RFC 5546 3.2.5: deleted, or saved as CANCELLED. Everybody who was invited hears of it, answered or not."""
    was = {key: component for key, component in components_by_key(before) if not is_cancelled(component)}
    wanted = sequences.cancelling(before, after, circle.context.marks)
    letters: list[Outgoing] = []
    told: dict[MarkKey, Mark] = {}
    for who in circle.guests:
        mine = frozenset(key for key, one in was.items() if attendee_of(one, who) is not None)
        keys = frozenset({""}) if "" in mine else mine
        if keys:
            concern = Concern(was=mine, now=frozenset(), lost=keys)
            letters.append(circle.cancel(who, concern, was, sequences=wanted, source=before))
            told |= {sequences.told_off(key, who): Mark(sequence=wanted[key]) for key in keys}
    if not letters:
        return Decision(outcome=Outcome.IGNORED, reason=_why_none(circle), notes=circle.notes)
    raised = sequences.with_sequences(after, wanted) if after is not None else None
    marks = {
        MarkKey(recurrence_id=key, party=ORGANIZER): _mark(circle, key, wanted[key], cancelled=True)
        for key in ({""} if "" in was else was)
    }
    return _finish(letters, circle, Reason.CANCELLED, change=_store(raised, after), marks=marks | told)


# --- the meeting goes on ---------------------------------------------------------------------------------------------


def _told(
    found: Difference,
    concerns: Mapping[Address, Concern],
    circle: Circle,
    *,
    states: tuple[CalendarObject | None, CalendarObject],
) -> Decision:
    before, after = states
    marks = circle.context.marks
    gone = frozenset(key for one in concerns.values() for key in one.lost)
    again = before is not None and found.before is None  # it was off: above the CANCEL, then
    raised = frozenset({"", *found.after.overrides}) if again else gone | found.raised | found.reset
    left = frozenset(key for one in concerns.values() if "" in one.lost for key in one.asked)
    wanted = sequences.due(before, found.after, marks, raised=raised | left)
    asked = {who: one.asked for who, one in concerns.items()}
    wanted = sequences.at_least(found.after, wanted, sequences.above(asked, marks))
    anew = frozenset(found.after.overrides if "" in gone | found.reset else ())
    master = wanted.get("", found.after.sequence("") or 0)  # no lower than the CANCEL beside it
    wanted = sequences.at_least(found.after, wanted, dict.fromkeys(left | anew, master))
    ready = forced.done(sequences.with_sequences(_with_answers_void(found, circle), wanted))
    shown = shareable(ready)
    letters: list[Outgoing] = []
    cancelled = sequences.lost(before, ready, gone, marks=marks) if before is not None else {}
    for who, concern in concerns.items():
        if concern.lost and before is not None:
            letters.append(circle.cancel(who, concern, found.was, sequences=cancelled, source=before))
        if concern.asked:
            letters.append(circle.request(who, concern, shown, before=found.before))
    fallen = {key: cancelled[key] for one in concerns.values() for key in one.lost - one.uninvited}
    return _finish(
        letters,
        circle,
        _reason(concerns, found),
        change=_store(ready, after),
        marks={
            **_request_marks(concerns, ready, circle),
            **_reset_marks(found, ready, circle),
            **_struck_marks(concerns, cancelled, circle),
            **{
                MarkKey(recurrence_id=key, party=ORGANIZER): _mark(circle, key, number, cancelled=True)
                for key, number in fallen.items()
            },
        },
    )


def _reason(concerns: Mapping[Address, Concern], found: Difference) -> Reason:
    if found.before is None or all(one.first for one in concerns.values()):
        return Reason.INVITED
    if any(one.asked for one in concerns.values()):
        return Reason.UPDATED
    return Reason.CANCELLED


def _with_answers_void(found: Difference, circle: Circle) -> CalendarObject:
    """SPEC 5.2: NEEDS-ACTION and RSVP in exactly the instances whose time moved or that are new."""
    changed: dict[str, Component] = {}
    for key in found.reset:
        component = found.after.component(key)
        if component is not None:
            lines = tuple(_void(child, circle) for child in component.children)
            if lines != component.children:
                changed[key] = component.with_children(lines)
    return found.after.with_components(changed) if changed else found.after


def _void(line: Property | Component, circle: Circle) -> Property | Component:
    if isinstance(line, Component) or line.name != "ATTENDEE" or person(line) not in circle.guests:
        return line
    if person(line) in circle.agreed or partstat(line) in _KEPT_ANSWERS:
        return line
    if (line.param("ROLE") or "").upper() == "NON-PARTICIPANT":
        return line
    return line.with_params(PARTSTAT="NEEDS-ACTION", RSVP="TRUE")


# --- marks -----------------------------------------------------------------------------------------------------------


def _request_marks(
    concerns: Mapping[Address, Concern], ready: CalendarObject, circle: Circle
) -> dict[MarkKey, Mark]:
    keys = frozenset(key for one in concerns.values() for key in one.asked)
    return {
        MarkKey(recurrence_id=key, party=ORGANIZER): _mark(circle, key, ready.sequence(key) or 0)
        for key in keys
        if ready.component(key) is not None
    }


def _reset_marks(found: Difference, ready: CalendarObject, circle: Circle) -> dict[MarkKey, Mark]:
    """SPEC 4.1: an answer to a SEQUENCE below the reset no longer counts; what is made anew asks everybody anew."""
    anew = found.before is None and MarkKey(recurrence_id="", party=ORGANIZER) in circle.context.marks
    keys = found.reset | ({key for key, _ in components_by_key(ready)} if anew else set())
    return dict(_reset(circle, who, key, ready.sequence(key) or 0) for key in keys for who in circle.guests)


def _struck_marks(
    concerns: Mapping[Address, Concern], cancelled: Mapping[str, int], circle: Circle
) -> dict[MarkKey, Mark]:
    """What a guest said before he was struck off does not count once he is asked again, and that stands above the CANCEL."""
    out = dict(_reset(circle, who, key, cancelled[key]) for who, one in concerns.items() for key in one.lost)
    for who, one in concerns.items():
        for key in one.lost:
            out[sequences.told_off(key, who)] = Mark(sequence=cancelled[key])
    return out


def _reset(circle: Circle, who: Address, key: str, sequence: int) -> tuple[MarkKey, Mark]:
    name = MarkKey(recurrence_id=key, party=who)
    old = circle.context.marks.get(name, Mark())
    return name, replace(old, reset_sequence=sequence, reset_dtstamp=circle.context.now)


def _mark(circle: Circle, key: str, sequence: int, *, cancelled: bool = False) -> Mark:
    old = circle.context.marks.get(MarkKey(recurrence_id=key, party=ORGANIZER), Mark())
    return replace(
        old,
        sequence=sequence,
        dtstamp=circle.context.now,
        arrived=None,
        cancelled=cancelled,
        organizer=circle.organizer,
    )


def _store(ready: CalendarObject | None, after: CalendarObject | None) -> Store | None:
    return Store(object=ready) if ready is not None and ready is not after else None


def _finish(
    letters: Iterable[Outgoing],
    circle: Circle,
    reason: Reason,
    *,
    change: Store | None,
    marks: Mapping[MarkKey, Mark],
) -> Decision:
    lawful, illegal = strict(letters)
    notes = (*circle.notes, *illegal)
    if not lawful:
        return Decision(outcome=Outcome.FAILED, reason=Reason.MALFORMED_CALENDAR, notes=notes)
    return Decision(
        outcome=Outcome.APPLIED,
        reason=reason,
        change=change,
        outgoing=lawful,
        marks=marks,
        notes=notes,
        recurrence_id=only_instance(lawful),
    )


__all__ = ["inviting", "is_off"]
