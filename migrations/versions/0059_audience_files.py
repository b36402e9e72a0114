"""Files that audiences land in, for systems without an API

Revision ID: 0059
Revises: 0058
"""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audience_file",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content_encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "connection_id"],
            ["connection.organisation_id", "connection.id"],
            name=op.f("fk_audience_file_connection"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "connection_id", "name", name=op.f("pk_audience_file")),
    )
    protect("audience_file")


def downgrade() -> None:
    op.drop_table("audience_file")
