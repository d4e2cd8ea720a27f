"""What the calendar servers call the accounts (RFC 6638 2.4.1), kept so that every process knows all of them at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, insert, select

from gateway.store import schema
from gateway.store.db import Database

_T = schema.principal


class Principals:
    """Implements `ports.Principals`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def learn(self, server: str, account: str, uris: Iterable[str]) -> None:
        """The account is called so there. Nothing is forgotten: of two accounts with one name the reader decides."""
        wanted = frozenset(uris)

        def change(conn: Connection) -> None:
            known = conn.execute(select(_T.c.uri).where(_T.c.server == server, _T.c.account == account))
            fresh = sorted(wanted - set(known.scalars()))
            if fresh:
                rows = [{"server": server, "uri": one, "account": account} for one in fresh]
                conn.execute(insert(_T), rows)

        await self._db.write(change)

    async def named(self, server: str, uris: Iterable[str]) -> Mapping[str, frozenset[str]]:
        """Whom these name on that server: URI -> accounts; those that name nobody are missing."""
        statement = select(_T.c.uri, _T.c.account).where(_T.c.server == server, _T.c.uri.in_(sorted(uris)))
        rows = await self._db.read(lambda conn: conn.execute(statement).all())
        found: dict[str, set[str]] = {}
        for row in rows:
            found.setdefault(row.uri, set()).add(row.account)
        return {uri: frozenset(accounts) for uri, accounts in found.items()}


__all__ = ["Principals"]
