"""Contacts: find those whose mail bounces without looking at everybody

Revision ID: 0026
Revises: 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_identity_bouncing",
        "identity",
        ["organisation_id", "deliverability", "contact_id"],
        postgresql_where=sa.text("kind = 'email' AND is_primary AND deliverability IN ('soft_bouncing', 'bouncing')"),
    )


def downgrade() -> None:
    op.drop_index("ix_identity_bouncing", "identity")
