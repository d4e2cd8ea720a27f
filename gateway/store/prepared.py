"""A statement whose SQL is made once and then given to the driver as it is: for the few that run for every mail.

Otherwise binding and wrapping cost more than the rows of a mail do. The text and the conversion of values are still
SQLAlchemy's own, so both databases are served, and errors come out as everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Update

Values = Mapping[str, Any]


class Prepared:
    """A change of many rows alike, or a question; its parameters are named as in the statement."""

    def __init__(self, statement: Insert | Update | Delete | Select[Any]) -> None:
        self._statement = statement
        self._made: dict[str, tuple[str, Callable[[Values], Any]]] = {}

    def run(self, conn: Connection, rows: Sequence[Values]) -> None:
        """Once for each row, in one call of the driver."""
        text, bound = self._for(conn.dialect)
        conn.exec_driver_sql(text, [bound(one) for one in rows])

    def ask(self, conn: Connection, values: Values) -> Sequence[Any]:
        """The rows as the driver gives them, so for columns that need no conversion."""
        text, bound = self._for(conn.dialect)
        return conn.exec_driver_sql(text, bound(values)).all()

    def _for(self, dialect: Dialect) -> tuple[str, Callable[[Values], Any]]:
        made = self._made.get(dialect.name)
        if made is None:
            made = self._made[dialect.name] = _made(self._statement, dialect)
        return made


def _made(
    statement: Insert | Update | Delete | Select[Any], dialect: Dialect
) -> tuple[str, Callable[[Values], Any]]:
    compiled = statement.compile(dialect=dialect)
    names = compiled.positiontup or list(compiled.binds)
    converters = [(name, compiled._bind_processors.get(name, _as_it_is)) for name in names]
    if compiled.positional:
        return compiled.string, lambda row: tuple([convert(row[name]) for name, convert in converters])
    return compiled.string, lambda row: {name: convert(row[name]) for name, convert in converters}


def _as_it_is(value: Any) -> Any:
    return value


__all__ = ["Prepared"]
