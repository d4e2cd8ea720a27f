"""What the commands ask of the queue: list, show, stats, drained; retry, release, drop (INTERFACE 2 and 7)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, exists, func, literal_column, or_, select, update

from gateway.ports import Entry, JobKind, JobState
from gateway.store import lanes, schema
from gateway.store.instants import rfc3339
from gateway.store.jobs import Jobs, Lease, lease_of
from gateway.store.schema import AHEAD, LEASED

_T = schema.job
EXPIRY = "expiry"  # the reason of such a job
_DUE, _WAITING = str(JobState.DUE), str(JobState.WAITING)


def listing(conn: Connection) -> list[dict[str, Any]]:
    """Every job: first what comes due first, last what waits for a person."""
    rows = conn.execute(select(_T).order_by(_T.c.due.is_(None), _T.c.due, _T.c.id))
    return [_line(row) for row in rows]


def showing(conn: Connection, job: str) -> dict[str, Any] | None:
    """One job with all that is known of it but its body."""
    row = conn.execute(select(_T).where(_T.c.id == job)).first()
    if row is None:
        return None
    return _line(row) | {
        "created": rfc3339(row.created),
        "lane": row.lane,
        "origin": row.origin,
        "lease_owner": row.lease_owner or None,
        "lease_until": rfc3339(row.lease_until),
        "payload": row.payload,
    }


def _line(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "state": row.state,
        "account": row.account or None,
        "uid": row.uid or None,
        "message_id": row.message_id or None,
        "attempts": row.attempts,
        "due": rfc3339(row.due),
        "reason": row.reason or None,
    }


def stats(conn: Connection, now: datetime) -> dict[str, float | None]:
    """Jobs by state. `waiting` is `parked` plus `held`; letters that wait or are tried again are not in `due`."""
    tried, timed = _T.c.attempts > literal_column("0"), _T.c.due.is_not(None)
    columns = (_T.c.kind, _T.c.state, tried.label("tried"), timed.label("timed"))
    groups = conn.execute(
        select(*columns, func.count().label("jobs")).group_by(_T.c.kind, _T.c.state, tried, timed)
    )
    names = ("due", "leased", "waiting", "parked", "held", "buried", "letters_due", "letters_deferred")
    found: dict[str, float | None] = dict.fromkeys(names, 0)
    for group in groups:
        for name in _counted_as(group):
            found[name] = (found[name] or 0) + group.jobs
    oldest = select(func.min(_T.c.created, type_=_T.c.created.type)).where(
        _T.c.state != LEASED, _T.c.due <= now
    )
    created = conn.execute(oldest).scalar()
    found["oldest_seconds"] = None if created is None else (now - created).total_seconds()
    return found


def _counted_as(group: Row[Any]) -> tuple[str, ...]:
    if group.state == _WAITING:
        return ("waiting", "parked" if group.timed else "held")
    if group.state == _DUE and group.kind == JobKind.LETTER:
        return ("letters_deferred" if group.tried else "letters_due",)
    return (group.state,)


def drained(conn: Connection, now: datetime, *, timers: bool) -> bool:
    """A job that was never tried and is due later waits for a timer; one that was tried waits for a peer.

    What waits for days to tidy a calendar up is nobody's unfinished business.
    """
    busy = [
        exists().where(_T.c.state == LEASED),
        exists().where(_T.c.state != LEASED, AHEAD, _T.c.due <= now),
    ]
    if timers:
        busy.append(exists().where(and_(_T.c.state == _DUE, _T.c.attempts == 0, _T.c.reason != EXPIRY)))
    return not conn.execute(select(or_(*busy))).scalar()


def make_due(conn: Connection, jobs: Jobs, job: str, *, states: Sequence[str], timed: bool) -> bool:
    """Let it run now. A released job starts its life anew, so that it is not given up at once; what an earlier run left
    behind, it looks for."""
    statement = update(_T).where(_T.c.id == job, _T.c.state.in_(states), _T.c.state != LEASED)
    now = jobs.now()
    values: dict[str, Any] = {"state": _DUE, "due": now, "behind": 0}
    if timed:
        statement = statement.where(_T.c.due.is_not(None))
    else:
        values |= {"attempts": 1, "deaths": 0, "created": now, "reason": ""}
    jobs.ring(conn)
    moved = conn.execute(statement.values(values).returning(_T.c.lane, _T.c.kind)).first()
    if moved is not None:
        lanes.wake(conn, moved.lane, kind=moved.kind, job=job)
    return moved is not None


def drop(conn: Connection, jobs: Jobs, job: str) -> bool:
    """By a person's hand: the machine never deletes (SPEC 9.3)."""
    end = unclaimed(conn, job)
    if end is None:
        return False
    row, lease = end
    entry = Entry(
        job=row.id,
        kind=row.payload.get("source", row.kind),
        outcome="failed",
        reason="dropped",
        message_id=row.message_id,
        uid=row.uid,
        account=row.account,
        letters=tuple(filter(None, [row.payload.get("letter")])),
    )
    jobs.tell(conn, (entry,), origin=lease.origin)
    now = jobs.now()
    if row.kind == JobKind.LETTER:
        letters = schema.letter
        conn.execute(
            update(letters)
            .where(letters.c.id == row.payload.get("letter"))
            .values(state="dropped", reason="dropped", changed=now)
        )
    held = schema.held
    conn.execute(
        update(held).where(held.c.job == job, held.c.closed.is_(None)).values(answer="dropped", closed=now)
    )
    jobs.remove(conn, lease)
    return True


def unclaimed(conn: Connection, job: str) -> tuple[Row[Any], Lease] | None:
    """A job that nobody works on, and what ends it."""
    file = select(schema.content.c.file).where(schema.content.c.job == _T.c.id).scalar_subquery()
    statement = select(_T, file.label("file")).where(_T.c.id == job, _T.c.state != LEASED)
    row = conn.execute(statement.with_for_update(of=_T)).first()
    if row is None:
        return None
    return row, lease_of(row)


__all__ = ["drained", "drop", "listing", "make_due", "showing", "stats", "unclaimed"]
