"""Which jobs may run now, and the statement that leases them.

A unique index over the leased jobs of a lane makes it true across processes and nodes that only one of them is leased,
whatever two of them read at the same moment; `lanes.py` says whose turn it is.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Select, Update, bindparam, or_, select, update
from sqlalchemy.exc import IntegrityError

from gateway.ports import JobKind, JobState
from gateway.store import lanes, schema
from gateway.store.ids import token
from gateway.store.prepared import Prepared, plain
from gateway.store.schema import AHEAD, LEASED

Kinds = tuple[JobKind, ...]
MOST_DEATHS = 5  # workers that may die with a job; to the next one it is given to be buried
ALONE = 3  # after so many it runs with no other beside it, so that it does not take the innocent along

_T = schema.job

_EXPIRED = (
    select(_T)
    .where(_T.c.state == LEASED, _T.c.lease_until <= bindparam("now"))
    .order_by(_T.c.due, _T.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_POISON = (
    select(_T)
    .where(_T.c.state == LEASED, _T.c.lease_until <= bindparam("now"), _T.c.deaths >= MOST_DEATHS)
    .with_for_update(skip_locked=True)
)
_IN_HAND = select(_T.c.id).where(
    _T.c.state == LEASED,
    _T.c.lease_owner == bindparam("owner"),
    _T.c.lease_until > bindparam("now"),
    _T.c.kind != str(JobKind.RELAY),
)
_NEXT = (
    select(_T.c.account)
    .where(_T.c.state != LEASED, AHEAD, _T.c.account > bindparam("last"))
    .order_by(_T.c.account)
    .limit(1)
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


class Turns:
    """Whose turn it is where a few accounts have more to do than is taken at once: all others come one after the other."""

    def __init__(self) -> None:
        self._last = ""

    def share(
        self, conn: Connection, rows: list[Any], *, most: int, now: datetime, kinds: Kinds
    ) -> list[Any]:
        """The oldest due jobs; up to half of them give way to accounts that are not among them and have a job that is due.

        It costs two looks into an index for each account that is asked, and no more are asked than jobs are taken; none
        where everything due was taken, or each is of another account.
        """
        counts = Counter(one.account for one in rows)
        if len(rows) < max(2, most) or counts.most_common(1)[0][1] == 1:
            return rows
        guests: list[Any] = []
        for account in self._others(conn, len(rows), counts):
            guests += lanes.ready(conn, 1, now=now, kinds=kinds, account=account)[0]
            if len(guests) * 2 >= len(rows):
                break
        kept = list(rows)
        for place in range(len(guests)):
            crowd, count = counts.most_common(1)[0]
            if count == 1:
                return [*kept, *guests[:place]]
            counts[crowd] -= 1
            kept.remove(next(one for one in reversed(kept) if one.account == crowd))
        return [*kept, *guests]

    def _others(self, conn: Connection, most: int, known: Container[str]) -> Iterator[str]:
        """From where it stopped, once round; "" is the mails that were not read yet."""
        began, wrapped = self._last, False
        for _ in range(most):
            found = _prepared(_NEXT, ()).first(conn, {"last": self._last})
            if found is None and wrapped:
                return
            wrapped = wrapped or found is None
            self._last = "" if found is None else found.account
            if self._last not in known:
                yield self._last
            if wrapped and self._last >= began:
                return


def poison(conn: Connection, now: datetime) -> Sequence[Row[Any]]:
    """Jobs that even killed who was to bury them: whatever they do to a process, they shall not do it for ever (SPEC 9.3)."""
    return _prepared(_POISON, ()).ask(conn, {"now": now})


def take(
    conn: Connection,
    owner: str,
    *,
    now: datetime,
    lease: timedelta,
    limit: int,
    kinds: Sequence[JobKind],
    turns: Turns,
) -> list[dict[str, Any]] | None:
    """Lease up to `limit` jobs, those first whose last worker died with them; their rows as they are now. None: nothing yet, but
    there is more to look at.

    One that has outlived `ALONE` workers is handed out alone, once its worker has nothing else in hand; but for what goes
    on from the door, which may never end.
    """
    facts = {"now": now, "most": limit}
    which, until = tuple(kinds), now + lease
    dead = _prepared(_EXPIRED, which).ask(conn, facts)
    if deadly := [row for row in dead if row.deaths >= ALONE]:
        if _prepared(_IN_HAND, ()).ask(conn, {"owner": owner, "now": now}):
            return []
        return _lease(conn, [_taken(row, owner, until, died=True) for row in deadly[:1]])
    ours = _lease(conn, [_taken(row, owner, until, died=True) for row in dead])
    left = limit - len(ours)
    if not left:
        return ours
    rows, more = lanes.ready(conn, left, now=now, kinds=which)
    if rows:
        rows = turns.share(conn, rows, most=left, now=now, kinds=which)
    ours += _lease(conn, [_taken(row, owner, until, died=False) for row in rows])
    return ours if ours or not more else None


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


__all__ = ["MOST_DEATHS", "Turns", "poison", "take"]
