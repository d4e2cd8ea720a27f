"""What a person's calendar program has mailed by itself, kept in the ledger until the change that it tells of settles.

Two senders mean every guest gets two mails (SPEC 5.4): what a guest was told of this revision is not told again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from gateway.ical.address import Address
from gateway.ical.event import CalendarObject
from gateway.itip.model import Mark, MarkKey, Message, Method, Outgoing

_PARTY: Final = "mailed"


def seen(message: Message, recipients: Iterable[Address], at: datetime) -> dict[MarkKey, Mark]:
    """The marks that the program's mail to these people leaves, if they have to do with the meeting: one for each of them
    where the series is named, else one for each date.
    """
    of = message.object
    people = {one.address for one in of.attendees()} | {of.organizer}
    told = [who for who in recipients if who in people]
    return {
        MarkKey(recurrence_id=key, party=_party(message.method, who)): Mark(
            sequence=sequence, dtstamp=at, arrived=at
        )
        for key, sequence in _revisions(of).items()
        for who in told
    }


def _revisions(of: CalendarObject) -> dict[str, int]:
    """A mail about the series tells of its dates too, the highest revision of which counts."""
    numbers = {key: of.sequence(key) or 0 for key in _keys(of)}
    return {"": max(numbers.values())} if of.master is not None else numbers


def spoken_for(
    letter: Outgoing, saved: CalendarObject | None, marks: Mapping[MarkKey, Mark], *, since: datetime
) -> dict[MarkKey, Mark]:
    """The marks by which the program has already told this recipient all that the letter would, in the form that says that
    they have been counted; empty when it has not.

    A mail counts for one change, and only for the revision that was saved (`saved`) or a newer one.
    """
    counted = {}
    for key in _keys(letter.object):
        place = _place(marks, key, _party(letter.method, letter.recipient))
        if place is None:
            return {}
        mark = marks[place]
        sequence = (saved.sequence(key) if saved is not None else None) or 0
        if mark.arrived is None or mark.arrived < since or (mark.sequence or 0) < sequence:
            return {}
        counted[place] = Mark(sequence=mark.sequence, dtstamp=mark.dtstamp)
    return counted


def _place(marks: Mapping[MarkKey, Mark], key: str, party: str) -> MarkKey | None:
    """A mail about the whole series tells of its dates too."""
    places = (MarkKey(recurrence_id=one, party=party) for one in dict.fromkeys((key, "")))
    return next((one for one in places if one in marks), None)


def _keys(of: CalendarObject) -> tuple[str, ...]:
    return (*([""] if of.master is not None else []), *of.overrides)


def _party(method: Method, who: Address) -> str:
    return f"{_PARTY}:{method}:{who}"


__all__ = ["seen", "spoken_for"]
