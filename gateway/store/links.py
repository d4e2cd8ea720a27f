"""The links of letters, taken back: who was written to by then answers by them no more."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, update

from gateway.ports import Entry
from gateway.store import schema
from gateway.store.db import Database
from gateway.store.jobs import Jobs

_L = schema.letter


class Links:
    """Implements `ports.Links`."""

    def __init__(self, db: Database, jobs: Jobs) -> None:
        self._db = db
        self._jobs = jobs

    async def revoke(self, account: str, uid: str, recipients: Collection[str] = ()) -> int:
        """Take back what the letters about this meeting carry, to all or to these; how many letters that are."""
        theirs = (_L.c.recipient.in_(recipients),) if recipients else ()
        chosen = (_L.c.account == account, _L.c.uid == uid, _L.c.revoked.is_(None), *theirs)

        def change(conn: Connection) -> int:
            count = conn.execute(update(_L).where(*chosen).values(revoked=self._jobs.now())).rowcount
            if count:
                self._jobs.tell(conn, [_told(account, uid, one) for one in sorted(recipients) or [""]])
            return count

        return await self._db.write(change)


def _told(account: str, uid: str, recipient: str) -> Entry:
    return Entry(
        job="",
        kind="links",
        outcome="applied",
        reason="links-revoked",
        account=account,
        uid=uid,
        sender=recipient,
    )


__all__ = ["Links"]
