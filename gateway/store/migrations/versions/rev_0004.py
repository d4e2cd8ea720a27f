"""What the calendar servers call the accounts: paths and UUIDs by which programs name organizers and guests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "principal",
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("server", "uri", "account", name="pk_principal"),
    )


def downgrade() -> None:
    op.drop_table("principal")
