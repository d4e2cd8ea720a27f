"""The ordering ledger: the last mark of each (account, UID, instance, party); outlives the objects (SPEC 4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select

from gateway.ports import MarkRow
from gateway.store import schema
from gateway.store.db import Database

_T = schema.ledger
_INSERT = insert(_T)
_DELETE = delete(_T).where(
    _T.c.account == bindparam("of_account"),
    _T.c.uid == bindparam("of_uid"),
    _T.c.recurrence_id == bindparam("of_instance"),
    _T.c.party == bindparam("of_party"),
)


class Ledger:
    """Implements `ports.Ledger`; only `Plans.settle` writes it."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def marks(self, account: str, uid: str) -> tuple[MarkRow, ...]:
        """All marks of one meeting."""
        statement = (
            select(_T.c.recurrence_id, _T.c.party, _T.c.mark)
            .where(_T.c.account == account, _T.c.uid == uid)
            .order_by(_T.c.recurrence_id, _T.c.party)
        )
        rows = await self._db.read(lambda conn: conn.execute(statement).all())
        return tuple(MarkRow(recurrence_id=row.recurrence_id, party=row.party, mark=row.mark) for row in rows)


def write_marks(conn: Connection, account: str, uid: str, *, marks: Sequence[MarkRow], now: datetime) -> None:
    """Put these in the place of what stands there; of two for one place the last counts."""
    latest = {(one.recurrence_id, one.party): one for one in marks}
    if not latest:
        return
    conn.execute(
        _DELETE,
        [
            {"of_account": account, "of_uid": uid, "of_instance": instance, "of_party": party}
            for instance, party in latest
        ],
    )
    conn.execute(
        _INSERT,
        [
            {
                "account": account,
                "uid": uid,
                "recurrence_id": one.recurrence_id,
                "party": one.party,
                "mark": dict(one.mark),
                "changed": now,
            }
            for one in latest.values()
        ],
    )


__all__ = ["Ledger", "write_marks"]
