"""Plan, write, settle: what lies in the store while a decision is carried out (SPEC 9.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from gateway.ports.jobs import Entry, Job, NewJob
from gateway.ports.proposals import ProposalRow
from gateway.ports.snapshots import MarkRow, Snapshot


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
    message_id: (
        str  # stable: derived from plan and recipient, so a repeated sending is recognised by the reader
    )
    root_id: str  # first Message-ID of this thread (uid, recipient); equal to message_id on the first letter
    previous_id: str  # the letter before it in the thread, or ""
    sequence: int  # row number, for VERP tokens
    created: datetime
    changed: datetime  # when its state became what it is; of one that is sent, when it left
    job: str = ""  # that planned it, and the others of the same change
    language: str = ""  # that its reader chose on a page
    zone: str = ""  # the clock that he chose there
    revoked: bool = False  # its links and its address for answers lead nowhere
    keeper: str = (
        ""  # when it leaves: the origin that manages attachments for its account (RFC 8607), if one does
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What became of a letter to somebody; `reason` is what the next hop said, or why it never left."""

    recipient: str
    method: str
    state: str  # as of a Letter
    reason: str
    at: datetime
    recurrence_id: str = ""
    job: str = ""  # as of a Letter
    status: str = ""  # SCHEDULE-STATUS (RFC 6638 3.2.9); "" as long as nothing is known


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
    proposals: tuple[ProposalRow, ...] = ()  # given with a new plan; they open when it is settled
    id: str = ""


class Plans(Protocol):
    """Plan, write, settle (SPEC 9.2)."""

    async def plan(self, job: Job, plan: Plan, letters: Sequence[NewLetter]) -> Plan:
        """Forget the job's earlier plan, if any, and write this one with its letters in state planned. One transaction."""
        ...

    async def creating(self, job: Job, plan: Plan) -> Plan:
        """From now on the job's plan creates what it was to change: `etag` is "". One transaction. Raise LeaseLost."""
        ...

    async def open_plan(self, job: Job) -> Plan | None:
        """The plan that an earlier run of this job left behind."""
        ...

    async def settle(
        self,
        job: Job,
        plan: Plan,
        *,
        snapshot: Snapshot | None,
        beside: Sequence[Snapshot] = (),
        gone: Sequence[str] = (),
        spawn: Sequence[NewJob] = (),
    ) -> None:
        """One transaction: snapshot (actions remove and forget: deleted; those of the hrefs in `gone` too; `beside`: the snapshots of
        further objects of the meeting), marks, journal entry, letters ready and queued
        as LETTER jobs (payload {"letter": id}, lane "letter:<recipient>:<uid>"), job deleted. Raise LeaseLost."""
        ...

    async def letter(self, letter_id: str) -> Letter | None: ...
    async def letter_of_row(self, number: int) -> Letter | None:
        """The letter that a link or an address of ours names, whatever its state."""
        ...

    async def letter_done(
        self,
        job: Job,
        letter_id: str,
        *,
        state: str,
        reason: str,
        entries: Sequence[Entry] = (),
        status: str = "",
        spawn: Sequence[NewJob] = (),
    ) -> None:
        """End a LETTER job: state sent or failed, and begin what comes of it. One transaction."""
        ...

    async def letter_deferred(
        self,
        job: Job,
        letter_id: str,
        *,
        due: datetime,
        reason: str,
        status: str = "",
        spawn: Sequence[NewJob] = (),
    ) -> None:
        """Try the letter again at `due`. One transaction."""
        ...

    async def recipient(self, account: str, uid: str, message_ids: Sequence[str]) -> str | None:
        """To whom the letters with these Message-IDs about this meeting went; None: to nobody, or to several."""
        ...

    async def letters_sent(self, account: str, uid: str) -> tuple[Letter, ...]: ...

    async def notices(self, account: str, uid: str) -> tuple[Letter, ...]:
        """The notices about this meeting that are settled, whether they have left or not."""
        ...

    async def posted(self, account: str, uid: str) -> tuple[Posted, ...]:
        """The last letter about this meeting to each person."""
        ...

    async def has_written(self, account: str, recipient: str) -> bool:
        """Whether a letter that the account's owner caused by hand was sent to this person, neither CANCEL nor a decline;
        of those that are kept, the last few count."""
        ...


class Ledger(Protocol):
    async def marks(self, account: str, uid: str) -> tuple[MarkRow, ...]: ...
