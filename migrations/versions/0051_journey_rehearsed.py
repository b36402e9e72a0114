"""A version of a journey that was only rehearsed is told from those that were published

Revision ID: 0051
Revises: 0050
"""

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("was_published", sa.Boolean(), server_default=sa.text("true"), nullable=False)
    op.add_column("journey_version", column)
    # Row security holds for the owner too, who speaks here for no house.
    for table in ("journey", "journey_version"):
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    # What people never entered by and lies behind the newest that they do was a rehearsal.
    op.execute(
        "UPDATE journey_version AS v SET was_published = false FROM journey AS j"
        " WHERE j.organisation_id = v.organisation_id AND j.id = v.journey_id AND v.version > COALESCE(j.version, 0)"
    )
    for table in ("journey", "journey_version"):
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    op.drop_column("journey_version", "was_published")
