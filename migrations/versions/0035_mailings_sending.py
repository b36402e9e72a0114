"""Sending mailings: a queue for each, how fast and how often, and every delivery of kind mailing is of one

Revision ID: 0035
Revises: 0034
"""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
LIMITS = {
    "cap_possible": "cap_mails BETWEEN 1 AND 50 AND cap_days BETWEEN 1 AND 365",
    "cap_wait_possible": "cap_wait_hours BETWEEN 0 AND 336",
    "quiet_whole": "(quiet_from IS NULL) = (quiet_until IS NULL)",
    "pace_possible": "mails_a_minute BETWEEN 1 AND 1000000",
}
OF_LIMITS = ("cap_mails", "cap_days", "cap_wait_hours", "quiet_from", "quiet_until", "mails_a_minute")


def upgrade() -> None:
    op.create_table(
        "pace",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("rate", sa.Float(), nullable=False),
        sa.Column("tokens", sa.Float(), nullable=False),
        sa.Column("filled_at", INSTANT, nullable=False),
        sa.Column("booked_until", INSTANT, nullable=True),
        sa.Column("slowed_at", INSTANT, nullable=True),
        sa.CheckConstraint("rate > 0 AND tokens >= 0", name=op.f("ck_pace_rate_possible")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_pace_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "receiver", name=op.f("pk_pace")),
    )
    protect("pace")
    op.add_column("mail_setting", sa.Column("cap_mails", sa.SmallInteger(), server_default="2", nullable=True))
    op.add_column("mail_setting", sa.Column("cap_days", sa.SmallInteger(), server_default="7", nullable=False))
    op.add_column("mail_setting", sa.Column("cap_wait_hours", sa.SmallInteger(), server_default="24", nullable=False))
    op.add_column("mail_setting", sa.Column("quiet_from", sa.Time(), server_default="21:00", nullable=True))
    op.add_column("mail_setting", sa.Column("quiet_until", sa.Time(), server_default="08:00", nullable=True))
    op.add_column("mail_setting", sa.Column("mails_a_minute", sa.Integer(), nullable=True))
    for name, rule in LIMITS.items():
        op.create_check_constraint(op.f(f"ck_mail_setting_{name}"), "mail_setting", rule)
    op.add_column("mailing", sa.Column("expected_people", sa.Integer(), nullable=True))
    # No version that was released planned mails without a mailing.
    op.execute("DELETE FROM delivery WHERE kind = 'mailing' AND mailing_id IS NULL")
    op.drop_constraint(op.f("ck_delivery_letter_is_no_mailing"), "delivery")
    op.create_check_constraint(
        op.f("ck_delivery_mailing_has_mailing"), "delivery", "(kind = 'mailing') = (mailing_id IS NOT NULL)"
    )
    _due("organisation_id", "mailing_id", "next_try_at", "id")


def downgrade() -> None:
    _due("organisation_id", "next_try_at", "id")
    op.drop_constraint(op.f("ck_delivery_mailing_has_mailing"), "delivery")
    op.create_check_constraint(
        op.f("ck_delivery_letter_is_no_mailing"), "delivery", "kind = 'mailing' OR mailing_id IS NULL"
    )
    op.drop_column("mailing", "expected_people")
    for name in LIMITS:
        op.drop_constraint(op.f(f"ck_mail_setting_{name}"), "mail_setting")
    for name in OF_LIMITS:
        op.drop_column("mail_setting", name)
    op.drop_table("pace")


def _due(*columns: str) -> None:
    op.drop_index("ix_delivery_due", "delivery")
    op.create_index("ix_delivery_due", "delivery", list(columns), postgresql_where=sa.text("state = 'planned'"))
