"""The one thread of a process that changes the database, with natural group commit (HOUSE 4a).

Whatever arrived during the last commit shares the next transaction: no timer, no linger. An answer is given only after
COMMIT has returned. Who stops waiting does not stop the commit. One failure does not spoil the others: the transaction is
rolled back, and done again with a SAVEPOINT around each change. So a change may run twice, and does nothing before the
commit but through its connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gateway.errors import BackendUnavailable
from gateway.store.faults import came_second, translated
from gateway.store.prepared import plain

MOST = 512  # changes of one transaction
TRIES = 3  # of a change that meets another node's
CAREFUL = 16  # transactions with savepoints after one that was spoilt: failures come in swarms
_HOOKS = "after_commit"

Change = Callable[[Connection, Sequence[Any]], Sequence[Any]]


class _Request(NamedTuple):
    """One change and the one who waits for it. Requests of one `change` are handed to it together."""

    change: Change
    item: Any
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


class _Answer(NamedTuple):
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    value: Any = None
    error: Exception | None = None


class _Spoilt(Exception):
    """A change failed and nothing is committed; the cause is its error."""


class _TransactionLost(Exception):
    """The database rolled everything back by itself; the cause is the error that made it do so."""


def after_commit(conn: Connection, action: Callable[[], None]) -> None:
    """Do this once the transaction stands; never if it, or the change that asked, is rolled back."""
    conn.info[_HOOKS].append(action)


def is_promised(conn: Connection, action: Callable[[], None]) -> bool:
    """Whether this is to be done after the commit already."""
    return action in conn.info[_HOOKS]


@contextlib.contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction in the calling thread, with its actions after the commit."""
    with engine.connect() as conn, _transaction(conn):
        yield conn


@contextlib.contextmanager
def _transaction(conn: Connection) -> Iterator[None]:
    hooks: list[Callable[[], None]] = []
    with conn.begin():
        conn.info[_HOOKS] = hooks
        yield
    _act(hooks)


class Writer:
    """Takes changes from the event loop and answers there."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._inbox: SimpleQueue[_Request | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._conn: Connection | None = None  # kept from commit to commit, until something fails
        self._careful = 0  # transactions until we hope again
        self.commits = 0

    def start(self) -> None:
        self._thread = Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Commit what is waiting, then end."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._inbox.put(None)
            await asyncio.to_thread(thread.join)

    async def submit(self, change: Change, item: Any) -> Any:
        """Wait until the change is committed; being cancelled here changes nothing about that."""
        if self._thread is None:
            raise BackendUnavailable("the database is not open")
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._inbox.put(_Request(change=change, item=item, loop=loop, future=future))
        return await future

    def _work(self) -> None:
        while batch := self._next():
            _deliver(self._commit(batch))
        self._let_go()

    def _next(self) -> list[_Request]:
        """Wait for one, take all that are there; empty when the writer is stopped."""
        batch: list[_Request] = []
        request = self._inbox.get()
        while request is not None:
            batch.append(request)
            if len(batch) == MOST:
                return batch
            try:
                request = self._inbox.get_nowait()
            except Empty:
                return batch
        if batch:
            self._inbox.put(None)
        return batch

    def _commit(self, batch: list[_Request]) -> list[_Answer]:
        groups = _together(batch)
        try:
            answers = None if self._careful else self._hopefully(groups)
            if answers is None:
                answers = self._carefully(groups)
        except Exception as error:
            self._let_go()
            cause = error.__cause__ if isinstance(error, _TransactionLost) else error
            failure = translated(cause if isinstance(cause, Exception) else error)
            return [_Answer(loop=one.loop, future=one.future, error=failure) for one in batch]
        self.commits += 1
        return answers

    def _hopefully(self, groups: Sequence[list[_Request]]) -> list[_Answer] | None:
        """Without savepoints. None: a change failed and nothing is committed. What COMMIT itself raises goes out: it may stand."""
        answers: list[_Answer] = []
        try:
            conn = self._connection()
            with _transaction(conn):
                for requests in groups:
                    answers += _answered(requests, _changed(conn, requests))
        except _Spoilt:
            self._careful = CAREFUL
            self._let_go()
            return None
        return answers

    def _carefully(self, groups: Sequence[list[_Request]]) -> list[_Answer]:
        self._careful = max(0, self._careful - 1)
        answers: list[_Answer] = []
        with transaction(self._engine) as conn:
            for requests in groups:
                answers += _run(conn, requests)
        return answers

    def _connection(self) -> Connection:
        if self._conn is None:
            self._conn = self._engine.connect()
        return self._conn

    def _let_go(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            with contextlib.suppress(SQLAlchemyError):
                conn.close()


def _together(batch: list[_Request]) -> Sequence[list[_Request]]:
    """Requests of one change side by side, at the place of the first."""
    groups: dict[Change, list[_Request]] = {}
    for one in batch:
        groups.setdefault(one.change, []).append(one)
    return list(groups.values())


def _answered(requests: list[_Request], values: Sequence[Any]) -> list[_Answer]:
    return [
        _Answer(loop=one.loop, future=one.future, value=value)
        for one, value in zip(requests, values, strict=True)
    ]


def _changed(conn: Connection, requests: list[_Request]) -> Sequence[Any]:
    try:
        return requests[0].change(conn, [one.item for one in requests])
    except Exception as error:
        raise _Spoilt from error


def _run(conn: Connection, requests: list[_Request]) -> list[_Answer]:
    """Do one change for all who asked for it; if that fails, for each by himself."""
    try:
        return _answered(requests, _tried(conn, requests))
    except _TransactionLost:
        raise
    except Exception as error:
        if len(requests) > 1:
            return [answer for one in requests for answer in _run(conn, [one])]
        first = requests[0]
        return [_Answer(loop=first.loop, future=first.future, error=translated(error))]


def _tried(conn: Connection, requests: list[_Request]) -> Sequence[Any]:
    """Once more where another node came first: what it has written is there to be seen then."""
    for left in reversed(range(TRIES)):
        try:
            with _savepoint(conn):
                return requests[0].change(conn, [one.item for one in requests])
        except DBAPIError as error:
            if not left or not came_second(error):
                raise
    raise _TransactionLost


@contextlib.contextmanager
def _savepoint(conn: Connection) -> Iterator[None]:
    hooks = conn.info[_HOOKS]
    mark = len(hooks)
    plain(conn, "SAVEPOINT change")
    try:
        yield
    except Exception as error:
        del hooks[mark:]
        try:
            conn.exec_driver_sql("ROLLBACK TO SAVEPOINT change")
            conn.exec_driver_sql("RELEASE SAVEPOINT change")
        except SQLAlchemyError:  # SQLite ends the whole transaction when the disk is full
            raise _TransactionLost from error
        raise
    plain(conn, "RELEASE SAVEPOINT change")


def _act(hooks: Iterable[Callable[[], None]]) -> None:
    """The commit stands: nothing that fails now may make it look undone."""
    for hook in hooks:
        try:
            hook()
        except Exception:
            logging.getLogger("imip-gateway").exception("after a commit")


def _deliver(answers: list[_Answer]) -> None:
    for loop in {one.loop for one in answers}:
        with contextlib.suppress(RuntimeError):  # a loop that ended waits for nothing
            loop.call_soon_threadsafe(_resolve, [one for one in answers if one.loop is loop])


def _resolve(answers: list[_Answer]) -> None:
    for one in answers:
        if one.future.done():
            continue
        if one.error is not None:
            one.future.set_exception(one.error)
        else:
            one.future.set_result(one.value)


__all__ = ["Writer", "after_commit", "is_promised", "transaction"]
