"""What the database says when it cannot, as the error tree says it."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.errors import BackendUnavailable, GatewayError, QueueFull

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PG_NO_SPACE = "53100"
_PG_SECOND = frozenset({"23505", "40001", "40P01"})  # unique index, serialisation, deadlock


def translated(error: Exception) -> Exception:
    """Full disk: QueueFull; locked, gone, broken: BackendUnavailable; a mistake of ours stays as it is."""
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, DBAPIError):
        return _of_database(error)
    if isinstance(error, PoolTimeout):
        return BackendUnavailable("database: no free connection")
    if isinstance(error, OSError):
        if error.errno in _NO_SPACE:
            return QueueFull(f"state directory: {error.strerror}")
        return BackendUnavailable(f"state directory: {error.strerror or error}")
    return error


def came_second(error: DBAPIError) -> bool:
    """Whether another process of the same PostgreSQL changed the same rows first."""
    return getattr(error.orig, "sqlstate", None) in _PG_SECOND


@contextlib.contextmanager
def translating() -> Iterator[None]:
    """Let out only the error tree, and our own mistakes."""
    try:
        yield
    except Exception as error:
        known = translated(error)
        if known is error:
            raise
        raise known from error


def _of_database(error: DBAPIError) -> Exception:
    detail = f"database: {error.orig}"
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or getattr(error.orig, "sqlstate", None) == _PG_NO_SPACE:
        return QueueFull(detail)
    if code == sqlite3.SQLITE_ERROR:
        return error  # no such table, no such column: not a matter of time
    if code in _DAMAGED:
        return BackendUnavailable(detail)
    if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
        return BackendUnavailable(detail)
    return error


__all__ = ["came_second", "translated", "translating"]
