"""A REQUEST that comes once more unchanged and asks for an answer: the organizer has not heard ours, and is told again.

RFC 5546 3.2.2.7. It is sent as a machine sends, to a proven organizer only (SPEC 3.4, 12.5), and no sooner than a day after the
answer left: a mail that merely comes twice asks nothing. Who has not answered yet has nothing to repeat.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from typing import Final

from gateway.ical.address import Address
from gateway.ical.event import CalendarObject
from gateway.ical.tree import Component
from gateway.itip import dates
from gateway.itip.automatic import PAUSE, counted, why_not
from gateway.itip.model import Certainty, Context, Decision, Message, Note, Outcome, Reason
from gateway.itip.replying import replying
from gateway.itip.roles import acts_as_organizer, line_in
from gateway.itip.significance import components_by_key

_TOLD: Final = "repeated"  # the ledger's line of what we told again


def with_answer(
    decision: Decision, stored: CalendarObject | None, *, message: Message, context: Context
) -> Decision:
    """What a REQUEST came to, and our answer once more where it only repeats what we have answered."""
    if decision.reason is not Reason.DUPLICATE or stored is None or not _asks(message, context):
        return decision
    proven = context.verdict is not None and context.verdict.certainty is Certainty.PROVEN
    if not proven or not acts_as_organizer(stored, message.sender, context):
        return decision
    if why_not(context, _TOLD, to_request=True) is not None or _told_lately(context):
        return decision
    if context.policy.booking is not None and message.object.sequence() != stored.sequence():
        stored, context = _as_told(message, context)
    told = replying(_unanswered(stored, context.owner), stored, context)
    if told.outcome is not Outcome.APPLIED:
        return decision
    return replace(
        decision,
        outgoing=tuple(replace(one, automatic=True) for one in told.outgoing),
        marks={**decision.marks, **told.marks, **counted(context, _TOLD)},
        notes=(*decision.notes, Note(code="answered-again", facts={"to": told.outgoing[0].recipient})),
    )


def _as_told(message: Message, context: Context) -> tuple[CalendarObject, Context]:
    """The version that was answered, where the copy is another: a room keeps what it had when it cannot have what is new."""
    answers = {
        key.recurrence_id: mark.partstat
        for key, mark in context.marks.items()
        if key.party in context.owner and mark.partstat
    }
    told = dates.answered(message.object, answers, context.owner, now=context.now)
    return told, replace(context, base=message.object)


def _told_lately(context: Context) -> bool:
    """Whether an answer of the owner's own is less than a day old."""
    told = [
        mark.dtstamp for key, mark in context.marks.items() if key.party in context.owner and mark.partstat
    ]
    return any(one is not None and context.now - one < PAUSE for one in told)


def _asks(message: Message, context: Context) -> bool:
    """Whether the owner's own line wants an answer."""
    lines = (line_in(part, context.owner) for part in message.object.components)
    return any(line is not None and (line.param("RSVP") or "").upper() == "TRUE" for line in lines)


def _unanswered(stored: CalendarObject, owner: Set[Address]) -> CalendarObject:
    """The copy as if he had not answered yet, so that all that he answered is news."""
    return stored.with_components({key: _cleared(one, owner) for key, one in components_by_key(stored)})


def _cleared(component: Component, owner: Set[Address]) -> Component:
    line = line_in(component, owner)
    if line is None:
        return component
    return component.replace(line, line.with_params(PARTSTAT="NEEDS-ACTION", DELEGATED_TO=None))


__all__ = ["with_answer"]
