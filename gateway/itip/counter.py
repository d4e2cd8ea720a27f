"""COUNTER at the organizer, and its DECLINECOUNTER at the attendee (RFC 5546 3.2.7, 3.2.8): the event stays as it is.

What an attendee asks for is kept as a Proposal until the organizer decides (`itip.proposals`). His proposals have a line
of their own in the ledger, beside that of his answers: the newest COUNTER is the one that stands, whatever he answered
since, and an answer that comes with it ("tentative, and propose") counts as one by the rules of answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from gateway.ical.address import Address, is_mail
from gateway.ical.event import CalendarObject, partstat, person
from gateway.ical.tree import Component, Property, text_prop
from gateway.itip import answers, sequences, version
from gateway.itip.automatic import PAUSE, counted, why_not
from gateway.itip.circle import speaking_as, strict
from gateway.itip.model import (
    Certainty,
    Context,
    Decision,
    Mark,
    MarkKey,
    Message,
    Note,
    Notice,
    Outcome,
    Outgoing,
    Proposal,
    Reason,
)
from gateway.itip.order import Order, Rank, Stamp, Standing, compare_attendee
from gateway.itip.proposals import declining
from gateway.itip.proposed import as_proposed, differs, when
from gateway.itip.roles import attendee, identities, line_in
from gateway.itip.significance import instance
from gateway.itip.summary import summarize
from gateway.itip.version import Part

DISALLOWS: Final = "X-MICROSOFT-DISALLOW-COUNTER"
OPEN, CLOSED = "PROPOSED", "DECLINED"  # what the ledger says of the last proposal

LETTERS: Final = 5  # to the organizer about one guest's wishes for one meeting, within a day
PROPOSALS: Final = 20  # of one message

_PLACE: Final = 1000  # characters
_KEPT: Final = frozenset(
    [
        "UID",
        "DTSTAMP",
        "SEQUENCE",
        "RECURRENCE-ID",
        "ORGANIZER",
        "DTSTART",
        "DTEND",
        "DUE",
        "DURATION",
        "RRULE",
        "LOCATION",
    ]
)
_SAID_WITH_IT: Final = frozenset({"ACCEPTED", "TENTATIVE", "DECLINED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one component of a COUNTER comes to. `reason` None: it is a proposal, and `new` is the meeting as it asks for."""

    part: Part
    outcome: Outcome = Outcome.APPLIED
    reason: Reason | None = None
    new: CalendarObject | None = None


def register(who: Address) -> str:
    """The party under which the ledger keeps somebody's proposals."""
    return f"counter:{who}"


def proposer(stored: CalendarObject, message: Message, context: Context) -> Property | None:
    """His line in the stored meeting; a person who approved a mail without a usable sender vouches for its one line."""
    if message.sender is not None:
        return attendee(stored, frozenset({message.sender}))
    lines = [line for part in message.object.components for line in part.all("ATTENDEE")]
    if not context.policy.approved or len({line.address for line in lines}) != 1:
        return None
    return attendee(stored, identities(lines[0]))


def counter(stored: CalendarObject | None, message: Message, context: Context) -> Decision:
    """Another time is proposed: kept, told to the organizer, declined at once where the meeting allows none, or too late."""
    if stored is None:
        return Decision(outcome=Outcome.PARKED, reason=Reason.UNKNOWN_UID)
    if _ranged(message.object):
        # RFC 5546 4.4 knows no COUNTER of "this and following", and nobody writes one
        note = Note(code="this-and-future")
        return Decision(outcome=Outcome.UNSUPPORTED, reason=Reason.UNSUPPORTED_METHOD, notes=(note,))
    if len(message.object.components) > PROPOSALS:
        return Decision(outcome=Outcome.REFUSED, reason=Reason.TOO_MANY_COMPONENTS)
    line = proposer(stored, message, context)
    if line is None:
        return Decision(outcome=Outcome.REFUSED, reason=Reason.SENDER_NOT_ATTENDEE)
    parts = [
        replace(part, key=answers.only_time(stored, part), stamp=_dated(part.stamp, context))
        for part in version.parts(message, stored, context)
    ]
    asked = tuple(_asked(stored, message, part, line, context) for part in parts)
    answered = _answered(stored, message, line, context)
    found = _told(stored, message, asked, line, context=context)
    return found if answered is None else _with_answer(found, answered)


def _asked(stored: CalendarObject, message: Message, part: Part, line: Property, context: Context) -> Asked:
    rank = _rank(stored, part, person(line), context)
    if rank.order is Order.SAME:
        return Asked(part=part, outcome=Outcome.UNCHANGED, reason=Reason.DUPLICATE)
    if not answers.occurs(stored, part.key):
        return Asked(part=part, outcome=Outcome.REFUSED, reason=Reason.NO_SUCH_INSTANCE)
    if rank.order is Order.OLDER:
        return Asked(part=part, outcome=Outcome.STALE, reason=rank.reason or Reason.OLDER_DTSTAMP)
    if disallows(stored, part.key):
        return Asked(part=part, reason=Reason.COUNTER_DISALLOWED)
    new = as_proposed(stored, part.key, _alone(message.object, part.component), now=context.now)
    if new is None or not differs(stored, new, part.key):
        return Asked(part=part, outcome=Outcome.UNCHANGED, reason=Reason.NOTHING_PROPOSED)
    return Asked(part=part, new=new)


def _rank(stored: CalendarObject, part: Part, who: Address, context: Context) -> Rank:
    """RFC 5546 2.1.5 and SPEC 4.5: newer than his last proposal, and about the version that is there now."""
    last = context.marks.get(MarkKey(recurrence_id=part.key, party=register(who)))
    rank = compare_attendee(last, (), part.stamp)
    if rank.order is not Order.NEWER:
        return rank
    known = sequences.known(stored, part.key, context.marks)
    if known is not None and part.stamp.sequence is not None and part.stamp.sequence < known:
        return Rank(order=Order.OLDER, reason=Reason.OLDER_SEQUENCE)
    return rank


def disallows(stored: CalendarObject, key: str) -> bool:
    """Whether the organizer takes no proposals for this instance, as Outlook says it."""
    component = stored.component(key) or stored.master
    value = component.value(DISALLOWS) if component is not None else None
    return (value or "").strip().upper() == "TRUE"


def _told(
    stored: CalendarObject,
    message: Message,
    asked: tuple[Asked, ...],
    line: Property,
    *,
    context: Context,
) -> Decision:
    who = person(line)
    kept = [one for one in asked if one.new is not None]
    barred = [one for one in asked if one.reason is Reason.COUNTER_DISALLOWED]
    marks = {_key(one, who): replace(one.part.stamp.mark(), partstat=OPEN) for one in kept}
    marks |= {_key(one, who): replace(one.part.stamp.mark(), partstat=CLOSED) for one in barred}
    letters, told, notes = _declined_at_once(stored, barred, line, context=context)
    notices, counted_letters = _notices(stored, kept, line, context)
    if len(notices) < len(kept):
        notes = (*notes, Note(code="not-told", facts={"reason": str(Reason.RATE_LIMITED)}))
    first = kept[0] if kept else barred[0] if barred else asked[0]
    return Decision(
        outcome=first.outcome,
        reason=first.reason or Reason.PROPOSAL_KEPT,
        outgoing=letters,
        marks={**marks, **told, **counted_letters},
        notes=(*(_note(one, who) for one in asked), *notes),
        recurrence_id=asked[0].part.key if len(asked) == 1 else "",
        proposals=tuple(
            replace(_proposal(stored, message, one, line, context=context), notice=notices.get(one.part.key))
            for one in kept
        ),
    )


def _notices(
    stored: CalendarObject, kept: Iterable[Asked], line: Property, context: Context
) -> tuple[dict[str, Notice], dict[MarkKey, Mark]]:
    """The letters to the organizer, and the ledger's count of them.

    A guest's newest proposal always stands in the list; but who writes a hundred must not fill a mailbox (SPEC 3.4).
    """
    name = MarkKey(recurrence_id="", party=f"notice:{person(line)}")
    last = context.marks.get(name)
    if last is None or last.dtstamp is None or context.now - last.dtstamp >= PAUSE:
        last = Mark(dtstamp=context.now)
    sent = last.sequence or 0
    told = {one.part.key: _notice(stored, one, line, context) for one in kept}
    written = {key: notice for key, notice in told.items() if notice is not None}
    left = dict(list(written.items())[: max(0, LETTERS - sent)])
    return left, {name: replace(last, sequence=sent + len(left))} if left else {}


def _key(one: Asked, who: Address) -> MarkKey:
    return MarkKey(recurrence_id=one.part.key, party=register(who))


def _note(one: Asked, who: Address) -> Note:
    facts = {"attendee": str(who), "recurrence_id": one.part.key}
    return Note(code=f"counter-{one.reason}" if one.reason is not None else "counter-kept", facts=facts)


def _declined_at_once(
    stored: CalendarObject, barred: Iterable[Asked], line: Property, *, context: Context
) -> tuple[tuple[Outgoing, ...], dict[MarkKey, Mark], tuple[Note, ...]]:
    """SPEC 3.4: one automatic answer for each version that he speaks of, none to automatic mail; once a day."""
    letters, notes = [], []
    party = f"declined:{person(line)}"
    for one in barred:
        last = context.marks.get(_key(one, person(line)))
        told = last is not None and last.partstat == CLOSED and last.sequence == one.part.stamp.sequence
        reason = Reason.RATE_LIMITED if told else _unsure(context) or why_not(context, party)
        letter = declining(
            stored, one.part.key, line, sequence=one.part.stamp.sequence, context=context, automatic=True
        )
        if reason is not None or letter is None:
            notes.append(Note(code="not-answered", facts={"reason": str(reason or Reason.NOTHING_TO_SEND)}))
        else:
            letters.append(letter)
    lawful, illegal = strict(letters)
    return lawful, counted(context, party) if lawful else {}, (*notes, *illegal)


def _unsure(context: Context) -> Reason | None:
    """SPEC 12.5: LIKELY does not suffice for anything automatic."""
    proven = context.verdict is not None and context.verdict.certainty is Certainty.PROVEN
    return None if proven or context.policy.approved else Reason.NOT_AUTHENTICATED


def _proposal(
    stored: CalendarObject, message: Message, one: Asked, line: Property, *, context: Context
) -> Proposal:
    key, sequence = one.part.key, one.part.stamp.sequence
    new = one.new or stored
    start, end = when(instance(new, key), new)
    old_start, old_end = when(instance(stored, key), stored)
    return Proposal(
        object=_bare(message.object, one.part.component),
        sender=person(line),
        recurrence_id=key,
        sequence=sequence if sequence is not None else sequences.known(stored, key, context.marks),
        start=start,
        end=end,
        old_start=old_start,
        old_end=old_end,
        comment=_comment(one, line),
    )


def _notice(stored: CalendarObject, one: Asked, line: Property, context: Context) -> Notice | None:
    """The plain letter to the organizer: what is, what is proposed, and his guest's words."""
    to = speaking_as((stored,), context.owner)
    new, key = one.new, one.part.key
    component = instance(new, key) if new is not None else None
    if new is None or component is None or not is_mail(to):
        return None
    organizer = stored.organizer_prop
    comment = _comment(one, line)
    said = component.without("COMMENT")
    said = said.add(text_prop("COMMENT", comment)) if comment else said
    return Notice(
        sender=person(line),
        recipient=to,
        recipient_name=(organizer.param("CN") or "").strip() if organizer is not None else "",
        summary=summarize(
            "proposal",
            new.with_component(key, said),
            stored,
            now=context.now,
            key=key,
            partstat=partstat(line),
            attendee=line,
        ),
    )


def _comment(one: Asked, line: Property) -> str:
    component = one.part.component
    return answers.comment_of(component, line_in(component, identities(line)) or line)


def _answered(stored: CalendarObject, message: Message, line: Property, context: Context) -> Decision | None:
    """What the COUNTER answers beside; the others' PARTSTATs in it are copies of the REQUEST."""
    names = identities(line) | ({message.sender} if message.sender is not None else frozenset())
    own = [line_in(part, names) for part in message.object.components]
    said = {(one.param("PARTSTAT") or "").strip().upper() for one in own if one is not None}
    return answers.reply(stored, message, context) if said & _SAID_WITH_IT else None


def _with_answer(found: Decision, answered: Decision) -> Decision:
    """Proposal and answer count each by itself; what was applied names the message."""
    named = found
    if found.outcome is not Outcome.APPLIED and answered.outcome is Outcome.APPLIED:
        named = answered
    return replace(
        found,
        outcome=named.outcome,
        reason=named.reason,
        change=answered.change,
        marks={**found.marks, **answered.marks},
        notes=(*found.notes, *answered.notes),
    )


def _alone(of: CalendarObject, component: Component) -> CalendarObject:
    """The COUNTER with one component of it; its zones stay."""
    out = of
    for key in ("", *of.overrides):
        if out.component(key) is not component:
            out = out.without_component(key)
    return out


def _bare(of: CalendarObject, component: Component) -> CalendarObject:
    """What of it can ever count: a megabyte of description is not kept for weeks."""
    kept = component.only(_KEPT).without_components(*(one.name for one in component.components))
    place = component.text("LOCATION") or ""
    kept = kept.put(text_prop("LOCATION", place[:_PLACE])) if len(place) > _PLACE else kept
    key = next(key for key in ("", *of.overrides) if of.component(key) is component)
    return _alone(of, component).with_component(key, kept)


def _ranged(of: CalendarObject) -> bool:
    found = (component.first("RECURRENCE-ID") for component in of.components)
    return any(line is not None and line.param("RANGE") for line in found)


def _dated(stamp: Stamp, context: Context) -> Stamp:
    """A COUNTER without DTSTAMP was said when its mail was."""
    return (
        stamp if stamp.dtstamp is not None else replace(stamp, dtstamp=context.mail_date or context.arrived)
    )


# --- at the attendee -------------------------------------------------------------------------------------------------


def declined(stored: CalendarObject | None, message: Message, context: Context) -> Decision:
    """The organizer's no to a proposal of ours. The calendar stays; the ledger forgets that something is open."""
    if stored is None:
        return Decision(outcome=Outcome.IGNORED, reason=Reason.UNKNOWN_UID)
    standing = Standing(context.marks, message.object.organizer)
    parts = version.parts(message, stored, context)
    marks: dict[MarkKey, Mark] = {}
    notes: list[Note] = []
    ends = [_cleared(standing, part, context, marks=marks, notes=notes) for part in parts]
    outcome, reason = (Outcome.APPLIED, Reason.PROPOSAL_DECLINED) if marks else ends[0]
    return Decision(
        outcome=outcome,
        reason=reason,
        marks=marks,
        notes=tuple(notes),
        recurrence_id=parts[0].key if len(parts) == 1 else "",
    )


def _cleared(
    standing: Standing,
    part: Part,
    context: Context,
    *,
    marks: dict[MarkKey, Mark],
    notes: list[Note],
) -> tuple[Outcome, Reason]:
    """RFC 5546 3.2.8 echoes the SEQUENCE that was countered: of an older one nothing is open any more."""
    content = standing.content(part.key) or standing.content("")
    if content is not None and _older(content, part.stamp):
        return Outcome.STALE, Reason.OLDER_SEQUENCE
    end = Outcome.UNCHANGED, Reason.NOTHING_PROPOSED
    for who in sorted(context.owner):
        name = MarkKey(recurrence_id=part.key, party=register(who))
        mark = context.marks.get(name)
        if mark is None:
            continue
        if mark.partstat == CLOSED and mark.digest == part.stamp.digest:
            end = Outcome.UNCHANGED, Reason.DUPLICATE
        elif mark.partstat == OPEN and not _older(mark, part.stamp):
            marks[name] = replace(mark, partstat=CLOSED, digest=part.stamp.digest)
            notes.append(Note(code="proposal-declined", facts={"recurrence_id": part.key}))
        elif mark.partstat == OPEN:
            end = Outcome.STALE, Reason.OLDER_SEQUENCE
    return end


def _older(mark: Mark, new: Stamp) -> bool:
    """By SEQUENCE alone: the clocks of organizer and attendee are two."""
    return mark.sequence is not None and new.sequence is not None and new.sequence < mark.sequence


def opened(key: str, who: Address, stamp: Stamp) -> Mapping[MarkKey, Mark]:
    """The ledger of an attendee of ours once his COUNTER is under way."""
    return {MarkKey(recurrence_id=key, party=register(who)): replace(stamp.mark(), partstat=OPEN)}


__all__ = [
    "CLOSED",
    "DISALLOWS",
    "OPEN",
    "counter",
    "declined",
    "disallows",
    "opened",
    "proposer",
    "register",
]
