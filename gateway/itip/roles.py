"""Who is who in a meeting: the organizer, who may act for him, whose ATTENDEE line is whose."""

from __future__ import annotations

from collections.abc import Iterable, Set

from gateway.ical.address import Address, address, is_mail
from gateway.ical.event import CalendarObject
from gateway.ical.tree import Component, Property
from gateway.itip.model import Context, Role

_GROUPS = frozenset({"GROUP", "UNKNOWN"})


def identities(line: Property) -> frozenset[Address]:
    """Every address that an ORGANIZER or ATTENDEE line gives its person.

    Beside principal paths and urn:uuid the address stands in EMAIL (RFC 7986 6.2), or in CN (DAVx5). Where the value is a
    mail address it alone counts: EMAIL on such a line in a message would make its writer whoever he likes.
    """
    if is_mail(line.address):
        return frozenset({line.address})
    told = (address(line.param(name) or "") for name in ("EMAIL", "CN"))
    return frozenset({line.address, *(one for one in told if is_mail(one))})


def is_one_of(line: Property, who: Set[Address]) -> bool:
    """Whether the line gives its person one of these addresses; each of a thousand guests is asked."""
    if line.address in who:
        return True
    return not is_mail(line.address) and not identities(line).isdisjoint(who)


def sent_by(line: Property | None) -> Address | None:
    """RFC 5545 3.2.18: who acts on behalf of this person."""
    value = line.param("SENT-BY") if line is not None else None
    return address(value) if value else None


def find(lines: Iterable[Property], who: Set[Address], preferred: Address | None = None) -> Property | None:
    """The ATTENDEE line of a person with these addresses: the one by which he was invited, else an individual's, else any.

    RFC 5546 3.7.2: CUTYPE=INDIVIDUAL is searched first.
    """
    mine = [line for line in lines if is_one_of(line, who)]
    if preferred is not None:
        mine.sort(key=lambda line: preferred not in identities(line))
        if mine and preferred in identities(mine[0]):
            return mine[0]
    mine.sort(key=lambda line: (line.param("CUTYPE") or "INDIVIDUAL").upper() != "INDIVIDUAL")
    return mine[0] if mine else None


def line_in(
    component: Component | None, who: Set[Address], preferred: Address | None = None
) -> Property | None:
    """That person's ATTENDEE line in one component."""
    return None if component is None else find(component.all("ATTENDEE"), who, preferred)


def role(stored: CalendarObject, owner: Set[Address]) -> Role:
    """What the account is to a meeting in its calendar."""
    organizer = stored.organizer_prop
    if organizer is not None and identities(organizer) & owner:
        return Role.ORGANIZER
    if any(line_in(component, owner) is not None for component in stored.components):
        return Role.ATTENDEE
    return Role.STRANGER


def acts_as_organizer(stored: CalendarObject, sender: Address | None, context: Context) -> bool:
    """SPEC 3.3: the stored organizer, a SENT-BY that stands in the stored object, or a configured delegate."""
    if sender is None:
        return False
    lines = [line for component in stored.components for line in component.all("ORGANIZER")]
    if any(sender in identities(line) or sender == sent_by(line) for line in lines):
        return True
    return bool(lines) and sender in context.policy.delegates


def same_person(one: Property | None, other: Property | None) -> bool:
    """Whether two ORGANIZER lines name one person."""
    return one is not None and other is not None and bool(identities(one) & identities(other))


def attendee(of: CalendarObject, who: Set[Address]) -> Property | None:
    """That person's line, in the master or in whatever instance he is invited to."""
    return find((line for component in of.components for line in component.all("ATTENDEE")), who)


def groups(of: CalendarObject) -> frozenset[Address]:
    """The invited groups (RFC 5546 3.7.2)."""
    return frozenset(
        line.address
        for component in of.components
        for line in component.all("ATTENDEE")
        if (line.param("CUTYPE") or "").upper() in _GROUPS
    )


def parameter_addresses(line: Property, name: str) -> tuple[Address, ...]:
    """The addresses in DELEGATED-TO, DELEGATED-FROM, MEMBER (RFC 5545 3.2.4, 3.2.5, 3.2.11)."""
    return tuple(address(value) for value in line.param_values(name) if value.strip())


__all__ = [
    "acts_as_organizer",
    "attendee",
    "find",
    "groups",
    "identities",
    "is_one_of",
    "line_in",
    "parameter_addresses",
    "role",
    "same_person",
    "sent_by",
]
