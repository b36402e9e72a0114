"""The gate answers for post, phone, SMS and advertisements too, also about people who have no e-mail address

Revision ID: 0025
Revises: 0024
"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

FITS = str(import_module("migrations.versions.0024_rules_that_change").FITS)
NOW = "(SELECT COALESCE(NULLIF(current_setting('zaallicht.now', true), '')::timestamptz, now()))"

# A relation of its own: the one for e-mail is joined for a million people at once and must stay flat. Few permissions
# are about another channel, and they have an index of their own, so that this one begins with them. Who has an e-mail
# address is known by it on every channel; who has none is known by the facts of the ledger about them.
CONTACTABLE_OTHERWISE = f"""
CREATE VIEW contactable_otherwise WITH (security_invoker = true) AS
SELECT contact.organisation_id,
       contact.id AS contact_id,
       permission.channel,
       permission.purpose,
       own.id AS identity_id,
       permission.subject_key,
       CASE permission.channel
            WHEN 'post' THEN contact.street IS NOT NULL
            WHEN 'ads' THEN own.id IS NOT NULL
            ELSE contact.phone IS NOT NULL END AS is_deliverable,
       permission.basis,
       permission.since,
       permission.decided_by,
       permission.valid_until
  FROM permission
  JOIN purpose
    ON purpose.organisation_id = permission.organisation_id
   AND purpose.code = permission.purpose
   AND purpose.is_active
  JOIN consent_event AS proof
    ON proof.organisation_id = permission.organisation_id
   AND proof.id = permission.decided_by
  LEFT JOIN identity AS own
    ON own.organisation_id = permission.organisation_id
   AND own.subject_key = permission.subject_key
   AND own.kind = 'email'
   AND own.is_primary
  JOIN contact
    ON contact.organisation_id = permission.organisation_id
   AND contact.id = COALESCE(own.contact_id, proof.contact_id)
  JOIN organisation
    ON organisation.id = contact.organisation_id
 WHERE permission.channel <> 'email'
   AND permission.is_allowed
   AND (permission.valid_until IS NULL OR permission.valid_until > {NOW})
   AND contact.state = 'living'
   AND NOT contact.is_restricted
{FITS}   AND (own.id IS NOT NULL
        OR NOT EXISTS (
           SELECT FROM identity AS held
            WHERE held.organisation_id = contact.organisation_id
              AND held.contact_id = contact.id
              AND held.kind = 'email'))
   AND NOT EXISTS (
       SELECT FROM permission AS no
        WHERE no.organisation_id = contact.organisation_id
          AND no.channel = permission.channel
          AND no.purpose = permission.purpose
          AND (no.is_negative
               OR no.paused_until > {NOW}
               OR (no.is_allowed AND purpose.tightened_at IS NOT NULL AND no.subject_key <> permission.subject_key))
          AND (no.subject_key = permission.subject_key
               OR no.subject_key IN (
                  SELECT held.subject_key FROM identity AS held
                   WHERE held.organisation_id = contact.organisation_id
                     AND held.contact_id = contact.id
                     AND held.kind = 'email')
               OR (own.id IS NULL AND no.subject_key IN (
                  SELECT said.subject_key FROM consent_event AS said
                   WHERE said.organisation_id = contact.organisation_id
                     AND said.contact_id = contact.id))))
   AND NOT EXISTS (
       SELECT FROM suppression
        WHERE suppression.organisation_id = contact.organisation_id
          AND suppression.channel = permission.channel
          AND purpose.is_marketing
          AND (suppression.address_hash = permission.subject_key
               OR suppression.address_hash IN (
                  SELECT held.subject_key FROM identity AS held
                   WHERE held.organisation_id = contact.organisation_id
                     AND held.contact_id = contact.id
                     AND held.kind = 'email')
               OR (own.id IS NULL AND suppression.address_hash IN (
                  SELECT said.subject_key FROM consent_event AS said
                   WHERE said.organisation_id = contact.organisation_id
                     AND said.contact_id = contact.id))))
   AND (contact.birth_date IS NULL
        OR NOT purpose.is_marketing
        OR contact.birth_date + make_interval(years =>
             CASE upper(COALESCE(contact.country, organisation.country))
             WHEN 'BE' THEN 13 WHEN 'FR' THEN 15 ELSE 16 END)
           <= {NOW} AT TIME ZONE organisation.time_zone
        OR (proof.actor = 'guardian' AND proof.action = 'confirmed'))
"""


def upgrade() -> None:
    op.create_index(
        "ix_permission_otherwise",
        "permission",
        ["organisation_id", "channel", "purpose"],
        postgresql_where=sa.text("channel <> 'email'"),
    )
    op.execute(CONTACTABLE_OTHERWISE)


def downgrade() -> None:
    op.execute("DROP VIEW contactable_otherwise")
    op.drop_index("ix_permission_otherwise", table_name="permission")
