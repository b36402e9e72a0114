"""Jobs at a mail system by which thousands of people of an audience are being pushed

Revision ID: 0050
Revises: 0049
"""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "audience_batch",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("audience_id", sa.BigInteger(), nullable=False),
        sa.Column("remote_ref", sa.Text()),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("needs_tag", sa.Boolean(), nullable=False),
        sa.Column("begun_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "audience_id"],
            ["audience.organisation_id", "audience.id"],
            name=op.f("fk_audience_batch_audience"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "audience_id", name=op.f("pk_audience_batch")),
    )
    protect("audience_batch")


def downgrade() -> None:
    op.drop_table("audience_batch")
