"""The clearing house: every no and every erasure travels to every connected system

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

from migrations.tenancy import protect

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
OPEN = "state IN ('pending', 'failing')"

# A no, for every address of the person: any of them may be the one a list knows. Where it came from a list itself
# (only our own reading says so), that is its origin; the person's other addresses have none.
CLEAR_NO = """
CREATE FUNCTION clear_no() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_from_list boolean := NEW.actor = 'system' AND NEW.method = 'destination'
        AND COALESCE(NEW.evidence ->> 'connection', '') ~ '^[0-9]{1,18}$';
BEGIN
    IF NEW.purpose IS NOT NULL AND NOT EXISTS (
        SELECT FROM purpose
         WHERE purpose.organisation_id = NEW.organisation_id AND purpose.code = NEW.purpose
           AND purpose.is_marketing AND purpose.code NOT IN ('track_open', 'track_click'))
    THEN
        RETURN NULL;
    END IF;
    INSERT INTO clearing (organisation_id, kind, subject_key, contact_id, purpose, event_id, source,
                          origin_connection_id, origin_list_ref, recorded_at)
    SELECT NEW.organisation_id, 'opt_out', address.key, NEW.contact_id, NEW.purpose, NEW.id, NEW.source,
           CASE WHEN is_from_list AND address.key = NEW.subject_key THEN (NEW.evidence ->> 'connection')::bigint END,
           CASE WHEN is_from_list AND address.key = NEW.subject_key THEN NEW.evidence ->> 'list' END,
           NEW.recorded_at
      FROM addresses_of_person(NEW.organisation_id, NEW.subject_key) AS address (key)
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$
"""
CLEAR_SUPPRESSION = """
CREATE FUNCTION clear_suppression() RETURNS trigger LANGUAGE plpgsql AS $$
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
                   AND identity.kind = 'email'),
               NEW.source, NEW.since
          FROM addresses_of_person(NEW.organisation_id, NEW.address_hash) AS address (key);
    END IF;
    RETURN NULL;
END
$$
"""
ADDRESSES_OF_PERSON = """
CREATE FUNCTION addresses_of_person(house integer, subject bytea) RETURNS TABLE (key bytea)
LANGUAGE sql STABLE AS $$
    SELECT subject
     UNION
    SELECT other.subject_key
      FROM identity AS one
      JOIN identity AS other
        ON other.organisation_id = one.organisation_id AND other.contact_id = one.contact_id AND other.kind = 'email'
     WHERE one.organisation_id = house AND one.subject_key = subject AND one.kind = 'email'
$$
"""
# What came from the only list of a system is known there. What was found there again concerns that system alone.
# A source has no place for a no: none of those we can read takes one.
SPREAD_CLEARING = """
CREATE FUNCTION spread_clearing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO clearance (organisation_id, clearing_id, connection_id, state, outcome, next_try_at, acknowledged_at)
    SELECT NEW.organisation_id, NEW.id, each.id, each.state,
           CASE each.state WHEN 'acknowledged' THEN 'came_from_there' WHEN 'not_possible' THEN 'no_place_there' END,
           NEW.recorded_at, CASE each.state WHEN 'acknowledged' THEN NEW.recorded_at END
      FROM (SELECT connection.id,
                   CASE WHEN connection.kind = 'source' THEN 'not_possible'
                        WHEN NEW.kind = 'opt_out' AND connection.id = NEW.origin_connection_id AND NEW.origin_list_ref = (
                            SELECT min(known.list_ref) FROM destination_list AS known
                             WHERE known.organisation_id = NEW.organisation_id AND known.connection_id = connection.id
                               AND known.gone_at IS NULL
                            HAVING count(*) = 1)
                        THEN 'acknowledged'
                        ELSE 'pending' END AS state
              FROM connection
             WHERE connection.organisation_id = NEW.organisation_id AND connection.state <> 'removed'
               AND (NEW.kind <> 'again' OR connection.id = NEW.origin_connection_id)) AS each
        ON CONFLICT DO NOTHING;
    IF NOT EXISTS (SELECT FROM clearance WHERE clearance.organisation_id = NEW.organisation_id
                      AND clearance.clearing_id = NEW.id AND clearance.state IN ('pending', 'failing')) THEN
        UPDATE clearing SET settled_at = NEW.recorded_at, address_encrypted = NULL
         WHERE clearing.organisation_id = NEW.organisation_id AND clearing.id = NEW.id;
    END IF;
    RETURN NULL;
END
$$
"""
# Once the address travels encrypted, no seat keeps it in the clear; a push under way ends first, and is read back.
HIDE_ERASED_SEATS = """
CREATE FUNCTION hide_erased_seats() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE audience_member
       SET state = 'out', address = NULL, pushed_sha256 = NULL, refusal_code = NULL
     WHERE audience_member.organisation_id = NEW.organisation_id AND audience_member.subject_key = NEW.subject_key
       AND audience_member.state NOT IN ('claimed', 'uncertain');
    RETURN NULL;
END
$$
"""
TRIGGERS = (
    "CREATE TRIGGER consent_event_cleared AFTER INSERT ON consent_event FOR EACH ROW"
    " WHEN (NEW.channel = 'email' AND NEW.action IN ('withdrawn', 'objected', 'refused')) EXECUTE FUNCTION clear_no()",
    "CREATE TRIGGER suppression_cleared AFTER INSERT ON suppression FOR EACH ROW"
    " WHEN (NEW.channel = 'email') EXECUTE FUNCTION clear_suppression()",
    "CREATE TRIGGER clearing_hides_erased AFTER INSERT OR UPDATE OF address_encrypted ON clearing FOR EACH ROW"
    " WHEN (NEW.kind = 'erasure' AND NEW.address_encrypted IS NOT NULL) EXECUTE FUNCTION hide_erased_seats()",
    "CREATE TRIGGER clearing_spread AFTER INSERT ON clearing FOR EACH ROW EXECUTE FUNCTION spread_clearing()",
)


def upgrade() -> None:
    _create_clearing()
    _create_clearance()
    _create_lists()
    op.create_index("ix_audience_member_subject", "audience_member", ["organisation_id", "subject_key"])
    for function in (ADDRESSES_OF_PERSON, CLEAR_NO, CLEAR_SUPPRESSION, SPREAD_CLEARING, HIDE_ERASED_SEATS):
        op.execute(function)
    for trigger in TRIGGERS:
        op.execute(trigger)


def _create_clearing() -> None:
    op.create_table(
        "clearing",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_key", sa.LargeBinary(), nullable=False),
        sa.Column("contact_id", sa.BigInteger()),
        sa.Column("purpose", sa.Text()),
        sa.Column("event_id", sa.BigInteger()),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("origin_connection_id", sa.BigInteger()),
        sa.Column("origin_list_ref", sa.Text()),
        sa.Column("address_encrypted", sa.LargeBinary()),
        sa.Column("is_repair", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("settled_at", INSTANT),
        sa.CheckConstraint("kind IN ('opt_out', 'erasure', 'again')", name=op.f("ck_clearing_kind_known")),
        sa.CheckConstraint(
            "settled_at IS NULL OR address_encrypted IS NULL", name=op.f("ck_clearing_address_while_travelling")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_clearing_organisation"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "id", name=op.f("pk_clearing")),
    )
    op.create_index(
        "uq_clearing_event",
        "clearing",
        ["organisation_id", "event_id", "subject_key"],
        unique=True,
        postgresql_where=sa.text("event_id IS NOT NULL"),
    )
    op.create_index(
        "uq_clearing_erasure",
        "clearing",
        ["organisation_id", "subject_key"],
        unique=True,
        postgresql_where=sa.text("kind = 'erasure' AND settled_at IS NULL"),
    )
    op.create_index("ix_clearing_subject", "clearing", ["organisation_id", "subject_key", "id"])
    op.create_index("ix_clearing_contact", "clearing", ["organisation_id", "contact_id"])
    op.create_index(
        "ix_clearing_open", "clearing", ["organisation_id", "id"], postgresql_where=sa.text("settled_at IS NULL")
    )
    protect("clearing")


def _create_clearance() -> None:
    op.create_table(
        "clearance",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("clearing_id", sa.BigInteger(), nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text()),
        sa.Column("lists", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_try_at", INSTANT, nullable=False),
        sa.Column("failing_since", INSTANT),
        sa.Column("failure_code", sa.Text()),
        sa.Column("acknowledged_at", INSTANT),
        sa.CheckConstraint(
            "state IN ('pending', 'acknowledged', 'failing', 'not_possible')", name=op.f("ck_clearance_state_known")
        ),
        sa.CheckConstraint(
            "state <> 'acknowledged' OR (acknowledged_at IS NOT NULL AND outcome IS NOT NULL)",
            name=op.f("ck_clearance_acknowledged_says_when"),
        ),
        sa.CheckConstraint(
            "state <> 'failing' OR (failing_since IS NOT NULL AND failure_code IS NOT NULL)",
            name=op.f("ck_clearance_failing_says_why"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "clearing_id"],
            ["clearing.organisation_id", "clearing.id"],
            name=op.f("fk_clearance_clearing"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "clearing_id", "connection_id", name=op.f("pk_clearance")),
    )
    op.create_index(
        "ix_clearance_open",
        "clearance",
        ["organisation_id", "connection_id", "next_try_at"],
        postgresql_where=sa.text(OPEN),
    )
    protect("clearance")


def _create_lists() -> None:
    op.create_table(
        "destination_list",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("list_ref", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("purposes", sa.ARRAY(sa.Text())),
        sa.Column("gone_at", INSTANT),
        sa.Column("read_whole_at", INSTANT),
        sa.ForeignKeyConstraint(
            ["organisation_id", "connection_id"],
            ["connection.organisation_id", "connection.id"],
            name=op.f("fk_destination_list_connection"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "connection_id", "list_ref", name=op.f("pk_destination_list")),
    )
    protect("destination_list")
    op.create_table(
        "clearing_line",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", INSTANT),
        sa.Column("next_try_at", INSTANT),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failure_code", sa.Text()),
        sa.Column("failing_since", INSTANT),
        sa.Column("lists_read_at", INSTANT),
        sa.Column("reconciled_at", INSTANT),
        sa.ForeignKeyConstraint(
            ["organisation_id", "connection_id"],
            ["connection.organisation_id", "connection.id"],
            name=op.f("fk_clearing_line_connection"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "connection_id", name=op.f("pk_clearing_line")),
    )
    protect("clearing_line")


def downgrade() -> None:
    for table, trigger in (
        ("consent_event", "consent_event_cleared"),
        ("suppression", "suppression_cleared"),
        ("clearing", "clearing_hides_erased"),
        ("clearing", "clearing_spread"),
    ):
        op.execute(f"DROP TRIGGER {trigger} ON {table}")
    for function in ("clear_no()", "clear_suppression()", "spread_clearing()", "hide_erased_seats()"):
        op.execute(f"DROP FUNCTION {function}")
    op.execute("DROP FUNCTION addresses_of_person(integer, bytea)")
    op.drop_index("ix_audience_member_subject", "audience_member")
    op.drop_table("clearing_line")
    op.drop_table("destination_list")
    op.drop_table("clearance")
    op.drop_table("clearing")
