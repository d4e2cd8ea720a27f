"""Who works long keeps his lease, and is stopped when he has lost it: somebody else works on it then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from gateway.errors import GatewayError


class Keeper:
    """Keeps the lease of the task that makes it; a short work costs a timer."""

    def __init__(self, extend: Callable[[], Awaitable[bool]], lease: timedelta) -> None:
        self._extend = extend
        self._third = lease.total_seconds() / 3
        self._runs = asyncio.current_task()
        self._lost = False
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(self._third, self._begin)

    def has_lost(self) -> bool:
        """Whether it was we who cancelled; then the task goes on."""
        if self._lost and self._runs is not None:
            self._runs.uncancel()
        return self._lost

    def close(self) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._keep(), name="lease")

    async def _keep(self) -> None:
        if await self._extended():
            self._timer = asyncio.get_running_loop().call_later(self._third, self._begin)
            return
        self._lost = True
        if self._runs is not None:
            self._runs.cancel()

    async def _extended(self) -> bool:
        try:
            return await self._extend()
        except GatewayError:  # the lease may yet outlive the trouble
            return True


__all__ = ["Keeper"]
