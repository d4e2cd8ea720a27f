"""What an organizer says of his meeting in a mail of his own becomes what his calendar is to hold (SPEC 1.4).

His mail is not read as a guest's program would read it: it takes the place of his own edit of the calendar, of which the
guests are then told as of any other. A REQUEST strikes nobody off, since some programs mail each guest his own lines alone;
a CANCEL calls off no more than it names.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Final

from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, attendee_of, person
from gateway.ical.tree import Component, Property, prop
from gateway.itip import version
from gateway.itip.merge import cancelled
from gateway.itip.model import Message, Method, Reason, Role
from gateway.itip.roles import identities, role
from gateway.itip.version import assemble, components, derived, in_full, without_guest
from gateway.itip.views import is_cancelled

METHODS: Final = frozenset({Method.REQUEST, Method.PUBLISH, Method.CANCEL})
_SERVER = ("SCHEDULE-AGENT", "SCHEDULE-STATUS", "SCHEDULE-FORCE-SEND")
_SHAPE = ("DTSTART", "RRULE", "RDATE")


def rendered(
    stored: CalendarObject | None,
    message: Message,
    *,
    owner: frozenset[Address],
    asked: Iterable[Address] = (),
    deleted: bool = False,
) -> CalendarObject | Reason | None:
    """The meeting as the calendar is to hold it; None: it stays deleted; or why the mail changes nothing.

    `asked`: to whom the mail went, the guests of a meeting that names none. `deleted`: the calendar held it until lately.
    """
    told = message.object
    if role(told, owner) is not Role.ORGANIZER:
        return Reason.NOT_OUR_ORGANIZER
    if stored is not None and role(stored, owner) is not Role.ORGANIZER:
        return Reason.NOT_OUR_ORGANIZER
    if message.method is Method.CANCEL:
        if stored is None:
            return None if deleted and told.master is not None else Reason.UNKNOWN_UID
        return _called_off(stored, told, owner)
    told = _asking(told, asked, owner)
    if stored is None:
        return told if told.master is not None else Reason.UNKNOWN_UID
    return _changed(stored, told, owner)


def guests_of(meeting: CalendarObject, owner: Set[Address]) -> frozenset[Address]:
    """Whom the meeting asks, beside its owner."""
    return frozenset(person(line) for line in meeting.attendees() if not identities(line) & owner)


# --- REQUEST ---------------------------------------------------------------------------------------------------------


def _asking(told: CalendarObject, asked: Iterable[Address], owner: Set[Address]) -> CalendarObject:
    """As a calendar may hold it: without what his program told its server, and with guests where it named none.

    RFC 6638 7: his program may have claimed the sending (SCHEDULE-AGENT=CLIENT); by mailing it has left it to us.
    """
    lines = [] if guests_of(told, owner) else [_line(one) for one in dict.fromkeys(asked) if one not in owner]
    plain = {key: _plain(component, lines) for key, component in components(told).items()}
    return told.with_components(plain)


def _plain(component: Component, guests: Iterable[Property]) -> Component:
    bare = component.without("REQUEST-STATUS")
    out = bare.with_children(
        child.with_params(**dict.fromkeys(_SERVER))
        if isinstance(child, Property) and child.name in ("ATTENDEE", "ORGANIZER")
        else child
        for child in bare.children
    )
    for line in guests:
        out = out.add(line)
    return out


def _line(who: Address) -> Property:
    line = prop("ATTENDEE", f"mailto:{who}")
    return line.with_params(ROLE="REQ-PARTICIPANT", PARTSTAT="NEEDS-ACTION", RSVP="TRUE")


def _changed(stored: CalendarObject, told: CalendarObject, owner: Set[Address]) -> CalendarObject | Reason:
    told = in_full(told, stored)
    ours, new = components(stored), components(told, stored)
    if any(_is_older(new[key], ours.get(key)) for key in new):
        return Reason.OLDER_SEQUENCE
    merged = {key: _merged(ours.get(key), component, owner) for key, component in new.items()}
    if "" not in new:
        return assemble(stored, ours | merged, told)
    moved = any(_values(ours.get(""), name) != _values(new[""], name) for name in _SHAPE)
    kept = {} if moved else {key: one for key, one in ours.items() if key}  # no date of a series made anew
    return assemble(told, kept | merged, stored)


def _is_older(new: Component, ours: Component | None) -> bool:
    """His program's SEQUENCE may lie behind ours, which he does not see it raise; then its clock tells (RFC 5546 2.1.5)."""
    if ours is None:
        return False
    stamps = [(one.value("DTSTAMP") or "").strip() for one in (new, ours)]
    numbers = [_sequence(one) for one in (new, ours)]
    return stamps[0] < stamps[1] or (numbers[0] < numbers[1] and stamps[0] == stamps[1])


def _sequence(component: Component | None) -> int:
    value = component.value("SEQUENCE") if component is not None else None
    return int(value) if value and value.strip().isascii() and value.strip().isdigit() else 0


def _values(component: Component | None, name: str) -> list[tuple[str, str]]:
    return [] if component is None else [(one.tzid, one.value) for one in component.all(name)]


def _merged(ours: Component | None, new: Component, owner: Set[Address]) -> Component:
    """His word, with the answers and the alarms that the calendar knows, and the guests whom he does not name here."""
    if ours is None:
        return new
    lines = [_answered(line, ours, owner) for line in new.all("ATTENDEE")]
    named = {person(line) for line in lines}
    lines += [line for line in ours.all("ATTENDEE") if person(line) not in named]
    out = new.without("ATTENDEE")
    for line in lines:
        out = out.add(line)
    for child in ours.properties:
        if _is_private(child.name) and out.first(child.name) is None:
            out = out.add(child)
    alarms = ours.subcomponents("VALARM")
    if alarms:
        out = out.without_components("VALARM")
        out = out.with_children((*out.children, *alarms))
    return out.put(prop("SEQUENCE", str(max(_sequence(ours), _sequence(new)))))


def _is_private(name: str) -> bool:
    return name.startswith("X-") or name in ("CATEGORIES", "CLASS", "TRANSP", "COLOR")


def _answered(line: Property, ours: Component, owner: Set[Address]) -> Property:
    """A mail of the organizer answers for nobody but himself."""
    old = None if identities(line) & owner else attendee_of(ours, person(line))
    if old is None:
        return line
    names = ("PARTSTAT", "RSVP", "DELEGATED-TO", "DELEGATED-FROM", "SCHEDULE-STATUS")
    return line.with_params(**{name: old.param_values(name) or None for name in names})


# --- CANCEL ----------------------------------------------------------------------------------------------------------


def _called_off(stored: CalendarObject, told: CalendarObject, owner: Set[Address]) -> CalendarObject | Reason:
    """RFC 5546 3.2.5: the meeting, some dates of it, or some guests."""
    ours = dict(components(stored))
    named = components(told, stored)
    if any(_is_older(named[key], ours.get(key)) for key in named):
        return Reason.OLDER_SEQUENCE
    frame = version.telling(stored, ours)
    for key, cancel in named.items():
        if key and key not in ours:
            component = derived(frame, key)
            if component is None:
                return Reason.NO_SUCH_INSTANCE
            ours[key] = component
        for place in [key] if key else list(ours):
            ours[place] = _off(ours[place], cancel, owner)
    return assemble(stored, ours, told)


def _off(ours: Component, cancel: Component, owner: Set[Address]) -> Component:
    """Off for all, if it names all or nobody; else for those whom it names.

    Who is alone in a meeting is uninvited by a CANCEL without STATUS; for several the missing STATUS is a slip.
    """
    guests = _people(ours, owner)
    named = _people(cancel, owner)
    if not named or (guests <= named and (is_cancelled(cancel) or len(guests) > 1)):
        return cancelled(ours, sequence=max(_sequence(ours), _sequence(cancel)))
    for who in sorted(guests & named):
        ours = without_guest(ours, who)
    return ours


def _people(component: Component, owner: Set[Address]) -> frozenset[Address]:
    return frozenset(person(line) for line in component.all("ATTENDEE") if not identities(line) & owner)


__all__ = ["METHODS", "guests_of", "rendered"]
