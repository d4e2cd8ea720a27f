"""Which message in a mail is for which account, and what in it is for nobody."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from gateway.accounts import Account, Accounts, mailbox
from gateway.errors import MalformedCalendar
from gateway.ical import tree
from gateway.ical.address import Address
from gateway.ical.bounds import DEFAULT_BOUNDS, Bounds
from gateway.imip import habits
from gateway.imip.read import CalendarPart, Mail
from gateway.imip.tokens import Tokens
from gateway.imip.tolerated import counter_as_request
from gateway.itip.classify import Grade, classify
from gateway.itip.model import Message, Method, Note, Outcome, Policy, Reason, Verdict
from gateway.itip.parse import Refusal, messages
from gateway.itip.roles import identities
from gateway.ports import Envelope

_ANSWERS = frozenset({Method.REPLY, Method.COUNTER, Method.REFRESH})


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressed:
    """One message for one account."""

    account: Account
    invited_as: Address  # the address by which the mail reached the account
    message: Message
    lowered: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()  # what was odd about the mail or its calendar text


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """Something in the mail that ends here, with its reason."""

    outcome: Outcome
    reason: Reason
    account: str = ""
    uid: str = ""
    method: str = ""
    detail: str = ""
    notes: tuple[Note, ...] = ()


class PolicyOf(Protocol):
    """What an account's owner wants done about a message of this sender."""

    def __call__(
        self, account: Account, verdict: Verdict, /, *, method: Method, component: str = ""
    ) -> Policy: ...


Guests = tuple[tuple[Account, Address], ...]


def owner_of(accounts: Accounts, account: Account) -> frozenset[Address]:
    """All addresses by which an object may name the account."""
    return frozenset(Address(one) for one in accounts.addresses(account))


def guests(envelope: Envelope, mail: Mail, accounts: Accounts) -> Guests:
    """SPEC 2.3: envelope recipient first, then ORCPT and Delivered-To, then To and Cc."""
    direct = [one.address for one in envelope.recipients]
    original = [one.orcpt.partition(";")[2] or one.orcpt for one in envelope.recipients]
    for candidates in (direct, [*original, *mail.delivered_to], mail.to):
        found: dict[str, tuple[Account, Address]] = {}
        for one in candidates:
            account = accounts.find(one)
            if account is not None:
                found.setdefault(account.address, (account, Address(accounts.invited_as(one))))
        if found:
            return tuple(found.values())
    return ()


def organizers_meant(envelope: Envelope, accounts: Accounts, tokens: Tokens) -> Callable[[str], Guests]:
    """Whom the agent's addresses among the recipients stand for, by UID (SPEC 6.4): a native REPLY goes to ORGANIZER."""
    read = [(one.address, tokens.read(one.address)) for one in envelope.recipients]
    found = [(Address(mailbox(text)), token) for text, token in read if token is not None]

    def meant(uid: str) -> Guests:
        return tuple(
            (account, text)
            for text, token in found
            for account in accounts
            if tokens.is_organizer(token, account.address, uid)
        )

    return meant


def _nobody(_uid: str) -> Guests:
    return ()


def _no_one(_account: Account) -> tuple[Account, ...]:
    return ()


def sort_out(
    mail: Mail,
    verdict: Verdict,
    to: Guests,
    *,
    meant: Callable[[str], Guests] = _nobody,
    speaks_for: Callable[[Account], tuple[Account, ...]] = _no_one,
    limits: tree.Limits = tree.DEFAULT_LIMITS,
    quirks_off: Set[str] = frozenset(),
    bounds: Bounds = DEFAULT_BOUNDS,
) -> tuple[Addressed | Turned, ...]:
    """Everything that the mail holds, each with its account or its reason; never empty.

    `speaks_for`: in whose name an account may act, so that answers which came to a delegate reach the organizer.
    """
    found: list[Addressed | Turned] = [
        Turned(outcome=_outcome(reason), reason=reason) for reason in mail.refusals
    ]
    for part in _distinct(mail.parts):
        found.extend(
            _of_part(
                part,
                verdict,
                to,
                meant=meant,
                mailed=mail.date,
                limits=limits,
                quirks_off=quirks_off,
                bounds=bounds,
            )
        )
    if not to and not any(isinstance(one, Addressed) for one in found):
        return (Turned(outcome=Outcome.IGNORED, reason=Reason.UNKNOWN_RECIPIENT),)
    placed = (_to_the_organizer(one, speaks_for) if isinstance(one, Addressed) else one for one in found)
    return _without_twins(placed) or (Turned(outcome=Outcome.IGNORED, reason=Reason.NO_CALENDAR_PART),)


def _of_part(
    part: CalendarPart,
    verdict: Verdict,
    to: Guests,
    *,
    meant: Callable[[str], Guests],
    mailed: datetime | None,
    limits: tree.Limits,
    quirks_off: Set[str],
    bounds: Bounds,
) -> Iterator[Addressed | Turned]:
    if part.where == "forwarded":
        # SPEC 2.2: a forward is never applied in the organizer's name
        for account, _ in to:
            yield Turned(outcome=Outcome.IGNORED, reason=Reason.FORWARDED, account=account.address)
        return
    try:
        told = "" if habits.NO_METHOD in quirks_off else part.method
        calendar, noted = habits.read_calendar(part.data, limits, mailed, method=told, off=quirks_off)
        found = messages(calendar, verdict.sender, told, bounds=bounds)
    except MalformedCalendar as error:
        refusal = Refusal(outcome=Outcome.REFUSED, reason=Reason(error.code), detail=error.detail)
        found, noted = (refusal,), ()
    for one in found:
        if isinstance(one, Refusal):
            notes = (*part.notes, *_classed(one, noted))
            yield from (_turned(one, account, notes) for account, _ in to)
            continue
        for account, invited_as in to:
            yield _addressed(part, one, account, invited_as=invited_as, noted=noted, off=quirks_off)
        for account, invited_as in meant(one.object.uid):
            answer = _to_the_person(one, invited_as)
            yield _addressed(part, answer, account, invited_as=invited_as, noted=noted, off=quirks_off)


def _addressed(
    part: CalendarPart,
    message: Message,
    account: Account,
    *,
    invited_as: Address,
    noted: tuple[Note, ...],
    off: Set[str],
) -> Addressed:
    message, odd = _meant(message, account, off)
    return Addressed(
        account=account,
        invited_as=invited_as,
        message=message,
        lowered=part.lowered,
        notes=(*part.notes, *_classed(message, (*noted, *odd))),
    )


def _to_the_organizer(one: Addressed, speaks_for: Callable[[Account], tuple[Account, ...]]) -> Addressed:
    """RFC 5545 3.2.18: guests answer to whom the letter came from, be it the organizer or who acts for him."""
    organizer = one.message.object.organizer_prop
    if organizer is None or one.message.method not in _ANSWERS:
        return one
    for account in (one.account, *speaks_for(one.account)):
        own = identities(organizer) & {mailbox(name) for name in (account.address, *account.aliases)}
        if own:
            return replace(one, account=account, invited_as=min(own)) if account != one.account else one
    return one


def _to_the_person(message: Message, agent: Address) -> Message:
    """The answer without the agent's ORGANIZER: the stored meeting knows whom it stood for."""
    whole = message.object
    bare = {
        key: component.with_children(
            tuple(
                child
                for child in component.children
                if not (
                    isinstance(child, tree.Property) and child.name == "ORGANIZER" and child.address == agent
                )
            )
        )
        for key, component in (("", whole.master), *whole.overrides.items())
        if component is not None
    }
    return replace(message, object=whole.with_components(bare))


def _turned(refusal: Refusal, account: Account, notes: tuple[Note, ...]) -> Turned:
    return Turned(
        outcome=refusal.outcome,
        reason=refusal.reason,
        account=account.address,
        uid=refusal.uid,
        method=refusal.method,
        detail=refusal.detail,
        notes=notes,
    )


def _meant(message: Message, account: Account, off: Set[str]) -> tuple[Message, tuple[Note, ...]]:
    """A REQUEST from a guest to the organizer is a COUNTER (SPEC 2.4): it may propose and changes nothing."""
    owner = frozenset(Address(one) for one in (account.address, *account.aliases))
    if habits.COUNTER in off or not counter_as_request(message, owner):
        return message, ()
    return replace(message, method=Method.COUNTER), habits.notes((habits.COUNTER,))


def _classed(one: Message | Refusal, noted: tuple[Note, ...]) -> tuple[Note, ...]:
    """The notes about the calendar text, with the class of the message unless it is as it should be (SPEC 4)."""
    found = classify(one, habits.met(noted), habits.REPAIRED)
    return noted if found.grade is Grade.FINE else (*noted, found.note)


def _distinct(parts: Sequence[CalendarPart]) -> tuple[CalendarPart, ...]:
    """The same text twice in one mail is one part; what stands there only by its file name comes last."""
    seen: dict[bytes, CalendarPart] = {}
    for part in sorted(parts, key=lambda one: one.where == "by-name"):
        seen.setdefault(hashlib.sha256(b"\n".join(part.data.split())).digest(), part)
    return tuple(seen.values())


def _without_twins(found: Iterable[Addressed | Turned]) -> tuple[Addressed | Turned, ...]:
    """The same version of the same object twice in one mail (inline and attached) is one message (SPEC 2.2).

    Programs write the two with small differences, such as a description with or without HTML; the first one counts.
    """
    seen: dict[Hashable, Addressed | Turned] = {}
    for one in found:
        seen.setdefault(_version(one), one)
    return tuple(seen.values())


def _version(one: Addressed | Turned) -> Hashable:
    """What makes two messages of a mail the same: RFC 5546 2.1.5, and for an answer also who gave it."""
    if isinstance(one, Turned):
        return replace(one, notes=()) if one.uid else id(one)
    message = one.message
    parts = tuple(
        tuple(part.value(name) for name in ("RECURRENCE-ID", "SEQUENCE", "DTSTAMP"))
        for part in message.object.components
    )
    asked = message.method in (Method.REQUEST, Method.PUBLISH)
    people = () if asked else tuple(line.address for line in message.object.attendees())
    return one.account.address, message.method, message.object.uid, parts, people


def _outcome(reason: Reason) -> Outcome:
    return Outcome.UNSUPPORTED if reason.value.startswith("unsupported") else Outcome.REFUSED
