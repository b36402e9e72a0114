"""Participations: numbers of the source are compared byte by byte, so that those of one order lie together

Revision ID: 0031
Revises: 0030
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("participation", "external_id", type_=sa.Text(collation="C"), existing_nullable=False)


def downgrade() -> None:
    op.alter_column("participation", "external_id", type_=sa.Text(), existing_nullable=False)
