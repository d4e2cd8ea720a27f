"""A ready letter becomes a mail for one person, and the smarthost's answer becomes its state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.flows.worker import delay
from gateway.imip import lint
from gateway.itip.model import Outcome, Reason
from gateway.log import Event, Log, Stage
from gateway.ports import Clock, Entry, Job, Letter, OutgoingMail, Plans, Queue, Smarthost


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverSettings:
    retry_for: timedelta


Compose = Callable[[Letter, datetime], OutgoingMail | Reason]


class Deliver:
    """Handles LETTER jobs. A letter leaves at least once, always with the same Message-ID (SPEC 9.2)."""

    def __init__(
        self,
        *,
        plans: Plans,
        queue: Queue,
        smarthost: Smarthost,
        compose: Compose,
        clock: Clock,
        log: Log,
        settings: DeliverSettings,
    ) -> None:
        self._plans = plans
        self._queue = queue
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
        mail = self._compose(letter, letter.created)
        if isinstance(mail, Reason):
            await self._fail(job, letter, mail, "")
            return
        faults = lint.faults(mail.content, notice=not letter.letter.method)
        if faults:
            await self._fail(job, letter, Reason.INTERNAL_ERROR, "; ".join(faults))
            return
        with self._log.timed(Stage.DELIVER):
            sent = await self._smarthost.send(mail)
        if sent.state == "sent":
            await self._plans.letter_done(job, letter.id, state="sent", reason="")
            self._log.emit(Event.LETTER_SENT, job=job.id, letter=letter.id, method=letter.letter.method)
        elif sent.state == "deferred" and self._clock.now() - job.created < self._settings.retry_for:
            due = self._clock.now() + delay(job.attempts)
            await self._plans.letter_deferred(job, letter.id, due=due, reason=f"{sent.code} {sent.text}")
            self._log.emit(Event.LETTER_DEFERRED, job=job.id, letter=letter.id, code=sent.code)
        else:
            reason = Reason.GIVEN_UP if sent.state == "deferred" else Reason.LETTER_FAILED
            await self._fail(job, letter, reason, f"{sent.code} {sent.text}")

    async def _fail(self, job: Job, letter: Letter, reason: Reason, text: str) -> None:
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
        await self._plans.letter_done(job, letter.id, state="failed", reason=str(reason), entries=(entry,))
        self._log.emit(Event.LETTER_FAILED, job=job.id, letter=letter.id, reason=str(reason))
