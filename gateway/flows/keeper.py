"""Who works long keeps his lease, and is stopped when he has lost it: somebody else works on it then.

A lease that could not be prolonged for as long as it lasts counts as lost: who is cut off from the database, or was paused,
cannot know better, and another node that reaches it does the work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from gateway.errors import GatewayError


class Keeper:
    """Keeps the lease of the task that makes it; a short work costs a timer."""

    def __init__(
        self, extend: Callable[[], Awaitable[bool]], lease: timedelta, *, since: float | None = None
    ) -> None:
        """`since`: when it began at the earliest, by the clock of the loop; else now."""
        self._extend = extend
        self._seconds = lease.total_seconds()
        self._loop = asyncio.get_running_loop()
        began = self._loop.time() if since is None else since
        self._until = began + self._seconds
        self._runs = asyncio.current_task()
        self._lost = False
        self.cut_off = False  # the store has not answered since it was last prolonged
        self._task: asyncio.Task[None] | None = None
        self._timer = self._loop.call_at(began + self._seconds / 3, self._begin)

    def has_lost(self) -> bool:
        """Whether it was we who cancelled; then the task goes on."""
        if self._lost and self._runs is not None:
            self._runs.uncancel()
        return self._lost

    def close(self) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _later(self) -> asyncio.TimerHandle:
        return self._loop.call_later(self._seconds / 3, self._begin)

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._keep(), name="lease")

    async def _keep(self) -> None:
        if await self._extended():
            self._timer = self._later()
            return
        self._lost = True
        if self._runs is not None:
            self._runs.cancel()

    async def _extended(self) -> bool:
        asked = self._loop.time()
        try:
            async with asyncio.timeout_at(self._until):
                kept = await self._extend()
        except GatewayError:  # the lease may yet outlive the trouble
            self.cut_off = True
            return self._loop.time() < self._until
        except TimeoutError:
            self.cut_off = self.cut_off or asked < self._until  # else we were not there to ask
            return False
        if kept:
            self._until, self.cut_off = asked + self._seconds, False
        return kept


__all__ = ["Keeper"]
