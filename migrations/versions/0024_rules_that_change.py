"""Rules that change: the gate holds to the new ones at once, and what they imply is recomputed afterwards

Revision ID: 0024
Revises: 0023
"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
NOW = "COALESCE(NULLIF(current_setting('zaallicht.now', true), '')::timestamptz, now())"

# While what a purpose implies is being recomputed, a stored yes must also fit the rules as they are now. Everything
# stands behind ``tightened_at``, so that at any other time the gate costs what it did. A yes at another address of the
# person may have lifted a no that stands again under the new rules: until that is known, it counts as one.
FITS = f"""   AND (purpose.tightened_at IS NULL
        OR (permission.basis = ANY (purpose.allowed_bases)
            AND (permission.basis <> 'impersonal_address' OR organisation.country = 'BE')
            AND (purpose.retention_days IS NULL
                 OR permission.since + make_interval(hours => 24 * purpose.retention_days) > (SELECT {NOW}))
            AND (permission.basis <> 'consent' OR NOT purpose.needs_confirmation
                 OR EXISTS (SELECT FROM consent_event AS said
                             WHERE said.organisation_id = permission.organisation_id
                               AND said.id = permission.decided_by AND said.action = 'confirmed'))))
"""
NO_ELSEWHERE = "(no.is_negative OR "
NO_ELSEWHERE_YET = "(no.is_negative OR (no.is_allowed AND purpose.tightened_at IS NOT NULL) OR "

PURPOSE_TIGHTENED = f"""
CREATE FUNCTION purpose_rules_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.tightened_at := {NOW};
    INSERT INTO recomputation (organisation_id, because, purpose, asked_at)
    VALUES (NEW.organisation_id, 'purpose', NEW.code, NEW.tightened_at);
    RETURN NEW;
END
$$
"""
COUNTRY_CHANGED = f"""
CREATE FUNCTION country_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE purpose SET tightened_at = {NOW} WHERE purpose.organisation_id = NEW.id;
    INSERT INTO recomputation (organisation_id, because, asked_at) VALUES (NEW.id, 'country', {NOW});
    RETURN NULL;
END
$$
"""


def _before() -> str:
    earlier = import_module("migrations.versions.0017_consent_pauses")
    view = str(earlier._before())
    view = view.replace(earlier.OWN_ADDRESS, earlier.OWN_ADDRESS + earlier.NOT_PAUSED)
    return view.replace(earlier.A_NO_ELSEWHERE, earlier.A_NO_OR_PAUSE_ELSEWHERE)


def _view() -> str:
    living = " WHERE contact.state = 'living'\n"
    return _before().replace(living, living + FITS).replace(NO_ELSEWHERE, NO_ELSEWHERE_YET)


def upgrade() -> None:
    op.create_table(
        "recomputation",
        sa.Column("organisation_id", sa.Integer, nullable=False),
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("because", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text),
        sa.Column("subjects_total", sa.Integer),
        sa.Column("subjects_done", sa.Integer, server_default="0", nullable=False),
        sa.Column("after_key", sa.LargeBinary),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT),
        sa.CheckConstraint("because IN ('purpose', 'country')", name=op.f("ck_recomputation_because_known")),
        sa.CheckConstraint(
            "(because = 'purpose') = (purpose IS NOT NULL)", name=op.f("ck_recomputation_purpose_is_named")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_recomputation_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_recomputation")),
    )
    op.create_index(
        "ix_recomputation_waiting",
        "recomputation",
        ["organisation_id", "id"],
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    protect("recomputation")
    op.add_column("purpose", sa.Column("tightened_at", INSTANT))
    op.execute(PURPOSE_TIGHTENED)
    op.execute(COUNTRY_CHANGED)
    op.execute(
        "CREATE TRIGGER purpose_rules_changed BEFORE UPDATE OF allowed_bases, needs_confirmation, retention_days ON purpose"
        " FOR EACH ROW WHEN ((OLD.allowed_bases, OLD.needs_confirmation, OLD.retention_days)"
        " IS DISTINCT FROM (NEW.allowed_bases, NEW.needs_confirmation, NEW.retention_days))"
        " EXECUTE FUNCTION purpose_rules_changed()"
    )
    op.execute(
        "CREATE TRIGGER country_changed AFTER UPDATE OF country ON organisation"
        " FOR EACH ROW WHEN (OLD.country IS DISTINCT FROM NEW.country) EXECUTE FUNCTION country_changed()"
    )
    op.execute("DROP VIEW contactable")
    op.execute(_view())


def downgrade() -> None:
    op.execute("DROP VIEW contactable")
    op.execute(_before())
    op.execute("DROP TRIGGER country_changed ON organisation")
    op.execute("DROP TRIGGER purpose_rules_changed ON purpose")
    op.execute("DROP FUNCTION country_changed()")
    op.execute("DROP FUNCTION purpose_rules_changed()")
    op.drop_column("purpose", "tightened_at")
    op.drop_table("recomputation")
