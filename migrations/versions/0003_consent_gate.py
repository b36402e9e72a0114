"""The gate knows children, service mail and purposes that are switched off; a yes shows its wording

Revision ID: 0003
Revises: 0002
"""

from importlib import import_module

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# The ages are those of app/consent/countries.py; a test holds the two together.
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
       permission.decided_by,
       permission.valid_until
  FROM contact
  JOIN organisation
    ON organisation.id = contact.organisation_id
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
           > (SELECT COALESCE(NULLIF(current_setting('zaallicht.now', true), '')::timestamptz, now())))
  JOIN purpose
    ON purpose.organisation_id = permission.organisation_id
   AND purpose.code = permission.purpose
   AND purpose.is_active
 WHERE contact.state = 'living'
   AND NOT contact.is_restricted
   AND (NOT purpose.is_marketing
        OR NOT EXISTS (
           SELECT FROM suppression
            WHERE suppression.organisation_id = identity.organisation_id
              AND suppression.address_hash = identity.subject_key
              AND suppression.channel = permission.channel))
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
   AND (contact.birth_date IS NULL
        OR NOT purpose.is_marketing
        OR contact.birth_date + make_interval(years =>
             CASE upper(COALESCE(contact.country, organisation.country))
             WHEN 'BE' THEN 13 WHEN 'FR' THEN 15 ELSE 16 END)
           <= (SELECT COALESCE(NULLIF(current_setting('zaallicht.now', true), '')::timestamptz, now()))
              AT TIME ZONE organisation.time_zone
        OR EXISTS (
           SELECT FROM consent_event AS proof
            WHERE proof.organisation_id = permission.organisation_id
              AND proof.id = permission.decided_by
              AND proof.actor = 'guardian'
              AND proof.action = 'confirmed'))
"""


def upgrade() -> None:
    op.create_check_constraint(
        op.f("ck_consent_event_positive_has_notice"),
        "consent_event",
        "action NOT IN ('granted', 'confirmed') OR (notice_version_id IS NOT NULL AND occurred_at IS NOT NULL)",
    )
    op.create_check_constraint(
        op.f("ck_notice_version_wording_matches_hash"),
        "notice_version",
        "wording_sha256 = sha256(convert_to(wording, 'UTF8'))",
    )
    op.execute("DROP VIEW contactable")
    op.execute(CONTACTABLE)


def downgrade() -> None:
    op.execute("DROP VIEW contactable")
    op.execute(_view_of_0001())
    op.drop_constraint(op.f("ck_notice_version_wording_matches_hash"), "notice_version", type_="check")
    op.drop_constraint(op.f("ck_consent_event_positive_has_notice"), "consent_event", type_="check")


def _view_of_0001() -> str:
    return str(import_module("migrations.versions.0001_the_house").CONTACTABLE)
