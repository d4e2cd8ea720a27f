"""A guest who answered by a link or in plain words hears what was understood, since it may not have been he (SPEC 7.1).

Who comes gets the meeting with it as it stands now, his answer in it, so that his calendar shows that too. Who says that it
was not he loses the links that he has, and gets another with every such letter.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from gateway.errors import MalformedCalendar
from gateway.ical import onward
from gateway.ical.address import Address, is_mail
from gateway.ical.event import CalendarObject, attendee_of, partstat
from gateway.ical.tree import Component
from gateway.itip.automatic import counted, why_not
from gateway.itip.circle import circle_of, speaking_as, strict
from gateway.itip.invited import OPEN
from gateway.itip.model import Context, Decision, Message, Method, Notice, Outcome, Outgoing, Store
from gateway.itip.refresh import current, with_instance
from gateway.itip.roles import line_in
from gateway.itip.significance import components_by_key
from gateway.itip.summary import guest, summarize

_COMING: Final = frozenset({"ACCEPTED", "TENTATIVE"})


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
    marks = {**decision.marks, **counted(context, party)}
    letter = _with_answer(meeting, who, key, context) if partstat(line) in _COMING else None
    if letter is not None:
        letter = replace(letter, summary=told, automatic=True)
        return replace(decision, outgoing=(*decision.outgoing, letter), marks=marks)
    notice = Notice(sender=organizer, recipient=who, recipient_name=guest(line).name, summary=told)
    return replace(decision, notices=(*decision.notices, notice), marks=marks)


def _with_answer(stored: CalendarObject, who: Address, key: str, context: Context) -> Outgoing | None:
    """RFC 5546 3.2.2: the REQUEST as it stands, which asks him for nothing more."""
    whole = with_instance(stored, onward.anchor(key))
    if whole is None:
        return None
    circle = circle_of(None, whole, context, organizer=speaking_as((whole,), context.owner))
    letter = current(circle, whole, who, key=onward.anchor(key)) if who in circle.guests else None
    if letter is None or letter.method is not Method.REQUEST:
        return None
    parts = {name: _answered(one, who) for name, one in components_by_key(letter.object)}
    lawful, _ = strict((replace(letter, object=letter.object.with_components(parts)),))
    return lawful[0] if lawful else None


def _answered(component: Component, who: Address) -> Component:
    own = attendee_of(component, who)
    return component if own is None else component.replace(own, own.with_params(RSVP="FALSE"))


__all__ = ["confirmed"]
