"""Text as every database can hold it: PostgreSQL takes no NUL, and its B-tree no more than 2 704 bytes."""

from __future__ import annotations

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

from gateway.store.ids import bounded

# Characters; a longer key keeps its beginning and a hash, so that it still finds its row. Three of them fit one index.
_LONGEST, _LONGEST_WIDE = 800, 200


class Plain(TypeDecorator[str]):
    """Text of whatever a mail said: a NUL, or half a surrogate, becomes U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return value if value is None or _is_plain(value) else clean(value)


class Key(TypeDecorator[str]):
    """Text in an index, the same for the row and for the question."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or (len(value) <= _LONGEST_WIDE and _is_plain(value)):
            return value
        return fitting(clean(value))


def fitting(key: str) -> str:
    """The key, or what stands for it in every index."""
    return bounded(key, _LONGEST if key.isascii() else _LONGEST_WIDE)


def _is_plain(text: str) -> bool:
    """As nearly all texts are."""
    return text.isascii() and "\0" not in text


def clean(text: str) -> str:
    """Without what PostgreSQL, or UTF-8, cannot say."""
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


__all__ = ["Key", "Plain", "clean", "fitting"]
