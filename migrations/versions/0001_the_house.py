"""The house

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.tenancy import make_append_only, protect

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "suppression",
    "activity",
    "api_key",
    "audit_event",
    "connection",
    "contact",
    "import_job",
    "import_mapping",
    "permission",
    "purpose",
    "segment",
    "user_account",
    "audience",
    "identity",
    "import_problem",
    "inbox_item",
    "notice_version",
    "one_time_link",
    "participation",
    "pull_progress",
    "segment_membership",
    "sync_problem",
    "audience_member",
    "audience_run",
    "consent_event",
    "audience_run_result",
)

# The gate (consent.md): who may be contacted for a purpose over e-mail, now. A no spoken at any address of a contact
# counts for all of them; a suppression counts whatever the ledger says. It runs with the rights of whoever asks, so
# that row-level security holds. Deliverability is shown beside it and never mixed with permission.
CONTACTABLE = """
CREATE VIEW contactable WITH (security_invoker = true) AS
SELECT contact.organisation_id,
       contact.id AS contact_id,
       permission.channel,
       permission.purpose,
       identity.id AS identity_id,
       identity.subject_key,
       identity.deliverability NOT IN ('soft_bouncing', 'bouncing') AS is_deliverable,
       permission.basis,
       permission.since,
       permission.decided_by
  FROM contact
  JOIN identity
    ON identity.organisation_id = contact.organisation_id
   AND identity.contact_id = contact.id
   AND identity.kind = 'email'
   AND identity.is_primary
  JOIN permission
    ON permission.organisation_id = identity.organisation_id
   AND permission.subject_key = identity.subject_key
   AND permission.channel = 'email'
   AND permission.is_allowed
   AND (permission.valid_until IS NULL
        OR permission.valid_until
           > COALESCE(NULLIF(current_setting('zaallicht.now', true), '')::timestamptz, now()))
 WHERE contact.state = 'living'
   AND NOT contact.is_restricted
   AND NOT EXISTS (
       SELECT FROM suppression
        WHERE suppression.organisation_id = identity.organisation_id
          AND suppression.address_hash = identity.subject_key
          AND suppression.channel = permission.channel)
   AND NOT EXISTS (
       SELECT FROM identity AS other
         JOIN permission AS no
           ON no.organisation_id = other.organisation_id
          AND no.subject_key = other.subject_key
          AND no.channel = permission.channel
          AND no.purpose = permission.purpose
          AND no.is_negative
        WHERE other.organisation_id = contact.organisation_id
          AND other.contact_id = contact.id)
"""


def _make_functions() -> None:
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'rows of % are facts: they are never changed or removed', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END
        $$
        """
    )


def upgrade() -> None:
    op.create_table(
        "directory",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("lookup_hash", sa.LargeBinary(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('organisation', 'login', 'api_key', 'connection', 'link')", name=op.f("ck_directory_kind_known")
        ),
        sa.PrimaryKeyConstraint("kind", "lookup_hash", "organisation_id", "target_id", name=op.f("pk_directory")),
    )
    op.create_index("ix_directory_target", "directory", ["organisation_id", "kind", "target_id"], unique=False)
    op.create_table(
        "heartbeat",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeat")),
    )
    op.create_table(
        "login_attempt",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("bucket_hash", sa.LargeBinary(), nullable=False),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_attempt")),
    )
    op.create_index("ix_login_attempt_bucket", "login_attempt", ["bucket_hash", "attempted_at"], unique=False)
    op.create_table(
        "organisation",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("legal_name", sa.Text(), nullable=True),
        sa.Column("legal_address", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("hash_key_id", sa.Integer(), nullable=False),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("country IN ('BE', 'NL', 'LU', 'DE', 'FR')", name=op.f("ck_organisation_country_known")),
        sa.CheckConstraint("language IN ('nl', 'fr', 'en')", name=op.f("ck_organisation_language_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisation")),
    )
    op.create_table(
        "suppression",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("address_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash_key_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "channel IN ('email', 'sms', 'post', 'phone', 'ads')", name=op.f("ck_suppression_channel_known")
        ),
        sa.PrimaryKeyConstraint("organisation_id", "address_hash", "channel", name=op.f("pk_suppression")),
    )
    op.create_table(
        "activity",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="performance", nullable=False),
        sa.Column("genres", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("series", sa.Text(), nullable=True),
        sa.Column("venue", sa.Text(), nullable=True),
        sa.Column("audiences", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("is_cancelled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_activity_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_activity")),
    )
    op.create_index("ix_activity_genres", "activity", ["genres"], unique=False, postgresql_using="gin")
    op.create_index("ix_activity_starts", "activity", ["organisation_id", "starts_on"], unique=False)
    op.create_index("uq_activity_external", "activity", ["organisation_id", "source", "external_id"], unique=True)
    op.create_table(
        "api_key",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_api_key_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("organisation_id", "key_hash", name=op.f("uq_api_key_organisation_id_key_hash")),
    )
    op.create_table(
        "audit_event",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=True),
        sa.Column("subject_id", sa.BigInteger(), nullable=True),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint(
            "actor_kind IN ('user', 'api_key', 'system', 'command', 'contact')",
            name=op.f("ck_audit_event_actor_kind_known"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_audit_event_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_audit_event")),
    )
    op.create_index(
        "ix_audit_event_subject", "audit_event", ["organisation_id", "subject_kind", "subject_id"], unique=False
    )
    op.create_table(
        "connection",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("secrets_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("token_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("hook_secret_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.Column("last_ok_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("next_run_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('source', 'destination')", name=op.f("ck_connection_kind_known")),
        sa.CheckConstraint(
            "state IN ('active', 'paused', 'failing', 'removed')", name=op.f("ck_connection_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_connection_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_connection")),
    )
    op.create_table(
        "contact",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("state", sa.Text(), server_default="living", nullable=False),
        sa.Column("merged_into_id", sa.BigInteger(), nullable=True),
        sa.Column("is_restricted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("given_name", sa.Text(), nullable=True),
        sa.Column("family_name", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("gender", sa.Text(), nullable=True),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column(
            "birth_month_day",
            sa.SmallInteger(),
            sa.Computed(
                "(date_part('month', birth_date) * 100 + date_part('day', birth_date))::smallint", persisted=True
            ),
            nullable=True,
        ),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("street", sa.Text(), nullable=True),
        sa.Column("postcode", sa.Text(), nullable=True),
        sa.Column("municipality", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column(
            "attributes", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(state = 'merged') = (merged_into_id IS NOT NULL)", name=op.f("ck_contact_merged_has_target")
        ),
        sa.CheckConstraint("state IN ('living', 'merged', 'erased')", name=op.f("ck_contact_state_known")),
        sa.ForeignKeyConstraint(
            ["organisation_id", "merged_into_id"],
            ["contact.organisation_id", "contact.id"],
            name=op.f("fk_contact_contact"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_contact_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_contact")),
    )
    op.create_index(
        "ix_contact_birthday",
        "contact",
        ["organisation_id", "birth_month_day"],
        unique=False,
        postgresql_where=sa.text("state = 'living'"),
    )
    op.create_index(
        "ix_contact_family_name",
        "contact",
        ["organisation_id", sa.literal_column("lower(family_name)"), "id"],
        unique=False,
    )
    op.create_index(
        "ix_contact_postcode",
        "contact",
        ["organisation_id", "postcode"],
        unique=False,
        postgresql_where=sa.text("state = 'living'"),
    )
    op.create_index("ix_contact_tags", "contact", ["tags"], unique=False, postgresql_using="gin")
    op.create_index("ix_contact_updated", "contact", ["organisation_id", "updated_at", "id"], unique=False)
    op.create_table(
        "import_job",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("preset", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("content_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("reading", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("mapping", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("rows_total", sa.Integer(), nullable=True),
        sa.Column("rows_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('contacts', 'participations')", name=op.f("ck_import_job_kind_known")),
        sa.CheckConstraint(
            "state IN ('uploaded', 'checking', 'checked', 'queued', 'running', 'done', 'failed', 'cancelled')",
            name=op.f("ck_import_job_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_import_job_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_import_job")),
    )
    op.create_index("ix_import_job_waiting", "import_job", ["organisation_id", "state", "id"], unique=False)
    op.create_table(
        "import_mapping",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("headers_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("preset", sa.Text(), nullable=False),
        sa.Column("mapping", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_import_mapping_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "kind", "headers_sha256", name=op.f("pk_import_mapping")),
    )
    op.create_table(
        "permission",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("subject_key", sa.LargeBinary(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("is_allowed", sa.Boolean(), nullable=False),
        sa.Column("is_negative", sa.Boolean(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("NOT (is_allowed AND is_negative)", name=op.f("ck_permission_never_both")),
        sa.CheckConstraint(
            "NOT is_allowed OR (basis IS NOT NULL AND decided_by IS NOT NULL)",
            name=op.f("ck_permission_allowed_has_proof"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_permission_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "subject_key", "channel", "purpose", name=op.f("pk_permission")),
    )
    op.create_table(
        "purpose",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("names", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("allowed_bases", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("is_marketing", sa.Boolean(), nullable=False),
        sa.Column("needs_confirmation", sa.Boolean(), nullable=False),
        sa.Column("retention_days", sa.Integer(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_purpose_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "code", name=op.f("pk_purpose")),
    )
    op.create_table(
        "segment",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("rule", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("evaluated_on", sa.Date(), nullable=True),
        sa.Column("evaluated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("evaluated_version", sa.Integer(), nullable=True),
        sa.Column("member_count", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_segment_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_segment")),
    )
    op.create_index("uq_segment_name", "segment", ["organisation_id", sa.literal_column("lower(name)")], unique=True)
    op.create_table(
        "user_account",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("session_version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("language IN ('nl', 'fr', 'en')", name=op.f("ck_user_account_language_known")),
        sa.CheckConstraint(
            "role IN ('admin', 'marketer', 'analyst', 'viewer')", name=op.f("ck_user_account_role_known")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_user_account_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_user_account")),
    )
    op.create_index("uq_user_account_email", "user_account", ["organisation_id", "email"], unique=True)
    op.create_table(
        "audience",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("segment_id", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("list_ref", sa.Text(), nullable=False),
        sa.Column("list_name", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("tag_ref", sa.Text(), nullable=True),
        sa.Column("field_mapping", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("brake_pct", sa.Integer(), server_default="20", nullable=False),
        sa.Column("state", sa.Text(), server_default="draft", nullable=False),
        sa.Column("opt_outs_pulled_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_run_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('draft', 'active', 'paused', 'removed')", name=op.f("ck_audience_state_known")),
        sa.CheckConstraint("brake_pct BETWEEN 1 AND 100", name=op.f("ck_audience_brake_is_percentage")),
        sa.ForeignKeyConstraint(
            ["organisation_id", "connection_id"],
            ["connection.organisation_id", "connection.id"],
            name=op.f("fk_audience_connection"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "purpose"],
            ["purpose.organisation_id", "purpose.code"],
            name=op.f("fk_audience_purpose"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "segment_id"],
            ["segment.organisation_id", "segment.id"],
            name=op.f("fk_audience_segment"),
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_audience")),
    )
    op.create_index("uq_audience_name", "audience", ["organisation_id", sa.literal_column("lower(name)")], unique=True)
    op.create_index("uq_audience_tag", "audience", ["organisation_id", "connection_id", "list_ref", "tag"], unique=True)
    op.create_table(
        "identity",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("value_key", sa.Text(), nullable=False),
        sa.Column("subject_key", sa.LargeBinary(), nullable=True),
        sa.Column("is_primary", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("deliverability", sa.Text(), server_default="unknown", nullable=False),
        sa.Column("bounced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "deliverability IN ('unknown', 'working', 'soft_bouncing', 'bouncing')",
            name=op.f("ck_identity_deliverability"),
        ),
        sa.CheckConstraint(
            "kind <> 'email' OR subject_key IS NOT NULL", name=op.f("ck_identity_email_has_subject_key")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "contact_id"],
            ["contact.organisation_id", "contact.id"],
            name=op.f("fk_identity_contact"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_identity")),
    )
    op.create_index("ix_identity_contact", "identity", ["organisation_id", "contact_id"], unique=False)
    op.create_index("ix_identity_subject", "identity", ["organisation_id", "subject_key"], unique=False)
    op.create_index(
        "uq_identity_primary_email",
        "identity",
        ["organisation_id", "contact_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'email' AND is_primary"),
        postgresql_include=["subject_key", "deliverability"],
    )
    op.create_index("uq_identity_value", "identity", ["organisation_id", "kind", "value_key"], unique=True)
    op.create_table(
        "import_problem",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("row_number", sa.Integer(), nullable=False),
        sa.Column("column_name", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("is_warning", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "job_id"],
            ["import_job.organisation_id", "import_job.id"],
            name=op.f("fk_import_problem_import_job"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "organisation_id", "job_id", "row_number", "column_name", name=op.f("pk_import_problem")
        ),
    )
    op.create_table(
        "inbox_item",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("dedupe_key", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem_code", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'done', 'ignored', 'dead')", name=op.f("ck_inbox_item_state_known")),
        sa.ForeignKeyConstraint(
            ["organisation_id", "connection_id"],
            ["connection.organisation_id", "connection.id"],
            name=op.f("fk_inbox_item_connection"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_inbox_item")),
    )
    op.create_index(
        "ix_inbox_item_waiting",
        "inbox_item",
        ["organisation_id", "next_try_at"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "uq_inbox_item_dedupe",
        "inbox_item",
        ["organisation_id", "connection_id", "dedupe_key"],
        unique=True,
        postgresql_where=sa.text("dedupe_key IS NOT NULL"),
    )
    op.create_table(
        "notice_version",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("wording", sa.Text(), nullable=False),
        sa.Column("wording_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("octet_length(wording_sha256) = 32", name=op.f("ck_notice_version_hash_length")),
        sa.ForeignKeyConstraint(
            ["organisation_id", "purpose"],
            ["purpose.organisation_id", "purpose.code"],
            name=op.f("fk_notice_version_purpose"),
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_notice_version")),
        sa.UniqueConstraint(
            "organisation_id",
            "purpose",
            "language",
            "wording_sha256",
            name=op.f("uq_notice_version_organisation_id_purpose_language_wording_sha256"),
        ),
    )
    op.create_table(
        "one_time_link",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("purpose IN ('invitation', 'password_reset')", name=op.f("ck_one_time_link_purpose_known")),
        sa.ForeignKeyConstraint(
            ["organisation_id", "user_id"],
            ["user_account.organisation_id", "user_account.id"],
            name=op.f("fk_one_time_link_user_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_one_time_link")),
        sa.UniqueConstraint("organisation_id", "token_hash", name=op.f("uq_one_time_link_organisation_id_token_hash")),
    )
    op.create_table(
        "participation",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("activity_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="ticket", nullable=False),
        sa.Column("status", sa.Text(), server_default="booked", nullable=False),
        sa.Column(
            "is_valid",
            sa.Boolean(),
            sa.Computed("status NOT IN ('cancelled', 'refunded')", persisted=True),
            nullable=False,
        ),
        sa.Column("quantity", sa.Integer(), server_default="1", nullable=False),
        sa.Column("amount", sa.Numeric(precision=12, scale=2), nullable=True),
        sa.Column("currency", sa.Text(), server_default="EUR", nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("activity_on", sa.Date(), nullable=False),
        sa.Column("attended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('booked', 'attended', 'cancelled', 'refunded', 'pending')",
            name=op.f("ck_participation_status_known"),
        ),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_participation_quantity_counts")),
        sa.ForeignKeyConstraint(
            ["organisation_id", "activity_id"],
            ["activity.organisation_id", "activity.id"],
            name=op.f("fk_participation_activity"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "contact_id"],
            ["contact.organisation_id", "contact.id"],
            name=op.f("fk_participation_contact"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_participation")),
    )
    op.create_index("ix_participation_activity", "participation", ["organisation_id", "activity_id"], unique=False)
    op.create_index(
        "ix_participation_history",
        "participation",
        ["organisation_id", "contact_id", "activity_on"],
        unique=False,
        postgresql_include=["booked_on", "activity_id", "quantity", "amount"],
        postgresql_where=sa.text("is_valid"),
    )
    op.create_index(
        "uq_participation_external", "participation", ["organisation_id", "source", "external_id"], unique=True
    )
    op.create_table(
        "pull_progress",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("cursor", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("rows_total", sa.Integer(), nullable=True),
        sa.Column("rows_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id", "connection_id"],
            ["connection.organisation_id", "connection.id"],
            name=op.f("fk_pull_progress_connection"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "connection_id", "stream", name=op.f("pk_pull_progress")),
    )
    op.create_table(
        "segment_membership",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("segment_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_on", sa.Date(), nullable=False),
        sa.Column("entered_because", sa.Text(), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("left_on", sa.Date(), nullable=True),
        sa.Column("left_because", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "entered_because IN ('data', 'time', 'rule')", name=op.f("ck_segment_membership_entered_because_known")
        ),
        sa.CheckConstraint(
            "left_because IN ('data', 'time', 'rule')", name=op.f("ck_segment_membership_left_because_known")
        ),
        sa.CheckConstraint("(left_at IS NULL) = (left_on IS NULL)", name=op.f("ck_segment_membership_left_whole")),
        sa.ForeignKeyConstraint(
            ["organisation_id", "contact_id"],
            ["contact.organisation_id", "contact.id"],
            name=op.f("fk_segment_membership_contact"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "segment_id"],
            ["segment.organisation_id", "segment.id"],
            name=op.f("fk_segment_membership_segment"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "organisation_id", "segment_id", "contact_id", "entered_at", name=op.f("pk_segment_membership")
        ),
    )
    op.create_index(
        "ix_segment_membership_contact", "segment_membership", ["organisation_id", "contact_id"], unique=False
    )
    op.create_index(
        "ix_segment_membership_entered",
        "segment_membership",
        ["organisation_id", "segment_id", "entered_at"],
        unique=False,
    )
    op.create_index(
        "ix_segment_membership_left", "segment_membership", ["organisation_id", "segment_id", "left_at"], unique=False
    )
    op.create_index(
        "uq_segment_membership_open",
        "segment_membership",
        ["organisation_id", "segment_id", "contact_id"],
        unique=True,
        postgresql_where=sa.text("left_at IS NULL"),
    )
    op.create_table(
        "sync_problem",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "connection_id"],
            ["connection.organisation_id", "connection.id"],
            name=op.f("fk_sync_problem_connection"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "organisation_id", "connection_id", "stream", "external_id", name=op.f("pk_sync_problem")
        ),
    )
    op.create_table(
        "audience_member",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("audience_id", sa.BigInteger(), nullable=False),
        sa.Column("subject_key", sa.LargeBinary(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("refusal_code", sa.Text(), nullable=True),
        sa.Column("pushed_sha256", sa.LargeBinary(), nullable=True),
        sa.Column("permission_event_id", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state = 'out' OR address IS NOT NULL", name=op.f("ck_audience_member_address_while_needed")
        ),
        sa.CheckConstraint(
            "state IN ('claimed', 'in', 'out', 'refused', 'uncertain')", name=op.f("ck_audience_member_state_known")
        ),
        sa.CheckConstraint(
            "state NOT IN ('claimed', 'in') OR permission_event_id IS NOT NULL",
            name=op.f("ck_audience_member_push_has_decision"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "audience_id"],
            ["audience.organisation_id", "audience.id"],
            name=op.f("fk_audience_member_audience"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "audience_id", "subject_key", name=op.f("pk_audience_member")),
    )
    op.create_index("ix_audience_member_contact", "audience_member", ["organisation_id", "contact_id"], unique=False)
    op.create_table(
        "audience_run",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("audience_id", sa.BigInteger(), nullable=False),
        sa.Column("is_dry", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("confirmed_by", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('running', 'planned', 'braked', 'done', 'failed', 'abandoned')",
            name=op.f("ck_audience_run_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "audience_id"],
            ["audience.organisation_id", "audience.id"],
            name=op.f("fk_audience_run_audience"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_audience_run")),
    )
    op.create_index("ix_audience_run_audience", "audience_run", ["organisation_id", "audience_id", "id"], unique=False)
    op.create_table(
        "consent_event",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("subject_key", sa.LargeBinary(), nullable=False),
        sa.Column("hash_key_id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("notice_version_id", sa.BigInteger(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column(
            "evidence", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "action IN ('requested', 'granted', 'confirmed', 'withdrawn', 'objected', 'refused', 'expired', 'invalidated', 'noted')",
            name=op.f("ck_consent_event_action_known"),
        ),
        sa.CheckConstraint(
            "action NOT IN ('granted', 'confirmed') OR basis IS NOT NULL",
            name=op.f("ck_consent_event_positive_names_its_basis"),
        ),
        sa.CheckConstraint(
            "actor IN ('contact', 'guardian', 'staff', 'system', 'import', 'api')",
            name=op.f("ck_consent_event_actor_known"),
        ),
        sa.CheckConstraint(
            "basis IS NULL OR basis IN ('consent', 'soft_opt_in', 'impersonal_address', 'service')",
            name=op.f("ck_consent_event_basis_known"),
        ),
        sa.CheckConstraint(
            "channel IN ('email', 'sms', 'post', 'phone', 'ads')", name=op.f("ck_consent_event_channel_known")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "notice_version_id"],
            ["notice_version.organisation_id", "notice_version.id"],
            name=op.f("fk_consent_event_notice_version"),
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_consent_event")),
    )
    op.create_index("ix_consent_event_contact", "consent_event", ["organisation_id", "contact_id", "id"], unique=False)
    op.create_index(
        "ix_consent_event_subject", "consent_event", ["organisation_id", "subject_key", "channel", "id"], unique=False
    )
    op.create_index(
        "uq_consent_event_external",
        "consent_event",
        ["organisation_id", "source", "external_id"],
        unique=True,
        postgresql_where=sa.text("external_id IS NOT NULL"),
    )
    op.create_table(
        "audience_run_result",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("subject_key", sa.LargeBinary(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "action IN ('add', 'update', 'remove', 'unsubscribe', 'opt_out')",
            name=op.f("ck_audience_run_result_action_known"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "run_id"],
            ["audience_run.organisation_id", "audience_run.id"],
            name=op.f("fk_audience_run_result_audience_run"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "organisation_id", "run_id", "subject_key", "action", name=op.f("pk_audience_run_result")
        ),
    )
    _make_functions()
    protect("organisation", key="id")
    for table in TABLES:
        protect(table)
    make_append_only("consent_event")
    make_append_only("audit_event")
    op.execute(CONTACTABLE)


def downgrade() -> None:
    op.execute("DROP VIEW contactable")
    op.drop_table("audience_run_result")
    op.drop_index(
        "uq_consent_event_external", table_name="consent_event", postgresql_where=sa.text("external_id IS NOT NULL")
    )
    op.drop_index("ix_consent_event_subject", table_name="consent_event")
    op.drop_index("ix_consent_event_contact", table_name="consent_event")
    op.drop_table("consent_event")
    op.drop_index("ix_audience_run_audience", table_name="audience_run")
    op.drop_table("audience_run")
    op.drop_index("ix_audience_member_contact", table_name="audience_member")
    op.drop_table("audience_member")
    op.drop_table("sync_problem")
    op.drop_index(
        "uq_segment_membership_open", table_name="segment_membership", postgresql_where=sa.text("left_at IS NULL")
    )
    op.drop_index("ix_segment_membership_left", table_name="segment_membership")
    op.drop_index("ix_segment_membership_entered", table_name="segment_membership")
    op.drop_index("ix_segment_membership_contact", table_name="segment_membership")
    op.drop_table("segment_membership")
    op.drop_table("pull_progress")
    op.drop_index("uq_participation_external", table_name="participation")
    op.drop_index(
        "ix_participation_history",
        table_name="participation",
        postgresql_include=["booked_on", "activity_id", "quantity", "amount"],
        postgresql_where=sa.text("is_valid"),
    )
    op.drop_index("ix_participation_activity", table_name="participation")
    op.drop_table("participation")
    op.drop_table("one_time_link")
    op.drop_table("notice_version")
    op.drop_index("uq_inbox_item_dedupe", table_name="inbox_item", postgresql_where=sa.text("dedupe_key IS NOT NULL"))
    op.drop_index("ix_inbox_item_waiting", table_name="inbox_item", postgresql_where=sa.text("state = 'waiting'"))
    op.drop_table("inbox_item")
    op.drop_table("import_problem")
    op.drop_index("uq_identity_value", table_name="identity")
    op.drop_index(
        "uq_identity_primary_email",
        table_name="identity",
        postgresql_where=sa.text("kind = 'email' AND is_primary"),
        postgresql_include=["subject_key", "deliverability"],
    )
    op.drop_index("ix_identity_subject", table_name="identity")
    op.drop_index("ix_identity_contact", table_name="identity")
    op.drop_table("identity")
    op.drop_index("uq_audience_tag", table_name="audience")
    op.drop_index("uq_audience_name", table_name="audience")
    op.drop_table("audience")
    op.drop_index("uq_user_account_email", table_name="user_account")
    op.drop_table("user_account")
    op.drop_index("uq_segment_name", table_name="segment")
    op.drop_table("segment")
    op.drop_table("purpose")
    op.drop_table("permission")
    op.drop_table("import_mapping")
    op.drop_index("ix_import_job_waiting", table_name="import_job")
    op.drop_table("import_job")
    op.drop_index("ix_contact_updated", table_name="contact")
    op.drop_index("ix_contact_tags", table_name="contact", postgresql_using="gin")
    op.drop_index("ix_contact_postcode", table_name="contact", postgresql_where=sa.text("state = 'living'"))
    op.drop_index("ix_contact_family_name", table_name="contact")
    op.drop_index("ix_contact_birthday", table_name="contact", postgresql_where=sa.text("state = 'living'"))
    op.drop_table("contact")
    op.drop_table("connection")
    op.drop_index("ix_audit_event_subject", table_name="audit_event")
    op.drop_table("audit_event")
    op.drop_table("api_key")
    op.drop_index("uq_activity_external", table_name="activity")
    op.drop_index("ix_activity_starts", table_name="activity")
    op.drop_index("ix_activity_genres", table_name="activity", postgresql_using="gin")
    op.drop_table("activity")
    op.drop_table("suppression")
    op.drop_table("organisation")
    op.drop_index("ix_login_attempt_bucket", table_name="login_attempt")
    op.drop_table("login_attempt")
    op.drop_table("heartbeat")
    op.drop_index("ix_directory_target", table_name="directory")
    op.drop_table("directory")
    op.execute("DROP FUNCTION refuse_change()")
