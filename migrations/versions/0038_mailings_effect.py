"""What is measured of mailings: how tests of variants ended, and the figures as they were measured last

Revision ID: 0038
Revises: 0037
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.tenancy import protect

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "mailing_report",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("mailing_id", sa.BigInteger(), nullable=False),
        sa.Column("figures", JSONB(), nullable=True),
        sa.Column("measured_at", INSTANT, nullable=True),
        sa.Column("remark", sa.Text(), nullable=True),
        sa.Column("remarked_by", sa.BigInteger(), nullable=True),
        sa.Column("remarked_at", INSTANT, nullable=True),
        _of_mailing("mailing_report"),
        sa.PrimaryKeyConstraint("organisation_id", "mailing_id", name=op.f("pk_mailing_report")),
    )
    op.create_table(
        "mailing_test",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("mailing_id", sa.BigInteger(), nullable=False),
        sa.Column("winner", sa.Text(), nullable=True),
        sa.Column("sides", JSONB(), nullable=False),
        sa.Column("rest", sa.Integer(), nullable=False),
        sa.Column("decided_at", INSTANT, nullable=False),
        _of_mailing("mailing_test"),
        sa.PrimaryKeyConstraint("organisation_id", "mailing_id", name=op.f("pk_mailing_test")),
    )
    op.create_index(
        "ix_mail_event_campaign",
        "mail_event",
        ["organisation_id", "campaign", "event"],
        unique=False,
        postgresql_where=sa.text("campaign IS NOT NULL"),
    )
    for table in ("mailing_report", "mailing_test"):
        protect(table)


def downgrade() -> None:
    op.drop_index("ix_mail_event_campaign", table_name="mail_event")
    op.drop_table("mailing_test")
    op.drop_table("mailing_report")


def _of_mailing(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organisation_id", "mailing_id"],
        ["mailing.organisation_id", "mailing.id"],
        name=op.f(f"fk_{table}_mailing"),
        ondelete="CASCADE",
    )
