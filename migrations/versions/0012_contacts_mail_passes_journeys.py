"""Contacts: what happened to mails, passes, and what likely-same people have in common; journeys: the ways through them

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.tenancy import protect

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
JSONB = postgresql.JSONB(astext_type=sa.Text())


def _folded(column: str) -> str:
    letters = f"translate(lower({column}), 'àáâãäåçèéêëìíîïñòóôõöøùúûüýÿ', 'aaaaaaceeeeiiiinoooooouuuuyy')"
    return f"nullif(regexp_replace({letters}, '[^a-z0-9]', '', 'g'), '')"


FAMILY, GIVEN, POSTCODE, STREET = (_folded(name) for name in ("family_name", "given_name", "postcode", "street"))
DIGITS = r"regexp_replace(regexp_replace(phone, '[^0-9+]', '', 'g'), '^((\+|00)(31|32|33|49|352)0?|0)|\+', '', 'g')"
LIKENESS = {
    "like_name": f"hashtextextended({FAMILY} || '|' || {GIVEN} || '|' || {POSTCODE}, 0)",
    "like_phone": f"CASE WHEN length({DIGITS}) >= 8 THEN hashtextextended({DIGITS}, 0) END",
    "like_birth": f"hashtextextended({FAMILY} || '|' || CAST(birth_date - DATE '2000-01-01' AS text), 0)",
    "like_address": f"CASE WHEN street ~ '[0-9]' THEN hashtextextended({STREET} || '|' || {POSTCODE}, 0) END",
}


def upgrade() -> None:
    op.execute(
        "ALTER TABLE contact "
        + ", ".join(f"ADD COLUMN {key} bigint GENERATED ALWAYS AS ({how}) STORED" for key, how in LIKENESS.items())
    )
    for key in LIKENESS:
        op.create_index(
            f"ix_contact_{key}",
            "contact",
            ["organisation_id", key],
            postgresql_where=sa.text(f"state = 'living' AND {key} IS NOT NULL"),
        )
    _create_mail_event()
    _create_pass()
    _create_journey()
    _create_enrolment()


def downgrade() -> None:
    for table in ("enrolment", "journey_version", "journey", "pass", "mail_event"):
        op.drop_table(table)
    for key in LIKENESS:
        op.drop_index(f"ix_contact_{key}", "contact")
        op.drop_column("contact", key)


def _id_columns() -> tuple[sa.Column[int], ...]:
    return (
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
    )


def _of_contact(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organisation_id", "contact_id"],
        ["contact.organisation_id", "contact.id"],
        name=op.f(f"fk_{table}_contact"),
        ondelete="CASCADE",
    )


def _create_mail_event() -> None:
    op.create_table(
        "mail_event",
        *_id_columns(),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("occurred_at", INSTANT, nullable=False),
        sa.Column("occurred_on", sa.Date(), nullable=False),
        sa.Column("mailing_id", sa.BigInteger()),
        sa.Column("campaign", sa.Text()),
        sa.Column("is_machine", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "event IN ('delivered', 'opened', 'clicked', 'bounced')", name=op.f("ck_mail_event_event_known")
        ),
        _of_contact("mail_event"),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_mail_event")),
    )
    op.create_index("uq_mail_event_external", "mail_event", ["organisation_id", "source", "external_id"], unique=True)
    op.create_index(
        "ix_mail_event_counted",
        "mail_event",
        ["organisation_id", "contact_id", "event", "occurred_on"],
        postgresql_include=["mailing_id"],
        postgresql_where=sa.text("NOT is_machine"),
    )
    op.create_index("ix_mail_event_recorded", "mail_event", ["recorded_at"], postgresql_using="brin")
    protect("mail_event")


def _create_pass() -> None:
    op.create_table(
        "pass",
        *_id_columns(),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("programme", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("number_key", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="valid", nullable=False),
        sa.Column("valid_from", sa.Date()),
        sa.Column("expires_on", sa.Date()),
        sa.Column("points", sa.Integer()),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.CheckConstraint("status IN ('valid', 'stopped')", name=op.f("ck_pass_status_known")),
        sa.CheckConstraint("valid_from <= expires_on", name=op.f("ck_pass_begins_before_it_ends")),
        sa.CheckConstraint("points >= 0", name=op.f("ck_pass_points_count")),
        _of_contact("pass"),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_pass")),
    )
    op.create_index("uq_pass_number", "pass", ["organisation_id", "programme", "number_key"], unique=True)
    op.create_index("ix_pass_contact", "pass", ["organisation_id", "contact_id"])
    op.create_index("ix_pass_expires", "pass", ["organisation_id", "programme", "expires_on"])
    protect("pass")


def _create_journey() -> None:
    op.create_table(
        "journey",
        *_id_columns(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="draft", nullable=False),
        sa.Column("draft", JSONB, nullable=False),
        sa.Column("version", sa.Integer()),
        sa.Column("created_by", sa.BigInteger()),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "state IN ('draft', 'published', 'paused', 'archived')", name=op.f("ck_journey_state_known")
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'archived') OR version IS NOT NULL", name=op.f("ck_journey_running_has_version")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_journey_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_journey")),
    )
    op.create_index("uq_journey_name", "journey", ["organisation_id", sa.text("lower(name)")], unique=True)
    protect("journey")
    op.create_table(
        "journey_version",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("definition", JSONB, nullable=False),
        sa.Column("published_by", sa.BigInteger()),
        sa.Column("published_at", INSTANT, nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_journey_version_version_counts")),
        sa.ForeignKeyConstraint(
            ["organisation_id", "journey_id"],
            ["journey.organisation_id", "journey.id"],
            name=op.f("fk_journey_version_journey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "journey_id", "version", name=op.f("pk_journey_version")),
    )
    protect("journey_version")


def _create_enrolment() -> None:
    op.create_table(
        "enrolment",
        *_id_columns(),
        sa.Column("journey_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("occurrence", sa.Text(), nullable=False),
        sa.Column("participation_id", sa.BigInteger()),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.Column("is_held_out", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("step_id", sa.Text()),
        sa.Column("wake_at", INSTANT),
        sa.Column("lease_until", INSTANT),
        sa.Column("entered_at", INSTANT, nullable=False),
        sa.Column("entered_on", sa.Date(), nullable=False),
        sa.Column("left_at", INSTANT),
        sa.Column("left_on", sa.Date()),
        sa.Column("left_because", sa.Text()),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "state IN ('active', 'completed', 'exited', 'failed')", name=op.f("ck_enrolment_state_known")
        ),
        sa.CheckConstraint("(state = 'active') = (left_at IS NULL)", name=op.f("ck_enrolment_active_has_not_left")),
        sa.CheckConstraint("(left_at IS NULL) = (left_on IS NULL)", name=op.f("ck_enrolment_left_whole")),
        sa.CheckConstraint("left_at IS NULL OR wake_at IS NULL", name=op.f("ck_enrolment_left_sleeps")),
        sa.ForeignKeyConstraint(
            ["organisation_id", "journey_id", "version"],
            ["journey_version.organisation_id", "journey_version.journey_id", "journey_version.version"],
            name=op.f("fk_enrolment_journey_version"),
        ),
        _of_contact("enrolment"),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_enrolment")),
    )
    op.create_index(
        "uq_enrolment_occurrence",
        "enrolment",
        ["organisation_id", "journey_id", "contact_id", "occurrence"],
        unique=True,
    )
    op.create_index(
        "ix_enrolment_due",
        "enrolment",
        ["wake_at"],
        postgresql_where=sa.text("state = 'active' AND wake_at IS NOT NULL"),
    )
    op.create_index("ix_enrolment_contact", "enrolment", ["organisation_id", "contact_id", "journey_id"])
    op.create_index("ix_enrolment_version", "enrolment", ["organisation_id", "journey_id", "version", "state"])
    protect("enrolment")
