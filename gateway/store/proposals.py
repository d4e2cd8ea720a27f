"""Proposals of another time: kept when their COUNTER is settled, listed, and handed to a job by the organizer's word.

planned     with the plan of the COUNTER, and gone with it when that is decided again
open        settled; `proposal list` shows it
answered    a job carries the organizer's word out; where that job vanishes without doing it, it is open again
closed      accepted, declined, replaced by his next one, or overtaken by a newer version of the meeting
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, or_, select, update

from gateway.ports import Job, JobKind, NewJob, Plan, ProposalRow
from gateway.store import schema
from gateway.store.db import Database
from gateway.store.instants import rfc3339
from gateway.store.jobs import Jobs

_T = schema.proposal
_DECIDED = ("applied", "stale")
_ORGANIZER = "organizer"  # the ledger's party

_working = select(schema.job.c.id).where(schema.job.c.id == _T.c.job).exists()
_waiting = and_(_T.c.plan.is_(None), _T.c.closed.is_(None), or_(_T.c.answer == "", ~_working))


class ProposalItems:
    """Implements `ports.Proposals`, and what the command asks."""

    def __init__(self, db: Database, jobs: Jobs) -> None:
        self._db = db
        self._jobs = jobs

    async def list(self) -> list[dict[str, Any]]:
        """What waits for an organizer, oldest first."""
        statement = select(_T).where(_waiting).order_by(_T.c.since, _T.c.id)
        return await self._db.read(lambda conn: [_line(row) for row in conn.execute(statement)])

    async def find(self, proposal: str) -> ProposalRow | None:
        """One proposal, open or not; None when there is none of that name."""
        row = await self._db.read(lambda conn: conn.execute(select(_T).where(_T.c.id == proposal)).first())
        if row is None:
            return None
        facts = {name: getattr(row, name) for name in ProposalRow.__slots__}
        return ProposalRow(**facts)

    async def answer(self, proposal: str, answer: str) -> bool:
        """Queue the organizer's word, `accepted` or `declined`; False when nothing of that name waits for it."""
        query = select(_T).where(_T.c.id == proposal, _waiting)
        row = await self._db.read(lambda conn: conn.execute(query).first())
        if row is None:
            return False
        (laid,) = await self._jobs.lay((_job(row, answer),))

        def change(conn: Connection) -> bool:
            if conn.execute(query.with_for_update()).first() is None:
                return False
            conn.execute(update(_T).where(_T.c.id == proposal).values(answer=answer, job=laid.id))
            self._jobs.queue(conn, (laid,))
            return True

        return await self._db.write(change)


def write_planned(
    conn: Connection, rows: Sequence[tuple[str, ProposalRow]], *, plan: str, job: Job, now: datetime
) -> None:
    """Write (id, proposal) with the plan that will settle them."""
    fresh = {"plan": plan, "lane": job.lane, "since": now, "job": "", "answer": "", "closed": None}
    if rows:
        conn.execute(insert(_T), [asdict(one) | fresh | {"id": name} for name, one in rows])


def settle(conn: Connection, plan: Plan, now: datetime) -> None:
    """What a settled plan means for the proposals of its meeting; nearly always there are none."""
    unfinished = (_T.c.account == plan.account, _T.c.uid == plan.uid, _T.c.closed.is_(None))
    if conn.execute(select(_T.c.id).where(*unfinished).limit(1)).first() is None:
        return
    _close_answered(conn, plan, now)
    _close_overtaken(conn, plan, now)
    _open_planned(conn, plan, now)


def _open_planned(conn: Connection, plan: Plan, now: datetime) -> None:
    """The newest proposal of a guest for an instance is the one that stands."""
    for row in conn.execute(select(_T).where(_T.c.plan == plan.id)).all():
        same = (
            _T.c.account == row.account,
            _T.c.uid == row.uid,
            _T.c.recurrence_id == row.recurrence_id,
            _T.c.sender == row.sender,
            _T.c.plan.is_(None),
        )
        _close(conn, "replaced", now, *same)
        conn.execute(update(_T).where(_T.c.id == row.id).values(plan=None))


def _close_answered(conn: Connection, plan: Plan, now: datetime) -> None:
    """The job that carries the organizer's word has done so, or found that it is too late."""
    outcome = plan.entry.outcome if plan.entry is not None else ""
    mine = (_T.c.job == plan.job, _T.c.closed.is_(None))
    if outcome == "stale":
        _close(conn, "overtaken", now, *mine)
    elif outcome == "applied":
        conn.execute(update(_T).where(*mine).values(closed=now))


def _close_overtaken(conn: Connection, plan: Plan, now: datetime) -> None:
    """SPEC 4.5: what was proposed for an older SEQUENCE than the organizer's last word no longer stands."""
    said = {
        one.recurrence_id: one.mark["sequence"]
        for one in plan.marks
        if one.party == _ORGANIZER and isinstance(one.mark.get("sequence"), int)
    }
    for key, sequence in said.items():
        # the whole speaks for every instance that it does not name
        place = _T.c.recurrence_id.not_in(set(said) - {""}) if not key else _T.c.recurrence_id == key
        meeting = (_T.c.account == plan.account, _T.c.uid == plan.uid, place)
        _close(conn, "overtaken", now, *meeting, _T.c.sequence < sequence, _T.c.answer == "")


def _close(conn: Connection, answer: str, now: datetime, *which: Any) -> None:
    conn.execute(update(_T).where(*which, _T.c.closed.is_(None)).values(answer=answer, closed=now))


def _job(row: Row[Any], answer: str) -> NewJob:
    return NewJob(
        kind=JobKind.APPLY,
        lane=row.lane,
        payload={"source": "answer", "proposal": row.id, "answer": answer},
        account=row.account,
        uid=row.uid,
        message_id=row.message_id,
    )


def _line(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "since": rfc3339(row.since),
        "account": row.account,
        "uid": row.uid,
        "recurrence_id": row.recurrence_id or None,
        "from": row.sender,
        "start": row.start or None,
        "end": row.end or None,
        "old_start": row.old_start or None,
        "old_end": row.old_end or None,
        "comment": row.comment or None,
    }


__all__ = ["ProposalItems", "settle", "write_planned"]
