"""How a room or resource answers: may it be booked so, is it free then, and what becomes of its copy (SPEC 8.2).

    asked = asking(decision, stored, message, context=...) a Wish where its calendar must be read for it, else the decision
    answer(wish, busy)                                    the decision, given what else takes its time

Dates that are as they were keep the answer that they had. One letter answers all others: taken, not taken, or of a series
the dates that are. A change that cannot be booked is declined, and what was booked before stays so.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from gateway.accounts import Booking
from gateway.errors import LimitExceeded, MalformedCalendar
from gateway.ical import linked, onward
from gateway.ical.event import CalendarObject
from gateway.ical.times import Period
from gateway.ical.zones import named_zone
from gateway.itip import dates
from gateway.itip.automatic import tallied, why_not
from gateway.itip.dates import Date
from gateway.itip.freebusy import merged, stretch
from gateway.itip.model import (
    Booked,
    Certainty,
    Context,
    Decision,
    Declined,
    Message,
    Method,
    Note,
    Outcome,
    Outgoing,
    Reason,
    Store,
    Taken,
    When,
)
from gateway.itip.replying import replying
from gateway.itip.roles import attendee
from gateway.itip.summary import when_of
from gateway.policy import bookable

_ASKS: Final = frozenset({Method.REQUEST, Method.ADD, Method.CANCEL})
_ANSWERS: Final = frozenset({"ACCEPTED", "TENTATIVE", "DECLINED"})
_COMING: Final = frozenset({"ACCEPTED", "TENTATIVE"})
_NOTHING: Final = Booked()
AROUND: Final = timedelta(hours=12)
LETTERS: Final = 20  # about one meeting within a day: two machines may ask and answer each other in earnest
_COUNT: Final = "booking"  # the ledger's line that counts them
SHOWN: Final = 100  # stretches of time that a letter may name


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What was decided, but for the answer, and what that depends on."""

    decision: Decision
    copy: CalendarObject  # as the organizer wants it
    stored: CalendarObject | None
    context: Context
    booking: Booking
    asked: tuple[Date, ...]
    kept: Mapping[str, str] = field(default_factory=dict)  # dates that are as they were, and their answers
    late: bool = False  # the last of those that are asked for is only the first behind the window

    @property
    def within(self) -> Period:
        """The time of which the calendar must be read, so far around it that what is in the way is told whole."""
        start = min(one.period.start for one in self.asked)
        end = max(one.period.end for one in self.asked)
        return stretch(start - AROUND, end + AROUND)

    @property
    def own(self) -> frozenset[str]:
        """UIDs of what is not in its way: itself, and a series of which its organizer's program says that this is the rest."""
        older = {
            note.facts["uid"]
            for note in self.decision.notes
            if note.code == "split-of" and "told" in note.facts
        }
        return frozenset(name for uid in {self.copy.uid, *older} for name in (uid, linked.tail_uid(uid)))

    @property
    def zone(self) -> tzinfo:
        return zone_of(self.context)


def zone_of(context: Context) -> tzinfo:
    """On whose clock the account lives."""
    return named_zone(context.policy.timezone) or UTC


def asking(
    decision: Decision, stored: CalendarObject | None, message: Message, *, context: Context
) -> Decision | Wish:
    """What of a REQUEST needs an answer; the decision as it is where there is nothing to book."""
    booking = context.policy.booking
    if booking is None or message.method not in _ASKS or decision.outcome is not Outcome.APPLIED:
        return decision
    if not isinstance(decision.change, Store) or message.object.kind != "VEVENT":
        return decision
    if message.method is Method.CANCEL and decision.reason is not Reason.ASKED_ANEW:
        return decision
    copy = decision.change.object.within(context.bounds)
    if stored is None and attendee(copy, context.owner) is None:
        return Decision(outcome=Outcome.IGNORED, reason=Reason.NOT_INVITED)
    try:
        stored = None if stored is None else stored.within(context.bounds)
        return _asked(decision, stored, message, copy=copy, context=context, booking=booking)
    except MalformedCalendar as error:
        return Decision(outcome=Outcome.REFUSED, reason=Reason(error.code))


def _turned_away(context: Context) -> Decision | None:
    """SPEC 12.5: nothing automatic for one of whom we are not sure."""
    certainty = context.verdict.certainty if context.verdict is not None else Certainty.UNKNOWN
    sure = certainty is Certainty.PROVEN or (certainty is Certainty.LIKELY and context.policy.books_likely)
    if sure or context.policy.approved:
        return None
    return Decision(outcome=Outcome.HELD, reason=Reason.NOT_AUTHENTICATED, held_kind="mail")


def _asked(
    decision: Decision,
    stored: CalendarObject | None,
    message: Message,
    *,
    copy: CalendarObject,
    context: Context,
    booking: Booking,
) -> Decision | Wish:
    zone, owner = zone_of(context), context.owner
    horizon = context.now + booking.window
    all_of_it = dates.dates(copy, owner, after=context.now, before=horizon, zone=zone)
    old = {} if stored is None else _by_key(stored, context, horizon)
    kept = {one.key: old[one.key].answer for one in all_of_it if _is_kept(one, old.get(one.key))}
    asked = tuple(one for one in all_of_it if one.key not in kept)
    late = _late(copy, stored, context=context, horizon=horizon)
    wish = Wish(
        decision=decision,
        copy=copy,
        stored=stored,
        context=context,
        booking=booking,
        asked=asked,
        kept=kept,
    )
    if late is not None:
        wish = replace(wish, asked=(*asked, late), late=True)
    if not wish.asked:
        return _as_before(wish)
    turned = _turned_away(context)
    if turned is not None:
        return turned
    if not bookable.may_book(message.sender, booking):
        return _declined(wish, Booked(reason=Declined.WHO))
    broken = bookable.against(wish.asked, booking, recurring=copy.recurring, late=wish.late, zone=zone)
    if broken is not None:
        return _declined(wish, broken)
    return answer(wish, ()) if booking.mode == "accept-always" else wish


def _by_key(stored: CalendarObject, context: Context, horizon: datetime) -> dict[str, Date]:
    found = dates.dates(stored, context.owner, after=context.now, before=horizon, zone=zone_of(context))
    return {one.key: one for one in found}


def _is_kept(now: Date, was: Date | None) -> bool:
    """Whether the answer of before holds: the same time, and it was one."""
    return was is not None and was.period == now.period and was.answer in _ANSWERS


def _late(
    copy: CalendarObject, stored: CalendarObject | None, *, context: Context, horizon: datetime
) -> Date | None:
    """A date behind the window that has no answer yet."""
    zone = zone_of(context)
    one = dates.beyond(copy, context.owner, after=horizon, zone=zone)
    if one is None or stored is None:
        return one
    there = dates.dates(stored, context.owner, after=one.period.start, before=one.period.end, zone=zone)
    return None if any(each.key == one.key and _is_kept(one, each) for each in there) else one


def answer(wish: Wish, busy: Iterable[Period], *, unread: int = 0) -> Decision:
    """The answer to what was asked, given when else it is taken. `unread`: events of which nobody knows when they are."""
    if unread and not wish.context.policy.approved:
        note = Note(code="unread-events", facts={"count": str(unread)})
        return Decision(
            outcome=Outcome.HELD, reason=Reason.MALFORMED_CALENDAR, held_kind="mail", notes=(note,)
        )
    full = taken(busy, wish.booking.simultaneous)
    starts = [one.start for one in full]
    blocked = {one.key: hits for one in wish.asked if (hits := _hits(one.period, full, starts))}
    if not blocked:
        return _booked(wish, {}) if wish.booking.mode != "decline-if-busy" else _left_open(wish)
    told = tuple(dict.fromkeys(one for hits in blocked.values() for one in hits))[:SHOWN]
    why = Booked(reason=Declined.BUSY, busy=tuple(_taken(one) for one in told))
    parts = wish.booking.partial and len(blocked) < len(wish.asked)
    if parts and wish.booking.mode != "decline-if-busy" and _can_say(wish.copy, blocked):
        return _booked(wish, dict.fromkeys(blocked, "DECLINED"), why)
    return _declined(wish, why)


def _can_say(copy: CalendarObject, keys: Iterable[str]) -> bool:
    """Whether so many dates may have components of their own (SPEC 11)."""
    try:
        onward.refuse_growth(copy, keys)
    except LimitExceeded:
        return False
    return True


def _left_open(wish: Wish) -> Decision:
    """A person decides; what he has answered stays."""
    fresh = dict.fromkeys((one.key for one in wish.asked), "NEEDS-ACTION")
    copy = dates.answered(wish.copy, {**wish.kept, **fresh}, wish.context.owner, now=wish.context.now)
    return replace(wish.decision, change=Store(object=copy))


def taken(busy: Iterable[Period], most: int) -> tuple[Period, ...]:
    """When as many bookings as there may be take its time at once, in order; half-open."""
    edges = sorted(edge for one in busy for edge in ((one.start, 1), (one.end, -1)) if one.start < one.end)
    found: list[Period] = []
    depth, since = 0, None
    for at, step in edges:  # of one moment ends come first
        depth += step
        if depth >= most and since is None:
            since = at
        elif depth < most and since is not None:
            found.append(stretch(since, at))
            since = None
    return merged(found)


def _hits(period: Period, full: tuple[Period, ...], starts: list[datetime]) -> tuple[Period, ...]:
    last = bisect_right(starts, period.end) - 1
    hits: list[Period] = []
    while last >= 0 and full[last].end > period.start:
        if full[last].start < period.end:
            hits.append(full[last])
        last -= 1
    return tuple(reversed(hits))


def _as_before(wish: Wish) -> Decision:
    """Nothing is asked that has no answer yet; of what was told otherwise since, or has lost its answer, it is told again."""
    context = wish.context
    copy = dates.answered(wish.copy, wish.kept, context.owner, now=context.now)
    decision = replace(wish.decision, change=Store(object=copy))
    again = wish.kept if decision.reason is Reason.ASKED_ANEW else _told_otherwise(wish)
    return _with_letter(wish, decision, copy, keys=again, booked=_NOTHING) if again else decision


def _told_otherwise(wish: Wish) -> tuple[str, ...]:
    """Dates of which the organizer has another answer: he had moved them to where they could not be, and has moved them back."""
    marks = wish.context.marks.items()
    told = {key.recurrence_id: one.partstat for key, one in marks if key.party in wish.context.owner}
    last = {key: told.get(key) or told.get("") for key in wish.kept}
    return tuple(key for key, answer in wish.kept.items() if last[key] and last[key] != answer)


def _booked(wish: Wish, declined: Mapping[str, str], why: Booked = _NOTHING) -> Decision:
    """It is booked, but for these dates."""
    fresh = {one.key: declined.get(one.key, "ACCEPTED") for one in wish.asked}
    copy = dates.answered(wish.copy, {**wish.kept, **fresh}, wish.context.owner, now=wish.context.now)
    booked = why
    if declined:
        had, lost = ([one for one in wish.asked if (one.key in declined) is so] for so in (False, True))
        booked = replace(why, accepted=_whens(had, copy), declined=_whens(lost, copy))
    decision = replace(
        wish.decision,
        reason=Reason.BOOKED_PARTLY if declined else Reason.BOOKED,
        change=Store(object=copy),
    )
    return _with_letter(wish, decision, copy, keys=fresh, booked=booked)


def _declined(wish: Wish, why: Booked) -> Decision:
    """It is not booked. What was booked before stays; who may not book leaves nothing in its calendar."""
    fresh = {one.key: "DECLINED" for one in wish.asked}
    owner, now = wish.context.owner, wish.context.now
    if wish.late or not _can_say(wish.copy, fresh):
        fresh = dict.fromkeys((*wish.kept, *fresh), "DECLINED")  # one by one they could not be told
    copy = dates.answered(wish.copy, {**wish.kept, **fresh}, owner, now=now)
    note = Note(code="not-booked", facts={"why": str(why.reason)})
    decision = replace(
        wish.decision,
        reason=Reason.BOOKING_DECLINED,
        change=Store(object=copy),
        notes=(*wish.decision.notes, note),
    )
    stays = _coming(wish)
    if why.reason is Declined.WHO or stays:
        decision = replace(decision, change=None)
    old = (one for one in stays if one.key not in wish.kept or one.key in fresh)
    told = replace(why, accepted=_whens(old, wish.stored or wish.copy))
    return _with_letter(wish, decision, copy, keys=fresh, booked=told)


def _coming(wish: Wish) -> tuple[Date, ...]:
    """What is booked and still to come."""
    if wish.stored is None:
        return ()
    found = _by_key(wish.stored, wish.context, wish.context.now + wish.booking.window)
    return tuple(one for one in found.values() if one.answer in _COMING)


def _whens(found: Iterable[Date], of: CalendarObject) -> tuple[When, ...]:
    return tuple(when for one in found if (when := when_of(one.start, of.zones)))


def _with_letter(
    wish: Wish, decision: Decision, copy: CalendarObject, *, keys: Iterable[str], booked: Booked
) -> Decision:
    """The decision with its REPLY, which no hand has written (SPEC 12.2), unless it was a machine that asked (RFC 3834 2)."""
    context = replace(
        wish.context,
        base=decision.base or wish.context.base,
        marks={**wish.context.marks, **decision.marks},
    )
    told = replying(dates.unanswered(copy, keys, context.owner), copy, context)
    decision = replace(decision, outgoing=(), base=None if decision.change is None else decision.base)
    if told.outcome is not Outcome.APPLIED:
        return replace(decision, notes=(*decision.notes, *told.notes))
    sent = tallied(_COUNT, len(told.outgoing), context, most=LETTERS)
    unheard = why_not(context, "", to_request=True) or (Reason.RATE_LIMITED if sent is None else None)
    if unheard is not None or sent is None:
        note = Note(code="not-told", facts={"why": str(unheard)})
        return replace(decision, notes=(*decision.notes, note))
    return replace(
        decision,
        outgoing=tuple(_told(one, booked) for one in told.outgoing),
        marks={**decision.marks, **told.marks, **sent},
        notes=(*decision.notes, *told.notes),
    )


def _told(one: Outgoing, booked: Booked) -> Outgoing:
    partly = bool(booked.accepted and booked.declined)
    partstat = "ACCEPTED" if partly else one.summary.partstat
    summary = replace(one.summary, kind="booking", booked=booked, partstat=partstat)
    return replace(one, automatic=True, summary=summary)


def _taken(one: Period) -> Taken:
    start, end = (When(form="utc", local=at.replace(tzinfo=None), utc=at) for at in (one.start, one.end))
    return Taken(start=start, end=end)


__all__ = ["Wish", "answer", "asking", "taken", "zone_of"]
