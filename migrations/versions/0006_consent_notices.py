"""A purpose knows which notice version it shows in each language, and keeps drafts of the next

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("published_notices", "notice_drafts"):
        op.add_column(
            "purpose",
            sa.Column(name, postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        )


def downgrade() -> None:
    op.drop_column("purpose", "notice_drafts")
    op.drop_column("purpose", "published_notices")
