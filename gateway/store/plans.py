"""Plan, write, settle: what is kept while a decision is carried out, and the one transaction that ends it (SPEC 9.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, insert, select, update

from gateway.errors import LeaseLost
from gateway.ports import (
    Entry,
    Job,
    JobKind,
    JobState,
    Letter,
    MarkRow,
    NewJob,
    NewLetter,
    Plan,
    Posted,
    Snapshot,
)
from gateway.store import ledger, letters, proposals, schema, snapshots
from gateway.store.db import Database
from gateway.store.jobs import Jobs, Laid, Lease, with_letters
from gateway.store.prepared import Prepared

_T = schema.plan
_L, _TAG = schema.letter, schema.language
_J = schema.job
_GONE = ("remove", "forget")

# Made once: to put a statement together costs as much as to run it.
_FORGET = Prepared(
    delete(_T).where(_T.c.id == bindparam("plan_id"))
)  # and with it the letters that were only planned
_INSERT = Prepared(insert(_T))
_OF_JOB = Prepared(select(_T).where(_T.c.job == bindparam("of_job")))
_CREATING = update(_T).where(_T.c.id == bindparam("plan_id")).values(etag="")
_ITS_LETTERS = Prepared(select(_L.c.id).where(_L.c.plan == bindparam("of_plan")).order_by(_L.c.number))
_PLANNED = Prepared(
    select(_L.c.id, _L.c.account, _L.c.uid, _L.c.recipient, _L.c.message_id, _L.c.summary)
    .where(_L.c.plan == bindparam("of_plan"))
    .order_by(_L.c.number)
)
_RELEASE = Prepared(
    update(_L)
    .where(_L.c.plan == bindparam("of_plan"))
    .values(state="ready", plan=None, changed=bindparam("now"))
)
_READ = select(_L, _TAG.c.tag.label("chosen"), _TAG.c.zone.label("clock")).select_from(
    _L.outerjoin(_TAG, _TAG.c.address == _L.c.recipient)
)
_LETTER = Prepared(_READ.where(_L.c.id == bindparam("letter_id")))
_OF_ROW = Prepared(_READ.where(_L.c.number == bindparam("row")))
_MARK = Prepared(
    update(_L)
    .where(_L.c.id == bindparam("letter_id"))
    .values(
        state=bindparam("now_is"), reason=bindparam("why"), changed=bindparam("now"), status=bindparam("told")
    )
)
_WAKE = Prepared(
    update(_J)
    .where(
        _J.c.account == bindparam("of_account"),
        _J.c.uid == bindparam("of_uid"),
        _J.c.state == str(JobState.WAITING),
        _J.c.due.is_not(None),  # a held job has no due time, and goes on waiting
    )
    .values(state=str(JobState.DUE), due=bindparam("now"), behind=0)
)
_ENTRY = tuple(one.name for one in fields(Entry) if one.name != "restore")  # that is a column of its own
ACQUAINTANCE = 50  # so many of the last letters to somebody tell whether we know him


class Plans:
    """Implements `ports.Plans`; `domain` is the right side of our Message-IDs."""

    def __init__(self, db: Database, jobs: Jobs, domain: str) -> None:
        self._db = db
        self._jobs = jobs
        self._domain = domain

    async def plan(self, job: Job, plan: Plan, letters: Sequence[NewLetter]) -> Plan:
        """Forget the job's earlier plan, if any, and write this one with its letters in state planned."""
        named = [(self._jobs.name(), one) for one in letters]
        whole = replace(plan, id=self._jobs.name(), job=job.id, letters=tuple(name for name, _ in named))
        await self._db.write(lambda conn: self._plan(conn, job, whole, named))
        return whole

    def _plan(self, conn: Connection, job: Job, plan: Plan, named: Sequence[tuple[str, NewLetter]]) -> None:
        lease = self._jobs.lease(conn, job)
        now = self._jobs.now()
        if lease.plan:
            _FORGET.run(conn, ({"plan_id": lease.plan},))
        _INSERT.run(conn, (_row(plan, lease.lane, now),))
        letters.write_planned(conn, named, plan=plan.id, job=job.id, domain=self._domain, now=now)
        proposals.write_planned(conn, plan, job=job, now=now)

    async def creating(self, job: Job, plan: Plan) -> Plan:
        """From now on the plan creates what it was to change: the object is about to be deleted. Raise LeaseLost."""

        def change(conn: Connection) -> None:
            self._open(conn, job, plan)
            conn.execute(_CREATING, {"plan_id": plan.id})

        await self._db.write(change)
        return replace(plan, etag="")

    async def open_plan(self, job: Job) -> Plan | None:
        """The plan that an earlier run of this job left behind."""

        def question(conn: Connection) -> Plan | None:
            row = _OF_JOB.first(conn, {"of_job": job.id})
            if row is None:
                return None
            rows = _ITS_LETTERS.ask(conn, {"of_plan": row.id})
            return _plan(row, tuple(one.id for one in rows))

        return await self._db.read(question)

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
        """Snapshot, marks, journal entry, letters ready and queued, job deleted. Raise LeaseLost."""
        laid = await self._jobs.lay(spawn)

        def change(conn: Connection) -> None:
            lease = self._open(conn, job, plan)
            known = beside if snapshot is None else (snapshot, *beside)
            _settle_snapshots(conn, plan, known, gone=gone, now=self._jobs.now())
            self._settle(conn, plan, lease)
            self._jobs.queue(conn, laid, origin=lease.origin)

        await self._db.write(change)

    def _open(self, conn: Connection, job: Job, plan: Plan) -> Lease:
        """Job and plan are still the caller's. Raises LeaseLost."""
        lease = self._jobs.lease(conn, job)
        if lease.plan != plan.id:
            raise LeaseLost(f"job {job.id}: its plan was forgotten")
        return lease

    def _settle(self, conn: Connection, plan: Plan, lease: Lease) -> None:
        now = self._jobs.now()
        ledger.write_marks(conn, plan.account, plan.uid, marks=plan.marks, now=now)
        proposals.settle(conn, plan, now)
        ready = self._release_letters(conn, plan, now)
        if plan.entry is not None:
            entry = with_letters(plan.entry, [row.id for row in ready])
            harsh = any(_is_harsh(entry.method, row.summary) for row in ready)
            self._jobs.tell(conn, (entry,), origin=lease.origin, harsh=harsh)
        self._jobs.queue(conn, [self._letter_job(row) for row in ready], origin=lease.origin)
        self._wake_parked(conn, plan, now)
        self._jobs.remove(conn, lease)  # which asks whose turn in the lane it is now

    def _release_letters(self, conn: Connection, plan: Plan, now: datetime) -> list[Any]:
        """Planned letters become ready, and no longer hang on the plan."""
        rows = _PLANNED.ask(conn, {"of_plan": plan.id}) if plan.letters else []
        if rows:
            _RELEASE.run(conn, ({"of_plan": plan.id, "now": now},))
        return rows

    def _letter_job(self, row: Row[Any]) -> Laid:
        job = NewJob(
            kind=JobKind.LETTER,
            lane=f"letter:{row.recipient}:{row.uid}",
            payload={"letter": row.id},
            account=row.account,
            uid=row.uid,
            message_id=row.message_id,
        )
        return Laid(id=self._jobs.name(), job=job)

    def _wake_parked(self, conn: Connection, plan: Plan, now: datetime) -> None:
        """What waited for this meeting looks again."""
        _WAKE.run(conn, ({"of_account": plan.account, "of_uid": plan.uid, "now": now},))

    async def letter(self, letter_id: str) -> Letter | None:
        """One letter, whatever its state."""
        return await self._one(_LETTER, {"letter_id": letter_id})

    async def letter_of_row(self, number: int) -> Letter | None:
        """The letter that a link or an address of ours names, whatever its state."""
        return await self._one(_OF_ROW, {"row": number})

    async def _one(self, asked: Prepared, values: Mapping[str, Any]) -> Letter | None:
        row = await self._db.read(lambda conn: asked.first(conn, values))
        if row is None:
            return None
        return replace(letters.letter_of(row), language=row.chosen or "", zone=row.clock or "")

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
        laid = await self._jobs.lay(spawn)

        def change(conn: Connection) -> None:
            lease = self._jobs.lease(conn, job)
            self._mark(conn, letter_id, state, reason, status=status)
            self._jobs.tell(conn, entries, origin=lease.origin)
            self._jobs.queue(conn, laid, origin=lease.origin)
            self._jobs.remove(conn, lease)

        await self._db.write(change)

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
        laid = await self._jobs.lay(spawn)

        def change(conn: Connection) -> None:
            lease = self._jobs.lease(conn, job)
            self._mark(conn, letter_id, "deferred", reason, status=status)
            self._jobs.queue(conn, laid, origin=lease.origin)
            values = {"state": str(JobState.DUE), "due": due, "reason": reason, "attempts": job.attempts + 1}
            self._jobs.put_back(conn, lease, **values)

        await self._db.write(change)

    def _mark(self, conn: Connection, letter_id: str, state: str, reason: str, *, status: str) -> None:
        values = {"now_is": state, "why": reason, "now": self._jobs.now(), "told": status}
        _MARK.run(conn, (values | {"letter_id": letter_id},))

    async def recipient(self, account: str, uid: str, message_ids: Sequence[str]) -> str | None:
        """To whom the letters with these Message-IDs about this meeting went; None: to nobody, or to several."""
        here = (_L.c.account == account, _L.c.uid == uid, _L.c.message_id.in_(message_ids))
        statement = select(_L.c.recipient).where(*here).distinct().limit(2)
        found = await self._db.read(lambda conn: conn.execute(statement).scalars().all())
        return found[0] if len(found) == 1 else None

    async def letters_sent(self, account: str, uid: str) -> tuple[Letter, ...]:
        """What has left about this meeting, oldest first."""
        return await self._letters(_L.c.account == account, _L.c.uid == uid, _L.c.state == "sent")

    async def notices(self, account: str, uid: str) -> tuple[Letter, ...]:
        """The notices about this meeting that are settled, whether they have left or not, oldest first."""
        here = (_L.c.account == account, _L.c.uid == uid)
        return await self._letters(*here, _L.c.method == "", _L.c.plan.is_(None))

    async def _letters(self, *conditions: ColumnElement[bool]) -> tuple[Letter, ...]:
        statement = select(_L).where(*conditions).order_by(_L.c.number)
        rows = await self._db.read(lambda conn: conn.execute(statement).all())
        return tuple(letters.letter_of(row) for row in rows)

    async def posted(self, account: str, uid: str) -> tuple[Posted, ...]:
        """The last letter about this meeting to each person; notices to our own users do not count."""
        here = (_L.c.account == account, _L.c.uid == uid, _L.c.method != "")
        last = select(func.max(_L.c.number)).where(*here).group_by(_L.c.recipient)
        columns = (
            *(_L.c.recipient, _L.c.method, _L.c.state, _L.c.reason, _L.c.changed),
            *(_L.c.recurrence_id, _L.c.job, _L.c.status),
        )
        statement = select(*columns).where(_L.c.number.in_(last)).order_by(_L.c.number)
        rows = await self._db.read(lambda conn: conn.execute(statement).all())
        return tuple(
            Posted(
                recipient=row.recipient,
                method=row.method,
                state=row.state,
                reason=row.reason,
                at=row.changed,
                recurrence_id=row.recurrence_id,
                job=row.job,
                status=row.status,
            )
            for row in rows
        )

    async def has_written(self, account: str, recipient: str) -> bool:
        """Whether the owner has invited or answered this person; a machine's letter is nobody's acquaintance."""
        statement = (
            select(_L.c.method, _L.c.summary)
            .where(_L.c.account == account, _L.c.recipient == recipient)
            .where(_L.c.state == "sent", _L.c.automatic.is_(False))
            .order_by(_L.c.number.desc())
            .limit(ACQUAINTANCE)
        )
        rows = await self._db.read(lambda conn: conn.execute(statement).all())
        return not all(_is_harsh(row.method, row.summary) for row in rows)


def _settle_snapshots(
    conn: Connection, plan: Plan, known: Sequence[Snapshot], *, gone: Sequence[str], now: datetime
) -> None:
    hrefs = [plan.href, *gone] if plan.action in _GONE else gone
    snapshots.drop(conn, [(plan.account, href) for href in hrefs])
    snapshots.write(conn, known, now=now)


def _is_harsh(method: str, summary: Mapping[str, Any]) -> bool:
    """A cancellation, or an answer that declines: the burst breaker lets fewer of these pass (SPEC 5.3)."""
    return method == "CANCEL" or (method == "REPLY" and summary.get("partstat") == "DECLINED")


def _row(plan: Plan, lane: str, now: datetime) -> dict[str, Any]:
    entry = None if plan.entry is None else {name: getattr(plan.entry, name) for name in _ENTRY}
    return {
        "id": plan.id,
        "job": plan.job,
        "lane": lane,
        "account": plan.account,
        "uid": plan.uid,
        "action": plan.action,
        "collection": plan.collection,
        "href": plan.href,
        "etag": plan.etag,
        "data": plan.data,
        "fingerprint": plan.fingerprint,
        "keep_snapshot": plan.keep_snapshot,
        "base": plan.base,
        "marks": [[one.recurrence_id, one.party, dict(one.mark)] for one in plan.marks],
        "entry": entry,
        "restore": None if plan.entry is None else plan.entry.restore,
        "created": now,
    }


def _plan(row: Row[Any], names: tuple[str, ...]) -> Plan:
    return Plan(
        id=row.id,
        job=row.job,
        account=row.account,
        uid=row.uid,
        action=row.action,
        collection=row.collection,
        href=row.href,
        etag=row.etag,
        data=row.data,
        fingerprint=row.fingerprint,
        keep_snapshot=row.keep_snapshot,
        base=row.base,
        marks=tuple(MarkRow(recurrence_id=one[0], party=one[1], mark=one[2]) for one in row.marks),
        entry=_entry(row.entry, row.restore),
        letters=names,
    )


def _entry(facts: dict[str, Any] | None, restore: bytes | None) -> Entry | None:
    if facts is None:
        return None
    lists = {"notes": tuple(facts["notes"]), "letters": tuple(facts["letters"])}
    return Entry(**{**facts, **lists, "restore": restore})


__all__ = ["Plans"]
