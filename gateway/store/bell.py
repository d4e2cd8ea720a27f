"""Rung when a job was queued or a lane became free, heard by the worker of this process."""

from __future__ import annotations

import asyncio
import contextlib


class Bell:
    """`ring` may be called from any thread; one that nobody waits for is kept for the next who does."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def ring(self) -> None:
        loop = self._loop
        if loop is None:
            self._event.set()
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float) -> None:
        """Return when it rings, or has rung since the last wait, or after `seconds`."""
        self._loop = asyncio.get_running_loop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        self._event.clear()


__all__ = ["Bell"]
