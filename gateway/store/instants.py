"""Moments in the database: microseconds since 1970 in UTC, as one integer, everywhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Dialect
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, stored so that it compares and sorts the same in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else micros(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else EPOCH + timedelta(microseconds=int(value))


def micros(moment: datetime) -> int:
    """Microseconds since 1970; a naive datetime is a TypeError."""
    return (moment - EPOCH) // _MICROSECOND


def rfc3339(moment: datetime | None) -> str | None:
    """As INTERFACE 7 shows it: UTC, to the millisecond."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


__all__ = ["EPOCH", "Instant", "micros", "rfc3339"]
