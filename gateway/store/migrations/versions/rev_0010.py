"""Which objects of shared calendars a process writes at this moment."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "writing",
        sa.Column("object", sa.String(64), nullable=False),
        sa.Column("proof", sa.String(32), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("object", name="pk_writing"),
    )


def downgrade() -> None:
    op.drop_table("writing")
