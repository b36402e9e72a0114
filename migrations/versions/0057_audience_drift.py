"""Where a list turned out to be otherwise than we thought

Revision ID: 0057
Revises: 0056
"""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "audience_drift",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("audience_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_key", sa.LargeBinary(), nullable=False),
        sa.Column("contact_id", sa.BigInteger()),
        sa.Column("found_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "kind IN ('vanished', 'tag_missing', 'tag_extra', 'subscribed_again', 'missed_opt_out')",
            name=op.f("ck_audience_drift_kind_known"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "audience_id"],
            ["audience.organisation_id", "audience.id"],
            name=op.f("fk_audience_drift_audience"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "organisation_id", "audience_id", "kind", "subject_key", name=op.f("pk_audience_drift")
        ),
    )
    protect("audience_drift")


def downgrade() -> None:
    op.drop_table("audience_drift")
