"""Our own writes of one object, one after another: servers let overlapping conditional writes both win (SPEC 9.2).

Inside a process always. Across processes and nodes where it can matter: on a server that is known to do that, for a calendar
that more than one of the accounts may write in. Two jobs of one account never meet, since they share a lane.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable, Iterable
from contextlib import asynccontextmanager


class Lanes:
    """Locks by key; a key that nobody holds or waits for takes no memory."""

    def __init__(self) -> None:
        self._lanes: dict[Hashable, tuple[asyncio.Lock, int]] = {}

    def __len__(self) -> int:
        return len(self._lanes)

    @asynccontextmanager
    async def hold(self, *keys: Hashable) -> AsyncIterator[None]:
        """Be alone with these keys; who asks for several asks in one order."""
        wanted = [self._enter(one) for one in keys]
        held: list[asyncio.Lock] = []
        try:
            for lock in wanted:
                await lock.acquire()
                held.append(lock)
            yield
        finally:
            for lock in held:
                lock.release()
            for one in keys:
                self._leave(one)

    def _enter(self, key: Hashable) -> asyncio.Lock:
        lock, waiting = self._lanes.get(key, (asyncio.Lock(), 0))
        self._lanes[key] = (lock, waiting + 1)
        return lock

    def _leave(self, key: Hashable) -> None:
        lock, waiting = self._lanes[key]
        if waiting == 1:
            del self._lanes[key]
        else:
            self._lanes[key] = (lock, waiting - 1)


class Reach:
    """Which accounts may write at which places of a host, as far as discovery has seen.

    A place is the path of a calendar, or its owner: some servers show a shared calendar to each of its users at a path of
    his own, and tell whose it is.
    """

    def __init__(self, accounts: Iterable[tuple[str, str]]) -> None:
        """Host and address of all there are."""
        self._unseen: dict[str, set[str]] = {}
        for host, account in accounts:
            self._unseen.setdefault(host, set()).add(account)
        self._places: dict[str, frozenset[str]] = {}  # account -> where it may write
        self._writers: dict[tuple[str, str], set[str]] = {}

    def saw(self, host: str, account: str, places: frozenset[str]) -> None:
        """All places where the account may write now."""
        known = self._places.get(account, frozenset())
        for gone in known - places:
            self._writers[host, gone].discard(account)
        for new in places - known:
            self._writers.setdefault((host, new), set()).add(account)
        self._places[account] = places
        self._unseen.get(host, set()).discard(account)

    def is_alone(self, host: str, account: str, places: Iterable[str]) -> bool:
        """Whether nobody else may write there; not, as long as there are accounts of whom nothing has been seen."""
        if self._unseen.get(host, set()) - {account}:
            return False
        return all(self._writers.get((host, one), set()) <= {account} for one in places)


__all__ = ["Lanes", "Reach"]
