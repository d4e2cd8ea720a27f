"""A statement whose SQL is made once and then given to the driver's cursor as it is: for those that run for every mail.

Otherwise binding and wrapping cost more than the rows of a mail do. The text and the conversion of values, both ways,
are still SQLAlchemy's own, so both databases are served, and errors come out as everywhere else.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Update
from sqlalchemy.exc import DBAPIError

Values = Mapping[str, Any]
Converter = Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """The statement for one database."""

    text: str
    bound: Callable[[Values], Any]
    row: Callable[[Sequence[Any]], Any]


class Prepared:
    """A change of many rows alike, or a question; its parameters are named as in the statement."""

    def __init__(self, statement: Insert | Update | Delete | Select[Any]) -> None:
        self.statement = statement
        self._made: dict[str, _Made] = {}

    def run(self, conn: Connection, rows: Sequence[Values]) -> None:
        """Once for each row, in one call of the driver."""
        made = self._for(conn.dialect)
        if len(rows) == 1:
            _given(conn, made.text, made.bound(rows[0])).close()
        else:
            _given(conn, made.text, [made.bound(one) for one in rows], many=True).close()

    def ask(self, conn: Connection, values: Values) -> list[Any]:
        """The rows: tuples whose fields are named as the columns."""
        made = self._for(conn.dialect)
        cursor = _given(conn, made.text, made.bound(values))
        rows = [made.row(one) for one in cursor.fetchall()]
        cursor.close()
        return rows

    def first(self, conn: Connection, values: Values) -> Any:
        """The first row, or None."""
        rows = self.ask(conn, values)
        return rows[0] if rows else None

    def _for(self, dialect: Dialect) -> _Made:
        made = self._made.get(dialect.name)
        if made is None:
            made = self._made[dialect.name] = _make(self.statement, dialect)
        return made


def plain(conn: Connection, text: str) -> None:
    """A command without parameters, such as SAVEPOINT."""
    _given(conn, text, ()).close()


def _given(conn: Connection, text: str, values: Any, *, many: bool = False) -> Any:
    """The driver's cursor after this; what it raises becomes what SQLAlchemy raises for it."""
    raw = conn.connection
    cursor = raw.cursor()
    try:
        (cursor.executemany if many else cursor.execute)(text, values)
    except Exception as error:
        raise _wrapped(conn, text, error, cursor) from error
    return cursor


def _wrapped(conn: Connection, text: str, error: Exception, cursor: Any) -> BaseException:
    dialect = conn.dialect
    drivers = dialect.loaded_dbapi.Error
    if not isinstance(error, drivers):
        return error
    lost = dialect.is_disconnect(error, conn.connection, cursor)
    if lost:
        conn.invalidate(error)
    return DBAPIError.instance(
        text, None, error, drivers, connection_invalidated=lost, dialect=dialect, hide_parameters=True
    )


def _make(statement: Insert | Update | Delete | Select[Any], dialect: Dialect) -> _Made:
    compiled = statement.compile(dialect=dialect)
    converters: Mapping[str, Any] = compiled._bind_processors
    fixed = {
        name: converters.get(name, _as_it_is)(bind.effective_value)
        for name, bind in compiled.binds.items()
        if not bind.required
    }
    row = _reader(statement, dialect) if isinstance(statement, Select) else _as_it_is
    if compiled.positional:
        order = [
            (name, converters.get(name), fixed.get(name), name in fixed)
            for name in compiled.positiontup or ()
        ]
        return _Made(text=compiled.string, bound=lambda given: _in_order(order, given), row=row)
    wanted = [(name, converters.get(name, _as_it_is)) for name in compiled.binds if name not in fixed]
    return _Made(
        text=compiled.string,
        bound=lambda given: fixed | {name: convert(given[name]) for name, convert in wanted},
        row=row,
    )


def _in_order(order: Sequence[tuple[str, Converter | None, Any, bool]], given: Values) -> tuple[Any, ...]:
    return tuple(
        [
            value if is_fixed else given[name] if convert is None else convert(given[name])
            for name, convert, value, is_fixed in order
        ]
    )


def _reader(statement: Select[Any], dialect: Dialect) -> Callable[[Sequence[Any]], Any]:
    """From a row of the driver's to one with names and converted values."""
    columns = statement.selected_columns
    names = [str(column.key) for column in columns]
    shape: Any = namedtuple("Row", names)  # type: ignore[misc]
    kinds = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
    odd = [(index, convert) for index, convert in enumerate(kinds) if convert is not None]

    def read(row: Sequence[Any]) -> Any:
        values = list(row)
        for index, convert in odd:
            values[index] = convert(values[index])
        return shape._make(values)

    return read


def _as_it_is(value: Any) -> Any:
    return value


__all__ = ["Prepared", "plain"]
