"""A letter once more, since the owner's program says so: SCHEDULE-FORCE-SEND (SPEC 12.17).

    at the organizer   ATTENDEE;SCHEDULE-FORCE-SEND=REQUEST      his invitation once more to that guest
    at an attendee     ORGANIZER;SCHEDULE-FORCE-SEND=REPLY       his answer once more to the organizer

The parameter is an order, not a state: it counts when it comes, and is taken out of the calendar with what it has sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, person
from gateway.ical.tree import Component, Property

_NAME: Final = "SCHEDULE-FORCE-SEND"
_ORDERS: Final = {"ATTENDEE": "REQUEST", "ORGANIZER": "REPLY"}  # RFC 6638 7.2


def orders(component: Component) -> Iterator[Property]:
    """The lines that order a letter."""
    for line in component.properties:
        if line.name in _ORDERS and (line.param(_NAME) or "").strip().upper() == _ORDERS[line.name]:
            yield line


def guests(before: CalendarObject | None, after: CalendarObject) -> frozenset[Address]:
    """Who is to get his invitation once more."""
    return _named(after, "ATTENDEE") - (_named(before, "ATTENDEE") if before is not None else frozenset())


def answers(before: CalendarObject | None, after: CalendarObject) -> bool:
    """Whether the organizer is to get the answers once more."""
    ordered = bool(_named(after, "ORGANIZER"))
    return ordered and (before is None or not _named(before, "ORGANIZER"))


def done(meeting: CalendarObject) -> CalendarObject:
    """The meeting without the orders; the same one where there is none."""
    changed: dict[str, Component] = {}
    for component in meeting.components:
        lines = {id(line) for line in orders(component)}
        if lines:
            key = next((key for key, one in meeting.overrides.items() if one is component), "")
            changed[key] = component.with_children(
                child.with_params(SCHEDULE_FORCE_SEND=None)
                if isinstance(child, Property) and id(child) in lines
                else child
                for child in component.children
            )
    return meeting.with_components(changed) if changed else meeting


def _named(meeting: CalendarObject, name: str) -> frozenset[Address]:
    return frozenset(
        person(line) for component in meeting.components for line in orders(component) if line.name == name
    )


__all__ = ["answers", "done", "guests", "orders"]
