"""What became of a letter, as the calendar is told it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("letter", sa.Column("status", sa.String(16), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("letter", "status")
