"""Addresses that looked wrong and that somebody called right

Revision ID: 0060
Revises: 0059
"""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "address_kept",
        sa.Column("organisation_id", sa.Integer, nullable=False),
        sa.Column("subject_key", sa.LargeBinary, nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_address_kept_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "subject_key", name=op.f("pk_address_kept")),
    )
    protect("address_kept")


def downgrade() -> None:
    op.drop_table("address_kept")
