"""The due jobs of each account, for turns between accounts; PostgreSQL tidies the busy tables up sooner."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

# Their rows live for seconds. By PostgreSQL's defaults a fifth of the table must be dead before it is tidied up.
BUSY = ("job", "content", "plan", "accepted")
SETTINGS = "autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_analyze_scale_factor = 0.05"
NAMES = "autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_analyze_scale_factor"


def upgrade() -> None:
    free = sa.text("state != 'leased'")
    op.create_index(
        "ix_job_account", "job", ["account", "due", "id"], sqlite_where=free, postgresql_where=free
    )
    _for_postgresql(f"SET ({SETTINGS})")


def downgrade() -> None:
    op.drop_index("ix_job_account", "job")
    _for_postgresql(f"RESET ({NAMES})")


def _for_postgresql(change: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in BUSY:
            op.execute(sa.text(f"ALTER TABLE {table} {change}"))
