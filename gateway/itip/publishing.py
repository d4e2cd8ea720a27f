"""PUBLISH: what somebody posts for whoever likes to read it (RFC 5546 3.2.1, 3.4.1, 3.5.1).

Nobody is invited and nobody answers, so the owner says whether he takes such things at all. A journal comes by no other
way. The organizer's word enters the copy as a REQUEST's would, and his CANCEL takes it back; it never touches a meeting.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from gateway.ical.event import CalendarObject
from gateway.ical.tree import Component, prop
from gateway.itip import attendee
from gateway.itip.model import Context, Decision, Message, Method, Outcome, Policy, Reason

KIND: Final = "VJOURNAL"

_TOLD: Final = {
    Reason.INVITATION_STORED: Reason.PUBLICATION_STORED,
    Reason.INVITATION_UPDATED: Reason.PUBLICATION_UPDATED,
    Reason.INVITATION_RESCHEDULED: Reason.PUBLICATION_UPDATED,
}


def is_unwanted(stored: CalendarObject | None, message: Message, policy: Policy) -> bool:
    """SPEC 4.6: whether it is a publication, or belongs to one, and the owner has not asked for such.

    Who no longer wants any may still have some: what their organizer calls off is off.
    """
    published = message.method is Method.PUBLISH or message.object.kind == KIND
    called_off = message.method is Method.CANCEL and stored is not None
    return published and not policy.publish and not called_off


def prepared(message: Message) -> Message:
    """The message with what RFC 5546 3.2.1 wants in a PUBLISH: an ORGANIZER, and no ATTENDEE.

    Without ORGANIZER it is the word of who sent it, and he alone may change it: how sure we are of him is asked as ever.
    """
    if message.method is not Method.PUBLISH:
        return message
    whole = message.object
    found = {"": whole.master} if whole.master is not None else {}
    found |= dict(whole.overrides)
    mended = {key: _mended(component, message) for key, component in found.items()}
    if all(mended[key] is component for key, component in found.items()):
        return message
    return replace(message, object=whole.with_components(mended))


def _mended(component: Component, message: Message) -> Component:
    if component.first("ATTENDEE") is not None:
        component = component.without("ATTENDEE")
    if message.object.organizer_prop is None and message.sender is not None:
        component = component.add(prop("ORGANIZER", f"mailto:{message.sender}"))
    return component


def publish(stored: CalendarObject | None, message: Message, context: Context) -> Decision:
    """The publication as our copy of it; nothing is sent."""
    decision = attendee.request(stored, message, context)
    if decision.outcome is not Outcome.APPLIED:
        return decision
    return replace(decision, reason=_TOLD.get(decision.reason, decision.reason))


__all__ = ["KIND", "is_unwanted", "prepared", "publish"]
