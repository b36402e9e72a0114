"""Audiences: runs that wait, plans that were confirmed, and whom a list holds out

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

RUN_STATES = ("running", "planned", "braked", "done", "failed", "abandoned")


def upgrade() -> None:
    op.create_table(
        "list_held_out",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("list_ref", sa.Text(), nullable=False),
        sa.Column("subject_key", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("is_ours", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('unsubscribing', 'unsubscribed', 'cleaned', 'archived', 'transactional', 'forgotten', 'moved')",
            name=op.f("ck_list_held_out_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "connection_id"],
            ["connection.organisation_id", "connection.id"],
            name=op.f("fk_list_held_out_connection"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "organisation_id", "connection_id", "list_ref", "subject_key", name=op.f("pk_list_held_out")
        ),
    )
    protect("list_held_out")
    _change_audience()
    _change_run()


def _change_audience() -> None:
    op.add_column("audience", sa.Column("reconciled_at", sa.DateTime(timezone=True)))
    op.add_column("audience", sa.Column("next_poll_at", sa.DateTime(timezone=True)))
    op.alter_column("audience", "segment_id", nullable=True)
    op.create_check_constraint(
        op.f("ck_audience_segment_while_kept"), "audience", "state = 'removed' OR segment_id IS NOT NULL"
    )
    kept = sa.text("state <> 'removed'")
    op.drop_index("uq_audience_name", "audience")
    op.create_index(
        "uq_audience_name", "audience", ["organisation_id", sa.text("lower(name)")], unique=True, postgresql_where=kept
    )
    op.drop_index("uq_audience_tag", "audience")
    op.create_index(
        "uq_audience_tag",
        "audience",
        ["organisation_id", "connection_id", "list_ref", sa.text("lower(tag)")],
        unique=True,
        postgresql_where=kept,
    )


def _change_run() -> None:
    op.add_column(
        "audience_run", sa.Column("is_confirmed", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("audience_run", sa.Column("confirms_run_id", sa.BigInteger()))
    op.drop_constraint(op.f("ck_audience_run_state_known"), "audience_run")
    op.create_check_constraint(op.f("ck_audience_run_state_known"), "audience_run", _one_of(("queued", *RUN_STATES)))
    op.create_check_constraint(
        op.f("ck_audience_run_trigger_known"),
        "audience_run",
        "trigger IN ('schedule', 'person', 'api', 'confirmed', 'removal')",
    )
    op.create_index(
        "uq_audience_run_queued",
        "audience_run",
        ["organisation_id", "audience_id"],
        unique=True,
        postgresql_where=sa.text("state = 'queued'"),
    )


def _one_of(states: tuple[str, ...]) -> str:
    return "state IN (" + ", ".join(f"'{state}'" for state in states) + ")"


def downgrade() -> None:
    op.drop_index("uq_audience_run_queued", "audience_run")
    op.drop_constraint(op.f("ck_audience_run_trigger_known"), "audience_run")
    op.execute("DELETE FROM audience_run WHERE state = 'queued'")
    op.drop_constraint(op.f("ck_audience_run_state_known"), "audience_run")
    op.create_check_constraint(op.f("ck_audience_run_state_known"), "audience_run", _one_of(RUN_STATES))
    op.drop_column("audience_run", "confirms_run_id")
    op.drop_column("audience_run", "is_confirmed")
    # A removed audience has let go of its segment, which the older table cannot say.
    op.execute("DELETE FROM audience WHERE state = 'removed'")
    op.drop_index("uq_audience_tag", "audience")
    op.create_index("uq_audience_tag", "audience", ["organisation_id", "connection_id", "list_ref", "tag"], unique=True)
    op.drop_index("uq_audience_name", "audience")
    op.create_index("uq_audience_name", "audience", ["organisation_id", sa.text("lower(name)")], unique=True)
    op.drop_constraint(op.f("ck_audience_segment_while_kept"), "audience")
    op.alter_column("audience", "segment_id", nullable=False)
    op.drop_column("audience", "next_poll_at")
    op.drop_column("audience", "reconciled_at")
    op.drop_table("list_held_out")
