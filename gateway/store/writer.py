"""The one thread of a process that changes the database, with natural group commit (HOUSE 4a).

Whatever arrived during the last commit shares the next transaction: no timer, no linger. Each change has a SAVEPOINT of
its own, so that one failure does not spoil the others; an answer is given only after COMMIT has returned. Who stops
waiting does not stop the commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gateway.errors import BackendUnavailable
from gateway.store.faults import came_second, translated
from gateway.store.prepared import plain

MOST = 512  # changes of one transaction
TRIES = 3  # of a change that meets another node's
_HOOKS = "after_commit"

Change = Callable[[Connection, Sequence[Any]], Sequence[Any]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Request:
    """One change and the one who waits for it. Requests of one `change` are handed to it together."""

    change: Change
    item: Any
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    value: Any = None
    error: Exception | None = None


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
    hooks: list[Callable[[], None]] = []
    with engine.connect() as conn, conn.begin():
        conn.info[_HOOKS] = hooks
        yield conn
    _act(hooks)


class Writer:
    """Takes changes from the event loop and answers there."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._inbox: SimpleQueue[_Request | None] = SimpleQueue()
        self._thread: Thread | None = None
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
        answers: list[_Answer] = []
        try:
            with transaction(self._engine) as conn:
                for requests in _together(batch):
                    answers += _run(conn, requests)
        except Exception as error:
            cause = error.__cause__ if isinstance(error, _TransactionLost) else error
            failure = translated(cause if isinstance(cause, Exception) else error)
            return [_Answer(loop=one.loop, future=one.future, error=failure) for one in batch]
        self.commits += 1
        return answers


def _together(batch: list[_Request]) -> Iterable[list[_Request]]:
    """Requests of one change side by side, at the place of the first."""
    groups: dict[Change, list[_Request]] = {}
    for one in batch:
        groups.setdefault(one.change, []).append(one)
    return groups.values()


def _run(conn: Connection, requests: list[_Request]) -> list[_Answer]:
    """Do one change for all who asked for it; if that fails, for each by himself."""
    try:
        values = _tried(conn, requests)
    except _TransactionLost:
        raise
    except Exception as error:
        if len(requests) > 1:
            return [answer for one in requests for answer in _run(conn, [one])]
        first = requests[0]
        return [_Answer(loop=first.loop, future=first.future, error=translated(error))]
    return [
        _Answer(loop=one.loop, future=one.future, value=value)
        for one, value in zip(requests, values, strict=True)
    ]


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
