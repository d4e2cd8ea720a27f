"""A CANCEL that comes after the REQUEST which overtook it: the meeting is on, but its guest has been asked anew in between.

In their order the two would have taken the meeting off and made it again, to which its guest had said nothing yet. So what
he had answered before is void, and what he has answered since stays; the ledger keeps the CANCEL as it would have, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace

from gateway.ical import onward
from gateway.ical.event import CalendarObject, partstat
from gateway.ical.tree import Component
from gateway.itip import version
from gateway.itip.follow import Scene, follow, standing_of
from gateway.itip.merge import cancelled
from gateway.itip.model import Mark, MarkKey
from gateway.itip.order import Stamp, answered_since
from gateway.itip.roles import line_in
from gateway.itip.version import Components, Part


def learned(scene: Scene, parts: Iterable[Part]) -> dict[MarkKey, Mark]:
    """What the ledger learns of such CANCELs; nothing of one where a later one is known already."""
    marks: dict[MarkKey, Mark] = {}
    for part in parts:
        if not onward.is_onward(part.key):
            mark = part.stamp.mark(organizer=scene.message.object.organizer, cancelled=True)
            marks |= scene.standing.after_overtaken(part.key, part.stamp, mark)
    return marks


def asked_anew(scene: Scene, marks: Mapping[MarkKey, Mark]) -> CalendarObject | None:
    """The copy once the organizer's version has been off, as these marks tell, and on again."""
    stored, told = scene.stored, scene.context.base or scene.stored
    if stored is None or told is None:
        return stored
    known = version.components(told)
    was, since = dict(known), set[str]()
    for name, cancel in marks.items():
        if cancel.cancelled:
            since |= _spoken_since(scene, cancel)
            was |= _off(told, known, name.recurrence_id)
    again = replace(
        scene,
        message=replace(scene.message, object=told),
        context=replace(scene.context, base=version.assemble(told, was)),
        answered=frozenset(since),
    )
    unstamped = Stamp(sequence=None, dtstamp=None, digest="")
    said = tuple(Part(key=key, component=one, stamp=unstamped) for key, one in known.items())
    new, _, _ = follow(again, standing_of(scene.message, {**scene.context.marks, **marks}), said)
    if new is None or _answers(new, scene) == _answers(stored, scene):
        return stored
    return _with_the_series(new, scene, since) if "" in since else new


def _off(told: CalendarObject, known: Components, key: str) -> Components:
    whole = version.telling(told, known)
    found = {one: known.get(one) or version.derived(whole, one) for one in ((key,) if key else known)}
    return {one: cancelled(part, sequence=None) for one, part in found.items() if part is not None}


def _spoken_since(scene: Scene, cancel: Mark) -> Set[str]:
    """The instances to which the owner has given an answer that this CANCEL does not reach back to."""
    return {
        key.recurrence_id
        for key, mark in scene.context.marks.items()
        if key.party in scene.context.owner
        and mark.partstat
        and not mark.cancelled
        and answered_since(mark, cancel)
    }


def _with_the_series(new: CalendarObject, scene: Scene, since: Set[str]) -> CalendarObject:
    """What he has said to the series since is his answer to the dates of which he had spoken before, too."""
    whole = line_in(new.master, scene.context.owner)
    changed: Components = {}
    for key, one in new.overrides.items() if whole is not None else ():
        line = line_in(one, scene.context.owner)
        if whole and line is not None and key not in since and partstat(line) == "NEEDS-ACTION":
            changed[key] = one.replace(line, line.with_params(PARTSTAT=partstat(whole)))
    return new.with_components(changed)


def _answers(of: CalendarObject, scene: Scene) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {key: _answer(one, scene) for key, one in version.components(of).items()}


def _answer(component: Component, scene: Scene) -> tuple[str, tuple[str, ...]]:
    line = line_in(component, scene.context.owner)
    out = tuple(sorted(item.value for item in component.all("EXDATE")))
    return partstat(line) if line is not None else "", out


__all__ = ["asked_anew", "learned"]
