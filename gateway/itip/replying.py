"""The attendee's side of a changed calendar: what our user answered there becomes one REPLY to the organizer (SPEC 5.5).

The REPLY repeats the organizer's last version, never the user's copy: his notes are his own. Taking one date out of the
copy declines that date; deleting a copy that was accepted declines the meeting, deleting an unanswered one says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from gateway.ical import onward, times
from gateway.ical.address import Address, is_mail
from gateway.ical.event import CalendarObject, partstat
from gateway.ical.tree import Component, Property
from gateway.itip import compose, deputizing, forced, roles, tasks
from gateway.itip.circle import only_instance, strict
from gateway.itip.delegation import delegate_of
from gateway.itip.model import (
    Context,
    Decision,
    Mark,
    MarkKey,
    Method,
    Note,
    Outcome,
    Outgoing,
    Reason,
    Store,
)
from gateway.itip.significance import components_by_key, facts_by_key, instance
from gateway.itip.summary import summarize
from gateway.itip.views import is_cancelled, leaving

# RFC 5545 3.2.12: what is an answer; NEEDS-ACTION is none.
_ANSWERS: Final = frozenset({"ACCEPTED", "DECLINED", "TENTATIVE", "DELEGATED", "COMPLETED", "IN-PROCESS"})
_COMING: Final = frozenset({"ACCEPTED", "TENTATIVE", "IN-PROCESS"})


def replying(before: CalendarObject | None, after: CalendarObject | None, context: Context) -> Decision:
    """The answers that are new in this copy, as one REPLY from each address of our user that was invited."""
    names = _invited_as(context.base or before, context)
    if len(names) < 2:
        return _replying(before, after, context)
    decisions: list[Decision] = []
    for one in names:
        decision = _replying(before, after, replace(context, owner=frozenset({one})))
        after = decision.change.object if isinstance(decision.change, Store) else after
        decisions.append(decision)
    return _together(decisions)


def _invited_as(known: CalendarObject | None, context: Context) -> tuple[Address, ...]:
    """Where one meeting invites him by several of his addresses, these: each is a guest who answers for himself."""
    if known is None:
        return ()
    parts = (part.all("ATTENDEE") for part in known.components)
    ours = [{one for line in part for one in roles.identities(line) & context.owner} for part in parts]
    several = max(ours, key=len, default=set())
    return tuple(sorted(several)) if len(several) > 1 and all(map(is_mail, several)) else ()


def _together(decisions: list[Decision]) -> Decision:
    told = [one for one in decisions if one.outcome is Outcome.APPLIED]
    if not told:
        return decisions[0]
    letters = tuple(letter for one in told for letter in one.outgoing)
    return replace(
        told[0],
        change=next((one.change for one in reversed(told) if one.change is not None), None),
        outgoing=letters,
        marks={key: mark for one in told for key, mark in one.marks.items()},
        notes=tuple(note for one in told for note in one.notes),
        recurrence_id=only_instance(letters),
    )


def _replying(before: CalendarObject | None, after: CalendarObject | None, context: Context) -> Decision:
    copy = after or before
    source = context.base or before or after  # without his word the copy as it was before our user touched it
    organizer = copy.organizer_prop if copy is not None else None
    if copy is None or source is None or organizer is None:
        return Decision(outcome=Outcome.IGNORED, reason=Reason.NOTHING_TO_SEND)
    agent = (organizer.param("SCHEDULE-AGENT") or "SERVER").upper()
    if agent != "SERVER":
        note = Note(code="schedule-agent", facts={"organizer": organizer.address, "agent": agent})
        return Decision(outcome=Outcome.IGNORED, reason=Reason.SCHEDULE_AGENT, notes=(note,))
    if _added_himself(before, context):
        # SPEC 12.14: who writes himself into a meeting of others tells nobody by that.
        return Decision(
            outcome=Outcome.IGNORED, reason=Reason.NOTHING_TO_SEND, notes=(Note(code="added-himself"),)
        )
    answers = {
        key: one for key, one in _new_answers(before, after, context).items() if not _over(copy, key, context)
    }
    parts = {key: one for key in sorted(answers) if (one := _part(source, copy, key, answers[key], context))}
    if not parts:
        reason = Reason.NOTHING_TO_SEND if after is None or before is None else Reason.COSMETIC_CHANGE
        return Decision(outcome=Outcome.IGNORED, reason=reason)
    decision = _answered(source, parts, context)
    if after is None or not decision.outgoing:
        return decision
    done = forced.done(_with_answers(after, parts, context) or after)
    return decision if done is after else replace(decision, change=Store(object=done))


def _with_answers(
    after: CalendarObject | None, parts: dict[str, tuple[Component, Property]], context: Context
) -> CalendarObject | None:
    """The copy of a task whose PARTSTAT follows its progress (SPEC 12.9); None where it says so already."""
    if after is None or after.kind != "VTODO":
        return None
    changed: dict[str, Component] = {}
    for key, (_, told) in parts.items():
        component = after.component(key)
        line = roles.line_in(component, context.owner)
        if component is not None and line is not None and partstat(line) != partstat(told):
            changed[key] = component.replace(line, line.with_params(PARTSTAT=partstat(told)))
    return after.with_components(changed) if changed else None


def _answered(
    source: CalendarObject, parts: dict[str, tuple[Component, Property]], context: Context
) -> Decision:
    sender = _mail(next(iter(parts.values()))[1])
    organizer = source.organizer_prop
    recipient = _mail(organizer) if organizer is not None else None
    if sender is None or recipient is None or organizer is None:
        who = organizer.address if organizer is not None else ""
        note = Note(code="no-mail-address", facts={"organizer": who})
        return Decision(outcome=Outcome.IGNORED, reason=Reason.NOTHING_TO_SEND, notes=(note,))
    message = compose.reply(parts.values(), source, compose.Stamp(now=context.now, prodid=context.prodid))
    message = deputizing.with_delegates(message)
    line = next(iter(parts.values()))[1]
    keys = tuple(key for key, _ in components_by_key(message))
    letter = Outgoing(
        method=Method.REPLY,
        sender=sender,
        recipient=recipient,
        recipient_name=(organizer.param("CN") or "").strip(),
        object=message,
        summary=summarize(
            "reply",
            message,
            now=context.now,
            key=keys[0],
            further=keys[1:],
            partstat=partstat(line),
            attendee=line,
        ),
    )
    lawful, illegal = strict((letter, *deputizing.letters(source, parts, letter, context=context)))
    if not lawful:
        return Decision(outcome=Outcome.FAILED, reason=Reason.MALFORMED_CALENDAR, notes=illegal)
    return Decision(
        outcome=Outcome.APPLIED,
        reason=Reason.ANSWERED,
        outgoing=lawful,
        marks=_marks(source, parts, sender, context),
        recurrence_id=only_instance(lawful),
    )


def _new_answers(
    before: CalendarObject | None, after: CalendarObject | None, context: Context
) -> dict[str, str]:
    if after is None:
        gone = _declined_by_deletion(before, context)
        return gone | dict.fromkeys(_told_otherwise(before, gone.get(""), context), "DECLINED")
    found: dict[str, str] = _declined_beginning(before, after, context)
    for key, component in components_by_key(after):
        line = _speaking(before, key, component, context)
        if line is None or is_cancelled(component):
            continue
        answer, progressed = _own_answer(before, key, component, line)
        otherwise = (
            "" in found and answer != found[""]
        )  # said along, or the answer to the series would reach it
        otherwise = otherwise or _other_delegate(before, key, line, context)
        otherwise = otherwise or forced.answers(before, after)
        if answer in _ANSWERS and (otherwise or progressed or answer != _old_answer(before, key, context)):
            found[key] = answer
    found.update(_declined_by_exclusion(before, after, context))
    found.update(_come_back(before, after, context))
    for key in _told_otherwise(after, found.get(""), context):
        if _answer_in(onward.speaking(after, key), context) == found[""]:
            found.setdefault(key, found[""])
    return {key: answer for key, answer in found.items() if not _said_with_series(key, found, context)}


def _speaking(
    before: CalendarObject | None, key: str, component: Component, context: Context
) -> Property | None:
    """His line; where a program has put another of his addresses beside the one that was invited, the one with a new answer."""
    lines = [line for line in component.all("ATTENDEE") if roles.identities(line) & context.owner]
    was = (before.component(key) or before.master) if before is not None else None
    for line in lines if len(lines) > 1 and was is not None else ():
        old = roles.line_in(was, roles.identities(line))
        if partstat(line) in _ANSWERS and (old is None or partstat(old) != partstat(line)):
            return line
    return roles.line_in(component, context.owner)


def _own_answer(
    before: CalendarObject | None, key: str, component: Component, line: Property
) -> tuple[str, bool]:
    """What his copy says, and whether his task went on since (SPEC 12.9)."""
    was = onward.speaking(before, key) if before is not None else component
    now, then = tasks.progress_of(component), tasks.progress_of(was)
    return tasks.own_answer(line, now, then), now != then


def _other_delegate(before: CalendarObject | None, key: str, line: Property, context: Context) -> bool:
    """Whether he sends another one than before."""
    to = delegate_of(line)
    was = roles.line_in(onward.speaking(before, key) if before is not None else None, context.owner)
    return to is not None and was is not None and to != delegate_of(was)


def _said_with_series(key: str, found: dict[str, str], context: Context) -> bool:
    """An instance that only our user's copy has on its own, and that he has not answered alone, follows the series anyway."""
    known = context.base is not None and key in context.base.overrides
    names = (MarkKey(recurrence_id=key, party=who) for who in context.owner)
    alone = any(name in context.marks and context.marks[name].partstat for name in names)
    return bool(key) and found.get("") == found[key] and not known and not alone


def _declined_by_deletion(before: CalendarObject | None, context: Context) -> dict[str, str]:
    if before is None:
        return {}
    coming = [
        key
        for key, component in components_by_key(before)
        if not is_cancelled(component) and _answer_in(component, context) in _COMING
    ]
    if before.master is not None and is_cancelled(before.master):
        return {}
    if "" in coming:
        coming = ["", *(key for key in coming if onward.is_onward(key))]
    return dict.fromkeys(coming, "DECLINED")


def _declined_beginning(
    before: CalendarObject | None, after: CalendarObject, context: Context
) -> dict[str, str]:
    """SPEC 4.7: the beginning of a series was deleted, its tail was not: what he says of the tail is said along."""
    stays = after.master is None and any(onward.is_onward(key) for key in after.overrides)
    return {"": "DECLINED"} if stays and "" in _declined_by_deletion(before, context) else {}


def _declined_by_exclusion(
    before: CalendarObject | None, after: CalendarObject, context: Context
) -> dict[str, str]:
    """Dates that the user took out of his copy; a copy that is new to us may hold EXDATEs of any age."""
    if before is None:
        return {}
    if _answer_in(after.master, context) == "DECLINED":  # then only a date to which he had come all the same
        gone = before.overrides.keys() - after.overrides.keys()
        return {key: "DECLINED" for key in gone if _answer_in(before.component(key), context) in _COMING}
    if after.master is None:
        gone = set(before.overrides) - set(after.overrides)
    else:
        was, now = facts_by_key(before).get(""), facts_by_key(after)[""]
        gone = set(now.exdates - was.exdates) if was is not None else set()
        if not any(onward.is_onward(key) for key in after.overrides):
            gone |= {key for key in before.overrides if onward.is_onward(key)}
    return {key: "DECLINED" for key in gone if _was_invited(before, key, context)} | _still_out(
        before, after, context
    )


def _still_out(before: CalendarObject, after: CalendarObject, context: Context) -> dict[str, str]:
    """Dates that he took out while he had declined the whole: told only now that he comes to the rest."""
    base = context.base
    if base is None or after.master is None or _answer_in(before.master, context) != "DECLINED":
        return {}
    if _answer_in(after.master, context) == "DECLINED":
        return {}
    his = facts_by_key(base)[""].exdates if base.master is not None else frozenset()
    out = facts_by_key(after)[""].exdates - his
    there = ((key, instance(base, key)) for key in out)
    return {
        key: "DECLINED"
        for key, one in there
        if one and not is_cancelled(one) and roles.line_in(one, context.owner)
    }


def _come_back(before: CalendarObject | None, after: CalendarObject, context: Context) -> dict[str, str]:
    """Dates of which he had said otherwise, and which his copy has again as it has the series."""
    if before is None or after.master is None or before.master is None:
        return {}
    excluded = facts_by_key(before)[""].exdates - facts_by_key(after)[""].exdates
    gone = {key for key in before.overrides if not onward.is_onward(key)} | excluded
    found = {}
    for key in gone - after.overrides.keys():
        answer = _answer_in(onward.speaking(after, key), context)
        was = "" if key in excluded else _answer_in(before.component(key), context)
        was = was or _told_of(key, context)
        if was in _ANSWERS and answer in _ANSWERS and was != answer and instance(after, key) is not None:
            found[key] = answer
    return found


def _told_otherwise(of: CalendarObject | None, answer: str | None, context: Context) -> Iterable[str]:
    """Dates of which the organizer has another answer: they have one of their own, so what he says of the series passes them by."""
    if of is None or answer is None:
        return ()
    told = (
        key.recurrence_id
        for key, mark in context.marks.items()
        if key.party in context.owner and key.recurrence_id and mark.partstat in _ANSWERS - {answer}
        if _stands(mark, key.recurrence_id, context.base)
    )
    there = ((key, instance(of, key)) for key in sorted(told) if not onward.is_onward(key))
    return [key for key, component in there if component is not None and not is_cancelled(component)]


def _stands(mark: Mark, key: str, base: CalendarObject | None) -> bool:
    """Whether the organizer has not numbered his meeting anew since."""
    known = None if base is None else base.sequence(key if base.component(key) is not None else "")
    return (mark.sequence or 0) >= (known or 0)


def _told_of(key: str, context: Context) -> str:
    """What the ledger knows that he has said of this date."""
    marks = (context.marks.get(MarkKey(recurrence_id=key, party=who)) for who in sorted(context.owner))
    return next((mark.partstat for mark in marks if mark is not None and mark.partstat), "")


def _was_invited(before: CalendarObject, key: str, context: Context) -> bool:
    component = instance(before, key)
    if component is None or is_cancelled(component):
        return False
    return _answer_in(component, context) not in ("", "DECLINED", "COMPLETED")


def _old_answer(before: CalendarObject | None, key: str, context: Context) -> str:
    """What he had answered before; of a copy that is new to us the ledger knows (SPEC 12.14)."""
    if before is not None:
        return _answer_in(onward.speaking(before, key), context)
    return _told_of(key, context) or _told_of("", context)


def _answer_in(component: Component | None, context: Context) -> str:
    line = roles.line_in(component, context.owner)
    return partstat(line) if line is not None else ""


def _added_himself(before: CalendarObject | None, context: Context) -> bool:
    known: Iterable[CalendarObject] = (one for one in (before, context.base) if one is not None)
    return any(roles.attendee(one, context.owner) is None for one in known)


def _over(copy: CalendarObject, key: str, context: Context) -> bool:
    component = copy.component(key) if key and not onward.is_onward(key) else None
    if component is None or context.policy.past_events != "skip" or copy.kind == "VTODO":
        return False
    end = times.end(component, copy.zones)
    return end is not None and end.instant() <= context.now


def _part(
    source: CalendarObject, copy: CalendarObject, key: str, answer: str, context: Context
) -> tuple[Component, Property] | None:
    """What the organizer said of this instance, and the line that answers it; None when he knows no such instance."""
    component = instance(source, key)
    line = roles.line_in(component, context.owner)
    if component is None or line is None:
        return None
    own = roles.line_in(copy.component(key), context.owner)
    deputies = own.param_values("DELEGATED-TO")[:1] if own is not None and answer == "DELEGATED" else None
    if own is not None and deputies and deputizing.impossible(component, own):
        return None
    clean = leaving(Component(component.name, (line,))).properties[0]
    told = tasks.with_own_progress(component, copy.component(key), answer)
    return told, clean.with_params(PARTSTAT=answer, DELEGATED_TO=deputies)


def _marks(
    source: CalendarObject,
    parts: dict[str, tuple[Component, Property]],
    sender: Address,
    context: Context,
) -> dict[MarkKey, Mark]:
    out = {}
    for key, (_, line) in parts.items():
        name = MarkKey(recurrence_id=key, party=sender)
        known = source.sequence(key) if source.component(key) is not None else source.sequence("")
        out[name] = replace(
            context.marks.get(name, Mark()),
            partstat=partstat(line),
            sequence=known,
            dtstamp=context.now,
            arrived=None,
        )
    return out


def _mail(line: Property) -> Address | None:
    return next((one for one in sorted(roles.identities(line)) if is_mail(one)), None)


__all__ = ["replying"]
