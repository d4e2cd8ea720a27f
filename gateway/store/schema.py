"""The tables: jobs with lanes and leases, plans and letters, the ledger, snapshots, the journal.

    job ------- content      the body of a job beside it, so that a change of state does not rewrite 6 KB rows
     |
     +--------- plan ------- letter, proposal (planned)    vanish with the job; what is ready or open stands alone

    language     the language and the clock that somebody chose on a page
    principal    what the calendar servers call the accounts; never forgotten, or a guest would seem to have been removed
    writing      the objects of shared calendars that a process writes at this moment

Portable Core only: the same tables serve SQLite and PostgreSQL. The comparison of `state` with 'leased' is written as
a literal everywhere (`LEASED`), since SQLite takes a partial index only for the very condition that it was made with.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    literal_column,
    text,
)
from sqlalchemy.sql.elements import ColumnElement

from gateway.store.instants import Instant
from gateway.store.texts import Key, Plain

REVISION = "0011"  # the newest of migrations/versions; a test compares

LEASED: ColumnElement[str] = literal_column("'leased'")
NOTHING: ColumnElement[str] = literal_column("''")
NONE: ColumnElement[int] = literal_column("0")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id(name: str = "id", *more: Any, **options: Any) -> Column[str]:
    return Column(name, String(32), *more, nullable=False, **options)


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, Plain, nullable=False, **options)


def _key(name: str, **options: Any) -> Column[str]:
    """Text in an index."""
    return Column(name, Key, nullable=False, **options)


def _number() -> Column[int]:
    """A row number that is never given twice."""
    kind = BigInteger().with_variant(Integer, "sqlite")
    return Column("number", kind, primary_key=True, autoincrement=True)


job = Table(
    "job",
    metadata,
    _id(primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    _key("lane"),
    _key("key"),
    _key("account"),
    _key("uid"),
    _key("message_id"),
    Column("payload", JSON, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due", Instant),  # null: never by itself (held, buried)
    Column("created", Instant, nullable=False),
    _text("reason"),
    _id("origin"),  # the mail job, or the change, that all this began with
    _text("lease_owner"),
    _id("lease_token"),
    Column("lease_until", Instant),
    Column(
        "deaths", Integer, nullable=False, server_default=text("0")
    ),  # workers that died while they had it
    Column("behind", Integer, nullable=False, server_default=text("0")),  # 1: no claim needs to look at it
)
AHEAD: ColumnElement[bool] = job.c.behind == NONE
_free = job.c.state != LEASED
_seen = _free & AHEAD
_leased = job.c.state == LEASED
_keyed = _free & (job.c.key != NOTHING)
Index("ix_job_due", job.c.due, job.c.id, sqlite_where=_seen, postgresql_where=_seen)
Index("ix_job_lane", job.c.lane, job.c.due, job.c.id, sqlite_where=_free, postgresql_where=_free)
Index("ix_job_account", job.c.account, job.c.due, job.c.id, sqlite_where=_seen, postgresql_where=_seen)
Index("ix_job_meeting", job.c.account, job.c.uid)
Index("uq_job_lane", job.c.lane, unique=True, sqlite_where=_leased, postgresql_where=_leased)
Index("uq_job_key", job.c.key, unique=True, sqlite_where=_keyed, postgresql_where=_keyed)

content = Table(
    "content",
    metadata,
    _id("job", ForeignKey("job.id", ondelete="CASCADE"), primary_key=True),
    Column("data", LargeBinary),  # null: in the file
    Column("file", String(64), nullable=False),  # "" or a name in state_dir/content
)

accepted = Table(
    "accepted",
    metadata,
    Column("digest", String(64), primary_key=True),
    _id("job"),  # may have ended long ago
    Column("at", Instant, nullable=False, index=True),
)

plan = Table(
    "plan",
    metadata,
    _id(primary_key=True),
    _id("job", ForeignKey("job.id", ondelete="CASCADE"), unique=True),
    _key("lane", index=True, server_default=text("''")),  # of the job; "": an older program planned it
    _key("account"),
    _key("uid"),
    Column("action", String(16), nullable=False),
    _key("collection"),
    _key("href"),
    _text("etag"),
    Column("data", LargeBinary, nullable=False),
    _text("fingerprint"),
    Column("keep_snapshot", Boolean, nullable=False),
    Column("base", LargeBinary),
    Column("marks", JSON, nullable=False),
    Column("entry", JSON),
    Column("restore", LargeBinary),
    Column("created", Instant, nullable=False),
)

letter = Table(
    "letter",
    metadata,
    _number(),
    _id(unique=True),
    Column("plan", String(32), ForeignKey("plan.id", ondelete="CASCADE"), index=True),  # null: settled
    _id("job"),  # that planned it
    Column("state", String(16), nullable=False),
    _key("account"),
    _key("uid"),
    _key("recurrence_id"),
    _text("method"),
    _text("sender"),
    _key("recipient"),
    _text("recipient_name"),
    Column("calendar", LargeBinary, nullable=False),
    Column("summary", JSON, nullable=False),
    Column("automatic", Boolean, nullable=False),
    _text("in_reply_to"),
    _key("message_id", index=True),
    _text("root_id"),
    _text("previous_id"),
    Column("created", Instant, nullable=False),
    Column("changed", Instant, nullable=False),
    _text("reason"),
    Column("status", String(16), nullable=False, server_default=""),  # SCHEDULE-STATUS
    Column("revoked", Instant),  # when its links were taken back
    sqlite_autoincrement=True,
)
Index("ix_letter_changed", letter.c.changed)
Index("ix_letter_recipient", letter.c.account, letter.c.recipient, letter.c.number)
Index("ix_letter_thread", letter.c.account, letter.c.uid, letter.c.recipient, letter.c.number)

ledger = Table(
    "ledger",
    metadata,
    _key("account", primary_key=True),
    _key("uid", primary_key=True),
    _key("recurrence_id", primary_key=True),
    _key("party", primary_key=True),
    Column("mark", JSON, nullable=False),
    Column("changed", Instant, nullable=False),
)

snapshot = Table(
    "snapshot",
    metadata,
    _key("account", primary_key=True),
    _key("href", primary_key=True),
    _key("collection"),
    _key("uid"),
    _text("etag"),
    _text("fingerprint"),
    Column("data", LargeBinary, nullable=False),
    Column("base", LargeBinary),
    Column("changed", Instant, nullable=False),
    _key("series_by", server_default=text("''")),  # the organizer of a series
)
Index("ix_snapshot_uid", snapshot.c.account, snapshot.c.uid)
Index("ix_snapshot_series", snapshot.c.account, snapshot.c.series_by, snapshot.c.changed)
Index("ix_snapshot_collection", snapshot.c.account, snapshot.c.collection)

collection = Table(
    "collection",
    metadata,
    _key("account", primary_key=True),
    _key("path", primary_key=True),
    _text("token"),
    Column("baseline", Boolean, nullable=False),
    Column("due", Instant),
    Column("interval", Float, nullable=False),  # seconds
    Column("synced_at", Instant),
    _text("error"),
    _text("lease_owner"),
    Column("lease_until", Instant),
)

journal = Table(
    "journal",
    metadata,
    _number(),
    Column("time", Instant, nullable=False, index=True),
    _id("job", index=True),
    _id("origin", index=True),
    Column("kind", String(16), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("reason", String(64), nullable=False),
    _key("message_id", index=True),
    _key("uid", index=True),
    _key("recurrence_id"),
    _text("method"),
    _key("account"),
    _text("sender"),
    Column("certainty", String(16), nullable=False),
    Column("notes", JSON, nullable=False),
    Column("letters", JSON, nullable=False),
    Column("mailed", Boolean, nullable=False),  # letters came of it
    Column("harsh", Boolean, nullable=False),  # a cancellation or a decline was among them
    Column("restore", LargeBinary),
    sqlite_autoincrement=True,
)
Index("ix_journal_changes", journal.c.account, journal.c.kind, journal.c.time)

held = Table(
    "held",
    metadata,
    _id(primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("since", Instant, nullable=False),
    _key("account"),
    _text("sender"),
    _key("uid"),
    _text("method"),
    _key("message_id"),
    Column("reason", String(64), nullable=False),
    _id("job", index=True),
    Column("answer", String(16), nullable=False),  # "" | approved | refused | dropped
    Column("closed", Instant),
)

proposal = Table(
    "proposal",
    metadata,
    _id(primary_key=True),
    Column("plan", String(32), ForeignKey("plan.id", ondelete="CASCADE"), index=True),  # null: settled
    _text("lane"),
    Column("since", Instant, nullable=False),
    _key("account"),
    _key("uid"),
    _key("recurrence_id"),
    _key("sender"),
    Column("sequence", BigInteger),  # null: not said
    _text("start"),
    _text("end"),
    _text("old_start"),
    _text("old_end"),
    _text("comment"),
    _text("message_id"),
    Column("data", LargeBinary, nullable=False),
    _id("job", index=True),  # that carries out the organizer's word
    Column("answer", String(16), nullable=False),  # "" | accepted | declined | replaced | overtaken
    Column("closed", Instant),
)
Index("ix_proposal_meeting", proposal.c.account, proposal.c.uid)

principal = Table(
    "principal",
    metadata,
    _key("server", primary_key=True),
    _key("uri", primary_key=True),
    _key("account", primary_key=True),
)

language = Table(
    "language",
    metadata,
    _key("address", primary_key=True),
    Column("tag", String(32), nullable=False),  # "": he has chosen a clock only
    Column("zone", String(64), nullable=False, server_default=""),
    Column("changed", Instant, nullable=False, index=True),
)

writing = Table(
    "writing",
    metadata,
    Column("object", String(64), primary_key=True),  # a hash of where it is
    _id("proof"),
    Column("until", Instant, nullable=False),
)


__all__ = [
    "AHEAD",
    "LEASED",
    "NONE",
    "REVISION",
    "accepted",
    "collection",
    "content",
    "held",
    "job",
    "journal",
    "language",
    "ledger",
    "letter",
    "metadata",
    "plan",
    "principal",
    "proposal",
    "snapshot",
    "writing",
]
