"""Who was erased, by keyed hashes only

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "erasure",
        sa.Column("organisation_id", sa.Integer, nullable=False),
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("contact_ids", sa.ARRAY(sa.BigInteger), nullable=False),
        sa.Column("subject_keys", sa.ARRAY(sa.LargeBinary), nullable=False),
        sa.Column("identity_keys", sa.ARRAY(sa.LargeBinary), nullable=False),
        sa.Column("erased_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_erasure_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_erasure")),
    )
    op.create_index("uq_erasure_reference", "erasure", ["organisation_id", "reference"], unique=True)
    protect("erasure")
    op.create_table(
        "erased_identity",
        sa.Column("organisation_id", sa.Integer, nullable=False),
        sa.Column("key_hash", sa.LargeBinary, nullable=False),
        sa.Column("erased_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_erased_identity_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "key_hash", name=op.f("pk_erased_identity")),
    )
    protect("erased_identity")
    # Who was erased before stays away from now on, by the addresses that were blocked for it.
    op.execute(
        """
        DO $$
        DECLARE house integer;
        BEGIN
          FOR house IN SELECT DISTINCT organisation_id FROM directory WHERE kind = 'organisation' LOOP
            PERFORM set_config('zaallicht.organisation_id', house::text, true);
            INSERT INTO erased_identity (organisation_id, key_hash, erased_at)
            SELECT organisation_id, address_hash, since FROM suppression
             WHERE organisation_id = house AND reason = 'erased' AND channel = 'email'
            ON CONFLICT DO NOTHING;
          END LOOP;
        END $$
        """
    )


def downgrade() -> None:
    op.drop_table("erased_identity")
    op.drop_table("erasure")
