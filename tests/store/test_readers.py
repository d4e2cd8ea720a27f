"""The threads that ask the database: what they answer, to whom, and what becomes of a connection that is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import OperationalError

from gateway.errors import BackendUnavailable
from gateway.store.readers import Readers


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return create_engine(f"sqlite:///{tmp_path / 'db'}")


@pytest.fixture
async def readers(engine: Engine) -> AsyncIterator[Readers]:
    one = Readers(engine, 1)
    one.start()
    yield one
    await one.stop()
    engine.dispose()


def number(value: int) -> object:
    return lambda conn: conn.exec_driver_sql(f"SELECT {value}").scalar()


async def test_each_hears_the_answer_to_his_own_question(readers: Readers) -> None:
    asked = [readers.ask(number(value)) for value in range(20)]
    assert await asyncio.gather(*asked) == list(range(20))


async def test_a_question_that_fails_spoils_no_other(readers: Readers) -> None:
    def odd(conn: Connection) -> None:
        raise LookupError("odd")

    bad, good = asyncio.ensure_future(readers.ask(odd)), asyncio.ensure_future(readers.ask(number(1)))
    with pytest.raises(LookupError, match="odd"):
        await bad
    assert await good == 1


async def test_one_connection_is_kept_from_question_to_question(readers: Readers) -> None:
    assert await readers.ask(id) == await readers.ask(id)


def _lost(conn: Connection) -> OperationalError:
    error = OperationalError("SELECT 1", None, Exception("server closed the connection"))
    error.connection_invalidated = True
    return error


async def test_where_a_kept_connection_is_gone_the_question_is_asked_once_more(readers: Readers) -> None:
    conns: list[Connection] = []

    def question(conn: Connection) -> int:
        conns.append(conn)
        if len(conns) == 2:
            raise _lost(conn)
        return len(conns)

    assert await readers.ask(question) == 1
    assert await readers.ask(question) == 3
    assert conns[0] is conns[1] is not conns[2]


async def test_a_database_that_is_gone_for_good_is_unavailable(readers: Readers) -> None:
    tries = 0

    def question(conn: Connection) -> None:
        nonlocal tries
        tries += 1
        raise _lost(conn)

    await readers.ask(number(1))
    with pytest.raises(BackendUnavailable):
        await readers.ask(question)
    assert tries == 2


async def test_who_stops_waiting_disturbs_nobody(readers: Readers) -> None:
    task = asyncio.ensure_future(readers.ask(number(1)))
    await asyncio.sleep(0)
    task.cancel()
    assert await readers.ask(number(2)) == 2


async def test_what_was_asked_before_the_end_is_answered_and_nothing_after(engine: Engine) -> None:
    readers = Readers(engine, 2)
    with pytest.raises(BackendUnavailable):
        await readers.ask(number(1))
    readers.start()
    asked = [asyncio.ensure_future(readers.ask(number(value))) for value in range(5)]
    await asyncio.sleep(0)
    await readers.stop()
    assert await asyncio.gather(*asked) == [0, 1, 2, 3, 4]
    with pytest.raises(BackendUnavailable):
        await readers.ask(number(1))
    engine.dispose()
