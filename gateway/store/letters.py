"""The rows of letters: their Message-IDs, and the thread that each recipient sees of a meeting.

A Message-ID depends on the decision alone (job, recipient, method, instance), not on the attempt: a letter that leaves
twice, because we died between the smarthost's 250 and our commit, is one mail for the reader (SPEC 9.2).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select

from gateway.ports import Letter, NewLetter
from gateway.store import schema
from gateway.store.prepared import Prepared

_T = schema.letter
_GIVEN = [one.name for one in _T.c if one.name not in ("number", "status", "revoked")]
_INSERT = Prepared(insert(_T).values({name: bindparam(name) for name in _GIVEN}).inline())
_LAST = (  # of each recipient, that he may have seen
    select(func.max(_T.c.number))
    .where(_T.c.account == bindparam("of_account"), _T.c.uid == bindparam("of_uid"))
    .where(_T.c.state != "failed", _T.c.state != "dropped")
    .group_by(_T.c.recipient)
)
_THREADS = Prepared(select(_T.c.recipient, _T.c.message_id, _T.c.root_id).where(_T.c.number.in_(_LAST)))
_ID_BYTES = 20


def message_id(job: str, letter: NewLetter, domain: str, *, twin: int = 0) -> str:
    """RFC 5322 3.6.4; `twin` tells letters apart that one decision sends to one person about one instance."""
    facts = [job, letter.recipient, letter.method, letter.recurrence_id]
    digest = hashlib.sha256(json.dumps(facts + [twin] * bool(twin)).encode()).digest()
    return f"<{base64.b32encode(digest[:_ID_BYTES]).decode().lower()}@{domain}>"


def write_planned(
    conn: Connection,
    letters: Sequence[tuple[str, NewLetter]],
    *,
    plan: str,
    job: str,
    domain: str,
    now: datetime,
) -> None:
    """Write (id, letter) in state planned, each as the next of its recipient's thread."""
    if not letters:
        return
    first = letters[0][1]
    threads = _threads(conn, first.account, first.uid)
    twins: Counter[tuple[str, str, str]] = Counter()
    rows = []
    for name, one in letters:
        place = (one.recipient, one.method, one.recurrence_id)
        own = message_id(job, one, domain, twin=twins[place])
        twins[place] += 1
        previous, root = threads.get(one.recipient, ("", own))
        threads[one.recipient] = (own, root)
        rows.append(
            {
                **_facts(one),
                "id": name,
                "plan": plan,
                "job": job,
                "state": "planned",
                "message_id": own,
                "root_id": root,
                "previous_id": previous,
                "created": now,
                "changed": now,
                "reason": "",
            }
        )
    _INSERT.run(conn, rows)


def _threads(conn: Connection, account: str, uid: str) -> dict[str, tuple[str, str]]:
    """recipient -> (Message-ID of the last letter that he may have seen, of the first)."""
    rows = _THREADS.ask(conn, {"of_account": account, "of_uid": uid})
    return {row.recipient: (row.message_id, row.root_id) for row in rows}


def letter_of(row: Row[Any]) -> Letter:
    """A row as the journeys see it."""
    return Letter(
        id=row.id,
        state=row.state,
        letter=NewLetter(
            account=row.account,
            uid=row.uid,
            recurrence_id=row.recurrence_id,
            method=row.method,
            sender=row.sender,
            recipient=row.recipient,
            recipient_name=row.recipient_name,
            calendar=row.calendar,
            summary=row.summary,
            automatic=row.automatic,
            in_reply_to=row.in_reply_to,
        ),
        message_id=row.message_id,
        root_id=row.root_id,
        previous_id=row.previous_id,
        sequence=row.number,
        created=row.created,
        changed=row.changed,
        job=row.job,
        revoked=row.revoked is not None,
    )


def _facts(letter: NewLetter) -> dict[str, Any]:
    return {
        "account": letter.account,
        "uid": letter.uid,
        "recurrence_id": letter.recurrence_id,
        "method": letter.method,
        "sender": letter.sender,
        "recipient": letter.recipient,
        "recipient_name": letter.recipient_name,
        "calendar": letter.calendar,
        "summary": dict(letter.summary),
        "automatic": letter.automatic,
        "in_reply_to": letter.in_reply_to,
    }


__all__ = ["letter_of", "message_id", "write_planned"]
