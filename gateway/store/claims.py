"""Which jobs may run now, and the statement that leases them.

A lane is a line: only its oldest job may start, and none while one of its jobs is leased (SPEC 9.1). A unique index over
the leased jobs of a lane makes that true across processes and nodes, whatever two of them read at the same moment.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Select, Update, and_, bindparam, exists, or_, select, update
from sqlalchemy.exc import IntegrityError

from gateway.ports import JobKind, JobState
from gateway.store import schema
from gateway.store.ids import token
from gateway.store.prepared import Prepared, plain
from gateway.store.schema import LEASED

MOST_DEATHS = 5  # workers that may die with a job before a person must look at it
ALONE = 3  # after so many it runs with no other beside it, so that it does not take the innocent along

_T = schema.job
_OTHER = schema.job.alias("other")
_LANE = schema.job.alias("lane")

_EXPIRED = (
    select(_T)
    .where(_T.c.state == LEASED, _T.c.lease_until <= bindparam("now"))
    .order_by(_T.c.due, _T.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_POISON = (
    select(_T)
    .where(_T.c.state == LEASED, _T.c.lease_until <= bindparam("now"), _T.c.deaths >= MOST_DEATHS - 1)
    .with_for_update(skip_locked=True)
)
_IN_HAND = select(_T.c.id).where(
    _T.c.state == LEASED,
    _T.c.lease_owner == bindparam("owner"),
    _T.c.lease_until > bindparam("now"),
    _T.c.kind != str(JobKind.RELAY),
)
_READY = (
    select(_T)
    .where(
        _T.c.state != LEASED,
        _T.c.due <= bindparam("now"),
        ~exists().where(_LANE.c.lane == _T.c.lane, _LANE.c.state == LEASED),
        ~exists().where(
            _OTHER.c.lane == _T.c.lane,
            _OTHER.c.state != LEASED,
            _OTHER.c.due <= _T.c.due,
            or_(_OTHER.c.due < _T.c.due, and_(_OTHER.c.due == _T.c.due, _OTHER.c.id < _T.c.id)),
        ),
    )
    .order_by(_T.c.due, _T.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True, of=_T)
)
_TAKE = (
    update(_T)
    .where(_T.c.id == bindparam("job_id"))
    .values(
        state=str(JobState.LEASED),
        attempts=bindparam("tries"),
        deaths=bindparam("died"),
        lease_owner=bindparam("owner"),
        lease_token=bindparam("proof"),
        lease_until=bindparam("until"),
    )
)


def poison(conn: Connection, now: datetime) -> Sequence[Row[Any]]:
    """Jobs whose worker died once too often: whatever they do to a process, they shall not do it for ever (SPEC 9.3)."""
    return _prepared(_POISON, ()).ask(conn, {"now": now})


def take(
    conn: Connection, owner: str, *, now: datetime, lease: timedelta, limit: int, kinds: Sequence[JobKind]
) -> list[dict[str, Any]]:
    """Lease up to `limit` jobs, those first whose last worker died with them; their rows as they are now.

    One that has outlived `ALONE` workers is handed out alone, once its worker has nothing else in hand; but for what goes
    on from the door, which may never end.
    """
    facts = {"now": now, "most": limit}
    ours: list[dict[str, Any]] = []
    for statement, died in ((_EXPIRED, True), (_READY, False)):
        if left := limit - len(ours):
            rows = _prepared(statement, tuple(kinds)).ask(conn, facts | {"most": left})
            deadly = [row for row in rows if row.deaths >= ALONE] if died else []
            if deadly and _prepared(_IN_HAND, ()).ask(conn, {"owner": owner, "now": now}):
                return []
            ours += _lease(conn, [_taken(row, owner, now + lease, died=died) for row in deadly[:1] or rows])
            if deadly:
                return ours
    return ours


@lru_cache(maxsize=32)
def _prepared(statement: Select[Any] | Update, kinds: tuple[JobKind, ...]) -> Prepared:
    if kinds and isinstance(statement, Select):
        statement = statement.where(or_(*(_T.c.kind == str(one) for one in kinds)))
    return Prepared(statement)


@contextlib.contextmanager
def _savepoint(conn: Connection) -> Iterator[None]:
    plain(conn, "SAVEPOINT take")
    try:
        yield
    except IntegrityError:
        plain(conn, "ROLLBACK TO SAVEPOINT take")
        plain(conn, "RELEASE SAVEPOINT take")
        raise
    plain(conn, "RELEASE SAVEPOINT take")


def _taken(row: Row[Any], owner: str, until: datetime, *, died: bool) -> dict[str, Any]:
    return {
        **row._asdict(),
        "state": str(JobState.LEASED),
        "attempts": row.attempts + died,
        "deaths": row.deaths + died,
        "lease_owner": owner,
        "lease_token": token(),
        "lease_until": until,
    }


def _lease(conn: Connection, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All at once; where another node took a lane in this very moment, one by one."""
    if not rows:
        return []
    try:
        with _savepoint(conn):
            _prepared(_TAKE, ()).run(conn, [_values(one) for one in rows])
    except IntegrityError:
        return [one for one in rows if len(rows) > 1 and _lease(conn, [one])]
    return rows


def _values(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "job_id": row["id"],
        "tries": row["attempts"],
        "died": row["deaths"],
        "owner": row["lease_owner"],
        "proof": row["lease_token"],
        "until": row["lease_until"],
    }


__all__ = ["MOST_DEATHS", "poison", "take"]
