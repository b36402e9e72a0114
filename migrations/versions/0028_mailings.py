"""Mailings: to whom, what was frozen to be sent, who was left out, and what each delivery is of

Revision ID: 0028
Revises: 0027
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.tenancy import protect

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
STATES = "'planned', 'claimed', 'handed_over', 'accepted', 'failed', 'uncertain', 'cancelled'"
OF_MAILING = {
    "letter_is_no_mailing": "kind = 'mailing' OR mailing_id IS NULL",
    "mailing_has_version": "(mailing_id IS NULL) = (mailing_version IS NULL)",
    "step_whole": "(enrolment_id IS NULL) = (step_id IS NULL) AND (enrolment_id IS NULL OR mailing_id IS NOT NULL)",
}


def upgrade() -> None:
    op.create_table(
        "mailing",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="campaign", nullable=False),
        sa.Column("state", sa.Text(), server_default="draft", nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("content", JSONB(), nullable=False),
        sa.Column("edition", sa.Integer(), server_default="1", nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("send_at", INSTANT, nullable=True),
        sa.Column("repeats", sa.Text(), nullable=True),
        sa.Column("repeat_of_id", sa.BigInteger(), nullable=True),
        sa.Column("priority", sa.SmallInteger(), server_default="50", nullable=False),
        sa.Column("holdout_percent", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("season_holdout", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("ab_test", JSONB(), nullable=True),
        sa.Column("winner", sa.Text(), nullable=True),
        sa.Column("effect_days", sa.SmallInteger(), server_default="30", nullable=False),
        sa.Column("paused_because", sa.Text(), nullable=True),
        sa.Column("planned_at", INSTANT, nullable=True),
        sa.Column("started_at", INSTANT, nullable=True),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.CheckConstraint("kind = 'campaign' OR state = 'draft'", name=op.f("ck_mailing_journeys_do_the_sending")),
        sa.CheckConstraint("kind IN ('campaign', 'journey')", name=op.f("ck_mailing_kind_known")),
        sa.CheckConstraint(
            "state IN ('draft', 'cancelled') OR version IS NOT NULL", name=op.f("ck_mailing_sent_is_frozen")
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'scheduled', 'sending', 'paused', 'sent', 'cancelled')",
            name=op.f("ck_mailing_state_known"),
        ),
        sa.CheckConstraint("effect_days BETWEEN 1 AND 365", name=op.f("ck_mailing_effect_days_possible")),
        sa.CheckConstraint("holdout_percent BETWEEN 0 AND 50", name=op.f("ck_mailing_holdout_possible")),
        sa.ForeignKeyConstraint(
            ["organisation_id", "purpose"], ["purpose.organisation_id", "purpose.code"], name=op.f("fk_mailing_purpose")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "repeat_of_id"],
            ["mailing.organisation_id", "mailing.id"],
            name=op.f("fk_mailing_mailing"),
            ondelete="SET NULL (repeat_of_id)",
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_mailing_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_mailing")),
    )
    op.create_index(
        "ix_mailing_due",
        "mailing",
        ["organisation_id", "send_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('scheduled', 'sending')"),
    )
    op.create_index(
        "uq_mailing_name", "mailing", ["organisation_id", sa.literal_column("lower(name)").label("folded")], unique=True
    )
    op.create_table(
        "mailing_left_out",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("mailing_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "contact_id"],
            ["contact.organisation_id", "contact.id"],
            name=op.f("fk_mailing_left_out_contact"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "mailing_id"],
            ["mailing.organisation_id", "mailing.id"],
            name=op.f("fk_mailing_left_out_mailing"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "mailing_id", "contact_id", name=op.f("pk_mailing_left_out")),
    )
    op.create_index("ix_mailing_left_out_contact", "mailing_left_out", ["organisation_id", "contact_id"], unique=False)
    op.create_table(
        "mailing_segment",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("mailing_id", sa.BigInteger(), nullable=False),
        sa.Column("segment_id", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.CheckConstraint("part IN ('to', 'without')", name=op.f("ck_mailing_segment_part_known")),
        sa.ForeignKeyConstraint(
            ["organisation_id", "mailing_id"],
            ["mailing.organisation_id", "mailing.id"],
            name=op.f("fk_mailing_segment_mailing"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "segment_id"],
            ["segment.organisation_id", "segment.id"],
            name=op.f("fk_mailing_segment_segment"),
        ),
        sa.PrimaryKeyConstraint("organisation_id", "mailing_id", "segment_id", name=op.f("pk_mailing_segment")),
    )
    op.create_index("ix_mailing_segment_segment", "mailing_segment", ["organisation_id", "segment_id"], unique=False)
    op.create_table(
        "mailing_version",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("mailing_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", JSONB(), nullable=False),
        sa.Column("frozen_by", sa.BigInteger(), nullable=True),
        sa.Column("frozen_at", INSTANT, nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_mailing_version_version_counts")),
        sa.ForeignKeyConstraint(
            ["organisation_id", "mailing_id"],
            ["mailing.organisation_id", "mailing.id"],
            name=op.f("fk_mailing_version_mailing"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "mailing_id", "version", name=op.f("pk_mailing_version")),
    )
    op.add_column("delivery", sa.Column("mailing_id", sa.BigInteger(), nullable=True))
    op.add_column("delivery", sa.Column("mailing_version", sa.Integer(), nullable=True))
    op.add_column("delivery", sa.Column("variant", sa.Text(), nullable=True))
    op.add_column("delivery", sa.Column("language", sa.Text(), nullable=True))
    op.add_column("delivery", sa.Column("enrolment_id", sa.BigInteger(), nullable=True))
    op.add_column("delivery", sa.Column("step_id", sa.Text(), nullable=True))
    op.create_index(
        "ix_delivery_mailing",
        "delivery",
        ["organisation_id", "mailing_id", "state"],
        unique=False,
        postgresql_where=sa.text("mailing_id IS NOT NULL"),
    )
    op.create_index(
        "uq_delivery_mailing",
        "delivery",
        ["organisation_id", "mailing_id", "contact_id"],
        unique=True,
        postgresql_where=sa.text("enrolment_id IS NULL AND mailing_id IS NOT NULL"),
    )
    op.create_index(
        "uq_delivery_step",
        "delivery",
        ["organisation_id", "enrolment_id", "step_id"],
        unique=True,
        postgresql_where=sa.text("enrolment_id IS NOT NULL"),
    )
    op.create_foreign_key(
        op.f("fk_delivery_mailing_version"),
        "delivery",
        "mailing_version",
        ["organisation_id", "mailing_id", "mailing_version"],
        ["organisation_id", "mailing_id", "version"],
    )
    for table in ("mailing", "mailing_segment", "mailing_version", "mailing_left_out"):
        protect(table)
    for name, condition in OF_MAILING.items():
        op.create_check_constraint(op.f(f"ck_delivery_{name}"), "delivery", condition)
    _know_states(f"'draft', {STATES}")


def downgrade() -> None:
    op.execute("DELETE FROM delivery WHERE state = 'draft'")
    _know_states(STATES)
    for name in OF_MAILING:
        op.drop_constraint(op.f(f"ck_delivery_{name}"), "delivery")
    op.drop_constraint(op.f("fk_delivery_mailing_version"), "delivery", type_="foreignkey")
    op.drop_index("uq_delivery_step", table_name="delivery", postgresql_where=sa.text("enrolment_id IS NOT NULL"))
    op.drop_index(
        "uq_delivery_mailing",
        table_name="delivery",
        postgresql_where=sa.text("enrolment_id IS NULL AND mailing_id IS NOT NULL"),
    )
    op.drop_index("ix_delivery_mailing", table_name="delivery", postgresql_where=sa.text("mailing_id IS NOT NULL"))
    op.drop_column("delivery", "step_id")
    op.drop_column("delivery", "enrolment_id")
    op.drop_column("delivery", "language")
    op.drop_column("delivery", "variant")
    op.drop_column("delivery", "mailing_version")
    op.drop_column("delivery", "mailing_id")
    op.drop_table("mailing_version")
    op.drop_index("ix_mailing_segment_segment", table_name="mailing_segment")
    op.drop_table("mailing_segment")
    op.drop_index("ix_mailing_left_out_contact", table_name="mailing_left_out")
    op.drop_table("mailing_left_out")
    op.drop_index("uq_mailing_name", table_name="mailing")
    op.drop_index("ix_mailing_due", table_name="mailing", postgresql_where=sa.text("state IN ('scheduled', 'sending')"))
    op.drop_table("mailing")


def _know_states(states: str) -> None:
    op.drop_constraint(op.f("ck_delivery_state_known"), "delivery")
    op.create_check_constraint(op.f("ck_delivery_state_known"), "delivery", f"state IN ({states})")
