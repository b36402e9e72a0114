"""Mailings: bounces and complaints that a relay tells as events, and the key that it signs them with

Revision ID: 0058
Revises: 0057
"""

import sqlalchemy as sa
from alembic import op

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("return_mailbox", sa.Column("hook_key", sa.LargeBinary(), nullable=True))
    _came_by("'mailbox', 'hook', 'pipe', 'event'")


def downgrade() -> None:
    op.execute("ALTER TABLE return_mail NO FORCE ROW LEVEL SECURITY")
    op.execute("UPDATE return_mail SET came_by = 'hook' WHERE came_by = 'event'")
    op.execute("ALTER TABLE return_mail FORCE ROW LEVEL SECURITY")
    _came_by("'mailbox', 'hook', 'pipe'")
    op.drop_column("return_mailbox", "hook_key")


def _came_by(words: str) -> None:
    op.drop_constraint(op.f("ck_return_mail_came_by_known"), "return_mail", type_="check")
    op.create_check_constraint(op.f("ck_return_mail_came_by_known"), "return_mail", f"came_by IN ({words})")
