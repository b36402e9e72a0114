"""A suppression of any address of a person stands in the way of all of them, as a no does

Revision ID: 0008
Revises: 0007
"""

from importlib import import_module

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# A merge keeps the most restrictive of both (I5): whoever was never to be contacted is not mailed because a colleague
# found out that they have a second address. Written as 0007 says, so that the planner can do it for all at once.
SUPPRESSED_ELSEWHERE = """   AND NOT EXISTS (
       SELECT FROM identity AS other
         JOIN suppression
           ON suppression.organisation_id = other.organisation_id
          AND suppression.address_hash = other.subject_key
        WHERE other.organisation_id = contact.organisation_id
          AND other.contact_id = contact.id
          AND other.kind = 'email'
          AND NOT other.is_primary
          AND suppression.channel = permission.channel
          AND purpose.is_marketing)
"""
LAST_CONDITION = "   AND (contact.birth_date IS NULL\n"


def _before() -> str:
    return str(import_module("migrations.versions.0007_gate_by_sets").CONTACTABLE)


def upgrade() -> None:
    op.execute("DROP VIEW contactable")
    op.execute(_before().replace(LAST_CONDITION, SUPPRESSED_ELSEWHERE + LAST_CONDITION))


def downgrade() -> None:
    op.execute("DROP VIEW contactable")
    op.execute(_before())
