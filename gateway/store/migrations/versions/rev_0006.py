"""Jobs that stand behind another one of their lane, which no claim needs to look at."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

INDEXES = (("ix_job_due", ["due", "id"]), ("ix_job_account", ["account", "due", "id"]))


def upgrade() -> None:
    op.add_column("job", sa.Column("behind", sa.Integer(), nullable=False, server_default=sa.text("0")))
    _again("state != 'leased' AND behind = 0")


def downgrade() -> None:
    _again("state != 'leased'")
    op.drop_column("job", "behind")


def _again(condition: str) -> None:
    where = sa.text(condition)
    for name, columns in INDEXES:
        op.drop_index(name, "job")
        op.create_index(name, "job", columns, sqlite_where=where, postgresql_where=where)
