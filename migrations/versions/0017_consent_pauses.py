"""A person may ask for a pause: the ledger holds it, and the gate keeps still until it is over

Revision ID: 0017
Revises: 0016
"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

ACTIONS = "('requested', 'granted', 'confirmed', 'withdrawn', 'objected', 'refused', 'expired', 'invalidated', 'noted'"
NOW = "(SELECT COALESCE(NULLIF(current_setting('zaallicht.now', true), '')::timestamptz, now()))"

OWN_ADDRESS = "   AND permission.is_allowed\n"
NOT_PAUSED = f"   AND (permission.paused_until IS NULL OR permission.paused_until <= {NOW})\n"

# A pause at one address is a pause for the person, as a no is. The alternative stands within one row of one table, so
# that the planner can still look at all secondary addresses at once (0007).
A_NO_ELSEWHERE = "          AND no.is_negative\n"
A_NO_OR_PAUSE_ELSEWHERE = f"          AND (no.is_negative OR no.paused_until > {NOW})\n"


def _before() -> str:
    earlier = import_module("migrations.versions.0008_suppressed_anywhere")
    return str(earlier._before().replace(earlier.LAST_CONDITION, earlier.SUPPRESSED_ELSEWHERE + earlier.LAST_CONDITION))


def upgrade() -> None:
    op.add_column("permission", sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True))
    _allow_actions(f"{ACTIONS}, 'paused', 'resumed')")
    op.create_check_constraint(
        op.f("ck_consent_event_pause_ends"), "consent_event", "action <> 'paused' OR valid_until IS NOT NULL"
    )
    op.execute("DROP VIEW contactable")
    op.execute(
        _before().replace(OWN_ADDRESS, OWN_ADDRESS + NOT_PAUSED).replace(A_NO_ELSEWHERE, A_NO_OR_PAUSE_ELSEWHERE)
    )


def downgrade() -> None:
    op.execute("DROP VIEW contactable")
    op.execute(_before())
    op.drop_constraint(op.f("ck_consent_event_pause_ends"), "consent_event")
    _allow_actions(f"{ACTIONS})")
    op.drop_column("permission", "paused_until")


def _allow_actions(actions: str) -> None:
    op.drop_constraint(op.f("ck_consent_event_action_known"), "consent_event")
    op.create_check_constraint(op.f("ck_consent_event_action_known"), "consent_event", f"action IN {actions}")
