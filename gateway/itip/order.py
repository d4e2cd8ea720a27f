"""Everything that decides newer, same or older: the ledger's marks, and how a message stands to them.

The ledger keeps for each instance of a UID (SPEC 4.1), per party:

    "organizer"   the last word of the organizer that took effect; `cancelled` when it was a CANCEL (a tombstone)
    "request"     his last REQUEST, once a CANCEL has overtaken it: a late REQUEST between the two still tells what was cancelled
    "cancel"      his last CANCEL, once a REQUEST has overtaken it: a repeated CANCEL must not strike twice
    an address    that attendee's last answer, and the last reset of his PARTSTAT; `cancelled` when he was removed
    "off:..."         the CANCEL that a guest of ours has had, which his next REQUEST must stand above (`itip.sequences`)
    "delegated:..."   counts the letters that his delegations cause (`itip.delegation`)
    "counter:..."     his last proposal (`itip.counter`); "notice:..." and "declined:..." count the letters about them

What he says of an occurrence and all behind it (RANGE) has registers of its own, under that occurrence's key with a `+`.

Content and cancellation are two registers, each of which only grows; whether an instance is on is read from both. So
the order in which messages come in does not matter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.ical.address import Address
from gateway.ical.event import CalendarObject
from gateway.ical.onward import anchor, is_onward
from gateway.ical.tree import Component, Property
from gateway.itip import clocks
from gateway.itip.clocks import at_latest, later
from gateway.itip.model import Context, Mark, MarkKey, Reason

ORGANIZER = "organizer"
REQUEST = "request"
CANCEL = "cancel"

_ROLES = frozenset({ORGANIZER, REQUEST, CANCEL})
_TIMES = frozenset({"dtstamp", "arrived", "mail_date", "reset_dtstamp"})


class Order(StrEnum):
    """How a message stands to what the ledger knows."""

    NEWER = "newer"
    SAME = "same"
    OLDER = "older"
    CANCELLED = "cancelled"  # newer than the content, older than its cancellation: content only


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """A comparison's result; `note` names what was decided by less than SEQUENCE and DTSTAMP."""

    order: Order
    reason: Reason | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What orders one component of a message."""

    sequence: int | None
    dtstamp: datetime | None
    digest: str
    mail_date: datetime | None = None
    arrived: datetime | None = None  # when it came, where its DTSTAMP was ahead of that

    def mark(self, *, organizer: Address | None = None, cancelled: bool = False) -> Mark:
        """The ledger's line once this component has been applied."""
        return Mark(
            sequence=self.sequence,
            dtstamp=self.dtstamp,
            digest=self.digest,
            mail_date=self.mail_date,
            arrived=self.arrived,
            cancelled=cancelled,
            organizer=organizer,
        )


NEWER = Rank(order=Order.NEWER)
DUPLICATE = Rank(order=Order.SAME, reason=Reason.DUPLICATE)
OLDER_SEQUENCE = Rank(order=Order.OLDER, reason=Reason.OLDER_SEQUENCE)
OLDER_DTSTAMP = Rank(order=Order.OLDER, reason=Reason.OLDER_DTSTAMP)


def dump(mark: Mark) -> dict[str, Any]:
    """A mark as JSON; what is unknown or empty is left out."""
    out: dict[str, Any] = {}
    for name in Mark.__slots__:
        value = getattr(mark, name)
        if value is None or value == "" or value is False:
            continue
        out[name] = value.isoformat() if isinstance(value, datetime) else value
    return out


def load(data: Mapping[str, Any]) -> Mark:
    """The inverse of `dump`; fields of a later version are ignored."""
    known: dict[str, Any] = {
        name: datetime.fromisoformat(data[name]) if name in _TIMES else data[name]
        for name in Mark.__slots__
        if data.get(name) is not None
    }
    return Mark(**known)


def digest(component: Component) -> str:
    """A hash of what a component says, whatever its folding and the order of its lines."""
    return hashlib.sha256("\n".join(_facts(component)).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def stamp(of: CalendarObject, key: str, context: Context) -> Stamp:
    """What orders this component."""
    component = of.component(key)
    dtstamp, arrived = clocks.believed(
        of.dtstamp(key), arrived=context.arrived or context.now, mail_date=context.mail_date
    )
    return Stamp(
        sequence=_sequence(of, key),
        dtstamp=dtstamp,
        digest=digest(component) if component is not None else "",
        mail_date=context.mail_date,
        arrived=arrived,
    )


def compare_organizer(mark: Mark | None, new: Stamp) -> Rank:
    """RFC 5546 2.1.5: SEQUENCE, then DTSTAMP; an absent SEQUENCE is unknown and leaves the word to DTSTAMP."""
    if mark is None:
        return NEWER
    if mark.sequence is not None and new.sequence is not None and mark.sequence != new.sequence:
        return NEWER if new.sequence > mark.sequence else OLDER_SEQUENCE
    return _by_dtstamp(mark, new)


def compare_attendee(mark: Mark | None, resets: Iterable[Mark], new: Stamp) -> Rank:
    """RFC 5546 2.1.5 for answers: his last DTSTAMP for this instance, and the last reset of his PARTSTAT.

    Deviation from rule 3 there: an answer to a lower SEQUENCE that is still above the reset counts by its DTSTAMP, since
    nothing it answered has changed for him.
    """
    for reset in resets:
        if _before_reset(reset, new):
            return OLDER_SEQUENCE
    if mark is None or (mark.dtstamp is None and not mark.digest):
        return NEWER
    tied = mark.dtstamp == new.dtstamp and mark.sequence != new.sequence
    if tied and mark.sequence is not None and new.sequence is not None:
        return NEWER if new.sequence > mark.sequence else OLDER_SEQUENCE
    return _by_dtstamp(mark, new)


def answered_since(mark: Mark, cancel: Mark) -> bool:
    """Whether an answer was given after a CANCEL: by SEQUENCE, as the organizer will see it; where that says nothing, by what our clock knows of both."""
    if mark.sequence is not None and cancel.sequence is not None and mark.sequence != cancel.sequence:
        return mark.sequence > cancel.sequence
    said = at_latest(cancel)
    return mark.dtstamp is not None and said is not None and mark.dtstamp > said


class Standing:
    """What the organizer has said so far about each instance, as the ledger keeps it."""

    __slots__ = ("_marks", "_off")

    def __init__(self, marks: Mapping[MarkKey, Mark], organizer: Address | None = None) -> None:
        """`organizer`: whose word this is; tombstones that are bound to another do not count (SPEC 4.1)."""
        self._marks = {key: mark for key, mark in marks.items() if _binds(mark, organizer)}
        found = (key.recurrence_id for key, mark in self._marks.items() if key.party == ORGANIZER)
        self._off = tuple((key, mark) for key in sorted(found) if key and (mark := self.active_cancel(key)))

    def content(self, key: str) -> Mark | None:
        """His last REQUEST."""
        last = self._get(key, ORGANIZER)
        return self._get(key, REQUEST) if last is not None and last.cancelled else last

    def cancel(self, key: str) -> Mark | None:
        """His last CANCEL, in force or not."""
        last = self._get(key, ORGANIZER)
        return last if last is not None and last.cancelled else self._get(key, CANCEL)

    def cancelled(self, key: str) -> bool:
        """Whether a CANCEL of exactly this key is in force."""
        last = self._get(key, ORGANIZER)
        return last is not None and last.cancelled

    def floor(self) -> Mark | None:
        """The last full REQUEST: nothing said before it counts for any of its instances."""
        return self.content("")

    def content_survives(self, key: str) -> bool:
        """Whether the REQUEST for this instance is not overtaken by a full REQUEST."""
        return _at_or_above(self.content(key), self.floor())

    def active_cancel(self, key: str) -> Mark | None:
        """The CANCEL of exactly this key that no REQUEST for it has overtaken."""
        return self.cancel(key) if self.cancelled(key) else None

    def called_off_after(self, key: str, new: Stamp) -> bool:
        """Whether a CANCEL of this occurrence, or of the whole, came after what is said here."""
        cancel = self.active_cancel(key)
        if any(not later(new, wider) for wider in self._wider(key)):
            return True
        return cancel is not None and _against_cancel(cancel, new).order is not Order.NEWER

    def in_force(self, key: str) -> bool:
        """Whether this instance is off by a CANCEL of its own that no full REQUEST has overtaken either."""
        return _at_or_above(self.active_cancel(key), self.floor())

    def cancels_above(self, floor: Mark | None) -> tuple[tuple[str, Mark], ...]:
        """The single instances that are off."""
        return tuple(one for one in self._off if not is_onward(one[0]) and _at_or_above(one[1], floor))

    def cuts(self) -> tuple[tuple[str, Mark], ...]:
        """The occurrences that are off with all behind them, by CANCELs that no full REQUEST has overtaken."""
        told = tuple(one for one in self._off if is_onward(one[0]))
        floor = self.floor() if told else None
        return tuple((anchor(key), mark) for key, mark in told if _at_or_above(mark, floor))

    def cut(self, key: str) -> bool:
        """Whether such a CANCEL takes this occurrence off, and he has not spoken of it since."""
        said = self.content(key)
        return any(begin <= anchor(key) and not later(said, mark) for begin, mark in self.cuts() if key)

    def said_after(self, key: str, cancel: Mark) -> bool:
        """Whether a REQUEST for this instance came after that CANCEL of the whole."""
        return later(self.content(key), cancel)

    def removals_above(self, floor: Mark | None) -> tuple[tuple[str, Address], ...]:
        """The guests who were taken off the list, per instance."""
        found = (
            (key.recurrence_id, Address(key.party))
            for key, mark in self._marks.items()
            if mark.cancelled
            and key.party not in _ROLES
            and (not key.recurrence_id or _at_or_above(mark, floor))
        )
        return tuple(sorted(found))

    def removed(self, key: str, guest: Address) -> bool:
        """Whether the organizer took this guest off the list after he last told who is on it."""
        said = self.content(key) or self.content("")
        marks = (self._get(key, guest), self._get("", guest))
        return any(mark is not None and mark.cancelled and not later(said, mark) for mark in marks)

    def request(self, key: str, new: Stamp, *, proven: bool) -> Rank:
        """Where a REQUEST for this key stands.

        SPEC 4.1: over a CANCEL one with lower SEQUENCE but newer DTSTAMP by the proven organizer applies (he made the
        meeting anew); over a live copy it is stale.
        """
        if key and later(self.floor(), new):
            return OLDER_DTSTAMP
        in_force = self.active_cancel(key)
        if in_force is not None:
            against = _against_cancel(in_force, new)
            if against.order is Order.NEWER:
                return against
            if proven and later(new, in_force):
                return Rank(order=Order.NEWER, note="lower-sequence-after-cancel")
        rank = compare_organizer(self.content(key), new)
        if rank.order is not Order.NEWER:
            return rank
        if in_force is not None:
            return replace(against, order=Order.CANCELLED)
        if key and any(not later(new, wider) for wider in self._wider(key)):
            return Rank(order=Order.CANCELLED, reason=Reason.OLDER_DTSTAMP)
        return rank

    def cancellation(self, key: str, new: Stamp) -> Rank:
        """Where a CANCEL for this key stands; with the keys of the REQUEST that it cancels it comes after it."""
        if key and later(self.floor(), new):
            return OLDER_DTSTAMP
        rank = compare_organizer(self.cancel(key), new)
        if rank.order is not Order.NEWER:
            return rank
        content = None if self.cancelled(key) else self.content(key)
        rank = compare_organizer(content, new)
        if content is not None and rank.order is Order.OLDER and _same_keys(content, new):
            return NEWER
        return rank

    def after_request(self, key: str, mark: Mark, *, live: bool) -> dict[MarkKey, Mark]:
        """The ledger once a REQUEST has been applied."""
        if not live and self.cancelled(key):
            return {MarkKey(recurrence_id=key, party=REQUEST): mark}
        out = {MarkKey(recurrence_id=key, party=ORGANIZER): mark}
        overtaken = self.active_cancel(key)
        if overtaken is not None:
            out[MarkKey(recurrence_id=key, party=CANCEL)] = overtaken
        return out

    def after_cancel(self, key: str, mark: Mark) -> dict[MarkKey, Mark]:
        """The ledger once a CANCEL has been applied; this is the tombstone, it outlives the object."""
        out = {MarkKey(recurrence_id=key, party=ORGANIZER): mark}
        content = self.content(key)
        if content is not None:
            out[MarkKey(recurrence_id=key, party=REQUEST)] = content
        return out

    def after_overtaken(self, key: str, new: Stamp, mark: Mark) -> dict[MarkKey, Mark]:
        """The ledger once a CANCEL has come that a REQUEST had overtaken; nothing where a later CANCEL was there before."""
        if compare_organizer(self.cancel(key), new).order is not Order.NEWER:
            return {}
        content = self.content(key)
        if content is not None and compare_organizer(content, new).order is Order.OLDER:
            return {MarkKey(recurrence_id=key, party=CANCEL): mark}
        return self.after_cancel(key, mark)

    def removal(self, key: str, guest: Address, new: Stamp) -> Rank:
        """Where a CANCEL stands that takes a guest off the list (RFC 5546 3.2.5)."""
        mark = self._get(key, guest)
        if mark is not None and mark.cancelled:
            rank = compare_organizer(mark, new)
            if rank.order is not Order.NEWER:
                return rank
        content = self.content(key) or (self.content("") if key else None)
        rank = compare_organizer(content, new)
        return NEWER if content is not None and _same_keys(content, new) else rank

    def _wider(self, key: str) -> tuple[Mark, ...]:
        """The CANCELs in force of the whole, or of a part of the series that this occurrence is in."""
        whole = self.active_cancel("")
        cuts = [mark for begin, mark in self.cuts() if key and begin <= anchor(key)]
        return (*cuts, whole) if whole is not None else tuple(cuts)

    def _get(self, key: str, party: str) -> Mark | None:
        return self._marks.get(MarkKey(recurrence_id=key, party=party))


def _binds(mark: Mark, organizer: Address | None) -> bool:
    return mark.organizer is None or organizer is None or mark.organizer == organizer or not mark.cancelled


def _sequence(of: CalendarObject, key: str) -> int | None:
    """SEQUENCE, else Exchange's own property for it (it leaves SEQUENCE out of some answers)."""
    sequence = of.sequence(key)
    component = of.component(key)
    if sequence is not None or component is None:
        return sequence
    value = (component.value("X-MICROSOFT-CDO-APPT-SEQUENCE") or "").strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None


def _by_dtstamp(mark: Mark, new: Stamp) -> Rank:
    # The digest holds the DTSTAMP as it was sent: a repeated message is the same one, even where its DTSTAMP was not
    # believed and each of its two arrivals stood for it.
    if mark.digest and mark.digest == new.digest:
        return DUPLICATE
    if mark.dtstamp is not None and new.dtstamp is not None and mark.dtstamp != new.dtstamp:
        return NEWER if later(new, mark) else OLDER_DTSTAMP
    if mark.mail_date is not None and new.mail_date is not None and mark.mail_date != new.mail_date:
        newer = new.mail_date > mark.mail_date
    else:
        newer = new.digest > mark.digest
    if newer:
        return Rank(order=Order.NEWER, note="same-keys-other-content")
    return Rank(order=Order.OLDER, reason=Reason.OLDER_DTSTAMP, note="same-keys-other-content")


def _same_keys(mark: Mark, new: Stamp) -> bool:
    """Neither SEQUENCE nor DTSTAMP tells the two apart."""
    sequence = mark.sequence == new.sequence or mark.sequence is None or new.sequence is None
    return sequence and (mark.dtstamp == new.dtstamp or mark.dtstamp is None or new.dtstamp is None)


def _against_cancel(cancel: Mark, new: Stamp) -> Rank:
    """A REQUEST against the CANCEL in force; with equal keys the CANCEL stands."""
    if _same_keys(cancel, new):
        return OLDER_DTSTAMP
    return compare_organizer(cancel, new)


def _at_or_above(mark: Mark | None, floor: Mark | None) -> bool:
    return mark is not None and not later(floor, mark)


def _before_reset(reset: Mark, new: Stamp) -> bool:
    if reset.reset_sequence is not None and new.sequence is not None:
        return new.sequence < reset.reset_sequence
    said = at_latest(new)
    return reset.reset_dtstamp is not None and said is not None and said < reset.reset_dtstamp


def _facts(component: Component) -> Iterable[str]:
    yield f"BEGIN:{component.name}"
    yield from sorted(_line(item) for item in component.properties)
    yield from sorted("\n".join(_facts(child)) for child in component.components)
    yield f"END:{component.name}"


def _line(item: Property) -> str:
    params = sorted(f"{one.name}={','.join(one.values)}" for one in item.params)
    return ";".join((item.name, *params)) + ":" + item.value


__all__ = [
    "CANCEL",
    "ORGANIZER",
    "REQUEST",
    "Order",
    "Rank",
    "Stamp",
    "Standing",
    "answered_since",
    "compare_attendee",
    "compare_organizer",
    "digest",
    "dump",
    "load",
    "stamp",
]
