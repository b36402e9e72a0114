"""Journeys: what their versions work with, and letters to colleagues

Revision ID: 0039
Revises: 0038
"""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

KINDS = (
    "'confirmation', 'unsubscribe_receipt', 'address_change', 'data_ready', 'preferences_link', 'invitation',"
    " 'password_reset'"
)
USED = ("segment", "mailing", "audience")


def upgrade() -> None:
    _letters(f"{KINDS}, 'journey_note'")
    op.create_table(
        "journey_use",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        *(sa.Column(f"{used}_id", sa.BigInteger(), nullable=True) for used in USED),
        sa.CheckConstraint(
            "num_nonnulls(segment_id, mailing_id, audience_id) = 1", name=op.f("ck_journey_use_uses_one")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "journey_id", "version"],
            ["journey_version.organisation_id", "journey_version.journey_id", "journey_version.version"],
            name=op.f("fk_journey_use_journey_version"),
            ondelete="CASCADE",
        ),
        *(
            sa.ForeignKeyConstraint(
                ["organisation_id", f"{used}_id"],
                [f"{used}.organisation_id", f"{used}.id"],
                name=op.f(f"fk_journey_use_{used}"),
            )
            for used in USED
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_journey_use")),
    )
    op.create_index("ix_journey_use_version", "journey_use", ["organisation_id", "journey_id", "version"])
    for used in USED:
        op.create_index(
            f"ix_journey_use_{used}",
            "journey_use",
            ["organisation_id", f"{used}_id"],
            postgresql_where=sa.text(f"{used}_id IS NOT NULL"),
        )
    protect("journey_use")


def downgrade() -> None:
    op.drop_table("journey_use")
    op.execute(
        "DELETE FROM delivery USING letter WHERE letter.kind = 'journey_note' AND delivery.letter_id = letter.id"
    )
    op.execute("DELETE FROM letter WHERE kind = 'journey_note'")
    _letters(KINDS)


def _letters(kinds: str) -> None:
    op.drop_constraint(op.f("ck_letter_kind_known"), "letter")
    op.create_check_constraint(op.f("ck_letter_kind_known"), "letter", f"kind IN ({kinds})")
