"""Requests for a right under the GDPR, with their clock

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "rights_request",
        sa.Column("organisation_id", sa.Integer, nullable=False),
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("contact_id", sa.BigInteger),
        sa.Column("subject_key", sa.LargeBinary),
        sa.Column("note", sa.Text),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("due_on", sa.Date, nullable=False),
        sa.Column("extended_at", INSTANT),
        sa.Column("extension_reason", sa.Text),
        sa.Column("identity_check", sa.Text),
        sa.Column("identity_checked_at", INSTANT),
        sa.Column("identity_checked_by", sa.BigInteger),
        sa.Column("carried_out_at", INSTANT),
        sa.Column("state", sa.Text, server_default="open", nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("outcome_note", sa.Text),
        sa.Column("closed_at", INSTANT),
        sa.Column("closed_by", sa.BigInteger),
        sa.Column("created_by", sa.BigInteger),
        sa.CheckConstraint(
            "kind IN ('access', 'rectification', 'erasure', 'restriction', 'objection', 'portability')",
            name=op.f("ck_rights_request_kind_known"),
        ),
        sa.CheckConstraint(
            "channel IN ('mail', 'phone', 'counter', 'letter', 'page')", name=op.f("ck_rights_request_channel_known")
        ),
        sa.CheckConstraint(
            "state IN ('open', 'done', 'refused', 'withdrawn')", name=op.f("ck_rights_request_state_known")
        ),
        sa.CheckConstraint("(state = 'open') = (closed_at IS NULL)", name=op.f("ck_rights_request_closed_has_date")),
        sa.CheckConstraint(
            "extension_reason IN ('complex', 'many')", name=op.f("ck_rights_request_extension_reason_known")
        ),
        sa.CheckConstraint(
            "(extended_at IS NULL) = (extension_reason IS NULL)", name=op.f("ck_rights_request_extension_has_reason")
        ),
        sa.CheckConstraint(
            "identity_check IN ('link', 'known', 'callback', 'document', 'account')",
            name=op.f("ck_rights_request_identity_check_known"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_rights_request_organisation"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_rights_request")),
    )
    op.create_index(
        "ix_rights_request_open",
        "rights_request",
        ["organisation_id", "due_on"],
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index("ix_rights_request_contact", "rights_request", ["organisation_id", "contact_id"])
    op.create_index("ix_rights_request_subject", "rights_request", ["organisation_id", "subject_key"])
    protect("rights_request")


def downgrade() -> None:
    op.drop_table("rights_request")
