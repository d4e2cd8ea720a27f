"""The SQL database of one process: changes go through the writer thread, questions through readers beside it.

SQLite in WAL mode with `synchronous=FULL`: what was answered survives a power cut. Writers begin IMMEDIATE, since the
daemon and the commands change the same file; readers never wait for them. PostgreSQL is shared with other processes and
nodes: rows are locked, and who comes second at a unique index tries once more. Nothing here runs in the event loop.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from gateway.errors import ConfigError
from gateway.store.bell import Bell
from gateway.store.ear import Ear
from gateway.store.faults import translating
from gateway.store.prepared import plain
from gateway.store.readers import Readers
from gateway.store.schema import REVISION
from gateway.store.writer import Writer, transaction

READERS = 2
BUSY_SECONDS = 15.0  # how long SQLite waits for another process
CONNECT_SECONDS = 10  # how long PostgreSQL may take to answer

T = TypeVar("T")
Item = TypeVar("Item")


class Database:
    """One database; `url` "" is SQLite in the state directory."""

    def __init__(self, url: str, state_dir: Path) -> None:
        """Open nothing yet. Raises ConfigError for a URL that cannot be one."""
        self.state_dir = state_dir
        self.bell = Bell()
        try:
            self._url = make_url(url or f"sqlite:///{state_dir / 'gateway.sqlite3'}")
            self._changing = _engine(self._url, reads_only=False)
            self._asking = _engine(self._url, reads_only=True)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:  # their texts may show the password
            raise ConfigError((f"[gateway] database_url: {_trouble(error)}",)) from error
        self.shared = not _is_sqlite(self._url)
        self._writer = Writer(self._changing)
        self._ear = Ear(self._url, self.bell) if self.shared else None
        self._readers = Readers(self._asking, READERS)

    async def start(self) -> None:
        """Bring the schema up to date and open. Raises ConfigError when the schema is newer than this program."""
        await asyncio.to_thread(self.upgrade)
        self._readers.start()
        self._writer.start()
        if self._ear is not None:
            self._ear.start()

    async def close(self) -> None:
        """Commit what is waiting; after that nothing is taken any more."""
        if self._ear is not None:
            await asyncio.to_thread(self._ear.stop)
        await self._writer.stop()
        await self._readers.stop()
        self.dispose()

    def dispose(self) -> None:
        """Close the connections that `write_now` and `read_now` left open; they come back when they are needed."""
        self._changing.dispose()
        self._asking.dispose()

    @property
    def commits(self) -> int:
        """How many transactions the writer has committed."""
        return self._writer.commits

    async def write(self, change: Callable[[Connection], T]) -> T:
        """Run `change` in the writer thread; return once it is committed. Raise QueueFull, BackendUnavailable."""
        value: T = await self._writer.submit(lambda conn, _: (change(conn),), None)
        return value

    async def write_each(self, change: Callable[[Connection, Sequence[Item]], Sequence[T]], item: Item) -> T:
        """Like `write`, but all items that wait for the same `change` are given to one call of it, one answer each."""
        value: T = await self._writer.submit(change, item)
        return value

    async def read(self, question: Callable[[Connection], T]) -> T:
        """Run `question` in a reader thread, in one consistent view."""
        value: T = await self._readers.ask(question)
        return value

    def write_now(self, change: Callable[[Connection], T]) -> T:
        """`write` in the calling thread, for commands."""
        with translating(), transaction(self._changing) as conn:
            return change(conn)

    def read_now(self, question: Callable[[Connection], T]) -> T:
        """`read` in the calling thread."""
        with translating(), self._asking.connect() as conn, conn.begin():
            return question(conn)

    def version(self) -> str:
        """The revision of the schema that the database has; "" when it is empty."""
        with translating():
            if _is_sqlite(self._url) and not Path(self._url.database or "").exists():
                return ""
            with self._asking.connect() as conn:
                return _revision(conn)

    def upgrade(self) -> None:
        """Bring the schema to this program's. Raises ConfigError when it is newer than we know."""
        if self.version() == REVISION:
            return
        from gateway.store import (
            migrate,
        )  # late: alembic costs 0.3 s, and there is hardly ever anything to do

        with translating():
            _prepare(self._url, self.state_dir)
            with transaction(self._changing) as conn:
                migrate.upgrade(conn)


def _trouble(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"the driver {error.name} is not installed: pip install 'imip-gateway[postgres]'"
    return "not a database URL that we know; sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE"


def _prepare(url: URL, state_dir: Path) -> None:
    """The state directory, and a database file that strangers cannot read: it holds people's meetings."""
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    if _is_sqlite(url) and url.database:
        os.close(os.open(url.database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640))


def _revision(conn: Connection) -> str:
    if not conn.dialect.has_table(conn, "alembic_version"):
        return ""
    return str(conn.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() or "")


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _engine(url: URL, *, reads_only: bool) -> Engine:
    if not _is_sqlite(url):
        return _shared_engine(url, reads_only=reads_only)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def connected(raw: Any, record: Any) -> None:
        raw.isolation_level = None  # we write BEGIN ourselves
        raw.execute("PRAGMA foreign_keys = ON")
        if reads_only:
            raw.execute("PRAGMA query_only = ON")
        else:
            raw.execute("PRAGMA journal_mode = WAL")
            raw.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def begun(conn: Connection) -> None:
        plain(conn, "BEGIN" if reads_only else "BEGIN IMMEDIATE")

    return engine


def _shared_engine(url: URL, *, reads_only: bool) -> Engine:
    kept = {"pool_pre_ping": True, "connect_args": {"connect_timeout": CONNECT_SECONDS}}
    if not reads_only:
        return create_engine(url, pool_size=1, max_overflow=2, isolation_level="READ COMMITTED", **kept)
    engine = create_engine(url, pool_size=READERS, max_overflow=2, **kept)
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


__all__ = ["Database"]
