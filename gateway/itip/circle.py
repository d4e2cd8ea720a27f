"""Whom we may write to about a meeting, in whose name, and the message to each of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import timedelta

from gateway.ical.address import Address, is_mail
from gateway.ical.event import CalendarObject, person
from gateway.ical.tree import Component, Property, prop
from gateway.itip import compose, tables
from gateway.itip.difference import Concern
from gateway.itip.model import Context, Method, Note, Outgoing, Summary
from gateway.itip.roles import identities
from gateway.itip.significance import components_by_key
from gateway.itip.summary import summarize
from gateway.itip.views import leaving, restrict_guests, view


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """The organizer, the guests whom we serve, and notes on those whom we do not."""

    organizer: Address
    guests: Mapping[Address, Property]
    context: Context
    notes: tuple[Note, ...] = ()
    agreed: frozenset[Address] = frozenset()  # who proposed the very change: no new time voids their answer

    def request(
        self, who: Address, concern: Concern, shown: CalendarObject, *, before: CalendarObject | None
    ) -> Outgoing:
        """His REQUEST, out of the `shareable` meeting: all he has of it, or the instances that concern him."""
        privacy = self.context.policy.guest_list
        his = view(shown, who, guest_list=privacy, only=None if concern.full else concern.asked)
        later = (
            timedelta(seconds=1) if concern.lost else timedelta()
        )  # the CANCEL beside it must not overtake it
        message = compose.request(his, shown, self._stamp(later))
        keys = tuple(key for key, _ in components_by_key(message))
        summary = summarize(
            self._kind(who) if concern.first else "update",
            message,
            None if concern.first else before,
            now=self.context.now,
            key=keys[0],
            further=keys[1:] if keys[0] else (),
            viewer=who,
            guest_list=privacy,
        )
        return self._outgoing(Method.REQUEST, who, message, summary=summary)

    def cancel(
        self,
        who: Address,
        concern: Concern,
        was: Mapping[str, Component],
        *,
        sequences: Mapping[str, int],
        source: CalendarObject,
    ) -> Outgoing:
        """His CANCEL, of what he has lost; it lists him alone, whatever the guest list was."""
        shown = {
            key: leaving(restrict_guests(was[key], who, "self")).put(prop("SEQUENCE", str(sequences[key])))
            for key in sorted(concern.lost)
        }
        message = compose.cancel(shown, source, self._stamp(), uninvited=concern.uninvited)
        keys = tuple(key for key, _ in components_by_key(message))
        summary = summarize(
            "removed" if concern.lost <= concern.uninvited else "cancellation",
            message,
            now=self.context.now,
            key=keys[0],
            further=keys[1:],
            viewer=who,
            guest_list="self",
        )
        return self._outgoing(Method.CANCEL, who, message, summary=summary)

    def _kind(self, who: Address) -> str:
        return "delegation" if self.guests[who].param("DELEGATED-FROM") else "invitation"

    def _stamp(self, later: timedelta = timedelta()) -> compose.Stamp:
        return compose.Stamp(now=self.context.now + later, prodid=self.context.prodid)

    def _outgoing(
        self, method: Method, who: Address, message: CalendarObject, *, summary: Summary
    ) -> Outgoing:
        return Outgoing(
            method=method,
            sender=self.organizer,
            recipient=who,
            recipient_name=(self.guests[who].param("CN") or "").strip(),
            object=message,
            summary=summary,
        )


def circle_of(
    before: CalendarObject | None, after: CalendarObject | None, context: Context, *, organizer: Address
) -> Circle:
    """SPEC 5.2, 5.4: never the organizer's own line, never ourselves, never a guest whom somebody else serves."""
    everyone = {**guests_of(before, context.owner), **guests_of(after, context.owner)}
    everyone.pop(organizer, None)
    guests: dict[Address, Property] = {}
    notes = []
    for who, line in everyone.items():
        agent = (line.param("SCHEDULE-AGENT") or "SERVER").upper()
        if agent != "SERVER":
            notes.append(Note(code="schedule-agent", facts={"attendee": who, "agent": agent}))
        elif not is_mail(who):
            notes.append(Note(code="no-mail-address", facts={"attendee": who}))
        else:
            guests[who] = line
    return Circle(organizer=organizer, guests=guests, context=context, notes=tuple(notes))


def speaking_as(states: Iterable[CalendarObject | None], owner: Set[Address]) -> Address:
    """The address in whose name an organizer writes: the one that stands in the meeting, where it is mail."""
    lines = [one.organizer_prop for one in states if one is not None]
    found = [one for line in lines if line is not None for one in sorted(identities(line))]
    ours = [one for one in found if one in owner]
    return next((one for one in (*ours, *found) if is_mail(one)), (ours or found)[0])


def guests_of(meeting: CalendarObject | None, owner: Iterable[Address]) -> dict[Address, Property]:
    """The ATTENDEE lines of all but the organizer and ourselves, by address."""
    if meeting is None:
        return {}
    ours = set(owner)
    if meeting.organizer_prop is not None:
        ours |= identities(meeting.organizer_prop)
    return {person(line): line for line in meeting.attendees() if not identities(line) & ours}


def strict(letters: Iterable[Outgoing]) -> tuple[tuple[Outgoing, ...], tuple[Note, ...]]:
    """RFC 5546 3: what breaks a table does not leave; it is told instead."""
    lawful, notes = [], []
    for letter in letters:
        faults = tables.violations(letter.object, letter.method)
        if faults:
            told = {"to": letter.recipient, "faults": "; ".join(faults)}
            notes.append(Note(code="illegal-message", facts=told))
        else:
            lawful.append(letter)
    return tuple(lawful), tuple(notes)


def only_instance(letters: Iterable[Outgoing]) -> str:
    """The one instance that all these messages speak of, or ""."""
    keys = {key for letter in letters for key, _ in components_by_key(letter.object)}
    return keys.pop() if len(keys) == 1 else ""


__all__ = ["Circle", "circle_of", "guests_of", "only_instance", "speaking_as", "strict"]
