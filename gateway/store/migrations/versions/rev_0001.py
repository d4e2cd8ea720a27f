"""The first schema: queue, plans and letters, ledger, snapshots, journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FREE = sa.text("state != 'leased'")
LEASED = sa.text("state = 'leased'")
KEYED = sa.text("state != 'leased' AND \"key\" != ''")


def upgrade() -> None:
    _job()
    _content()
    _accepted()
    _plan()
    _letter()
    _ledger()
    _snapshot()
    _collection()
    _journal()
    _held()


def downgrade() -> None:
    op.drop_table("held")
    op.drop_table("journal")
    op.drop_table("collection")
    op.drop_table("snapshot")
    op.drop_table("ledger")
    op.drop_table("letter")
    op.drop_table("plan")
    op.drop_table("accepted")
    op.drop_table("content")
    op.drop_table("job")


def _job() -> None:
    op.create_table(
        "job",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("origin", sa.String(length=32), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=False),
        sa.Column("lease_token", sa.String(length=32), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
    )
    op.create_index("ix_job_due", "job", ["due", "id"], sqlite_where=FREE, postgresql_where=FREE)
    op.create_index("ix_job_lane", "job", ["lane", "due", "id"], sqlite_where=FREE, postgresql_where=FREE)
    op.create_index("ix_job_meeting", "job", ["account", "uid"])
    op.create_index("uq_job_key", "job", ["key"], unique=True, sqlite_where=KEYED, postgresql_where=KEYED)
    op.create_index("uq_job_lane", "job", ["lane"], unique=True, sqlite_where=LEASED, postgresql_where=LEASED)


def _content() -> None:
    op.create_table(
        "content",
        sa.Column("job", sa.String(length=32), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=True),
        sa.Column("file", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["job.id"], name="fk_content_job", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job", name="pk_content"),
    )


def _accepted() -> None:
    op.create_table(
        "accepted",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("job", sa.String(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_accepted"),
    )
    op.create_index("ix_accepted_at", "accepted", ["at"])


def _plan() -> None:
    op.create_table(
        "plan",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("job", sa.String(length=32), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("href", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("keep_snapshot", sa.Boolean(), nullable=False),
        sa.Column("base", sa.LargeBinary(), nullable=True),
        sa.Column("marks", sa.JSON(), nullable=False),
        sa.Column("entry", sa.JSON(), nullable=True),
        sa.Column("restore", sa.LargeBinary(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["job.id"], name="fk_plan_job", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_plan"),
        sa.UniqueConstraint("job", name="uq_plan_job"),
    )


def _letter() -> None:
    op.create_table(
        "letter",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("plan", sa.String(length=32), nullable=True),
        sa.Column("job", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("recurrence_id", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("recipient_name", sa.Text(), nullable=False),
        sa.Column("calendar", sa.LargeBinary(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("in_reply_to", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("root_id", sa.Text(), nullable=False),
        sa.Column("previous_id", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["plan"], ["plan.id"], name="fk_letter_plan", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name="pk_letter"),
        sa.UniqueConstraint("id", name="uq_letter_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_letter_message_id", "letter", ["message_id"])
    op.create_index("ix_letter_plan", "letter", ["plan"])
    op.create_index("ix_letter_thread", "letter", ["account", "uid", "recipient", "number"])


def _ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("recurrence_id", sa.Text(), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("mark", sa.JSON(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "uid", "recurrence_id", "party", name="pk_ledger"),
    )


def _snapshot() -> None:
    op.create_table(
        "snapshot",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("href", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("base", sa.LargeBinary(), nullable=True),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "href", name="pk_snapshot"),
    )
    op.create_index("ix_snapshot_collection", "snapshot", ["account", "collection"])
    op.create_index("ix_snapshot_uid", "snapshot", ["account", "uid"])


def _collection() -> None:
    op.create_table(
        "collection",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("baseline", sa.Boolean(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=True),
        sa.Column("interval", sa.Float(), nullable=False),
        sa.Column("synced_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account", "path", name="pk_collection"),
    )


def _journal() -> None:
    op.create_table(
        "journal",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("job", sa.String(length=32), nullable=False),
        sa.Column("origin", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("recurrence_id", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("certainty", sa.String(length=16), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("letters", sa.JSON(), nullable=False),
        sa.Column("mailed", sa.Boolean(), nullable=False),
        sa.Column("harsh", sa.Boolean(), nullable=False),
        sa.Column("restore", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_journal"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_journal_changes", "journal", ["account", "kind", "time"])
    op.create_index("ix_journal_job", "journal", ["job"])
    op.create_index("ix_journal_message_id", "journal", ["message_id"])
    op.create_index("ix_journal_origin", "journal", ["origin"])
    op.create_index("ix_journal_time", "journal", ["time"])
    op.create_index("ix_journal_uid", "journal", ["uid"])


def _held() -> None:
    op.create_table(
        "held",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("job", sa.String(length=32), nullable=False),
        sa.Column("answer", sa.String(length=16), nullable=False),
        sa.Column("closed", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_held"),
    )
    op.create_index("ix_held_job", "held", ["job"])
