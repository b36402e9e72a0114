"""Segments: when likely-same people and households last came, stored for the counts that are shown

Revision ID: 0053
Revises: 0052
"""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alike_visit",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("person_on", sa.Date()),
        sa.Column("household_on", sa.Date()),
        sa.ForeignKeyConstraint(
            ["organisation_id", "contact_id"],
            ["contact.organisation_id", "contact.id"],
            name=op.f("fk_alike_visit_contact"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "contact_id", name=op.f("pk_alike_visit")),
    )
    protect("alike_visit")
    # What counts are shown from is filled anew by the next heartbeat, this table with it.
    op.execute("ALTER TABLE segment_upkeep NO FORCE ROW LEVEL SECURITY")
    op.execute("UPDATE segment_upkeep SET permitted_on = NULL")
    op.execute("ALTER TABLE segment_upkeep FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    op.drop_table("alike_visit")
