"""Calendar objects as we last settled them, the UID index that they are, and the state of the watched collections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from gateway.errors import LeaseLost
from gateway.ports import CollectionState, JobKind, NewJob, Snapshot, Whereabouts
from gateway.store import ledger, schema
from gateway.store.db import Database
from gateway.store.ids import token
from gateway.store.jobs import Jobs
from gateway.store.prepared import Prepared

_T = schema.snapshot
_C = schema.collection
_J = schema.journal
_Q = schema.job
_FEW = 500  # names in one question
_DEEPEST = 20  # folders of a path that may be a collection
_INSERT = Prepared(insert(_T))
_DUE = select(_C.c.account).distinct().where(or_(_C.c.due.is_(None), _C.c.due <= bindparam("now")))
_FRESH = Prepared(
    select(_C.c.path).where(
        _C.c.account == bindparam("of_account"),
        _C.c.baseline.is_(True),
        _C.c.error == schema.NOTHING,
        _C.c.synced_at >= bindparam("since"),
    )
)
# Sorted afterwards: asked for the order of its primary key, SQLite goes through the whole account for it.
_BY_UID = Prepared(select(_T).where(_T.c.account == bindparam("of_account"), _T.c.uid == bindparam("of_uid")))
_ANY = Prepared(
    select(_T.c.href).where(_T.c.account == bindparam("of_account"), _T.c.uid == bindparam("of_uid")).limit(1)
)
_DELETE = Prepared(
    delete(_T).where(_T.c.account == bindparam("of_account"), _T.c.href == bindparam("of_href"))
)


class Snapshots:
    """Implements `ports.Snapshots`."""

    def __init__(self, db: Database, jobs: Jobs) -> None:
        self._db = db
        self._jobs = jobs

    async def of_collection(self, account: str, collection: str) -> tuple[Snapshot, ...]:
        return await self._where(_T.c.account == account, _T.c.collection == collection)

    async def by_uid(self, account: str, uid: str) -> tuple[Snapshot, ...]:
        """Where this meeting lies, as far as we know; more than one where a server lets that be."""
        which = {"of_account": account, "of_uid": uid}
        rows = await self._db.read(lambda conn: _BY_UID.ask(conn, which))
        return tuple(sorted(map(_snapshot, rows), key=lambda one: one.href))

    async def whereabouts(
        self, account: str, uid: str, tail: str, *, within: timedelta | None
    ) -> Whereabouts:
        """`by_uid`, the ledger, whether there is anything of the tail, and `fresh` if asked for and needed, in one question."""
        since = None if within is None else self._jobs.now() - within

        def question(conn: Connection) -> Whereabouts:
            rows = _BY_UID.ask(conn, {"of_account": account, "of_uid": uid})
            beside = _ANY.first(conn, {"of_account": account, "of_uid": tail}) is not None
            fresh = () if since is None or rows else _FRESH.ask(conn, {"of_account": account, "since": since})
            return Whereabouts(
                here=tuple(sorted(map(_snapshot, rows), key=lambda one: one.href)),
                beside=beside,
                indexed=frozenset(row.path for row in fresh),
                marks=ledger.marks(conn, account, uid),
            )

        return await self._db.read(question)

    async def by_href(self, account: str, href: str) -> Snapshot | None:
        found = await self._where(_T.c.account == account, _T.c.href == href)
        return found[0] if found else None

    async def series_by(self, account: str, organizer: str, *, limit: int) -> tuple[Snapshot, ...]:
        """The series of one organizer in this account's calendars, the last changed first, no more than `limit`."""
        statement = (
            select(_T)
            .where(_T.c.account == account, _T.c.series_by == organizer)
            .order_by(_T.c.changed.desc(), _T.c.href)
            .limit(limit)
        )
        rows = await self._db.read(lambda conn: conn.execute(statement).all())
        return tuple(_snapshot(row) for row in rows)

    async def _where(self, *conditions: ColumnElement[bool]) -> tuple[Snapshot, ...]:
        statement = select(_T).where(*conditions).order_by(_T.c.href)
        rows = await self._db.read(lambda conn: conn.execute(statement).all())
        return tuple(_snapshot(row) for row in rows)

    async def etags(
        self, account: str, collection: str, *, hrefs: Sequence[str] | None = None
    ) -> Mapping[str, str]:
        """href -> ETag of everything known there, or (at least) of these; without the data."""
        if hrefs is not None and not hrefs:
            return {}
        statement = select(_T.c.href, _T.c.etag).where(_T.c.account == account, _T.c.collection == collection)
        if hrefs is not None and len(hrefs) <= _FEW:
            statement = statement.where(_T.c.href.in_(hrefs))
        rows = await self._db.read(lambda conn: conn.execute(statement).all())
        return {row.href: row.etag for row in rows}

    async def collections(self, account: str | None = None) -> tuple[CollectionState, ...]:
        """What we know of the collections of one account, or of all."""
        statement = select(_C).order_by(_C.c.account, _C.c.path)
        if account is not None:
            statement = statement.where(_C.c.account == account)
        rows = await self._db.read(lambda conn: conn.execute(statement).all())
        return tuple(_state(row) for row in rows)

    async def due(self, now: datetime) -> frozenset[str]:
        """The accounts of whom a collection is due."""
        rows = await self._db.read(lambda conn: conn.execute(_DUE, {"now": now}).scalars().all())
        return frozenset(rows)

    async def hasten(self, *, account: str = "", path: str = "") -> int:
        """Make the collections of one account, or those at or above one path, due now; how many there were."""
        above = [path[: end + 1] for end, letter in enumerate(path) if letter == "/"][-_DEEPEST:]
        which = _C.c.path.in_(above) if path else _C.c.account == account
        now = self._jobs.now()

        def change(conn: Connection) -> int:
            conn.execute(update(_C).where(which, or_(_C.c.due.is_(None), _C.c.due > now)).values(due=now))
            return int(conn.execute(select(func.count()).select_from(_C).where(which)).scalar_one())

        return await self._db.write(change)

    async def lease_collection(
        self, account: str, path: str, *, worker: str, lease: timedelta
    ) -> CollectionState | None:
        """Only one at a time looks at a collection, across processes; None: somebody else does."""
        return await self._db.write(
            lambda conn: _lease(conn, account, path, worker, now=self._jobs.now(), lease=lease)
        )

    async def keep_collection(self, state: CollectionState, lease: timedelta) -> bool:
        """Prolong the lease of a round; False when it is lost."""
        end = self._jobs.now() + lease
        kept = update(_C).where(*_held(state)).values(lease_until=end, due=_unless_hastened(end))
        return await self._db.write(lambda conn: conn.execute(kept).rowcount == 1)

    async def synced(
        self,
        state: CollectionState,
        *,
        put: Sequence[Snapshot] = (),
        gone: Sequence[str] = (),
        spawn: Sequence[NewJob] = (),
        over: Mapping[str, Snapshot | None] | None = None,
        unseen: CollectionState | None = None,
    ) -> None:
        """End one watch round of one collection in one transaction; releases its lease. Raise LeaseLost.

        What is no longer as it was known (`over`) has been settled meanwhile: it stays as it is, and the collection is
        `unseen`, so that it is compared with what is there.
        """
        laid = await self._jobs.lay(spawn)

        def change(conn: Connection) -> None:
            stale = _settled_since(conn, state.account, over or {}, [*gone, *(one.href for one in put)])
            _put_state(conn, unseen if stale and unseen is not None else state)
            drop(conn, [(state.account, href) for href in gone if href not in stale])
            write(conn, [one for one in put if one.href not in stale], now=self._jobs.now())
            self._jobs.queue(conn, laid)

        await self._db.write(change)

    async def changed_meetings(
        self, account: str, collection: str, since: datetime, *, harsh: bool = False
    ) -> int:
        """How many UIDs of this account have a change with letters since then, in whichever of its collections, or were
        held as a burst. `harsh`: of those with letters only cancellations, and answers that decline.
        """
        statement = select(func.count(_J.c.uid.distinct())).where(
            _J.c.account == account,
            _J.c.kind == "change",
            _J.c.time >= since,
            or_(_J.c.harsh if harsh else _J.c.mailed, _J.c.reason == "burst"),
        )
        return await self._db.read(lambda conn: int(conn.execute(statement).scalar_one()))

    async def in_hand(self, account: str) -> frozenset[str]:
        """The UIDs of the account's meetings that somebody works on."""
        leased = select(_Q.c.uid).where(
            _Q.c.account == account, _Q.c.state == schema.LEASED, _Q.c.kind == str(JobKind.APPLY)
        )
        return await self._db.read(lambda conn: frozenset(conn.execute(leased).scalars()))

    async def emptied(self, account: str, collection: str) -> bool:
        """Whether several objects are known there, and all of them have an undecided or held change that is no save."""
        going = (
            select(_Q.c.id)
            .where(_Q.c.account == account, _Q.c.uid == _T.c.uid, _Q.c.reason != "settling")
            .exists()
        )
        here = (_T.c.account == account, _T.c.collection == collection)
        known = select(_T.c.uid).where(*here).limit(2)
        staying = select(_T.c.uid).where(*here, ~going).limit(1)
        return await self._db.read(
            lambda conn: len(conn.execute(known).all()) == 2 and conn.execute(staying).first() is None
        )

    async def recover(self, worker: str = "") -> int:
        """End the leases of a watcher that is known to be dead (all, when `worker` is ""); how many there were."""
        free = {"lease_owner": "", "lease_until": None, "due": self._jobs.now()}
        statement = update(_C).where(_C.c.lease_until.is_not(None)).values(free)
        if worker:
            statement = statement.where(_C.c.lease_owner.startswith(f"{worker} ", autoescape=True))
        return await self._db.write(lambda conn: conn.execute(statement).rowcount)


def write(conn: Connection, snapshots: Iterable[Snapshot], *, now: datetime) -> None:
    """Put these in the place of what was known of their hrefs."""
    latest = {(one.account, one.href): one for one in snapshots}
    if latest:
        drop(conn, latest)
        _INSERT.run(conn, [_row(one, now) for one in latest.values()])


def _settled_since(
    conn: Connection, account: str, over: Mapping[str, Snapshot | None], hrefs: Sequence[str]
) -> frozenset[str]:
    """Those that are not, or no longer, as they were known; the others are locked."""
    asked = [one for one in hrefs if one in over]
    now: dict[str, Snapshot] = {}
    for start in range(0, len(asked), _FEW):
        few = _T.c.href.in_(asked[start : start + _FEW])
        rows = conn.execute(select(_T).where(_T.c.account == account, few).with_for_update())
        now |= {row.href: _snapshot(row) for row in rows}
    return frozenset(href for href in asked if now.get(href) != over[href])


def drop(conn: Connection, places: Iterable[tuple[str, str]]) -> None:
    """Forget what lay at (account, href)."""
    rows = [{"of_account": account, "of_href": href} for account, href in places]
    if rows:
        _DELETE.run(conn, rows)


def _row(snapshot: Snapshot, now: datetime) -> dict[str, Any]:
    return {
        "account": snapshot.account,
        "href": snapshot.href,
        "collection": snapshot.collection,
        "uid": snapshot.uid,
        "etag": snapshot.etag,
        "fingerprint": snapshot.fingerprint,
        "series_by": snapshot.series_by,
        "data": snapshot.data,
        "base": snapshot.base,
        "changed": now,
    }


def _snapshot(row: Row[Any]) -> Snapshot:
    return Snapshot(
        account=row.account,
        collection=row.collection,
        href=row.href,
        uid=row.uid,
        etag=row.etag,
        fingerprint=row.fingerprint,
        series_by=row.series_by,
        data=row.data,
        base=row.base,
    )


def _state(row: Row[Any]) -> CollectionState:
    return CollectionState(
        account=row.account,
        path=row.path,
        token=row.token,
        baseline=row.baseline,
        due=row.due,
        interval=row.interval,
        synced_at=row.synced_at,
        error=row.error,
    )


def _put_state(conn: Connection, state: CollectionState) -> None:
    """A round that another process has taken over ends nothing, however late it comes back. Raises LeaseLost."""
    values = {**_facts(state), "due": _unless_hastened(state.due)}
    if conn.execute(update(_C).where(*_held(state)).values(values)).rowcount:
        return
    if state.lease or conn.execute(select(_C.c.path).where(*_at(state.account, state.path))).first():
        raise LeaseLost(f"{state.path}: the lease of the round is lost")
    conn.execute(insert(_C).values(account=state.account, path=state.path, **_facts(state)))


def _unless_hastened(due: datetime | None) -> ColumnElement[Any]:
    """Whoever made it due while we looked has said that there is more to see."""
    return case((_C.c.due < _C.c.lease_until, _C.c.due), else_=literal(due, _C.c.due.type))


def _at(account: str, path: str) -> tuple[ColumnElement[bool], ...]:
    return (_C.c.account == account, _C.c.path == path)


def _held(state: CollectionState) -> tuple[ColumnElement[bool], ...]:
    """The collection, as long as the lease of this round stands."""
    return (*_at(state.account, state.path), _C.c.lease_owner == state.lease)


def _facts(state: CollectionState) -> dict[str, Any]:
    return {
        "token": state.token,
        "baseline": state.baseline,
        "due": state.due,
        "interval": state.interval,
        "synced_at": state.synced_at,
        "error": state.error,
        "lease_owner": "",
        "lease_until": None,
    }


def _lease(
    conn: Connection, account: str, path: str, worker: str, *, now: datetime, lease: timedelta
) -> CollectionState | None:
    """The proof names the worker, and is another one each time: who comes back late may bear the same name."""
    here = _at(account, path)
    if conn.execute(select(_C.c.path).where(*here)).first() is None:
        # never an update: another node may have leased it in this very moment
        new = CollectionState(account=account, path=path)
        conn.execute(insert(_C).values(account=account, path=path, **_facts(new)))
    free = or_(_C.c.lease_until.is_(None), _C.c.lease_until <= now)
    end, proof = now + lease, f"{worker} {token()}"
    taken = update(_C).where(*here, free).values(lease_owner=proof, lease_until=end, due=end)
    if conn.execute(taken).rowcount == 0:
        return None
    return replace(_state(conn.execute(select(_C).where(*here)).one()), lease=proof)


__all__ = ["Snapshots", "drop", "write"]
