"""What waits for a person: list it, approve it, refuse it (INTERFACE 7, `held`)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, or_, select, update

from gateway.ports import Crasher, Entry, Held, JobState
from gateway.store import schema
from gateway.store.db import Database
from gateway.store.instants import rfc3339
from gateway.store.jobs import Jobs
from gateway.store.mailq import unclaimed

_T = schema.held
CRASHERS = 20  # of one meeting that are listed at a time


class HeldItems:
    """The desk of the administrator, and of the owner."""

    def __init__(self, db: Database, jobs: Jobs) -> None:
        self._db = db
        self._jobs = jobs

    async def list(self) -> list[dict[str, Any]]:
        """What is open, oldest first."""
        statement = select(_T).where(_T.c.closed.is_(None)).order_by(_T.c.since, _T.c.id)
        return await self._db.read(lambda conn: [_line(row) for row in conn.execute(statement)])

    async def crashers(self, account: str, uid: str) -> tuple[Crasher, ...]:
        """The first of those that wait for the organizer of a meeting, or for his word to take effect."""
        now = self._jobs.now()
        waits = or_(_T.c.closed.is_(None), _T.c.closed > now)
        mine = (_T.c.account == account, _T.c.uid == uid, _T.c.kind == "crasher", waits)
        statement = select(_T).where(*mine).order_by(_T.c.since, _T.c.id).limit(CRASHERS)
        rows = await self._db.read(lambda conn: conn.execute(statement).all())
        return tuple(
            Crasher(item=row.id, sender=row.sender, since=row.since, word=row.answer, due=row.closed)
            for row in rows
        )

    async def approve(self, item: str, *, due: datetime | None = None) -> bool:
        """Its job runs again, with the word of a person; False when nothing of that name is open."""
        return await self._db.write(lambda conn: self._approve(conn, item, due))

    async def refuse(self, item: str, *, due: datetime | None = None) -> bool:
        """Its job ends, at once or when it is due: outcome refused, reason policy; False when nothing of that name is open.

        A change that was held in a burst runs once more, so that what is there now is known and not found again.
        """
        return await self._db.write(lambda conn: self._refuse(conn, item, due))

    async def withdraw(self, item: str) -> bool:
        """Whoever approved or refused it has said nothing; False once that has taken effect."""
        return await self._db.write(lambda conn: self._withdraw(conn, item))

    def _approve(self, conn: Connection, item: str, due: datetime | None) -> bool:
        held = self._close(conn, item, "approved", due=due)
        if held is None:
            return False
        end = unclaimed(conn, held.job)
        if end is not None:
            self._run_again(conn, end[0], "approved", due=due)
        return True

    def _withdraw(self, conn: Connection, item: str) -> bool:
        mine = (_T.c.id == item, _T.c.closed > self._jobs.now())
        held = conn.execute(select(_T).where(*mine).with_for_update()).first()
        end = unclaimed(conn, held.job) if held is not None else None
        if held is None or end is None:
            return False
        payload = {name: value for name, value in end[0].payload.items() if name != held.answer}
        values = {"state": str(JobState.WAITING), "due": None, "payload": payload}
        conn.execute(update(schema.job).where(schema.job.c.id == held.job).values(values))
        conn.execute(update(_T).where(_T.c.id == item).values(answer="", closed=None))
        return True

    def _run_again(self, conn: Connection, row: Row[Any], word: str, *, due: datetime | None = None) -> None:
        values = {
            "state": str(JobState.DUE),
            "due": due or self._jobs.now(),
            "behind": 0,
            "payload": {**row.payload, word: True},
        }
        conn.execute(update(schema.job).where(schema.job.c.id == row.id).values(values))
        self._jobs.ring(conn)

    def _refuse(self, conn: Connection, item: str, due: datetime | None) -> bool:
        held = self._close(conn, item, "refused", due=due)
        if held is None:
            return False
        end = unclaimed(conn, held.job)
        if end is not None and (held.kind == "burst" or due is not None):
            self._run_again(conn, end[0], "refused", due=due)
        elif end is not None:
            row, lease = end
            entry = Entry(
                job=row.id,
                kind=row.payload.get("source", row.kind),
                outcome="refused",
                reason="policy",
                message_id=held.message_id,
                uid=held.uid,
                method=held.method,
                account=held.account,
                sender=held.sender,
                notes=({"code": "refused-by-person"},),
            )
            self._jobs.tell(conn, (entry,), origin=lease.origin)
            self._jobs.remove(conn, lease)
        return True

    def _close(self, conn: Connection, item: str, answer: str, *, due: datetime | None) -> Row[Any] | None:
        row = conn.execute(select(_T).where(_T.c.id == item, _T.c.closed.is_(None)).with_for_update()).first()
        if row is not None:
            conn.execute(
                update(_T).where(_T.c.id == item).values(answer=answer, closed=due or self._jobs.now())
            )
        return row


def is_first(conn: Connection, held: Held, *, since: datetime) -> bool:
    """Whether nothing of its kind was held of its account since then, decided by now or not.

    The account's collections are locked, so that of two processes one sees what the other holds; and before the job is,
    as the watch does it.
    """
    mine = schema.collection.c.account == held.account
    conn.execute(
        select(schema.collection.c.path).where(mine).order_by(schema.collection.c.path).with_for_update()
    )
    same = (_T.c.account == held.account, _T.c.kind == held.kind, _T.c.since > since)
    latest = select(_T.c.id).where(*same).order_by(_T.c.id.desc()).limit(1)  # names grow with time
    return conn.execute(latest).first() is None


def _line(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "since": rfc3339(row.since),
        "account": row.account or None,
        "sender": row.sender or None,
        "uid": row.uid or None,
        "method": row.method or None,
        "message_id": row.message_id or None,
        "reason": row.reason,
    }


__all__ = ["HeldItems", "is_first"]
