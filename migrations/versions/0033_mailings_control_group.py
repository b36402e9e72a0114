"""The control group of a season: its share, and on which side everybody is

Revision ID: 0033
Revises: 0032
"""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "season_control",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("season", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("percent", sa.SmallInteger(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.CheckConstraint("percent BETWEEN 1 AND 50", name=op.f("ck_season_control_percent_possible")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_season_control_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "season", name=op.f("pk_season_control")),
    )
    op.create_table(
        "season_side",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("season", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("is_held_out", sa.Boolean(), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "contact_id"],
            ["contact.organisation_id", "contact.id"],
            name=op.f("fk_season_side_contact"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "season"],
            ["season_control.organisation_id", "season_control.season"],
            name=op.f("fk_season_side_season_control"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "season", "contact_id", name=op.f("pk_season_side")),
    )
    for table in ("season_control", "season_side"):
        protect(table)


def downgrade() -> None:
    op.drop_table("season_side")
    op.drop_table("season_control")
