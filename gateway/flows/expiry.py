"""A cancelled meeting leaves the calendar after a while, unless somebody has touched it (`delete-after`, SPEC 4.3).

What the CANCEL left in the calendar is known by its ETags. Where they still stand when the time is over, nobody has: no
edit, no later word of the organizer. Anything else stays, and single cancelled dates of a series stay as they are marked.
"""

from __future__ import annotations

from datetime import datetime

from gateway.accounts import Account, Accounts
from gateway.errors import MalformedCalendar
from gateway.flows.apply import Apply, Story
from gateway.flows.look import Seen
from gateway.flows.stored import read_stored
from gateway.itip.model import Decision, Method, Outcome, Reason, Remove
from gateway.itip.views import is_cancelled
from gateway.ports import Job, JobKind, NewJob, Plan, Queue

SOURCE = "expiry"
_SAID_BY_ORGANIZER = frozenset({Method.CANCEL, Method.REQUEST})


class Expiry:
    """Handles APPLY jobs whose source is an expiry."""

    def __init__(self, *, accounts: Accounts, queue: Queue, apply: Apply) -> None:
        self._accounts = accounts
        self._queue = queue
        self._apply = apply

    async def run(self, job: Job) -> None:
        """Remove what is as we left it; what is not stays, and the journal says so."""
        account, story = self._accounts.find(job.account), Story(kind=SOURCE)

        async def propose(seen: Seen) -> Decision:
            untouched = list(seen.etags) == list(job.payload["etags"])
            if seen.resource is None or not untouched or not _is_off(seen.resource.data):
                return Decision(outcome=Outcome.UNCHANGED, reason=Reason.CANCELLED_EXPIRED)
            return Decision(outcome=Outcome.APPLIED, reason=Reason.CANCELLED_EXPIRED, change=Remove())

        try:
            if account is None:
                await self._end(job, story, Reason.UNKNOWN_RECIPIENT)
            else:
                await self._apply.carry_out(job, account, story, propose=propose)
        except MalformedCalendar as error:  # somebody has touched it
            await self._end(job, story, Reason(error.code))

    async def _end(self, job: Job, story: Story, reason: Reason) -> None:
        decision = Decision(outcome=Outcome.IGNORED, reason=reason)
        entry = self._apply.entry(job, story, decision, account=Account(address=job.account))
        await self._queue.finish(job, entries=(entry,))


def leaving(
    plan: Plan, etags: tuple[str, str], *, method: Method, due: datetime, lane: str
) -> tuple[NewJob, ...]:
    """The job that takes away what this plan of the organizer's message has left cancelled."""
    if (
        plan.action != "store"
        or method not in _SAID_BY_ORGANIZER
        or not all(etags[:1])
        or not _is_off(plan.data)
    ):
        return ()
    job = NewJob(
        kind=JobKind.APPLY,
        lane=lane,
        payload={"source": SOURCE, "etags": list(etags), "not_before": due.isoformat()},
        account=plan.account,
        uid=plan.uid,
        due=due,
        key=f"{SOURCE}|{plan.account}|{plan.uid}",
        reason=SOURCE,
    )
    return (job,)


def _is_off(data: bytes) -> bool:
    return all(is_cancelled(one) for one in read_stored(data).components)


__all__ = ["SOURCE", "Expiry", "leaving"]
