"""A meeting that its organizer mailed enters his calendar, and each guest gets a letter of ours instead (SPEC 1.4).

The mail counts as the organizer's own change of his calendar, and is told as any other: what was written settles with the
letters, so that the watch finds nothing new, and a second mail about the same changes nothing. Whom the mail addressed and
the meeting does not name gets it as it came; and so does everybody when nothing can be made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gateway.accounts import Account, Accounts
from gateway.errors import MalformedCalendar, NoFittingCalendar
from gateway.flows.apply import Apply, Story
from gateway.flows.changed import Changed
from gateway.flows.look import Seen
from gateway.flows.receive import lane
from gateway.flows.relay import passing_on
from gateway.flows.sorting import owner_of
from gateway.flows.stored import read_stored
from gateway.ical.address import Address, address
from gateway.itip.model import Certainty, Decision, Message, Method, Outcome, Reason, Store, Verdict
from gateway.itip.rendered import guests_of, rendered
from gateway.itip.significance import fingerprint
from gateway.ports import Job, JobKind, NewJob, Plan, Queue, ReceivedMail, unpack_mail

RENDER = "render"
_TOLD = frozenset({Outcome.APPLIED, Outcome.UNCHANGED})
_NO_NEWS = frozenset({Reason.COSMETIC_CHANGE, Reason.NOTHING_TO_SEND})


class _Course:
    """Whether the mail goes on to everybody, as it came."""

    def __init__(self) -> None:
        self.whole = False


class Rendering:
    """Handles the APPLY jobs that `Witness` queues for a mail that is to be rendered."""

    def __init__(self, *, queue: Queue, accounts: Accounts, apply: Apply, changed: Changed) -> None:
        self._queue = queue
        self._accounts = accounts
        self._apply = apply
        self._changed = changed

    async def run(self, job: Job) -> None:
        """Put the meeting into the calendar, write to its guests, pass the mail on to the others."""
        received = unpack_mail(job.payload["mail"], job.body)
        message = Message(
            method=Method(job.payload["method"]),
            object=read_stored(str(job.payload["calendar"]).encode()),
            sender=Address(job.payload["sender"]),
        )
        story = _story(job)
        account = self._accounts.find(job.account)
        if account is None:
            await self._pass_on(job, story, received, Reason.UNKNOWN_RECIPIENT)
            return
        owner = owner_of(self._accounts, account)
        course = _Course()

        async def propose(seen: Seen) -> Decision:
            return await self._propose(job, account, message, seen, course=course)

        def follow_up(plan: Plan, _etags: tuple[str, str]) -> tuple[NewJob, ...]:
            people = guests_of(message.object, owner) | _asked(job)
            if plan.data:
                people |= guests_of(read_stored(plan.data), owner)
            return _onward(job, received, frozenset() if course.whole else people - owner)

        try:
            whole = _onward(job, received, frozenset())
            await self._apply.carry_out(
                job, account, story, propose=propose, follow_up=follow_up, otherwise=whole
            )
        except MalformedCalendar as error:
            await self._pass_on(job, story, received, Reason(error.code), account=account)
        except NoFittingCalendar:
            await self._pass_on(job, story, received, Reason.UNSUPPORTED_COMPONENT, account=account)

    async def _propose(
        self, job: Job, account: Account, message: Message, seen: Seen, *, course: _Course
    ) -> Decision:
        course.whole = False
        after = rendered(
            seen.stored,
            message,
            owner=owner_of(self._accounts, account),
            asked=_asked(job),
            deleted=seen.before is not None,
        )
        if after is Reason.OLDER_SEQUENCE:  # the guests have the newer word
            return Decision(outcome=Outcome.STALE, reason=after)
        if isinstance(after, Reason):
            course.whole = True
            return Decision(outcome=Outcome.IGNORED, reason=after)
        decision = await self._changed.telling(job, account, seen, after=after)
        if decision.outcome not in _TOLD and decision.reason not in _NO_NEWS:
            course.whole = True
            return replace(decision, change=None, outgoing=(), marks={})
        if decision.change is None and after is not None:
            held = seen.stored
            if held is None or fingerprint(held) != fingerprint(after):
                return replace(decision, change=Store(object=after))
        return decision

    async def _pass_on(
        self,
        job: Job,
        story: Story,
        received: ReceivedMail,
        reason: Reason,
        *,
        account: Account | None = None,
    ) -> None:
        decision = Decision(outcome=Outcome.IGNORED, reason=reason)
        entry = self._apply.entry(job, story, decision, account=account or Account(address=job.account))
        await self._queue.finish(job, entries=(entry,), spawn=_onward(job, received, frozenset()))


def rendering_job(
    job: Job, received: ReceivedMail, message: Message, *, account: Account, facts: Mapping[str, object]
) -> NewJob:
    """The job of a mail that says what its sender's own meeting is to be. The mail itself is its body."""
    return NewJob(
        kind=JobKind.APPLY,
        lane=lane(account, message.object.uid),
        account=account.address,
        uid=message.object.uid,
        message_id=str(facts["message_id"]),
        body=received.content if job.file is None else b"",
        file=job.file,
        payload={
            "source": RENDER,
            "mail": {key: one for key, one in job.payload.items() if key != "mail"},
            "mail_job": job.id,
            "method": str(message.method),
            "calendar": message.object.data.decode(),
            "sender": received.envelope.sender,
            "asked": facts["asked"],
        },
    )


def _story(job: Job) -> Story:
    sender = str(job.payload["sender"])
    verdict = Verdict(sender=address(sender), certainty=Certainty.PROVEN, reasons=(RENDER,))
    return Story(
        kind="change",
        message_id=job.message_id,
        method=str(job.payload["method"]),
        sender=sender,
        verdict=verdict,
    )


def _asked(job: Job) -> frozenset[Address]:
    return frozenset(address(str(one)) for one in job.payload["asked"])


def _onward(job: Job, received: ReceivedMail, served: frozenset[Address]) -> tuple[NewJob, ...]:
    """The mail for those of its recipients who get no letter."""
    others = tuple(one for one in received.envelope.recipients if address(one.address) not in served)
    if not others:
        return ()
    left = replace(received, envelope=replace(received.envelope, recipients=others))
    return (passing_on(left, str(job.payload["mail_job"]), file=job.file),)


__all__ = ["RENDER", "Rendering", "rendering_job"]
