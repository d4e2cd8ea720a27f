"""What must be told to whom when a calendar changed: one pure function of before and after (RFC 6638 3.2).

organizer is ours     itip.inviting    REQUEST and CANCEL to the guests
attendee is ours      itip.replying    REPLY to the organizer
neither               nothing
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from gateway.ical import recur
from gateway.ical.address import Address
from gateway.ical.event import CalendarObject
from gateway.itip import roles
from gateway.itip.circle import speaking_as
from gateway.itip.inviting import inviting
from gateway.itip.model import Context, Decision, Outcome, Reason, Role
from gateway.itip.replying import replying
from gateway.itip.version import in_full

_SCHEDULED: Final = frozenset({"VEVENT", "VTODO"})  # RFC 5546 3: a journal knows no REQUEST


def changes(
    before: CalendarObject | None,
    after: CalendarObject | None,
    context: Context,
    *,
    agreed: frozenset[Address] = frozenset(),
) -> Decision:
    """What a change of the calendar of `context.owner` comes to (SPEC 5.2, 5.5).

    `before` None: the object is new; `after` None: it was deleted. Raise MalformedCalendar for what nobody can read or
    expand within bounds.
    """
    if any(one is not None and one.kind not in _SCHEDULED for one in (before, after)):
        return Decision(outcome=Outcome.UNSUPPORTED, reason=Reason.UNSUPPORTED_COMPONENT)
    before, after = (None if one is None else one.within(context.bounds) for one in (before, after))
    role = _role(before, after, context)
    # SPEC 4.7: RANGE leaves here told in full, since hardly any program reads it, but for an answer to a rest without end
    tail = role is Role.ATTENDEE
    # (a tail alone is what is left of a meeting whose beginning was deleted)
    before, after = (
        one if one is None or (tail and one.master is None) else in_full(one, tail=tail)
        for one in (before, after)
    )
    if context.base is not None:
        context = replace(context, base=in_full(context.base, tail=tail))
    if role is Role.STRANGER:
        return Decision(outcome=Outcome.IGNORED, reason=Reason.NOT_OUR_ORGANIZER)
    if _is_over(before, after, context, role):
        return Decision(outcome=Outcome.IGNORED, reason=Reason.PAST_EVENT)
    if role is Role.ATTENDEE:
        return replying(before, after, context)
    organizer = speaking_as((after, before), context.owner)
    if before is not None and before.organizer_prop is not None and not _is_ours(before, context):
        before = None  # RFC 5546 3.2.2.4: who takes a meeting over invites anew
    return inviting(before, after, context, organizer=organizer, agreed=agreed)


def _role(before: CalendarObject | None, after: CalendarObject | None, context: Context) -> Role:
    """What the account is. A client that strikes off the last guest often strikes the ORGANIZER with him."""
    current = after
    if after is None or (after.organizer_prop is None and not after.attendees()):
        current = before
    return Role.STRANGER if current is None else roles.role(current, context.owner)


def _is_ours(meeting: CalendarObject, context: Context) -> bool:
    return roles.role(meeting, context.owner) is Role.ORGANIZER


def _is_over(
    before: CalendarObject | None, after: CalendarObject | None, context: Context, role: Role
) -> bool:
    """SPEC 5.3: nobody is told of what is over, unless the change itself moved it there. An overdue task is not over."""
    states = [one for one in (before, after) if one is not None]
    if context.policy.past_events != "skip":
        return False
    if any(one.kind == "VTODO" for one in states):
        return role is Role.ORGANIZER and all(map(_is_done, states))
    ends = [recur.last_end(one) for one in states]
    return all(end is not None and end <= context.now for end in ends)


def _is_done(task: CalendarObject) -> bool:
    return all((one.value("STATUS") or "").strip().upper() == "COMPLETED" for one in task.components)


__all__ = ["changes"]
