"""A guest sends somebody else: what becomes of the lines at the organizer, and who is told (RFC 5546 3.2.2.3, 4.2.5 to 4.2.7).

    he says                         lines of the meeting                               letters
    DELEGATED to E                  his: DELEGATED;DELEGATED-TO=E; one line for E      REQUEST to E
    DELEGATED to F, after E         E's goes where it came by him; one line for F      CANCEL to E, REQUEST to F
    an answer of his own, after E   E's goes where it came by him                      CANCEL to E
    E himself: DECLINED             E's alone                                          REQUEST to his delegator
    E himself: DELEGATED to F       a chain; F's line names E                          REQUEST to F
    to himself, the organizer,      nothing                                            nothing
    back up the chain, too far

The one who speaks moves his own line and no other's; of a list in DELEGATED-TO the first one counts. Every delegate came
by the word of somebody whom the organizer invited, so DELEGATED-FROM alone brings nobody in (`decide.may_answer`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from gateway.ical.address import Address, address, mailto
from gateway.ical.event import CalendarObject, partstat, person
from gateway.ical.tree import Component, Property, prop, text_prop
from gateway.itip import sequences
from gateway.itip.automatic import tallied
from gateway.itip.circle import Circle, circle_of, speaking_as, strict
from gateway.itip.difference import Concern
from gateway.itip.model import Context, Mark, MarkKey, Note, Outgoing
from gateway.itip.roles import identities, line_in, parameter_addresses
from gateway.itip.significance import components_by_key, instance
from gateway.itip.views import instances_of, is_cancelled, shareable

DEPTH: Final = (
    10  # hands that one place goes through; RFC 5546 4.2.5 sets no limit, and each hand costs letters
)
LETTERS: Final = 20  # that one guest may cause in one meeting within a day: he names who gets them
_OURS: Final = "X-IMIP-GATEWAY-DELEGATE"  # this line came by delegation alone, and goes with it


def delegate_of(line: Property) -> Address | None:
    """Whom a DELEGATED line names: the first, if there are several (SPEC 3.3)."""
    named = parameter_addresses(line, "DELEGATED-TO") if partstat(line) == "DELEGATED" else ()
    return named[0] if named else None


def fault(component: Component | None, who: Address, line: Property) -> str:
    """Why this delegation cannot be, or ""."""
    to = delegate_of(line)
    if component is None or to is None:
        return ""
    organizer = component.first("ORGANIZER")
    if organizer is not None and to in identities(organizer):
        return "to-the-organizer"
    upward = _upward(component, who)
    if to == who or to in upward:
        return "in-a-circle"
    return "too-far" if len(upward) >= DEPTH else ""


def settled(component: Component, was: Property, now: Property, *, told: Component) -> Component:
    """The component after the line of one who had it as `was` came to say `now`; `told` is the message's component."""
    old, new = delegate_of(was), delegate_of(now)
    if old is not None and old != new:
        component = _without_delegate(component, old, was.address)
    return component if new is None else _with_delegate(component, now, new, told=told)


def _upward(component: Component, start: Address) -> tuple[Address, ...]:
    """Those who handed their place down to him, nearest first."""
    found: dict[Address, None] = {}
    todo = [start]
    while todo:
        line = line_in(component, frozenset({todo.pop()}))
        for one in parameter_addresses(line, "DELEGATED-FROM") if line is not None else ():
            if one not in found and one != start:
                found[one] = None
                todo.append(one)
    return tuple(found)


def _with_delegate(component: Component, by: Property, to: Address, *, told: Component) -> Component:
    there = line_in(component, frozenset({to}))
    if there is not None:
        names = dict.fromkeys((*there.param_values("DELEGATED-FROM"), by.value))
        return component.replace(there, there.with_params(DELEGATED_FROM=tuple(names)))
    hinted = line_in(told, frozenset({to}))
    role = by.param("ROLE")
    line = prop(
        "ATTENDEE",
        mailto(to),
        CN=hinted.param("CN") if hinted is not None else None,
        ROLE=role if role != "NON-PARTICIPANT" else None,
        PARTSTAT="NEEDS-ACTION",
        RSVP="TRUE",
        DELEGATED_FROM=by.value,
        X_IMIP_GATEWAY_DELEGATE="TRUE",
    )
    return component.add(line)


def _without_delegate(component: Component, gone: Address, by: Address) -> Component:
    """Take the place back. Who was invited himself, or stands in for another one too, stays."""
    line = line_in(component, frozenset({gone}))
    if line is None:
        return component
    others = tuple(one for one in line.param_values("DELEGATED-FROM") if address(one) != by)
    if others or line.param(_OURS) is None:
        return component.replace(line, line.with_params(DELEGATED_FROM=others or None))
    component = component.with_children(child for child in component.children if child is not line)
    further = delegate_of(line)
    return component if further is None else _without_delegate(component, further, gone)


# --- letters ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True, frozen=True)
class _Moves:
    """Whose part in the meeting has changed, and in which of its components."""

    handed: dict[Address, set[str]] = field(default_factory=dict)
    dropped: dict[Address, set[str]] = field(default_factory=dict)
    returned: dict[Address, set[str]] = field(default_factory=dict)


def letters(
    stored: CalendarObject, new: CalendarObject, who: Address, *, context: Context
) -> tuple[tuple[Outgoing, ...], tuple[Note, ...]]:
    """What the delegations in an answer of `who` ask the organizer to send, and notes on whom he does not serve."""
    moves = _moves(stored, new, who)
    if not (moves.handed or moves.dropped or moves.returned):
        return (), ()
    organizer = speaking_as((new, stored), context.owner)
    circle = circle_of(stored, new, context, organizer=organizer)
    return strict(
        (
            *(_taken_back(circle, one, keys, (stored, new)) for one, keys in _served(circle, moves.dropped)),
            *(_handed_on(circle, one, keys, (stored, new)) for one, keys in _served(circle, moves.handed)),
            *(
                _handed_on(circle, one, keys, (stored, _asking(new, one, who)))
                for one, keys in _served(circle, moves.returned)
            ),
        )
    )


def counted(who: Address, letters: int, context: Context) -> dict[MarkKey, Mark] | None:
    """The ledger once these letters have left; None when he has caused too many lately, else he could mail the world."""
    return tallied(f"delegated:{who}", letters, context, most=LETTERS)


def _moves(stored: CalendarObject, new: CalendarObject, who: Address) -> _Moves:
    moves = _Moves()
    for key, component in components_by_key(new):
        if is_cancelled(component):
            continue  # nobody is sent to what does not take place, nor let off it once more
        old = stored.component(key) or stored.master
        before, now = _by_address(old), _by_address(component)
        for line in component.all("ATTENDEE"):
            was = before.get(line.address)
            named = line.param_values("DELEGATED-FROM")
            if named and (was is None or was.param_values("DELEGATED-FROM") != named):
                moves.handed.setdefault(person(line), set()).add(key)
            if line.address == who and partstat(line) == "DECLINED" and was is not None:
                for one in parameter_addresses(line, "DELEGATED-FROM") if partstat(was) != "DECLINED" else ():
                    moves.returned.setdefault(one, set()).add(key)
        for line in old.all("ATTENDEE") if old is not None else ():
            if line.address not in now:
                moves.dropped.setdefault(person(line), set()).add(key)
    return moves


def _by_address(component: Component | None) -> dict[Address, Property]:
    found: dict[Address, Property] = {}
    for line in component.all("ATTENDEE") if component is not None else ():
        for one in identities(line):
            found.setdefault(one, line)
    return found


def _served(circle: Circle, found: dict[Address, set[str]]) -> Iterable[tuple[Address, frozenset[str]]]:
    return ((one, frozenset(keys)) for one, keys in sorted(found.items()) if one in circle.guests)


def _handed_on(
    circle: Circle, who: Address, keys: frozenset[str], states: tuple[CalendarObject, CalendarObject]
) -> Outgoing:
    """RFC 5546 4.2.5: the organizer's own REQUEST, by which the delegate knows that he is expected."""
    stored, new = states
    mine, had = instances_of(new, who), instances_of(stored, who)
    whole = "" in keys
    concern = Concern(was=had, now=mine, asked=mine if whole else keys & mine, full=whole)
    return circle.request(who, concern, shareable(new), before=stored if had else None)


def _taken_back(
    circle: Circle, who: Address, keys: frozenset[str], states: tuple[CalendarObject, CalendarObject]
) -> Outgoing:
    stored, new = states
    lost = frozenset({""}) if "" in keys else keys
    was = {key: one for key in lost if (one := instance(stored, key)) is not None}
    concern = Concern(was=frozenset(was), now=frozenset(), lost=frozenset(was), uninvited=frozenset(was))
    wanted = sequences.lost(stored, new, was, marks=circle.context.marks)
    return circle.cancel(who, concern, was, sequences=wanted, source=stored)


def _asking(new: CalendarObject, delegator: Address, delegate: Address) -> CalendarObject:
    """RFC 5546 4.2.7: asked again, and told why. His PARTSTAT stays, since no word of another one moves it (SPEC 3.3)."""
    changed = {}
    for key, component in components_by_key(new):
        own = line_in(component, frozenset({delegator}))
        if own is not None:
            why = text_prop("COMMENT", f"The delegate {delegate} has declined.")
            changed[key] = component.replace(own, own.with_params(RSVP="TRUE")).add(why)
    return new.with_components(changed)


__all__ = ["DEPTH", "LETTERS", "counted", "delegate_of", "fault", "letters", "settled"]
