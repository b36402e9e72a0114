"""Tracking: the links of frozen mailings, which mail and link an event is about, whether a house follows at all

Revision ID: 0029
Revises: 0028
"""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

VERSION = ["organisation_id", "mailing_id", "version"]
OF_DELIVERY, OF_MAILING = sa.text("delivery_id IS NOT NULL"), sa.text("mailing_id IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "mail_link",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("mailing_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("asked_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("url LIKE 'http://%' OR url LIKE 'https://%'", name=op.f("ck_mail_link_url_of_the_web")),
        sa.ForeignKeyConstraint(
            VERSION,
            [f"mailing_version.{name}" for name in VERSION],
            name=op.f("fk_mail_link_mailing_version"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_mail_link")),
        sa.UniqueConstraint(*VERSION, "asked_sha256", name="uq_mail_link_asked"),
    )
    protect("mail_link")
    op.add_column("mail_event", sa.Column("delivery_id", sa.BigInteger(), nullable=True))
    op.add_column("mail_event", sa.Column("link_id", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_mail_event_delivery", "mail_event", ["organisation_id", "delivery_id"], postgresql_where=OF_DELIVERY
    )
    op.create_index(
        "ix_mail_event_mailing",
        "mail_event",
        ["organisation_id", "mailing_id", "event"],
        postgresql_include=["contact_id", "is_machine", "link_id"],
        postgresql_where=OF_MAILING,
    )
    op.add_column("mail_setting", sa.Column("tracks", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("mail_setting", sa.Column("utm_source", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("mail_setting", "utm_source")
    op.drop_column("mail_setting", "tracks")
    op.drop_index("ix_mail_event_mailing", "mail_event")
    op.drop_index("ix_mail_event_delivery", "mail_event")
    op.drop_column("mail_event", "link_id")
    op.drop_column("mail_event", "delivery_id")
    op.drop_table("mail_link")
