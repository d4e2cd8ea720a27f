"""The ordering ledger: the last mark of each (account, UID, instance, party); outlives the objects (SPEC 4.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select

from gateway.ports import MarkRow
from gateway.store import schema
from gateway.store.db import Database
from gateway.store.prepared import Prepared

_T = schema.ledger
_RESET = ("reset_sequence", "reset_dtstamp")
_INSERT = Prepared(insert(_T))
_MARKS = Prepared(
    select(_T.c.recurrence_id, _T.c.party, _T.c.mark)
    .where(_T.c.account == bindparam("of_account"), _T.c.uid == bindparam("of_uid"))
    .order_by(_T.c.recurrence_id, _T.c.party)
)
_DELETE = Prepared(
    delete(_T).where(
        _T.c.account == bindparam("of_account"),
        _T.c.uid == bindparam("of_uid"),
        _T.c.recurrence_id == bindparam("of_instance"),
        _T.c.party == bindparam("of_party"),
    )
)


class Ledger:
    """Implements `ports.Ledger`; only `Plans.settle` writes it."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def marks(self, account: str, uid: str) -> tuple[MarkRow, ...]:
        """All marks of one meeting."""
        return await self._db.read(lambda conn: marks(conn, account, uid))


def marks(conn: Connection, account: str, uid: str) -> tuple[MarkRow, ...]:
    rows = _MARKS.ask(conn, {"of_account": account, "of_uid": uid})
    return tuple(MarkRow(recurrence_id=row.recurrence_id, party=row.party, mark=row.mark) for row in rows)


def write_marks(conn: Connection, account: str, uid: str, *, marks: Sequence[MarkRow], now: datetime) -> None:
    """Put these in the place of what stands there; of two for one place the last counts.

    A job that died before it settled may settle after another of its lane: what that one left, and is newer, stays.
    """
    latest = {(one.recurrence_id, one.party): dict(one.mark) for one in marks}
    if not latest:
        return
    old = []
    for row in _MARKS.ask(conn, {"of_account": account, "of_uid": uid}):
        place = (row.recurrence_id, row.party)
        if place in latest:
            latest[place] = _newer(row.mark, latest[place])
            old.append(place)
    if old:
        meeting = {"of_account": account, "of_uid": uid}
        _DELETE.run(
            conn, [{**meeting, "of_instance": instance, "of_party": party} for instance, party in old]
        )
    _INSERT.run(
        conn,
        [
            {
                "account": account,
                "uid": uid,
                "recurrence_id": instance,
                "party": party,
                "mark": mark,
                "changed": now,
            }
            for (instance, party), mark in latest.items()
        ],
    )


def _newer(known: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """RFC 5546 2.1.5: what is older by DTSTAMP, and not newer by SEQUENCE, replaces nothing; the later reset stays too."""
    raised = new.get("sequence", 0) > known.get("sequence", 0) or _put_right(known, new)
    kept, other = (known, new) if _later(known, new, "dtstamp") and not raised else (new, known)
    reset = other if _later(other, kept, "reset_dtstamp") else kept
    return {name: fact for name, fact in kept.items() if name not in _RESET} | {
        name: reset[name] for name in _RESET if name in reset
    }


def _put_right(known: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether the clock of what stands there ran ahead of its mail, and what is new was mailed after it."""
    return _later(new, known, "mail_date") and "arrived" in known


def _later(one: Mapping[str, Any], other: Mapping[str, Any], name: str) -> bool:
    if one.get(name) is None or other.get(name) is None:
        return one.get(name) is not None and name in _RESET
    return datetime.fromisoformat(one[name]) > datetime.fromisoformat(other[name])


__all__ = ["Ledger", "marks", "write_marks"]
