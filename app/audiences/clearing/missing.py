"""Rows that should be there and are not: made good, and reported.

Triggers make them with the no itself, so that none should ever be missing; this looks whether that holds. What a merge
brings is no fault, and comes from here: a no at one address, which from now on counts for the other addresses too.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy import text

from app import clock
from app.audiences.definitions import purposes_to_write_for
from app.db import ScopedSession, transaction
from app.runtime import Runtime

log = structlog.get_logger()

# A no of the ledger, for each address of the person.
NOES = text("""
WITH spoken AS (
    SELECT DISTINCT permission.subject_key, permission.decided_by AS event_id
      FROM permission
     WHERE permission.organisation_id = :house AND permission.channel = 'email' AND permission.is_negative
       AND permission.purpose = ANY(CAST(:marketing AS text[])) AND permission.decided_by IS NOT NULL
), wanted AS (
    SELECT spoken.subject_key, spoken.event_id, true AS is_own FROM spoken
     UNION
    SELECT other.subject_key, spoken.event_id, false
      FROM spoken
      JOIN identity AS one
        ON one.organisation_id = :house AND one.subject_key = spoken.subject_key AND one.kind = 'email'
      JOIN identity AS other
        ON other.organisation_id = :house AND other.contact_id = one.contact_id AND other.kind = 'email'
       AND other.id <> one.id
)
INSERT INTO clearing (organisation_id, kind, subject_key, contact_id, purpose, event_id, source, is_repair, recorded_at)
SELECT :house, 'opt_out', wanted.subject_key,
       (SELECT identity.contact_id FROM identity
         WHERE identity.organisation_id = :house AND identity.subject_key = wanted.subject_key
           AND identity.kind = 'email'),
       event.purpose, event.id, event.source, wanted.is_own, :now
  FROM wanted
  JOIN consent_event AS event ON event.organisation_id = :house AND event.id = wanted.event_id
 WHERE NOT EXISTS (SELECT FROM clearing
                    WHERE clearing.organisation_id = :house AND clearing.subject_key = wanted.subject_key
                      AND clearing.event_id = wanted.event_id)
    ON CONFLICT DO NOTHING
RETURNING is_repair
""")
SUPPRESSIONS = text("""
INSERT INTO clearing (organisation_id, kind, subject_key, contact_id, source, is_repair, recorded_at)
SELECT :house, CASE suppression.reason WHEN 'erased' THEN 'erasure' ELSE 'opt_out' END, person.address,
       (SELECT identity.contact_id FROM identity
         WHERE identity.organisation_id = :house AND identity.subject_key = person.address
           AND identity.kind = 'email'),
       suppression.source, person.address = suppression.address_hash, :now
  FROM suppression
 CROSS JOIN LATERAL addresses_of_person(:house, suppression.address_hash) AS person (address)
 WHERE suppression.organisation_id = :house AND suppression.channel = 'email'
   AND (suppression.reason <> 'erased' OR person.address = suppression.address_hash)
   AND NOT EXISTS (SELECT FROM clearing
                    WHERE clearing.organisation_id = :house AND clearing.subject_key = person.address
                      AND (clearing.kind = 'erasure' OR clearing.purpose IS NULL AND clearing.kind = 'opt_out')
                      AND clearing.recorded_at >= suppression.since)
    ON CONFLICT DO NOTHING
RETURNING is_repair
""")
# A clearing that a system connected at the time knows nothing of.
CLEARANCES = text("""
INSERT INTO clearance (organisation_id, clearing_id, connection_id, state, next_try_at)
SELECT :house, clearing.id, connection.id, 'pending', :now
  FROM clearing
  JOIN connection
    ON connection.organisation_id = :house AND (connection.kind = 'destination' OR connection.takes_opt_outs)
   AND connection.state <> 'removed'
   AND connection.created_at <= clearing.recorded_at
   AND (clearing.kind <> 'again' OR clearing.origin_connection_id = connection.id)
 WHERE clearing.organisation_id = :house
   AND NOT EXISTS (SELECT FROM clearance
                    WHERE clearance.organisation_id = :house AND clearance.clearing_id = clearing.id
                      AND clearance.connection_id = connection.id)
    ON CONFLICT DO NOTHING
RETURNING clearing_id
""")
REOPENED = text("""
UPDATE clearing SET settled_at = NULL, is_repair = true
 WHERE clearing.organisation_id = :house AND clearing.id = ANY(CAST(:ids AS bigint[]))
""")


@dataclass(frozen=True, slots=True)
class Repairs:
    """How many rows were made: ``lost`` should have been there, ``spread`` came with a merge."""

    lost: int
    spread: int


def make_good(session: ScopedSession) -> Repairs:
    """Make every row that is not there: for standing noes, suppressions, and systems that were connected then."""
    given = {"house": session.organisation_id, "now": clock.now()}
    marketing = [purpose.code for purpose in purposes_to_write_for(session)]
    noes = session.scalars(NOES, given | {"marketing": marketing}).all()
    suppressions = session.scalars(SUPPRESSIONS, given).all()
    untold = sorted(set(session.scalars(CLEARANCES, given).all()))
    if untold:
        session.execute(REOPENED, given | {"ids": untold})
    made = [*noes, *suppressions]
    return Repairs(lost=sum(made) + len(untold), spread=len(made) - sum(made))


def look_for_missing(runtime: Runtime, organisation_id: int) -> int:
    """Make good what is missing in a house, and return how many rows that were; a loss is logged as an error."""
    with transaction(runtime.engine, organisation_id) as session:
        repairs = make_good(session)
    if repairs.lost:
        log.error("opt-outs were not on their way", organisation_id=organisation_id, repaired=repairs.lost)
    return repairs.lost + repairs.spread
