"""SEQUENCE on the organizer's side: what each instance must carry, so that nobody takes the new state for an old one.

Many clients never raise it, and Outlook and Google then ignore the update; some lower it when they copy an event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from gateway.ical.address import Address
from gateway.ical.event import CalendarObject
from gateway.ical.tree import prop
from gateway.itip.model import Mark, MarkKey
from gateway.itip.order import ORGANIZER
from gateway.itip.significance import components_by_key

Marks = Mapping[MarkKey, Mark]
_TOLD_OFF: Final = "off:"


def known(meeting: CalendarObject | None, key: str, marks: Marks) -> int | None:
    """The highest SEQUENCE that this instance has had, in the object or in a message of ours; None when it had none."""
    mark = marks.get(MarkKey(recurrence_id=key, party=ORGANIZER))
    sent = mark.sequence if mark is not None else None
    if meeting is None:
        return sent
    own = meeting.sequence(key) if meeting.component(key) is not None else meeting.sequence("")
    return max(own or 0, sent or 0)


def due(
    before: CalendarObject | None, after: CalendarObject, marks: Marks, *, raised: Iterable[str]
) -> dict[str, int]:
    """RFC 5546 2.1.4: what the client should have raised and did not, or has lowered, and to what."""
    wanted = frozenset(raised)
    out = {}
    for key, _ in components_by_key(after):
        had = known(before, key, marks)
        least = 0 if had is None else had + (1 if key in wanted or before is None else 0)
        if least > (after.sequence(key) or 0):
            out[key] = least
    return out


def above(asked: Mapping[Address, Iterable[str]], marks: Marks) -> dict[str, int]:
    """What each instance must have to stand above the last CANCEL of it, or of the whole, that one of these guests has had."""
    out: dict[str, int] = {}
    for who, keys in asked.items():
        for key in keys:
            told = (marks.get(told_off(place, who)) for place in {key, ""})
            found = ((mark.sequence or 0) + 1 for mark in told if mark is not None)
            out[key] = max(out.get(key, 0), *found, 0)
    return out


def told_off(key: str, who: Address) -> MarkKey:
    """The ledger's line of the CANCEL that a guest has had of this."""
    return MarkKey(recurrence_id=key, party=f"{_TOLD_OFF}{who}")


def at_least(after: CalendarObject, wanted: Mapping[str, int], floor: Mapping[str, int]) -> dict[str, int]:
    """What is wanted, and no less than the floor."""
    low = {key: least for key, least in floor.items() if least > wanted.get(key, after.sequence(key) or 0)}
    return {**wanted, **low}


def cancelling(before: CalendarObject, after: CalendarObject | None, marks: Marks) -> dict[str, int]:
    """RFC 5546 2.1.4: SEQUENCE rises with every CANCEL; the master's above those of the overrides that it takes along."""
    highest = max((known(before, key, marks) or 0 for key, _ in components_by_key(before)), default=0)
    out = {}
    for key, _ in components_by_key(before):
        least = (known(before, key, marks) or 0 if key else highest) + 1
        written = after.sequence(key) if after is not None else None
        out[key] = max(least, written or 0)
    return out


def lost(
    before: CalendarObject, ready: CalendarObject, keys: Iterable[str], *, marks: Marks
) -> dict[str, int]:
    """The SEQUENCE of a CANCEL for single instances of a meeting that goes on; `ready` has been raised already."""
    out = {}
    for key in keys:
        written = ready.sequence(key) if ready.component(key) is not None else ready.sequence("")
        out[key] = max((known(before, key, marks) or 0) + 1, written or 0)
    return out


def with_sequences(meeting: CalendarObject, wanted: Mapping[str, int]) -> CalendarObject:
    """The object with these SEQUENCEs; the same one when it has them."""
    changed = {
        key: component.put(prop("SEQUENCE", str(wanted[key])))
        for key, component in components_by_key(meeting)
        if key in wanted and meeting.sequence(key) != wanted[key]
    }
    return meeting.with_components(changed) if changed else meeting


__all__ = ["above", "at_least", "cancelling", "due", "known", "lost", "told_off", "with_sequences"]
