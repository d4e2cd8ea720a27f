"""Proposals of another time; whose series a snapshot is; how many workers died while they had a job."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("job", sa.Column("deaths", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column("snapshot", sa.Column("series_by", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.create_index("ix_letter_changed", "letter", ["changed"])
    op.create_index("ix_letter_recipient", "letter", ["account", "recipient", "number"])
    op.create_index("ix_snapshot_series", "snapshot", ["account", "series_by", "changed"])
    _proposal()


def _proposal() -> None:
    op.create_table(
        "proposal",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("plan", sa.String(length=32), nullable=True),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("recurrence_id", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("start", sa.Text(), nullable=False),
        sa.Column("end", sa.Text(), nullable=False),
        sa.Column("old_start", sa.Text(), nullable=False),
        sa.Column("old_end", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("job", sa.String(length=32), nullable=False),
        sa.Column("answer", sa.String(length=16), nullable=False),
        sa.Column("closed", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["plan"], ["plan.id"], name="fk_proposal_plan", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_proposal"),
    )
    op.create_index("ix_proposal_job", "proposal", ["job"])
    op.create_index("ix_proposal_meeting", "proposal", ["account", "uid"])
    op.create_index("ix_proposal_plan", "proposal", ["plan"])


def downgrade() -> None:
    op.drop_table("proposal")
    op.drop_index("ix_letter_changed", "letter")
    op.drop_index("ix_letter_recipient", "letter")
    op.drop_index("ix_snapshot_series", "snapshot")
    op.drop_column("snapshot", "series_by")
    op.drop_column("job", "deaths")
