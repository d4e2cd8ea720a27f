"""Letters to an organizer about his guests: what they answered, and who answered without being asked (SPEC 12.11)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from gateway.ical import onward
from gateway.ical.address import Address, is_mail
from gateway.ical.event import CalendarObject, partstat
from gateway.itip.answers import comment_of
from gateway.itip.circle import speaking_as
from gateway.itip.invited import OPEN
from gateway.itip.model import Context, Guest, Mark, MarkKey, Message, Method, Notice, Said, Summary
from gateway.itip.roles import line_in
from gateway.itip.significance import components_by_key, instance
from gateway.itip.summary import facts, guest

STRANGERS: Final = 5  # of one meeting, about whom its organizer is written to
_PARTY: Final = "stranger:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """That somebody answered; what his answer is now stands in the calendar."""

    who: Address
    key: str
    comment: str = ""
    taken_back: bool = False


def heard(message: Message) -> tuple[Word, ...]:
    """What an answer will have to be told about."""
    who = message.sender
    if who is None or message.method is not Method.REPLY:
        return ()
    found = ((key, one, line_in(one, frozenset({who}))) for key, one in components_by_key(message.object))
    return tuple(
        Word(who=who, key=key, comment=comment_of(one, line), taken_back=partstat(line) == OPEN)
        for key, one, line in found
        if line is not None
    )


def answers(stored: CalendarObject, words: Iterable[Word], context: Context) -> Notice | None:
    """The letter about answers that still count; None when none does."""
    said = tuple(one for word in words if (one := _said(stored, word, context)) is not None)
    if not said:
        return None
    keys = {word.key for word in words if word.key in stored.overrides}
    alone = next(iter(keys)) if len(said) == 1 and len(keys) == 1 else ""
    told = facts(stored, alone, viewer=None, guest_list="full", now=context.now)
    sender = Address(said[0].guest.address)
    return _notice(stored, Summary(kind="answers", now=told, answers=said), context, sender=sender)


def stranger(stored: CalendarObject, who: Address, context: Context) -> Notice | None:
    """The letter about one who was not invited; one for each, and an end to it: addresses cost nothing."""
    known = [key.party for key in context.marks if key.party.startswith(_PARTY)]
    if f"{_PARTY}{who}" in known or len(known) >= STRANGERS:
        return None
    told = facts(stored, "", viewer=None, guest_list="full", now=context.now)
    return _notice(
        stored, Summary(kind="stranger", now=told, attendee=Guest(address=who)), context, sender=who
    )


def told_of(who: Address, context: Context) -> dict[MarkKey, Mark]:
    """The ledger once the organizer was written to about this stranger."""
    return {MarkKey(recurrence_id="", party=f"{_PARTY}{who}"): Mark(dtstamp=context.now)}


def _said(stored: CalendarObject, word: Word, context: Context) -> Said | None:
    key = onward.anchor(word.key)
    component = instance(stored, key) or stored.master
    line = line_in(component, frozenset({word.who}))
    if component is None or line is None or (partstat(line) == OPEN and not word.taken_back):
        return None  # he was struck off, or the meeting has moved since and he is asked anew
    date = facts(stored, key, viewer=None, guest_list="self", now=context.now).start if word.key else None
    return Said(guest=guest(line), comment=word.comment, date=date)


def _notice(stored: CalendarObject, told: Summary, context: Context, *, sender: Address) -> Notice | None:
    to = speaking_as((stored,), context.owner)
    if not is_mail(to):
        return None
    organizer = stored.organizer_prop
    name = (organizer.param("CN") or "").strip() if organizer is not None else ""
    now = replace(told.now, comment="")
    return Notice(sender=sender, recipient=to, recipient_name=name, summary=replace(told, now=now))


__all__ = ["STRANGERS", "Word", "answers", "heard", "stranger", "told_of"]
