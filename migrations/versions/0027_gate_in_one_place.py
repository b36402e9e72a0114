"""The gate for e-mail, written out whole: looking at other addresses for everybody at once again

Revision ID: 0027
Revises: 0026
"""

from importlib import import_module

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

NOW = "COALESCE(NULLIF(current_setting('zaallicht.now', true), '')::timestamptz, now())"

# Two things keep PostgreSQL able to look at the other addresses of a million people in one join, and not once for each:
# what a subquery compares with the outside stands in its WHERE, not in its ON; and it holds no subquery of its own, so
# that "now" is spelled out there. While ``tightened_at`` stands, a stored yes must also fit the rules as they are now.
CONTACTABLE = f"""
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
   AND (permission.paused_until IS NULL OR permission.paused_until <= (SELECT {NOW}))
   AND (permission.valid_until IS NULL OR permission.valid_until > (SELECT {NOW}))
  JOIN purpose
    ON purpose.organisation_id = permission.organisation_id
   AND purpose.code = permission.purpose
   AND purpose.is_active
 WHERE contact.state = 'living'
   AND NOT contact.is_restricted
   AND (purpose.tightened_at IS NULL
        OR (permission.basis = ANY (purpose.allowed_bases)
            AND (permission.basis <> 'impersonal_address' OR organisation.country = 'BE')
            AND (purpose.retention_days IS NULL
                 OR permission.since + make_interval(hours => 24 * purpose.retention_days) > (SELECT {NOW}))
            AND (permission.basis <> 'consent'
                 OR NOT purpose.needs_confirmation
                 OR EXISTS (
                    SELECT FROM consent_event AS said
                     WHERE said.organisation_id = permission.organisation_id
                       AND said.id = permission.decided_by
                       AND said.action = 'confirmed'))))
   AND NOT EXISTS (
       SELECT FROM suppression
        WHERE suppression.organisation_id = identity.organisation_id
          AND suppression.address_hash = identity.subject_key
          AND suppression.channel = permission.channel
          AND purpose.is_marketing)
   AND NOT EXISTS (
       SELECT FROM identity AS other
         JOIN permission AS no
           ON no.organisation_id = other.organisation_id
          AND no.subject_key = other.subject_key
        WHERE other.organisation_id = contact.organisation_id
          AND other.contact_id = contact.id
          AND other.kind = 'email'
          AND NOT other.is_primary
          AND no.channel = permission.channel
          AND no.purpose = permission.purpose
          AND (no.is_negative
               OR no.paused_until > {NOW}
               OR (no.is_allowed AND purpose.tightened_at IS NOT NULL)))
   AND NOT EXISTS (
       SELECT FROM identity AS other
         JOIN suppression
           ON suppression.organisation_id = other.organisation_id
          AND suppression.address_hash = other.subject_key
        WHERE other.organisation_id = contact.organisation_id
          AND other.contact_id = contact.id
          AND other.kind = 'email'
          AND NOT other.is_primary
          AND suppression.channel = permission.channel
          AND purpose.is_marketing)
   AND (contact.birth_date IS NULL
        OR NOT purpose.is_marketing
        OR contact.birth_date + make_interval(years =>
             CASE upper(COALESCE(contact.country, organisation.country))
             WHEN 'BE' THEN 13 WHEN 'FR' THEN 15 ELSE 16 END)
           <= (SELECT {NOW}) AT TIME ZONE organisation.time_zone
        OR EXISTS (
           SELECT FROM consent_event AS proof
            WHERE proof.organisation_id = permission.organisation_id
              AND proof.id = permission.decided_by
              AND proof.actor = 'guardian'
              AND proof.action = 'confirmed'))
"""


def upgrade() -> None:
    op.execute("DROP VIEW contactable")
    op.execute(CONTACTABLE)


def downgrade() -> None:
    op.execute("DROP VIEW contactable")
    op.execute(str(import_module("migrations.versions.0024_rules_that_change")._view()))
