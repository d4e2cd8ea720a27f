"""A mail goes on to the next hop as it came, beside all that we make of it (SPEC 1.4).

Who has taken it is not asked again; who was busy is; who refused it is told to the sender in a report (RFC 3464). A mail
that nobody can be told about is buried, for a person to see.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from gateway.flows.worker import delay
from gateway.imip.undelivered import Failure, report
from gateway.itip.model import Outcome, Reason
from gateway.log import Event, Log, Stage
from gateway.ports import (
    Clock,
    Entry,
    Envelope,
    Job,
    JobKind,
    NewJob,
    NextHop,
    PassedOn,
    Peer,
    Queue,
    ReceivedMail,
    Recipient,
    Sent,
    Stored,
    pack_mail,
    unpack_mail,
)

HEADER: Final = "X-Imip-Gateway-Id"
_OURS = re.compile(rb"^x-imip-gateway-id[ \t]*:.*\r\n(?:[ \t].*\r\n)*", re.IGNORECASE | re.MULTILINE)
_HEADER_LOOK: Final = 65_536
_HEADER_SCAN: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings:
    hostname: str  # what our reports call us
    postmaster: str  # who writes them
    retry_for: timedelta


class Relay:
    """Handles RELAY jobs. `hop` gives the next hop of a `relay_to`; "" is the smarthost, for reports."""

    def __init__(
        self, *, queue: Queue, hop: Callable[[str], NextHop], clock: Clock, log: Log, settings: RelaySettings
    ) -> None:
        self._queue = queue
        self._hop = hop
        self._clock = clock
        self._log = log
        self._settings = settings

    async def run(self, job: Job) -> None:
        """Pass it on; what is left of it is a job of its own, or a report."""
        mail = unpack_mail(job.payload, job.body if job.file is None else await _head(job.file))
        passed_on = PassedOn(
            envelope=mail.envelope,
            content=marked(mail.content, str(job.payload.get("mail", ""))),
            rest=job.file,
            skip=len(mail.content),
            straight=mail.peer.protocol != "submit",
        )
        with self._log.timed(Stage.DELIVER):
            answers = await self._hop(mail.peer.relay_to).pass_on(passed_on)
        told = tuple(zip(mail.envelope.recipients, answers, strict=True))
        over = self._clock.now() - self._begun(job) >= self._settings.retry_for
        failed = [
            (one, sent) for one, sent in told if sent.state == "failed" or (over and sent.state == "deferred")
        ]
        busy = [(one, sent) for one, sent in told if sent.state == "deferred" and not over]
        if len(busy) == len(told):
            await self._queue.retry(job, due=self._later(job), reason=_reason(busy[0][1]))
            self._log.emit(Event.JOB_RETRIED, job=job.id, reason="next-hop", code=busy[0][1].code)
            return
        await self._end(job, mail, failed, [one for one, _ in busy], over=over)

    async def _end(
        self,
        job: Job,
        mail: ReceivedMail,
        failed: Sequence[tuple[Recipient, Sent]],
        busy: Sequence[Recipient],
        *,
        over: bool,
    ) -> None:
        spawn = [self._rest(job, mail, busy)] if busy else []
        if not failed:
            await self._queue.finish(job, spawn=spawn)
            return
        reason = str(Reason.GIVEN_UP if over else Reason.NEXT_HOP_REFUSED)
        entry = self._entry(job, mail, failed, reason)
        if mail.envelope.sender:
            spawn += self._reports(mail, failed)
            await self._queue.finish(job, entries=(entry,), spawn=spawn)
        else:
            # RFC 5321 6.1: no report about a report; the mail is kept for a person
            await self._queue.bury(job, reason, entries=(entry,))
        self._log.emit(Event.MAIL_REFUSED, job=job.id, reason=reason, code=failed[0][1].code)

    def undelivered(self, mail: ReceivedMail, text: str) -> tuple[NewJob, ...]:
        """What tells the sender that none of his recipients got the mail; who is nobody (RFC 5321 4.5.5) hears nothing."""
        if not mail.envelope.sender:
            return ()
        sent = Sent(state="failed", text=text)
        return self._reports(mail, [(one, sent) for one in mail.envelope.recipients])

    def _reports(self, mail: ReceivedMail, failed: Sequence[tuple[Recipient, Sent]]) -> tuple[NewJob, ...]:
        wanted = [(one, sent) for one, sent in failed if "NEVER" not in one.notify and _may_fail(one)]
        return (self._report(mail, wanted),) if wanted else ()

    def _begun(self, job: Job) -> datetime:
        return datetime.fromisoformat(str(job.payload["received_at"]))

    def _later(self, job: Job) -> datetime:
        return self._clock.now() + delay(job.attempts + int(job.payload.get("tries", 0)))

    def _rest(self, job: Job, mail: ReceivedMail, busy: Sequence[Recipient]) -> NewJob:
        """The same mail for those who were busy."""
        left = replace(mail, envelope=replace(mail.envelope, recipients=tuple(busy)))
        tries = job.attempts + int(job.payload.get("tries", 0)) + 1
        more = {"mail": job.payload.get("mail", ""), "tries": tries}
        return _job(left, more, due=self._later(job), file=job.file)

    def _report(self, mail: ReceivedMail, failed: Sequence[tuple[Recipient, Sent]]) -> NewJob:
        settings, now = self._settings, self._clock.now()
        failures = tuple(
            Failure(recipient=one.address, original=one.orcpt, code=sent.code, text=sent.text)
            for one, sent in failed
        )
        content = report(mail, failures, hostname=settings.hostname, postmaster=settings.postmaster, now=now)
        to = Recipient(address=mail.envelope.sender, notify="NEVER")
        envelope = Envelope(sender="", recipients=(to,), smtputf8=mail.envelope.smtputf8)
        letter = ReceivedMail(
            envelope=envelope, peer=Peer(protocol="submit", after="relay"), content=content, received_at=now
        )
        return _job(letter, {}, due=None, file=None)

    def _entry(
        self, job: Job, mail: ReceivedMail, failed: Sequence[tuple[Recipient, Sent]], reason: str
    ) -> Entry:
        notes = tuple(
            {"code": "not-passed-on", "recipient": one.address, "text": f"{sent.code} {sent.text}".strip()}
            for one, sent in failed
        )
        return Entry(
            job=job.id,
            kind="mail",
            outcome=str(Outcome.FAILED),
            reason=reason,
            sender=mail.envelope.sender,
            notes=notes,
        )


async def _head(file: Stored) -> bytes:
    """As much of a large mail as holds its header."""
    head = await file.read(0, _HEADER_LOOK)
    return head if b"\r\n\r\n" in head else await file.read(0, _HEADER_SCAN)


def marked(content: bytes, job: str) -> bytes:
    """The mail with the one header under which `why` tells of it; what came under this name is gone (SPEC 1.4)."""
    end = content.find(b"\r\n\r\n", 0, _HEADER_SCAN) + 2
    head = content[:end] if end >= 2 else content[:_HEADER_SCAN]
    clean = _OURS.sub(b"", head) if b"x-imip-gateway-id" in head.lower() else head
    ours = f"{HEADER}: {job}\r\n".encode() if job else b""
    return b"".join((ours, clean, memoryview(content)[len(head) :]))


def passing_on(mail: ReceivedMail, job: str, *, file: Stored | None = None) -> NewJob:
    """The mail goes on as it came; `job` is the one under which `why` tells of it."""
    return _job(mail, {"mail": job}, due=None, file=file)


def _may_fail(one: Recipient) -> bool:
    """RFC 3461 4.1: without NOTIFY a failure is reported."""
    return not one.notify or "FAILURE" in one.notify


def _reason(sent: Sent) -> str:
    return f"{sent.code} {sent.text}".strip()


def _job(mail: ReceivedMail, more: dict[str, object], *, due: datetime | None, file: Stored | None) -> NewJob:
    lane = f"relay:{mail.received_at.isoformat()}:{mail.envelope.recipients[0].address}"
    body = mail.content if file is None else b""
    return NewJob(
        kind=JobKind.RELAY, lane=lane, payload=pack_mail(mail) | more, body=body, file=file, due=due
    )


__all__ = ["HEADER", "Relay", "RelaySettings", "marked", "passing_on"]
