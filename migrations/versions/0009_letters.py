"""Letters: mails that one person asked for or must get, waiting to be sent

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KINDS = (
    "('confirmation', 'unsubscribe_receipt', 'address_change', 'data_ready', 'preferences_link', 'invitation',"
    " 'password_reset')"
)


def upgrade() -> None:
    op.create_table(
        "letter",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("about", sa.Text()),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.BigInteger()),
        sa.Column("address_hash", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary()),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("problem_code", sa.Text()),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(f"kind IN {KINDS}", name=op.f("ck_letter_kind_known")),
        sa.CheckConstraint("language IN ('nl', 'fr', 'en')", name=op.f("ck_letter_language_known")),
        sa.CheckConstraint(
            "state IN ('waiting', 'taken', 'sent', 'failed', 'cancelled')", name=op.f("ck_letter_state_known")
        ),
        sa.CheckConstraint(
            "(state IN ('waiting', 'taken')) = (sealed IS NOT NULL)", name=op.f("ck_letter_sealed_until_done")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_letter_organisation"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_letter")),
    )
    op.create_index(
        "uq_letter_about",
        "letter",
        ["organisation_id", "kind", "about"],
        unique=True,
        postgresql_where=sa.text("about IS NOT NULL"),
    )
    op.create_index(
        "ix_letter_waiting", "letter", ["organisation_id", "id"], postgresql_where=sa.text("state = 'waiting'")
    )
    op.create_index("ix_letter_address", "letter", ["organisation_id", "address_hash", "kind", "requested_at"])
    protect("letter")


def downgrade() -> None:
    op.drop_table("letter")
