"""What became of everything: one line per outcome, found by Message-ID, UID or job (INTERFACE 7, `why`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, or_, select

from gateway.ports import Entry
from gateway.store import schema
from gateway.store.db import Database
from gateway.store.instants import rfc3339
from gateway.store.jobs import Jobs

_T = schema.journal
_L = schema.letter


class Journal:
    """Implements `ports.Journal`."""

    def __init__(self, db: Database, jobs: Jobs) -> None:
        self._db = db
        self._jobs = jobs

    async def write(self, entries: Sequence[Entry]) -> None:
        """For outcomes that end no job."""
        await self._db.write(lambda conn: self._jobs.tell(conn, entries))

    async def story(self, key: str) -> list[dict[str, Any]]:
        """Every entry of a Message-ID, UID or job, oldest first.

        A mail's job tells also what the jobs did that came of it, and a Message-ID may be a letter's of ours.
        """
        return await self._db.read(lambda conn: _story(conn, key))


def _story(conn: Connection, key: str) -> list[dict[str, Any]]:
    if not key:
        return []
    bare = key.strip().removeprefix("<").removesuffix(">")
    ids = (key, f"<{bare}>", bare)
    letter_jobs = select(_L.c.job).where(_L.c.message_id.in_(ids))
    origins = select(_T.c.origin).where(_T.c.message_id.in_(ids))
    found = or_(
        _T.c.message_id.in_(ids),
        _T.c.uid == key,
        _T.c.job == key,
        _T.c.origin == key,
        _T.c.job.in_(letter_jobs),
        _T.c.origin.in_(origins),
    )
    entries = conn.execute(select(_T).where(found).order_by(_T.c.number)).all()
    letters = _letters(conn, {name for one in entries for name in one.letters})
    return [_line(one, [letters[name] for name in one.letters if name in letters]) for one in entries]


def _letters(conn: Connection, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    columns = (_L.c.id, _L.c.method, _L.c.recipient, _L.c.state)
    rows = conn.execute(select(*columns).where(_L.c.id.in_(sorted(names))))
    return {
        row.id: {"id": row.id, "method": row.method, "to": row.recipient, "state": row.state} for row in rows
    }


def _line(row: Row[Any], letters: list[dict[str, Any]]) -> dict[str, Any]:
    texts = ("message_id", "uid", "recurrence_id", "method", "account", "sender", "certainty")
    return {
        "time": rfc3339(row.time),
        "job": row.job or None,
        "kind": row.kind,
        **{name: getattr(row, name) or None for name in texts},
        "outcome": row.outcome,
        "reason": row.reason,
        "notes": row.notes,
        "letters": letters,
    }


__all__ = ["Journal"]
