"""Proposals of another time: kept when their COUNTER is settled, listed, and handed to a job by the organizer's word.

planned     with the plan of the COUNTER, and gone with it when that is decided again
open        settled; `proposal list` shows it
answered    a job carries the organizer's word out; where that job vanishes without doing it, it is open again
closed      accepted, declined, replaced by his next one, or overtaken by a newer version of the meeting
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, insert, or_, select, update

from gateway.ports import Job, JobKind, NewJob, Plan, ProposalRow, Undecided
from gateway.store import schema
from gateway.store.db import Database
from gateway.store.instants import rfc3339
from gateway.store.jobs import Jobs
from gateway.store.prepared import Prepared

_T = schema.proposal
OVERTAKEN = "overtaken"
OPEN_OF_ONE = 20  # proposals of one guest for one meeting; beyond, his newest stand
_TOO_LATE = ("stale", "ignored")  # the meeting has moved on, or is over
_SHOWN = timedelta(days=7)
_ORGANIZER = "organizer"  # the ledger's party

_UNFINISHED = Prepared(
    select(_T.c.id)
    .where(_T.c.account == bindparam("of_account"), _T.c.uid == bindparam("of_uid"), _T.c.closed.is_(None))
    .limit(1)
)
_working = select(schema.job.c.id).where(schema.job.c.id == _T.c.job).exists()
_waiting = and_(_T.c.plan.is_(None), _T.c.closed.is_(None), or_(_T.c.answer == "", ~_working))


class ProposalItems:
    """Implements `ports.Proposals`, and what the command asks."""

    def __init__(self, db: Database, jobs: Jobs) -> None:
        self._db = db
        self._jobs = jobs

    async def list(self) -> list[dict[str, Any]]:
        """What waits for an organizer, oldest first; and for a week what the meeting's own change has overtaken."""
        lately = and_(_T.c.answer == OVERTAKEN, _T.c.closed > self._jobs.now() - _SHOWN)
        statement = select(_T).where(or_(_waiting, lately)).order_by(_T.c.since, _T.c.id)
        return await self._db.read(lambda conn: [_line(row) for row in conn.execute(statement)])

    async def find(self, proposal: str) -> ProposalRow | None:
        """One proposal, open or not; None when there is none of that name."""
        row = await self._db.read(lambda conn: conn.execute(select(_T).where(_T.c.id == proposal)).first())
        return None if row is None else _row(row)

    async def state(self, proposal: str) -> str:
        """ "open", what became of it, or "" when there is none of that name."""
        return await self._db.read(lambda conn: _state(conn.execute(_known(proposal)).first()))

    async def of_meeting(self, account: str, uid: str) -> tuple[Undecided, ...]:
        """The proposals about one meeting that wait for its organizer, or for his word to be carried out."""
        mine = (_T.c.account == account, _T.c.uid == uid, _T.c.plan.is_(None), _T.c.closed.is_(None))
        job = schema.job
        statement = (
            select(_T, job.c.due, job.c.id.label("working"))
            .outerjoin(job, job.c.id == _T.c.job)
            .where(*mine)
            .order_by(_T.c.since, _T.c.id)
        )
        rows = await self._db.read(lambda conn: conn.execute(statement).all())
        return tuple(
            Undecided(
                row=_row(row),
                answer=row.answer if row.working else "",
                job=row.working or "",
                due=row.due if row.working else None,
            )
            for row in rows
        )

    async def answer(self, proposal: str, answer: str, *, due: datetime | None = None) -> bool:
        """Queue the organizer's word, `accepted` or `declined`; False when nothing of that name waits for it."""
        query = select(_T).where(_T.c.id == proposal, _waiting)
        row = await self._db.read(lambda conn: conn.execute(query).first())
        if row is None:
            return False
        (laid,) = await self._jobs.lay((_job(row, answer, due),))

        def change(conn: Connection) -> bool:
            if conn.execute(query.with_for_update()).first() is None:
                return False
            conn.execute(update(_T).where(_T.c.id == proposal).values(answer=answer, job=laid.id))
            self._jobs.queue(conn, (laid,))
            return True

        return await self._db.write(change)


def write_planned(conn: Connection, plan: Plan, *, job: Job, now: datetime) -> None:
    """Write the plan's proposals, to be settled with it."""
    fresh = {"plan": plan.id, "lane": job.lane, "since": now, "job": "", "answer": "", "closed": None}
    if plan.proposals:
        conn.execute(insert(_T), [asdict(one) | fresh for one in plan.proposals])


def settle(conn: Connection, plan: Plan, now: datetime) -> None:
    """What a settled plan means for the proposals of its meeting; nearly always there are none."""
    if _UNFINISHED.first(conn, {"of_account": plan.account, "of_uid": plan.uid}) is None:
        return
    _close_answered(conn, plan, now)
    _close_overtaken(conn, plan, now)
    _open_planned(conn, plan, now)


def _open_planned(conn: Connection, plan: Plan, now: datetime) -> None:
    """The newest proposal of a guest for an instance is the one that stands."""
    for row in conn.execute(select(_T).where(_T.c.plan == plan.id)).all():
        his = (_T.c.account == row.account, _T.c.uid == row.uid, _T.c.sender == row.sender, _waiting)
        _close(conn, "replaced", now, *his, _T.c.recurrence_id == row.recurrence_id)
        conn.execute(update(_T).where(_T.c.id == row.id).values(plan=None))
        newest = select(_T.c.id).where(*his).order_by(_T.c.since.desc(), _T.c.id.desc())
        for old in conn.execute(newest.offset(OPEN_OF_ONE)).scalars().all():
            _close(conn, "replaced", now, _T.c.id == old)


def _close_answered(conn: Connection, plan: Plan, now: datetime) -> None:
    """The job that carries the organizer's word has done so, or found that it is too late."""
    outcome = plan.entry.outcome if plan.entry is not None else ""
    mine = (_T.c.job == plan.job, _T.c.closed.is_(None))
    if outcome in _TOO_LATE:
        _close(conn, OVERTAKEN, now, *mine)
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
        _close(conn, OVERTAKEN, now, *meeting, _T.c.sequence < sequence, _waiting)


def _close(conn: Connection, answer: str, now: datetime, *which: Any) -> None:
    conn.execute(update(_T).where(*which, _T.c.closed.is_(None)).values(answer=answer, closed=now))


def _row(row: Row[Any]) -> ProposalRow:
    return ProposalRow(**{name: getattr(row, name) for name in ProposalRow.__slots__})


def _job(row: Row[Any], answer: str, due: datetime | None) -> NewJob:
    return NewJob(
        kind=JobKind.APPLY,
        lane=row.lane,
        payload={"source": "answer", "proposal": row.id, "answer": answer},
        account=row.account,
        uid=row.uid,
        message_id=row.message_id,
        due=due,
        reason="undo" if due is not None else "",
    )


def _known(proposal: str) -> Select[Any]:
    return select(_T, _waiting.label("waiting")).where(_T.c.id == proposal, _T.c.plan.is_(None))


def _state(row: Row[Any] | None) -> str:
    if row is None:
        return ""
    return "open" if row.waiting else str(row.answer)


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
        "state": row.answer if row.closed else "open",
    }


__all__ = ["ProposalItems", "settle", "write_planned"]
