from __future__ import annotations

import re
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from gateway.store import migrate, schema
from gateway.store.db import Database
from gateway.store.instants import Instant, micros, rfc3339


def written(path: Path) -> set[tuple[str, ...]]:
    """Every table and index as SQLite holds it; the order of a table's constraints says nothing."""
    with sqlite3.connect(path) as conn:
        rows = conn.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    conn.close()
    found = [row[0] for row in rows if "alembic_version" not in row[0]]
    return {
        tuple(sorted(filter(None, (word.strip(" ()\t") for word in re.split(r"[,\n]", one)))))
        for one in found
    }


def test_the_revisions_make_exactly_the_tables_of_the_metadata(empty_database: Path, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'direct'}")
    schema.metadata.create_all(engine)
    engine.dispose()
    assert written(empty_database) == written(tmp_path / "direct")


def test_alembic_finds_no_difference(empty_database: Path) -> None:
    engine = create_engine(f"sqlite:///{empty_database}")
    with engine.connect() as conn:
        assert compare_metadata(MigrationContext.configure(conn), schema.metadata) == []
    engine.dispose()


def test_the_newest_revision_is_the_one_that_the_schema_names() -> None:
    assert migrate.newest() == schema.REVISION


def test_every_table_can_be_made_in_postgresql() -> None:
    dialect = postgresql.dialect()
    for table in schema.metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            assert str(CreateIndex(index).compile(dialect=dialect))


def test_a_moment_comes_back_to_the_microsecond() -> None:
    moment = datetime(2027, 3, 10, 9, 30, 1, 999_999, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    back = Instant().process_result_value(micros(moment), None)
    assert back == moment
    assert back is not None and back.tzinfo is UTC


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(TypeError):
        micros(datetime(2027, 3, 10))


def test_a_moment_is_shown_in_utc() -> None:
    assert (
        rfc3339(datetime(2027, 3, 10, 9, 30, tzinfo=timezone(timedelta(hours=1))))
        == "2027-03-10T08:30:00.000Z"
    )
    assert rfc3339(None) is None


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "0005", "0006", "0008"])
def test_a_database_of_an_earlier_revision_is_brought_up_with_what_it_holds(
    backend: str, revision: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = ""
    if backend == "postgresql":
        server = request.getfixturevalue("postgresql")
        url = server.url(server.create())
    database = Database(url, tmp_path)
    database.write_now(lambda conn: migrate.upgrade(conn, revision))
    shot = "INSERT INTO snapshot (account, href, collection, uid, etag, fingerprint, data, changed)"
    database.write_now(
        lambda conn: conn.exec_driver_sql(f"{shot} VALUES ('a', '/x', '/', 'u', 'e', 'f', '', 0)")
    )
    assert database.version() == revision
    database.upgrade()
    assert database.version() == schema.REVISION
    row = database.read_now(lambda conn: conn.execute(schema.snapshot.select()).one())
    assert (row.uid, row.series_by) == ("u", "")
    database.dispose()


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"], indirect=True)
def test_an_open_plan_of_an_earlier_revision_gets_the_lane_of_its_job(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = ""
    if backend == "postgresql":
        server = request.getfixturevalue("postgresql")
        url = server.url(server.create())
    database = Database(url, tmp_path)
    database.write_now(lambda conn: migrate.upgrade(conn, "0006"))
    job = "INSERT INTO job (id, kind, state, lane, key, account, uid, message_id, payload, attempts, created, reason, origin, lease_owner, lease_token)"
    plan = "INSERT INTO plan (id, job, account, uid, action, collection, href, etag, data, fingerprint, keep_snapshot, marks, created)"
    for statement in (
        f"{job} VALUES ('j', 'apply', 'due', 'alice|u', '', 'alice', 'u', '', '{{}}', 0, 0, '', 'j', '', '')",
        f"{plan} VALUES ('p', 'j', 'alice', 'u', 'none', '', '', '', '', '', false, '[]', 0)",
    ):
        database.write_now(lambda conn, text=statement: conn.exec_driver_sql(text))
    database.upgrade()
    assert database.read_now(lambda conn: conn.execute(schema.plan.select()).one()).lane == "alice|u"
    database.dispose()


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_postgresql_tidies_the_busy_tables_up_sooner(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server = request.getfixturevalue("postgresql")
    database = Database(server.url(server.create()), tmp_path)
    database.upgrade()
    asked = "SELECT relname, reloptions FROM pg_class WHERE reloptions IS NOT NULL AND relkind = 'r' ORDER BY relname"
    rows = database.read_now(lambda conn: conn.exec_driver_sql(asked).all())
    assert [row.relname for row in rows] == ["accepted", "content", "job", "plan"]
    assert all("autovacuum_vacuum_scale_factor=0.02" in row.reloptions for row in rows)
    database.dispose()
