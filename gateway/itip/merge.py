"""The three-way merge of one component: the organizer's last version, our copy, his new version.

By difference, never by a list of what is known: what he changed is taken, unknown properties too; what the owner changed
in his copy stays. Where both changed the same thing, the organizer has the last word on the meeting and the owner on what
is his: alarms, TRANSP, CLASS, COLOR, CATEGORIES, progress. Times and recurrence are the organizer's alone.

Without the organizer's last version (a copy that we did not store) all but the owner's things counts as the organizer's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from gateway.ical.address import Address
from gateway.ical.event import partstat
from gateway.ical.tree import Component, Property, prop
from gateway.itip.roles import identities, is_one_of, line_in, parameter_addresses, same_person

# The meeting itself; whatever a client did to these in the owner's copy, the organizer's word replaces it.
_HIS = frozenset(
    {
        "UID",
        "RECURRENCE-ID",
        "SEQUENCE",
        "DTSTAMP",
        "DTSTART",
        "DTEND",
        "DUE",
        "DURATION",
        "RRULE",
        "EXRULE",
        "RDATE",
        "EXDATE",
        "STATUS",
        "ORGANIZER",
        "ATTENDEE",
        "CREATED",
        "LAST-MODIFIED",
        "REQUEST-STATUS",
    }
)
_OURS = frozenset({"TRANSP", "CLASS", "COLOR", "CATEGORIES", "COMPLETED", "PERCENT-COMPLETE", "STATUS"})
_LISTS = frozenset({"CATEGORIES", "RESOURCES"})
_SEVERAL = _LISTS | {"ATTACH", "COMMENT", "CONTACT", "RELATED-TO", "CONFERENCE", "IMAGE"}
_COMMA = re.compile(r"(?<!\\),")

# RFC 6638 7: talk between a client and its server; never taken from a mail, never given up in the copy.
_SERVER_PARAMS = ("SCHEDULE-AGENT", "SCHEDULE-STATUS", "SCHEDULE-FORCE-SEND")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mine:
    """Whose copy it is, and how the new version is to be taken."""

    owner: frozenset[Address]
    invited_as: Address | None = None
    rescheduled: bool = False  # the answer is void
    proven: bool = False  # a SENT-BY in the new version may be believed


def merge(base: Component | None, ours: Component | None, new: Component, *, mine: Mine) -> Component:
    """The component to store. `ours` None: it is new to us."""
    theirs = imported(new)
    if ours is not None:
        theirs = _with_properties(theirs, None if base is None else imported(base), ours)
        theirs = theirs.with_children((*theirs.children, *ours.subcomponents("VALARM")))
    return _with_guests(_with_organizer(theirs, ours, mine), base, ours, mine)


def imported(new: Component) -> Component:
    """An organizer's component as it may enter a foreign calendar: his alarms and colours stay his (SPEC 4.2)."""
    return new.without("COLOR").without_components("VALARM")


def _with_properties(new: Component, base: Component | None, ours: Component) -> Component:
    names = dict.fromkeys(item.name for item in (*new.properties, *ours.properties))
    for name in names:
        if name in _HIS and not (name == "STATUS" and _is_progress(base, ours, new)):
            continue
        told, kept = new.all(name), ours.all(name)
        if base is not None:
            was = base.all(name)
        else:
            was = () if _is_ours(name) else kept
        chosen = _choose(name, was, kept, told, known=base is not None)
        if chosen is not told:
            new = _set(new, name, chosen)
    return new


def _choose(
    name: str, was: Sequence[Property], ours: Sequence[Property], new: Sequence[Property], *, known: bool
) -> Sequence[Property]:
    """The lines of one name. `known`: `was` is what the organizer said last, not a guess."""
    old, mine, his = _facts(name, was), _facts(name, ours), _facts(name, new)
    if mine == old:
        return new
    if his == old and known:
        return ours
    if name not in _SEVERAL and len(mine) <= 1 and len(his) <= 1:
        keeps = name in _OURS or not his
        return ours if keeps and mine else new
    removed, added = old - mine, mine - old - his
    kept = _those(name, new, lambda item: _fact(item) not in removed)
    return (*kept, *_those(name, ours, lambda item: _fact(item) in added))


def _those(name: str, lines: Sequence[Property], wanted: Callable[[Property], bool]) -> Iterator[Property]:
    """The lines that are wanted; of a list only its wanted values, whole where that is all of it."""
    for line in lines:
        values = _split(name, (line,))
        left = [value for value in values if wanted(value)]
        yield from (line,) if len(left) == len(values) else left


def _is_progress(*states: Component | None) -> bool:
    """SPEC 12.9: how far his part of a task is, the owner says; that it is off, or on again, the organizer does."""
    known = [one for one in states if one is not None]
    return all(one.name == "VTODO" for one in known) and not any(
        (one.value("STATUS") or "").strip().upper() == "CANCELLED" for one in known
    )


def _is_ours(name: str) -> bool:
    return name in _OURS or name.startswith("X-")


def _with_organizer(new: Component, ours: Component | None, mine: Mine) -> Component:
    line = new.first("ORGANIZER")
    if line is None:
        return new
    old = ours.first("ORGANIZER") if ours is not None else None
    same = same_person(old, line)
    line = _without_server_params(line, old if same else None)
    if not mine.proven:
        # RFC 6047 3: a SENT-BY in the message proves nothing; the one that a proven organizer named stays
        line = line.with_params(SENT_BY=old.param("SENT-BY") if old is not None and same else None)
    return new.put(line)


def _with_guests(new: Component, base: Component | None, ours: Component | None, mine: Mine) -> Component:
    old = line_in(ours, mine.owner, mine.invited_as)
    lines = [
        _own_line(line, line_in(ours, identities(line)) or old, mine)
        if is_one_of(line, mine.owner)
        else _without_server_params(line, None)
        for line in new.all("ATTENDEE")
    ]
    listed = any(is_one_of(line, mine.owner) for line in lines)
    if old is not None and not listed and line_in(base, mine.owner) is None:
        # invited through a list, and answered: the line is his own doing (SPEC 2.3)
        lines.append(_own_line(old, old, mine))
    if old is not None and ours is not None and partstat(old) == "DELEGATED" and not mine.rescheduled:
        there = {line.address for line in lines}
        named = set(parameter_addresses(old, "DELEGATED-TO")) - there
        lines += [line for line in ours.all("ATTENDEE") if line.address in named]
    return _set(new, "ATTENDEE", lines)


def _own_line(line: Property, old: Property | None, mine: Mine) -> Property:
    """The owner's line: an answer is his alone, and void when the meeting moved (SPEC 4.2).

    RSVP is the organizer's word; where he says nothing an open question is RSVP=TRUE.
    """
    line = _without_server_params(line, old)
    if old is not None:
        personal = {
            item.name: item.values
            for item in old.params
            if item.name.startswith("X-") and line.param(item.name) is None
        }
        line = line.with_params(**personal)
    if old is None or mine.rescheduled or partstat(old) == "NEEDS-ACTION":
        return line.with_params(PARTSTAT="NEEDS-ACTION", RSVP=line.param("RSVP") or "TRUE", DELEGATED_TO=None)
    return line.with_params(PARTSTAT=partstat(old), DELEGATED_TO=old.param_values("DELEGATED-TO") or None)


def _without_server_params(line: Property, old: Property | None) -> Property:
    if old is None and not any(item.name in _SERVER_PARAMS for item in line.params):
        return line
    kept = {name: old.param(name) if old is not None else None for name in _SERVER_PARAMS}
    return line.with_params(**kept)


def _set(component: Component, name: str, lines: Iterable[Property]) -> Component:
    """The component with exactly these lines of a name, where the first of them stood."""
    left = list(lines)
    if tuple(left) == component.all(name):
        return component
    children: list[Property | Component] = []
    placed = False
    for child in component.children:
        last = isinstance(child, Component)
        if not placed and (child.name == name or last):
            children += left
            placed = True
        if last or child.name != name:
            children.append(child)
    return component.with_children(children if placed else [*children, *left])


def _split(name: str, lines: Sequence[Property]) -> tuple[Property, ...]:
    """Lines that are lists (CATEGORIES:a,b) as one line per value, since servers join and split them."""
    if name not in _LISTS:
        return tuple(lines)
    return tuple(
        line.with_value(value.strip())
        for line in lines
        for value in _COMMA.split(line.value)
        if value.strip()
    )


def _facts(name: str, lines: Sequence[Property]) -> frozenset[tuple[str, ...]]:
    return frozenset(_fact(line) for line in _split(name, lines))


def _fact(line: Property) -> tuple[str, ...]:
    params = sorted(f"{item.name}={','.join(item.values)}" for item in line.params)
    return (line.value, *params)


def cancelled(component: Component, *, sequence: int | None) -> Component:
    """The component, called off: STATUS:CANCELLED, and the SEQUENCE of the CANCEL."""
    out = component.put(prop("STATUS", "CANCELLED"))
    return out if sequence is None else out.put(prop("SEQUENCE", str(sequence)))


__all__ = ["Mine", "cancelled", "imported", "merge"]
