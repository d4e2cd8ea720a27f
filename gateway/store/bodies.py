"""What a job carries beside its row: small in a table, large in a file that is synced before the commit.

A file is written first and named in the row second, so a crash leaves a file without a row, never a row without its
file; `sweep` takes such files away. Nothing else ever removes a file whose transaction may have been committed.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from sqlalchemy import Connection, Integer, bindparam, case, func, insert, literal_column, select, update

from gateway.ports import Stored
from gateway.store import schema
from gateway.store.faults import translating
from gateway.store.files import Draft, File, put_beside, sweep, sync_folder
from gateway.store.prepared import Prepared
from gateway.store.writer import after_commit

LARGE = 256 * 1024  # bytes; above it SQLite writes slower than the file system (research 1)
_ORPHAN_SECONDS = 3600.0

_INSERT = Prepared(insert(schema.content))


@lru_cache(maxsize=16)
def _of(count: int) -> Prepared:
    """The question for the bodies of so many jobs."""
    table = schema.content
    names = [bindparam(str(place), type_=table.c.job.type) for place in range(count)]
    size = func.length(table.c.data, type_=Integer())
    small = case((size <= literal_column(str(LARGE)), table.c.data), else_=None).label("data")
    return Prepared(
        select(table.c.job, small, size.label("size"), table.c.file).where(table.c.job.in_(names))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What is known of a body when its job is claimed: itself if it is small, else where it is."""

    data: bytes = b""
    size: int = 0  # of a large one in the table
    file: str = ""


class Bodies:
    """The bodies of jobs, in the table `content` and in `state_dir/content`; `shared` with other nodes: in the table alone."""

    def __init__(self, state_dir: Path, *, shared: bool = False) -> None:
        self._folder = state_dir / "content"
        self.shared = shared

    async def lay(self, name: str, body: bytes) -> str:
        """The file that holds a large body, durable when this returns; "" for a small one. Raises QueueFull."""
        if self.shared or len(body) <= LARGE:
            return ""
        with translating():
            await asyncio.to_thread(self._write, name, body)
        return name

    async def lay_file(self, name: str, file: Stored) -> str:
        """The same for a body that lies in a file of ours already, which stays as it is."""
        if not isinstance(file, File):
            raise TypeError("not a file of this store")
        with translating():
            await asyncio.to_thread(put_beside, file, self._folder / name)
        return name

    def put(self, conn: Connection, rows: Iterable[tuple[str, bytes, str]]) -> None:
        """Add (job, body, file) of new jobs; a body of no bytes needs no row."""
        filled = [
            {"job": job, "data": None if file else body, "file": file}
            for job, body, file in rows
            if body or file
        ]
        if filled:
            _INSERT.run(conn, filled)

    def replace(self, conn: Connection, job: str, *, body: bytes, file: str) -> None:
        """Another body for a job that is queued already."""
        table = schema.content
        old = conn.execute(select(table.c.file).where(table.c.job == job)).scalar()
        if old is None:
            self.put(conn, [(job, body, file)])
            return
        values = {"data": None if file else body, "file": file}
        conn.execute(update(table).where(table.c.job == job).values(values))
        self.discard(conn, old)

    def discard(self, conn: Connection, file: str | None) -> None:
        """Remove the file once the transaction that forgets it is committed."""
        if file:
            after_commit(conn, partial(self._unlink, file))

    def find(self, conn: Connection, jobs: Sequence[str]) -> dict[str, Body]:
        """job -> body of those that carry something. A large one is left where it is: many may be claimed together."""
        # a power of two, so that there are few statements
        size = 1 << (len(jobs) - 1).bit_length()
        padded = [*jobs, *[jobs[-1]] * (size - len(jobs))]
        rows = _of(size).ask(conn, {str(place): one for place, one in enumerate(padded)})
        return {
            row.job: Body(
                data=row.data or b"", size=row.size if row.data is None and row.size else 0, file=row.file
            )
            for row in rows
        }

    async def stored(self, file: str) -> File:
        """The body that lies in a file. Raises FileNotFoundError when it is lost."""
        path = self._folder / file
        return self.named(file, (await asyncio.to_thread(path.stat)).st_size)

    def named(self, file: str, size: int) -> File:
        return File(self._folder / file, size)

    def draft(self, room: Callable[[int], None]) -> Draft:
        """A file for a body that is still coming. Raises QueueFull, BackendUnavailable."""
        return Draft(self._folder, room)

    def sweep(self, known: frozenset[str], now: float | None = None, *, alone: bool = False) -> int:
        """Remove files that no row names and that no transaction can still be about to name; how many.

        `alone`: nobody else takes mail yet, so that what is only begun is nobody's.
        """
        before = (time.time() if now is None else now) - _ORPHAN_SECONDS
        return sweep(self._folder, known, before=before, drafts=alone)

    def _write(self, name: str, body: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(
            os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
        ) as out:
            out.write(body)
            out.flush()
            os.fsync(out.fileno())
        sync_folder(self._folder)

    def _unlink(self, name: str) -> None:
        (self._folder / name).unlink(missing_ok=True)


__all__ = ["LARGE", "Bodies", "Body"]
