"""Who sends is one ordered table of named rules per meeting and attendee: the first that fits decides (SPEC 5.4).

Nothing else in the gateway asks this. Two senders mean every guest gets two mails; no sender means nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, attendee_of
from gateway.ical.tree import Property
from gateway.itip.model import Decision, Method, Note, Outcome, Outgoing, Reason
from gateway.itip.roles import identities


class Sender(StrEnum):
    """The answer."""

    GATEWAY = "gateway"
    NOBODY = "nobody"  # not us: somebody else sends, or nobody may
    WAIT = "wait"  # the server is still trying
    HELD = "held"  # a person decides


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the answer depends on, for one message to one attendee."""

    ours: bool = True  # ORGANIZER (for a REPLY: ATTENDEE) is ours
    agent: str = ""  # SCHEDULE-AGENT (RFC 6638 7.1); "" is SERVER
    baseline: bool = False
    past: bool = False
    burst: bool = False
    status: str = ""  # SCHEDULE-STATUS, only where the server changed it in this very write
    schedules: bool = False  # the server's profile announces scheduling, so that its status means something
    profile_sends: str = "gateway"  # gateway | inbound | nobody: who mails besides this server
    served_locally: bool = False  # the attendee is on the same server, which delivered
    witnessed: bool = False  # the client's own mail passed by while the change settled


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One rule of the table."""

    name: str
    fits: Callable[[Facts], bool]
    sender: Sender
    reason: Reason | None = None


_BY_SERVERS: Final = (Method.REQUEST, Method.CANCEL)


def _status(*codes: str) -> Callable[[Facts], bool]:
    def fits(facts: Facts) -> bool:
        first = facts.status.partition(",")[0].partition(";")[0].strip().strip('"')
        return facts.schedules and first in codes

    return fits


# SPEC 5.4, in its order. RFC 6638 3.2.9 for the codes of SCHEDULE-STATUS.
TABLE: Final = (
    Row(name="not-ours", fits=lambda f: not f.ours, sender=Sender.NOBODY, reason=Reason.NOT_OUR_ORGANIZER),
    Row(
        name="schedule-agent",
        fits=lambda f: f.agent.upper() not in ("", "SERVER"),  # unknown values count as NONE
        sender=Sender.NOBODY,
        reason=Reason.SCHEDULE_AGENT,
    ),
    Row(name="baseline", fits=lambda f: f.baseline, sender=Sender.NOBODY, reason=Reason.BASELINE),
    Row(name="past", fits=lambda f: f.past, sender=Sender.NOBODY, reason=Reason.PAST_EVENT),
    Row(name="burst", fits=lambda f: f.burst, sender=Sender.HELD, reason=Reason.BURST),
    Row(name="server-sent", fits=_status("1.1", "1.2"), sender=Sender.NOBODY, reason=Reason.SERVER_SENT),
    Row(name="server-tries", fits=_status("1.0", "5.1"), sender=Sender.WAIT, reason=Reason.SERVER_SENT),
    Row(name="server-forbids", fits=_status("3.8", "5.3"), sender=Sender.NOBODY, reason=Reason.SERVER_SENT),
    Row(name="server-cannot", fits=_status("3.7", "5.2"), sender=Sender.GATEWAY),
    Row(
        name="server-mails",
        fits=lambda f: f.profile_sends != "gateway",
        sender=Sender.NOBODY,
        reason=Reason.SERVER_SENT,
    ),
    Row(
        name="served-locally",
        fits=lambda f: f.served_locally,
        sender=Sender.NOBODY,
        reason=Reason.SERVER_SENT,
    ),
    Row(name="witness", fits=lambda f: f.witnessed, sender=Sender.NOBODY, reason=Reason.CLIENT_SENT),
    Row(name="gateway", fits=lambda f: True, sender=Sender.GATEWAY),
)


def row_of(facts: Facts) -> Row:
    """The rule that decides; the last one fits everything."""
    return next(row for row in TABLE if row.fits(facts))


def filter_outgoing(
    decision: Decision,
    *,
    before: CalendarObject | None,
    after: CalendarObject | None,
    profile_sends: str,
    schedules: bool = False,
    served: frozenset[Address] = frozenset(),
    witnessed: frozenset[Address] = frozenset(),
) -> Decision:
    """The decision with the letters that are ours to send, and a note for each that is not. `served`: who has a calendar on
    the same server, which reaches him where it schedules.

    When none is left, neither SEQUENCE nor PARTSTATs are written: whoever sends sees to them.
    """
    if not decision.outgoing:
        return decision
    kept, left = [], []
    for letter in decision.outgoing:
        row = row_of(
            Facts(
                agent=_param(letter, after or before, "SCHEDULE-AGENT"),
                status=_changed_status(letter, before, after),
                schedules=schedules,
                profile_sends=profile_sends,
                served_locally=schedules and letter.recipient in served,
                witnessed=letter.recipient in witnessed,
            )
        )
        if row.sender is Sender.GATEWAY:
            kept.append(letter)
        else:
            left.append((letter, row))
    if not left:
        return decision
    notes = (*decision.notes, *(_note(letter, row) for letter, row in left))
    if kept:
        return replace(decision, outgoing=tuple(kept), notes=notes)
    held = any(row.sender is Sender.HELD for _, row in left)
    return Decision(
        outcome=Outcome.HELD if held else Outcome.IGNORED,
        reason=left[0][1].reason or Reason.NOTHING_TO_SEND,
        notes=notes,
        recurrence_id=decision.recurrence_id,
    )


def without_servers(decision: Decision, *, profile_sends: str) -> Decision:
    """What a mail made us decide, without the letters that the server writes itself once it sees the object (SPEC 5.4).

    The change stays: it is what somebody said. An automatic answer is no matter of the server's, it has not seen the mail;
    but for a room's, which it sees in the copy.
    """
    if profile_sends == "gateway" or decision.change is None:
        return decision
    left = [
        one
        for one in decision.outgoing
        if one.summary.kind == "booking" or (not one.automatic and one.method in _BY_SERVERS)
    ]
    if not left:
        return decision
    row = row_of(Facts(profile_sends=profile_sends))
    return replace(
        decision,
        outgoing=tuple(one for one in decision.outgoing if one not in left),
        notes=(*decision.notes, *(_note(one, row) for one in left)),
    )


def _note(letter: Outgoing, row: Row) -> Note:
    facts = {
        "method": str(letter.method),
        "to": letter.recipient,
        "rule": row.name,
        "sender": str(row.sender),
    }
    return Note(code="not-sent", facts=facts)


def _line(letter: Outgoing, meeting: CalendarObject | None) -> Property | None:
    """The line that scheduling parameters stand on: the guest's, or for a REPLY the organizer's (RFC 6638 7)."""
    if meeting is None:
        return None
    if letter.method is Method.REPLY:
        line = meeting.organizer_prop
        return line if line is not None and letter.recipient in identities(line) else None
    found = (attendee_of(component, letter.recipient) for component in meeting.components)
    return next((line for line in found if line is not None), None)


def _param(letter: Outgoing, meeting: CalendarObject | None, name: str) -> str:
    line = _line(letter, meeting)
    return (line.param(name) or "") if line is not None else ""


def _changed_status(letter: Outgoing, before: CalendarObject | None, after: CalendarObject | None) -> str:
    """Clients put back the status that we wrote ourselves; only a new one is the server's word."""
    now = _param(letter, after, "SCHEDULE-STATUS")
    return now if now != _param(letter, before, "SCHEDULE-STATUS") else ""


__all__ = ["TABLE", "Facts", "Row", "Sender", "filter_outgoing", "row_of", "without_servers"]
