"""Several people may read one mailbox: one of them holds the address, and a no of any of them counts for its mail

Revision ID: 0049
Revises: 0048
"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

NOW = "COALESCE(NULLIF(current_setting('zaallicht.now', true), '')::timestamptz, now())"
HOUSE = "organisation_id"

# As it was, and two conditions more about the few addresses that several people read: whoever of them said no, or was
# suppressed, at any address of theirs, stops the mail to this one. Nobody else costs anything.
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
   AND (NOT identity.is_shared
        OR NOT EXISTS (
           SELECT FROM identity AS sharer
             JOIN identity AS theirs
               ON theirs.organisation_id = sharer.organisation_id
              AND theirs.contact_id = sharer.contact_id
              AND theirs.kind = 'email'
             JOIN permission AS no
               ON no.organisation_id = theirs.organisation_id
              AND no.subject_key = theirs.subject_key
            WHERE sharer.organisation_id = contact.organisation_id
              AND sharer.subject_key = identity.subject_key
              AND sharer.is_shared
              AND sharer.contact_id <> contact.id
              AND theirs.subject_key <> identity.subject_key
              AND no.channel = permission.channel
              AND no.purpose = permission.purpose
              AND (no.is_negative
                   OR no.paused_until > {NOW}
                   OR (no.is_allowed AND purpose.tightened_at IS NOT NULL))))
   AND (NOT identity.is_shared
        OR NOT EXISTS (
           SELECT FROM identity AS sharer
             JOIN identity AS theirs
               ON theirs.organisation_id = sharer.organisation_id
              AND theirs.contact_id = sharer.contact_id
              AND theirs.kind = 'email'
             JOIN suppression
               ON suppression.organisation_id = theirs.organisation_id
              AND suppression.address_hash = theirs.subject_key
            WHERE sharer.organisation_id = contact.organisation_id
              AND sharer.subject_key = identity.subject_key
              AND sharer.is_shared
              AND sharer.contact_id <> contact.id
              AND suppression.channel = permission.channel
              AND purpose.is_marketing))
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


# Post and phone reach a person and not a mailbox: of those who read one, the yes counts for who gave it.
OF_WHO_SAID_SO = (
    "   AND own.is_primary\n",
    "   AND own.is_primary\n   AND (NOT own.is_shared OR own.contact_id = proof.contact_id)\n",
)
CLEAR_SUPPRESSION = """
CREATE OR REPLACE FUNCTION clear_suppression() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.reason = 'erased' THEN
        INSERT INTO clearing (organisation_id, kind, subject_key, source, recorded_at)
        VALUES (NEW.organisation_id, 'erasure', NEW.address_hash, NEW.source, NEW.since)
            ON CONFLICT DO NOTHING;
    ELSE
        INSERT INTO clearing (organisation_id, kind, subject_key, contact_id, source, recorded_at)
        SELECT NEW.organisation_id, 'opt_out', address.key,
               (SELECT identity.contact_id FROM identity
                 WHERE identity.organisation_id = NEW.organisation_id AND identity.subject_key = address.key
                   AND identity.kind = 'email' AND identity.is_holder),
               NEW.source, NEW.since
          FROM addresses_of_person(NEW.organisation_id, NEW.address_hash) AS address (key);
    END IF;
    RETURN NULL;
END
$$
"""


def upgrade() -> None:
    for name, value in (("is_holder", "true"), ("is_shared", "false")):
        op.add_column("identity", sa.Column(name, sa.Boolean, nullable=False, server_default=sa.text(value)))
    op.create_check_constraint(
        op.f("ck_identity_only_mailboxes_are_shared"), "identity", "is_holder OR (kind = 'email' AND is_shared)"
    )
    op.drop_index("uq_identity_value", "identity")
    of_one, of_two = [HOUSE, "kind", "value_key"], [HOUSE, "kind", "value_key", "contact_id"]
    op.create_index("uq_identity_value", "identity", of_one, unique=True, postgresql_where=sa.text("is_holder"))
    op.create_index("uq_identity_guest", "identity", of_two, unique=True, postgresql_where=sa.text("NOT is_holder"))
    op.create_index("ix_identity_shared", "identity", [HOUSE, "subject_key"], postgresql_where=sa.text("is_shared"))
    op.execute(CLEAR_SUPPRESSION)
    _replace_gates(CONTACTABLE, _otherwise().replace(*OF_WHO_SAID_SO))


def downgrade() -> None:
    _replace_gates(import_module("migrations.versions.0027_gate_in_one_place").CONTACTABLE, _otherwise())
    op.execute(
        import_module("migrations.versions.0011_clearing").CLEAR_SUPPRESSION.replace("CREATE F", "CREATE OR REPLACE F")
    )
    # Who read somebody else's mailbox is known by the rest of what is known of them.
    op.execute(
        "UPDATE contact SET email = NULL FROM identity"
        " WHERE identity.organisation_id = contact.organisation_id AND identity.contact_id = contact.id"
        " AND identity.is_primary AND NOT identity.is_holder"
    )
    op.execute("DELETE FROM identity WHERE NOT is_holder")
    op.drop_index("ix_identity_shared", "identity")
    op.drop_index("uq_identity_guest", "identity")
    op.drop_index("uq_identity_value", "identity")
    op.create_index("uq_identity_value", "identity", [HOUSE, "kind", "value_key"], unique=True)
    op.drop_constraint(op.f("ck_identity_only_mailboxes_are_shared"), "identity")
    op.drop_column("identity", "is_shared")
    op.drop_column("identity", "is_holder")


def _otherwise() -> str:
    return str(import_module("migrations.versions.0025_gate_of_other_channels").CONTACTABLE_OTHERWISE)


def _replace_gates(contactable: str, otherwise: str) -> None:
    for name, definition in (("contactable", contactable), ("contactable_otherwise", otherwise)):
        op.execute(f"DROP VIEW {name}")
        op.execute(definition)
