"""The threads of a process that ask the database: each keeps its connection, and gives one answer after the other.

An executor and a pool would do the same, at more than the price of the question: two of them are asked for every invitation.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gateway.errors import BackendUnavailable
from gateway.store.faults import translated

Question = Callable[[Connection], Any]


class _Asked(NamedTuple):
    question: Question
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


class Readers:
    """Takes questions from the event loop and answers there."""

    def __init__(self, engine: Engine, count: int) -> None:
        self._engine = engine
        self._count = count
        self._inbox: SimpleQueue[_Asked | None] = SimpleQueue()
        self._threads: list[Thread] = []

    def start(self) -> None:
        self._threads = [
            Thread(target=self._work, name=f"store-reader-{number}", daemon=True)
            for number in range(self._count)
        ]
        for one in self._threads:
            one.start()

    async def stop(self) -> None:
        """Answer what was asked, then end."""
        threads, self._threads = self._threads, []
        for _ in threads:
            self._inbox.put(None)
        for one in threads:
            await asyncio.to_thread(one.join)

    async def ask(self, question: Question) -> Any:
        """The answer, in one consistent view. Raise BackendUnavailable."""
        if not self._threads:
            raise BackendUnavailable("the database is not open")
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._inbox.put(_Asked(question, loop, future))
        return await future

    def _work(self) -> None:
        mine = _Mine(self._engine)
        while (asked := self._inbox.get()) is not None:
            told: tuple[Any, Exception | None]
            try:
                told = mine.answer(asked.question), None
            except Exception as error:
                told = None, translated(error)
            with contextlib.suppress(RuntimeError):  # a loop that ended waits for nothing
                asked.loop.call_soon_threadsafe(_resolve, asked.future, *told)
        mine.let_go()


class _Mine:
    """The connection of one thread, kept from question to question until something fails."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._conn: Connection | None = None

    def answer(self, question: Question) -> Any:
        """Asked once more where the kept connection is gone: a question changes nothing."""
        kept = self._conn is not None
        try:
            return self._answer(question)
        except DBAPIError as error:
            if not (kept and error.connection_invalidated):
                raise
        return self._answer(question)

    def _answer(self, question: Question) -> Any:
        if self._conn is None:
            self._conn = self._engine.connect()
        try:
            with self._conn.begin():
                return question(self._conn)
        except Exception:
            self.let_go()
            raise

    def let_go(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            with contextlib.suppress(SQLAlchemyError):
                conn.close()


def _resolve(future: asyncio.Future[Any], value: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(value)


__all__ = ["Readers"]
