"""Who ordered a ticket, where that is somebody else than who takes part

Revision ID: 0044
Revises: 0043
"""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("participation", sa.Column("buyer_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_participation_buyer"),
        "participation",
        "contact",
        ["organisation_id", "buyer_id"],
        ["organisation_id", "id"],
        ondelete="SET NULL (buyer_id)",
    )
    op.create_index(
        "ix_participation_buyer",
        "participation",
        ["organisation_id", "buyer_id"],
        postgresql_where=sa.text("buyer_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_participation_buyer", "participation")
    op.drop_constraint(op.f("fk_participation_buyer"), "participation")
    op.drop_column("participation", "buyer_id")
