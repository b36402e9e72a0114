"""Segments: which contacts changed is noted by triggers, entries and exits come in an order, upkeep has its own tables

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.noting import Noted, note_changes, stop_noting
from migrations.tenancy import protect

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)

# What of an activity, a purpose and a house no rule looks at; whatever is added to them later counts by itself.
UNSEEN_OF_ACTIVITY = "'title', 'url', 'starts_at', 'ends_at', 'is_cancelled', 'created_at', 'updated_at'"
UNSEEN_OF_PURPOSE = (
    "'names', 'allowed_bases', 'needs_confirmation', 'retention_days', 'position', 'published_notices', "
    "'notice_drafts', 'created_at'"
)
NOTED = (
    Noted("contact", "contact", "id", old_keys=("like_name", "like_phone", "like_birth", "like_address")),
    Noted("identity", "contact", "contact_id"),
    Noted("participation", "contact", "contact_id"),
    Noted("mail_event", "contact", "contact_id"),
    Noted("pass", "contact", "contact_id"),
    Noted("enrolment", "contact", "contact_id"),
    Noted("permission", "address", "subject_key"),
    Noted("suppression", "address", "address_hash"),
    # Nobody can have taken part in an activity that is not there yet.
    Noted(
        "activity",
        "activity",
        "id",
        events=("update",),
        only_where=f"to_jsonb(n) - ARRAY[{UNSEEN_OF_ACTIVITY}] IS DISTINCT FROM to_jsonb(o) - ARRAY[{UNSEEN_OF_ACTIVITY}]",
    ),
    Noted(
        "purpose",
        "everybody",
        "code",
        only_where=f"to_jsonb(n) - ARRAY[{UNSEEN_OF_PURPOSE}] IS DISTINCT FROM to_jsonb(o) - ARRAY[{UNSEEN_OF_PURPOSE}]",
    ),
    Noted(
        "organisation",
        "everybody",
        "id",
        events=("update",),
        only_where="(n.time_zone, n.country, n.settings -> 'closed_periods')"
        " IS DISTINCT FROM (o.time_zone, o.country, o.settings -> 'closed_periods')",
        organisation="id",
    ),
    Noted(
        "segment", "segment", "id", events=("insert", "update"), only_where="n.rule IS DISTINCT FROM o.rule"
    ),
)  # fmt: skip
REASONS = ("data", "time", "rule", "repair")
ON_MEMBERSHIP = ("entered_because", "left_because")


def upgrade() -> None:
    _create_tables()
    for table in ("segment_state", "segment_change", "segment_upkeep", "contact_change"):
        protect(table)
    # Rows come and go all day: what is dead must not be in the way of the next look.
    op.execute(
        "ALTER TABLE contact_change SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)"
    )
    for name in ("evaluated_on", "evaluated_at", "evaluated_version", "member_count"):
        op.drop_column("segment", name)
    _reasons(REASONS)
    op.create_index("ix_participation_activity_on", "participation", ["organisation_id", "activity_on"])
    op.create_index(
        "ix_participation_booked_on",
        "participation",
        ["booked_on"],
        postgresql_using="brin",
        postgresql_ops={"booked_on": "date_minmax_multi_ops"},
    )
    op.drop_index("ix_participation_updated", "participation")
    op.drop_index("ix_mail_event_recorded", "mail_event")
    op.create_index(
        "ix_mail_event_occurred",
        "mail_event",
        ["occurred_on"],
        postgresql_using="brin",
        postgresql_ops={"occurred_on": "date_minmax_multi_ops"},
    )
    op.create_index(
        "ix_permission_ends",
        "permission",
        ["organisation_id", "valid_until"],
        postgresql_where=sa.text("is_allowed AND valid_until IS NOT NULL"),
    )
    op.create_index(
        "ix_permission_paused",
        "permission",
        ["organisation_id", "paused_until"],
        postgresql_where=sa.text("paused_until IS NOT NULL"),
    )
    for noted in NOTED:
        note_changes(noted)


def downgrade() -> None:
    for noted in NOTED:
        stop_noting(noted.table, noted.events)
    op.drop_index("ix_permission_paused", "permission")
    op.drop_index("ix_permission_ends", "permission")
    op.drop_index("ix_mail_event_occurred", "mail_event")
    op.create_index("ix_mail_event_recorded", "mail_event", ["recorded_at"], postgresql_using="brin")
    op.create_index("ix_participation_updated", "participation", ["updated_at"], postgresql_using="brin")
    op.drop_index("ix_participation_booked_on", "participation")
    op.drop_index("ix_participation_activity_on", "participation")
    for name in ON_MEMBERSHIP:
        op.execute(f"UPDATE segment_membership SET {name} = 'data' WHERE {name} = 'repair'")
    _reasons(REASONS[:-1])
    op.add_column("segment", sa.Column("evaluated_on", sa.Date()))
    op.add_column("segment", sa.Column("evaluated_at", INSTANT))
    op.add_column("segment", sa.Column("evaluated_version", sa.Integer()))
    op.add_column("segment", sa.Column("member_count", sa.Integer()))
    for table in ("contact_change", "segment_upkeep", "segment_change", "segment_state"):
        op.drop_table(table)


def _reasons(words: tuple[str, ...]) -> None:
    said = ", ".join(f"'{word}'" for word in words)
    for name in ON_MEMBERSHIP:
        constraint = op.f(f"ck_segment_membership_{name}_known")
        op.drop_constraint(constraint, "segment_membership", type_="check")
        op.create_check_constraint(constraint, "segment_membership", f"{name} IN ({said})")


def _create_tables() -> None:
    op.create_table(
        "segment_state",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("segment_id", sa.BigInteger(), nullable=False),
        sa.Column("evaluated_on", sa.Date()),
        sa.Column("evaluated_at", INSTANT),
        sa.Column("rule_sha256", sa.LargeBinary()),
        sa.Column("member_count", sa.Integer()),
        sa.Column("stale_because", sa.Text()),
        sa.Column(
            "names", postgresql.JSONB(astext_type=sa.Text()), nullable=False, server_default=sa.text("'{}'::jsonb")
        ),
        sa.Column("problem", sa.Text()),
        sa.Column("problem_about", postgresql.ARRAY(sa.Text())),
        sa.Column("problem_since", INSTANT),
        sa.Column("retry_at", INSTANT),
        sa.CheckConstraint(
            "stale_because IN ('rule', 'data', 'time')", name=op.f("ck_segment_state_stale_because_known")
        ),
        sa.CheckConstraint("(problem IS NULL) = (retry_at IS NULL)", name=op.f("ck_segment_state_problem_tried_again")),
        sa.ForeignKeyConstraint(
            ["organisation_id", "segment_id"],
            ["segment.organisation_id", "segment.id"],
            name=op.f("fk_segment_state_segment"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "segment_id", name=op.f("pk_segment_state")),
    )
    op.create_table(
        "segment_change",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("segment_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("happened_at", INSTANT, nullable=False),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("what", postgresql.ARRAY(sa.Text())),
        sa.CheckConstraint("kind IN ('entered', 'left')", name=op.f("ck_segment_change_kind_known")),
        sa.CheckConstraint(
            "because IN ('data', 'time', 'rule', 'repair')", name=op.f("ck_segment_change_because_known")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "segment_id"],
            ["segment.organisation_id", "segment.id"],
            name=op.f("fk_segment_change_segment"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "position", name=op.f("pk_segment_change")),
    )
    op.create_index("ix_segment_change_segment", "segment_change", ["organisation_id", "segment_id", "position"])
    op.create_table(
        "segment_upkeep",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("forgotten_position", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("looked_at", INSTANT),
        sa.Column("checked_on", sa.Date()),
        sa.Column("checked_at", INSTANT),
        sa.Column("differences", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("differences_ever", sa.BigInteger(), nullable=False, server_default="0"),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_segment_upkeep_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", name=op.f("pk_segment_upkeep")),
    )
    op.create_table(
        "contact_change",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("ids", postgresql.ARRAY(sa.BigInteger())),
        sa.Column("subject_keys", postgresql.ARRAY(sa.LargeBinary())),
        sa.Column("lost_keys", postgresql.ARRAY(sa.BigInteger())),
        sa.Column("noted_at", INSTANT, nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.CheckConstraint(
            "about IN ('contact', 'address', 'activity', 'segment', 'everybody')",
            name=op.f("ck_contact_change_about_known"),
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_contact_change")),
    )
