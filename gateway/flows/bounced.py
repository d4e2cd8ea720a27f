"""A letter came back: its end is known now, the calendar says so, and its sender is told once (SPEC 5.7, 6.5).

What decides is the address that the report came to (VERP): only who had the letter knows it, and can say no more than that
this letter did not arrive. An out-of-office there says nothing; a delay changes nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from gateway.accounts import Account, Accounts
from gateway.flows import statuses
from gateway.flows.apply import Apply, Story
from gateway.flows.large import Large, content
from gateway.flows.receive import lane
from gateway.ical.address import address
from gateway.imip import bounce, fate
from gateway.imip.tokens import Purpose, Tokens
from gateway.itip import summary
from gateway.itip.model import Decision, Guest, Note, Notice, Outcome, Reason, Summary
from gateway.log import Event, Log
from gateway.ports import Clock, Entry, Job, JobKind, Letter, NewJob, Plans, Queue, unpack_mail

SOURCE = "bounce"
KIND = "bounced"  # of the letter to the organizer


class Bounced:
    """Handles MAIL jobs for the bounce address of a letter, and APPLY jobs whose source is a bounce."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        queue: Queue,
        plans: Plans,
        apply: Apply,
        tokens: Tokens,
        clock: Clock,
        log: Log,
        writes: bool,
    ) -> None:
        """`writes`: whether the calendar is told ([watch] schedule_status)."""
        self._accounts = accounts
        self._queue = queue
        self._plans = plans
        self._apply = apply
        self._tokens = tokens
        self._clock = clock
        self._log = log
        self._writes = writes
        self._large = Large()

    def concerns(self, job: Job) -> bool:
        """Whether the mail came to the bounce address of a letter."""
        return self._row(job) is not None

    async def read(self, job: Job) -> None:
        """What the report says ends the letter, once; the mail's own job ends in the same transaction."""
        row = self._row(job)
        letter = await self._plans.letter_of_row(row) if row is not None else None
        async with self._large.opened(job) as received:
            report = await asyncio.to_thread(bounce.read, received.content)
        if letter is None or report is None:
            reason = Reason.UNKNOWN_RECIPIENT if letter is None else Reason.AUTO_SUBMITTED
            entry = _entry(job, letter, Outcome.IGNORED, reason, report=None)
            await self._queue.finish(job, entries=(entry,))
            return
        facts = {"job": job.id, "letter": letter.id, "action": report.action, "status": report.status}
        self._log.emit(Event.BOUNCE_MATCHED, **facts)
        if not report.status or letter.state == "failed":
            reason = Reason.DUPLICATE if report.status else Reason.BOUNCED
            entry = _entry(job, letter, Outcome.IGNORED, reason, report=report)
            await self._queue.finish(job, entries=(entry,))
            return
        failed = report.status != fate.DELIVERED
        whose = self._accounts.find(letter.letter.account)
        told = telling(letter, report.status, report.words, account=whose) if failed else ()
        now = self._clock.now()
        noting = statuses.noting(letter, report.status, account=whose, now=now) if self._writes else ()
        await self._plans.letter_done(
            job,
            letter.id,
            state="failed" if failed else "sent",
            reason=str(Reason.BOUNCED) if failed else "",
            entries=(_entry(job, letter, Outcome.APPLIED, Reason.BOUNCED, report=report),),
            status=report.status,
            spawn=(*noting, *told),
        )

    async def run(self, job: Job) -> None:
        """One letter to whose letter it was; not a second about the same guest and meeting."""
        letter = await self._plans.letter(str(job.payload["letter"]))
        if letter is None or await self._was_told(letter):
            await self._queue.finish(job)
            return
        notice = _notice(letter, str(job.payload["status"]), (await content(job)).decode("utf-8", "replace"))
        story = Story(kind=SOURCE, message_id=letter.message_id, sender=letter.letter.recipient)
        owner = self._accounts.find(job.account) or Account(address=job.account)
        decision = Decision(outcome=Outcome.APPLIED, reason=Reason.BOUNCED, notices=(notice,))
        await self._apply.conclude(job, story, decision, account=owner)

    def _row(self, job: Job) -> int | None:
        recipients = unpack_mail(job.payload, b"").envelope.recipients
        tokens = (self._tokens.read(one.address) for one in recipients)
        return next((one.row for one in tokens if one is not None and one.purpose is Purpose.BOUNCE), None)

    async def _was_told(self, letter: Letter) -> bool:
        """A notice is settled in the lane of its meeting, so that no other job can be about to write the same."""
        one = letter.letter
        told = await self._plans.notices(one.account, one.uid)
        return any(
            old.letter.summary.get("kind") == KIND and old.letter.sender == one.recipient for old in told
        )


def telling(letter: Letter, status: str, words: str, *, account: Account | None) -> tuple[NewJob, ...]:
    """The job that tells whose letter it was that it did not arrive; a notice or an automatic answer is missed by nobody."""
    one = letter.letter
    if not one.method or one.automatic:
        return ()
    job = NewJob(
        kind=JobKind.APPLY,
        lane=lane(account or Account(address=one.account), one.uid),
        payload={"source": SOURCE, "letter": letter.id, "status": status},
        body=words.encode(),
        account=one.account,
        uid=one.uid,
        message_id=letter.message_id,
        reason=SOURCE,
    )
    return (job,)


def _notice(letter: Letter, status: str, words: str) -> Notice:
    one = letter.letter
    then = summary.load(one.summary)
    return Notice(
        sender=address(one.recipient),
        recipient=address(one.sender),
        summary=Summary(
            kind=KIND,
            now=replace(then.now, comment=words),
            partstat=status,
            attendee=Guest(address=one.recipient, name=one.recipient_name),
        ),
    )


def _entry(
    job: Job, letter: Letter | None, outcome: Outcome, reason: Reason, *, report: bounce.Report | None
) -> Entry:
    one = letter.letter if letter is not None else None
    notes = () if report is None else (_told(report),)
    return Entry(
        job=job.id,
        kind=SOURCE,
        outcome=str(outcome),
        reason=str(reason),
        message_id=letter.message_id if letter is not None else job.message_id,
        uid=one.uid if one is not None else "",
        recurrence_id=one.recurrence_id if one is not None else "",
        method=one.method if one is not None else "",
        account=one.account if one is not None else "",
        sender=one.recipient if one is not None else "",
        notes=notes,
        letters=(letter.id,) if letter is not None else (),
    )


def _told(report: bounce.Report) -> dict[str, str]:
    note = Note(code="report", facts={"action": report.action, "status": report.status, "text": report.words})
    return {"code": note.code, **note.facts}


__all__ = ["KIND", "SOURCE", "Bounced", "telling"]
