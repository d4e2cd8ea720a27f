"""The organizer's word on a proposal, given by the command or a page, is carried out like any other decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gateway.accounts import Account, Accounts
from gateway.errors import MalformedCalendar
from gateway.flows.apply import Apply, Story
from gateway.flows.look import Seen
from gateway.flows.sorting import owner_of
from gateway.flows.stored import read_stored
from gateway.ical.address import Address
from gateway.itip.model import Context, Decision, Method, Outcome, Policy, Proposal, Reason
from gateway.itip.proposals import accept, decline
from gateway.policy import sending
from gateway.ports import Calendars, Clock, Job, ProfileFacts, ProposalRow, Proposals, Queue


class Decided:
    """Handles APPLY jobs that carry out `proposal accept` and `proposal decline`."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        queue: Queue,
        proposals: Proposals,
        calendars: Calendars,
        apply: Apply,
        policy: Callable[[Account], Policy],
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._queue = queue
        self._proposals = proposals
        self._calendars = calendars
        self._apply = apply
        self._policy = policy
        self._clock = clock

    async def run(self, job: Job) -> None:
        """Decide on what the calendar holds now, which may have overtaken the proposal; apply; close it."""
        account = self._accounts.find(job.account)
        row = await self._proposals.find(str(job.payload["proposal"]))
        if account is None or row is None:
            await self._queue.finish(job)
            return
        method = Method.COUNTER if job.payload["answer"] == "accepted" else Method.DECLINECOUNTER
        story = Story(kind="answer", message_id=job.message_id, method=str(method), sender=row.sender)
        profile = await self._calendars.profile(account)

        async def propose(seen: Seen) -> Decision:
            context = Context(
                owner=owner_of(self._accounts, account),
                now=self._clock.now(),
                marks=seen.marks,
                policy=self._policy(account),
            )
            if method is Method.DECLINECOUNTER:
                return decline(seen.stored, _proposal(row), context)
            return _ours(accept(seen.stored, _proposal(row), context), seen, profile)

        try:
            await self._apply.carry_out(job, account, story, propose=propose)
        except MalformedCalendar as error:
            failed = Decision(outcome=Outcome.FAILED, reason=Reason(error.code))
            await self._queue.finish(job, entries=(self._apply.entry(job, story, failed, account=account),))


def _ours(decision: Decision, seen: Seen, profile: ProfileFacts) -> Decision:
    """SPEC 5.4: the event changes in any case; the letters leave only where no server mails them when it sees the change."""
    filtered = sending.filter_outgoing(
        decision,
        before=seen.stored,
        after=seen.stored,
        profile_sends=profile.sends,
        schedules=profile.schedules,
    )
    left = filtered.outgoing if decision.outcome is Outcome.APPLIED else ()
    return replace(decision, outgoing=left, notes=filtered.notes)


def _proposal(row: ProposalRow) -> Proposal:
    return Proposal(
        object=read_stored(row.data),
        sender=Address(row.sender),
        recurrence_id=row.recurrence_id,
        sequence=row.sequence,
        start=row.start,
        end=row.end,
        old_start=row.old_start,
        old_end=row.old_end,
        comment=row.comment,
    )


__all__ = ["Decided"]
