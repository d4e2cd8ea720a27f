"""Which accounts are looked at next: those of whom a collection is due, no more at a time than a server bears (SPEC 5.1)."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from datetime import datetime, timedelta

from gateway.accounts import Account, Accounts
from gateway.errors import GatewayError
from gateway.flows.watch import SLOWEST, Watch
from gateway.ports import Clock, Snapshots

BEAT = 1.0  # seconds between two looks at what is due
WIDTH = 16  # accounts of one server looked at at once: a thousand calendars are no thousand connections

log = logging.getLogger("imip-gateway")


class Rounds:
    """Drives `Watch`: one question to the store each beat, however many collections are watched."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        snapshots: Snapshots,
        watch: Watch,
        clock: Clock,
        interval: timedelta,
        width: int = WIDTH,
    ) -> None:
        """`width`: accounts of one server looked at at once; `interval`: the least time between two looks at an account of
        which the store knows no collection."""
        self._accounts = accounts
        self._snapshots = snapshots
        self._watch = watch
        self._clock = clock
        self._interval = interval
        self._width = width
        self._next: dict[str, datetime] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look now: somebody said that a calendar changed."""
        self._woken.set()

    async def run(self) -> None:
        """For ever; an account whose server hangs keeps no other waiting."""
        try:
            while True:
                try:
                    await self.beat()
                except GatewayError as error:
                    log.warning("watch: %s", error)
                try:
                    await asyncio.wait_for(self._woken.wait(), BEAT)
                except TimeoutError:
                    continue
                self._woken.clear()
        finally:
            running = list(self._running.values())
            for one in running:
                one.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def beat(self) -> None:
        """Begin what is due and fits."""
        busy = Counter(one.server for one in self._accounts if one.address in self._running)
        for account in await self._wanted():
            if busy[account.server] < self._width:
                busy[account.server] += 1
                self._running[account.address] = asyncio.create_task(self._look(account))

    async def _wanted(self) -> list[Account]:
        """Who has waited longest comes first."""
        now = self._clock.now()
        due = await self._snapshots.due(now)
        wanted = [
            one
            for one in self._accounts
            if one.address not in self._running
            and (one.address in due or self._next.get(one.address, now) <= now)
        ]
        return sorted(wanted, key=lambda one: self._next.get(one.address, now))

    async def _look(self, account: Account) -> None:
        pause = self._interval
        try:
            rounds = await self._watch.due(account)
            if rounds and not any(one.error for one in rounds):
                pause *= SLOWEST  # the store knows when its collections are due
        except GatewayError:  # the round has told it; it comes again
            pass
        finally:
            self._next[account.address] = self._clock.now() + pause
            del self._running[account.address]


__all__ = ["Rounds"]
