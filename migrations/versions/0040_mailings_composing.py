"""Pictures in mails, and content that mailings start from

Revision ID: 0040
Revises: 0039
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.tenancy import protect

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "mail_image",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("alt", sa.Text(), server_default="", nullable=False),
        sa.Column("uploaded_by", sa.BigInteger(), nullable=True),
        sa.Column("uploaded_at", INSTANT, nullable=False),
        sa.CheckConstraint("media_type IN ('image/png', 'image/jpeg')", name=op.f("ck_mail_image_media_type_known")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_mail_image_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "name", name=op.f("pk_mail_image")),
        sa.UniqueConstraint("organisation_id", "digest", name=op.f("uq_mail_image_organisation_id_digest")),
    )
    op.create_index("ix_mail_image_uploaded_at", "mail_image", ["organisation_id", "uploaded_at"])
    op.create_table(
        "mailing_template",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content", JSONB(), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_mailing_template_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_mailing_template")),
    )
    op.create_index(
        "uq_mailing_template_name",
        "mailing_template",
        ["organisation_id", sa.literal_column("lower(name)").label("folded")],
        unique=True,
    )
    # Pictures are packed already; the server need not try.
    op.execute("ALTER TABLE mail_image ALTER COLUMN content SET STORAGE EXTERNAL")
    for table in ("mail_image", "mailing_template"):
        protect(table)


def downgrade() -> None:
    op.drop_table("mailing_template")
    op.drop_table("mail_image")
