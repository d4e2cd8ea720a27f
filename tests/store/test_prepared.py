from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from gateway.store import schema
from gateway.store.prepared import Prepared

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TABLE = schema.accepted
ADD = Prepared(insert(TABLE))
WHICH = Prepared(select(TABLE.c.job).where(TABLE.c.digest == bindparam("digest")))


def rows(*digests: str) -> list[dict[str, object]]:
    return [{"digest": one, "job": f"job-{one}", "at": NOW} for one in digests]


async def test_a_prepared_statement_writes_what_the_statement_itself_would(store) -> None:
    await store.db.write(lambda conn: ADD.run(conn, rows("a", "b")))
    found = await store.db.read(lambda conn: conn.execute(select(TABLE).order_by(TABLE.c.digest)).all())
    assert [tuple(one) for one in found] == [("a", "job-a", NOW), ("b", "job-b", NOW)]


async def test_a_prepared_question_is_answered(store) -> None:
    await store.db.write(lambda conn: ADD.run(conn, rows("a", "b")))
    found = await store.db.read(lambda conn: WHICH.ask(conn, {"digest": "b"}))
    assert [tuple(one) for one in found] == [("job-b",)]


async def test_an_answer_has_the_names_and_the_types_of_its_columns(store) -> None:
    await store.db.write(lambda conn: ADD.run(conn, rows("a")))
    whole = Prepared(select(TABLE).where(TABLE.c.digest == bindparam("digest"), TABLE.c.job == "job-a"))
    found = await store.db.read(lambda conn: whole.first(conn, {"digest": "a"}))
    assert (found.digest, found.job, found.at) == ("a", "job-a", NOW)
    assert await store.db.read(lambda conn: whole.first(conn, {"digest": "b"})) is None


async def test_what_the_driver_raises_comes_out_as_of_every_statement(store) -> None:
    await store.db.write(lambda conn: ADD.run(conn, rows("a")))
    with pytest.raises(IntegrityError):
        await store.db.write(lambda conn: ADD.run(conn, rows("a")))
