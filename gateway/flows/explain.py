"""What would be decided about a mail, offline: nothing is read but the arguments, nothing is written."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from gateway.accounts import Accounts
from gateway.errors import MalformedCalendar
from gateway.flows.receive import ReceiveSettings
from gateway.flows.sorting import Addressed, Guests, PolicyOf, Turned, guests, owner_of, sort_out
from gateway.ical.address import Address
from gateway.ical.bounds import Bounds
from gateway.ical.event import CalendarObject
from gateway.imip import read as reading
from gateway.imip.trust import judge, lower
from gateway.itip.decide import decide
from gateway.itip.model import Certainty, Context, Decision, Outcome, Reason, Remove, Store, Verdict
from gateway.policy.rules import govern
from gateway.ports import Envelope


def explain(
    content: bytes,
    *,
    accounts: Accounts,
    settings: ReceiveSettings,
    policy: PolicyOf,
    now: datetime,
    as_address: str = "",
    stored: CalendarObject | None = None,
    certainty: Certainty | None = None,
) -> dict[str, Any]:
    """The JSON of `explain` (INTERFACE 5). Raises MalformedMail."""
    mail = reading.read(content, settings.mail_limits)
    verdict = judge(mail, trusted=False, user=None, settings=settings.trust)
    if certainty is not None:
        verdict = replace(verdict, certainty=certainty, reasons=("overridden",))
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
            _told(one, mail, verdict, accounts, policy, stored, now, settings.expansion) for one in found
        ],
    }


def _to(mail: reading.Mail, accounts: Accounts, as_address: str) -> Guests:
    if as_address:
        account = accounts.find(as_address)
        return ((account, Address(accounts.invited_as(as_address))),) if account else ()
    return guests(Envelope(sender="", recipients=()), mail, accounts)


def _told(
    one: Addressed | Turned,
    mail: reading.Mail,
    verdict: Verdict,
    accounts: Accounts,
    policy: PolicyOf,
    stored: CalendarObject | None,
    now: datetime,
    bounds: Bounds,
) -> dict[str, Any]:
    if isinstance(one, Turned):
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
    message = one.message
    here = stored if stored is not None and stored.uid == message.object.uid else None
    doubted = lower(verdict, one.lowered)
    context = Context(
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
    try:
        decision = govern(decide(here, message, context), context.policy)
    except MalformedCalendar as error:  # as `flows.messages` ends it
        decision = Decision(outcome=Outcome.FAILED, reason=Reason(error.code))
    return {
        "uid": message.object.uid,
        "method": str(message.method),
        "component": message.object.kind,
        "account": one.account.address,
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
