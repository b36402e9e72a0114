"""Segments: the gate's answers about e-mail, stored for the counts that are shown; the house number as a key

Revision ID: 0032
Revises: 0031
"""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "permitted_contact",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("is_deliverable", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "contact_id"],
            ["contact.organisation_id", "contact.id"],
            name=op.f("fk_permitted_contact_contact"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "contact_id", "purpose", name=op.f("pk_permitted_contact")),
    )
    op.create_index(
        "ix_permitted_contact_purpose",
        "permitted_contact",
        ["organisation_id", "purpose", "contact_id", "is_deliverable"],
    )
    protect("permitted_contact")
    op.add_column("segment_upkeep", sa.Column("permitted_on", sa.Date()))
    # Taking the number out of a street costs more than all else that finds likely-same people.
    op.execute(
        "ALTER TABLE contact ADD COLUMN like_number bigint"
        " GENERATED ALWAYS AS (hashtextextended(substring(street, '[0-9]+'), 0)) STORED"
    )


def downgrade() -> None:
    op.drop_column("contact", "like_number")
    op.drop_column("segment_upkeep", "permitted_on")
    op.drop_table("permitted_contact")
