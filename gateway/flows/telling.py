"""What the organizer is told by letter of his guests: several answers soon after another in one, and who was not asked.

    an answer takes effect   the same transaction queues the letter, or adds to the one that waits ([letters] answers)
    a stranger's is held     the same transaction queues a letter about him: one a stranger, few a meeting

An answer that came as a mail of the guest's own lies in the organizer's mailbox already.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from gateway.accounts import Account, Accounts
from gateway.errors import MalformedCalendar
from gateway.flows.apply import Apply, FollowUp, Story
from gateway.flows.look import Seen
from gateway.flows.sorting import owner_of
from gateway.ical.address import Address
from gateway.itip import telling
from gateway.itip.model import Certainty, Context, Decision, Message, Outcome, Reason, Role, Verdict
from gateway.itip.roles import role
from gateway.itip.telling import Word
from gateway.ports import Clock, Job, JobKind, NewJob, Plan, Queue

SOURCE = "telling"
MOST = 100  # answers in one letter
_SURE = frozenset({Certainty.LIKELY, Certainty.PROVEN})


class Telling:
    """Handles the APPLY jobs that `hearing` and `noticing` queue."""

    def __init__(self, *, accounts: Accounts, queue: Queue, apply: Apply, clock: Clock) -> None:
        self._accounts = accounts
        self._queue = queue
        self._apply = apply
        self._clock = clock

    async def run(self, job: Job) -> None:
        """Write what still is to be told of the meeting as it is now."""
        account = self._accounts.find(job.account)
        try:
            seen = await self._apply.look(account, job.uid) if account is not None else None
        except MalformedCalendar:
            seen = None
        decision = self._decided(job, account, seen) if account is not None and seen is not None else None
        if account is None or decision is None:
            await self._queue.finish(job)
            return
        story = Story(kind="answer", sender=decision.notices[0].sender)
        await self._apply.conclude(job, story, decision, account=account)

    def _decided(self, job: Job, account: Account, seen: Seen) -> Decision | None:
        meeting = seen.stored
        context = Context(
            owner=owner_of(self._accounts, account),
            now=self._clock.now(),
            marks=seen.marks,
        )
        if meeting is None or role(meeting, context.owner) is not Role.ORGANIZER:
            return None
        who = Address(str(job.payload.get("stranger", "")))
        if who:
            notice, reason = telling.stranger(meeting, who, context), Reason.STRANGER_TOLD
        else:
            notice, reason = telling.answers(meeting, _words(job), context), Reason.ANSWERS_TOLD
        if notice is None:
            return None
        marks = telling.told_of(who, context) if who else {}
        return Decision(outcome=Outcome.APPLIED, reason=reason, notices=(notice,), marks=marks)


async def hearing(
    queue: Queue, job: Job, message: Message, *, after: timedelta, now: datetime
) -> FollowUp | None:
    """The letter about this answer, with those that wait for theirs; None when nobody wants any.

    Called under the meeting's lane, so that no other answer can come between the look and the settlement.
    """
    words = telling.heard(message) if after else ()
    if not words:
        return None
    waiting = next((one for one in await queue.to_come(job.account, job.uid) if _waits(one)), None)
    gathered = {(one.who, one.key): one for one in (*(_words(waiting) if waiting else ()), *words)}
    new = NewJob(
        kind=JobKind.APPLY,
        lane=job.lane,
        account=job.account,
        uid=job.uid,
        payload={"source": SOURCE, "answers": [_packed(one) for one in gathered.values()]},
        due=now if len(gathered) >= MOST else waiting.due if waiting else now + after,
        reason=SOURCE,
        key=f"{SOURCE}:{job.account}:{job.uid}",
    )

    def follow(plan: Plan, _etags: tuple[str, str]) -> tuple[NewJob, ...]:
        entry = plan.entry
        return (new,) if entry is not None and entry.reason == str(Reason.ANSWER_RECORDED) else ()

    return follow


def noticing(job: Job, decision: Decision, verdict: Verdict) -> tuple[NewJob, ...]:
    """The letter about one whose answer is held; of a sender whom nothing vouches for nobody is told."""
    who = verdict.sender
    if decision.held_kind != "crasher" or who is None or verdict.certainty not in _SURE:
        return ()
    new = NewJob(
        kind=JobKind.APPLY,
        lane=job.lane,
        account=job.account,
        uid=job.uid,
        payload={"source": SOURCE, "stranger": who},
        reason=SOURCE,
        key=f"{SOURCE}:{job.account}:{job.uid}:{who}",
    )
    return (new,)


def _waits(job: Job) -> bool:
    return job.payload.get("source") == SOURCE and "answers" in job.payload


def _words(job: Job) -> tuple[Word, ...]:
    told: list[Mapping[str, Any]] = job.payload["answers"]
    return tuple(
        Word(
            who=Address(one["who"]),
            key=one["key"],
            comment=one["comment"],
            taken_back=bool(one.get("taken_back")),
        )
        for one in told
    )


def _packed(word: Word) -> dict[str, Any]:
    return {"who": word.who, "key": word.key, "comment": word.comment, "taken_back": word.taken_back}


__all__ = ["SOURCE", "Telling", "hearing", "noticing"]
