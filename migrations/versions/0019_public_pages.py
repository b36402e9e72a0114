"""What the pages of the audience need: counts for rate limits, the logo of a house, and addresses on their way

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "rate_count",
        sa.Column("bucket_hash", sa.LargeBinary(), nullable=False),
        sa.Column("window_at", INSTANT, nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.Column("forget_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("bucket_hash", "window_at", name=op.f("pk_rate_count")),
    )
    op.create_index("ix_rate_count_forget", "rate_count", ["forget_at"])
    op.create_table(
        "house_logo",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "media_type IN ('image/png', 'image/jpeg', 'image/webp')", name=op.f("ck_house_logo_media_type_known")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_house_logo_organisation"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", name=op.f("pk_house_logo")),
    )
    protect("house_logo")
    op.create_table(
        "address_change",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("subject_key", sa.LargeBinary(), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("done_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'done', 'for_colleagues')", name=op.f("ck_address_change_state_known")
        ),
        sa.CheckConstraint(
            "(state = 'waiting') = (address IS NOT NULL)", name=op.f("ck_address_change_address_until_done")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "contact_id"],
            ["contact.organisation_id", "contact.id"],
            name=op.f("fk_address_change_contact"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_address_change")),
    )
    op.create_index("ix_address_change_contact", "address_change", ["organisation_id", "contact_id"])
    protect("address_change")


def downgrade() -> None:
    op.drop_index("ix_address_change_contact", table_name="address_change")
    op.drop_table("address_change")
    op.drop_table("house_logo")
    op.drop_index("ix_rate_count_forget", table_name="rate_count")
    op.drop_table("rate_count")
