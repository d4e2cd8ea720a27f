"""What the journeys ask of the outside: small Protocols, and the values that edges share.

Edges (smtp, caldav, web, store) do not know each other; the journeys in `flows/` know only this file. All times are
aware datetimes in UTC; outcome and reason are the strings of `itip.model.Outcome` and `itip.model.Reason`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from gateway.accounts import Account

# --- mail in ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One accepted RCPT TO, with the parameters of RFC 3461 that came with it."""

    address: str  # as the client wrote it, without angle brackets
    orcpt: str = ""
    notify: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """MAIL FROM and RCPT TO of one transaction (RFC 5321 3.3, 3461, 6152, 6531)."""

    sender: str  # "" is the null sender
    recipients: tuple[Recipient, ...]
    body: str = ""  # "", "7BIT", "8BITMIME"
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who handed us the mail, as far as the connection tells."""

    role: str = "incoming"  # incoming | outgoing
    protocol: str = "smtp"  # smtp | lmtp | submit
    address: str = ""  # IP address, or "" for a unix socket or the spool
    trusted: bool = False  # inside `trusted_networks` (or submitted: SPEC 12.6)
    user: str = ""  # SASL user
    helo: str = ""
    tls: bool = False
    after: str = "discard"  # discard | relay | render
    relay_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedMail:
    """One mail, as it will lie in the queue: `content` already carries our Received line, and only CRLF line ends."""

    envelope: Envelope
    peer: Peer
    content: bytes
    received_at: datetime


def pack_mail(mail: ReceivedMail) -> dict[str, Any]:
    """The envelope of a mail as the JSON payload of its MAIL job; the content is the job's body."""
    return {
        "envelope": asdict(mail.envelope),
        "peer": asdict(mail.peer),
        "received_at": mail.received_at.isoformat(),
    }


def unpack_mail(payload: Mapping[str, Any], body: bytes) -> ReceivedMail:
    """The inverse of `pack_mail`."""
    envelope = dict(payload["envelope"])
    recipients = tuple(Recipient(**one) for one in envelope.pop("recipients"))
    return ReceivedMail(
        envelope=Envelope(recipients=recipients, **envelope),
        peer=Peer(**payload["peer"]),
        content=body,
        received_at=datetime.fromisoformat(payload["received_at"]),
    )


class Intake(Protocol):
    """The door of the queue."""

    async def accept(self, mail: ReceivedMail) -> str:
        """Commit the mail and return its job id; only then may 250 be said. Raise QueueFull or BackendUnavailable."""
        ...


# --- the queue -------------------------------------------------------------------------------------------------------


class JobKind(StrEnum):
    MAIL = "mail"
    APPLY = "apply"
    LETTER = "letter"
    SYNC = "sync"


class JobState(StrEnum):
    DUE = "due"  # may run when `due` has come
    LEASED = "leased"
    WAITING = "waiting"  # for a person (held) or a peer (parked)
    BURIED = "buried"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to be queued. Of jobs with the same non-empty `key` that are not leased at most one exists: a newer one
    replaces its payload and due time (this is how changes settle and collapse)."""

    kind: JobKind
    lane: str  # one job of a lane runs at a time, across processes and nodes (SPEC 9.1)
    payload: Mapping[str, Any]  # JSON
    body: bytes = b""  # mail content or calendar text, beside the JSON
    account: str = ""
    uid: str = ""
    message_id: str = ""
    due: datetime | None = None  # None: now
    state: JobState = JobState.DUE
    reason: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job; `token` proves the lease: every write that ends or changes a leased job is refused without it."""

    id: str
    kind: JobKind
    state: JobState
    lane: str
    payload: Mapping[str, Any]
    body: bytes
    account: str
    uid: str
    message_id: str
    attempts: int
    due: datetime
    created: datetime
    reason: str
    token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the journal (INTERFACE 7, `why`)."""

    job: str
    kind: str  # mail | change | answer | letter | bounce
    outcome: str
    reason: str
    message_id: str = ""
    uid: str = ""
    recurrence_id: str = ""
    method: str = ""
    account: str = ""
    sender: str = ""
    certainty: str = ""
    notes: tuple[Mapping[str, Any], ...] = ()
    letters: tuple[str, ...] = ()  # letter ids
    restore: bytes | None = None  # the object before this decision, for `retract`


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Something that waits for a person (INTERFACE 7, `held list`): its job waits in state WAITING."""

    kind: str  # mail | burst | crasher | booking
    account: str
    reason: str
    job: str = ""
    sender: str = ""
    uid: str = ""
    method: str = ""
    message_id: str = ""
    id: str = ""
    since: datetime | None = None


class Queue(Protocol):
    """Jobs with leases. Everything given to one call happens in one transaction."""

    async def add(self, jobs: Sequence[NewJob]) -> tuple[str, ...]: ...

    async def claim(
        self, worker: str, *, limit: int, lease: timedelta, kinds: Sequence[JobKind] = ()
    ) -> tuple[Job, ...]:
        """Lease up to `limit` due jobs, at most one per lane, no lane that has a leased job; oldest due first."""
        ...

    async def extend(self, job: Job, lease: timedelta) -> bool:
        """Prolong the lease; False when it is lost: the worker must stop before it writes."""
        ...

    async def finish(
        self, job: Job, *, entries: Sequence[Entry] = (), spawn: Sequence[NewJob] = ()
    ) -> None:
        """Delete the job, write the journal, queue what follows. Raise LeaseLost."""
        ...

    async def retry(self, job: Job, *, due: datetime, reason: str) -> None: ...

    async def hold(self, job: Job, held: Held, *, entries: Sequence[Entry] = ()) -> str:
        """Put the job into state WAITING with a held row; return the held id."""
        ...

    async def park(self, job: Job, *, due: datetime, reason: str, entries: Sequence[Entry] = ()) -> None:
        """Let the job wait (state WAITING) until its meeting comes: any `Plans.settle` of the same (account, uid) makes it
        due at once, and it comes due by itself at `due`, when it runs for the last time."""
        ...

    async def settling(self, account: str, *, reason: str = "") -> int:
        """How many changes of this account wait for their settle time: state DUE, reason "settling" (saved) or
        "settling-gone" (deleted); both when no reason is given."""
        ...

    async def bury(self, job: Job, reason: str, *, entries: Sequence[Entry] = ()) -> None: ...

    async def next_due(self) -> datetime | None:
        """When the next job that is not leased or waiting comes due; None when there is none."""
        ...

    async def wait_for_work(self, seconds: float) -> None:
        """Return when a job was added, a lane became free, or after `seconds`."""
        ...


# --- plans, letters, snapshots, ledger -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLetter:
    """An iTIP message that will leave as mail. `summary` is `itip.summary.dump(...)`."""

    account: str
    uid: str
    recurrence_id: str
    method: str
    sender: str  # the calendar user in whose name it goes
    recipient: str
    recipient_name: str = ""
    calendar: bytes = b""
    summary: Mapping[str, Any] = field(default_factory=dict)
    automatic: bool = False  # nobody's hand caused it: Auto-Submitted (SPEC 12.2)
    in_reply_to: str = ""  # Message-ID of the mail that it answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter in the store; states: planned (its calendar write is not settled), ready, sent, deferred, failed, dropped."""

    id: str
    state: str
    letter: NewLetter
    message_id: str  # stable: derived from plan and recipient, so a repeated sending is recognised by the reader
    root_id: str  # first Message-ID of this thread (uid, recipient); equal to message_id on the first letter
    previous_id: str  # the letter before it in the thread, or ""
    sequence: int  # row number, for VERP tokens
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A calendar object as we last settled it. `data` is the whole text; `base` the organizer's last version."""

    account: str
    collection: str
    href: str
    uid: str
    etag: str
    fingerprint: str
    data: bytes
    base: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkRow:
    """One row of the ledger: `mark` is `itip.order.dump(...)`."""

    recurrence_id: str
    party: str
    mark: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What `apply` is about to do; written before the calendar is touched."""

    job: str
    account: str
    uid: str
    action: str  # store | remove | forget (the object is gone already: only its snapshot goes) | none
    collection: str = ""
    href: str = ""
    etag: str = ""  # "" with action store: create
    data: bytes = b""
    fingerprint: str = ""  # of the object to come; "" for remove and none
    keep_snapshot: bool = False  # a user's edit has not settled: the snapshot stays as it is
    base: bytes | None = None
    marks: tuple[MarkRow, ...] = ()
    entry: Entry | None = None
    letters: tuple[str, ...] = ()  # ids, filled by the store
    id: str = ""


class Plans(Protocol):
    """Plan, write, settle (SPEC 9.2)."""

    async def plan(self, job: Job, plan: Plan, letters: Sequence[NewLetter]) -> Plan:
        """Forget the job's earlier plan, if any, and write this one with its letters in state planned. One transaction."""
        ...

    async def open_plan(self, job: Job) -> Plan | None:
        """The plan that an earlier run of this job left behind."""
        ...

    async def settle(
        self, job: Job, plan: Plan, *, snapshot: Snapshot | None, spawn: Sequence[NewJob] = ()
    ) -> None:
        """One transaction: snapshot (actions remove and forget: deleted), marks, journal entry, letters ready and queued
        as LETTER jobs (payload {"letter": id}, lane "letter:<recipient>:<uid>"), job deleted. Raise LeaseLost."""
        ...

    async def letter(self, letter_id: str) -> Letter | None: ...

    async def letter_done(
        self, job: Job, letter_id: str, *, state: str, reason: str, entries: Sequence[Entry] = ()
    ) -> None:
        """End a LETTER job: state sent or failed. One transaction."""
        ...

    async def letter_deferred(self, job: Job, letter_id: str, *, due: datetime, reason: str) -> None: ...

    async def letters_sent(self, account: str, uid: str) -> tuple[Letter, ...]: ...


class Ledger(Protocol):
    async def marks(self, account: str, uid: str) -> tuple[MarkRow, ...]: ...


class Journal(Protocol):
    async def write(self, entries: Sequence[Entry]) -> None: ...

    async def story(self, key: str) -> list[dict[str, Any]]:
        """Every entry of a Message-ID, UID or job, oldest first, in the shape of INTERFACE 7."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionState:
    """What we know of one watched collection."""

    account: str
    path: str
    token: str = ""
    baseline: bool = False  # True once the first sight is complete
    due: datetime | None = None
    interval: float = 60.0  # seconds; adaptive
    synced_at: datetime | None = None
    error: str = ""


class Snapshots(Protocol):
    """Snapshots, the UID index and the state of the collections."""

    async def of_collection(self, account: str, collection: str) -> tuple[Snapshot, ...]: ...
    async def etags(self, account: str, collection: str) -> Mapping[str, str]:
        """href -> ETag of everything known there; without the data."""
        ...

    async def by_uid(self, account: str, uid: str) -> tuple[Snapshot, ...]: ...
    async def by_href(self, account: str, href: str) -> Snapshot | None: ...
    async def collections(self, account: str | None = None) -> tuple[CollectionState, ...]: ...
    async def lease_collection(self, account: str, path: str, worker: str, lease: timedelta) -> bool: ...
    async def synced(
        self,
        state: CollectionState,
        *,
        put: Sequence[Snapshot] = (),
        gone: Sequence[str] = (),
        spawn: Sequence[NewJob] = (),
    ) -> None:
        """End one watch round of one collection in one transaction; releases its lease. `put` are snapshots of first
        sight and echoes, `gone` hrefs whose snapshot is dropped, `spawn` the changes that must settle."""
        ...

    async def changed_meetings(
        self, account: str, collection: str, since: datetime, *, harsh: bool = False
    ) -> int:
        """How many different UIDs of this account have a journal entry of kind "change" with letters since then (the burst
        breaker's count); `harsh`: only those whose entry's method is CANCEL, or REPLY with a letter that declines."""
        ...


# --- calendars -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A calendar collection (RFC 4791 4.2). `path` is the absolute path, unescaped as the server gave it."""

    path: str
    name: str = ""
    components: frozenset[str] = frozenset({"VEVENT"})
    writable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A calendar object resource (RFC 4791 4.1); `etag` as sent, with its quotes (and W/)."""

    href: str
    etag: str
    data: bytes
    schedule_tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One member of a sync answer; `etag` None: it is gone."""

    href: str
    etag: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncResult:
    """What changed in a collection. `full` says that the answer lists every member (first sync, or a listing)."""

    token: str
    changes: tuple[Change, ...]
    full: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFacts:
    """How an account's server behaves, configured or probed (SPEC 5.4)."""

    name: str  # radicale, xandikos, sabre, ...; "unknown"
    sends: str  # gateway (full) | inbound | nobody (off)
    schedules: bool = False  # announces calendar-auto-schedule
    problems: tuple[str, ...] = ()


class Calendars(Protocol):
    """A CalDAV server, seen from one account. Every call may raise BackendUnavailable or BackendRefused."""

    async def profile(self, account: Account) -> ProfileFacts: ...
    async def collections(self, account: Account) -> tuple[Collection, ...]: ...
    async def invitations(self, account: Account) -> Collection:
        """Where new invitations go: the configured calendar, else the default one. Raise BackendRefused if there is none."""
        ...

    async def find(self, account: Account, uid: str, *, hints: Sequence[str] = ()) -> Resource | None:
        """The object with exactly this UID: at a hinted href, at our predictable href, else by query in every calendar."""
        ...

    async def get(self, account: Account, href: str) -> Resource | None: ...
    async def multiget(
        self, account: Account, collection: str, hrefs: Sequence[str]
    ) -> tuple[Resource, ...]: ...
    def new_href(self, collection: str, uid: str) -> str:
        """The predictable href of a new object: escaped UID, hashed when long or odd."""
        ...

    async def put(self, account: Account, href: str, data: bytes, *, etag: str) -> Resource:
        """Write with If-Match, or with If-None-Match: * when `etag` is ""; return what the server now holds (read back
        when it gave no strong ETag). Raise PreconditionFailed."""
        ...

    async def delete(self, account: Account, href: str, *, etag: str) -> None:
        """Delete with If-Match; gone already is success. Raise PreconditionFailed."""
        ...

    async def sync(
        self, account: Account, collection: str, *, token: str, known: Mapping[str, str]
    ) -> SyncResult:
        """What changed since `token` (RFC 6578), or by ETag listing against `known`. An answer that is cut, empty of
        body, or not a multistatus raises; it is never an empty calendar."""
        ...


# --- mail out --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMail:
    """One mail for one recipient, ready for the smarthost."""

    sender: str  # envelope sender; "" is the null sender
    recipient: str
    content: bytes
    smtputf8: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What the smarthost said."""

    state: str  # sent | deferred | failed
    code: int = 0
    text: str = ""


class Smarthost(Protocol):
    async def send(self, mail: OutgoingMail) -> Sent:
        """Hand over one mail; never raises for what the peer said or did: that is deferred or failed."""
        ...


# --- time and names --------------------------------------------------------------------------------------------------


class Clock(Protocol):
    def now(self) -> datetime: ...
