"""The organizer's word on a proposal: yes changes the event and asks everybody, no is a DECLINECOUNTER (RFC 5546 3.2.7, 3.2.8)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from gateway.ical.address import Address, is_mail
from gateway.ical.event import CalendarObject, attendee_of
from gateway.ical.tree import Property, prop
from gateway.itip import answers, compose, sequences
from gateway.itip.changes import changes
from gateway.itip.circle import circle_of, speaking_as, strict
from gateway.itip.model import (
    Context,
    Decision,
    Mark,
    MarkKey,
    Method,
    Note,
    Outcome,
    Outgoing,
    Proposal,
    Reason,
    Role,
    Store,
)
from gateway.itip.proposed import as_proposed, is_usable
from gateway.itip.roles import attendee, role
from gateway.itip.significance import instance
from gateway.itip.summary import summarize

# Why nobody need be told: the event is changed all the same.
_TELLS_NOBODY: Final = frozenset({Reason.SCHEDULE_AGENT, Reason.NOTHING_TO_SEND, Reason.COSMETIC_CHANGE})


def accept(stored: CalendarObject | None, proposal: Proposal, context: Context) -> Decision:
    """The event as proposed, SEQUENCE+1, REQUEST to all; who proposed it has said yes by that (RFC 5546 4.2.4)."""
    late = _too_late(stored, proposal, context)
    if stored is None or late is not None:
        return late or _stale(Reason.UNKNOWN_UID, proposal)
    key = proposal.recurrence_id
    new = as_proposed(stored, key, proposal.object, now=context.now)
    if new is None:
        return _stale(Reason.NO_SUCH_INSTANCE, proposal)
    if not is_usable(stored, new, key):
        return _refused(Reason.PROPOSAL_UNUSABLE, proposal)
    ready = _agreed(stored, new, proposal, context)
    found = changes(stored, ready, context, agreed=frozenset({proposal.sender}))
    if found.outcome is Outcome.IGNORED and found.reason in _TELLS_NOBODY:
        found = replace(found, outcome=Outcome.APPLIED)
    if found.outcome is not Outcome.APPLIED:
        return replace(found, recurrence_id=key)
    return replace(
        found,
        reason=Reason.PROPOSAL_ACCEPTED,
        change=found.change or Store(object=ready),
        marks={**found.marks, **_answer_mark(ready, found, proposal, context)},
        recurrence_id=key,
    )


def decline(stored: CalendarObject | None, proposal: Proposal, context: Context) -> Decision:
    """A DECLINECOUNTER to the one who proposed; nothing else changes."""
    if stored is None or role(stored, context.owner) is not Role.ORGANIZER:
        return _stale(Reason.UNKNOWN_UID if stored is None else Reason.NOT_OUR_ORGANIZER, proposal)
    line = attendee(stored, frozenset({proposal.sender}))
    key = proposal.recurrence_id if answers.occurs(stored, proposal.recurrence_id) else ""
    letter = (
        declining(stored, key, line, sequence=proposal.sequence, context=context)
        if line is not None
        else None
    )
    lawful, notes = strict((letter,)) if letter is not None else ((), (Note(code="nobody-to-tell"),))
    return Decision(
        outcome=Outcome.APPLIED,
        reason=Reason.PROPOSAL_DECLINED,
        outgoing=lawful,
        notes=notes,
        recurrence_id=proposal.recurrence_id,
    )


def declining(
    stored: CalendarObject,
    key: str,
    line: Property,
    *,
    sequence: int | None,
    context: Context,
    automatic: bool = False,
) -> Outgoing | None:
    """The DECLINECOUNTER to this guest; None when he is not ours to write to. It restates the time that holds."""
    component = instance(stored, key)
    organizer = speaking_as((stored,), context.owner)
    guests = circle_of(None, stored, context, organizer=organizer).guests
    who = next((one for one, his in guests.items() if his is line), None)
    if component is None or who is None or not is_mail(organizer):
        return None
    own = attendee_of(component, who) or line
    stamp = compose.Stamp(now=context.now, prodid=context.prodid)
    message = compose.declinecounter(component, own, stored, stamp=stamp, sequence=sequence)
    return Outgoing(
        method=Method.DECLINECOUNTER,
        sender=organizer,
        recipient=who,
        recipient_name=(line.param("CN") or "").strip(),
        object=message,
        summary=summarize("proposal-declined", message, now=context.now, key=key, viewer=who),
        automatic=automatic,
    )


def _too_late(stored: CalendarObject | None, proposal: Proposal, context: Context) -> Decision | None:
    """SPEC 4.5: a proposal speaks of one version of the event."""
    if stored is None:
        return _stale(Reason.UNKNOWN_UID, proposal)
    if role(stored, context.owner) is not Role.ORGANIZER:
        return _refused(Reason.NOT_OUR_ORGANIZER, proposal)
    if not answers.occurs(stored, proposal.recurrence_id):
        return _stale(Reason.NO_SUCH_INSTANCE, proposal)
    known = sequences.known(stored, proposal.recurrence_id, context.marks)
    if known is not None and proposal.sequence is not None and proposal.sequence < known:
        return _stale(Reason.OLDER_SEQUENCE, proposal)
    return None


def _agreed(
    stored: CalendarObject, new: CalendarObject, proposal: Proposal, context: Context
) -> CalendarObject:
    """His line says ACCEPTED, and SEQUENCE has risen, whatever it is that changes (RFC 5546 4.2.4)."""
    key = proposal.recurrence_id
    component = new.component(key)
    if component is None:
        return new
    line = attendee_of(component, proposal.sender)
    if line is not None:
        component = component.replace(line, line.with_params(PARTSTAT="ACCEPTED"))
    raised = (sequences.known(stored, key, context.marks) or 0) + 1
    return new.with_component(key, component.put(prop("SEQUENCE", str(raised))))


def _answer_mark(
    ready: CalendarObject, found: Decision, proposal: Proposal, context: Context
) -> dict[MarkKey, Mark]:
    """His yes; one who has been struck off since has none to say."""
    component = ready.component(proposal.recurrence_id)
    if component is None or attendee_of(component, proposal.sender) is None:
        return {}
    name = MarkKey(recurrence_id=proposal.recurrence_id, party=Address(proposal.sender))
    mark = found.marks.get(name) or context.marks.get(name) or Mark()
    return {name: replace(mark, partstat="ACCEPTED")}


def _stale(reason: Reason, proposal: Proposal) -> Decision:
    return Decision(outcome=Outcome.STALE, reason=reason, recurrence_id=proposal.recurrence_id)


def _refused(reason: Reason, proposal: Proposal) -> Decision:
    return Decision(outcome=Outcome.REFUSED, reason=reason, recurrence_id=proposal.recurrence_id)


__all__ = ["accept", "decline", "declining"]
