"""When the links of a letter were taken back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("letter", sa.Column("revoked", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("letter", "revoked")
