"""What became of the letters of one change is written into the calendar that the change was made in (SPEC 5.7).

A letter's end queues the job, in the same transaction; the ends of one change collapse into one job, and that into one
conditional write. What the job writes it reads from the letters, so it may run twice, and on whatever lies there by then.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.accounts import Account, Accounts
from gateway.errors import BackendRefused, MalformedCalendar
from gateway.flows.apply import Apply, Story
from gateway.flows.look import Seen
from gateway.flows.receive import lane
from gateway.ical.address import address
from gateway.itip import statuses
from gateway.itip.model import Decision, Method, Note, Outcome, Reason, Store
from gateway.itip.statuses import Fate
from gateway.ports import Calendars, Job, JobKind, Letter, NewJob, Plans, Queue

SOURCE = "status"
PAUSE = timedelta(seconds=5)  # the letters of one change leave together


class Statuses:
    """Handles APPLY jobs whose source is a status."""

    def __init__(
        self, *, accounts: Accounts, queue: Queue, plans: Plans, calendars: Calendars, apply: Apply
    ) -> None:
        self._accounts = accounts
        self._queue = queue
        self._plans = plans
        self._calendars = calendars
        self._apply = apply

    async def run(self, job: Job) -> None:
        """Write what is not there yet. A server that schedules has its own word to say there, and says it."""
        account, story = self._accounts.find(job.account), Story(kind=SOURCE)
        fates = await self._fates(job)
        if account is None or not fates:
            await self._queue.finish(job)
            return
        profile = await self._calendars.profile(account)
        if profile.schedules or profile.sends != "gateway":
            await self._queue.finish(job)
            return

        async def propose(seen: Seen) -> Decision:
            new = statuses.noted(seen.stored, fates) if seen.stored is not None else None
            if new is None or new is seen.stored:
                return Decision(outcome=Outcome.UNCHANGED, reason=Reason.STATUS_WRITTEN)
            return Decision(
                outcome=Outcome.APPLIED,
                reason=Reason.STATUS_WRITTEN,
                change=Store(object=new),
                notes=tuple(_note(one) for one in fates if statuses.is_failure(one.code)),
            )

        try:
            await self._apply.carry_out(job, account, story, propose=propose)
        except (MalformedCalendar, BackendRefused) as error:  # nothing that anybody asked for is lost
            await self._end(job, story, account, error)

    async def _fates(self, job: Job) -> tuple[Fate, ...]:
        """Of those letters of the change that are still the last to their readers."""
        return tuple(
            Fate(
                method=Method(one.method),
                party=address(one.recipient),
                code=one.status,
                recurrence_id=one.recurrence_id,
            )
            for one in await self._plans.posted(job.account, job.uid)
            if one.status and one.job == job.payload["change"]
        )

    async def _end(
        self, job: Job, story: Story, account: Account, error: MalformedCalendar | BackendRefused
    ) -> None:
        note = Note(code="detail", facts={"text": error.detail})
        decision = Decision(outcome=Outcome.FAILED, reason=Reason(error.code), notes=(note,))
        await self._queue.finish(job, entries=(self._apply.entry(job, story, decision, account=account),))


def noting(letter: Letter, status: str, *, account: Account | None, now: datetime) -> tuple[NewJob, ...]:
    """The job that tells it in the calendar, if it is worth that."""
    one = letter.letter
    if not one.method or not statuses.worth(Method(one.method), status, automatic=one.automatic):
        return ()
    job = NewJob(
        kind=JobKind.APPLY,
        lane=lane(account or Account(address=one.account), one.uid),
        payload={"source": SOURCE, "change": letter.job, "not_before": (now + PAUSE).isoformat()},
        account=one.account,
        uid=one.uid,
        due=now + PAUSE,
        key=f"{SOURCE}|{letter.job}|{one.account}|{one.uid}",
        reason=SOURCE,
    )
    return (job,)


def _note(fate: Fate) -> Note:
    return Note(code="schedule-status", facts={"to": fate.party, "status": fate.code})


__all__ = ["SOURCE", "Statuses", "noting"]
