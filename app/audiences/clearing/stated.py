"""Whom a box office holds as willing in spite of a no: known from what it last told us, without asking it anything.

What is read of its customers brings every answer home. Where the last one is a yes, and nothing was carried there since
it came in, the no is sent there (once more): so a no from before the box office took any arrives as well. Whoever gave
that yes there themselves, after their no, is left alone when the box office is asked (``visits``).
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.audiences.clearing.models import ClearingLine
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.sync.models import Connection

LOOK_EVERY = timedelta(hours=1)

# The last word of the box office about each address and purpose that a no stands for.
STATED = text("""
WITH stated AS (
    SELECT DISTINCT ON (event.subject_key, event.purpose) event.subject_key, event.action, event.recorded_at
      FROM consent_event AS event
      JOIN permission
        ON permission.organisation_id = :house AND permission.subject_key = event.subject_key
       AND permission.channel = 'email' AND permission.purpose = event.purpose AND permission.is_negative
     WHERE event.organisation_id = :house AND event.source = :source AND event.channel = 'email'
       AND event.actor = 'system'
     ORDER BY event.subject_key, event.purpose, event.id DESC
)
INSERT INTO clearing (organisation_id, kind, subject_key, contact_id, source, origin_connection_id, recorded_at)
SELECT DISTINCT ON (stated.subject_key) :house, 'again', stated.subject_key, identity.contact_id, :source,
       CAST(:connection AS bigint), CAST(:now AS timestamptz)
  FROM stated
  JOIN identity
    ON identity.organisation_id = :house AND identity.subject_key = stated.subject_key AND identity.kind = 'email'
 WHERE stated.action NOT IN ('withdrawn', 'objected', 'refused')
   AND NOT EXISTS (
       SELECT FROM clearing AS earlier
         JOIN clearance ON clearance.organisation_id = :house AND clearance.clearing_id = earlier.id
          AND clearance.connection_id = :connection
        WHERE earlier.organisation_id = :house AND earlier.subject_key = stated.subject_key
          AND (clearance.state IN ('pending', 'failing') OR clearance.acknowledged_at >= stated.recorded_at))
RETURNING subject_key
""")


def look_at_statements(runtime: Runtime, organisation_id: int) -> int:
    """Send noes once more to box offices that hold people as willing; returns how many. Safe with many workers."""
    with transaction(runtime.engine, organisation_id) as session:
        return sum(_send_again(session, connection) for connection in _due(session))


def _due(session: ScopedSession) -> list[Connection]:
    line = ClearingLine
    rows = session.scalars(
        select(Connection)
        .outerjoin(line, line.connection_id == Connection.id)
        .where(Connection.kind == "source", Connection.takes_opt_outs, Connection.state != "removed")
        .where(or_(line.reconciled_at.is_(None), line.reconciled_at <= clock.now() - LOOK_EVERY))
        .order_by(Connection.id)
    )
    return list(rows)


def _send_again(session: ScopedSession, connection: Connection) -> int:
    """Its line is locked meanwhile: of two workers, the second finds everything on its way."""
    line, now = ClearingLine, clock.now()
    own = {"organisation_id": session.organisation_id, "connection_id": connection.id}
    session.execute(insert(line).values(**own).on_conflict_do_nothing())
    session.execute(update(line).where(line.connection_id == connection.id).values(reconciled_at=now))
    given = {
        "house": session.organisation_id,
        "connection": connection.id,
        "source": connection.settings.get("source", connection.system),
        "now": now,
    }
    return len(session.execute(STATED, given).all())
