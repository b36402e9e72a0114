"""Sign-up forms, what people send with them until they confirm, and how often that happens

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.tenancy import protect

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
BEFORE = "kind IN ('organisation', 'login', 'api_key', 'connection', 'link')"
AFTER = "kind IN ('organisation', 'login', 'api_key', 'connection', 'link', 'form')"


def upgrade() -> None:
    _allow_kinds(AFTER)
    op.create_table(
        "signup_form",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("definition", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_signup_form_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_signup_form")),
        sa.UniqueConstraint("organisation_id", "code", name=op.f("uq_signup_form_organisation_id_code")),
    )
    _create_signup()
    op.create_table(
        "signup_form_day",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("form_id", sa.BigInteger(), nullable=False),
        sa.Column("day_on", sa.Date(), nullable=False),
        sa.Column("shown", sa.Integer(), server_default="0", nullable=False),
        sa.Column("sent", sa.Integer(), server_default="0", nullable=False),
        sa.Column("confirmed", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "form_id"],
            ["signup_form.organisation_id", "signup_form.id"],
            name=op.f("fk_signup_form_day_signup_form"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "form_id", "day_on", name=op.f("pk_signup_form_day")),
    )
    for table in ("signup_form", "signup", "signup_form_day"):
        protect(table)


def _create_signup() -> None:
    op.create_table(
        "signup",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("form_id", sa.BigInteger(), nullable=False),
        sa.Column("subject_key", sa.LargeBinary(), nullable=False),
        sa.Column("replay_key", sa.LargeBinary(), nullable=False),
        sa.Column("event_ids", postgresql.ARRAY(sa.BigInteger()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("typed", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("by_guardian", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("sent_at", INSTANT, nullable=False),
        sa.Column("done_at", INSTANT, nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'confirmed', 'lapsed')", name=op.f("ck_signup_state_known")),
        sa.CheckConstraint("state = 'waiting' OR typed IS NULL", name=op.f("ck_signup_typed_until_done")),
        sa.ForeignKeyConstraint(
            ["organisation_id", "form_id"],
            ["signup_form.organisation_id", "signup_form.id"],
            name=op.f("fk_signup_signup_form"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_signup")),
        sa.UniqueConstraint(
            "organisation_id", "form_id", "replay_key", name=op.f("uq_signup_organisation_id_form_id_replay_key")
        ),
    )
    op.create_index("ix_signup_subject", "signup", ["organisation_id", "subject_key"])
    op.create_index(
        "ix_signup_waiting", "signup", ["organisation_id", "sent_at"], postgresql_where=sa.text("state = 'waiting'")
    )
    op.create_index("ix_signup_events", "signup", ["event_ids"], postgresql_using="gin")


def downgrade() -> None:
    op.drop_table("signup_form_day")
    op.drop_index("ix_signup_events", table_name="signup")
    op.drop_index("ix_signup_waiting", table_name="signup")
    op.drop_index("ix_signup_subject", table_name="signup")
    op.drop_table("signup")
    op.drop_table("signup_form")
    op.execute("DELETE FROM directory WHERE kind = 'form'")
    _allow_kinds(BEFORE)


def _allow_kinds(condition: str) -> None:
    op.drop_constraint(op.f("ck_directory_kind_known"), "directory")
    op.create_check_constraint(op.f("ck_directory_kind_known"), "directory", condition)
