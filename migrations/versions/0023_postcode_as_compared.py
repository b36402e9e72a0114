"""Postcodes are found as rules compare them: without surrounding blanks, in lower case

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_contact_postcode", "contact")
    op.create_index(
        "ix_contact_postcode",
        "contact",
        ["organisation_id", sa.text("lower(btrim(postcode)) text_pattern_ops")],
        postgresql_where=sa.text("state = 'living'"),
    )


def downgrade() -> None:
    op.drop_index("ix_contact_postcode", "contact")
    op.create_index(
        "ix_contact_postcode", "contact", ["organisation_id", "postcode"], postgresql_where=sa.text("state = 'living'")
    )
