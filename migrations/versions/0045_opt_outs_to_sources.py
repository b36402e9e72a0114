"""Noes travel to box offices that take them, and a thousand of them are put on their way by one statement

Revision ID: 0045
Revises: 0044
"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

# As in 0011, for all events of a statement at once. What a box office says is known there, under the name it has here.
CLEAR_NOES = """
CREATE FUNCTION clear_noes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM fresh WHERE channel = 'email' AND action IN ('withdrawn', 'objected', 'refused')) THEN
        RETURN NULL;
    END IF;
    INSERT INTO clearing (organisation_id, kind, subject_key, contact_id, purpose, event_id, source,
                          origin_connection_id, origin_list_ref, recorded_at)
    SELECT said.organisation_id, 'opt_out', address.key, said.contact_id, said.purpose, said.id, said.source,
           CASE WHEN address.key = said.subject_key THEN said.origin_id END,
           CASE WHEN address.key = said.subject_key THEN said.origin_list END,
           said.recorded_at
      FROM (SELECT fresh.organisation_id, fresh.id, fresh.subject_key, fresh.contact_id, fresh.purpose, fresh.source,
                   fresh.recorded_at, COALESCE(of_list.id, of_source.id) AS origin_id, of_list.ref AS origin_list
              FROM fresh
              LEFT JOIN consent_evidence AS beside
                ON beside.organisation_id = fresh.organisation_id AND beside.event_id = fresh.id
              LEFT JOIN LATERAL (
                    -- A condition beside the cast would not do: the planner may cast first.
                    SELECT CASE WHEN beside.evidence ->> 'connection' ~ '^[0-9]{1,18}$'
                                THEN (beside.evidence ->> 'connection')::bigint END AS id,
                           beside.evidence ->> 'list' AS ref
                     WHERE fresh.actor = 'system' AND fresh.method = 'destination'
                       AND COALESCE(beside.evidence ->> 'connection', '') ~ '^[0-9]{1,18}$') AS of_list ON true
              LEFT JOIN LATERAL (
                    SELECT min(connection.id) AS id FROM connection
                     WHERE connection.organisation_id = fresh.organisation_id AND connection.kind = 'source'
                       AND connection.takes_opt_outs AND connection.state <> 'removed'
                       AND connection.settings ->> 'source' = fresh.source
                       AND fresh.actor = 'system' AND fresh.purpose IS NOT NULL) AS of_source ON true
             WHERE fresh.channel = 'email' AND fresh.action IN ('withdrawn', 'objected', 'refused')
               AND (fresh.purpose IS NULL OR EXISTS (
                    SELECT FROM purpose
                     WHERE purpose.organisation_id = fresh.organisation_id AND purpose.code = fresh.purpose
                       AND purpose.is_marketing AND purpose.code NOT IN ('track_open', 'track_click')))) AS said
     CROSS JOIN LATERAL addresses_of_person(said.organisation_id, said.subject_key) AS address (key)
     ORDER BY said.id, address.key
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$
"""
# A box office that takes none has no place for a no; what came from the only list of a system, or from a box office,
# is known there. What was found there again concerns that system alone.
SPREAD_CLEARINGS = """
CREATE FUNCTION spread_clearings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO clearance (organisation_id, clearing_id, connection_id, state, outcome, next_try_at, acknowledged_at)
    SELECT each.organisation_id, each.clearing_id, each.connection_id, each.state,
           CASE each.state WHEN 'acknowledged' THEN 'came_from_there' WHEN 'not_possible' THEN 'no_place_there' END,
           each.recorded_at, CASE each.state WHEN 'acknowledged' THEN each.recorded_at END
      FROM (SELECT fresh.organisation_id, fresh.id AS clearing_id, connection.id AS connection_id, fresh.recorded_at,
                   CASE WHEN connection.kind = 'source' AND NOT connection.takes_opt_outs THEN 'not_possible'
                        WHEN fresh.kind <> 'opt_out' OR connection.id IS DISTINCT FROM fresh.origin_connection_id
                        THEN 'pending'
                        WHEN connection.kind = 'source' OR fresh.origin_list_ref = (
                            SELECT min(known.list_ref) FROM destination_list AS known
                             WHERE known.organisation_id = fresh.organisation_id
                               AND known.connection_id = connection.id AND known.gone_at IS NULL
                            HAVING count(*) = 1)
                        THEN 'acknowledged'
                        ELSE 'pending' END AS state
              FROM fresh
              JOIN connection ON connection.organisation_id = fresh.organisation_id AND connection.state <> 'removed'
               AND (fresh.kind <> 'again' OR connection.id = fresh.origin_connection_id)) AS each
     ORDER BY each.clearing_id, each.connection_id
        ON CONFLICT DO NOTHING;
    UPDATE clearing SET settled_at = clearing.recorded_at, address_encrypted = NULL
      FROM fresh
     WHERE clearing.organisation_id = fresh.organisation_id AND clearing.id = fresh.id
       AND NOT EXISTS (SELECT FROM clearance WHERE clearance.organisation_id = fresh.organisation_id
                          AND clearance.clearing_id = fresh.id AND clearance.state IN ('pending', 'failing'));
    RETURN NULL;
END
$$
"""
TRIGGERS = (
    "CREATE TRIGGER consent_event_cleared AFTER INSERT ON consent_event REFERENCING NEW TABLE AS fresh"
    " FOR EACH STATEMENT EXECUTE FUNCTION clear_noes()",
    "CREATE TRIGGER clearing_spread AFTER INSERT ON clearing REFERENCING NEW TABLE AS fresh"
    " FOR EACH STATEMENT EXECUTE FUNCTION spread_clearings()",
)
OLD_TRIGGERS = (
    "CREATE TRIGGER consent_event_cleared AFTER INSERT ON consent_event FOR EACH ROW"
    " WHEN (NEW.channel = 'email' AND NEW.action IN ('withdrawn', 'objected', 'refused')) EXECUTE FUNCTION clear_no()",
    "CREATE TRIGGER clearing_spread AFTER INSERT ON clearing FOR EACH ROW EXECUTE FUNCTION spread_clearing()",
)


def upgrade() -> None:
    op.add_column("connection", sa.Column("takes_opt_outs", sa.Boolean(), server_default=sa.false(), nullable=False))
    _drop_triggers()
    for old in ("clear_no()", "spread_clearing()"):
        op.execute(f"DROP FUNCTION {old}")
    for statement in (CLEAR_NOES, SPREAD_CLEARINGS, *TRIGGERS):
        op.execute(statement)


def downgrade() -> None:
    _drop_triggers()
    for new in ("clear_noes()", "spread_clearings()"):
        op.execute(f"DROP FUNCTION {new}")
    clearing = import_module("migrations.versions.0011_clearing")
    beside = import_module("migrations.versions.0014_evidence_beside_the_ledger")
    op.execute(beside._clear_no_from_beside().replace("CREATE OR REPLACE", "CREATE"))
    op.execute(clearing.SPREAD_CLEARING)
    for trigger in OLD_TRIGGERS:
        op.execute(trigger)
    op.drop_column("connection", "takes_opt_outs")


def _drop_triggers() -> None:
    op.execute("DROP TRIGGER consent_event_cleared ON consent_event")
    op.execute("DROP TRIGGER clearing_spread ON clearing")
