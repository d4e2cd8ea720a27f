"""One message meets one calendar: what a mail or a page said is decided against the stored object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from gateway.accounts import Account, Accounts
from gateway.errors import MalformedCalendar, NoFittingCalendar
from gateway.flows import expiry
from gateway.flows.apply import Apply, FollowUp, Story
from gateway.flows.busy import answered, busy
from gateway.flows.large import content
from gateway.flows.look import Seen
from gateway.flows.receive import unpack_verdict
from gateway.flows.rows import marks_of
from gateway.flows.sorting import PolicyOf, owner_of
from gateway.flows.stored import read_stored
from gateway.flows.telling import hearing, noticing
from gateway.ical.address import Address
from gateway.ical.bounds import DEFAULT_BOUNDS, Bounds
from gateway.ical.event import CalendarObject
from gateway.itip import addresses, freebusy, identity, splits
from gateway.itip.confirming import confirmed
from gateway.itip.decide import decide
from gateway.itip.model import (
    Context,
    Decision,
    Kin,
    Message,
    Method,
    Note,
    Outcome,
    Outgoing,
    Reason,
    Verdict,
)
from gateway.policy import booking
from gateway.policy.rules import govern
from gateway.policy.sending import without_servers
from gateway.ports import Clock, Held, Job, Ledger, Queue

UNKNOWN = Decision(outcome=Outcome.IGNORED, reason=Reason.UNKNOWN_RECIPIENT)
REFUSED = Decision(outcome=Outcome.REFUSED, reason=Reason.POLICY, notes=(Note(code="refused-by-person"),))


class Messages:
    """Handles APPLY jobs whose source is a mail or an answer."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        queue: Queue,
        ledger: Ledger,
        apply: Apply,
        policy: PolicyOf,
        clock: Clock,
        park_for: timedelta,
        bounds: Bounds = DEFAULT_BOUNDS,
        answers: timedelta = timedelta(),
    ) -> None:
        """`answers`: how long an answer on a page waits for others, until its organizer is told; zero: he is not."""
        self._accounts = accounts
        self._queue = queue
        self._ledger = ledger
        self._apply = apply
        self._policy = policy
        self._clock = clock
        self._park_for = park_for
        self._bounds = bounds
        self._answers = answers

    async def run(self, job: Job) -> None:
        """Decide and apply; hold or park what must wait."""
        facts = job.payload
        verdict = unpack_verdict(facts["verdict"])
        story = Story(
            kind=str(facts["source"]),
            message_id=job.message_id,
            method=str(facts["method"]),
            sender=verdict.sender or "",
            verdict=verdict,
        )
        account = self._accounts.find(job.account)
        if account is None or facts.get("refused"):
            await self._end(job, story, UNKNOWN if account is None else REFUSED, account=account)
            return
        message = Message(
            method=Method(facts["method"]), object=read_stored(await content(job)), sender=verdict.sender
        )
        noted = tuple(_note(one) for one in facts.get("notes", ()))

        async def propose(seen: Seen) -> Decision:
            context = self._context(account, facts, verdict, message, seen)
            context = await self._with_busy(account, message, context)
            if addresses.asks_thread(seen.stored, message):
                ids = [str(one) for one in facts.get("in_reply_to", ())]
                context = replace(context, thread=await self._apply.recipient(account, job.uid, ids))
            if seen.stored is None:
                context = await self._with_kin(account, message, context)
            decision = govern(decide(seen.stored, message, context), context.policy)
            decision = await self._answered(account, decision, seen, message, context=context)
            if decision.outgoing:
                decision = without_servers(decision, profile_sends=await self._apply.sends(account))
            if "page" in facts:
                decision = confirmed(decision, message, context, stored=seen.stored)
            known = identity.note(seen.stored, context.owner)
            return replace(decision, notes=(*noted, *known, *decision.notes))

        try:
            follow_up = await self._following(job, account, verdict, message)
            decision = await self._apply.carry_out(job, account, story, propose=propose, follow_up=follow_up)
        except MalformedCalendar as error:
            await self._end(
                job, story, Decision(outcome=Outcome.FAILED, reason=Reason(error.code)), account=account
            )
            return
        except NoFittingCalendar:
            none = Decision(outcome=Outcome.UNSUPPORTED, reason=Reason.UNSUPPORTED_COMPONENT)
            await self._end(job, story, none, account=account)
            return
        if decision is None:
            return
        if decision.outcome is Outcome.HELD:
            await self._hold(job, account, story, decision, verdict=verdict)
        elif decision.outcome is Outcome.PARKED:
            await self._park(job, account, story, decision)

    async def _following(
        self, job: Job, account: Account, verdict: Verdict, message: Message
    ) -> FollowUp | None:
        """What its settlement queues: the end of what it cancels, and a letter about an answer that no mail brought."""
        told = None
        if "page" in job.payload:
            told = await hearing(self._queue, job, message, after=self._answers, now=self._clock.now())
        return told or self._leaving(job, account, verdict, message)

    def _leaving(self, job: Job, account: Account, verdict: Verdict, message: Message) -> FollowUp | None:
        """What the message cancels leaves the calendar later, if the owner wants it so."""
        policy = self._policy(account, verdict, method=message.method, component=message.object.kind)
        if policy.cancel != "delete-after":
            return None
        due = self._clock.now() + policy.cancel_after
        return lambda plan, etags: expiry.leaving(plan, etags, method=message.method, due=due, lane=job.lane)

    async def _with_busy(self, account: Account, message: Message, context: Context) -> Context:
        """What a question about busy times needs to be answered, if it may be."""
        if message.object.kind != freebusy.KIND:
            return context
        if context.policy.freebusy == "known" and message.sender is not None:
            context = replace(context, met=await self._apply.has_written(account, message.sender))
        within = freebusy.window(message, context)
        if within is None:
            return context
        texts = await self._apply.overlapping(account, within)
        times, unread = busy(texts, context.owner, within)
        return replace(context, free_busy=freebusy.together(times), unread=unread)

    async def _answered(
        self, account: Account, decision: Decision, seen: Seen, message: Message, *, context: Context
    ) -> Decision:
        """The answer of a room or resource. Its jobs run one after the other, so that nothing is booked beside this (SPEC 9.1)."""
        if context.policy.booking is None:
            return decision
        wish = booking.asking(decision, seen.stored, message, context=context)
        if isinstance(wish, booking.Wish):
            wish = answered(wish, await self._apply.overlapping(account, wish.within))
        return replace(wish, outgoing=tuple(_by_name(one, account) for one in wish.outgoing))

    async def _with_kin(self, account: Account, message: Message, context: Context) -> Context:
        """The organizer's other series, where the message may bring the rest of one of them."""
        organizer = message.object.organizer
        if organizer is None or not splits.may_be_rest(message):
            return context
        kin = []
        for one in await self._apply.series_by(account, organizer):
            marks = marks_of(await self._ledger.marks(account.address, one.uid))
            base = read_stored(one.base) if one.base else None
            kin.append(Kin(object=read_stored(one.data), base=base, marks=marks))
        return replace(context, kin=tuple(kin))

    def _context(
        self,
        account: Account,
        facts: Mapping[str, Any],
        verdict: Verdict,
        message: Message,
        seen: Seen,
    ) -> Context:
        policy = self._policy(account, verdict, method=message.method, component=message.object.kind)
        return Context(
            owner=owner_of(self._accounts, account),
            now=self._clock.now(),
            marks=seen.marks,
            base=_base(seen),
            verdict=verdict,
            policy=replace(policy, approved=bool(facts.get("approved"))),
            invited_as=Address(facts["invited_as"]) if facts.get("invited_as") else None,
            mail_date=datetime.fromisoformat(facts["mail_date"]) if facts.get("mail_date") else None,
            arrived=datetime.fromisoformat(facts["arrived"]),
            bounds=self._bounds,
            auto_submitted=str(facts.get("auto_submitted") or ""),
            is_list=bool(facts.get("is_list")),
            null_sender=bool(facts.get("null_sender")),
        )

    async def _hold(
        self, job: Job, account: Account, story: Story, decision: Decision, *, verdict: Verdict
    ) -> None:
        held = Held(
            kind=decision.held_kind or "mail",
            account=account.address,
            reason=str(decision.reason),
            job=job.id,
            sender=story.sender,
            uid=job.uid,
            method=story.method,
            message_id=job.message_id,
        )
        entries = (self._apply.entry(job, story, decision, account=account),)
        await self._queue.hold(job, held, entries=entries, spawn=noticing(job, decision, verdict))

    async def _park(self, job: Job, account: Account, story: Story, decision: Decision) -> None:
        """SPEC 4.1: early messages wait for their meeting; when that never comes, this is an outcome."""
        entry = self._apply.entry(job, story, decision, account=account)
        due = job.created + self._park_for
        if due <= self._clock.now():
            # SPEC 4.1: what a proven CANCEL leaves of itself is a tombstone
            await self._apply.conclude(
                job, story, replace(decision, outcome=Outcome.REFUSED), account=account
            )
            return
        first_time = job.reason != str(decision.reason)
        await self._queue.park(
            job, due=due, reason=str(decision.reason), entries=(entry,) if first_time else ()
        )

    async def _end(
        self, job: Job, story: Story, decision: Decision, *, account: Account | None = None
    ) -> None:
        owner = account or Account(address=job.account)
        await self._queue.finish(job, entries=(self._apply.entry(job, story, decision, account=owner),))


def _note(packed: Mapping[str, str]) -> Note:
    return Note(code=packed["code"], facts={name: fact for name, fact in packed.items() if name != "code"})


def _by_name(letter: Outgoing, account: Account) -> Outgoing:
    """A room is called as the configuration has it, where its organizer's program gave it no name."""
    who = letter.summary.attendee
    if letter.summary.kind != "booking" or who is None or who.name:
        return letter
    return replace(letter, summary=replace(letter.summary, attendee=replace(who, name=account.name)))


def _base(seen: Seen) -> CalendarObject | None:
    return read_stored(seen.base) if seen.base else None
