"""Moving pictures are kept as they move: GIF beside PNG and JPEG.

Revision ID: 0048
Revises: 0047
"""

from __future__ import annotations

from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

_NAME = "ck_mail_image_media_type_known"


def upgrade() -> None:
    op.drop_constraint(op.f(_NAME), "mail_image")
    op.create_check_constraint(op.f(_NAME), "mail_image", "media_type IN ('image/png', 'image/jpeg', 'image/gif')")


def downgrade() -> None:
    op.drop_constraint(op.f(_NAME), "mail_image")
    # What was mailed stays, so the moving pictures there are do as well.
    op.create_check_constraint(
        op.f(_NAME), "mail_image", "media_type IN ('image/png', 'image/jpeg')", postgresql_not_valid=True
    )
