"""A settled change of a calendar is compared with its snapshot and becomes letters, if we are to send them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from gateway.accounts import Account, Accounts
from gateway.errors import BackendError, BackendUnavailable, MalformedCalendar
from gateway.flows.apply import Apply, Story
from gateway.flows.look import Seen
from gateway.flows.sorting import owner_of
from gateway.flows.stored import read_stored
from gateway.flows.watch import SETTLING
from gateway.ical.address import Address
from gateway.ical.bounds import DEFAULT_BOUNDS, Bounds
from gateway.ical.event import CalendarObject
from gateway.imip import lint
from gateway.itip import identity, witness
from gateway.itip.changes import changes
from gateway.itip.model import Context, Decision, Mark, MarkKey, Method, Note, Outcome, Policy, Reason
from gateway.itip.significance import fingerprint
from gateway.log import Event, Log
from gateway.policy import sending
from gateway.ports import Calendars, Clock, Held, Job, JobKind, NewJob, Queue, Snapshot, Snapshots
from gateway.render.overview import Outbox

ALARM = "alarm"
MEMORY = timedelta(minutes=15)  # SPEC 12.15: how long before a change its mail may have passed by


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """More than `events` changed meetings with letters `within` this time are held (SPEC 5.3)."""

    events: int
    within: timedelta


class Changed:
    """Handles APPLY jobs whose source is a change."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        queue: Queue,
        snapshots: Snapshots,
        calendars: Calendars,
        apply: Apply,
        policy: Callable[[Account], Policy],
        clock: Clock,
        log: Log,
        burst: Burst,
        bounds: Bounds = DEFAULT_BOUNDS,
    ) -> None:
        self._accounts = accounts
        self._queue = queue
        self._snapshots = snapshots
        self._calendars = calendars
        self._apply = apply
        self._policy = policy
        self._clock = clock
        self._log = log
        self._burst = burst
        self._bounds = bounds

    async def run(self, job: Job) -> None:
        """Decide what the change asks for, filter by who sends, hold a burst, apply the rest."""
        story = Story(kind="change")
        account = self._accounts.find(job.account)
        if account is None:
            await self._queue.finish(job)
            return

        async def propose(seen: Seen) -> Decision:
            for one in (seen, seen.tail):
                if one is not None and one.resource is None and one.snapshot is not None:
                    await self._insist(account, one.snapshot)
            if job.payload.get("refused"):  # what is there becomes known, and nobody is told
                note = Note(code="refused-by-person")
                return Decision(outcome=Outcome.REFUSED, reason=Reason.POLICY, notes=(note,))
            try:
                return await self._propose(job, account, seen)
            except MalformedCalendar as error:  # told once: what cannot be compared is settled as it is
                return Decision(outcome=Outcome.FAILED, reason=Reason(error.code))

        try:
            decision = await self._apply.carry_out(job, account, story, propose=propose)
        except MalformedCalendar as error:
            failed = Decision(outcome=Outcome.FAILED, reason=Reason(error.code))
            await self._queue.finish(job, entries=(self._apply.entry(job, story, failed, account=account),))
            return
        if decision is not None and decision.outcome is Outcome.HELD:
            held = Held(
                kind="burst", account=account.address, reason=str(decision.reason), job=job.id, uid=job.uid
            )
            entries = (self._apply.entry(job, story, decision, account=account),)
            alarm = _alarm(job, account, decision.reason)
            await self._queue.hold_burst(
                job, held, within=self._burst.within, entries=entries, spawn=(alarm,)
            )

    async def outbox(self, account: Account, uid: str) -> Outbox | None:
        """What a change that settles will tell if it stays as it is; None where none settles."""
        waiting = await self._queue.to_come(account.address, uid)
        job = next((one for one in waiting if one.payload.get("source") == "change"), None)
        if job is None or job.payload.get("refused"):
            return None
        try:
            seen = await self._apply.look(account, uid)
            decision = await self.telling(job, account, seen, after=seen.stored)
        except (BackendError, MalformedCalendar):
            return Outbox(due=job.due, mails=None)
        return Outbox(due=job.due, mails=decision.outgoing)

    async def alarm(self, job: Job) -> None:
        """Said before it is noted to be said: who dies in between says it again."""
        self._log.emit(Event.WATCH_HELD, account=job.account, reason=str(job.payload["reason"]))
        await self._queue.finish(job)

    async def _insist(self, account: Account, snapshot: Snapshot) -> None:
        """SPEC 5.1: only a meeting whose own place says that it is gone is gone; 401, 403 and 5xx raise, and a calendar that
        vanished took no meeting with it."""
        await self._calendars.get(account, snapshot.href)
        if all(one.path != snapshot.collection for one in await self._calendars.collections(account)):
            raise BackendUnavailable(
                f"{snapshot.collection} is not there; its meetings are not believed gone"
            )

    async def _propose(self, job: Job, account: Account, seen: Seen) -> Decision:
        before = seen.before
        if before is None and seen.stored is None:  # our own removal, or what came and went
            return Decision(outcome=Outcome.UNCHANGED, reason=Reason.NOTHING_TO_SEND)
        if before is not None and seen.stored is not None and fingerprint(before) == fingerprint(seen.stored):
            return Decision(outcome=Outcome.UNCHANGED, reason=Reason.NOTHING_TO_SEND)
        decision = await self.telling(job, account, seen, after=seen.stored)
        if (
            decision.outgoing
            and not job.payload.get("approved")
            and await self._bursts(job, account, seen, decision)
        ):
            return replace(decision, outcome=Outcome.HELD, reason=Reason.BURST, change=None, outgoing=())
        return decision

    async def telling(
        self, job: Job, account: Account, seen: Seen, *, after: CalendarObject | None
    ) -> Decision:
        """What is to be told, and by us, when the meeting as it last settled becomes `after`."""
        before = seen.before
        profile = await self._calendars.profile(account)
        base = read_stored(seen.base) if seen.base else None
        context = Context(
            owner=owner_of(self._accounts, account),
            now=self._clock.now(),
            marks=seen.marks,
            base=base,
            policy=self._policy(account),
            bounds=self._bounds,
        )
        decision = changes(before, after, context)
        known = identity.note(after or before, context.owner)
        decision = replace(decision, notes=(*known, *decision.notes))
        counted = self._counted(job, decision, after or before, seen.marks)
        decision = sending.filter_outgoing(
            decision,
            before=before,
            after=after,
            profile_sends=profile.sends,
            schedules=profile.schedules,
            served=self._neighbours(account, decision),
            witnessed=frozenset(counted),
        )
        if counted:
            told = {key: mark for one in counted.values() for key, mark in one.items()}
            decision = replace(decision, marks={**decision.marks, **told})
        return replace(decision, notes=(*decision.notes, *_hard_to_take(decision)))

    def _counted(
        self,
        job: Job,
        decision: Decision,
        saved: CalendarObject | None,
        marks: Mapping[MarkKey, Mark],
    ) -> dict[Address, dict[MarkKey, Mark]]:
        """Whom the person's own program has told of this change, at most a while before it was seen (SPEC 12.15)."""
        since = job.created - MEMORY
        found = {
            one.recipient: witness.spoken_for(one, saved, marks, since=since) for one in decision.outgoing
        }
        return {who: one for who, one in found.items() if one}

    def _neighbours(self, account: Account, decision: Decision) -> frozenset[Address]:
        """Those of the recipients who have their calendars on the same server."""
        found = ((one.recipient, self._accounts.find(one.recipient)) for one in decision.outgoing)
        return frozenset(who for who, other in found if other is not None and other.server == account.server)

    async def _bursts(self, job: Job, account: Account, seen: Seen, decision: Decision) -> bool:
        """SPEC 5.3: too many changed meetings at once, a quarter of that for CANCELs and declines, look like an accident;
        so does a calendar of several meetings of which none is left.

        All that settle, are tried again or are held count, so that a burst is held whole, its last ones too.
        """
        since = self._clock.now() - self._burst.within
        collection = seen.snapshot.collection if seen.snapshot else ""
        waiting = await self._queue.settling(account.address)
        lately = await self._snapshots.changed_meetings(account.address, collection, since)
        if lately + waiting > self._burst.events:
            return True
        if not any(
            one.method is Method.CANCEL or one.summary.partstat == "DECLINED" for one in decision.outgoing
        ):
            return False
        waiting = await self._queue.settling(account.address, gone=True) + (job.reason == SETTLING)
        lately = await self._snapshots.changed_meetings(account.address, collection, since, harsh=True)
        if lately + waiting > max(1, self._burst.events // 4):
            return True
        gone = seen.stored is None and seen.snapshot is not None
        return gone and await self._snapshots.emptied(account.address, collection)


def _alarm(job: Job, account: Account, reason: Reason) -> NewJob:
    """Once for a burst: two hundred lines of log would hide it, or everything else."""
    return NewJob(
        kind=JobKind.APPLY,
        lane=f"{ALARM}|{job.id}",
        account=account.address,
        payload={"source": ALARM, "reason": str(reason)},
        due=job.due,
        reason=ALARM,
    )


def _hard_to_take(decision: Decision) -> tuple[Note, ...]:
    """What programs of the guests may drop or show wrongly; it leaves all the same."""
    asked = next((one for one in decision.outgoing if one.method is Method.REQUEST), None)
    told = lint.warnings(asked.object.tree, len(asked.object.data)) if asked is not None else ()
    return (Note(code="hard-to-take", facts={"shapes": "; ".join(told)}),) if told else ()
