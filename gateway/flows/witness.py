"""Mail that our users write passes by: what their calendar programs have said themselves is not said again (SPEC 1.1, 12.15)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from gateway.accounts import Account, Accounts
from gateway.errors import MalformedMail
from gateway.flows.apply import Apply, Story
from gateway.flows.large import Large, content, read
from gateway.flows.receive import ReceiveSettings, lane
from gateway.flows.relay import passing_on
from gateway.flows.rendering import RENDER, rendering_job
from gateway.flows.sorting import Addressed, Turned, owner_of, sort_out
from gateway.flows.stored import read_stored
from gateway.ical.address import Address, address
from gateway.imip import read as reading
from gateway.imip import trust
from gateway.itip import witness
from gateway.itip.model import Certainty, Decision, Message, Method, Outcome, Reason, Role, Verdict
from gateway.itip.rendered import METHODS, guests_of
from gateway.itip.roles import role
from gateway.log import Event, Log
from gateway.ports import Entry, Job, JobKind, NewJob, Queue, ReceivedMail

SOURCE = "outgoing"
_BY = {
    Role.ORGANIZER: frozenset({Method.REQUEST, Method.CANCEL}),
    Role.ATTENDEE: frozenset({Method.REPLY}),
}


# What needs no line of its own about why it was not rendered: where there is nothing, and where what it spawns tells.
_ELSEWHERE = {
    False: frozenset({Reason.NO_CALENDAR_PART}),
    True: frozenset({Reason.CLIENT_SENT, Reason.NOT_SUBMITTED}),
}


class Witness:
    """Handles MAIL jobs of `outgoing` listeners, and the APPLY jobs that they queue. No calendar is changed."""

    def __init__(
        self, *, queue: Queue, accounts: Accounts, apply: Apply, settings: ReceiveSettings, log: Log
    ) -> None:
        self._large = Large()
        self._queue = queue
        self._accounts = accounts
        self._apply = apply
        self._settings = settings
        self._log = log

    async def read(self, job: Job) -> None:
        """Find what the sender's program says about his meetings, one job for each."""
        async with self._large.opened(job) as received:
            account = self._accounts.find(received.envelope.sender)
            try:
                mail = await read(received.content, self._settings.mail_limits)
            except MalformedMail:
                mail = None
            entries: tuple[Entry, ...] = ()
            spawn: list[NewJob] = []
            his = False
            if mail is not None and account is not None:
                found = self._found(received, mail, account)
                his = self._is_his(received, mail, account)
                if received.peer.after == RENDER:
                    course = self._to_render(mail, account, found, his=his)
                    if isinstance(course, Message):
                        await self._render(job, received, mail, account, message=course)
                        return
                    entries = (_passed_on(job, received, mail, account, reason=course),)
                spawn = self._told(received, mail, account, found)
                if entries and entries[0].reason in _ELSEWHERE[bool(spawn)]:
                    entries = ()
            outcome, reason = Outcome.UNCHANGED, Reason.CLIENT_SENT if spawn else Reason.NO_CALENDAR_PART
            if spawn and not his:
                outcome, reason = Outcome.IGNORED, Reason.NOT_SUBMITTED
                entries, spawn = tuple(_unproven(job, received, one) for one in spawn), []
            if received.peer.after == RENDER:
                spawn.append(passing_on(received, job.id))
        await self._queue.finish(job, entries=entries, spawn=spawn)
        self._log.emit(Event.MAIL_READ, outcome=str(outcome), reason=str(reason), job=job.id)

    def _to_render(
        self, mail: reading.Mail, account: Account, found: Sequence[Addressed | Turned], *, his: bool
    ) -> Message | Reason:
        """The one meeting that the mail brings its sender's calendar, or why it goes on as it came."""
        owner = owner_of(self._accounts, account)
        if not his:
            return Reason.NOT_SUBMITTED
        if mail.sender not in owner:
            return Reason.SENDER_NOT_ORGANIZER
        for one in found:
            if isinstance(one, Turned):
                return one.reason
        messages = [one.message for one in found if isinstance(one, Addressed)]
        if any(one.method not in METHODS for one in messages):
            return Reason.CLIENT_SENT
        if any(role(one.object, owner) is not Role.ORGANIZER for one in messages):
            return Reason.NOT_OUR_ORGANIZER
        return messages[0] if len(messages) == 1 else Reason.SEVERAL_MEETINGS

    async def _render(
        self, job: Job, received: ReceivedMail, mail: reading.Mail, account: Account, *, message: Message
    ) -> None:
        """SPEC 1.4: who is openly addressed is asked where the meeting names nobody; a Bcc stays private."""
        reached = {address(one.address) for one in received.envelope.recipients}
        asked = [] if guests_of(message.object, owner_of(self._accounts, account)) else mail.to
        facts = {"message_id": mail.message_id, "asked": [one for one in asked if one in reached]}
        spawn = rendering_job(job, received, message, account=account, facts=facts)
        await self._queue.finish(job, entries=(), spawn=(spawn,))
        self._log.emit(
            Event.MAIL_READ, outcome=str(Outcome.APPLIED), reason=str(Reason.CLIENT_SENT), job=job.id
        )

    def _is_his(self, received: ReceivedMail, mail: reading.Mail, account: Account) -> bool:
        """Anybody may write a user's address into an envelope; what silences letters must come of a login."""
        if received.peer.user or received.peer.evidence == "network":
            return True
        name = trust.login(mail, self._settings.trust)
        if name is None:
            return trust.is_authors(mail, owner_of(self._accounts, account), self._settings.trust)
        if not name:
            return True
        others = (one for one in self._accounts if one.username != account.username)
        found = self._accounts.find(name)
        return found.address == account.address if found else all(one.username != name for one in others)

    def _found(
        self, received: ReceivedMail, mail: reading.Mail, account: Account
    ) -> tuple[Addressed | Turned, ...]:
        sender = Address(self._accounts.invited_as(received.envelope.sender))
        if received.peer.after == RENDER:  # an exported file has no method, and is mailed to invite
            parts = tuple(replace(one, method=one.method or str(Method.REQUEST)) for one in mail.parts)
            mail = replace(mail, parts=parts)
        return sort_out(
            mail,
            _verdict(sender),
            ((account, sender),),
            limits=self._settings.calendar_limits,
            quirks_off=self._settings.quirks_off,
            bounds=self._settings.expansion,
        )

    def _told(
        self,
        received: ReceivedMail,
        mail: reading.Mail,
        account: Account,
        found: Sequence[Addressed | Turned],
    ) -> list[NewJob]:
        messages = [one.message for one in found if isinstance(one, Addressed)]
        return [_job(received, mail, who, one) for one in messages for who in self._spoken(account, one)]

    def _spoken(self, account: Account, message: Message) -> tuple[Account, ...]:
        """Whose mail this is: his own, and of those in whose name he acts, for whom we would write otherwise."""
        others = self._accounts.represented_by(account)
        if message.method in _BY.get(role(message.object, owner_of(self._accounts, account)), ()):
            return (
                account,
                *(one for one in others if one.calendar and message.method in _BY[Role.ORGANIZER]),
            )
        return tuple(
            one
            for one in others
            if message.method in _BY.get(role(message.object, owner_of(self._accounts, one)), ())
        )

    async def keep(self, job: Job) -> None:
        """Write into the ledger whom the mail told."""
        account = self._accounts.find(job.account)
        sender = str(job.payload["sender"])
        story = Story(
            kind="mail",
            message_id=job.message_id,
            method=str(job.payload["method"]),
            sender=sender,
            verdict=_verdict(Address(sender)),
        )
        if account is None:
            await self._queue.finish(job, entries=(_lost(job, sender),))
            return
        message = Message(
            method=Method(job.payload["method"]),
            object=read_stored(await content(job)),
            sender=Address(sender),
        )
        recipients = [address(str(one)) for one in job.payload["recipients"]]
        marks = witness.seen(message, recipients, datetime.fromisoformat(job.payload["arrived"]))
        decision = Decision(outcome=Outcome.UNCHANGED, reason=Reason.CLIENT_SENT, marks=marks)
        await self._apply.conclude(job, story, decision, account=account)


def _verdict(sender: Address) -> Verdict:
    """The listener has seen to it that he is who he says."""
    return Verdict(sender=sender, certainty=Certainty.PROVEN, reasons=(SOURCE,))


def _job(received: ReceivedMail, mail: reading.Mail, account: Account, message: Message) -> NewJob:
    return NewJob(
        kind=JobKind.APPLY,
        lane=lane(account, message.object.uid),
        account=account.address,
        uid=message.object.uid,
        message_id=mail.message_id,
        body=message.object.data,
        payload={
            "source": SOURCE,
            "method": str(message.method),
            "sender": received.envelope.sender,
            # a copy by bcc has the copy's recipient in its envelope, and the readers in To and Cc
            "recipients": sorted({*(one.address for one in received.envelope.recipients), *mail.to}),
            "arrived": received.received_at.isoformat(),
        },
    )


def _passed_on(
    job: Job, received: ReceivedMail, mail: reading.Mail, account: Account, *, reason: Reason
) -> Entry:
    """Why the mail was not rendered."""
    return Entry(
        job=job.id,
        kind="mail",
        outcome=str(Outcome.IGNORED),
        reason=str(reason),
        message_id=mail.message_id,
        account=account.address,
        sender=received.envelope.sender,
    )


def _unproven(job: Job, received: ReceivedMail, told: NewJob) -> Entry:
    """Nothing shows that the sender logged in: what the mail says silences nobody."""
    return Entry(
        job=job.id,
        kind="mail",
        outcome=str(Outcome.IGNORED),
        reason=str(Reason.NOT_SUBMITTED),
        message_id=told.message_id,
        uid=told.uid,
        method=str(told.payload["method"]),
        account=told.account,
        sender=received.envelope.sender,
    )


def _lost(job: Job, sender: str) -> Entry:
    """The account was taken out of the configuration in the meantime."""
    return Entry(
        job=job.id,
        kind="mail",
        outcome=str(Outcome.IGNORED),
        reason=str(Reason.UNKNOWN_RECIPIENT),
        message_id=job.message_id,
        uid=job.uid,
        sender=sender,
    )


__all__ = ["SOURCE", "Witness"]
