"""What a house says the words of its sources mean, what was answered to them, and the sources' own words for genres

Revision ID: 0056
Revises: 0055
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from migrations.tenancy import protect

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
HOUSE = "organisation_id"
CONNECTION = ([HOUSE, "connection_id"], ["connection.organisation_id", "connection.id"])
CONTACT = ([HOUSE, "contact_id"], ["contact.organisation_id", "contact.id"])


def upgrade() -> None:
    op.add_column("activity", sa.Column("own_genres", ARRAY(sa.Text), nullable=True))
    op.create_table(
        "source_meaning",
        sa.Column(HOUSE, sa.Integer, nullable=False),
        sa.Column("connection_id", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("is_choice", sa.Boolean, server_default=sa.text("true"), nullable=False),
        sa.Column("meaning", JSONB, nullable=True),
        sa.Column("catching_up", JSONB, nullable=True),
        sa.Column("caught_up_to", sa.Text, nullable=True),
        sa.Column("first_seen_at", INSTANT, nullable=False),
        sa.Column("said_at", INSTANT, nullable=True),
        sa.CheckConstraint("kind IN ('genre', 'question', 'field')", name=op.f("ck_source_meaning_kind_known")),
        sa.ForeignKeyConstraint(*CONNECTION, name=op.f("fk_source_meaning_connection"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint(HOUSE, "connection_id", "kind", "key", name=op.f("pk_source_meaning")),
    )
    op.create_table(
        "source_answer",
        sa.Column(HOUSE, sa.Integer, nullable=False),
        sa.Column("connection_id", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("external_id", sa.Text, nullable=False),
        sa.Column("contact_id", sa.BigInteger, nullable=False),
        sa.Column("answer", JSONB, nullable=False),
        sa.Column("read_at", INSTANT, nullable=False),
        sa.CheckConstraint("kind IN ('question', 'field')", name=op.f("ck_source_answer_kind_known")),
        sa.ForeignKeyConstraint(*CONNECTION, name=op.f("fk_source_answer_connection"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(*CONTACT, name=op.f("fk_source_answer_contact"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint(HOUSE, "connection_id", "kind", "key", "external_id", name=op.f("pk_source_answer")),
    )
    op.create_index("ix_source_answer_contact", "source_answer", [HOUSE, "contact_id"])
    op.create_index("ix_source_answer_read", "source_answer", [HOUSE, "read_at"])
    for table in ("source_meaning", "source_answer"):
        protect(table)


def downgrade() -> None:
    op.drop_table("source_answer")
    op.drop_table("source_meaning")
    op.drop_column("activity", "own_genres")
