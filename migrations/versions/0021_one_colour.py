"""A house has one colour, and mail takes it from where pages do

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint(op.f("ck_mail_setting_colour_possible"), "mail_setting")
    op.drop_column("mail_setting", "colour")


def downgrade() -> None:
    op.add_column("mail_setting", sa.Column("colour", sa.Text(), server_default="#7a1f3d", nullable=False))
    op.create_check_constraint(op.f("ck_mail_setting_colour_possible"), "mail_setting", "colour ~ '^#[0-9a-f]{6}$'")
