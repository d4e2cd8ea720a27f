"""A large content in the database, where every node finds it: read in pieces, never whole unless somebody asks for that."""

from __future__ import annotations

from sqlalchemy import func, select

from gateway.errors import LeaseLost
from gateway.store import schema
from gateway.store.db import Database
from gateway.store.files import PIECE

_T = schema.content


class Kept:
    """Implements `ports.Stored`. Its methods raise LeaseLost when the job has ended that carried it."""

    def __init__(self, db: Database, job: str, size: int) -> None:
        self._db = db
        self._job = job
        self._size = size

    def __len__(self) -> int:
        return self._size

    async def read(self, start: int, count: int) -> bytes:
        """Up to `count` octets from `start` on."""
        piece = select(func.substr(_T.c.data, start + 1, count, type_=_T.c.data.type))
        data = await self._db.read(lambda conn: conn.execute(piece.where(_T.c.job == self._job)).scalar())
        if data is None:
            raise LeaseLost(f"job {self._job}: it has ended, and its body with it")
        return bytes(data)

    async def whole(self) -> bytes:
        return await self.read(0, self._size)

    async def isascii(self) -> bool:
        for start in range(0, self._size, PIECE):
            if not (await self.read(start, PIECE)).isascii():
                return False
        return True


__all__ = ["Kept"]
