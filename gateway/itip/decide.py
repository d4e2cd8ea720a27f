"""A message meets a calendar: who may say this, how sure are we that he said it, and what comes of it.

Three questions, in this order: may the sender say this about the *stored* meeting (a table, RFC 5546 3.2 in its order),
is he who he says he is (SPEC 3.2), is it new (the ledger; `attendee`, `answers`). A refusal is a Decision like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from gateway.errors import LimitExceeded
from gateway.ical.address import Address
from gateway.ical.agree import with_distinct_zones
from gateway.ical.event import CalendarObject
from gateway.itip import (
    addresses,
    answers,
    attendee,
    counter,
    deputies,
    freebusy,
    publishing,
    ranges,
    refresh,
    repeated,
    splits,
)
from gateway.itip.model import (
    Certainty,
    Context,
    Decision,
    Message,
    Method,
    Note,
    Outcome,
    Reason,
    Role,
)
from gateway.itip.order import Standing
from gateway.itip.roles import (
    acts_as_organizer,
    find,
    groups,
    identities,
    line_in,
    parameter_addresses,
    role,
    same_person,
    sent_by,
)
from gateway.itip.roles import attendee as attendee_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """Whether the sender may say it. `reason` None: yes. `lifts`: a person's approval turns it into a yes."""

    outcome: Outcome = Outcome.APPLIED
    reason: Reason | None = None
    lifts: bool = False
    held_kind: str = ""


YES = Ruling()


def _refused(reason: Reason) -> Ruling:
    return Ruling(outcome=Outcome.REFUSED, reason=reason)


def _held(reason: Reason, kind: str = "mail") -> Ruling:
    return Ruling(outcome=Outcome.HELD, reason=reason, lifts=True, held_kind=kind)


May = Callable[[CalendarObject | None, Message, Context], Ruling]
Act = Callable[[CalendarObject | None, Message, Context], Decision]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: who may say it, and what it does."""

    may: May
    act: Act


def decide(stored: CalendarObject | None, message: Message, context: Context) -> Decision:
    """What comes of a message. `stored` is what the calendar holds under its UID now; nothing else is asked."""
    if message.object.kind == freebusy.KIND:
        return freebusy.decide(message, context)
    if publishing.is_unwanted(stored, message, context.policy):
        return Decision(outcome=Outcome.IGNORED, reason=Reason.PUBLISH_OFF)
    message = publishing.prepared(message)
    stored, message, context = _bounded(stored, message, context)
    row = TABLE[_role(stored, message, context), message.method]
    if _self_sent(stored, message, context):
        return Decision(outcome=Outcome.IGNORED, reason=Reason.SELF_SENT)
    if stored is not None and stored.kind != message.object.kind:
        # SPEC 3.3: a component never changes its type by mail
        return Decision(outcome=Outcome.REFUSED, reason=Reason.COMPONENT_CHANGED)
    message = _clear_zones(stored, message, context)
    unknown = ranges.unknown_range(message)
    if unknown is not None:
        return unknown
    ruling = row.may(stored, message, context)
    if ruling.outcome in {Outcome.REFUSED, Outcome.UNSUPPORTED}:
        return _end(ruling)
    doubt = _doubt(message, context)
    if doubt is not None and not (doubt.outcome is Outcome.HELD and ruling.outcome is Outcome.HELD):
        return _end(doubt)
    if ruling.reason is not None and not (ruling.lifts and context.policy.approved):
        return _end(ruling)
    try:
        decision = row.act(stored, message, context)
        lifted = ruling.reason is Reason.SENDER_NOT_ORGANIZER
        return deputies.remembered(decision, message) if lifted else decision
    except LimitExceeded:
        if not ranges.speaks_onward(message, context):
            return Decision(outcome=Outcome.REFUSED, reason=Reason.EXPANSION_LIMIT)
        return ranges.beyond_bounds(context)


def _bounded(
    stored: CalendarObject | None, message: Message, context: Context
) -> tuple[CalendarObject | None, Message, Context]:
    """SPEC 11: nothing that is looked at here is expanded further than the bounds."""
    bounds = context.bounds
    if message.object.bounds != bounds:
        message = replace(message, object=message.object.within(bounds))
    if context.base is not None and context.base.bounds != bounds:
        context = replace(context, base=context.base.within(bounds))
    return None if stored is None else stored.within(bounds), message, context


def _clear_zones(stored: CalendarObject | None, message: Message, context: Context) -> Message:
    """One TZID, two definitions: merged as they stand, one side's times would shift."""
    for known in (stored, context.base):
        if known is not None:
            message = replace(message, object=with_distinct_zones(message.object, known))
    return message


def _role(stored: CalendarObject | None, message: Message, context: Context) -> Role:
    """What the account is to the stored meeting; to an unknown one what the message makes of it."""
    if stored is None and message.method in (Method.REPLY, Method.COUNTER):
        return Role.ORGANIZER
    return role(stored if stored is not None else message.object, context.owner)


def _self_sent(stored: CalendarObject | None, message: Message, context: Context) -> bool:
    """The account's own words about its own meeting, come back as a copy; the same person asks and is asked."""
    if message.sender not in context.owner:
        return False
    return role(stored if stored is not None else message.object, context.owner) is Role.ORGANIZER


def _doubt(message: Message, context: Context) -> Ruling | None:
    """How sure we are (SPEC 3.2, 3.3). LIKELY suffices for all that is done here (SPEC 12.5)."""
    verdict = context.verdict
    certainty = verdict.certainty if verdict is not None else Certainty.UNKNOWN
    if certainty is Certainty.CONTRADICTED:
        return _refused(Reason.SENDER_CONTRADICTED)
    unknown = certainty is Certainty.UNKNOWN or message.sender is None
    if not unknown or context.policy.approved:
        return None
    if context.policy.on_unknown == "ignore":
        return Ruling(outcome=Outcome.IGNORED, reason=Reason.NOT_AUTHENTICATED)
    if context.policy.on_unknown == "store" and message.sender is not None:
        return None
    return _held(Reason.NOT_AUTHENTICATED)


def _end(ruling: Ruling) -> Decision:
    return Decision(
        outcome=ruling.outcome,
        reason=ruling.reason or Reason.POLICY,
        held_kind=ruling.held_kind if ruling.outcome is Outcome.HELD else "",
    )


def may_ask(stored: CalendarObject | None, message: Message, context: Context) -> Ruling:
    """REQUEST: the stored organizer, or of a new meeting the organizer that it names (SPEC 3.3)."""
    if stored is None:
        return _may_invite(message, context)
    named = message.object.organizer_prop
    if stored.organizer_prop is None or not same_person(stored.organizer_prop, named):
        # RFC 5546 3.2.2.4: nothing in a message can prove that a meeting was handed over; a person decides
        takes_over = message.sender is None or (named is not None and message.sender in identities(named))
        return _held(Reason.ORGANIZER_CHANGED) if takes_over else _refused(Reason.SENDER_NOT_ORGANIZER)
    return _may_direct(stored, message, context)


def may_call_off(stored: CalendarObject | None, message: Message, context: Context) -> Ruling:
    """CANCEL: the stored organizer. Of an unknown meeting nothing can be said yet; the parked message is asked again."""
    if stored is None:
        return YES
    named = message.object.organizer_prop
    if named is not None and not same_person(stored.organizer_prop, named):
        return _refused(Reason.SENDER_NOT_ORGANIZER)
    return _may_direct(stored, message, context)


def may_add(stored: CalendarObject | None, message: Message, context: Context) -> Ruling:
    """ADD: the stored organizer. To what nobody knows nothing can be added; it waits for the series (SPEC 4.1)."""
    if stored is not None:
        return may_call_off(stored, message, context)
    standing = Standing(context.marks, message.object.organizer)
    told = standing.content("") or standing.cancel("")
    if told is None or told.organizer != message.object.organizer:
        return Ruling(outcome=Outcome.PARKED, reason=Reason.UNKNOWN_UID)
    return _may_invite(message, context)


def may_publish(stored: CalendarObject | None, message: Message, context: Context) -> Ruling:
    """PUBLISH: the stored organizer, of something to which nobody is invited (SPEC 3.3)."""
    if stored is None:
        return _may_invite(message, context)
    if not same_person(stored.organizer_prop, message.object.organizer_prop):
        return _refused(Reason.SENDER_NOT_ORGANIZER)
    if stored.attendees():
        return _refused(Reason.SCHEDULED_MEETING)
    return _may_direct(stored, message, context)


def _may_direct(stored: CalendarObject, message: Message, context: Context) -> Ruling:
    if acts_as_organizer(stored, message.sender, context):
        return YES
    if deputies.is_deputy(message.sender, stored.organizer_prop, context):
        return _by_leave(context)
    if message.sender is None:
        return _held(Reason.NOT_AUTHENTICATED)
    if message.sender == sent_by(message.object.organizer_prop):
        # RFC 6047 3: SENT-BY in the message proves nothing; a person may know the secretary
        return _held(Reason.SENDER_NOT_ORGANIZER)
    return _refused(Reason.SENDER_NOT_ORGANIZER)


def _may_invite(message: Message, context: Context) -> Ruling:
    organizer = message.object.organizer_prop
    if organizer is None or identities(organizer) & context.owner:
        # somebody invites in the owner's own name
        return _refused(Reason.SENDER_NOT_ORGANIZER)
    sender = message.sender
    if sender is not None and (sender in identities(organizer) or sender in context.policy.delegates):
        return YES
    if _delegated_by(sender, message, context):
        return YES
    if deputies.is_deputy(sender, organizer, context):
        return _by_leave(context)
    return _held(Reason.SENDER_NOT_ORGANIZER if sender is not None else Reason.NOT_AUTHENTICATED)


def _by_leave(context: Context) -> Ruling:
    """What a person has allowed a sender is not for one who merely bears his name, whatever `on_unknown` says."""
    return YES if context.vouched else _held(Reason.NOT_AUTHENTICATED)


def _delegated_by(sender: Address | None, message: Message, context: Context) -> bool:
    """SPEC 12.8: a proven delegator may pass the invitation on to the one whom it names as his delegate."""
    proven = context.verdict is not None and context.verdict.certainty is Certainty.PROVEN
    line = next(
        (found for part in message.object.components if (found := line_in(part, context.owner)) is not None),
        None,
    )
    return proven and line is not None and sender in parameter_addresses(line, "DELEGATED-FROM")


def may_answer(stored: CalendarObject | None, message: Message, context: Context) -> Ruling:
    """REPLY: one of the stored attendees, about himself; a stranger by the organizer's leave (SPEC 3.3, 4.4)."""
    if stored is None:
        return Ruling(outcome=Outcome.PARKED, reason=Reason.UNKNOWN_UID)
    lines = [line for part in message.object.components for line in part.all("ATTENDEE")]
    sender = message.sender
    if sender is None:
        alone = {line.address for line in lines}
        return _held(Reason.NOT_AUTHENTICATED) if len(alone) == 1 else _refused(Reason.SENDER_NOT_ATTENDEE)
    invitee = addresses.as_invitee(stored, message, context)
    if invitee is not None:
        return _other_address(stored, message, invitee, context)
    known = find(stored.attendees(), frozenset({sender}))
    mine = find(lines, frozenset({sender}) | (identities(known) if known is not None else frozenset()))
    if mine is None:
        return _refused(Reason.SENDER_NOT_ATTENDEE)
    if known is not None:
        return YES if answers.has_place(stored, message, context) else _crasher(context)
    delegators = frozenset(parameter_addresses(mine, "DELEGATED-FROM"))
    if delegators and find(stored.attendees(), delegators) is not None:
        # SPEC 3.3: his delegator has not told us yet; DELEGATED-FROM alone authorises nothing
        return Ruling(outcome=Outcome.PARKED, reason=Reason.SENDER_NOT_ATTENDEE)
    if groups(stored) & frozenset(parameter_addresses(mine, "MEMBER")):
        return YES
    return _crasher(context)


def _other_address(stored: CalendarObject, message: Message, invitee: Message, context: Context) -> Ruling:
    """SPEC 4.4: an invitee's other address is no party crasher; the organizer is asked once."""
    if not answers.has_place(stored, invitee, context):
        return _crasher(context)
    if addresses.is_remembered(message, context):
        return YES
    return _held(Reason.OTHER_ADDRESS, "crasher")


def may_propose(stored: CalendarObject | None, message: Message, context: Context) -> Ruling:
    """COUNTER: one of the stored attendees (SPEC 3.3); nobody proposes a time for a meeting of others."""
    if stored is None:
        return Ruling(outcome=Outcome.PARKED, reason=Reason.UNKNOWN_UID)
    if message.sender is None:
        alone = {line.address for part in message.object.components for line in part.all("ATTENDEE")}
        return _held(Reason.NOT_AUTHENTICATED) if len(alone) == 1 else _refused(Reason.SENDER_NOT_ATTENDEE)
    known = attendee_line(stored, frozenset({message.sender}))
    return YES if known is not None else _refused(Reason.SENDER_NOT_ATTENDEE)


def may_turn_down(stored: CalendarObject | None, message: Message, context: Context) -> Ruling:
    """DECLINECOUNTER: the stored organizer (SPEC 3.3); of an unknown meeting nobody here has proposed anything."""
    if stored is None:
        return Ruling(outcome=Outcome.IGNORED, reason=Reason.UNKNOWN_UID)
    return may_call_off(stored, message, context)


def _crasher(context: Context) -> Ruling:
    """RFC 5546 3.2.3: the organizer decides about one who was not invited."""
    if context.policy.party_crasher == "add":
        return YES
    if context.policy.party_crasher == "ignore" and not context.policy.approved:
        return Ruling(outcome=Outcome.IGNORED, reason=Reason.PARTY_CRASHER)
    return _held(Reason.PARTY_CRASHER, "crasher")


def may_not_organize(stored: CalendarObject | None, message: Message, context: Context) -> Ruling:
    """The account is the organizer: nobody else speaks in his name. One who names himself organizer may be asked about."""
    if stored is None:
        return _may_invite(message, context)
    named = message.object.organizer_prop
    other = named is not None and not same_person(stored.organizer_prop, named)
    if message.method is Method.REQUEST and other and named and message.sender in identities(named):
        return _held(Reason.ORGANIZER_CHANGED)
    return _refused(Reason.SENDER_NOT_ORGANIZER)


def not_ours(stored: CalendarObject | None, message: Message, context: Context) -> Ruling:
    """An answer to a meeting that somebody else organizes: a copy for information (RFC 5546 3.2.2.3)."""
    return Ruling(outcome=Outcome.IGNORED, reason=Reason.NOT_OUR_ORGANIZER)


def _reply(stored: CalendarObject | None, message: Message, context: Context) -> Decision:
    """His PARTSTAT, comment, delegation and progress go to his own line; of an unknown meeting the answer waits."""
    if stored is None:
        return _end(Ruling(outcome=Outcome.PARKED, reason=Reason.UNKNOWN_UID))
    invitee = addresses.as_invitee(stored, message, context)
    if invitee is None:
        return answers.reply(stored, message, context)
    decision = answers.reply(stored, invitee, context)
    note = Note(code="other-address", facts={"attendee": str(invitee.sender)})
    noted = (*decision.notes, note)
    if decision.outcome is Outcome.REFUSED or addresses.is_remembered(message, context):
        return replace(decision, notes=noted)
    marks = {**decision.marks, **addresses.remembered(message, invitee, context)}
    return replace(decision, marks=marks, notes=noted)


def _request(stored: CalendarObject | None, message: Message, context: Context) -> Decision:
    """Stored, or merged into the owner's copy; a REFRESH goes back where the series that it belongs to is lost."""
    rest = splits.request(message, context) if stored is None else None
    if rest is not None:
        return rest
    decision = splits.with_memory(stored, attendee.request(stored, message, context), context)
    if stored is None and _delegated_by(message.sender, message, context) and not _is_organizer(message):
        # SPEC 12.8: what a delegator passes on is no word of the organizer, and must not outrank any of his
        return replace(decision, marks={})
    decision = refresh.with_question(decision, stored, message=message, context=context)
    return repeated.with_answer(decision, stored, message=message, context=context)


def _add(stored: CalendarObject | None, message: Message, context: Context) -> Decision:
    """A further date of a series; a REFRESH goes back where the series that it belongs to is lost."""
    decision = attendee.add(stored, message, context)
    return refresh.with_question(decision, stored, message=message, context=context)


def _cancel(stored: CalendarObject | None, message: Message, context: Context) -> Decision:
    """The owner's copy is marked, or goes, as he wants it; one that lists others alone takes them off the guest list."""
    return splits.with_memory(stored, attendee.cancel(stored, message, context), context)


def _is_organizer(message: Message) -> bool:
    organizer = message.object.organizer_prop
    return organizer is not None and message.sender in identities(organizer)


def may_refresh(stored: CalendarObject | None, message: Message, context: Context) -> Ruling:
    """REFRESH: one of the stored attendees (SPEC 3.3); of an unknown meeting there is nothing to tell."""
    if stored is None:
        return Ruling(outcome=Outcome.IGNORED, reason=Reason.UNKNOWN_UID)
    known = message.sender is not None and attendee_line(stored, frozenset({message.sender})) is not None
    return YES if known else _refused(Reason.SENDER_NOT_ATTENDEE)


def _never(stored: CalendarObject | None, message: Message, context: Context) -> Decision:
    """Nothing is done."""
    return Decision(outcome=Outcome.UNSUPPORTED, reason=Reason.UNSUPPORTED_METHOD)


def _row(may: May, act: Act = _never) -> Row:
    return Row(may=may, act=act)


# RFC 5546 3.2, in its order: (what the account is to the meeting, the method) -> who may say it, what it does.
TABLE: Mapping[tuple[Role, Method], Row] = {
    (Role.ORGANIZER, Method.PUBLISH): _row(may_not_organize),
    (Role.ATTENDEE, Method.PUBLISH): _row(may_publish, publishing.publish),
    (Role.STRANGER, Method.PUBLISH): _row(may_publish, publishing.publish),
    (Role.ORGANIZER, Method.REQUEST): _row(may_not_organize, attendee.request),
    (Role.ATTENDEE, Method.REQUEST): _row(may_ask, _request),
    (Role.STRANGER, Method.REQUEST): _row(may_ask, _request),
    (Role.ORGANIZER, Method.REPLY): _row(may_answer, _reply),
    (Role.ATTENDEE, Method.REPLY): _row(not_ours),
    (Role.STRANGER, Method.REPLY): _row(not_ours),
    (Role.ORGANIZER, Method.ADD): _row(may_not_organize),
    (Role.ATTENDEE, Method.ADD): _row(may_add, _add),
    (Role.STRANGER, Method.ADD): _row(may_add, _add),
    (Role.ORGANIZER, Method.CANCEL): _row(may_not_organize),
    (Role.ATTENDEE, Method.CANCEL): _row(may_call_off, _cancel),
    (Role.STRANGER, Method.CANCEL): _row(may_call_off, _cancel),
    (Role.ORGANIZER, Method.REFRESH): _row(may_refresh, refresh.answer),
    (Role.ATTENDEE, Method.REFRESH): _row(not_ours),
    (Role.STRANGER, Method.REFRESH): _row(not_ours),
    (Role.ORGANIZER, Method.COUNTER): _row(may_propose, counter.counter),
    (Role.ATTENDEE, Method.COUNTER): _row(not_ours),
    (Role.STRANGER, Method.COUNTER): _row(not_ours),
    (Role.ORGANIZER, Method.DECLINECOUNTER): _row(may_not_organize),
    (Role.ATTENDEE, Method.DECLINECOUNTER): _row(may_turn_down, counter.declined),
    (Role.STRANGER, Method.DECLINECOUNTER): _row(may_turn_down, counter.declined),
}

__all__ = ["TABLE", "Row", "Ruling", "decide", "may_answer", "may_ask", "may_call_off"]
