"""Journeys: what happened that they may act on, what they watch for, and who is about to enter

Revision ID: 0036
Revises: 0035
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from migrations.noting import ROWS
from migrations.tenancy import protect

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
NOW = "COALESCE(NULLIF(current_setting('zaallicht.now', true), '')::timestamptz, clock_timestamp())"
KINDS = (
    "'booked', 'attended', 'cancelled', 'came_cancelled', 'pending', 'exchanged', 'activity_moved',"
    " 'activity_cancelled', 'pass_issued', 'pass_points', 'pass_expires', 'consent', 'signup', 'contact_gone'"
)
TABLES = ("journey_note", "journey_watch", "journey_arrival", "journey_turned_away")

BOTH = "old_rows AS o JOIN new_rows AS n ON n.organisation_id = o.organisation_id AND n.id = o.id"
COMING = "('booked', 'attended')"
GONE = "('cancelled', 'refunded')"

# Rows of (organisation, kind, id, before, after) for each table and event. What an insert says is what holds from the
# start; an update notes what it changed, and nothing where it changed nothing that a journey looks at.
HAPPENED = {
    ("participation", "insert"): f"""
        SELECT n.organisation_id, said.kind, n.id, NULL::integer AS before, NULL::integer AS after
          FROM new_rows AS n CROSS JOIN LATERAL unnest(CASE
               WHEN n.status = 'attended' THEN ARRAY['booked', 'attended'] WHEN n.status = 'booked' THEN ARRAY['booked']
               WHEN n.status IN {GONE} THEN ARRAY['came_cancelled'] ELSE ARRAY['pending'] END) AS said(kind)""",
    ("participation", "update"): f"""
        SELECT n.organisation_id, said.kind, n.id, NULL::integer AS before, NULL::integer AS after
          FROM {BOTH} CROSS JOIN LATERAL (VALUES
               ('booked', n.status IN {COMING} AND o.status NOT IN {COMING}),
               ('attended', n.status = 'attended' AND o.status <> 'attended'),
               ('pending', n.status = 'pending' AND o.status IN {GONE}),
               ('cancelled', n.status IN {GONE} AND o.status NOT IN {GONE}),
               ('exchanged', n.activity_id <> o.activity_id)) AS said(kind, is_so)
         WHERE said.is_so""",
    ("activity", "update"): f"""
        SELECT n.organisation_id, said.kind, n.id,
               CASE WHEN NOT o.is_cancelled THEN (EXTRACT(epoch FROM o.starts_at) / 60)::integer END AS before,
               (EXTRACT(epoch FROM n.starts_at) / 60)::integer AS after
          FROM {BOTH} CROSS JOIN LATERAL (VALUES
               ('activity_moved', n.starts_at IS DISTINCT FROM o.starts_at OR (o.is_cancelled AND NOT n.is_cancelled)),
               ('activity_cancelled', n.is_cancelled AND NOT o.is_cancelled)) AS said(kind, is_so)
         WHERE said.is_so""",
    ("pass", "insert"): """
        SELECT n.organisation_id, said.kind, n.id, 0 AS before, COALESCE(n.points, 0) AS after
          FROM new_rows AS n CROSS JOIN LATERAL (VALUES
               ('pass_issued', true), ('pass_points', n.points > 0), ('pass_expires', n.expires_on IS NOT NULL))
               AS said(kind, is_so)
         WHERE said.is_so""",
    ("pass", "update"): f"""
        SELECT n.organisation_id, said.kind, n.id, COALESCE(o.points, 0) AS before, COALESCE(n.points, 0) AS after
          FROM {BOTH} CROSS JOIN LATERAL (VALUES
               ('pass_points', COALESCE(n.points, 0) <> COALESCE(o.points, 0)),
               ('pass_expires', n.expires_on IS DISTINCT FROM o.expires_on AND n.expires_on IS NOT NULL))
               AS said(kind, is_so)
         WHERE said.is_so""",
    ("consent_event", "insert"): """
        SELECT n.organisation_id, 'consent' AS kind, n.id, NULL::integer AS before, NULL::integer AS after
          FROM new_rows AS n WHERE n.action IN ('granted', 'confirmed')""",
    ("signup", "update"): f"""
        SELECT n.organisation_id, 'signup' AS kind, n.id, NULL::integer AS before, NULL::integer AS after
          FROM {BOTH} WHERE n.state = 'confirmed' AND o.state <> 'confirmed'""",
    ("contact", "update"): f"""
        SELECT n.organisation_id, 'contact_gone' AS kind, n.id, NULL::integer AS before, NULL::integer AS after
          FROM {BOTH}
         WHERE (n.state <> 'living' AND o.state = 'living') OR (n.is_restricted AND NOT o.is_restricted)""",
}


def upgrade() -> None:
    op.create_table(
        "journey_note",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("ids", ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("before", ARRAY(sa.Integer()), nullable=True),
        sa.Column("after", ARRAY(sa.Integer()), nullable=True),
        sa.Column("noted_at", INSTANT, server_default=sa.text(NOW), nullable=False),
        sa.CheckConstraint(f"kind IN ({KINDS})", name=op.f("ck_journey_note_kind_known")),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_journey_note")),
    )
    op.create_table(
        "journey_watch",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("position", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("looked_at", INSTANT, nullable=False),
        sa.Column("looked_on", sa.Date(), nullable=False),
        sa.Column("existing_after", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("problem_at", INSTANT, nullable=True),
        _of_journey("journey_watch"),
        sa.PrimaryKeyConstraint("organisation_id", "journey_id", "place", name=op.f("pk_journey_watch")),
    )
    op.create_table(
        "journey_arrival",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("occurrence", sa.Text(), nullable=False),
        sa.Column("participation_id", sa.BigInteger(), nullable=True),
        sa.Column("occurred_at", INSTANT, nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        _of_journey("journey_arrival"),
        sa.ForeignKeyConstraint(
            ["organisation_id", "contact_id"],
            ["contact.organisation_id", "contact.id"],
            name=op.f("fk_journey_arrival_contact"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "organisation_id", "journey_id", "place", "contact_id", "occurrence", name=op.f("pk_journey_arrival")
        ),
    )
    op.create_index("ix_journey_arrival_contact", "journey_arrival", ["organisation_id", "contact_id"])
    op.create_table(
        "journey_turned_away",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("day_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        _of_journey("journey_turned_away"),
        sa.PrimaryKeyConstraint(
            "organisation_id", "journey_id", "day_on", "reason", name=op.f("pk_journey_turned_away")
        ),
    )
    for table in TABLES:
        protect(table)
    for (table, event), rows in HAPPENED.items():
        _note(table, event, rows)


def downgrade() -> None:
    for table, event in HAPPENED:
        op.execute(f"DROP TRIGGER journeys_note_{event} ON {table}")
        op.execute(f"DROP FUNCTION journeys_note_{event}_of_{table}()")
    for table in reversed(TABLES):
        op.drop_table(table)


def _of_journey(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organisation_id", "journey_id"],
        ["journey.organisation_id", "journey.id"],
        name=op.f(f"fk_{table}_journey"),
        ondelete="CASCADE",
    )


def _note(table: str, event: str, rows: str) -> None:
    """Note what a statement did to a table: few rows however much it did, and none of more than some thousands."""
    op.execute(
        f"CREATE FUNCTION journeys_note_{event}_of_{table}() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n"
        "  INSERT INTO journey_note (organisation_id, kind, size, ids, before, after)\n"
        "  SELECT organisation_id, kind, count(*), array_agg(id ORDER BY id), array_agg(before ORDER BY id),"
        " array_agg(after ORDER BY id)\n"
        f"    FROM ({rows}) AS happened\n   GROUP BY organisation_id, kind, id / 5000;\n  RETURN NULL;\nEND\n$$"
    )
    op.execute(
        f"CREATE TRIGGER journeys_note_{event} AFTER {event.upper()} ON {table} REFERENCING {ROWS[event]} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION journeys_note_{event}_of_{table}()"
    )
