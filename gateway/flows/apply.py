"""The only writer of calendars and letters: plan, conditional write, settle (SPEC 9.2).

    (a) plan     one transaction: the object to come, its fingerprint, the letters as planned
    (b) write    PUT or DELETE with a precondition
    (c) settle   one transaction: snapshot, ledger, journal, letters ready, job gone

A crash between (a) and (c) leaves the plan. The next run of the job looks at the calendar: where it shows the plan's
fingerprint it was our write, and only (c) is missing; anything else is decided again, since other jobs of the lane may
have run meanwhile. Letters leave at (c) only, with Message-IDs that do not depend on the attempt.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from gateway.accounts import Account
from gateway.errors import BackendError, BackendUnavailable, MalformedCalendar, PreconditionFailed
from gateway.flows import anew, tails
from gateway.flows.look import Look, Seen
from gateway.flows.rows import letter_row, notice_row, proposal_row
from gateway.flows.stored import read_stored, says, to_store
from gateway.flows.tails import Tails
from gateway.ical import linked
from gateway.ical.address import Address
from gateway.ical.event import CalendarObject
from gateway.ical.times import Period
from gateway.itip import order, splits
from gateway.itip.model import (
    Decision,
    Note,
    Outcome,
    Proposal,
    Reason,
    Remove,
    Store,
    Verdict,
)
from gateway.itip.significance import fingerprint, rescheduled
from gateway.log import Event, Log, Stage
from gateway.ports import (
    Calendars,
    Entry,
    Job,
    MarkRow,
    NewJob,
    Plan,
    Plans,
    Queue,
    Resource,
    Snapshot,
    Snapshots,
)

KIN = 20  # so many series of one organizer are looked at when he may have cut one of them in two
ATTEMPTS = 5  # SPEC 9.2: a 412 is decided again at most this often


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the journal says beside the decision."""

    kind: str  # mail | change | answer
    message_id: str = ""
    method: str = ""
    sender: str = ""
    verdict: Verdict | None = None


Propose = Callable[[Seen], Awaitable[Decision]]
FollowUp = Callable[[Plan, tuple[str, str]], tuple[NewJob, ...]]  # given the ETags that were written


class Apply:
    """Carries decisions out; decides nothing itself."""

    def __init__(
        self,
        *,
        queue: Queue,
        plans: Plans,
        snapshots: Snapshots,
        calendars: Calendars,
        log: Log,
        fresh: timedelta | None = None,
    ) -> None:
        """`fresh`: how old the watch's last round may be for its index of UIDs to be believed (`flows/look`)."""
        self._queue = queue
        self._plans = plans
        self._snapshots = snapshots
        self._calendars = calendars
        self._log = log
        self._look = Look(snapshots=snapshots, calendars=calendars, fresh=fresh)
        self._tails = Tails(calendars=calendars, look=self._look)

    async def carry_out(
        self,
        job: Job,
        account: Account,
        story: Story,
        *,
        propose: Propose,
        follow_up: FollowUp | None = None,
        otherwise: Sequence[NewJob] = (),
    ) -> Decision | None:
        """Decide on what is there now and make it so. None: an earlier run of this job had already done it.

        `otherwise`: what is to be done instead where the calendar refuses the change for good.
        """
        # a first run left no plan behind; whoever died with the job, or put it back, has counted
        left = await self._plans.open_plan(job) if job.attempts else None
        refused: tuple[str, str] | None = None
        decision: Decision | None = None
        words = ""
        # the index knows nothing of what a person put there since, which is what a change is about
        thorough = job.attempts > 0 or story.kind == "change"
        for _ in range(ATTEMPTS):
            seen = await self._look.at(account, job.uid, thorough=thorough)
            if await self._was_done(job, account, left, seen, follow_up=follow_up):
                return None
            half, left = left if left is not None and _half_done(seen, left) else None, None
            if seen.etags == refused:
                break  # SPEC 9.2: the object is as we read it, so the server refuses the change itself
            if half is not None:
                plan, decision = half, None
            else:
                with self._log.timed(Stage.DECIDE):
                    decision = await propose(seen)
                if not (thorough or seen.known or isinstance(decision.change, Store)):
                    thorough = True  # only a create is refused by the server where the index was wrong
                    continue
                self._tell(job, account, decision)
                if decision.outcome in (Outcome.HELD, Outcome.PARKED):
                    return decision
                plan = await self._plan(job, account, story, seen, decision)
            try:
                with self._log.timed(Stage.CALENDAR):
                    plan, written = await self._write(job, account, plan, seen=seen)
            except PreconditionFailed as error:
                self._log.emit(Event.CALENDAR_CONFLICT, job=job.id, status=str(error.status))
                refused, words, thorough = seen.etags, error.detail, True
                # on its way it may have been done twice, and what refuses the second is our own; a rival creates oftener
                left = plan if plan.etag else None
                continue
            except BackendUnavailable:
                # perhaps only the answer was lost; until that is settled other jobs would see our write as a person's
                seen = await self._look.at(account, job.uid, thorough=True)
                if await self._was_done(job, account, plan, seen, follow_up=follow_up):
                    return None
                raise
            await self._settle(job, plan, seen, written=written, follow_up=follow_up)
            return decision
        return await self._refused(job, account, story, words=words, otherwise=otherwise)

    async def _refused(
        self, job: Job, account: Account, story: Story, *, words: str, otherwise: Sequence[NewJob]
    ) -> Decision:
        """The calendar refused the change for good, in these words."""
        notes = (Note(code="detail", facts={"text": words}),)
        failed = Decision(outcome=Outcome.FAILED, reason=Reason.PRECONDITION_FAILED, notes=notes)
        entries = (self.entry(job, story, failed, account=account),)
        await self._queue.finish(job, entries=entries, spawn=otherwise)
        self._tell(job, account, failed)
        return failed

    async def _was_done(
        self, job: Job, account: Account, plan: Plan | None, seen: Seen, *, follow_up: FollowUp | None
    ) -> bool:
        """Settle what the calendar shows to have been written already."""
        if plan is None or not _is_done(seen, plan):
            return False
        await self._tails.remove(account, plan, seen)
        tail = seen.tail.resource if seen.tail is not None else None
        await self._settle(job, plan, seen, written=(_ours(seen, plan), tail), follow_up=follow_up)
        return True

    async def conclude(self, job: Job, story: Story, decision: Decision, *, account: Account) -> None:
        """End a job by a decision that changes no calendar: its marks and its line in the journal."""
        seen = Seen(resource=None, stored=None, snapshot=None)
        self._tell(job, account, decision)
        plan = await self._plan(job, account, story, seen, replace(decision, change=None, outgoing=()))
        await self._settle(job, plan, seen, written=(None, None))

    async def look(self, account: Account, uid: str) -> Seen:
        """The meeting with this UID as it is now."""
        return await self._look.at(account, uid)

    async def overlapping(self, account: Account, within: Period) -> tuple[bytes, ...]:
        """The text of what may take the account's time then."""
        return await self._calendars.overlapping(account, within.start, within.end)

    async def has_written(self, account: Account, to: Address) -> bool:
        """Whether the account's owner has invited or answered this person, other than by declining or cancelling."""
        return await self._plans.has_written(account.address, to)

    async def recipient(self, account: Account, uid: str, message_ids: Sequence[str]) -> Address | None:
        """To whom our letters with these Message-IDs about this meeting went, if to one person."""
        found = await self._plans.recipient(account.address, uid, message_ids) if message_ids else None
        return Address(found) if found else None

    async def series_by(self, account: Account, organizer: Address) -> tuple[Snapshot, ...]:
        """The organizer's series in the account's calendars, as they last settled."""
        return await self._snapshots.series_by(account.address, organizer, limit=KIN)

    async def sends(self, account: Account) -> str:
        """Who mails about what stands in this calendar: gateway, inbound or nobody (`ProfileFacts`)."""
        return (await self._calendars.profile(account)).sends

    async def keeper(self, account: Account) -> str:
        """Where the server manages attachments, if it does (`ProfileFacts`); "" too when it does not answer."""
        try:
            return (await self._calendars.profile(account)).keeper
        except BackendError:
            return ""

    async def _plan(self, job: Job, account: Account, story: Story, seen: Seen, decision: Decision) -> Plan:
        silent = story.kind in ("change", "status") and decision.outcome is Outcome.UNCHANGED
        plan = Plan(
            job=job.id,
            account=account.address,
            uid=job.uid,
            action="none",
            href=seen.resource.href if seen.resource else "",
            etag=seen.etag,
            collection=_collection(seen),
            keep_snapshot=seen.unsettled and story.kind != "change",
            base=decision.base.data if decision.base is not None else seen.base,
            marks=tuple(
                MarkRow(recurrence_id=key.recurrence_id, party=key.party, mark=order.dump(mark))
                for key, mark in decision.marks.items()
            ),
            entry=None if silent else self.entry(job, story, decision, account=account, seen=seen),
            proposals=tuple(
                proposal_row(one, job, account, name=name) for name, one in _named(job, decision)
            ),
        )
        if isinstance(decision.change, Store):
            data = to_store(decision.change.object, await self._calendars.profile(account)).data
            plan = replace(plan, action="store", data=data, fingerprint=fingerprint(decision.change.object))
            if seen.resource is None:
                collection = (await self._calendars.invitations(account, decision.change.object.kind)).path
                href = self._calendars.new_href(collection, job.uid)
                plan = replace(plan, collection=collection, href=href)
        elif isinstance(decision.change, Remove) and seen.resource is not None:
            plan = replace(plan, action="remove")
        elif story.kind == "change":
            plan = _settled_as_seen(plan, seen)
        return await self._plans.plan(
            job,
            plan,
            (
                *(letter_row(one, job, account, answers=story.message_id) for one in decision.outgoing),
                *(
                    notice_row(one.notice, job, account, name=name)
                    for name, one in _named(job, decision)
                    if one.notice is not None
                ),
                *(notice_row(one, job, account) for one in decision.notices),
            ),
        )

    async def _write(
        self, job: Job, account: Account, plan: Plan, *, seen: Seen
    ) -> tuple[Plan, tuple[Resource | None, Resource | None]]:
        """What lies there now, and what of it is a tail."""
        written = beside = None
        if plan.action == "store":
            data, tail = tails.objects(plan)
            if tail is not None:
                beside = await self._tails.put(account, plan, tail)
            creating = partial(self._plans.creating, job)
            plan, written = await anew.put(self._calendars, account, plan, data=data, creating=creating)
            self._log.emit(Event.CALENDAR_WRITTEN, job=plan.job, uid=plan.uid, action="store")
        if plan.action == "remove":
            await self._calendars.delete(account, plan.href, etag=plan.etag)
            self._log.emit(Event.CALENDAR_WRITTEN, job=plan.job, uid=plan.uid, action="remove")
        await self._tails.remove(account, plan, seen)
        return plan, (written, beside)

    async def _settle(
        self,
        job: Job,
        plan: Plan,
        seen: Seen,
        *,
        written: tuple[Resource | None, Resource | None],
        follow_up: FollowUp | None = None,
    ) -> None:
        snapshot = _snapshot(plan, seen, written[0])
        beside, gone = tails.settled(plan, seen, written[1])
        gone = (*_forgotten(plan, seen, snapshot), *gone)
        own, tail = (one.etag if one is not None else "" for one in written)
        spawn = follow_up(plan, (own, tail)) if follow_up is not None else ()
        await self._plans.settle(job, plan, snapshot=snapshot, beside=beside, gone=gone, spawn=spawn)
        for letter in plan.letters:
            self._log.emit(Event.LETTER_QUEUED, job=job.id, letter=letter)

    def entry(
        self, job: Job, story: Story, decision: Decision, *, account: Account, seen: Seen | None = None
    ) -> Entry:
        """The journal's line about a decision."""
        before = seen.text if seen is not None else None
        return Entry(
            job=job.id,
            kind=story.kind,
            outcome=str(decision.outcome),
            reason=str(decision.reason),
            message_id=story.message_id,
            uid=job.uid,
            recurrence_id=decision.recurrence_id,
            method=story.method or _method(decision),
            account=account.address,
            sender=story.sender,
            certainty=str(story.verdict.certainty) if story.verdict else "",
            notes=tuple(_note(one) for one in decision.notes),
            restore=before if decision.change is not None else None,
        )

    def _tell(self, job: Job, account: Account, decision: Decision) -> None:
        self._log.emit(
            Event.DECISION_MADE,
            job=job.id,
            account=account.address,
            uid=job.uid,
            outcome=str(decision.outcome),
            reason=str(decision.reason),
        )


def _settled_as_seen(plan: Plan, seen: Seen) -> Plan:
    """A change that needs no write: what the watch saw becomes the snapshot; what vanished loses its own."""
    if seen.resource is None or seen.own is None:
        old = seen.snapshot
        return (
            plan if old is None else replace(plan, action="forget", href=old.href, collection=old.collection)
        )
    return replace(plan, data=seen.resource.data, fingerprint=fingerprint(seen.own))


def _is_done(seen: Seen, plan: Plan) -> bool:
    """Whether an earlier run of the job had done what it planned, as far as the calendar shows it."""
    return seen.resource is None if plan.action == "remove" else _ours(seen, plan) is not None


def _half_done(seen: Seen, plan: Plan) -> bool:
    return tails.half_done(seen, plan) or anew.half_done(seen, plan)


def _ours(seen: Seen, plan: Plan) -> Resource | None:
    """What an earlier run of the job wrote, when the calendar shows that it did.

    A plan that left the fingerprint as it was (a raised SEQUENCE alone) cannot be told from somebody's cosmetic edit: it
    is decided again, which changes nothing more. Where somebody has edited what we wrote, the times that we moved tell it
    from an edit of what was there before; that edit is news then, and an answer in it must not be voided by us.
    """
    here, own = seen.resource, seen.own
    if plan.action != "store" or here is None or own is None:
        return None
    if here.href != plan.href or here.etag == plan.etag:
        return None
    before = _parsed(plan.entry.restore if plan.entry is not None else None)
    planned = read_stored(plan.data)
    data, tail = tails.objects(plan)
    now = seen.stored if tail is not None else linked.joined(own, None)
    if now is None:
        return None
    if fingerprint(now) == plan.fingerprint:
        return here if before is None or fingerprint(before) != plan.fingerprint else None
    if rescheduled(before, planned) and not rescheduled(planned, now):
        return Resource(href=plan.href, etag="", data=data)
    return None


def _snapshot(plan: Plan, seen: Seen, written: Resource | None) -> Snapshot | None:
    """What is known of the object from now on; None: as it was, or nothing."""
    if plan.action in ("remove", "forget"):
        return None
    if plan.action == "store" and written is not None and not plan.keep_snapshot:
        return _settled(plan, written.href, written.etag, written.data)
    if plan.action == "none" and plan.data:
        return _settled(plan, plan.href, plan.etag, plan.data)
    old = seen.snapshot
    if old is not None and old.href in seen.ghosts:
        return replace(old, href=plan.href, collection=plan.collection, etag="", base=plan.base)
    if plan.base is None or not plan.href or (old is not None and old.base == plan.base):
        return None
    if old is not None:
        return replace(old, base=plan.base)
    # Nothing has settled yet, so that the watch sees all of it as new; but the next merge needs the organizer's version.
    return replace(_settled(plan, plan.href, "", b""), fingerprint="")


def _settled(plan: Plan, href: str, etag: str, data: bytes) -> Snapshot:
    as_planned = data == plan.data
    # our own text is read again only where that can tell something
    meeting = None if as_planned and not says(data, b"RRULE") else _parsed(data)
    return Snapshot(
        account=plan.account,
        collection=plan.collection,
        href=href,
        uid=plan.uid,
        etag=etag,
        fingerprint=plan.fingerprint if meeting is None or as_planned else fingerprint(meeting),
        series_by=(splits.series_by(meeting) or "") if meeting is not None else "",
        data=data,
        base=plan.base,
    )


def _forgotten(plan: Plan, seen: Seen, snapshot: Snapshot | None) -> tuple[str, ...]:
    """Snapshots of places where the meeting lies no more; kept as long as nothing stands in their stead."""
    return seen.ghosts if snapshot is not None or plan.action in ("remove", "forget") else ()


def _parsed(data: bytes | None) -> CalendarObject | None:
    try:
        return read_stored(data) if data else None
    except MalformedCalendar:
        return None


def _collection(seen: Seen) -> str:
    """As the watch named it; of a place that it has not seen yet, the parent."""
    if seen.resource is None:
        return ""
    if seen.snapshot is not None and seen.snapshot.href == seen.resource.href:
        return seen.snapshot.collection
    return seen.resource.href.rpartition("/")[0] + "/"


def _note(note: Note) -> dict[str, str]:
    return {"code": note.code, **note.facts}


def _named(job: Job, decision: Decision) -> Iterator[tuple[str, Proposal]]:
    """A proposal is called after the job that brought it, so that the letter about it can name it."""
    for number, one in enumerate(decision.proposals):
        yield job.id + (f"-{number + 1}" if number else ""), one


def _method(decision: Decision) -> str:
    """A change has no method of its own: the harshest of its letters names it (the burst breaker counts CANCELs)."""
    methods = {str(one.method) for one in decision.outgoing}
    return next((one for one in ("CANCEL", "REPLY", "REQUEST") if one in methods), "")
