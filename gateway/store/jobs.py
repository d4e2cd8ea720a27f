"""The rows of jobs inside a transaction: queue them, prove a lease, end them, and tell the journal.

Every room of the store that ends a job does it through here, so that a lease is checked in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, exists, insert, or_, select, update

from gateway.errors import LeaseLost
from gateway.ports import Entry, Job, JobKind, JobState, NewJob
from gateway.store import lanes, schema
from gateway.store.bell import Bell
from gateway.store.bodies import Bodies
from gateway.store.claims import ALONE, MOST_DEATHS
from gateway.store.ear import tell_others
from gateway.store.ids import Ids, bounded, token
from gateway.store.prepared import Prepared
from gateway.store.schema import LEASED
from gateway.store.writer import after_commit, is_promised

_T = schema.job
_INSERT = Prepared(insert(_T))
_INSERT_ENTRY = Prepared(
    insert(schema.journal)
    .values({one.name: bindparam(one.name) for one in schema.journal.c if one.name != "number"})
    .inline()
)
_SAME_KEY = Prepared(
    select(_T.c.id, _T.c.state, _T.c.kind, _T.c.lane).where(
        _T.c.key == bindparam("same"), _T.c.state != LEASED, _T.c.key != schema.NOTHING
    )
)
_LEASE = Prepared(
    select(
        *(_T.c.id, _T.c.origin, _T.c.key, _T.c.kind, _T.c.lane, _T.c.lease_owner),
        *(schema.content.c.file, schema.plan.c.id.label("plan")),
    )
    .outerjoin(schema.content, schema.content.c.job == _T.c.id)
    .outerjoin(schema.plan, schema.plan.c.job == _T.c.id)
    .where(_T.c.id == bindparam("job_id"), _T.c.lease_token == bindparam("proof"), _T.c.state == LEASED)
    .with_for_update(of=_T)
)
_IS_BUSY = Prepared(
    select(
        or_(
            exists().where(_T.c.lane == bindparam("of_lane"), _T.c.state == LEASED),
            exists().where(_T.c.lane == bindparam("of_lane"), _T.c.state != LEASED),
        ).label("busy")
    )
)
_DELETE = Prepared(delete(_T).where(_T.c.id == bindparam("job_id")))


@lru_cache(maxsize=16)
def _leases(count: int) -> Prepared:
    """The question whose leases so many jobs are."""
    names = [bindparam(str(place), type_=_T.c.id.type) for place in range(count)]
    asked = select(_T.c.id, _T.c.lease_token).where(_T.c.id.in_(names), _T.c.state == LEASED)
    return Prepared(asked.with_for_update(of=_T))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A lease that a job is born with."""

    owner: str
    token: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """A job with its name, whose large body lies in a file already."""

    id: str
    job: NewJob
    file: str = ""
    held: Hold | None = None  # leased from the beginning: nobody else shall claim it


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The proof that a job is ours, and what its ending needs."""

    id: str
    origin: str
    key: str
    file: str
    kind: str
    lane: str
    owner: str = ""
    plan: str = ""  # what an earlier transaction planned for it, or ""


class Jobs:
    """What the rooms share: names, the clock, bodies, and these statements."""

    def __init__(self, bodies: Bodies, bell: Bell, now: Callable[[], datetime]) -> None:
        self.bodies = bodies
        self.now = now
        self._bell = bell
        self._ids = Ids()

    def name(self) -> str:
        return self._ids.new(self.now())

    async def lay(self, jobs: Iterable[NewJob]) -> tuple[Laid, ...]:
        """Give names, and write large bodies; before the transaction, so that it need not wait for them."""
        return tuple([await self.lay_one(self.name(), one) for one in jobs])

    async def lay_one(self, name: str, job: NewJob) -> Laid:
        if job.file is None:
            return Laid(id=name, job=job, file=await self.bodies.lay(name, job.body))
        if self.bodies.shared:
            return Laid(id=name, job=replace(job, body=await job.file.whole(), file=None))
        return Laid(id=name, job=job, file=await self.bodies.lay_file(name, job.file))

    def queue(self, conn: Connection, laid: Sequence[Laid], *, origin: str = "") -> tuple[str, ...]:
        """Queue what is laid; a job whose key waits already takes its place there, and keeps the older name."""
        if not laid:
            return ()
        if any(one.held is None for one in laid):
            self.ring(conn)
        fresh = [one for one in laid if not one.job.key]
        if fresh:
            _INSERT.run(conn, [self._row(one, origin) for one in fresh])
            self.bodies.put(conn, [(one.id, one.job.body, one.file) for one in fresh])
        keyed = {one.id: self._queue_keyed(conn, one, origin) for one in laid if one.job.key}
        return tuple(keyed.get(one.id, one.id) for one in laid)

    def _queue_keyed(self, conn: Connection, laid: Laid, origin: str) -> str:
        old = _SAME_KEY.first(conn, {"same": bounded(laid.job.key)})
        row = self._row(laid, origin)
        if old is None:
            _INSERT.run(conn, [row])
            self.bodies.put(conn, [(laid.id, laid.job.body, laid.file)])
            return laid.id
        kept = {"id", "origin"}
        if (
            old.state == JobState.WAITING
        ):  # it goes on waiting for its person, who will speak of what is there then
            kept |= {"state", "due", "reason", "created"}
        values = {name: value for name, value in row.items() if name not in kept}
        conn.execute(update(_T).where(_T.c.id == old.id).values(values))
        self.bodies.replace(conn, old.id, body=laid.job.body, file=laid.file)
        lanes.wake(conn, old.lane, kind=old.kind, job=old.id)
        return str(old.id)

    def _row(self, laid: Laid, origin: str) -> dict[str, Any]:
        job, held, now = laid.job, laid.held, self.now()
        due = job.due if job.state is not JobState.DUE else job.due or now
        return {
            "id": laid.id,
            "kind": str(job.kind),
            "state": str(JobState.LEASED if held else job.state),
            "lane": bounded(job.lane),
            "key": bounded(job.key),
            "account": job.account,
            "uid": job.uid,
            "message_id": job.message_id,
            "payload": dict(job.payload),
            "attempts": 0,
            "due": due,
            "created": now,
            "reason": job.reason,
            "origin": origin or laid.id,
            "lease_owner": held.owner if held else "",
            "lease_token": held.token if held else "",
            "lease_until": held.until if held else None,
            "deaths": 0,
            "behind": 0,
        }

    def held(self, conn: Connection, laid: Sequence[Laid], *, lease: Lease, onward: timedelta) -> Laid | None:
        """The first of what follows as its maker's who goes on with it, where nobody else in its lane comes before."""
        first = laid[0] if laid else None
        if first is None or first.job.key or first.job.due or first.job.state is not JobState.DUE:
            return None
        if _IS_BUSY.first(conn, {"of_lane": bounded(first.job.lane)}).busy:
            return None
        return replace(first, held=Hold(owner=lease.owner, token=token(), until=self.now() + onward))

    def born(self, laid: Laid) -> Job:
        """The job as a claim would have given it to the one who holds it from the beginning."""
        job = job_of(self._row(laid, ""), laid.job.body)
        if laid.job.file is None:
            return job
        return replace(job, file=self.bodies.named(laid.file, len(laid.job.file)))

    def lease(self, conn: Connection, job: Job) -> Lease:
        """Prove that the job is still the caller's. Raises LeaseLost."""
        row = _LEASE.first(conn, {"job_id": job.id, "proof": job.token}) if job.token else None
        if row is None:
            raise LeaseLost(f"job {job.id}: the lease is lost")
        return lease_of(row, row.plan or "", owner=row.lease_owner)

    def remove(self, conn: Connection, lease: Lease) -> None:
        """The job, its body, its plan and the letters that were only planned are gone; its lane is free."""
        _DELETE.run(conn, ({"job_id": lease.id},))
        lanes.wake(conn, lease.lane, kind=lease.kind, job=lease.id)
        self.bodies.discard(conn, lease.file)
        self.ring(conn)

    def end(self, conn: Connection, jobs: Sequence[Job]) -> None:
        """Remove small jobs of which nothing is told and nothing follows, together. Raises LeaseLost for all of them."""
        # A power of two, so that there are few statements.
        names = [one.id for one in jobs]
        padded = [*names, *[names[-1]] * ((1 << (len(names) - 1).bit_length()) - len(names))]
        rows = _leases(len(padded)).ask(conn, {str(place): one for place, one in enumerate(padded)})
        tokens = dict(rows)
        if lost := [one.id for one in jobs if not one.token or tokens.get(one.id) != one.token]:
            raise LeaseLost(f"job {lost[0]}: the lease is lost")
        _DELETE.run(conn, [{"job_id": one} for one in names])

    def put_back(self, conn: Connection, lease: Lease, **values: Any) -> None:
        """The job is nobody's again. Its key may have been taken meanwhile: then it goes on without."""
        free = {"lease_owner": "", "lease_token": "", "lease_until": None}
        if lease.key and self.successor(conn, lease):
            free["key"] = ""
        conn.execute(update(_T).where(_T.c.id == lease.id).values(free | values))
        lanes.wake(conn, lease.lane, kind=lease.kind, job=lease.id)
        self.ring(conn)

    def successor(self, conn: Connection, lease: Lease) -> bool:
        """Was a newer job with this key queued while the older one ran?"""
        return bool(lease.key) and _SAME_KEY.first(conn, {"same": lease.key}) is not None

    def tell(
        self, conn: Connection, entries: Sequence[Entry], *, origin: str = "", harsh: bool = False
    ) -> None:
        """Write the journal. `origin` "": looked up, as long as the job exists."""
        if not entries:
            return
        now = self.now()
        rows = []
        for one in entries:
            begun = origin or conn.execute(select(_T.c.origin).where(_T.c.id == one.job)).scalar() or one.job
            rows.append(_entry_row(one, begun, now, harsh=harsh))
        _INSERT_ENTRY.run(conn, rows)

    def ring(self, conn: Connection) -> None:
        """There is something to do: say so here and to the other processes, once the transaction stands."""
        if not is_promised(conn, self._bell.ring):
            after_commit(conn, self._bell.ring)
            tell_others(conn)


def job_of(row: Row[Any] | Mapping[str, Any], body: bytes = b"") -> Job:
    """A row of the table as the journeys see it."""
    facts = row if isinstance(row, Mapping) else row._asdict()
    return Job(
        id=facts["id"],
        kind=JobKind(facts["kind"]),
        state=JobState(facts["state"]),
        lane=facts["lane"],
        payload=facts["payload"],
        body=body,
        account=facts["account"],
        uid=facts["uid"],
        message_id=facts["message_id"],
        attempts=facts["attempts"],
        due=facts["due"] or facts["created"],
        created=facts["created"],
        reason=facts["reason"],
        token=facts["lease_token"],
        alone=facts["deaths"] > ALONE,
        doomed=facts["deaths"] if facts["deaths"] >= MOST_DEATHS else 0,
    )


def lease_of(row: Row[Any], plan: str = "", *, owner: str = "") -> Lease:
    """What the ending of a job needs of its row."""
    return Lease(
        id=row.id,
        origin=row.origin,
        key=row.key,
        file=row.file or "",
        kind=row.kind,
        lane=row.lane,
        owner=owner,
        plan=plan,
    )


def with_letters(entry: Entry, letters: Sequence[str]) -> Entry:
    return replace(entry, letters=tuple(letters)) if letters else entry


def _entry_row(entry: Entry, origin: str, now: datetime, *, harsh: bool) -> dict[str, Any]:
    return {
        "time": now,
        "job": entry.job,
        "origin": origin,
        "kind": entry.kind,
        "outcome": entry.outcome,
        "reason": entry.reason,
        "message_id": entry.message_id,
        "uid": entry.uid,
        "recurrence_id": entry.recurrence_id,
        "method": entry.method,
        "account": entry.account,
        "sender": entry.sender,
        "certainty": entry.certainty,
        "notes": [dict(one) for one in entry.notes],
        "letters": list(entry.letters),
        "mailed": bool(entry.letters),
        "harsh": harsh,
        "restore": entry.restore,
    }


__all__ = ["Hold", "Jobs", "Laid", "Lease", "job_of", "lease_of", "with_letters"]
