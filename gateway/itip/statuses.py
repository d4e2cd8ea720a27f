"""SCHEDULE-STATUS: what became of a letter stands on the line of whom it went to (RFC 6638 3.2.9, SPEC 5.7).

    a letter to a guest             his ATTENDEE line in the organizer's object
    an answer to the organizer      the ORGANIZER line in the guest's copy

It says that of the last letter, until an answer comes; SCHEDULE-AGENT is never touched.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, partstat
from gateway.ical.tree import Component, Property
from gateway.itip.model import Method
from gateway.itip.roles import identities, line_in

_NAME: Final = "SCHEDULE-STATUS"
_TO_GUESTS: Final = frozenset({Method.REQUEST, Method.CANCEL})
_TO_ORGANIZER: Final = frozenset({Method.REPLY, Method.COUNTER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of one letter."""

    method: Method
    party: Address  # whom it went to
    code: str
    recurrence_id: str = ""  # the one instance that it was about


def worth(method: Method, code: str, *, automatic: bool = False) -> bool:
    """Whether somebody wants to read it in his calendar: every failure, else that what a person sent has left.

    What was cancelled is on its way out of the calendar, and nobody waits for a machine's letter.
    """
    if is_failure(code):
        return method in _TO_GUESTS | _TO_ORGANIZER
    return bool(code) and not automatic and method in (Method.REQUEST, Method.REPLY, Method.COUNTER)


def is_failure(code: str) -> bool:
    return code[:1] in ("3", "5")


def noted(meeting: CalendarObject, fates: Iterable[Fate]) -> CalendarObject:
    """The meeting with these codes; the same object where it says all of them."""
    for fate in fates:
        changed = {
            key: new
            for key, component in _places(meeting, fate)
            if (new := _noted(component, fate)) is not component
        }
        meeting = meeting.with_components(changed) if changed else meeting
    return meeting


def _places(meeting: CalendarObject, fate: Fate) -> list[tuple[str, Component]]:
    """The instance that the letter was about, if it has a line for him; else the whole meeting."""
    places = [*([("", meeting.master)] if meeting.master is not None else []), *meeting.overrides.items()]
    named = [(key, one) for key, one in places if _line(one, fate) is not None]
    return [place for place in named if fate.recurrence_id and place[0] == fate.recurrence_id] or named


def _line(component: Component, fate: Fate) -> Property | None:
    if fate.method in _TO_GUESTS:
        return line_in(component, frozenset({fate.party}))
    if fate.method in _TO_ORGANIZER:
        lines = component.all("ORGANIZER")
        return next((one for one in lines if fate.party in identities(one)), None)
    return None


def _noted(component: Component, fate: Fate) -> Component:
    line = _line(component, fate)
    if line is None:
        return component
    old = (line.param(_NAME) or "").strip()
    # RFC 6638 3.2.9: the status of his answer says more than that his letter has left
    answered = old.startswith("2") and partstat(line) != "NEEDS-ACTION" and fate.method in _TO_GUESTS
    if old == fate.code or (answered and not is_failure(fate.code)):
        return component
    return component.replace(line, line.with_params(SCHEDULE_STATUS=fate.code))


__all__ = ["Fate", "is_failure", "noted", "worth"]
