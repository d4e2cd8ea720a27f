"""The lanes: which job of a lane may run, and who is not worth a look until something of his lane has ended.

Only the oldest job of a lane may start, and none while one of its jobs is leased (SPEC 9.1). Before all others of its lane
comes a job that has a plan: it may have written to the calendar, and until that is settled the next one would take its
write for a person's.

Of a long lane all jobs but one are due and not ready. A claim that meets them marks them as `behind`, and no later one looks
at them; so it costs the same however long a lane is. Whatever ends, moves or puts back a job wakes the first of its lane in
the same transaction. The mark says only what is worth a look: what may run is asked of the lane itself, each time.

Nobody is marked whom the other transaction could miss: the mark needs a lock on the job that stands before him, and who ends
that one locks it first and asks for the next one of its lane afterwards. Who wakes locks whom he wakes, marked or not: so
nobody marks him until the wakening stands, and of two who end jobs of one lane at once neither leaves it to the other, since
a lock that is waited for passes over what was deleted meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, case, exists, or_, select, update

from gateway.ports import JobKind, JobState
from gateway.store import schema
from gateway.store.prepared import Prepared
from gateway.store.schema import AHEAD, LEASED, NONE

Kinds = tuple[JobKind, ...]
PAGE = 128  # jobs that are looked at together once the first few were not enough
PAGES = 8  # so many in one transaction: nobody waits long for it
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_T = schema.job
_OTHER = schema.job.alias("other")
_LANE = schema.job.alias("lane")
_OPEN = schema.job.alias("open")
_PLAN = schema.plan

_BEGUN = exists().where(_PLAN.c.job == _T.c.id)
_BUSY = exists().where(_LANE.c.lane == _T.c.lane, _LANE.c.state == LEASED)
_OTHERS = exists().where(_OTHER.c.lane == _T.c.lane, _OTHER.c.state != LEASED)
_EARLIER = _OTHERS.where(_OTHER.c.due < _T.c.due)
_BESIDE = _OTHERS.where(_OTHER.c.due == _T.c.due, _OTHER.c.id < _T.c.id)
_UNSETTLED = exists().where(
    _PLAN.c.lane == _T.c.lane,
    _PLAN.c.job == _OPEN.c.id,
    _OPEN.c.id != _T.c.id,
    _OPEN.c.state == str(JobState.DUE),  # what is buried, held or parked keeps nobody waiting
)
# CASE stops at the first that is true; AND as a value does not in SQLite.
_READY = case((_BUSY, 0), (_BEGUN, 1), (_EARLIER, 0), (_BESIDE, 0), (_UNSETTLED, 0), else_=1)
_DUE = (
    select(_T, _READY.label("ready"))
    .where(
        _T.c.state != LEASED,
        AHEAD,
        _T.c.due <= bindparam("now"),
        _T.c.due >= bindparam("after"),
        or_(_T.c.due > bindparam("after"), _T.c.id > bindparam("past")),
    )
    .order_by(_T.c.due, _T.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True, of=_T)
)
_OF_ACCOUNT = _DUE.where(_T.c.account == bindparam("of_account"))
_FREE_OF_LANE = (
    select(_OTHER)
    .where(_OTHER.c.lane == bindparam("of_lane"), _OTHER.c.state != LEASED, _OTHER.c.due.is_not(None))
    .order_by(_OTHER.c.due, _OTHER.c.id)
    .limit(1)
)
_RUNNING = Prepared(
    select(_T.c.id)
    .where(_T.c.lane == bindparam("of_lane"), _T.c.state == LEASED)
    .with_for_update(skip_locked=True)
)
_HEAD = Prepared(_FREE_OF_LANE.with_for_update(skip_locked=True))
_MARK = Prepared(
    update(_T).where(_T.c.id == bindparam("job_id"), _T.c.state != LEASED, ~_BEGUN).values(behind=1)
)
_WAKE = Prepared(
    update(_T)
    .where(
        _T.c.id == _FREE_OF_LANE.with_only_columns(_OTHER.c.id).with_for_update().scalar_subquery(),
        _T.c.behind != NONE,
        _T.c.state != LEASED,
    )
    .values(behind=0)
)
_NAME = (
    update(_PLAN)
    .where(_PLAN.c.lane == schema.NOTHING)
    .values(lane=select(_T.c.lane).where(_T.c.id == _PLAN.c.job).scalar_subquery())
)
_HEAL = update(_T).where(_T.c.behind != NONE, _T.c.state != LEASED, _READY == 1).values(behind=0)


def ready(
    conn: Connection, most: int, *, now: datetime, kinds: Kinds, account: str | None = None
) -> tuple[list[Any], bool]:
    """Up to `most` jobs that may run, oldest due first, locked; and whether there was more to look at than is looked at at once."""
    found: list[Any] = []
    facts: dict[str, Any] = {"now": now, "most": most, "after": _EPOCH, "past": "", "of_account": account}
    for _ in range(PAGES):
        page = _asked(_DUE if account is None else _OF_ACCOUNT, kinds).ask(conn, facts)
        found += [row for row in page if row.ready]
        if blocked := [row for row in page if not row.ready]:
            _mark(conn, blocked)
        if len(found) >= most or len(page) < facts["most"]:
            return found[:most], False
        facts |= {"most": max(most, PAGE), "after": page[-1].due, "past": page[-1].id}
    return found, True


@lru_cache(maxsize=32)
def _asked(statement: Select[Any], kinds: Kinds) -> Prepared:
    if kinds:
        statement = statement.where(or_(*(_T.c.kind == str(one) for one in kinds)))
    return Prepared(statement)


def _mark(conn: Connection, blocked: Sequence[Any]) -> None:
    lanes: dict[str, list[Any]] = defaultdict(list)
    for row in blocked:
        lanes[row.lane].append(row)
    behind: list[Any] = []
    for lane, rows in lanes.items():
        if _RUNNING.first(conn, {"of_lane": lane}) is not None:
            behind += rows
        elif head := _HEAD.first(conn, {"of_lane": lane}):
            behind += [row for row in rows if (row.due, row.id) > (head.due, head.id)]
    if behind:
        _MARK.run(conn, [{"job_id": row.id} for row in behind])


def wake(conn: Connection, lane: str, *, kind: str, job: str) -> None:
    """This job has ended or moved: the first of its lane is worth a look. It had locked or changed its row before."""
    if lane != alone(kind, job):
        _WAKE.run(conn, ({"of_lane": lane},))


def heal(conn: Connection) -> int:
    """Wake whoever is marked and may run, as an older program may have freed his lane or planned in it; how many."""
    conn.execute(_NAME)
    return conn.execute(_HEAL).rowcount


def alone(kind: str, job: str) -> str:
    """The lane of a job that shares it with nobody."""
    return f"{kind}:{job}"


__all__ = ["alone", "heal", "ready", "wake"]
