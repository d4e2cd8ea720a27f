"""The languages that guests chose on our pages: their next letters speak them."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert

from gateway.store import schema
from gateway.store.db import Database
from gateway.store.jobs import Jobs

_T = schema.language


class Languages:
    """Implements `ports.Languages`."""

    def __init__(self, db: Database, jobs: Jobs) -> None:
        self._db = db
        self._jobs = jobs

    async def chose(self, address: str, language: str) -> None:
        """Whoever has this address reads this language; what he chose before is forgotten."""
        values = {"address": address, "tag": language, "changed": self._jobs.now()}

        def change(conn: Connection) -> None:
            conn.execute(delete(_T).where(_T.c.address == address))
            conn.execute(insert(_T).values(values))

        await self._db.write(change)


__all__ = ["Languages"]
