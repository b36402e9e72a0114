"""Journeys: every step on everybody's way, what other systems are told, and who is in an audience by hand

Revision ID: 0034
Revises: 0033
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.tenancy import protect

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
DUE = sa.text("state = 'active' AND wake_at IS NOT NULL")
NEW_COLUMNS = ("is_rehearsal", "is_waiting", "arrived_at", "happened", "held_because")


def upgrade() -> None:
    for name in ("is_rehearsal", "is_waiting"):
        op.add_column("enrolment", sa.Column(name, sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("enrolment", sa.Column("arrived_at", INSTANT, nullable=True))
    op.add_column("enrolment", sa.Column("happened", sa.Text(), nullable=True))
    op.add_column("enrolment", sa.Column("held_because", sa.Text(), nullable=True))
    op.drop_column("enrolment", "lease_until")
    op.create_check_constraint(
        "waits_somewhere", "enrolment", "NOT is_waiting OR (step_id IS NOT NULL AND arrived_at IS NOT NULL)"
    )
    op.drop_index("ix_enrolment_due", table_name="enrolment")
    op.create_index("ix_enrolment_due", "enrolment", ["organisation_id", "journey_id", "wake_at"], postgresql_where=DUE)
    _visits()
    _calls()
    _by_hand()


def _visits() -> None:
    op.create_table(
        "journey_visit",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("enrolment_id", sa.BigInteger(), nullable=False),
        sa.Column("step_id", sa.Text(), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("arrived_at", INSTANT, nullable=False),
        sa.Column("done_at", INSTANT, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("branch", sa.Text(), nullable=True),
        sa.Column("facts", JSONB(), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('waiting', 'done', 'skipped', 'failed')", name=op.f("ck_journey_visit_outcome_known")
        ),
        sa.CheckConstraint(
            "(outcome = 'waiting') = (done_at IS NULL)", name=op.f("ck_journey_visit_waiting_is_not_done")
        ),
        _of_enrolment("journey_visit"),
        sa.PrimaryKeyConstraint("organisation_id", "enrolment_id", "step_id", name=op.f("pk_journey_visit")),
    )
    op.create_index("ix_journey_visit_step", "journey_visit", ["organisation_id", "journey_id", "version", "step_id"])
    protect("journey_visit")


def _calls() -> None:
    op.create_table(
        "journey_call",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("enrolment_id", sa.BigInteger(), nullable=False),
        sa.Column("step_id", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("call_key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_try_at", INSTANT, nullable=False),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("problem_code", sa.Text(), nullable=True),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("settled_at", INSTANT, nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'done', 'failed')", name=op.f("ck_journey_call_state_known")),
        _of_enrolment("journey_call"),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_journey_call")),
    )
    op.create_index("uq_journey_call_step", "journey_call", ["organisation_id", "enrolment_id", "step_id"], unique=True)
    op.create_index(
        "ix_journey_call_due",
        "journey_call",
        ["organisation_id", "next_try_at"],
        postgresql_where=sa.text("state = 'waiting'"),
    )
    protect("journey_call")


def _of_enrolment(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organisation_id", "enrolment_id"],
        ["enrolment.organisation_id", "enrolment.id"],
        name=op.f(f"fk_{table}_enrolment"),
        ondelete="CASCADE",
    )


def _by_hand() -> None:
    op.create_table(
        "audience_by_hand",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("audience_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("is_in", sa.Boolean(), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "audience_id"],
            ["audience.organisation_id", "audience.id"],
            name=op.f("fk_audience_by_hand_audience"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "contact_id"],
            ["contact.organisation_id", "contact.id"],
            name=op.f("fk_audience_by_hand_contact"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_audience_by_hand")),
    )
    op.create_index(
        "uq_audience_by_hand", "audience_by_hand", ["organisation_id", "audience_id", "contact_id"], unique=True
    )
    op.create_index("ix_audience_by_hand_contact", "audience_by_hand", ["organisation_id", "contact_id"])
    protect("audience_by_hand")


def downgrade() -> None:
    op.drop_table("audience_by_hand")
    op.drop_table("journey_call")
    op.drop_table("journey_visit")
    op.drop_index("ix_enrolment_due", table_name="enrolment")
    op.create_index("ix_enrolment_due", "enrolment", ["wake_at"], postgresql_where=DUE)
    op.drop_constraint(op.f("ck_enrolment_waits_somewhere"), "enrolment")
    op.add_column("enrolment", sa.Column("lease_until", INSTANT, nullable=True))
    for name in reversed(NEW_COLUMNS):
        op.drop_column("enrolment", name)
