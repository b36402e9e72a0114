"""What was called off or moved, noticed by the database itself

Revision ID: 0061
Revises: 0060
"""

import sqlalchemy as sa
from alembic import op

from app.db import INSTANT
from migrations.tenancy import protect

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None

# Only what is still to come, before or after, is news: the history of a house comes in with dates that change.
NOTICE = """
CREATE FUNCTION notice_activity_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was_to_come boolean := old.starts_at > new.updated_at;
    is_to_come boolean := new.starts_at > new.updated_at;
BEGIN
    IF NOT COALESCE(was_to_come OR is_to_come, false) THEN
        RETURN NULL;
    END IF;
    IF new.is_cancelled AND NOT old.is_cancelled THEN
        DELETE FROM activity_change AS c WHERE c.organisation_id = new.organisation_id AND c.activity_id = new.id
           AND c.kind = 'goes_on' AND c.done_at IS NULL;
        INSERT INTO activity_change (organisation_id, activity_id, kind, starts_before, venue_before, noticed_at)
        VALUES (new.organisation_id, new.id, 'cancelled', old.starts_at, old.venue, new.updated_at)
        ON CONFLICT (organisation_id, activity_id, kind) WHERE done_at IS NULL DO NOTHING;
    ELSIF old.is_cancelled AND NOT new.is_cancelled THEN
        DELETE FROM activity_change AS c WHERE c.organisation_id = new.organisation_id AND c.activity_id = new.id
           AND c.kind = 'cancelled' AND c.done_at IS NULL;
        IF NOT FOUND THEN
            INSERT INTO activity_change (organisation_id, activity_id, kind, starts_before, venue_before, noticed_at)
            VALUES (new.organisation_id, new.id, 'goes_on', old.starts_at, old.venue, new.updated_at)
            ON CONFLICT (organisation_id, activity_id, kind) WHERE done_at IS NULL DO NOTHING;
        END IF;
    END IF;
    IF old.starts_at IS NOT NULL
       AND (new.starts_at IS DISTINCT FROM old.starts_at OR (old.venue IS NOT NULL AND new.venue IS DISTINCT FROM old.venue))
    THEN
        INSERT INTO activity_change (organisation_id, activity_id, kind, starts_before, venue_before, noticed_at)
        VALUES (new.organisation_id, new.id, 'moved', old.starts_at, old.venue, new.updated_at)
        ON CONFLICT (organisation_id, activity_id, kind) WHERE done_at IS NULL DO UPDATE SET noticed_at = new.updated_at;
        DELETE FROM activity_change AS c WHERE c.organisation_id = new.organisation_id AND c.activity_id = new.id
           AND c.kind = 'moved' AND c.done_at IS NULL AND c.starts_before IS NOT DISTINCT FROM new.starts_at
           AND (c.venue_before IS NULL OR c.venue_before IS NOT DISTINCT FROM new.venue);
    END IF;
    RETURN NULL;
END
$$
"""


def upgrade() -> None:
    op.create_table(
        "activity_change",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("activity_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("starts_before", INSTANT),
        sa.Column("venue_before", sa.Text()),
        sa.Column("noticed_at", INSTANT, nullable=False),
        sa.Column("done_at", INSTANT),
        sa.CheckConstraint("kind IN ('cancelled', 'moved', 'goes_on')", name=op.f("ck_activity_change_kind_known")),
        sa.ForeignKeyConstraint(
            ["organisation_id", "activity_id"],
            ["activity.organisation_id", "activity.id"],
            name=op.f("fk_activity_change_activity"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_activity_change")),
    )
    op.create_index(
        "uq_activity_change_open",
        "activity_change",
        ["organisation_id", "activity_id", "kind"],
        unique=True,
        postgresql_where=sa.text("done_at IS NULL"),
    )
    protect("activity_change")
    op.execute(NOTICE)
    op.execute(
        "CREATE TRIGGER notice_change AFTER UPDATE OF starts_at, venue, is_cancelled ON activity FOR EACH ROW "
        "WHEN ((old.starts_at, old.venue, old.is_cancelled) IS DISTINCT FROM (new.starts_at, new.venue, new.is_cancelled)) "
        "EXECUTE FUNCTION notice_activity_change()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER notice_change ON activity")
    op.execute("DROP FUNCTION notice_activity_change()")
    op.drop_table("activity_change")
