"""Journeys count the editions of their draft

Revision ID: 0030
Revises: 0029
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("journey", sa.Column("edition", sa.Integer(), server_default="1", nullable=False))


def downgrade() -> None:
    op.drop_column("journey", "edition")
