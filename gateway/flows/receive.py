"""A mail from the queue becomes one job per account and meeting, with a verdict on its sender.

The door (`Door.accept`) lets a mail without a calendar part pass without a row when nobody waits for it (SPEC 2.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from gateway.accounts import BOOKABLE, Account, Accounts
from gateway.errors import MalformedMail
from gateway.flows.large import Large, read
from gateway.flows.sorting import Addressed, Turned, guests, organizers_meant, sort_out
from gateway.flows.worker import LEASE
from gateway.ical import tree
from gateway.ical.address import Address, address
from gateway.ical.bounds import DEFAULT_BOUNDS, Bounds
from gateway.imip import habits
from gateway.imip import read as reading
from gateway.imip.tokens import Purpose, Tokens
from gateway.imip.trust import TrustSettings, judge, lower
from gateway.itip.model import Certainty, Outcome, Reason, Verdict
from gateway.log import Event, Log, Stage
from gateway.ports import (
    Draft,
    Entry,
    Envelope,
    Hands,
    Job,
    JobKind,
    MailQueue,
    NewJob,
    Queue,
    ReceivedMail,
)

THREAD = 20  # so many Message-IDs of a mail's thread are looked up


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveSettings:
    trust: TrustSettings
    mail_limits: reading.MailLimits
    calendar_limits: tree.Limits
    quirks_off: frozenset[str] = frozenset()  # names of imip.habits.SWITCHES
    expansion: Bounds = DEFAULT_BOUNDS


class Door:
    """What the listeners call: keeps what concerns us, lets the rest go with a count and no row."""

    def __init__(
        self, intake: MailQueue, accounts: Accounts, log: Log, *, hands: Hands | None = None
    ) -> None:
        self._intake = intake
        self._hands = hands
        self._accounts = accounts
        self._log = log
        self._large = Large()
        self._closed = False

    def draft(self) -> Draft | None:
        return self._intake.draft()

    async def look(self) -> None:
        """Whether a closed door may open, though nobody knocks. Raises BackendUnavailable."""
        await self._intake.look()
        self._tell()

    async def accept(self, mail: ReceivedMail) -> str:
        """Commit the mail; "" when it holds nothing for us and nobody expects it back."""
        concerns = await self._concerns_us(mail)
        # what may be a meeting to render is read first (SPEC 1.4)
        passed_on = None if concerns and mail.peer.after == "render" else self._passed_on(mail)
        if not concerns:
            reason = str(Reason.NO_CALENDAR_PART)
            self._log.emit(Event.MAIL_READ, outcome=str(Outcome.IGNORED), reason=reason)
            if passed_on is None:
                return ""
        try:
            with self._log.timed(Stage.ACCEPT):
                job = await self._intake.accept(mail, read=concerns, passed_on=passed_on, hands=self._hands)
        finally:
            self._tell()
        if mail.peer.protocol == "submit":  # the listeners tell of theirs themselves
            self._log.emit(Event.MAIL_ACCEPTED, job=job, size=mail.size)
        return job

    def _tell(self) -> None:
        """Say it once when the queue takes nothing any more, and once when it does again."""
        why = self._intake.closed
        if bool(why) == self._closed:
            return
        self._closed = bool(why)
        self._log.door(is_open=not why)
        self._log.emit(
            Event.DOOR_CLOSED if why else Event.DOOR_OPENED, reason="queue-full" if why else "", detail=why
        )

    def _passed_on(self, mail: ReceivedMail) -> Envelope | None:
        """With whose envelope it goes on (SPEC 1.4); what came in for the gateway itself ends here."""
        if mail.peer.after == "discard":
            return None
        if mail.peer.role == "outgoing":
            return mail.envelope
        others = tuple(
            one for one in mail.envelope.recipients if self._accounts.is_gateway_address(one.address) is None
        )
        return replace(mail.envelope, recipients=others) if others else None

    async def _concerns_us(self, mail: ReceivedMail) -> bool:
        recipients = mail.envelope.recipients
        if any(self._accounts.is_gateway_address(one.address) is not None for one in recipients):
            return True
        return await self._large.may_hold_calendar(mail)


class InWords(Protocol):
    """What comes of a mail to the answer address of a letter: a line in the journal, or a job."""

    async def __call__(
        self, job: Job, received: ReceivedMail, mail: reading.Mail, *, verdict: Verdict, row: int
    ) -> Entry | NewJob: ...


class Receive:
    """Handles MAIL jobs."""

    def __init__(
        self,
        *,
        queue: Queue,
        accounts: Accounts,
        tokens: Tokens,
        settings: ReceiveSettings,
        log: Log,
        words: InWords | None = None,
    ) -> None:
        self._words = words
        self._large = Large()
        self._queue = queue
        self._accounts = accounts
        self._tokens = tokens
        self._settings = settings
        self._log = log

    async def run(self, job: Job) -> Job | None:
        """Read, judge, and queue one job per account and UID; the mail's own job ends in the same transaction.

        The first of them is given back where it can go on at once; not from a job that many workers died with.
        """
        async with self._large.opened(job) as received:
            with self._log.timed(Stage.READ):
                entries, spawn = await self._sorted(job, received)
        return await self._end(job, entries, spawn)

    async def _sorted(self, job: Job, received: ReceivedMail) -> tuple[list[Entry], list[NewJob]]:
        try:
            mail = await read(received.content, self._settings.mail_limits)
        except MalformedMail as error:
            turned = Turned(outcome=Outcome.REFUSED, reason=Reason.MALFORMED_MAIL, detail=error.detail)
            return [_entry(job, None, turned)], []
        user = address(received.peer.user) if received.peer.user else None
        verdict = judge(mail, trusted=received.peer.trusted, user=user, settings=self._settings.trust)
        self._log.emit(
            Event.VERDICT_GIVEN, job=job.id, message_id=mail.message_id, certainty=str(verdict.certainty)
        )
        row = self._answered(received, mail)
        if row is not None and self._words is not None:
            turned_to = await self._words(job, received, mail, verdict=verdict, row=row)
            return ([turned_to], []) if isinstance(turned_to, Entry) else ([], [turned_to])
        to = guests(received.envelope, mail, self._accounts)
        found = sort_out(
            mail,
            verdict,
            to,
            meant=organizers_meant(received.envelope, self._accounts, self._tokens),
            speaks_for=self._accounts.represented_by,
            limits=self._settings.calendar_limits,
            quirks_off=self._settings.quirks_off,
            bounds=self._settings.expansion,
        )
        for name in habits.met(note for one in found for note in one.notes):
            self._log.quirk(name)
        entries = [_entry(job, mail, one) for one in found if isinstance(one, Turned)]
        spawn = [_job(job, received, mail, verdict, one) for one in found if isinstance(one, Addressed)]
        return entries, spawn

    def _answered(self, received: ReceivedMail, mail: reading.Mail) -> int | None:
        """Which letter is answered in plain words; a calendar part speaks for itself."""
        if mail.parts:
            return None
        tokens = (self._tokens.read(one.address) for one in received.envelope.recipients)
        return next((one.row for one in tokens if one is not None and one.purpose is Purpose.ANSWER), None)

    async def _end(self, job: Job, entries: Sequence[Entry], spawn: Sequence[NewJob]) -> Job | None:
        worth_a_row = tuple(one for one in entries if one.reason != Reason.NO_CALENDAR_PART)
        onward = await self._queue.finish(
            job, entries=worth_a_row, spawn=spawn, onward=None if job.alone else LEASE
        )
        for entry in entries:
            self._log.emit(
                Event.MAIL_READ,
                outcome=entry.outcome,
                reason=entry.reason,
                job=job.id,
                message_id=entry.message_id,
            )
        return onward


def lane(account: Account, uid: str) -> str:
    """SPEC 9.1: a meeting of a person's; all of a room's or a resource's together, so that no two are booked at once."""
    return account.address if account.kind in BOOKABLE else f"{account.address}|{uid}"


def pack_verdict(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON."""
    return {
        "sender": verdict.sender,
        "certainty": str(verdict.certainty),
        "reasons": list(verdict.reasons),
        "lowered": list(verdict.lowered),
    }


def unpack_verdict(packed: Mapping[str, Any]) -> Verdict:
    """The inverse of `pack_verdict`."""
    return Verdict(
        sender=Address(packed["sender"]) if packed["sender"] else None,
        certainty=Certainty(packed["certainty"]),
        reasons=tuple(packed["reasons"]),
        lowered=tuple(packed["lowered"]),
    )


def _job(job: Job, received: ReceivedMail, mail: reading.Mail, verdict: Verdict, one: Addressed) -> NewJob:
    return NewJob(
        kind=JobKind.APPLY,
        lane=lane(one.account, one.message.object.uid),
        account=one.account.address,
        uid=one.message.object.uid,
        message_id=mail.message_id,
        body=one.message.object.data,
        payload={
            "source": "mail",
            "mail_job": job.id,
            "method": str(one.message.method),
            "invited_as": one.invited_as,
            "verdict": pack_verdict(lower(verdict, one.lowered)),
            "mail_date": mail.date.isoformat() if mail.date else None,
            "arrived": received.received_at.isoformat(),
            "notes": [{"code": note.code, **note.facts} for note in one.notes],
            "auto_submitted": mail.auto_submitted,
            "is_list": mail.is_list,
            "in_reply_to": list(mail.in_reply_to[:THREAD]),
            "null_sender": received.envelope.sender == "",
        },
    )


def _entry(job: Job, mail: reading.Mail | None, turned: Turned) -> Entry:
    return Entry(
        job=job.id,
        kind="mail",
        outcome=str(turned.outcome),
        reason=str(turned.reason),
        message_id=mail.message_id if mail else "",
        sender=(mail.sender or "") if mail else "",
        uid=turned.uid,
        method=turned.method,
        account=turned.account,
        notes=(
            *({"code": note.code, **note.facts} for note in turned.notes),
            *([{"code": "detail", "text": turned.detail}] if turned.detail else []),
        ),
    )
