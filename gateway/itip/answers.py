"""REPLY at the organizer: one attendee's answer enters the meeting, on his own line and no other (RFC 5546 3.2.3)."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from gateway.errors import MalformedCalendar
from gateway.ical import onward, recur, times
from gateway.ical.address import Address, mailto
from gateway.ical.event import ONWARD, CalendarObject, partstat
from gateway.ical.tree import Component, Property, prop
from gateway.itip import delegation, tasks, version
from gateway.itip.clocks import at_latest, later
from gateway.itip.model import Context, Decision, Mark, MarkKey, Message, Note, Outcome, Reason, Store
from gateway.itip.order import ORGANIZER, Order, Rank, Stamp, compare_attendee
from gateway.itip.roles import find, identities, line_in, parameter_addresses
from gateway.itip.version import Part

COMMENT = "X-IMIP-GATEWAY-COMMENT"
_EVENT = frozenset({"NEEDS-ACTION", "ACCEPTED", "DECLINED", "TENTATIVE", "DELEGATED"})
_UNDERSTOOD = {"VEVENT": _EVENT, "VTODO": _EVENT | {"COMPLETED", "IN-PROCESS"}}
_COMMENT_LIMIT = 500  # characters; a longer one is cut, since the line is the calendar's, not a letter


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one component of a REPLY says."""

    part: Part
    line: Property  # the sender's ATTENDEE line in it
    who: Address  # his address as our meeting knows it
    names: frozenset[Address]  # every address that it knows him by
    partstat: str  # "" when the component says none that we understand
    failed: str  # REQUEST-STATUS 3.x or 5.x, or ""
    comment: str

    @property
    def told(self) -> str:
        """REQUEST-STATUS code for SCHEDULE-STATUS (RFC 6638 3.2.9)."""
        statuses = (
            item.value.partition(";")[0].strip() for item in self.part.component.all("REQUEST-STATUS")
        )
        return ",".join(code for code in statuses if code) or "2.0"


def reply(stored: CalendarObject, message: Message, context: Context) -> Decision:
    """The answer of one attendee, or of one whom a person let in; who may answer was asked before."""
    answers = tuple(_answers(stored, message, context))
    if not answers:
        return Decision(outcome=Outcome.REFUSED, reason=Reason.SENDER_NOT_ATTENDEE)
    refused = _impossible(stored, answers)
    if refused is not None:
        return refused
    onward.refuse_growth(stored, (answer.part.key for answer in answers))
    ranks = [rank_of(answer, context) for answer in answers]
    missing = [_why_not(stored, answer, context) for answer in answers]
    there = [not why for why in missing]
    new = stored
    marks: dict[MarkKey, Mark] = {}
    known = ChainMap(marks, dict(context.marks))
    notes: list[Note] = []
    for answer, rank, why in zip(answers, ranks, missing, strict=True):
        if rank.order is Order.NEWER and not why:
            new = _apply(new, answer, known)
            key, mark = _mark(answer, context)
            marks[key] = mark
        notes += _notes(answer, rank, why)
    if not marks:
        return _nothing(answers, ranks, there, notes)
    crasher = find(stored.attendees(), answers[0].names) is None
    letters, told = delegation.letters(stored, new, answers[0].who, context=context)
    sent = delegation.counted(answers[0].who, len(letters), context)
    if sent is None:
        return Decision(outcome=Outcome.IGNORED, reason=Reason.RATE_LIMITED, notes=tuple(notes))
    return Decision(
        outcome=Outcome.APPLIED,
        reason=Reason.CRASHER_ADDED if crasher else Reason.ANSWER_RECORDED,
        change=Store(object=new) if new.data != stored.data else None,
        outgoing=letters,
        marks={**marks, **sent},
        notes=(*notes, *told),
        recurrence_id=onward.anchor(answers[0].part.key) if len(answers) == 1 else "",
    )


def has_place(stored: CalendarObject, message: Message, context: Context) -> bool:
    """Whether an invited guest speaks of a part of the meeting that he is invited to."""
    found = tuple(_answers(stored, message, context))
    return not found or any(_has_place(stored, answer, context) for answer in found)


def _has_place(stored: CalendarObject, answer: Answer, context: Context) -> bool:
    """SPEC 3.3: a guest of other dates, or one who was struck off this one, comes to it by the organizer's leave."""
    if context.policy.approved or context.policy.party_crasher == "add":
        return True
    component = stored.component(onward.anchor(answer.part.key)) or stored.master
    if component is None or find(stored.attendees(), answer.names) is None:
        return True
    return line_in(component, answer.names) is not None


def own_line(component: Component, message: Message, context: Context) -> Property | None:
    """The sender's own ATTENDEE line; a person who approved a mail without a usable sender vouches for its one line."""
    if message.sender is not None:
        found = line_in(component, frozenset({message.sender}))
        if found is not None:
            return found
    guests = component.all("ATTENDEE")
    alone = len(guests) == 1 and context.policy.approved and message.sender is None
    return guests[0] if alone else None


def rank_of(answer: Answer, context: Context) -> Rank:
    """Where this answer stands to his last one and to the last reset of his PARTSTAT."""
    key = answer.part.key
    resets = [
        mark
        for place in dict.fromkeys((onward.anchor(key), ""))
        for party in (answer.who, ORGANIZER)
        if (mark := context.marks.get(MarkKey(recurrence_id=place, party=party))) is not None
    ]
    last = context.marks.get(MarkKey(recurrence_id=key, party=answer.who))
    rank = compare_attendee(last, resets, _stamp(answer, context))
    # SPEC 4.7: what he said of the series, or of an occurrence and all behind it, later than this has replaced it
    wider = ("" if onward.is_onward(key) else key + ONWARD) if key else None
    over = None if wider is None else context.marks.get(MarkKey(recurrence_id=wider, party=answer.who))
    if rank.order is not Order.NEWER or over is None:
        return rank
    against = compare_attendee(over, (), _stamp(answer, context))
    return against if against.order is Order.OLDER else rank


def _answers(stored: CalendarObject, message: Message, context: Context) -> Iterable[Answer]:
    for part in version.parts(message, stored, context):
        line = _line(stored, part.component, message, context)
        if line is None:
            continue
        known = find(stored.attendees(), _sender(message) or identities(line))
        failed = [
            code
            for item in part.component.all("REQUEST-STATUS")
            if (code := item.value.partition(";")[0].strip())[:1] in {"3", "5"}
        ]
        yield Answer(
            part=replace(part, key=only_time(stored, part)),
            line=line,
            who=known.address if known is not None else message.sender or line.address,
            names=identities(known) if known is not None else _sender(message) or identities(line),
            partstat=_said(part.component, line),
            failed=failed[0] if failed else "",
            comment=comment_of(part.component, line),
        )


def _said(component: Component, line: Property) -> str:
    """RFC 5545 3.2.12: a PARTSTAT that nobody knows, or that events do not have, is no answer."""
    told = tasks.answer(component, partstat(line) if line.param("PARTSTAT") else "")
    return told if told in _UNDERSTOOD.get(component.name, _EVENT) else ""


def _line(
    stored: CalendarObject, component: Component, message: Message, context: Context
) -> Property | None:
    """His line: under the sender's address, or under another that our meeting knows for him."""
    found = own_line(component, message, context)
    if found is not None or message.sender is None:
        return found
    known = find(stored.attendees(), _sender(message))
    return line_in(component, identities(known)) if known is not None else None


def _sender(message: Message) -> frozenset[Address]:
    return frozenset({message.sender}) if message.sender is not None else frozenset()


def only_time(stored: CalendarObject, part: Part) -> str:
    """Some clients name the one occurrence of a meeting that does not repeat; that is the meeting."""
    if not part.key or stored.master is None or stored.recurring or part.key in stored.overrides:
        return part.key
    begin = times.start(stored.master, stored.zones)
    return "" if begin is not None and begin.key == part.key else part.key


def occurs(stored: CalendarObject, key: str) -> bool:
    """RFC 5546 4.7.2: a RECURRENCE-ID must name an occurrence."""
    key = onward.anchor(key)
    if not key or stored.component(key) is not None:
        return stored.component(key) is not None
    try:
        return stored.recurring and recur.is_occurrence(stored, key)
    except MalformedCalendar:
        return False


def _why_not(stored: CalendarObject, answer: Answer, context: Context) -> str:
    """Why there is nothing that this can be an answer to, or ""."""
    if not occurs(stored, answer.part.key):
        return "no-such-instance"
    return "" if _has_place(stored, answer, context) else "not-invited"


def _apply(stored: CalendarObject, answer: Answer, marks: Mapping[MarkKey, Mark]) -> CalendarObject:
    key = answer.part.key
    if onward.is_onward(key):
        return _apply_onward(stored, answer, marks)
    component = stored.component(key) or _derive(stored, key)
    if component is None:
        return stored
    before = line_in(component, answer.names)
    changed = {key: _answered(component, answer, stored.organizer_prop)}
    if not key:
        for place, override in stored.overrides.items():
            if _follows_series(override, place, before, answer, marks):
                changed[place] = _answered(override, answer, stored.organizer_prop)
    return stored.with_components(changed)


def _apply_onward(stored: CalendarObject, answer: Answer, marks: Mapping[MarkKey, Mark]) -> CalendarObject:
    """SPEC 4.7: RANGE moves his answer on the rest: complete overrides where there is an end to it.

    Of an endless series the master takes the answer, and what came before keeps the old one in overrides. Raise LimitExceeded.
    """
    begin = onward.anchor(answer.part.key)
    if onward.endless(stored):
        places = ["", *(key for key in stored.overrides if not onward.is_onward(key) and key >= begin)]
        kept = [key for key in onward.earlier(stored, begin) if key not in stored.overrides]
        stored = stored.with_components({key: one for key in kept if (one := _derive(stored, key))})
    else:
        places = list(onward.rest(stored, begin))
    plain = stored.component(begin) or _derive(stored, begin)
    before = line_in(plain, answer.names)
    changed = {}
    for place in places:
        component = stored.component(place) or _derive(stored, place)
        own = place in stored.overrides
        if component is None or (own and not _follows_range(component, place, before, answer, marks)):
            continue
        changed[place] = _answered(component, answer, stored.organizer_prop)
    return stored.with_components(changed)


def _follows_range(
    override: Component, place: str, before: Property | None, answer: Answer, marks: Mapping[MarkKey, Mark]
) -> bool:
    """The occurrence that he names takes his later word, the others what an answer to the series would bring them."""
    if place != onward.anchor(answer.part.key):
        return _follows_series(override, place, before, answer, marks)
    single = marks.get(MarkKey(recurrence_id=place, party=answer.who))
    return not later(single, answer.part.stamp)


def _derive(stored: CalendarObject, key: str) -> Component | None:
    stamp = stored.dtstamp()
    return recur.derive_instance(stored, key, dtstamp=stamp) if stamp else version.derived(stored, key)


def _follows_series(
    override: Component,
    place: str,
    before: Property | None,
    answer: Answer,
    marks: Mapping[MarkKey, Mark],
) -> bool:
    """An answer to the series reaches an instance unless he answered that one otherwise, or it moved since (SPEC 4.4)."""
    own = line_in(override, answer.names)
    if own is None:
        return before is None
    mark = marks.get(MarkKey(recurrence_id=place, party=answer.who))
    if mark is not None and (mark.partstat or mark.digest):
        return False
    resets = [
        one
        for party in (answer.who, ORGANIZER)
        if (one := marks.get(MarkKey(recurrence_id=place, party=party))) is not None
    ]
    if compare_attendee(None, resets, answer.part.stamp).order is not Order.NEWER:
        return False
    return partstat(own) in {
        "NEEDS-ACTION",
        partstat(before) if before is not None else "NEEDS-ACTION",
        *_said_of_many(place, answer, marks),
    }


def _said_of_many(place: str, answer: Answer, marks: Mapping[MarkKey, Mark]) -> Iterable[str]:
    """What he has answered so far to the series, and to parts of it that this occurrence is in."""
    for key, mark in marks.items():
        begin = onward.anchor(key.recurrence_id)
        wide = not key.recurrence_id or (onward.is_onward(key.recurrence_id) and begin <= place)
        if key.party == answer.who and wide and mark.partstat:
            yield mark.partstat


def _answered(component: Component, answer: Answer, organizer: Property | None) -> Component:
    return tasks.added_up(component, _with_answer(component, answer), organizer)


def _with_answer(component: Component, answer: Answer) -> Component:
    own = line_in(component, answer.names)
    said_at = at_latest(answer.part.stamp)
    if own is None:
        return component.add(tasks.with_share(_new_line(answer), answer.part.component, said_at))
    line = own.with_params(SCHEDULE_STATUS=answer.told)
    if not answer.failed and answer.partstat:
        line = line.with_params(
            PARTSTAT=answer.partstat,
            DELEGATED_TO=_delegates(answer) or None,
            X_IMIP_GATEWAY_COMMENT=answer.comment or None,
        )
        line = tasks.with_share(line, answer.part.component, said_at)
        if answer.partstat == "DELEGATED" and (answer.line.param("ROLE") or "").upper() == "NON-PARTICIPANT":
            line = line.with_params(ROLE="NON-PARTICIPANT")
    component = _with_twins(component.replace(own, line), line)
    return delegation.settled(component, own, line, told=answer.part.component)


def _with_twins(component: Component, line: Property) -> Component:
    """Servers that compare addresses as text have doubled guests; whoever answers is all of his lines."""
    for twin in component.all("ATTENDEE"):
        if twin.address == line.address and partstat(twin) != partstat(line):
            component = component.replace(twin, twin.with_params(PARTSTAT=line.param("PARTSTAT")))
    return component


def _new_line(answer: Answer) -> Property:
    """One who was not invited and is let in (RFC 5546 3.2.2.6): his name and answer, nothing else of his making."""
    return prop(
        "ATTENDEE",
        mailto(answer.who),
        CN=answer.line.param("CN"),
        MEMBER=answer.line.param("MEMBER"),
        PARTSTAT=answer.partstat or "NEEDS-ACTION",
        X_IMIP_GATEWAY_COMMENT=answer.comment or None,
    )


def _delegates(answer: Answer) -> tuple[str, ...]:
    if answer.partstat != "DELEGATED":
        return ()
    return tuple(mailto(one) for one in parameter_addresses(answer.line, "DELEGATED-TO")[:1])


def _impossible(stored: CalendarObject, answers: Iterable[Answer]) -> Decision | None:
    """SPEC 4.4: a place does not go in circles, nor to the organizer, nor from hand to hand for ever."""
    for answer in answers:
        component = stored.component(answer.part.key) or stored.master
        why = delegation.fault(component, answer.who, answer.line)
        if why:
            note = Note(code="delegation-refused", facts={"attendee": answer.who, "why": why})
            return Decision(outcome=Outcome.REFUSED, reason=Reason.DELEGATION_REFUSED, notes=(note,))
    return None


def _stamp(answer: Answer, context: Context) -> Stamp:
    """A REPLY without DTSTAMP was said when its mail was."""
    stamp = answer.part.stamp
    return (
        stamp if stamp.dtstamp is not None else replace(stamp, dtstamp=context.mail_date or context.arrived)
    )


def _mark(answer: Answer, context: Context) -> tuple[MarkKey, Mark]:
    key = MarkKey(recurrence_id=answer.part.key, party=answer.who)
    old = context.marks.get(key, Mark())
    new = _stamp(answer, context)
    return key, replace(
        old,
        sequence=new.sequence,
        dtstamp=new.dtstamp,
        digest=new.digest,
        mail_date=new.mail_date,
        arrived=new.arrived,
        partstat=old.partstat if answer.failed else answer.partstat or old.partstat,
    )


def comment_of(component: Component, line: Property) -> str:
    """COMMENT; Google says it in a parameter of the answering line."""
    texts = [item.text for item in component.all("COMMENT")]
    text = "\n".join(texts) or line.param("X-RESPONSE-COMMENT") or ""
    clean = "".join(char for char in text if char in "\n\t" or char.isprintable()).strip()
    return clean[:_COMMENT_LIMIT]


def _notes(answer: Answer, rank: Rank, why_not: str) -> Iterable[Note]:
    facts = {"attendee": str(answer.who), "recurrence_id": onward.anchor(answer.part.key)}
    if why_not:
        yield Note(code=why_not, facts=facts)
        return
    if rank.note:
        yield Note(code=rank.note, facts=facts)
    if rank.order is Order.OLDER:
        yield Note(code="stale-answer", facts={**facts, "partstat": answer.partstat})
    if rank.order is not Order.NEWER:
        return
    if answer.failed:
        yield Note(code="request-failed", facts={**facts, "status": answer.failed})
    elif answer.partstat:
        yield Note(code="partstat-changed", facts={**facts, "partstat": answer.partstat})
    else:
        yield Note(code="no-partstat", facts=facts)
    if answer.comment:
        yield Note(code="comment", facts={**facts, "characters": str(len(answer.comment))})


def _nothing(
    answers: tuple[Answer, ...], ranks: list[Rank], there: list[bool], notes: list[Note]
) -> Decision:
    only = onward.anchor(answers[0].part.key) if len(answers) == 1 else ""
    if not any(there):
        outcome, reason = Outcome.REFUSED, Reason.NO_SUCH_INSTANCE
    else:
        stale = [rank for rank in ranks if rank.order is Order.OLDER and rank.reason]
        outcome = Outcome.STALE if stale else Outcome.UNCHANGED
        reason = (stale[0].reason if stale else None) or Reason.DUPLICATE
    return Decision(outcome=outcome, reason=reason, notes=tuple(notes), recurrence_id=only)


__all__ = ["COMMENT", "Answer", "comment_of", "has_place", "occurs", "only_time", "own_line", "reply"]
