"""All rooms of the store on one database, so that wiring needs one call."""

from __future__ import annotations

from collections.abc import Callable, Container
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from gateway.store import lanes, retention
from gateway.store.bodies import Bodies
from gateway.store.db import Database
from gateway.store.held import HeldItems
from gateway.store.intake import Intake
from gateway.store.jobs import Jobs
from gateway.store.journal import Journal
from gateway.store.languages import Languages
from gateway.store.ledger import Ledger
from gateway.store.links import Links
from gateway.store.plans import Plans
from gateway.store.principals import Principals
from gateway.store.proposals import ProposalItems
from gateway.store.queue import Queue
from gateway.store.room import IntakeLimits
from gateway.store.snapshots import Snapshots
from gateway.store.writing import Writing


def _now() -> datetime:
    return datetime.now(UTC)


class Store:
    """The database and its rooms; `message_domain` is the right side of our Message-IDs."""

    def __init__(
        self,
        url: str,
        state_dir: Path,
        message_domain: str,
        *,
        now: Callable[[], datetime] = _now,
        limits: IntakeLimits | None = None,
    ) -> None:
        self.db = Database(url, state_dir)
        jobs = Jobs(Bodies(state_dir, shared=self.db.shared), self.db.bell, now)
        self.intake = Intake(self.db, jobs, limits)
        self.queue = Queue(self.db, jobs)
        self.held = HeldItems(self.db, jobs)
        self.proposals = ProposalItems(self.db, jobs)
        self.plans = Plans(self.db, jobs, message_domain)
        self.ledger = Ledger(self.db)
        self.links = Links(self.db, jobs)
        self.principals = Principals(self.db)
        self.languages = Languages(self.db, jobs)
        self.journal = Journal(self.db, jobs)
        self.snapshots = Snapshots(self.db, jobs)
        self.writing = Writing(self.db, now)

    async def start(self) -> None:
        """Upgrade the schema and open. Raises ConfigError when it is newer than this program."""
        await self.db.start()

    async def recover(self, worker: str) -> None:
        """Take up at once what this worker left when it died: its leases, and files that no row names.

        For who holds the lock of the state directory. With SQLite nobody else can be alive; PostgreSQL is shared.
        """
        owner = worker if self.db.shared else ""
        await self.queue.recover(owner)
        await self.snapshots.recover(owner)
        await self.queue.sweep(alone=not self.db.shared)
        await self.queue.heal()

    async def forget(self, before: datetime) -> int:
        """Delete what ended before this moment: journal, letters, answered questions; how many rows. The ledger stays."""
        gone = 0
        while rows := await self.db.write(lambda conn: _tidied(conn, before)):
            gone += rows
        await self.queue.sweep()
        return gone

    async def forget_others(self, before: datetime, accounts: Container[str]) -> int:
        """Delete what was known of the calendars of all accounts but these, if nobody has looked at one since; how many rows."""
        gone = 0
        for account in await self.db.read(partial(retention.unseen, before=before)):
            if account not in accounts:
                gone += await self.db.write(partial(retention.forget_account, account=account, before=before))
        return gone

    async def close(self) -> None:
        """Commit what is waiting, then close."""
        await self.db.close()


def _tidied(conn: Connection, before: datetime) -> int:
    """Once nothing is left to forget: nobody waits behind nobody."""
    gone = retention.forget(conn, before)
    if not gone:
        lanes.heal(conn)
    return gone


__all__ = ["Store"]
