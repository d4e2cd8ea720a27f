"""A guest who answered by a link or in plain words hears what was understood, since it may not have been he (SPEC 7.1).

Who says that it was not he loses the links that he has, and gets another with every such letter.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.errors import MalformedCalendar
from gateway.ical import onward
from gateway.ical.address import is_mail
from gateway.ical.event import CalendarObject, partstat
from gateway.itip.automatic import counted, why_not
from gateway.itip.invited import OPEN
from gateway.itip.model import Context, Decision, Message, Method, Notice, Outcome, Store
from gateway.itip.roles import line_in
from gateway.itip.significance import components_by_key
from gateway.itip.summary import guest, summarize


def confirmed(
    decision: Decision, message: Message, context: Context, *, stored: CalendarObject | None
) -> Decision:
    """The decision with a letter to the guest; one a day for each answer of his."""
    who, change = message.sender, decision.change
    meeting = change.object if isinstance(change, Store) else stored
    if decision.outcome is not Outcome.APPLIED or message.method is not Method.REPLY:
        return decision
    if who is None or not is_mail(who) or meeting is None:
        return decision
    key, component = next(components_by_key(message.object))
    line, organizer = line_in(component, frozenset({who})), meeting.organizer
    if line is None or organizer is None:
        return decision
    withdrawn = partstat(line) == OPEN
    if not (withdrawn or isinstance(change, Store)):
        return decision
    party = f"confirmed:{partstat(line)}:{key}:{who}"
    if not withdrawn and why_not(context, party) is not None:
        return decision
    try:
        told = summarize(
            "answered",
            meeting,
            now=context.now,
            key=onward.anchor(key),
            viewer=who,
            guest_list=context.policy.guest_list,
            partstat=partstat(line),
            attendee=line,
        )
    except MalformedCalendar:
        return decision
    notice = Notice(sender=organizer, recipient=who, recipient_name=guest(line).name, summary=told)
    return replace(
        decision,
        notices=(*decision.notices, notice),
        marks={**decision.marks, **counted(context, party)},
    )


__all__ = ["confirmed"]
