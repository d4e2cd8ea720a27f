"""A gateway on a real store, with a CalDAV server, a smarthost and a clock that a test commands; and how a process dies."""

from __future__ import annotations

import asyncio
import fnmatch
import re
import shutil
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence, Set
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy

from gateway.accounts import BOOKABLE, Account, Accounts, Booking
from gateway.errors import BackendRefused, BackendUnavailable, ObjectRefused, PreconditionFailed
from gateway.flows.apply import Apply
from gateway.flows.bounced import SOURCE as BOUNCE
from gateway.flows.bounced import Bounced
from gateway.flows.burial import Burial
from gateway.flows.changed import ALARM, Burst, Changed
from gateway.flows.deliver import Deliver, DeliverSettings
from gateway.flows.expiry import SOURCE, Expiry
from gateway.flows.mailed import WORDS, Mailed
from gateway.flows.messages import Messages
from gateway.flows.naming import Naming
from gateway.flows.opened import Opener
from gateway.flows.organizing import Organizing
from gateway.flows.proposals import Decided
from gateway.flows.receive import Door, Receive, ReceiveSettings
from gateway.flows.relay import Relay, RelaySettings
from gateway.flows.rendering import RENDER, Rendering
from gateway.flows.rsvp import Given, Rsvp, RsvpSettings
from gateway.flows.statuses import SOURCE as STATUS
from gateway.flows.statuses import Statuses
from gateway.flows.telling import SOURCE as TELLING
from gateway.flows.telling import Telling
from gateway.flows.watch import Round, Watch, WatchSettings
from gateway.flows.witness import SOURCE as OUTGOING
from gateway.flows.witness import Witness
from gateway.flows.worker import Worker, WorkerSettings
from gateway.ical.event import CalendarObject
from gateway.ical.tree import DEFAULT_LIMITS
from gateway.imip.letter import LetterSettings, Reader
from gateway.imip.letter import compose as compose_letter
from gateway.imip.links import LinkTokens
from gateway.imip.read import MailLimits
from gateway.imip.tokens import Tokens
from gateway.imip.trust import TrustSettings
from gateway.imip.write import write
from gateway.itip.model import Method, Policy, Reason, Verdict
from gateway.log import Log
from gateway.ports import (
    Change,
    Collection,
    Document,
    Envelope,
    Job,
    Letter,
    OutgoingMail,
    PassedOn,
    Peer,
    ProfileFacts,
    ReceivedMail,
    Recipient,
    Resource,
    Sent,
    SyncResult,
)
from gateway.render.catalog import catalogues
from gateway.render.letters import FILTERS, Letters
from gateway.render.overview import Overviews
from gateway.render.question import Questions
from gateway.render.templates import Templates
from gateway.render.vocabulary import vocabulary
from gateway.store.db import Database
from gateway.store.desk import Store
from gateway.wiring import parts

NOW = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
ALICE = Account(
    address="alice@example.org", aliases=("a.liddell@example.org",), name="Alice Liddell", username="alice"
)
DORA = Account(address="dora@example.org", name="Dora", username="dora")
ROOM = Account(
    address="room1@example.org",
    name="Room 1",
    kind="room",
    username="room1",
    booking=Booking(who=("@example.net", "@example.org")),
)
LEASES = timedelta(minutes=2)  # after which those of a dead process have run out


# --- the outside -----------------------------------------------------------------------------------------------------


@dataclass
class Clock:
    moment: datetime = NOW

    def now(self) -> datetime:
        return self.moment

    def forward(self, **time: float) -> None:
        self.moment += timedelta(**time)


@dataclass
class Fault:
    """What a call of the server meets instead of, or (`after`) beside, its effect."""

    call: str
    error: BaseException | None = None
    act: Callable[[], Any] | None = None  # somebody else does something at this very moment
    after: bool = False
    times: int = 1
    path: str = ""  # only calls that name it


@dataclass
class CalDav:
    """Implements `ports.Calendars`: ETags, conditions, collections, sync tokens, faults."""

    tokens: bool = True  # sync-collection; else a listing each time
    objects: dict[str, dict[str, tuple[str, bytes]]] = field(
        default_factory=dict
    )  # path -> href -> (etag, text)
    log: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    unwatched: set[str] = field(default_factory=set)  # paths that are searched and not watched
    sends: str = "gateway"
    owners: dict[str, str] = field(default_factory=dict)  # path -> principal
    known_as: dict[str, tuple[str, ...]] = field(default_factory=dict)  # account -> what it is called here
    schedules: bool = False
    provided: tuple[str, ...] = ()
    replaces: bool = False  # refuses an organizer's change in a guest's copy, as Xandikos does
    momentary: bool = True  # without it what ends when it begins is refused, as Cyrus does
    orphans: int = 1  # more overrides than that without their master it refuses, as Radicale does
    faults: list[Fault] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    rewrite: Callable[[bytes], bytes] = bytes
    keeper: str = ""  # where it manages attachments
    documents: dict[str, Document] = field(default_factory=dict)  # URI -> what lies there
    version: int = 0

    def collection(self, account: str, name: str) -> str:
        path = f"/{account.partition('@')[0]}/{name}/"
        self.objects.setdefault(path, {})
        self.log.setdefault(path, [])
        return path

    # what people's programs do

    def save(self, href: str, data: bytes) -> None:
        self.version += 1
        path = _parent(href)
        self.objects[path][href] = (f'"{self.version}"', data)
        self.log[path].append((self.version, href))

    def remove(self, href: str) -> None:
        self.version += 1
        path = _parent(href)
        del self.objects[path][href]
        self.log[path].append((self.version, href))

    def fail(self, call: str, error: BaseException | None = None, **more: Any) -> Fault:
        fault = Fault(call=call, error=error, **more)
        self.faults.append(fault)
        return fault

    # the port

    async def profile(self, account: Account) -> ProfileFacts:
        self._meet("profile", account.address)
        return ProfileFacts(
            name="radicale",
            sends=self.sends,
            schedules=self.schedules,
            provided=self.provided,
            orphans=self.orphans,
            momentary=self.momentary,
            replaces=self.replaces,
            keeper=self.keeper,
        )

    async def user_addresses(self, account: Account) -> tuple[str, ...]:
        return self.known_as.get(account.address, ())

    async def collections(self, account: Account) -> tuple[Collection, ...]:
        self._meet("collections", account.address)
        there = [one for one in self.objects if one.startswith(f"/{account.username}/")]
        return tuple(
            Collection(path=one, owner=self.owners.get(one, ""))
            for one in there
            if one not in self.unwatched
            and any(fnmatch.fnmatchcase(one, pattern) for pattern in account.watch)
        )

    async def invitations(self, account: Account, kind: str = "VEVENT") -> Collection:
        self._meet("invitations", account.address)
        found = await self.collections(replace(account, watch=(account.calendar or "*",)))
        if not found:
            raise BackendRefused("no calendar")
        return found[0]

    async def find(
        self,
        account: Account,
        uid: str,
        *,
        hints: Sequence[str] = (),
        indexed: Set[str] = frozenset(),
        without: Set[str] = frozenset(),
    ) -> Resource | None:
        self._meet("find", uid)
        await self.collections(account)
        mine = [path for path in self.objects if path.startswith(f"/{account.username}/")]
        places = [*hints, *(href for path in mine for href in self.objects[path])]
        for href in places:
            if _parent(href) in without:
                continue
            found = self._at(href)
            if found is not None and _uid(found.data) == uid:
                self._meet("find", uid, after=True)
                return found
        return None

    async def get(self, account: Account, href: str) -> Resource | None:
        self._meet("get", href)
        return self._at(href)

    async def attachment(self, account: Account, url: str, *, limit: int) -> Document | None:
        self._meet("attachment", url)
        return self.documents.get(url)

    async def multiget(self, account: Account, collection: str, hrefs: Sequence[str]) -> tuple[Resource, ...]:
        self._meet("multiget", collection)
        found = tuple(one for one in map(self._at, hrefs) if one is not None)
        self._meet("multiget", collection, after=True)
        return found

    async def overlapping(self, account: Account, start: datetime, end: datetime) -> tuple[bytes, ...]:
        """As the servers do, it errs on the side of more."""
        self.calls.append("overlapping")
        paths = [one.path for one in await self.collections(account)]
        return tuple(text for path in paths for _, text in self.objects[path].values())

    def new_href(self, collection: str, uid: str) -> str:
        return f"{collection}{uid.replace('/', '_')}.ics"

    async def put(self, account: Account, href: str, data: bytes, *, etag: str) -> Resource:
        self._meet("put", href)
        self._require(href, etag)
        if self.replaces and etag and b"ORGANIZER:mailto:bob" in data:
            raise PreconditionFailed(href, element="attendee-allowed")
        events = data.split(b"BEGIN:VEVENT")[1:]
        if len(events) > self.orphans and all(b"\nRECURRENCE-ID" in one for one in events):
            raise BackendRefused(f"{href}: 400")
        if not self.momentary and re.search(rb"\nDTSTART(\S+)\r\nDTEND\1\r|:PT0S", data):
            raise BackendRefused(f"{href}: 403 valid-calendar-data")
        self.save(href, self.rewrite(data))
        written = self._at(href)
        assert written is not None
        self._meet("put", href, after=True)
        return written

    async def delete(self, account: Account, href: str, *, etag: str) -> None:
        self._meet("delete", href)
        if self._at(href) is not None:
            self._require(href, etag)
            self.remove(href)
        self._meet("delete", href, after=True)

    async def sync(self, account: Account, collection: str, *, token: str) -> SyncResult:
        self._meet("sync", collection)
        if collection not in self.objects:
            raise BackendRefused(f"{collection}: 404")
        here = self.objects[collection]
        if self.tokens and token:
            touched = dict.fromkeys(href for number, href in self.log[collection] if number > int(token))
            changes = [Change(href=one, etag=here[one][0] if one in here else None) for one in touched]
        else:
            changes = [Change(href=one, etag=etag) for one, (etag, _) in here.items()]
        result = SyncResult(
            token=str(self.version) if self.tokens else "",
            changes=tuple(changes),
            full=not (self.tokens and token),
        )
        self._meet("sync", collection, after=True)
        return result

    def _at(self, href: str) -> Resource | None:
        found = self.objects.get(_parent(href), {}).get(href)
        return Resource(href=href, etag=found[0], data=found[1]) if found else None

    def _require(self, href: str, etag: str) -> None:
        found = self._at(href)
        if (found.etag if found else "") != etag:
            raise PreconditionFailed(f"{href} is not {etag}")

    def _meet(self, call: str, where: str, *, after: bool = False) -> None:
        if not after:
            self.calls.append(call)
        for fault in list(self.faults):
            if fault.call == call and fault.after is after and fault.path in where and fault.times:
                fault.times -= 1
                if fault.act is not None:
                    fault.act()
                if fault.error is not None:
                    raise fault.error


@dataclass
class Outbox:
    """Implements `ports.Smarthost`; takes everything unless a test has put an answer there."""

    mails: list[OutgoingMail] = field(default_factory=list)
    answers: deque[Sent] = field(default_factory=deque)

    async def send(self, mail: OutgoingMail) -> Sent:
        sent = self.answers.popleft() if self.answers else Sent(state="sent", code=250)
        if sent.state == "sent":
            self.mails.append(mail)
        return sent


@dataclass
class Onward:
    """Implements `ports.NextHop`; takes everything."""

    mails: list[PassedOn] = field(default_factory=list)

    async def pass_on(self, mail: PassedOn) -> tuple[Sent, ...]:
        self.mails.append(mail)
        return tuple(Sent(state="sent", code=250) for _ in mail.envelope.recipients)


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """A letter as its reader got it."""

    to: str
    method: str
    message_id: str
    calendar: str
    content: bytes

    def value(self, name: str) -> str:
        found = re.search(rf"^{name}[^:\r\n]*:([^\r\n]*)", self.calendar, re.MULTILINE)
        return found[1] if found else ""

    @property
    def partstat(self) -> str:
        found = re.search(r"PARTSTAT=([A-Z-]+)", self.calendar)
        return found[1] if found else ""


# --- death -----------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is gone; nothing in it may catch this."""


@dataclass
class Fate:
    """Counts the steps of a process that leave a trace; after `fatal` of them it dies, and stays dead."""

    fatal: int | None = None
    steps: int = 0
    dead: bool = False
    names: list[str] = field(default_factory=list)

    def live(self) -> None:
        if self.dead:
            raise Killed

    def step(self, name: str) -> None:
        self.steps += 1
        self.names.append(name)
        if self.steps == self.fatal:
            self.dead = True
            raise Killed


# Between two of these nothing is written anywhere, so that dying before one is dying after the one before it.
LASTING = frozenset(
    [
        "accept",
        "add",
        "replace",
        "claim",
        "extend",
        "finish",
        "retry",
        "outlived",
        "hold",
        "hold_burst",
        "park",
        "bury",
        "plan",
        "settle",
        "letter_done",
    ]
    + ["letter_deferred", "lease_collection", "keep_collection", "synced", "put", "delete", "send", "pass_on"]
)


class Mortal:
    """A port as a process sees it that may die after each call that leaves a trace."""

    def __init__(self, port: Any, name: str, fate: Fate) -> None:
        self._port, self._name, self._fate = port, name, fate

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._port, name)
        if name == "new_href" or not callable(call):
            return call

        async def mortal(*args: Any, **kwargs: Any) -> Any:
            self._fate.live()
            found = await call(*args, **kwargs)
            if name in LASTING:
                self._fate.step(f"{self._name}.{name}")
            return found

        return mortal


# --- the gateway -----------------------------------------------------------------------------------------------------


@dataclass
class Process:
    """One process of the gateway: worker and watch."""

    worker: Worker
    watch: Watch
    door: Door
    receive: Receive
    fate: Fate


@dataclass
class World:
    """Accounts, their calendars, the store, the smarthost, and a process that works on them."""

    store: Store
    clock: Clock
    calendars: CalDav
    outbox: Outbox
    accounts: Accounts
    letters: Callable[[Letter, datetime], OutgoingMail | Reason]
    policy: Policy = Policy()
    burst: Burst = Burst(events=20, within=timedelta(minutes=10))
    retry_for: timedelta = timedelta(days=2)
    interval: timedelta = timedelta(minutes=1)  # [watch]
    concurrency: int = 1
    statuses: bool = False
    answers: timedelta = timedelta()  # [letters]
    journeys: dict[str, Callable[[Job], Awaitable[None]]] = field(default_factory=dict)
    processes: int = 0
    folder: Path = Path()
    log: Log = field(default_factory=Log)
    onward: Onward = field(default_factory=Onward)
    rsvp: Rsvp = field(init=False)
    organizing: Organizing = field(init=False)
    receive: Receive = field(init=False)
    seen: Naming = field(init=False)  # the calendars as the journeys see them

    def __post_init__(self) -> None:
        self.process = self.begin()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("world")

    def begin(self, fatal: int | None = None) -> Process:
        """A new process on the same store."""
        self.processes += 1
        fate = Fate(fatal=fatal)
        queue, plans, snapshots, ledger, intake = (
            Mortal(getattr(self.store, name), name, fate)
            for name in ("queue", "plans", "snapshots", "ledger", "intake")
        )
        calendars = self.seen = Naming(
            Mortal(self.calendars, "calendars", fate),  # type: ignore[arg-type]
            accounts=self.accounts,
            principals=self.store.principals,
            snapshots=self.store.snapshots,
            hosts={"main": "127.0.0.1"},
            domains=["example.org"],
        )
        smarthost: Any = Mortal(self.outbox, "smarthost", fate)
        clock, log, accounts = self.clock, self.log, self.accounts
        apply = Apply(queue=queue, plans=plans, snapshots=snapshots, calendars=calendars, log=log)  # type: ignore[arg-type]
        opener = self._opener(queue, plans, ledger, snapshots, apply=apply)
        mailed = Mailed(opener=opener, apply=apply, plans=plans, vocabulary=VOCABULARY)  # type: ignore[arg-type]
        receive = self.receive = Receive(
            queue=queue,  # type: ignore[arg-type]
            accounts=accounts,
            tokens=TOKENS,
            settings=RECEIVING,
            log=log,
            words=mailed.turn,
        )
        self.receive = receive
        messages = Messages(
            accounts=accounts,
            queue=queue,  # type: ignore[arg-type]
            ledger=ledger,  # type: ignore[arg-type]
            apply=apply,
            policy=self._policy,
            clock=clock,
            park_for=timedelta(hours=72),
            answers=self.answers,
        )
        telling = Telling(accounts=accounts, queue=queue, apply=apply, clock=clock)  # type: ignore[arg-type]
        given = Given(queue=queue, plans=plans, revoking=self.store.links, messages=messages)  # type: ignore[arg-type]
        self.rsvp = self._rsvp(queue, opener)
        expiry = Expiry(accounts=accounts, queue=queue, apply=apply)  # type: ignore[arg-type]
        changed = Changed(
            accounts=accounts,
            queue=queue,  # type: ignore[arg-type]
            snapshots=snapshots,  # type: ignore[arg-type]
            calendars=calendars,
            apply=apply,
            policy=lambda account: self.policy,
            clock=clock,
            log=log,
            burst=self.burst,
        )
        self.organizing = Organizing(
            accounts=accounts,
            plans=plans,  # type: ignore[arg-type]
            revoking=self.store.links,
            proposals=self.store.proposals,
            crashers=self.store.held,
            outbox=changed.outbox,
            queue=queue,  # type: ignore[arg-type]
            apply=apply,
            links=LINKS,
            pages=OVERVIEWS,
            clock=clock,
            settings=PAGE,
        )
        decided = Decided(
            accounts=accounts,
            queue=queue,  # type: ignore[arg-type]
            proposals=self.store.proposals,
            calendars=calendars,
            apply=apply,
            policy=lambda account: self.policy,
            clock=clock,
        )
        deliver = Deliver(
            accounts=accounts,
            plans=plans,  # type: ignore[arg-type]
            queue=queue,  # type: ignore[arg-type]
            apply=apply,
            smarthost=smarthost,
            compose=self.letters,
            clock=clock,
            log=log,
            settings=DeliverSettings(retry_for=self.retry_for, statuses=self.statuses),
        )
        statuses = Statuses(
            accounts=accounts,
            queue=queue,  # type: ignore[arg-type]
            plans=plans,  # type: ignore[arg-type]
            calendars=calendars,
            apply=apply,
        )

        witness = Witness(
            queue=queue,  # type: ignore[arg-type]
            accounts=accounts,
            apply=apply,
            settings=RECEIVING,
            log=log,
        )
        bounced = Bounced(
            accounts=accounts,
            queue=queue,  # type: ignore[arg-type]
            plans=plans,  # type: ignore[arg-type]
            apply=apply,
            tokens=TOKENS,
            clock=clock,
            log=log,
            writes=self.statuses,
        )

        rendering = Rendering(queue=queue, accounts=accounts, apply=apply, changed=changed)  # type: ignore[arg-type]
        relay = Relay(
            queue=queue,  # type: ignore[arg-type]
            hop=lambda url: Mortal(self.onward, "onward", fate),  # type: ignore[arg-type,return-value]
            clock=clock,
            log=log,
            settings=RelaySettings(
                hostname="example.org", postmaster="postmaster@example.org", retry_for=self.retry_for
            ),
        )

        async def mail(job: Job) -> Job | None:
            if job.payload["peer"]["role"] == "outgoing":
                return await witness.read(job)
            if not bounced.concerns(job):
                return await receive.run(job)
            await bounced.read(job)
            return None

        async def applying(job: Job) -> None:
            await (
                witness.keep(job)
                if job.payload.get("source") == OUTGOING
                else rendering.run(job)
                if job.payload.get("source") == RENDER
                else bounced.run(job)
                if job.payload.get("source") == BOUNCE
                else changed.run(job)
                if job.payload.get("source") == "change"
                else changed.alarm(job)
                if job.payload.get("source") == ALARM
                else expiry.run(job)
                if job.payload.get("source") == SOURCE
                else statuses.run(job)
                if job.payload.get("source") == STATUS
                else telling.run(job)
                if job.payload.get("source") == TELLING
                else decided.run(job)
                if "proposal" in job.payload
                else mailed.run(job)
                if WORDS in job.payload
                else given.run(job)
                if "page" in job.payload
                else messages.run(job)
            )

        name = f"process {self.processes}"
        worker = Worker(
            name=name,
            queue=queue,  # type: ignore[arg-type]
            journeys={
                "mail": mail,
                "apply": applying,
                "letter": deliver.run,
                "relay": relay.run,
                **self.journeys,
            },
            clock=clock,
            log=log,
            settings=WorkerSettings(concurrency=self.concurrency, retry_for=self.retry_for),
            burial=Burial(accounts=accounts, plans=plans, calendars=calendars, relay=relay),  # type: ignore[arg-type]
        )
        watch = Watch(
            snapshots=snapshots,  # type: ignore[arg-type]
            calendars=calendars,
            clock=clock,
            log=log,
            settings=WatchSettings(
                interval=self.interval,
                settle=timedelta(seconds=30),
                settle_deleted=timedelta(minutes=5),
            ),
            worker=name,
            schedules=self._schedules,
        )
        door = Door(intake, accounts, log)  # type: ignore[arg-type]
        return Process(worker=worker, watch=watch, door=door, receive=receive, fate=fate)

    def _opener(self, queue: Any, plans: Any, ledger: Any, snapshots: Any, *, apply: Apply) -> Opener:
        return Opener(
            accounts=self.accounts,
            plans=plans,
            queue=queue,
            ledger=ledger,
            snapshots=snapshots,
            apply=apply,
            policy=lambda account, verdict, method, component="": self.policy,
            links=LINKS,
            clock=self.clock,
        )

    def _rsvp(self, queue: Any, opener: Opener) -> Rsvp:
        return Rsvp(
            opener=opener,
            queue=queue,
            links=LINKS,
            pages=PAGES,
            clock=self.clock,
            log=self.log,
            languages=self.store.languages,
            settings=PAGE,
        )

    def _policy(
        self, account: Account, verdict: Verdict, /, *, method: Method, component: str = ""
    ) -> Policy:
        rooms = account.kind in BOOKABLE and account.booking.mode != "none"
        return replace(self.policy, booking=account.booking if rooms else None)

    def _schedules(self, account: Account, meeting: CalendarObject) -> bool:
        return parts._schedules(self.accounts, account, meeting)

    async def restart(self, *, at_once: bool = False) -> None:
        """The process died; another one begins when its leases have run out, or `at_once` ends them itself."""
        if at_once:
            await self.store.queue.recover()
            await self.store.snapshots.recover()
        else:
            self.clock.moment += LEASES
        self.process = self.begin()

    # what the process does

    async def work(self) -> int:
        """Run what is due now."""
        return await self.process.worker.once()

    async def sync(self) -> tuple[Round, ...]:
        """A watch round of every collection."""
        there = {path.split("/")[1] for path in self.calendars.objects}
        seen = [one for one in self.accounts if one.username in there]
        return tuple([one for account in seen for one in await self.process.watch.all(account)])

    async def settle(self, **time: float) -> None:
        """Look, let the settle time pass, work."""
        await self.sync()
        self.clock.forward(**(time or {"seconds": 31}))
        await self.work()

    async def drain(self) -> None:
        """Look and work, letting time pass, until nothing is left to do."""
        while True:
            rounds = await self.sync()
            worked = await self.work()
            due = await self.store.queue.next_due()
            if due is not None and due - self.clock.now() < timedelta(hours=2):
                self.clock.moment = max(due, self.clock.now()) + timedelta(seconds=1)
            elif not worked and not any(one.changed for one in rounds):
                return

    # what people do

    async def mail(
        self,
        method: str,
        body: str,
        *,
        sender: str = "bob@example.net",
        to: str = "alice@example.org",
        dmarc: str = "pass",
        message_id: str = "",
        run: bool = True,
    ) -> str:
        """A mail arrives and, unless `run` is false, all that comes of it is done; its Message-ID."""
        self.processes += 1
        name = message_id or f"<m{self.processes}.{method.lower()}@{sender.partition('@')[2]}>"
        content = raw_mail(calendar(body, method), method, sender=sender, to=to, dmarc=dmarc, message_id=name)
        await self.deliver(content, to=to, sender=sender)
        if run:
            await self.work()
        return name

    async def deliver(
        self,
        content: bytes,
        *,
        to: str = "alice@example.org",
        sender: str = "x@y.net",
        peer: Peer | None = None,
    ) -> str:
        return await self.process.door.accept(
            ReceivedMail(
                envelope=Envelope(
                    sender=sender, recipients=tuple(Recipient(address=one) for one in to.split(","))
                ),
                peer=peer or Peer(address="192.0.2.1"),
                content=content,
                received_at=self.clock.now(),
            )
        )

    def save(self, body: str, *, name: str = "m1", path: str = "/alice/calendar/") -> str:
        """A calendar program writes an object; its href."""
        href = f"{path}{name}.ics"
        self.calendars.save(href, calendar(body))
        return href

    def edit(self, href: str, *changes: tuple[str, str]) -> None:
        """A calendar program changes what lies there."""
        text = self.text(href)
        for old, new in changes:
            assert old in text, (old, text)
            text = text.replace(old, new)
        self.calendars.save(href, text.encode())

    def text(self, href: str) -> str:
        """What lies there, unfolded; "" when nothing does."""
        found = self.calendars.objects.get(_parent(href), {}).get(href)
        return re.sub(r"\r\n[ \t]", "", found[1].decode()) if found else ""

    # what they see

    def got(self, to: str = "") -> list[Got]:
        """The letters that left, oldest first."""
        found = [_got(one) for one in self.outbox.mails]
        return [one for one in found if not to or one.to == to]

    async def told(self, key: str) -> list[tuple[str, str]]:
        """(outcome, reason) of every line of the journal about a Message-ID or UID."""
        return [(one["outcome"], one["reason"]) for one in await self.store.journal.story(key)]

    async def waiting(self) -> list[tuple[str, str, str]]:
        """(kind, state, reason) of every job."""
        return [
            (one["kind"], one["state"], one["reason"] or "") for one in await self.store.queue.list_jobs()
        ]


LOG = Log()
TOKENS = Tokens(secret=b"a secret of the tests", service="calendar@example.org")
LINKS = LinkTokens(keys=(b"a secret of the tests",), url="http://pages")
LOCALES = {one.stem: one.read_bytes() for one in (TEMPLATES / "locale").glob("*.po")}
PAGE = RsvpSettings(undo=timedelta(seconds=60), dwell=timedelta(seconds=2), caution=timedelta(minutes=2))
WEB = Templates(
    {one.relative_to(TEMPLATES).as_posix(): one.read_text("utf-8") for one in TEMPLATES.glob("web/*.html")},
    filters=FILTERS,
)
PAGES = Questions(WEB, catalogues(LOCALES), language="en", zone="UTC")
OVERVIEWS = Overviews(WEB, catalogues(LOCALES), PAGES)
VOCABULARY = vocabulary(catalogues(LOCALES))
RECEIVING = ReceiveSettings(
    trust=TrustSettings(authserv_ids=frozenset({"mx.example.org"})),
    mail_limits=MailLimits(),
    calendar_limits=DEFAULT_LIMITS,
)


def calendar(body: str, method: str = "") -> bytes:
    """A VCALENDAR around components."""
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN"] + ([f"METHOD:{method}"] if method else [])
    return "\r\n".join([*head, *body.strip().splitlines(), "END:VCALENDAR", ""]).encode()


def event(uid: str = "m1", **lines: str) -> str:
    """A VEVENT; underscores in names are hyphens, a value with a leading `;` or `:` is taken as it is."""
    facts = {
        "DTSTAMP": "20261101T080000Z",
        "DTSTART": "20261110T100000Z",
        "DTEND": "20261110T110000Z",
        "SUMMARY": "Lunch",
        "SEQUENCE": "0",
    } | lines
    extra = facts.pop("more", "")
    shown = [f"{name.replace('_', '-')}:{value}" for name, value in facts.items() if value]
    return "\n".join(["BEGIN:VEVENT", f"UID:{uid}", *shown, *extra.split(), "END:VEVENT"])


def invitation(
    uid: str = "m1", guests: str = "alice@example.org", organizer: str = "bob@example.net", **lines: str
) -> str:
    """Somebody asks somebody."""
    more = "\n".join(
        [
            f"ORGANIZER:mailto:{organizer}",
            f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{organizer}",
            *(f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{one}" for one in guests.split()),
        ]
    )
    return event(uid, more=more, **lines)


def meeting(uid: str = "m1", guests: str = "bob@example.net", **lines: str) -> str:
    """Alice asks somebody."""
    return invitation(uid, guests, "alice@example.org", **lines)


def answer(uid: str = "m1", partstat: str = "ACCEPTED", who: str = "bob@example.net", **lines: str) -> str:
    """A guest of Alice answers."""
    more = f"ORGANIZER:mailto:alice@example.org\nATTENDEE;PARTSTAT={partstat}:mailto:{who}"
    return event(uid, more=more, **{"DTSTAMP": "20261102T090000Z", **lines})


def raw_mail(
    data: bytes, method: str, *, sender: str, to: str, dmarc: str = "pass", message_id: str, extra: str = ""
) -> bytes:
    head = f"""Received: from mx by here (imip-gateway)
Authentication-Results: mx.example.org; dmarc={dmarc} header.from={sender.partition("@")[2]}
From: {sender}
To: {to.split(",")[0]}
Message-ID: {message_id}
Date: Mon, 02 Nov 2026 08:00:00 +0000
Subject: about a meeting
MIME-Version: 1.0
{extra}Content-Type: text/calendar; charset=utf-8; method={method}

"""
    return head.replace("\n", "\r\n").encode() + data


def _parent(href: str) -> str:
    return href.rpartition("/")[0] + "/"


def _uid(data: bytes) -> str:
    found = re.search(rb"^UID:([^\r\n]*)", data, re.MULTILINE)
    return found[1].decode() if found else ""


def _got(mail: OutgoingMail) -> Got:
    message = message_from_bytes(mail.content, policy=policy.default)
    found = (one for one in message.walk() if one.get_content_type() == "text/calendar")
    part = next(found, None)  # a notice has none
    payload = part.get_payload(decode=True) if part is not None else b""
    assert isinstance(payload, bytes)
    text = re.sub(r"\r?\n[ \t]", "", payload.decode()).replace("\r\n", "\n")
    method = re.search(r"^METHOD:(.*)$", text, re.MULTILINE)
    return Got(
        to=mail.recipient,
        method=method[1].strip() if method else "",
        message_id=message["Message-ID"],
        calendar=text,
        content=mail.content,
    )


# --- fixtures --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def composing() -> Callable[[Letter, datetime], OutgoingMail | Reason]:
    """The way from a stored letter to a mail, as wiring joins it."""
    sources = {
        one.relative_to(TEMPLATES).as_posix(): one.read_text("utf-8") for one in TEMPLATES.glob("mail/*.*")
    }
    renderer = Letters(Templates(sources, filters=FILTERS), catalogues({}))
    delegates = {"boss@example.org": frozenset({"dora@example.org", "dora@example.com"})}
    settings = LetterSettings(domains=("example.org",), delegates=delegates, zone=ZoneInfo("UTC"))

    def compose(letter: Letter, moment: datetime) -> OutgoingMail | Reason:
        parts = compose_letter(
            letter,
            moment,
            reader=Reader(zone=letter.zone),
            settings=settings,
            tokens=TOKENS,
            renderer=renderer,
            signed=LINKS,
        )
        return parts if isinstance(parts, Reason) else write(parts)

    return compose


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An upgraded SQLite file without rows: a copy costs less than an upgrade."""
    folder = tmp_path_factory.mktemp("template")
    database = Database("", folder)
    database.upgrade()
    database.write_now(lambda conn: None)
    database._changing.dispose()
    database._asking.dispose()
    return folder / "gateway.sqlite3"


NewWorld = Callable[..., Awaitable[World]]


@pytest.fixture
async def new_world(
    tmp_path: Path, empty_database: Path, composing: Callable[[Letter, datetime], OutgoingMail | Reason]
) -> AsyncIterator[NewWorld]:
    """Makes worlds, each with a database of its own."""
    stores: list[Store] = []

    async def make(
        *, like: World | None = None, watched: bool = True, database: str = "", **facts: Any
    ) -> World:
        folder = tmp_path / f"state{len(stores)}"
        shutil.copytree(like.folder, folder) if like else folder.mkdir()
        if like is None and not database:
            shutil.copy(empty_database, folder / "gateway.sqlite3")
        clock = Clock(like.clock.moment) if like else Clock()
        store = Store(database, folder, "example.org", now=clock.now)
        if not database:
            fast(store)
        await store.start()
        stores.append(store)
        world = World(
            store=store,
            clock=clock,
            calendars=deepcopy(like.calendars) if like else CalDav(),
            outbox=deepcopy(like.outbox) if like else Outbox(),
            accounts=Accounts((ALICE, DORA, ROOM), ("example.org",), service_address="calendar@example.org"),
            log=LOG,
            folder=folder,
            **{"letters": composing, "policy": like.policy if like else Policy(), **facts},
        )
        if like is None:
            world.calendars.collection("alice", "calendar")
            if watched:
                await world.sync()
        return world

    yield make
    for one in stores:
        await one.close()


def fast(store: Store) -> None:
    """Processes die here, machines do not: nothing need reach the disk."""

    @sqlalchemy.event.listens_for(store.db._changing, "connect")
    def connected(raw: Any, record: Any) -> None:
        raw.execute("PRAGMA synchronous = OFF")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database, "" for SQLite: what both must do alike."""
    if request.param == "sqlite":
        yield ""
        return
    server = request.getfixturevalue("postgresql")
    name = server.create(request.getfixturevalue("empty_postgresql"))
    yield server.url(name)
    server.drop(name)


@pytest.fixture
async def world(new_world: NewWorld) -> World:
    """One world whose empty calendars were seen."""
    return await new_world()


@pytest.fixture(scope="session")
def say() -> SimpleNamespace:
    """How to write what people write."""
    return SimpleNamespace(
        calendar=calendar,
        event=event,
        invitation=invitation,
        meeting=meeting,
        answer=answer,
        raw_mail=raw_mail,
        receiving=RECEIVING,
        unavailable=BackendUnavailable("503"),
        refused=BackendRefused("403"),
        untaken=ObjectRefused("PUT /alice/calendar/m1.ics: 403 valid-calendar-data"),
        conflict=PreconditionFailed("412"),
        Sent=Sent,
        Killed=Killed,
        partial=partial,
        replace=replace,
    )


@pytest.fixture
def event_loop_of(
    tmp_path: Path, empty_database: Path, composing: Callable[[Letter, datetime], OutgoingMail | Reason]
) -> Any:
    """A world, and how to run something in it, for property tests, which are not asynchronous themselves."""
    shutil.copy(empty_database, tmp_path / "gateway.sqlite3")
    with asyncio.Runner() as runner:
        clock = Clock()
        store = Store("", tmp_path, "example.org", now=clock.now)
        fast(store)
        runner.run(store.start())

        async def make() -> World:
            return World(
                store=store,
                clock=clock,
                calendars=CalDav(),
                outbox=Outbox(),
                accounts=Accounts(
                    (ALICE, DORA, ROOM), ("example.org",), service_address="calendar@example.org"
                ),
                letters=composing,
                log=LOG,
            )

        world = runner.run(make())
        world.calendars.collection("alice", "calendar")
        runner.run(world.sync())
        yield world, runner.run
        runner.run(store.close())
