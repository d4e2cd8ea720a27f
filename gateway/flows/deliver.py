"""A ready letter becomes a mail for one person, and the smarthost's answer becomes its state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.accounts import Account, Accounts
from gateway.flows import statuses
from gateway.flows.apply import Apply
from gateway.flows.bounced import telling
from gateway.flows.receive import lane, pack_verdict
from gateway.flows.worker import delay
from gateway.ical.address import address
from gateway.imip import fate, lint
from gateway.imip.attached import attaches
from gateway.itip.model import Certainty, Outcome, Reason, Verdict
from gateway.log import Event, Log, Stage
from gateway.ports import Clock, Entry, Job, JobKind, Letter, NewJob, OutgoingMail, Plans, Queue, Smarthost


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverSettings:
    retry_for: timedelta
    statuses: bool = False  # what becomes of letters is written into the calendar (SPEC 5.7)
    mail_local: bool = False  # guests whose calendars are ours get a mail beside (SPEC 12.7)


Compose = Callable[[Letter, datetime], OutgoingMail | Reason]


class Deliver:
    """Handles LETTER jobs. A letter leaves at least once, always with the same Message-ID (SPEC 9.2)."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        plans: Plans,
        queue: Queue,
        apply: Apply,
        smarthost: Smarthost,
        compose: Compose,
        clock: Clock,
        log: Log,
        settings: DeliverSettings,
    ) -> None:
        self._accounts = accounts
        self._plans = plans
        self._queue = queue
        self._apply = apply
        self._smarthost = smarthost
        self._compose = compose
        self._clock = clock
        self._log = log
        self._settings = settings

    async def run(self, job: Job) -> None:
        """Compose, check, send; retry what is temporary until it is given up (SPEC 6.5)."""
        letter = await self._plans.letter(str(job.payload["letter"]))
        if letter is None or letter.state in ("sent", "failed", "dropped"):
            await self._queue.finish(job)
            return
        guest = self._guest(letter)
        spawn = (self._by_hand(letter, guest),) if guest is not None else ()
        if spawn and not self._settings.mail_local and not _explains(letter):
            await self._sent(job, letter, spawn, status=fate.DELIVERED)
            return
        mail = self._compose(replace(letter, keeper=await self._keeper(letter)), letter.created)
        if isinstance(mail, Reason):
            await self._fail(job, letter, mail, "", status=fate.FORBIDDEN)
            return
        faults = lint.faults(mail.content, notice=not letter.letter.method)
        if faults:
            await self._fail(job, letter, Reason.INTERNAL_ERROR, "; ".join(faults), status=fate.GIVEN_UP)
            return
        with self._log.timed(Stage.DELIVER):
            sent = await self._smarthost.send(mail)
        if sent.state == "sent":
            await self._sent(job, letter, spawn, status=fate.DELIVERED if spawn else fate.TAKEN)
        elif sent.state == "deferred" and self._clock.now() - job.created < self._settings.retry_for:
            due = self._clock.now() + delay(job.attempts)
            await self._plans.letter_deferred(
                job,
                letter.id,
                due=due,
                reason=f"{sent.code} {sent.text}",
                status=fate.QUEUED,
                spawn=self._noting(letter, "" if job.attempts else fate.QUEUED),
            )
            self._log.emit(Event.LETTER_DEFERRED, job=job.id, letter=letter.id, code=sent.code)
        else:
            given_up = sent.state == "deferred"
            reason = Reason.GIVEN_UP if given_up else Reason.LETTER_FAILED
            status = fate.GIVEN_UP if given_up else fate.of_failure(sent.text)
            await self._fail(job, letter, reason, f"{sent.code} {sent.text}", status=status)

    async def _sent(self, job: Job, letter: Letter, spawn: Sequence[NewJob], *, status: str) -> None:
        spawn = (*spawn, *self._noting(letter, status))
        await self._plans.letter_done(job, letter.id, state="sent", reason="", status=status, spawn=spawn)
        self._log.emit(Event.LETTER_SENT, job=job.id, letter=letter.id, method=letter.letter.method)

    def _noting(self, letter: Letter, status: str) -> tuple[NewJob, ...]:
        if not self._settings.statuses:
            return ()
        return statuses.noting(letter, status, account=self._account(letter), now=self._clock.now())

    def _account(self, letter: Letter) -> Account | None:
        return self._accounts.find(letter.letter.account)

    async def _keeper(self, letter: Letter) -> str:
        account = self._account(letter)
        if account is None or not attaches(letter.letter.calendar):
            return ""
        return await self._apply.keeper(account)

    def _guest(self, letter: Letter) -> Account | None:
        """The account of whom the letter is for, if it is another of ours: he is served from calendar to calendar (SPEC 5.6)."""
        found = self._accounts.find(letter.letter.recipient) if letter.letter.method else None
        return None if found is None or found.address == letter.letter.account else found

    def _by_hand(self, letter: Letter, guest: Account) -> NewJob:
        """The message as it would come by mail; that it comes from here proves its sender."""
        one = letter.letter
        verdict = Verdict(sender=address(one.sender), certainty=Certainty.PROVEN, reasons=("local",))
        return NewJob(
            kind=JobKind.APPLY,
            lane=lane(guest, one.uid),
            account=guest.address,
            uid=one.uid,
            message_id=letter.message_id,
            body=one.calendar,
            payload={
                "source": "mail",
                "method": one.method,
                "invited_as": one.recipient,
                "verdict": pack_verdict(verdict),
                "arrived": self._clock.now().isoformat(),
                "auto_submitted": "auto-replied" if one.automatic else "",
            },
        )

    async def _fail(self, job: Job, letter: Letter, reason: Reason, text: str, *, status: str) -> None:
        entry = Entry(
            job=job.id,
            kind="letter",
            outcome=str(Outcome.FAILED),
            reason=str(reason),
            message_id=letter.message_id,
            uid=letter.letter.uid,
            recurrence_id=letter.letter.recurrence_id,
            method=letter.letter.method,
            account=letter.letter.account,
            sender=letter.letter.sender,
            notes=({"code": "detail", "text": text},) if text else (),
            letters=(letter.id,),
        )
        await self._plans.letter_done(
            job,
            letter.id,
            state="failed",
            reason=str(reason),
            entries=(entry,),
            status=status,
            spawn=(
                *self._noting(letter, status),
                *telling(letter, status, text, account=self._account(letter)),
            ),
        )
        self._log.emit(Event.LETTER_FAILED, job=job.id, letter=letter.id, reason=str(reason))


def _explains(letter: Letter) -> bool:
    """Whether it says what no calendar shows: why a room or resource was not booked, or not for all dates."""
    told = letter.letter.summary.get("booked") or {}
    return bool(told.get("reason"))
