"""By what a meeting knows the account: its address, what the server calls it, or an address beside a name that is none."""

from __future__ import annotations

from collections.abc import Set
from enum import StrEnum

from gateway.ical.address import Address, address, is_mail
from gateway.ical.event import CalendarObject
from gateway.ical.principals import STORED_AS, place
from gateway.ical.tree import Property
from gateway.itip import roles
from gateway.itip.model import Note


class Rule(StrEnum):
    """Which rule recognised a line (SPEC 2.4)."""

    ADDRESS = "address"  # one of the account's addresses
    PRINCIPAL = "principal"  # a path or URL by which the server knows it
    UUID = "uuid"  # the same, as urn:uuid
    EMAIL = "email-parameter"
    NAME = "name"  # CN holds the address
    SHARED = "shared-calendar"  # who saved it organizes in the name of the calendar


def rule_of(line: Property, owner: Set[Address]) -> Rule | None:
    """By which rule a line is the owner's; None: it is not."""
    if not roles.identities(line) & owner:
        return None
    stored = line.param(STORED_AS)
    if stored is not None:
        if place(stored) is None:
            return Rule.SHARED
        return Rule.UUID if stored.strip().lower().startswith("urn:") else Rule.PRINCIPAL
    if is_mail(line.address):
        return Rule.ADDRESS
    return Rule.EMAIL if address(line.param("EMAIL") or "") in owner else Rule.NAME


def stands_as(line: Property) -> str:
    """What stands in the calendar."""
    return line.param(STORED_AS) or line.value


def note(meeting: CalendarObject | None, owner: Set[Address]) -> tuple[Note, ...]:
    """How the meeting knows the owner, as organizer or guest, where it is not by an address of his."""
    if meeting is None:
        return ()
    lines = (meeting.organizer_prop, roles.attendee(meeting, owner))
    line = next((one for one in lines if one is not None and roles.identities(one) & owner), None)
    rule = rule_of(line, owner) if line is not None else None
    if line is None or rule in (None, Rule.ADDRESS):
        return ()
    facts = {"part": line.name.lower(), "stands_as": stands_as(line)[:200], "rule": str(rule)}
    return (Note(code="known-as", facts=facts),)


__all__ = ["Rule", "note", "rule_of", "stands_as"]
