"""A mail from the queue becomes one job per account and meeting, with a verdict on its sender.

The door (`Door.accept`) lets a mail without a calendar part pass without a row when nobody waits for it (SPEC 2.1).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.accounts import Account, Accounts
from gateway.errors import MalformedCalendar, MalformedMail
from gateway.ical import tree
from gateway.ical.address import Address, address
from gateway.imip import read as reading
from gateway.imip.trust import TrustSettings, judge
from gateway.itip.model import Outcome, Reason, Verdict
from gateway.itip.parse import Refusal, messages
from gateway.log import Event, Log
from gateway.ports import Entry, Intake, Job, JobKind, NewJob, Queue, ReceivedMail, unpack_mail


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveSettings:
    trust: TrustSettings
    mail_limits: reading.MailLimits
    calendar_limits: tree.Limits


class Door:
    """What the listeners call: keeps what concerns us, lets the rest go with a count and no row."""

    def __init__(self, intake: Intake, accounts: Accounts, log: Log) -> None:
        self._intake = intake
        self._accounts = accounts
        self._log = log

    async def accept(self, mail: ReceivedMail) -> str:
        """Commit the mail; "" when it holds nothing for us and nobody expects it back."""
        if mail.peer.after == "discard" and not self._concerns_us(mail):
            self._log.emit(
                Event.MAIL_READ, outcome=str(Outcome.IGNORED), reason=str(Reason.NO_CALENDAR_PART)
            )
            return ""
        return await self._intake.accept(mail)

    def _concerns_us(self, mail: ReceivedMail) -> bool:
        if any(
            self._accounts.is_gateway_address(one.address) is not None for one in mail.envelope.recipients
        ):
            return True
        return reading.may_hold_calendar(mail.content)


class Receive:
    """Handles MAIL jobs."""

    def __init__(self, *, queue: Queue, accounts: Accounts, settings: ReceiveSettings, log: Log) -> None:
        self._queue = queue
        self._accounts = accounts
        self._settings = settings
        self._log = log

    async def run(self, job: Job) -> None:
        """Read, judge, and queue one job per account and UID; the mail's own job ends in the same transaction."""
        received = unpack_mail(job.payload, job.body)
        try:
            mail = reading.read(received.content, self._settings.mail_limits)
        except MalformedMail as error:
            await self._end(job, (self._refusal(job, None, Reason.MALFORMED_MAIL, note=error.detail),))
            return
        verdict = judge(
            mail,
            trusted=received.peer.trusted,
            user=address(received.peer.user) if received.peer.user else None,
            settings=self._settings.trust,
        )
        self._log.emit(Event.VERDICT_GIVEN, job=job.id, message_id=mail.message_id, certainty=verdict.certainty)
        guests = self._guests(received, mail)
        entries: list[Entry] = []
        spawn: list[NewJob] = []
        if not guests:
            entries.append(self._refusal(job, mail, Reason.UNKNOWN_RECIPIENT, outcome=Outcome.IGNORED))
        else:
            entries += self._of_the_mail(job, mail)
            for part in _distinct(mail.parts):
                for account, invited_as in guests:
                    self._of_part(job, received, mail, part, account, invited_as, verdict, entries, spawn)
        await self._end(job, entries, spawn)

    async def _end(self, job: Job, entries: Sequence[Entry], spawn: Sequence[NewJob] = ()) -> None:
        await self._queue.finish(job, entries=entries, spawn=spawn)
        for entry in entries:
            self._log.emit(Event.MAIL_READ, outcome=entry.outcome, reason=entry.reason, job=job.id)

    def _guests(
        self, received: ReceivedMail, mail: reading.Mail
    ) -> tuple[tuple[Account, Address], ...]:
        """SPEC 2.3: envelope recipient first, then ORCPT and Delivered-To, then To and Cc."""
        envelope = [one.address for one in received.envelope.recipients]
        original = [one.orcpt.partition(";")[2] or one.orcpt for one in received.envelope.recipients]
        for candidates in (envelope, [*original, *mail.delivered_to], mail.to):
            found: dict[str, tuple[Account, Address]] = {}
            for one in candidates:
                account = self._accounts.find(one)
                if account is not None and account.address not in found:
                    found[account.address] = (account, self._accounts.invited_as(one))
            if found:
                return tuple(found.values())
        return ()

    def _of_the_mail(self, job: Job, mail: reading.Mail) -> Iterable[Entry]:
        for reason in mail.refusals:
            yield self._refusal(job, mail, reason, outcome=_outcome_of(reason))

    def _of_part(
        self,
        job: Job,
        received: ReceivedMail,
        mail: reading.Mail,
        part: reading.CalendarPart,
        account: Account,
        invited_as: Address,
        verdict: Verdict,
        entries: list[Entry],
        spawn: list[NewJob],
    ) -> None:
        if part.where == "forwarded":
            entries.append(
                self._refusal(job, mail, Reason.FORWARDED, account=account, outcome=Outcome.IGNORED)
            )
            return
        try:
            root = tree.parse(part.data, self._settings.calendar_limits)
            found = messages(root, verdict.sender, part.method)
        except MalformedCalendar as error:
            reason = Reason(error.code)
            entries.append(self._refusal(job, mail, reason, account=account, note=error.detail))
            return
        for one in found:
            if isinstance(one, Refusal):
                entries.append(
                    self._refusal(
                        job, mail, one.reason, account=account, outcome=one.outcome, uid=one.uid
                    )
                )
                continue
            spawn.append(
                NewJob(
                    kind=JobKind.APPLY,
                    lane=lane(account.address, one.object.uid),
                    account=account.address,
                    uid=one.object.uid,
                    message_id=mail.message_id,
                    body=one.object.data,
                    payload={
                        "source": "mail",
                        "mail_job": job.id,
                        "method": str(one.method),
                        "message_id": mail.message_id,
                        "invited_as": invited_as,
                        "verdict": pack_verdict(verdict, part.lowered),
                        "mail_date": mail.date.isoformat() if mail.date else None,
                        "arrived": received.received_at.isoformat(),
                        "auto_submitted": mail.auto_submitted,
                        "is_list": mail.is_list,
                    },
                )
            )

    def _refusal(
        self,
        job: Job,
        mail: reading.Mail | None,
        reason: Reason,
        *,
        account: Account | None = None,
        outcome: Outcome = Outcome.REFUSED,
        uid: str = "",
        note: str = "",
    ) -> Entry:
        return Entry(
            job=job.id,
            kind="mail",
            outcome=str(outcome),
            reason=str(reason),
            message_id=mail.message_id if mail else "",
            sender=(mail.sender or "") if mail else "",
            uid=uid,
            account=account.address if account else "",
            notes=({"code": "detail", "text": note},) if note else (),
        )


def lane(account: str, uid: str) -> str:
    """The lane of a person's meeting (SPEC 9.1); a room's lane will be its account alone."""
    return f"{account}|{uid}"


def pack_verdict(verdict: Verdict, lowered: Iterable[str] = ()) -> dict[str, Any]:
    """A verdict as JSON, with what the part at hand adds to the doubts."""
    return {
        "sender": verdict.sender,
        "certainty": str(verdict.certainty),
        "reasons": list(verdict.reasons),
        "lowered": sorted({*verdict.lowered, *lowered}),
    }


def unpack_verdict(packed: Mapping[str, Any]) -> Verdict:
    """The inverse of `pack_verdict`."""
    from gateway.itip.model import Certainty

    return Verdict(
        sender=Address(packed["sender"]) if packed["sender"] else None,
        certainty=Certainty(packed["certainty"]),
        reasons=tuple(packed["reasons"]),
        lowered=tuple(packed["lowered"]),
    )


def _distinct(parts: Sequence[reading.CalendarPart]) -> tuple[reading.CalendarPart, ...]:
    """The same object twice in one mail (inline and attached) is one message (SPEC 2.2)."""
    seen: dict[str, reading.CalendarPart] = {}
    for part in parts:
        seen.setdefault(hashlib.sha256(b"\n".join(part.data.split())).hexdigest(), part)
    return tuple(seen.values())


def _outcome_of(reason: Reason) -> Outcome:
    if reason.value.startswith("unsupported"):
        return Outcome.UNSUPPORTED
    return Outcome.IGNORED if reason is Reason.NO_CALENDAR_PART else Outcome.REFUSED
