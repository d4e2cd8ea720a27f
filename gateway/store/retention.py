"""What is over is forgotten in time, a little at once; the ledger stays (SPEC 4.1, 9).

Kept however old it is: what still waits, the ledger, and of each thread of letters the last one as long as its meeting is
in a calendar, since the next letter answers it. A calendar that its server lists no more is forgotten with all that was
known to lie in it; should it come back, it is seen for the first time, of which nobody is told. So it is with an account that
was removed, once no process has looked at any of its calendars for so long: where it is missing by mistake, or from the
configuration of one node alone, nothing is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, delete, exists, func, or_, select

from gateway.ports import VANISHED
from gateway.store import schema

AT_ONCE: Final = 1000  # rows of a table in one transaction: nobody waits long for it

_J, _L, _H, _P, _T = schema.journal, schema.letter, schema.held, schema.proposal, schema.language
_C, _S = schema.collection, schema.snapshot
_NEXT = schema.letter.alias("next")
_OVER: Final = ("sent", "failed", "dropped")


def forget(conn: Connection, before: datetime) -> int:
    """Delete what ended before this moment, no more than AT_ONCE of a kind; how many rows that were."""
    gone = 0
    for table, key, which in (
        (_J, _J.c.number, select(_J.c.number).where(_J.c.time < before)),
        (_L, _L.c.number, _letters(before)),
        (_H, _H.c.id, select(_H.c.id).where(_H.c.closed < before)),
        (_P, _P.c.id, select(_P.c.id).where(_P.c.closed < before)),
        (_T, _T.c.address, _silent(before)),
    ):
        found = conn.execute(which.limit(AT_ONCE)).scalars().all()
        if found:
            gone += conn.execute(delete(table).where(key.in_(found))).rowcount
    return gone + _calendars(conn, before)


def _silent(before: datetime) -> Select[tuple[str]]:
    """Whom nobody has written to since."""
    return select(_T.c.address).where(_T.c.changed < before, _T.c.address.not_in(select(_L.c.recipient)))


def _calendars(conn: Connection, before: datetime) -> int:
    """One calendar that has vanished before this moment, and that nobody looks at."""
    vanished = select(_C.c.account, _C.c.path).where(
        _C.c.error == VANISHED, _C.c.synced_at < before, _C.c.lease_until.is_(None)
    )
    found = conn.execute(vanished.limit(1)).first()
    if found is None:
        return 0
    known = (_S.c.account == found.account, _S.c.collection == found.path)
    here = (_C.c.account == found.account, _C.c.path == found.path)
    return conn.execute(delete(_S).where(*known)).rowcount + conn.execute(delete(_C).where(*here)).rowcount


def unseen(conn: Connection, before: datetime) -> Sequence[str]:
    """The accounts of whose calendars nobody has looked at one since."""
    return conn.execute(_unseen(before)).scalars().all()


def forget_account(conn: Connection, account: str, before: datetime) -> int:
    """What was known to lie in its calendars, if that is still so; how many rows that were."""
    if conn.execute(_unseen(before).where(_C.c.account == account)).first() is None:
        return 0
    return (
        conn.execute(delete(_S).where(_S.c.account == account)).rowcount
        + conn.execute(delete(_C).where(_C.c.account == account)).rowcount
    )


def _unseen(before: datetime) -> Select[Any]:
    last = func.max(func.coalesce(_C.c.lease_until, _C.c.due), type_=_C.c.due.type)
    return select(_C.c.account).group_by(_C.c.account).having(last < before)


def _letters(before: datetime) -> Select[tuple[int]]:
    later = exists().where(
        _NEXT.c.account == _L.c.account,
        _NEXT.c.uid == _L.c.uid,
        _NEXT.c.recipient == _L.c.recipient,
        _NEXT.c.number > _L.c.number,
        _NEXT.c.state.not_in(("failed", "dropped")),
    )
    alive = exists().where(_S.c.account == _L.c.account, _S.c.uid == _L.c.uid)
    return select(_L.c.number).where(_L.c.changed < before, _L.c.state.in_(_OVER), or_(later, ~alive))


__all__ = ["AT_ONCE", "forget", "forget_account", "unseen"]
