"""A segment that a block of a mailing is for cannot be removed

Revision ID: 0062
Revises: 0061
"""

from alembic import op

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None

# As ``app/mailings/block_segments.py`` notes them.
ASKED = """
INSERT INTO mailing_segment (organisation_id, mailing_id, segment_id, part)
SELECT DISTINCT written.organisation_id, written.mailing_id, segment.id, 'block'
  FROM (SELECT organisation_id, id AS mailing_id, content FROM mailing
         UNION ALL
        SELECT organisation_id, mailing_id, content FROM mailing_version) AS written
 CROSS JOIN jsonb_path_query(
       content, '$.variants.texts.*.blocks.**.only_if.field ? (@ like_regex "^segment[.][1-9][0-9]{0,17}$")') AS field
  JOIN segment ON segment.organisation_id = written.organisation_id
   AND segment.id = CAST(substr(field #>> '{}', 9) AS bigint)
    ON CONFLICT DO NOTHING
"""


def upgrade() -> None:
    _parts("'to', 'without', 'block'")
    _over_the_wall(ASKED)


def downgrade() -> None:
    _over_the_wall("DELETE FROM mailing_segment WHERE part = 'block'")
    _parts("'to', 'without'")


def _over_the_wall(statement: str) -> None:
    """The rows of every house: for that, the owner steps over the wall for a moment."""
    tables = ("mailing", "mailing_version", "mailing_segment", "segment")
    for table in tables:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(statement)
    for table in tables:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def _parts(known: str) -> None:
    name = op.f("ck_mailing_segment_part_known")
    op.drop_constraint(name, "mailing_segment", type_="check")
    op.create_check_constraint(name, "mailing_segment", f"part IN ({known})")
