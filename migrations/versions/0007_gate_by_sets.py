"""The gate looks for a no at the other addresses of a person only, and lets the planner do so for all at once

Revision ID: 0007
Revises: 0006
"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Three things make this fast for one person and for a million alike. A permission that allows is no no itself, so only
# the other addresses are looked at, and few people have any: they have an index of their own. What a subquery compares
# with the outside stands in its WHERE, not in its ON, or PostgreSQL would run it once for each person. And an
# alternative (OR) around a subquery does the same, so that service mail is let through inside it.
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
          AND no.is_negative
        WHERE other.organisation_id = contact.organisation_id
          AND other.contact_id = contact.id
          AND other.kind = 'email'
          AND NOT other.is_primary
          AND no.channel = permission.channel
          AND no.purpose = permission.purpose)
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
    op.create_index(
        "ix_identity_secondary_email",
        "identity",
        ["organisation_id", "contact_id"],
        postgresql_include=["subject_key"],
        postgresql_where=sa.text("kind = 'email' AND NOT is_primary"),
    )
    op.execute("DROP VIEW contactable")
    op.execute(CONTACTABLE)


def downgrade() -> None:
    op.execute("DROP VIEW contactable")
    op.execute(str(import_module("migrations.versions.0003_consent_gate").CONTACTABLE))
    op.drop_index("ix_identity_secondary_email", table_name="identity")
