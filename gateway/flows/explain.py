"""What would be decided about a mail, offline: nothing is read but the arguments, nothing is written.

Mails that are explained with the same `Calendars` find what those before them have left, as in a rehearsal: the stored
meeting, the organizer's last version of it, the ledger. What people and peers would have done meanwhile nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from gateway.accounts import Accounts
from gateway.errors import MalformedCalendar
from gateway.flows.busy import answered
from gateway.flows.receive import ReceiveSettings
from gateway.flows.sorting import Addressed, Guests, PolicyOf, Turned, guests, owner_of, sort_out
from gateway.ical.address import Address
from gateway.ical.bounds import Bounds
from gateway.ical.event import CalendarObject
from gateway.imip import read as reading
from gateway.imip.trust import judge, lower
from gateway.itip.decide import decide
from gateway.itip.model import (
    Certainty,
    Context,
    Decision,
    Mark,
    MarkKey,
    Outcome,
    Reason,
    Remove,
    Store,
    Verdict,
)
from gateway.policy import booking
from gateway.policy.rules import govern
from gateway.ports import Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What an account knows of one UID."""

    stored: CalendarObject | None = None
    base: CalendarObject | None = None
    marks: Mapping[MarkKey, Mark] = field(default_factory=dict)

    def after(self, decision: Decision) -> _Known:
        """What waits, for a person or for its meeting, has changed nothing yet."""
        if decision.outcome in (Outcome.HELD, Outcome.PARKED):
            return self
        stored, base = self.stored, decision.base or self.base
        if isinstance(decision.change, Store):
            stored = decision.change.object
        elif isinstance(decision.change, Remove):
            stored = base = None
        return _Known(stored=stored, base=base, marks={**self.marks, **decision.marks})


class Calendars:
    """Calendars in memory. `stored` lies in everybody's."""

    def __init__(self, stored: CalendarObject | None = None) -> None:
        self._stored = stored
        self._known: dict[tuple[str, str], _Known] = {}

    def find(self, account: str, uid: str) -> _Known:
        given = self._stored if self._stored is not None and self._stored.uid == uid else None
        return self._known.get((account, uid)) or _Known(stored=given)

    def texts(self, account: str) -> tuple[bytes, ...]:
        """All that one account has, as far as it is known here."""
        found = (known.stored for (whose, _), known in self._known.items() if whose == account)
        return tuple(one.data for one in found if one is not None)

    def keep(self, account: str, uid: str, known: _Known) -> None:
        self._known[account, uid] = known


def explain(
    content: bytes,
    *,
    accounts: Accounts,
    settings: ReceiveSettings,
    policy: PolicyOf,
    now: datetime,
    as_address: str = "",
    calendars: Calendars | None = None,
    certainty: Certainty | None = None,
) -> dict[str, Any]:
    """The JSON of `explain` (INTERFACE 5); `calendars` then hold what was decided. Raises MalformedMail."""
    mail = reading.read(content, settings.mail_limits)
    verdict = judge(mail, trusted=False, user=None, settings=settings.trust)
    if certainty is not None:
        verdict = replace(verdict, certainty=certainty, reasons=("overridden",))
    here = calendars if calendars is not None else Calendars()
    found = sort_out(
        mail,
        verdict,
        _to(mail, accounts, as_address),
        speaks_for=accounts.represented_by,
        limits=settings.calendar_limits,
        quirks_off=settings.quirks_off,
        bounds=settings.expansion,
    )
    return {
        "mail": {
            "message_id": mail.message_id or None,
            "date": mail.date.isoformat() if mail.date else None,
            "from": mail.sender,
            "to": list(mail.to),
            "auto_submitted": mail.auto_submitted or None,
            "parts": [{"where": part.where, "method": part.method or None} for part in mail.parts],
        },
        "verdict": {
            "sender": verdict.sender,
            "certainty": str(verdict.certainty),
            "reasons": list(verdict.reasons),
        },
        "messages": [
            _turned(one)
            if isinstance(one, Turned)
            else _told(
                one,
                _context(one, mail, verdict, accounts, policy, now=now, bounds=settings.expansion),
                here,
            )
            for one in found
        ],
    }


def _to(mail: reading.Mail, accounts: Accounts, as_address: str) -> Guests:
    if as_address:
        account = accounts.find(as_address)
        return ((account, Address(accounts.invited_as(as_address))),) if account else ()
    return guests(Envelope(sender="", recipients=()), mail, accounts)


def _turned(one: Turned) -> dict[str, Any]:
    return {
        "uid": one.uid or None,
        "method": one.method or None,
        "component": None,
        "account": one.account or None,
        "outcome": str(one.outcome),
        "reason": str(one.reason),
        "notes": [
            *({"code": note.code, **note.facts} for note in one.notes),
            *([{"code": "detail", "text": one.detail}] if one.detail else []),
        ],
        "change": "none",
        "outgoing": [],
    }


def _context(
    one: Addressed,
    mail: reading.Mail,
    verdict: Verdict,
    accounts: Accounts,
    policy: PolicyOf,
    *,
    now: datetime,
    bounds: Bounds,
) -> Context:
    message, doubted = one.message, lower(verdict, one.lowered)
    return Context(
        owner=owner_of(accounts, one.account),
        now=now,
        verdict=doubted,
        policy=policy(one.account, doubted, method=message.method, component=message.object.kind),
        invited_as=one.invited_as,
        mail_date=mail.date,
        arrived=now,
        bounds=bounds,
        auto_submitted=mail.auto_submitted,
        is_list=mail.is_list,
    )


def _told(one: Addressed, context: Context, calendars: Calendars) -> dict[str, Any]:
    message, account = one.message, one.account.address
    known = calendars.find(account, message.object.uid)
    context = replace(context, base=known.base, marks=known.marks)
    try:
        decision = govern(decide(known.stored, message, context), context.policy)
        wish = booking.asking(decision, known.stored, message, context=context)
        decision = answered(wish, calendars.texts(account)) if isinstance(wish, booking.Wish) else wish
    except MalformedCalendar as error:  # as `flows.messages` ends it
        decision = Decision(outcome=Outcome.FAILED, reason=Reason(error.code))
    calendars.keep(account, message.object.uid, known.after(decision))
    return {
        "uid": message.object.uid,
        "method": str(message.method),
        "component": message.object.kind,
        "account": account,
        "outcome": str(decision.outcome),
        "reason": str(decision.reason),
        "notes": [{"code": note.code, **note.facts} for note in (*one.notes, *decision.notes)],
        "change": _change(decision),
        "outgoing": [{"method": str(out.method), "to": out.recipient} for out in decision.outgoing],
    }


def _change(decision: Decision) -> str:
    if isinstance(decision.change, Store):
        return "store"
    return "remove" if isinstance(decision.change, Remove) else "none"
