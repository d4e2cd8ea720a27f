"""The languages and clocks by which guests read our pages: their next letters speak them."""

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

    async def reads(self, address: str, language: str, *, chosen: bool, zone: str | None = None) -> None:
        """Whoever has this address reads this language, where he has not chosen it only if none is known of him, and this clock
        (None: as before)."""

        def change(conn: Connection) -> None:
            known = conn.execute(select(_T.c.tag, _T.c.zone).where(_T.c.address == address)).first()
            before = ("", "") if known is None else (known.tag, known.zone)
            after = (
                (language or before[0]) if chosen else (before[0] or language),
                before[1] if zone is None else zone,
            )
            if after == before:
                return
            conn.execute(delete(_T).where(_T.c.address == address))
            values = {"address": address, "tag": after[0], "zone": after[1], "changed": self._jobs.now()}
            conn.execute(insert(_T).values(values))

        await self._db.write(change)


__all__ = ["Languages"]
