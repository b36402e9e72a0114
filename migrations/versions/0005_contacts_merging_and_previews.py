"""Contacts: merges that can be undone, previews of imports, and indexes that a search by its beginning can use

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.tenancy import protect

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "contact_merge",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("into_id", sa.BigInteger(), nullable=False),
        sa.Column("moved", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("merged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(
            ["organisation_id", "contact_id"],
            ["contact.organisation_id", "contact.id"],
            name=op.f("fk_contact_merge_contact_contact"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "into_id"],
            ["contact.organisation_id", "contact.id"],
            name=op.f("fk_contact_merge_into_contact"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_contact_merge")),
    )
    op.create_index(
        "uq_contact_merge_standing",
        "contact_merge",
        ["organisation_id", "contact_id"],
        unique=True,
        postgresql_where=sa.text("undone_at IS NULL"),
    )
    protect("contact_merge")
    op.add_column("import_job", sa.Column("preview", postgresql.JSONB(astext_type=sa.Text())))
    op.drop_index("ix_contact_family_name", "contact")
    for name in ("family_name", "given_name"):
        op.create_index(
            f"ix_contact_{name}",
            "contact",
            ["organisation_id", sa.func.lower(sa.literal_column(name)).label("folded")],
            postgresql_ops={"folded": "text_pattern_ops"},
        )
    op.create_index(
        "ix_identity_address",
        "identity",
        ["organisation_id", "value_key"],
        postgresql_ops={"value_key": "text_pattern_ops"},
        postgresql_where=sa.text("kind = 'email'"),
    )


def downgrade() -> None:
    op.drop_index("ix_identity_address", "identity")
    op.drop_index("ix_contact_given_name", "contact")
    op.drop_index("ix_contact_family_name", "contact")
    op.create_index("ix_contact_family_name", "contact", ["organisation_id", sa.text("lower(family_name)"), "id"])
    op.drop_column("import_job", "preview")
    op.drop_table("contact_merge")
