"""Moves of activities are noted whatever their dates: the end of the calendar stands for "no date" in many a box office

Revision ID: 0043
Revises: 0042
"""

from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

# Minutes that are more than an integer holds lie after the year 6052.
CLAMPED = "LEAST(EXTRACT(epoch FROM {0}.starts_at) / 60, 2147483647)::integer"
PLAIN = "(EXTRACT(epoch FROM {0}.starts_at) / 60)::integer"


def upgrade() -> None:
    _note(CLAMPED)


def downgrade() -> None:
    _note(PLAIN)


def _note(minutes: str) -> None:
    op.execute(
        "CREATE OR REPLACE FUNCTION journeys_note_update_of_activity() RETURNS trigger LANGUAGE plpgsql AS $$\n"
        "BEGIN\n"
        "  INSERT INTO journey_note (organisation_id, kind, size, ids, before, after)\n"
        "  SELECT organisation_id, kind, count(*), array_agg(id ORDER BY id), array_agg(before ORDER BY id),"
        " array_agg(after ORDER BY id)\n"
        "    FROM (SELECT n.organisation_id, said.kind, n.id,\n"
        f"                 CASE WHEN NOT o.is_cancelled THEN {minutes.format('o')} END AS before,\n"
        f"                 {minutes.format('n')} AS after\n"
        "            FROM old_rows AS o JOIN new_rows AS n ON n.organisation_id = o.organisation_id AND n.id = o.id\n"
        "           CROSS JOIN LATERAL (VALUES\n"
        "                 ('activity_moved',\n"
        "                  n.starts_at IS DISTINCT FROM o.starts_at OR (o.is_cancelled AND NOT n.is_cancelled)),\n"
        "                 ('activity_cancelled', n.is_cancelled AND NOT o.is_cancelled)) AS said(kind, is_so)\n"
        "           WHERE said.is_so) AS happened\n"
        "   GROUP BY organisation_id, kind, id / 5000;\n  RETURN NULL;\nEND\n$$"
    )
