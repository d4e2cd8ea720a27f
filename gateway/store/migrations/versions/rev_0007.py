"""The lane of a job beside its plan, so that nobody need walk over the lane to know whether something of it is unsettled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("plan", sa.Column("lane", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.create_index("ix_plan_lane", "plan", ["lane"])
    op.execute("UPDATE plan SET lane = (SELECT lane FROM job WHERE job.id = plan.job)")


def downgrade() -> None:
    op.drop_index("ix_plan_lane", "plan")
    op.drop_column("plan", "lane")
