"""The organizer's page of one meeting: who was written to, what came of it, who answers what, and what guests propose.

His link stands in the letters to him alone. A change of his that has not settled is shown as the mails that it will be. To look changes nothing; his word on a proposal, or on somebody who answered
uninvited, is that of the commands `proposal` and `held`, and waits the undo time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.accounts import Account, Accounts
from gateway.errors import BackendError, MalformedCalendar
from gateway.flows.apply import Apply
from gateway.flows.opened import KEPT_OPEN
from gateway.flows.rsvp import OPEN_FOR, RsvpSettings
from gateway.flows.sorting import owner_of
from gateway.ical import recur
from gateway.ical.event import CalendarObject
from gateway.imip.links import LinkTokens, Purpose
from gateway.itip import summary
from gateway.itip.answers import COMMENT
from gateway.itip.model import Role, Summary
from gateway.itip.roles import identities, role
from gateway.ports import (
    Clock,
    Crasher,
    Crashers,
    Letter,
    Links,
    Plans,
    Posted,
    Proposals,
    Queue,
    Shown,
    Undecided,
    Visit,
)
from gateway.render.overview import Guest, Outbox, Overview, Overviews

ANSWERS = {"accept": "accepted", "keep": "declined"}
WORDS = {"admit": "approved", "refuse": "refused"}
REVOKE, ALL = "revoke", "*"
_TOLD = frozenset(
    {"proposal", "message", "bounced", "answers", "stranger"}
)  # kinds of letters that carry the link


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """What the link leads to."""

    row: int
    letter: Letter
    account: Account
    stored: CalendarObject | None
    proposals: tuple[Undecided, ...]
    crashers: tuple[Crasher, ...]


Waiting = Callable[[Account, str], Awaitable[Outbox | None]]  # of `Changed`


class Organizing:
    """Implements `ports.Pages` for organizers."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        plans: Plans,
        revoking: Links,
        proposals: Proposals,
        crashers: Crashers,
        outbox: Waiting,
        queue: Queue,
        apply: Apply,
        links: LinkTokens,
        pages: Overviews,
        clock: Clock,
        settings: RsvpSettings,
    ) -> None:
        self._accounts = accounts
        self._plans = plans
        self._revoking = revoking
        self._proposals = proposals
        self._crashers = crashers
        self._outbox = outbox
        self._queue = queue
        self._apply = apply
        self._links = links
        self._pages = pages
        self._clock = clock
        self._settings = settings

    async def show(self, visit: Visit) -> Shown:
        """The state of the meeting."""
        found = await self._open(visit.token)
        if found is None:
            return Shown(status=404, html=self._pages.nothing(visit))
        return Shown(status=200, html=await self._page(visit, found))

    async def calendar(self, visit: Visit) -> bytes | None:
        """He has it."""
        return None

    async def take(self, visit: Visit) -> Shown:
        """His word on one proposal, on somebody who was not invited, or on the links of his guests."""
        found = await self._open(visit.token)
        if found is None:
            return Shown(status=404, html=self._pages.nothing(visit))
        nonce = self._links.read_nonce(Purpose.ORGANIZER, found.row, visit.form.get("csrf", ""))
        now = self._clock.now()
        if nonce is None or now - nonce.made > OPEN_FOR:
            return Shown(status=403, html=await self._page(visit, found, problem="stale"))
        if visit.form.get("answer") != "undo" and now - nonce.made < self._settings.dwell:
            return Shown(status=303, location="n=again")
        if visit.form.get("answer") == REVOKE:
            done = await self._revoked(visit.form.get("guest", ""), found)
            return Shown(status=303, location=f"n={done}")
        decide = self._admitted if "crasher" in visit.form else self._taken
        done = await decide(visit.form, found, knows=nonce.seen == _digest(found))
        return Shown(status=303, location=f"n={done}")

    async def _taken(self, form: Mapping[str, str], found: Meeting, *, knows: bool) -> str:
        one = next((one for one in found.proposals if one.row.id == form.get("proposal")), None)
        answer = ANSWERS.get(form.get("answer", ""), "")
        if one is None:
            return "late"
        if form.get("answer") == "undo":
            return "undone" if one.job and await self._queue.drop(one.job) else "late"
        if not answer:
            return "choose"
        if one.answer == answer:
            return "given"
        if one.answer and not await self._queue.drop(one.job):
            return "late"
        if one.answer and not knows:
            return "both"  # two words at once are those of a program that sends every form
        due = self._clock.now() + self._settings.undo
        return "given" if await self._proposals.answer(one.row.id, answer, due=due) else "late"

    async def _admitted(self, form: Mapping[str, str], found: Meeting, *, knows: bool) -> str:
        """All that this one has answered so far, like a proposal."""
        his = [one for one in found.crashers if one.sender == form["crasher"]]
        said = [one for one in his if one.word]
        word = WORDS.get(form.get("answer", ""), "")
        if not his:
            return "late"
        if form.get("answer") == "undo":
            return "undone" if said and await self._withdrawn(said) else "late"
        if not word:
            return "choose"
        if any(one.word != word for one in said):
            if not await self._withdrawn(said):
                return "late"
            if not knows:
                return "both"
        due = self._clock.now() + self._settings.undo
        say = self._crashers.approve if word == "approved" else self._crashers.refuse
        for one in his:
            if one.word != word:
                await say(one.item, due=due)
        return "given"

    async def _withdrawn(self, said: Sequence[Crasher]) -> bool:
        return all([await self._crashers.withdraw(one.item) for one in said])

    async def _revoked(self, whose: str, found: Meeting) -> str:
        """A form sent as it came says nobody, so that a program which sends every form takes no link from anybody."""
        account, uid = found.account.address, found.letter.letter.uid
        own = owner_of(self._accounts, found.account)
        written = {one.recipient for one in await self._plans.posted(account, uid)} - own
        theirs = written if whose == ALL else written & {whose}
        if not theirs:
            return "whose"
        await self._revoking.revoke(account, uid, theirs)
        return "revoked"

    async def _open(self, token: str) -> Meeting | None:
        now = self._clock.now()
        row = self._links.read(Purpose.ORGANIZER, token, now)
        letter = await self._plans.letter_of_row(row) if row is not None else None
        account = self._accounts.find(letter.letter.account) if letter is not None else None
        if row is None or letter is None or letter.revoked or account is None:
            return None
        if letter.letter.summary.get("kind") not in _TOLD:
            return None
        stored = await self._meeting(account, letter.letter.uid)
        if stored is not None and _over(stored, now - KEPT_OPEN):
            return None
        return Meeting(
            row=row,
            letter=letter,
            account=account,
            stored=stored,
            proposals=await self._proposals.of_meeting(account.address, letter.letter.uid),
            crashers=await self._crashers.crashers(account.address, letter.letter.uid),
        )

    async def _meeting(self, account: Account, uid: str) -> CalendarObject | None:
        try:
            stored = (await self._apply.look(account, uid)).stored
        except (BackendError, MalformedCalendar):
            return None
        ours = stored is not None and role(stored, owner_of(self._accounts, account)) is Role.ORGANIZER
        return stored if ours else None

    async def _page(self, visit: Visit, found: Meeting, *, problem: str = "") -> str:
        now = self._clock.now()
        told = summary.load(found.letter.letter.summary).now
        if found.stored is not None:
            told = summary.facts(found.stored, "", viewer=None, guest_list="full", now=now)
        posted = await self._plans.posted(found.account.address, found.letter.letter.uid)
        overview = Overview(
            summary=Summary(kind="invitation", now=told),
            account=found.account,
            action=f"/{Purpose.ORGANIZER}/{visit.token}",
            nonce=self._links.nonce(Purpose.ORGANIZER, found.row, now, seen=_digest(found)),
            there=found.stored is not None,
            guests=_guests(found, posted),
            proposals=found.proposals,
            crashers=found.crashers,
            outbox=await self._outbox(found.account, found.letter.letter.uid),
            problem=problem or visit.query.get("n", ""),
        )
        return self._pages.overview(overview, visit)


def _guests(found: Meeting, posted: tuple[Posted, ...]) -> tuple[Guest, ...]:
    """Everybody on the list, then those who were written to and are on it no more."""
    left = {one.recipient: one for one in posted}
    guests = []
    for line in found.stored.attendees() if found.stored is not None else ():
        if found.stored is not None and found.stored.organizer in identities(line):
            continue
        his = next((left.pop(one) for one in sorted(identities(line)) if one in left), None)
        status = (line.param("SCHEDULE-STATUS") or "").split(",")[0].strip()
        comment = line.param(COMMENT) or ""
        guests.append(Guest(guest=summary.guest(line), posted=his, status=status, comment=comment))
    gone = [Guest(guest=None, posted=one, status="", comment="") for one in left.values()]
    return (*guests, *(one for one in gone if one.posted is not None and one.posted.method == "CANCEL"))


def _over(stored: CalendarObject, before: datetime) -> bool:
    try:
        last = recur.last_end(stored)
    except MalformedCalendar:
        return False
    return last is not None and last < before


def _digest(found: Meeting) -> str:
    words = [f"{one.row.id} {one.answer} {one.job}" for one in found.proposals]
    told = "\n".join([*words, *(f"{one.item} {one.word}" for one in found.crashers)])
    return hashlib.sha256(told.encode()).hexdigest()[:16] if told else ""


__all__ = ["Organizing"]
