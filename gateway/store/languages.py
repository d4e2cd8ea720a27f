"""The languages in which guests read our pages: their next letters speak them."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from gateway.store import schema
from gateway.store.db import Database
from gateway.store.jobs import Jobs

_T = schema.language


class Languages:
    """Implements `ports.Languages`."""

    def __init__(self, db: Database, jobs: Jobs) -> None:
        self._db = db
        self._jobs = jobs

    async def reads(self, address: str, language: str, *, chosen: bool) -> None:
        """Whoever has this address reads this language; where he has not chosen it, only if nothing is known of him."""
        values = {"address": address, "tag": language, "changed": self._jobs.now()}

        def change(conn: Connection) -> None:
            here = _T.c.address == address
            if chosen:
                conn.execute(delete(_T).where(here))
            if chosen or conn.execute(select(_T.c.tag).where(here)).first() is None:
                conn.execute(insert(_T).values(values))

        await self._db.write(change)


__all__ = ["Languages"]
