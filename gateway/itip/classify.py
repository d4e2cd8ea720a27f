"""Strict out, classified in (SPEC 4): how far a received message keeps to the tables of RFC 5546 3, in one word."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from gateway.ical.event import CalendarObject
from gateway.itip import tables
from gateway.itip.model import Message, Method, Note
from gateway.itip.parse import Refusal

_MOST = 20  # breaches that a note tells
_LONGEST = 60  # characters of one


class Grade(StrEnum):
    """From a message as the standard wants it to one that cannot be one."""

    FINE = "fine"
    TOLERATED = "tolerated"  # against a table or with a quirk, and understood as it stands
    REPAIRED = "repaired"  # changed before it was understood
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """The grade of a message, and what it has against it."""

    grade: Grade
    breaches: tuple[str, ...] = ()  # of RFC 5546 3
    quirks: tuple[str, ...] = ()

    @property
    def note(self) -> Note:
        """For the journal: `received-tolerated` with the breaches; quirks have notes of their own."""
        facts = {"breaches": "; ".join(self.breaches)} if self.breaches else {}
        return Note(code=f"received-{self.grade}", facts=facts)


def classify(
    found: Message | Refusal, quirks: Collection[str] = (), repaired: Collection[str] = frozenset()
) -> Class:
    """The class of what `parse.messages` made; `quirks` were met on the way, of which `repaired` tells the repairs."""
    if isinstance(found, Refusal):
        told = found.detail or str(found.reason)
        return Class(grade=Grade.REFUSED, breaches=(_plain(told),), quirks=tuple(sorted(quirks)))
    breaches = _breaches(found)
    if any(name in repaired for name in quirks):
        grade = Grade.REPAIRED
    else:
        grade = Grade.TOLERATED if breaches or quirks else Grade.FINE
    return Class(grade=grade, breaches=breaches, quirks=tuple(sorted(quirks)))


def _breaches(found: Message) -> tuple[str, ...]:
    """RFC 5546 3: each breach once, however many components have it."""
    told = dict.fromkeys(_plain(one) for one in tables.violations(_as_sent(found), found.method))
    return tuple(told)[:_MOST]


def _as_sent(found: Message) -> CalendarObject:
    """RFC 5546 3.2.4: an ADD names no occurrence; `parse` lets each of its components name its own."""
    if found.method is not Method.ADD:
        return found.object
    return found.object.with_components(
        {key: one.without("RECURRENCE-ID") for key, one in found.object.overrides.items()}
    )


def _plain(text: str) -> str:
    """What a peer wrote may stand in it: short, and printable ASCII only."""
    return "".join(char if " " <= char <= "~" else "?" for char in text[:_LONGEST])


__all__ = ["Class", "Grade", "classify"]
