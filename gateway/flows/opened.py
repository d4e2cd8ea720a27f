"""What a link of a letter leads to: the letter, the meeting as it is now, and how the one stands to it who was written to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from gateway.accounts import Account, Accounts
from gateway.errors import BackendError, MalformedCalendar
from gateway.flows.apply import Apply
from gateway.flows.rows import marks_of
from gateway.flows.sorting import PolicyOf, owner_of
from gateway.flows.stored import read_stored
from gateway.ical.address import Address, address
from gateway.ical.event import CalendarObject
from gateway.imip import attached
from gateway.imip.links import LinkTokens, Purpose
from gateway.imip.write import with_method
from gateway.itip import invited, summary
from gateway.itip.invited import Standing
from gateway.itip.model import Certainty, Context, Facts, MarkKey, Method, Role, Summary, Verdict
from gateway.itip.roles import role
from gateway.itip.views import shareable, view
from gateway.ports import Clock, Job, Ledger, Letter, Plans, Queue, Snapshots

SOURCE = "answer"
KEPT_OPEN = timedelta(days=30)  # behind the last occurrence
_ASKED = frozenset({"invitation", "update", "delegation", "answered"})  # kinds of letters


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """One guest's view of one meeting. `stored` None: the organizer's calendar has it no more."""

    row: int
    letter: Letter
    account: Account
    who: Address
    context: Context
    stored: CalendarObject | None
    standing: Standing
    reachable: bool = True  # False: `stored` is what we last knew
    waiting: tuple[Job, ...] = ()  # his answers that have not taken effect
    keeper: str = ""  # where attachments are managed, if they are and can be linked to
    documents: str = ""  # the page that hands them over

    @property
    def closed(self) -> str:
        """Why nothing can be answered, or ""."""
        if self.stored is None:
            return "gone"
        if self.standing.line is None:
            return "removed"
        if self.standing.cancelled:
            return "cancelled"
        last = self.standing.last
        return "over" if last is not None and last <= self.context.now else ""

    @property
    def expired(self) -> bool:
        """SPEC 7.1, D3: a link lives no longer than a month behind the end of the meeting as it is now."""
        last = self.standing.last
        return last is not None and last + KEPT_OPEN < self.context.now

    @property
    def answered(self) -> datetime | None:
        """When he gave the answer that counts."""
        key = MarkKey(recurrence_id=self.letter.letter.recurrence_id, party=self.who)
        mark = self.context.marks.get(key) or self.context.marks.get(replace(key, recurrence_id=""))
        if mark is None or mark.dtstamp is None or mark.partstat != self.standing.partstat:
            return None
        return min(mark.dtstamp, mark.arrived or mark.dtstamp)

    def told(self) -> Summary:
        """What he may read of the meeting, against what the letter told him."""
        then = summary.load(self.letter.letter.summary)
        if self.stored is None or self.standing.line is None:
            return then
        now = self._facts(self.stored, then)
        differs = tuple(one for one in summary.changed(then.now, now) if one not in ("guests", "comment"))
        return Summary(kind="update" if differs else "invitation", now=now, before=then.now, changed=differs)

    def shown(self) -> Summary:
        """The same for his own eyes: with links to what is attached behind the organizer's login."""
        told, meeting = self.told(), self.calendar()
        if meeting is None:
            return told
        there = attached.managed(meeting.data, self.keeper)
        return replace(told, now=attached.told(told.now, there, self._links()))

    def _links(self) -> dict[str, str]:
        then = attached.managed(self.letter.letter.calendar, self.keeper)
        return attached.links(then, self.documents)

    def _facts(self, stored: CalendarObject, then: Summary) -> Facts:
        key = self.letter.letter.recurrence_id
        known = key if key in stored.overrides or not key else ""
        return summary.facts(
            self._seen(stored),
            known,
            viewer=self.who,
            guest_list=self.context.policy.guest_list,
            now=self.context.now,
        )

    def _seen(self, stored: CalendarObject) -> CalendarObject:
        shown = view(shareable(stored), self.who, guest_list=self.context.policy.guest_list)
        gone = set(stored.overrides) - set(shown)
        return stored.with_components(shown).without_components(gone) if shown else stored

    def calendar(self) -> CalendarObject | None:
        """The meeting as he may have it; None when there is none for him."""
        if self.stored is None or self.standing.line is None:
            return None
        return self._seen(shareable(self.stored))

    def published(self) -> bytes | None:
        """The same as a file, for a calendar of his that has no login at the organizer's server either."""
        meeting = self.calendar()
        if meeting is None:
            return None
        return with_method(attached.linked(meeting.data, self.keeper, self._links()), "PUBLISH")


class Opener:
    """Finds out what a link leads to."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        plans: Plans,
        queue: Queue,
        ledger: Ledger,
        snapshots: Snapshots,
        apply: Apply,
        policy: PolicyOf,
        links: LinkTokens | None,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._plans = plans
        self._queue = queue
        self._ledger = ledger
        self._snapshots = snapshots
        self._apply = apply
        self._policy = policy
        self._links = links
        self._clock = clock

    async def open(self, purpose: Purpose, token: str) -> Opened | None:
        """None: the link is not ours, its time is over, or what it was about is forgotten."""
        row = self._links.read(purpose, token, self._clock.now()) if self._links is not None else None
        found = None if row is None else await self.row(row)
        return None if found is None or found.expired else found

    async def row(self, row: int) -> Opened | None:
        """The same for the number of a letter that was proven in another way."""
        letter = await self._plans.letter_of_row(row)
        account = self._accounts.find(letter.letter.account) if letter is not None else None
        if letter is None or letter.revoked or account is None:
            return None
        if letter.letter.summary.get("kind") not in _ASKED:
            return None
        who = address(letter.letter.recipient)
        stored, reachable = await self._meeting(account, letter.letter.uid)
        if stored is not None and role(stored, owner_of(self._accounts, account)) is not Role.ORGANIZER:
            stored = None
        context = await self._context(account, letter.letter.uid, who)
        jobs = await self._queue.to_come(account.address, letter.letter.uid)
        asks = self._links is not None and attached.attaches(letter.letter.calendar)
        return Opened(
            row=row,
            letter=letter,
            account=account,
            who=who,
            context=context,
            stored=stored,
            standing=Standing(line=None) if stored is None else invited.standing(stored, who, context.now),
            reachable=reachable,
            waiting=tuple(one for one in jobs if _his(one, who)),
            keeper=await self._apply.keeper(account) if reachable and asks else "",
            documents=self._documents(row),
        )

    def _documents(self, row: int) -> str:
        return self._links.link(Purpose.ATTACHMENT, row, self._clock.now()) if self._links is not None else ""

    async def _meeting(self, account: Account, uid: str) -> tuple[CalendarObject | None, bool]:
        """As it is; where the calendar does not answer, as it was last known."""
        try:
            return (await self._apply.look(account, uid)).stored, True
        except (BackendError, MalformedCalendar):
            known = await self._snapshots.by_uid(account.address, uid)
            texts = [one.data for one in known if one.data]
            return (read_stored(texts[0]) if texts else None), False

    async def _context(self, account: Account, uid: str, who: Address) -> Context:
        verdict = proven(who)
        return Context(
            owner=owner_of(self._accounts, account),
            now=self._clock.now(),
            marks=marks_of(await self._ledger.marks(account.address, uid)),
            policy=self._policy(account, verdict, method=Method.REPLY),
            verdict=verdict,
        )


def proven(who: Address) -> Verdict:
    """SPEC 3.1: a token proves this guest's answer about this meeting, and nothing else."""
    return Verdict(sender=who, certainty=Certainty.PROVEN, reasons=("answer-token",))


def _his(job: Job, who: Address) -> bool:
    facts: dict[str, Any] = dict(job.payload)
    return facts.get("source") == SOURCE and facts.get("who") == who


__all__ = ["KEPT_OPEN", "SOURCE", "Opened", "Opener", "proven"]
