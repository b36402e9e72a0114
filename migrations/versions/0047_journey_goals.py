"""Goals that are reached at once, whatever they look at, and after the last step

Revision ID: 0047
Revises: 0046
"""

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

BEFORE = (
    "'booked', 'attended', 'cancelled', 'came_cancelled', 'pending', 'exchanged', 'activity_moved',"
    " 'activity_cancelled', 'pass_issued', 'pass_points', 'pass_expires', 'consent', 'consent_no', 'signup',"
    " 'contact_gone'"
)


def upgrade() -> None:
    op.add_column("enrolment", sa.Column("reached_at", sa.DateTime(timezone=True), nullable=True))
    # Row security holds for the owner too, who speaks here for no house.
    op.execute("ALTER TABLE enrolment NO FORCE ROW LEVEL SECURITY")
    op.execute("UPDATE enrolment SET reached_at = left_at WHERE left_because = 'goal_reached'")
    op.execute("ALTER TABLE enrolment FORCE ROW LEVEL SECURITY")
    op.add_column("journey_watch", sa.Column("goals_on", sa.Date(), nullable=True))
    _know(f"{BEFORE}, 'changed'")


def downgrade() -> None:
    op.execute("DELETE FROM journey_note WHERE kind = 'changed'")
    _know(BEFORE)
    op.drop_column("journey_watch", "goals_on")
    op.drop_column("enrolment", "reached_at")


def _know(kinds: str) -> None:
    op.drop_constraint(op.f("ck_journey_note_kind_known"), "journey_note")
    op.create_check_constraint(op.f("ck_journey_note_kind_known"), "journey_note", f"kind IN ({kinds})")
