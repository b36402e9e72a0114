"""Mailings that another system sent, with their links; and what made somebody stop is an event of a mail

Revision ID: 0046
Revises: 0045
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.tenancy import protect

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
EVENTS = "event IN ('delivered', 'opened', 'clicked', 'bounced', 'unsubscribed', 'complained')"
EVENTS_BEFORE = "event IN ('delivered', 'opened', 'clicked', 'bounced')"
# The campaigns that mail events name already; for that, the owner steps over the wall for a moment.
FILL = """
INSERT INTO campaign_elsewhere (organisation_id, reference, name, system, sent_at)
SELECT organisation_id, campaign, left(campaign, 200), min(source), min(occurred_at)
  FROM mail_event WHERE campaign IS NOT NULL GROUP BY organisation_id, campaign
"""


def upgrade() -> None:
    op.create_table(
        "campaign_elsewhere",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("sent_at", INSTANT, nullable=False),
        sa.Column("numbers", JSONB(), server_default="{}", nullable=False),
        sa.Column("cursor", JSONB(), server_default="{}", nullable=False),
        sa.Column("read_at", INSTANT, nullable=True),
        sa.Column("figures", JSONB(), nullable=True),
        sa.Column("measured_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_campaign_elsewhere_organisation"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_campaign_elsewhere")),
    )
    op.create_index(
        "uq_campaign_elsewhere_reference", "campaign_elsewhere", ["organisation_id", "reference"], unique=True
    )
    op.create_index(
        "uq_campaign_elsewhere_external",
        "campaign_elsewhere",
        ["organisation_id", "system", "external_id"],
        unique=True,
        postgresql_where=sa.text("external_id IS NOT NULL"),
    )
    op.create_index("ix_campaign_elsewhere_sent", "campaign_elsewhere", ["organisation_id", "sent_at", "id"])
    op.create_table(
        "campaign_link",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("url_sha256", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "campaign_id"],
            ["campaign_elsewhere.organisation_id", "campaign_elsewhere.id"],
            name=op.f("fk_campaign_link_campaign_elsewhere"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_campaign_link")),
    )
    op.create_index("uq_campaign_link", "campaign_link", ["organisation_id", "campaign_id", "url_sha256"], unique=True)
    _allow(EVENTS)
    op.execute("ALTER TABLE mail_event NO FORCE ROW LEVEL SECURITY")
    op.execute(FILL)
    op.execute("ALTER TABLE mail_event FORCE ROW LEVEL SECURITY")
    for table in ("campaign_elsewhere", "campaign_link"):
        protect(table)


def downgrade() -> None:
    op.drop_table("campaign_link")
    op.drop_table("campaign_elsewhere")
    op.execute("ALTER TABLE mail_event NO FORCE ROW LEVEL SECURITY")
    op.execute("DELETE FROM mail_event WHERE event IN ('unsubscribed', 'complained')")
    op.execute("ALTER TABLE mail_event FORCE ROW LEVEL SECURITY")
    _allow(EVENTS_BEFORE)


def _allow(events: str) -> None:
    """Checked afterwards, so that a large table is not locked while its rows are read."""
    op.execute("ALTER TABLE mail_event DROP CONSTRAINT ck_mail_event_event_known")
    op.execute(f"ALTER TABLE mail_event ADD CONSTRAINT ck_mail_event_event_known CHECK ({events}) NOT VALID")
    op.execute("ALTER TABLE mail_event VALIDATE CONSTRAINT ck_mail_event_event_known")
