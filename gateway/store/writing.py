"""Objects that one process at a time writes, across all that share the database (SPEC 9.2).

A row is the lease of one object; it goes with the write, or is taken over when it has run out. That of two only one gets it,
the primary key sees to, whatever they read at the same moment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from gateway.ports import Seized
from gateway.store import schema
from gateway.store.db import Database
from gateway.store.ids import token

_T = schema.writing


class Writing:
    """Implements `ports.WriteLeases`."""

    def __init__(self, db: Database, now: Callable[[], datetime]) -> None:
        self._db = db
        self._now = now

    async def seize(self, objects: Iterable[str], lease: timedelta) -> Seized | None:
        """All of these, for so long; None: somebody has one of them."""
        wanted = Seized(objects=tuple(sorted({_hashed(one) for one in objects})), proof=token())

        def change(conn: Connection) -> Seized | None:
            now = self._now()
            here = _T.c.object.in_(wanted.objects)
            conn.execute(delete(_T).where(here, _T.c.until <= now))
            if conn.execute(select(_T.c.object).where(here).limit(1)).first() is not None:
                return None
            conn.execute(insert(_T), [_row(one, wanted.proof, now + lease) for one in wanted.objects])
            return wanted

        return await self._db.write(change)

    async def keep(self, held: Seized, lease: timedelta) -> bool:
        """Prolong it; False when it is lost."""

        def change(conn: Connection) -> bool:
            kept = update(_T).where(*_of(held)).values(until=self._now() + lease)
            return conn.execute(kept).rowcount == len(held.objects)

        return await self._db.write(change)

    async def release(self, held: Seized) -> None:
        """Give it back, as far as it is not lost."""
        await self._db.write(lambda conn: conn.execute(delete(_T).where(*_of(held))))


def _of(held: Seized) -> tuple[ColumnElement[bool], ...]:
    return _T.c.object.in_(held.objects), _T.c.proof == held.proof


def _row(name: str, proof: str, until: datetime) -> dict[str, Any]:
    return {"object": name, "proof": proof, "until": until}


def _hashed(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


__all__ = ["Writing"]
