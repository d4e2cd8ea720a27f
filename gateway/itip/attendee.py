"""REQUEST and CANCEL at the attendee: the organizer's word enters the owner's copy (RFC 5546 3.2.2, 3.2.5).

    the ledger ranks each component      itip.order
    the organizer's version is folded    itip.version
    our copy follows it by merging       itip.merge

so a CANCEL is no special case of writing: it changes the version, and the copy follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from gateway.errors import MalformedCalendar
from gateway.ical import onward, recur
from gateway.ical.event import CalendarObject
from gateway.itip import overtaken, version
from gateway.itip.follow import Scene, follow, scene_of, standing_of
from gateway.itip.model import (
    Change,
    Context,
    Decision,
    Mark,
    MarkKey,
    Message,
    Note,
    Outcome,
    Reason,
    Remove,
    Store,
)
from gateway.itip.order import Order, Rank
from gateway.itip.roles import line_in, same_person
from gateway.itip.version import Part


def request(stored: CalendarObject | None, message: Message, context: Context) -> Decision:
    """A REQUEST: a new meeting, a new version of one we have, or of single instances (RFC 5546 3.2.2)."""
    scene = scene_of(stored, message, context)
    parts = version.parts(message, stored, context)
    ranks = [scene.standing.request(part.key, part.stamp, proven=scene.proven) for part in parts]
    live, off = _taken(scene, parts, ranks)
    if not live and not off:
        return _nothing(parts, ranks)
    marks = _marks_of_request(scene, live, off)
    after = standing_of(message, {**context.marks, **marks})
    new, base, moved = follow(scene, after, (*live, *off))
    change = _change(stored, new)
    outcome, reason = _told(scene, live, ranks, moved if new is not None else frozenset())
    return Decision(
        outcome=outcome,
        reason=reason,
        change=change,
        marks=marks,
        base=base,
        notes=_notes(parts, ranks),
        recurrence_id=_only_key(parts),
    )


def add(stored: CalendarObject | None, message: Message, context: Context) -> Decision:
    """An ADD: further dates of a series (RFC 5546 3.2.4), each said as a REQUEST of that one instance."""
    decision = request(stored, message, context)
    if decision.outcome is not Outcome.APPLIED or decision.reason is Reason.MEETING_CANCELLED:
        return decision
    return replace(decision, reason=Reason.INSTANCE_ADDED)


def cancel(stored: CalendarObject | None, message: Message, context: Context) -> Decision:
    """A CANCEL: of the whole, of single instances, or of others' places in it (RFC 5546 3.2.5)."""
    scene = scene_of(stored, message, context)
    parts = version.parts(message, stored, context)
    if stored is None:
        return _cancel_unknown(scene, parts)
    parts = tuple(one for part in parts for one in _one_by_one(stored, part, context))
    marks: dict[MarkKey, Mark] = {}
    ranks: list[Rank] = []
    late: list[Part] = []
    missing: list[Part] = []
    for part in parts:
        if not _takes_place(scene, stored, part.key):
            missing.append(part)
            continue
        hits = _hits_us(part, context)
        found, rank = _strikes(scene, part) if hits else _removes(scene, part)
        marks |= found
        ranks.append(rank)
        late += [part] if hits and rank.order is Order.OLDER else []
    if not ranks:
        return _no_such_instance(missing)
    past = overtaken.learned(scene, late)
    scene = replace(scene, stored=overtaken.asked_anew(scene, past)) if past else scene
    after = standing_of(message, {**context.marks, **past, **marks})
    new, base, _ = follow(scene, after, ()) if marks else (scene.stored, None, None)
    change = _change(stored, new)
    if not marks and change is None:
        return replace(_nothing(parts, ranks), marks=past)
    return Decision(
        outcome=Outcome.APPLIED,
        reason=_struck(parts, context) if marks else Reason.ASKED_ANEW,
        change=change,
        marks={**past, **marks},
        base=base if context.base is not None and new is not None else None,
        notes=(*_notes(parts, ranks), *(_missing_note(part) for part in missing)),
        recurrence_id=_only_key(parts),
    )


def _taken(scene: Scene, parts: tuple[Part, ...], ranks: list[Rank]) -> tuple[list[Part], list[Part]]:
    """What of a REQUEST is news, and what of it only tells more of something that was called off since."""
    placed = list(zip(parts, ranks, strict=True))
    live = [part for part, rank in placed if rank.order is Order.NEWER]
    off = [part for part, rank in placed if rank.order is Order.CANCELLED]
    if any(not part.key for part in (*live, *off)):
        # a new version of the whole repeats the overrides that it keeps
        for part in (part for part, rank in placed if rank.order is Order.SAME):
            (off if scene.standing.called_off_after(part.key, part.stamp) else live).append(part)
    return live, [part for part in off if _still_tells(scene, part)]


def _still_tells(scene: Scene, part: Part) -> bool:
    """Whether a REQUEST that its CANCEL has overtaken has a place to tell what was cancelled: our copy, or none yet."""
    if scene.deletes:
        return False
    if scene.stored is not None:
        return True
    return scene.standing.content(part.key) is None and (not part.key or scene.standing.content("") is None)


def _marks_of_request(scene: Scene, live: Iterable[Part], off: Iterable[Part]) -> dict[MarkKey, Mark]:
    marks: dict[MarkKey, Mark] = {}
    organizer = scene.message.object.organizer
    for part in live:
        marks |= scene.standing.after_request(part.key, part.stamp.mark(organizer=organizer), live=True)
    for part in off:
        marks |= scene.standing.after_request(part.key, part.stamp.mark(organizer=organizer), live=False)
    return marks


def _change(stored: CalendarObject | None, new: CalendarObject | None) -> Change:
    if new is None:
        return Remove() if stored is not None else None
    if stored is not None and new.data == stored.data:
        return None
    return Store(object=new)


def _told(scene: Scene, live: list[Part], ranks: list[Rank], moved: frozenset[str]) -> tuple[Outcome, Reason]:
    if not live:
        if scene.stored is None:
            return Outcome.APPLIED, Reason.MEETING_CANCELLED
        return Outcome.STALE, next(rank.reason for rank in ranks if rank.reason) or Reason.OLDER_SEQUENCE
    if scene.stored is None:
        return Outcome.APPLIED, Reason.INVITATION_STORED
    said = {part.key for part in live}
    news = any(key in said or any(_speaks_onward(one, key) for one in said) for key in moved)
    return Outcome.APPLIED, Reason.INVITATION_RESCHEDULED if news else Reason.INVITATION_UPDATED


def _nothing(parts: tuple[Part, ...], ranks: list[Rank]) -> Decision:
    """Every component was known, or overtaken."""
    stale = [rank for rank in ranks if rank.order is not Order.SAME and rank.reason]
    outcome = Outcome.STALE if stale else Outcome.UNCHANGED
    reason = stale[0].reason if stale else Reason.DUPLICATE
    return Decision(
        outcome=outcome,
        reason=reason or Reason.DUPLICATE,
        notes=_notes(parts, ranks),
        recurrence_id=_only_key(parts),
    )


def _notes(parts: Iterable[Part], ranks: Iterable[Rank]) -> tuple[Note, ...]:
    """What the journal should know of each component that went another way than the message as a whole."""
    out = []
    for part, rank in zip(parts, ranks, strict=False):
        if rank.note:
            out.append(Note(code=rank.note, facts={"recurrence_id": part.key}))
        if rank.order is Order.CANCELLED:
            out.append(Note(code="content-of-cancelled", facts={"recurrence_id": part.key}))
    return tuple(out)


def _only_key(parts: tuple[Part, ...]) -> str:
    return onward.anchor(parts[0].key) if len(parts) == 1 else ""


def _speaks_onward(said: str, key: str) -> bool:
    return bool(key) and onward.is_onward(said) and onward.anchor(said) <= key


def _one_by_one(stored: CalendarObject, part: Part, context: Context) -> Iterator[Part]:
    """SPEC 4.7: a CANCEL of an occurrence and all behind it ends the series; where it ends none it is one of each of them.

    So it is for a guest of single instances, and where others are taken off the list of the rest.
    """
    key = onward.anchor(part.key)
    if not onward.is_onward(part.key):
        yield part
    elif stored.master is not None and _hits_us(part, context):
        begun = stored.recurring and recur.ended_before(stored, key) is not None
        yield part if begun else replace(part, key="")
    else:
        yield from (replace(part, key=one) for one in onward.rest(stored, key))


def _hits_us(part: Part, context: Context) -> bool:
    """SPEC 4.3: it says CANCELLED, lists us, or lists nobody else it could mean."""
    if (part.component.value("STATUS") or "").strip().upper() == "CANCELLED":
        return True
    guests = part.component.all("ATTENDEE")
    return not guests or line_in(part.component, context.owner) is not None


def _strikes(scene: Scene, part: Part) -> tuple[dict[MarkKey, Mark], Rank]:
    rank = scene.standing.cancellation(part.key, part.stamp)
    if rank.order is not Order.NEWER:
        return {}, rank
    mark = part.stamp.mark(organizer=scene.message.object.organizer, cancelled=True)
    return scene.standing.after_cancel(part.key, mark), rank


def _removes(scene: Scene, part: Part) -> tuple[dict[MarkKey, Mark], Rank]:
    """RFC 5546 4.2.10: without STATUS and without us it takes the listed guests off the list."""
    marks: dict[MarkKey, Mark] = {}
    last = Rank(order=Order.SAME, reason=Reason.DUPLICATE)
    organizer = scene.message.object.organizer_prop
    for line in part.component.all("ATTENDEE"):
        if same_person(line, organizer):
            continue
        rank = scene.standing.removal(part.key, line.address, part.stamp)
        last = rank if last.order is not Order.NEWER else last
        if rank.order is Order.NEWER:
            marks[MarkKey(recurrence_id=part.key, party=line.address)] = part.stamp.mark(
                organizer=scene.message.object.organizer, cancelled=True
            )
    return marks, last


def _takes_place(scene: Scene, stored: CalendarObject, key: str) -> bool:
    """Whether our copy has this occurrence, or had it before somebody took it out."""
    if not key or stored.component(key) is not None or scene.standing.cut(key):
        return True
    key = onward.anchor(key)
    if stored.master is None:
        return False
    try:
        return recur.is_occurrence(stored.with_component("", stored.master.without("EXDATE")), key)
    except MalformedCalendar:
        return False


def _cancel_unknown(scene: Scene, parts: tuple[Part, ...]) -> Decision:
    """SPEC 4.1: a proven CANCEL leaves a tombstone bound to its organizer; one for a meeting that was deleted only counts."""
    message = scene.message
    marks: dict[MarkKey, Mark] = {}
    ranks: list[Rank] = []
    for part in parts:
        found, rank = _strikes(scene, part) if _hits_us(part, scene.context) else _removes(scene, part)
        marks |= found
        ranks.append(rank)
    known = scene.standing.content("") is not None or scene.standing.cancel("") is not None
    if known and not marks:
        return _nothing(parts, ranks)
    trusted = scene.proven and message.sender is not None and message.sender == message.object.organizer
    if known:
        return Decision(outcome=Outcome.UNCHANGED, reason=Reason.UNKNOWN_UID, marks=marks if trusted else {})
    return Decision(
        outcome=Outcome.PARKED,
        reason=Reason.UNKNOWN_UID,
        marks=marks if trusted else {},
        recurrence_id=_only_key(parts),
    )


def _no_such_instance(missing: list[Part]) -> Decision:
    """The master that has this occurrence may still be under way."""
    return Decision(
        outcome=Outcome.PARKED,
        reason=Reason.NO_SUCH_INSTANCE,
        notes=tuple(_missing_note(part) for part in missing),
        recurrence_id=_only_key(tuple(missing)),
    )


def _missing_note(part: Part) -> Note:
    return Note(code="no-such-instance", facts={"recurrence_id": part.key})


def _struck(parts: tuple[Part, ...], context: Context) -> Reason:
    hits = [part.key for part in parts if _hits_us(part, context)]
    if not hits:
        return Reason.GUESTS_REMOVED
    return Reason.MEETING_CANCELLED if "" in hits else Reason.INSTANCE_CANCELLED


__all__ = ["add", "cancel", "request"]
