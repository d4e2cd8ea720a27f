from __future__ import annotations

import asyncio
import errno
import sqlite3
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import event, func, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from gateway.errors import BackendUnavailable, ConfigError, QueueFull
from gateway.store import faults, schema
from gateway.store.db import Database
from gateway.store.desk import Store
from gateway.store.writer import after_commit

AT = datetime(2027, 3, 10, tzinfo=UTC)


def remember(digest: str):
    return lambda conn: conn.execute(insert(schema.accepted).values(digest=digest, job="j", at=AT))


def count(conn) -> int:
    return conn.execute(select(func.count()).select_from(schema.accepted)).scalar_one()


class Gate:
    """Holds the writer thread inside a change until the test lets it go."""

    def __init__(self) -> None:
        self.inside, self.open = threading.Event(), threading.Event()

    def __call__(self, conn) -> None:
        self.inside.set()
        assert self.open.wait(20)


async def held_up(store: Store) -> tuple[Gate, asyncio.Task[None]]:
    gate = Gate()
    first = asyncio.create_task(store.db.write(gate))
    await asyncio.to_thread(gate.inside.wait, 20)
    return gate, first


async def asked(*waiting) -> list[asyncio.Task]:
    """Tasks that have reached the writer's inbox."""
    tasks = [asyncio.create_task(one) for one in waiting]
    await asyncio.sleep(0)
    return tasks


async def test_what_arrives_during_a_commit_shares_the_next_transaction(store: Store) -> None:
    gate, first = await held_up(store)
    others = await asked(*(store.db.write(remember(f"d{n}")) for n in range(50)))
    before = store.db.commits
    gate.open.set()
    await asyncio.gather(first, *others)
    assert store.db.commits - before == 2
    assert await store.db.read(count) == 50


async def test_one_failing_change_does_not_spoil_its_neighbours(store: Store) -> None:
    gate, first = await held_up(store)
    others = await asked(*(store.db.write(remember(digest)) for digest in ("a", "b", "a", "c")))
    gate.open.set()
    await first
    answers = await asyncio.gather(*others, return_exceptions=True)
    assert [type(one) for one in answers if isinstance(one, Exception)] == [IntegrityError]
    assert await store.db.read(count) == 3


async def test_after_a_failure_changes_have_savepoints_for_a_while(store: Store) -> None:
    def failing(conn) -> None:
        calls.append("failing")
        raise QueueFull("no")

    calls: list[str] = []
    for _ in range(2):
        with pytest.raises(QueueFull):
            await store.db.write(failing)
    assert len(calls) == 3, (
        "the first was tried without a savepoint and with one, the second at once with one"
    )
    for _ in range(20):
        await store.db.write(lambda conn: None)
    with pytest.raises(QueueFull):
        await store.db.write(failing)
    assert len(calls) == 5


async def test_what_may_be_committed_is_not_done_again(store: Store) -> None:
    """A COMMIT whose answer is lost may stand: the change must not run a second time in hope."""
    calls: list[int] = []

    def lost(conn) -> None:
        raise OperationalError("COMMIT", None, ConnectionError("gone"))

    def change(conn) -> None:
        calls.append(1)
        event.listen(conn, "commit", lost, once=True)

    with pytest.raises(BackendUnavailable):
        await store.db.write(change)
    assert len(calls) == 1
    await store.db.write(remember("a"))
    assert await store.db.read(count) == 1


async def test_changes_of_one_kind_are_made_in_one_call_and_answered_each(store: Store) -> None:
    calls: list[list[int]] = []

    def double(conn, numbers):
        calls.append(list(numbers))
        return [2 * one for one in numbers]

    gate, first = await held_up(store)
    others = await asked(*(store.db.write_each(double, n) for n in range(5)))
    gate.open.set()
    await first
    assert await asyncio.gather(*others) == [0, 2, 4, 6, 8]
    assert calls == [[0, 1, 2, 3, 4]]


async def test_a_failing_group_is_tried_one_by_one(store: Store) -> None:
    def change(conn, digests):
        for one in digests:
            conn.execute(insert(schema.accepted).values(digest=one, job="j", at=AT))
        return digests

    gate, first = await held_up(store)
    others = await asked(*(store.db.write_each(change, one) for one in ("a", "a", "b")))
    gate.open.set()
    await first
    answers = await asyncio.gather(*others, return_exceptions=True)
    assert [isinstance(one, Exception) for one in answers] == [False, True, False]
    assert await store.db.read(count) == 2


async def test_who_stops_waiting_does_not_stop_the_commit(store: Store) -> None:
    gate, first = await held_up(store)
    (waiting,) = await asked(store.db.write(remember("a")))
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    gate.open.set()
    await first
    await store.db.write(lambda conn: None)
    assert await store.db.read(count) == 1


async def test_closing_commits_what_waits_and_takes_no_more(store: Store) -> None:
    gate, first = await held_up(store)
    (waiting,) = await asked(store.db.write(remember("a")))
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    gate.open.set()
    await asyncio.gather(first, waiting, closing)
    with pytest.raises(BackendUnavailable):
        await store.db.write(remember("b"))
    with pytest.raises(BackendUnavailable):
        await store.db.read(count)
    assert store.db.read_now(count) == 1
    store.db.dispose()
    await store.close()


async def test_actions_after_the_commit_are_done_for_what_was_committed_only(store: Store) -> None:
    done: list[str] = []

    def good(conn) -> None:
        after_commit(conn, lambda: done.append("good"))

    def bad(conn) -> None:
        after_commit(conn, lambda: done.append("bad"))
        raise KeyError("no")

    def loud(conn) -> None:
        after_commit(conn, lambda: 1 // 0)

    gate, first = await held_up(store)
    others = await asked(store.db.write(bad), store.db.write(loud), store.db.write(good))
    gate.open.set()
    answers = await asyncio.gather(first, *others, return_exceptions=True)
    assert [type(one) for one in answers] == [type(None), KeyError, type(None), type(None)]
    assert done == ["good"]


async def test_a_transaction_that_sqlite_ended_by_itself_fails_for_all_who_shared_it(store: Store) -> None:
    def full(conn) -> None:
        conn.exec_driver_sql("ROLLBACK")  # what SQLite does when the disk is full
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise OperationalError("INSERT", {}, error)

    gate, first = await held_up(store)
    others = await asked(store.db.write(remember("a")), store.db.write(full), store.db.write(remember("b")))
    gate.open.set()
    answers = await asyncio.gather(first, *others, return_exceptions=True)
    assert [type(one) for one in answers] == [type(None), QueueFull, QueueFull, QueueFull]
    assert await store.db.read(count) == 0
    await store.db.write(remember("c"))
    assert await store.db.read(count) == 1


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_a_full_database_is_a_full_queue(store: Store) -> None:
    store.db.write_now(lambda conn: None)

    def fill(conn) -> None:
        pages = conn.exec_driver_sql("PRAGMA page_count").scalar()
        conn.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")
        conn.execute(
            insert(schema.accepted),
            [{"digest": f"{n:064}", "job": "j", "at": AT} for n in range(5000)],
        )

    with pytest.raises(QueueFull):
        await store.db.write(fill)
    assert await store.db.read(count) == 0


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_a_locked_database_is_unavailable(store: Store, state_dir: Path, monkeypatch) -> None:
    other = sqlite3.connect(state_dir / "gateway.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr("gateway.store.db.BUSY_SECONDS", 0.01)
    impatient = Database("", state_dir)
    with pytest.raises(BackendUnavailable):
        impatient.write_now(lambda conn: None)
    other.execute("ROLLBACK")
    other.close()
    impatient.write_now(lambda conn: None)
    await impatient.close()


async def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises((BackendUnavailable, DBAPIError)):
        await store.db.read(remember("a"))
    assert await store.db.read(count) == 0


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_a_commit_is_durable_before_it_is_told(store: Store) -> None:
    facts = await store.db.write(
        lambda conn: [
            conn.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    )
    assert facts == ["wal", 2, 1]


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (OSError(errno.ENOSPC, "no space"), QueueFull),
        (OSError(errno.EIO, "input/output error"), BackendUnavailable),
        (OperationalError("x", {}, sqlite3.OperationalError("unable to open")), BackendUnavailable),
        (BackendUnavailable("x"), BackendUnavailable),
        (KeyError("x"), KeyError),
    ],
)
def test_faults_are_told_as_the_error_tree_does(raised: Exception, told: type[Exception]) -> None:
    assert isinstance(faults.translated(raised), told)


def test_a_full_postgresql_is_a_full_queue() -> None:
    class DiskFull(Exception):
        sqlstate = "53100"

    assert isinstance(faults.translated(OperationalError("x", {}, DiskFull())), QueueFull)


async def test_a_fresh_state_directory_becomes_a_database_that_strangers_cannot_read(tmp_path: Path) -> None:
    database = Database("", tmp_path / "new")
    assert database.version() == ""
    await database.start()
    assert database.version() == schema.REVISION
    assert stat.S_IMODE((tmp_path / "new" / "gateway.sqlite3").stat().st_mode) & 0o007 == 0
    await database.close()


async def test_a_newer_schema_is_refused(store: Store, state_dir: Path, database_url: str) -> None:
    store.db.write_now(lambda conn: conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))
    newer = Database(database_url, state_dir)
    with pytest.raises(ConfigError, match="9999"):
        await newer.start()
    assert newer.version() == "9999"
    await newer.close()


@pytest.mark.parametrize(
    "url", ["nonsense", "oracle+nothing://x:secret@y/z", "postgresql+nodriver://u:secret@h/d"]
)
def test_a_url_that_is_none_is_the_administrators_error_and_shows_no_password(
    tmp_path: Path, url: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Database(url, tmp_path)
    assert "database_url" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_driver_that_is_not_installed_is_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match="psycopg"):
        Database("postgresql+psycopg://u@h/d", tmp_path)


def test_a_damaged_file_is_told_as_unavailable(tmp_path: Path) -> None:
    (tmp_path / "gateway.sqlite3").write_bytes(b"no database at all" * 100)
    database = Database("", tmp_path)
    with pytest.raises(BackendUnavailable):
        database.upgrade()
    database.dispose()


def test_many_processes_may_start_on_a_fresh_directory_at_once(tmp_path: Path) -> None:
    script = "import sys; from pathlib import Path; from gateway.store.db import Database; Database('', Path(sys.argv[1])).upgrade()"
    root = Path(__file__).resolve().parents[2]
    starting = [
        subprocess.Popen([sys.executable, "-c", script, tmp_path / "new"], cwd=root, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    ends = [(one.communicate()[1].decode(), one.returncode) for one in starting]
    assert [code for _, code in ends] == [0, 0, 0, 0], ends
    database = Database("", tmp_path / "new")
    assert database.version() == schema.REVISION
    database.dispose()
