"""The language that a guest chose on our page."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "language",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("tag", sa.String(32), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("address", name="pk_language"),
    )
    op.create_index("ix_language_changed", "language", ["changed"])


def downgrade() -> None:
    op.drop_index("ix_language_changed", "language")
    op.drop_table("language")
