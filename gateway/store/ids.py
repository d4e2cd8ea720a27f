"""Names of rows: short, unguessable, and in the order in which they were given."""

from __future__ import annotations

import hashlib
import os
import threading
from datetime import datetime

from gateway.store.instants import micros

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford: nothing that is misread on a telephone
_LENGTH, _RANDOM_BITS = 20, 50
_PAIRS = tuple(one + other for one in _ALPHABET for other in _ALPHABET)
_PLACES = tuple(reversed(range(0, 5 * _LENGTH, 10)))
_LONGEST = 240
_HASHED = 80  # characters of a long name that give way to its hash
_POOL = 4096  # octets asked of the system at once: each question gives the other threads their turn


class _Chance:
    """The system's random octets; a forked process asks for its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = b""
        os.register_at_fork(after_in_child=self._anew)

    def octets(self, count: int) -> bytes:
        with self._lock:
            if len(self._left) < count:
                self._left = os.urandom(_POOL)
            taken, self._left = self._left[:count], self._left[count:]
            return taken

    def _anew(self) -> None:
        self._lock = threading.Lock()
        self._left = b""


_CHANCE = _Chance()


class Ids:
    """Gives names that sort by time; two of one process never collide and never go backwards within a millisecond."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def new(self, now: datetime) -> str:
        """48 bits of milliseconds, 50 of chance."""
        with self._lock:
            moment = micros(now) // 1000
            if moment == self._last >> _RANDOM_BITS:
                self._last += 1
            else:
                self._last = moment << _RANDOM_BITS | _bits()
            return _written(self._last)


def token() -> str:
    """The proof of a lease."""
    return _CHANCE.octets(8).hex()


def bounded(name: str, longest: int = _LONGEST) -> str:
    """A name that fits every index: PostgreSQL's B-tree takes 2 704 bytes, a UID may be longer."""
    if len(name) <= longest:
        return name
    return f"{name[: longest - _HASHED]}#{hashlib.sha256(name.encode()).hexdigest()}"


def _bits() -> int:
    return int.from_bytes(_CHANCE.octets(7)) >> 56 - _RANDOM_BITS


def _written(number: int) -> str:
    return "".join([_PAIRS[number >> place & 1023] for place in _PLACES])


__all__ = ["Ids", "bounded", "token"]
