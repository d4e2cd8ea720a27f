"""The store alone, for the commands that need nothing else: a mail server's and an administrator's time is short."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from gateway.config import Config
from gateway.store.db import Database
from gateway.store.desk import Store
from gateway.store.room import IntakeLimits


class SystemClock:
    """The one clock of the gateway."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def database(config: Config) -> Database:
    return Database(config.gateway.database, config.gateway.state_dir)


@contextlib.asynccontextmanager
async def opened_store(config: Config) -> AsyncIterator[Store]:
    """The store alone, for the commands. Creates or upgrades the database."""
    config.gateway.state_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    domain = config.delivery.service_address.rpartition("@")[2]
    limits = IntakeLimits(
        max_jobs=config.limits.queue_jobs, max_kept=config.limits.queue_kept, min_free=config.limits.disk_free
    )
    store = Store(
        config.gateway.database, config.gateway.state_dir, domain, now=SystemClock().now, limits=limits
    )
    await store.start()
    try:
        yield store
    finally:
        await store.close()
