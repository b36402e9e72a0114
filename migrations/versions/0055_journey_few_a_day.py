"""Those who are in a segment already enter a journey so many a day

Revision ID: 0055
Revises: 0054
"""

import sqlalchemy as sa
from alembic import op

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("journey_watch", sa.Column("existing_per_day", sa.Integer(), nullable=True))
    op.add_column("journey_watch", sa.Column("existing_on", sa.Date(), nullable=True))
    today = sa.Column("existing_today", sa.Integer(), server_default="0", nullable=False)
    op.add_column("journey_watch", today)
    name = op.f("ck_journey_watch_existing_some_a_day")
    op.create_check_constraint(name, "journey_watch", "existing_per_day > 0")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_journey_watch_existing_some_a_day"), "journey_watch")
    for column in ("existing_today", "existing_on", "existing_per_day"):
        op.drop_column("journey_watch", column)
