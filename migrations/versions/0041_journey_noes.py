"""Journeys hear a no as well, so that whoever says it leaves at once

Revision ID: 0041
Revises: 0040
"""

from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

BEFORE = (
    "'booked', 'attended', 'cancelled', 'came_cancelled', 'pending', 'exchanged', 'activity_moved',"
    " 'activity_cancelled', 'pass_issued', 'pass_points', 'pass_expires', 'consent', 'signup', 'contact_gone'"
)
KINDS = BEFORE.replace("'consent',", "'consent', 'consent_no',")
YES = "CASE WHEN n.action IN ('granted', 'confirmed') THEN 'consent' ELSE 'consent_no' END"
NOES = "'withdrawn', 'objected', 'refused', 'expired', 'invalidated'"


def upgrade() -> None:
    _know(KINDS)
    _note(YES, f"'granted', 'confirmed', {NOES}")


def downgrade() -> None:
    op.execute("DELETE FROM journey_note WHERE kind = 'consent_no'")
    _know(BEFORE)
    _note("'consent'", "'granted', 'confirmed'")


def _know(kinds: str) -> None:
    op.drop_constraint(op.f("ck_journey_note_kind_known"), "journey_note")
    op.create_check_constraint(op.f("ck_journey_note_kind_known"), "journey_note", f"kind IN ({kinds})")


def _note(kind: str, actions: str) -> None:
    op.execute(
        "CREATE OR REPLACE FUNCTION journeys_note_insert_of_consent_event() RETURNS trigger LANGUAGE plpgsql AS $$\n"
        "BEGIN\n"
        "  INSERT INTO journey_note (organisation_id, kind, size, ids)\n"
        "  SELECT organisation_id, kind, count(*), array_agg(id ORDER BY id)\n"
        f"    FROM (SELECT n.organisation_id, {kind} AS kind, n.id FROM new_rows AS n WHERE n.action IN ({actions}))"
        " AS happened\n"
        "   GROUP BY organisation_id, kind, id / 5000;\n  RETURN NULL;\nEND\n$$"
    )
