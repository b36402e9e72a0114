"""What segments need to stay current

Revision ID: 0004
Revises: 0003
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_participation_updated", "participation", ["updated_at"], postgresql_using="brin")


def downgrade() -> None:
    op.drop_index("ix_participation_updated", table_name="participation")
