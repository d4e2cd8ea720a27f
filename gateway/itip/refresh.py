"""REFRESH: a guest who has lost sight of a meeting asks for it, and is shown what is his of it (RFC 5546 3.2.6, 3.4.6).

    answer(...)        at the organizer: the stored attendee gets a REQUEST of his view, or the CANCEL that he missed
    with_question(...) at the attendee: a single instance comes of a series that the ledger knows and the calendar has not

Stalwart answers whoever lists himself in the message; here the stored meeting says who is a guest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from gateway.ical import onward, times
from gateway.ical.address import Address, is_mail, mailto
from gateway.ical.event import CalendarObject, attendee_of, build, person
from gateway.ical.tree import Component, Property, prop
from gateway.itip import roles, version
from gateway.itip.automatic import counted, why_not
from gateway.itip.circle import Circle, circle_of, speaking_as, strict
from gateway.itip.difference import Concern
from gateway.itip.inviting import is_off
from gateway.itip.model import Certainty, Context, Decision, Message, Method, Note, Outcome, Outgoing, Reason
from gateway.itip.order import Standing
from gateway.itip.significance import components_by_key, instance
from gateway.itip.summary import summarize
from gateway.itip.views import instances_of, is_cancelled, leaving, shareable

# SPEC 12.4: who is known to answer a REFRESH that no person looks at, by the beginning of PRODID. Kontact asks its user;
# Exchange, Google, sabre, Cyrus and Apple drop it.
ANSWERING: Final = ("-//imip-gateway//", "-//Stalwart Labs")

_ASKED: Final = (
    "refresh"  # the ledger's line of what we asked; with an address behind it, of what we answered
)


def answer(stored: CalendarObject | None, message: Message, context: Context) -> Decision:
    """The current state for one stored attendee, at most once a day; nobody else learns anything."""
    if stored is None:
        return Decision(outcome=Outcome.IGNORED, reason=Reason.UNKNOWN_UID)
    line = _asker(stored, message)
    if line is None:
        return Decision(outcome=Outcome.REFUSED, reason=Reason.SENDER_NOT_ATTENDEE)
    who = person(line)
    reason = why_not(context, f"{_ASKED}:{who}")
    if reason is not None:
        return Decision(outcome=Outcome.IGNORED, reason=reason)
    key = version.parts(message, stored, context)[0].key
    whole = with_instance(stored, key)
    if whole is None:
        return Decision(outcome=Outcome.REFUSED, reason=Reason.NO_SUCH_INSTANCE)
    organizer = speaking_as((whole,), context.owner)
    circle = circle_of(None, whole, context, organizer=organizer)
    if who not in circle.guests:
        reason = Reason.SCHEDULE_AGENT if circle.notes else Reason.NOTHING_TO_SEND
        return Decision(outcome=Outcome.IGNORED, reason=reason, notes=circle.notes)
    letter = current(circle, whole, who, key=key)
    if letter is None:
        return Decision(outcome=Outcome.REFUSED, reason=Reason.SENDER_NOT_ATTENDEE)
    return _finish(letter, circle, key)


def _asker(stored: CalendarObject, message: Message) -> Property | None:
    """SPEC 3.3: the sender, who is a stored attendee and asks for himself."""
    if message.sender is None:
        return None
    known = roles.attendee(stored, frozenset({message.sender}))
    named = [line for part in message.object.components for line in part.all("ATTENDEE")]
    if known is None:
        return None
    his = roles.identities(known) | {message.sender}
    # RFC 5546 4.7.1: its own example repeats the whole list of guests
    return known if not named or any(roles.identities(line) & his for line in named) else None


def with_instance(stored: CalendarObject, key: str) -> CalendarObject | None:
    """The meeting with a component for the instance in question; None when it has no such instance."""
    if not key or stored.component(key) is not None:
        return stored
    derived = instance(stored, key)
    return stored.with_component(key, derived) if derived is not None else None


def current(circle: Circle, whole: CalendarObject, who: Address, *, key: str) -> Outgoing | None:
    """His REQUEST; where all that he asks about is off, his CANCEL with the SEQUENCE that it had."""
    mine = instances_of(whole, who)
    wanted = mine if not key else mine & {key}
    if wanted and not (is_off(whole) and not key):
        concern = Concern(was=frozenset(), now=mine, asked=wanted, full=not key)
        return circle.request(who, concern, shareable(whole), before=None)
    fallen = _fallen(whole, who, key)
    if not fallen:
        return None
    lost = Concern(was=frozenset(fallen), now=frozenset(), lost=frozenset(fallen))
    said = {one: whole.sequence(one) or 0 for one in fallen}
    return circle.cancel(who, lost, fallen, sequences=said, source=whole)


def _fallen(whole: CalendarObject, who: Address, key: str) -> Mapping[str, Component]:
    off = {
        one: component
        for one, component in components_by_key(whole)
        if is_cancelled(component) and attendee_of(component, who) is not None and (not key or one == key)
    }
    return {"": off[""]} if "" in off else off


def _finish(letter: Outgoing, circle: Circle, key: str) -> Decision:
    lawful, illegal = strict((replace(letter, automatic=True),))
    if not lawful:
        return Decision(outcome=Outcome.FAILED, reason=Reason.MALFORMED_CALENDAR, notes=illegal)
    return Decision(
        outcome=Outcome.APPLIED,
        reason=Reason.REFRESHED,
        outgoing=lawful,
        marks=counted(circle.context, f"{_ASKED}:{letter.recipient}"),
        recurrence_id=key,
    )


# --- the attendee asks -----------------------------------------------------------------------------------------------


def with_question(
    decision: Decision, stored: CalendarObject | None, *, message: Message, context: Context
) -> Decision:
    """SPEC 12.4: what a REQUEST or ADD came to, and a REFRESH beside it where the series that it belongs to is gone.

    RFC 5546 3.2.4 would have one for each ADD of an unknown UID; where the ledger knows nothing either, the ADD waits for
    the series, since a REFRESH tells a stranger that his mail has met a person.
    """
    if decision.outcome is not Outcome.APPLIED:
        return decision
    if not _series_is_gone(stored, message, context) and not _is_another_series(stored, message):
        return decision
    if not _answers(message) or not _sure(context) or why_not(context, _ASKED) is not None:
        return decision
    letter = _question(message, context)
    lawful, illegal = strict((letter,)) if letter is not None else ((), ())
    if not lawful:
        return replace(decision, notes=(*decision.notes, *illegal))
    return replace(
        decision,
        outgoing=(*decision.outgoing, *lawful),
        marks={**decision.marks, **counted(context, _ASKED)},
        notes=(*decision.notes, Note(code="refresh-asked", facts={"to": lawful[0].recipient})),
    )


def _series_is_gone(stored: CalendarObject | None, message: Message, context: Context) -> bool:
    """The ledger knows a series that is on, and neither the calendar nor the message has it; who declined it wants none."""
    if message.object.master is not None or (stored is not None and stored.master is not None):
        return False
    standing = Standing(context.marks, message.object.organizer)
    if standing.content("") is None or standing.cancelled(""):
        return False
    answered = [mark.partstat for key, mark in context.marks.items() if key.party in context.owner]
    return "DECLINED" not in answered


def _is_another_series(stored: CalendarObject | None, message: Message) -> bool:
    """RFC 5546 4.7.2, case 2: it speaks of a date on which our series has none, so what made it one has not come."""
    if stored is None or stored.master is None or message.object.master is not None:
        return False
    if message.method is Method.ADD:
        return False  # which is what an ADD is for
    whole = stored.with_component("", stored.master.without("EXDATE"))
    keys = (onward.anchor(key) for key in message.object.overrides)
    return any(stored.component(key) is None and instance(whole, key) is None for key in keys)


def _answers(message: Message) -> bool:
    return (message.object.tree.value("PRODID") or "").strip().startswith(ANSWERING)


def _sure(context: Context) -> bool:
    known = context.verdict.certainty if context.verdict is not None else Certainty.UNKNOWN
    return known in (Certainty.PROVEN, Certainty.LIKELY)


def _question(message: Message, context: Context) -> Outgoing | None:
    """RFC 5546 3.2.6: the requester's line and the UID. No Auto-Submitted, since nobody would answer it then; it is
    asked for a person whose calendar is wrong, and only of a mail that a person's change caused."""
    organizer = message.object.organizer_prop
    own = roles.attendee(message.object, context.owner)
    to = (
        next((one for one in sorted(roles.identities(organizer)) if is_mail(one)), None)
        if organizer
        else None
    )
    sender = next((one for one in sorted(roles.identities(own)) if is_mail(one)), None) if own else None
    if organizer is None or to is None or sender is None:
        return None
    return Outgoing(
        method=Method.REFRESH,
        sender=sender,
        recipient=to,
        recipient_name=(organizer.param("CN") or "").strip(),
        object=build((_bare(message, organizer, sender, context),), None, prodid=context.prodid),
        summary=summarize(
            "refresh", message.object, now=context.now, key=next(iter(message.object.overrides)), attendee=own
        ),
    )


def _bare(message: Message, organizer: Property, sender: Address, context: Context) -> Component:
    named = leaving(Component(message.object.kind, (organizer,))).properties
    return Component(
        message.object.kind,
        (
            prop("UID", message.object.tree.components[-1].value("UID") or message.object.uid),
            times.utc_prop("DTSTAMP", context.now),
            *(named if message.object.kind == "VEVENT" else ()),
            prop("ATTENDEE", mailto(sender)),
        ),
    )


__all__ = ["ANSWERING", "answer", "current", "with_instance", "with_question"]
