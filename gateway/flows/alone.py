"""To be alone with an object while it is written, across processes and nodes: a lease that is kept, and stops who lost it.

Two writes that do not overlap cannot both win: the second meets another ETag, and is decided again (SPEC 9.2). So the lease is
held for the write alone, and not while it is decided. Who lost it is stopped in the middle of his request; should the server
carry that out nevertheless, he overwrites only who writes in the same milliseconds, and the next look at the calendar tells.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta

from gateway.errors import BackendUnavailable, GatewayError
from gateway.flows.keeper import Keeper
from gateway.ports import Seized, WriteLeases

LEASE = timedelta(minutes=1)  # a node that dies is waited for so long
PATIENCE = 2 * LEASE  # then the job comes back later
SOON, LATEST = 0.01, 0.25  # seconds between two looks whether it is free: a write takes some ten milliseconds


class Alone:
    """Implements `ports.Exclusion`."""

    def __init__(
        self, leases: WriteLeases, *, lease: timedelta = LEASE, patience: timedelta = PATIENCE
    ) -> None:
        self._leases = leases
        self._lease = lease
        self._patience = patience.total_seconds()

    @contextlib.asynccontextmanager
    async def hold(self, objects: Iterable[str]) -> AsyncIterator[None]:
        """Wait for them, keep them, give them back."""
        held, since = await self._seized(tuple(objects))
        keeper = Keeper(lambda: self._leases.keep(held, self._lease), self._lease, since=since)
        try:
            try:
                yield
            finally:
                keeper.close()
                with contextlib.suppress(GatewayError):  # it ends by itself
                    await self._leases.release(held)
        except asyncio.CancelledError:
            if not keeper.has_lost():
                raise
            raise BackendUnavailable("the lease of the object was lost while it was written") from None

    async def _seized(self, objects: tuple[str, ...]) -> tuple[Seized, float]:
        """And since when at the latest, by the clock of the loop."""
        loop = asyncio.get_running_loop()
        end, pause = loop.time() + self._patience, SOON
        while (asked := loop.time()) < end:
            held = await self._leases.seize(objects, self._lease)
            if held is not None:
                return held, asked
            await asyncio.sleep(pause)
            pause = min(2 * pause, LATEST)
        raise BackendUnavailable("others have been writing the object for long")


__all__ = ["Alone"]
