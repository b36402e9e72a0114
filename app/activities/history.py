"""The packed history of contacts: kept by the database's own triggers, and checked against a rebuild.

No verb writes ``contact_history`` and its sisters. Every statement that changes a participation, or the genres of an
activity, leaves a note of whom it touched, and the commit works their history out anew (``packed_history`` in migration
0052 says how); so no way in can forget it, and it is right at every commit. Who reads histories in the transaction that
changed participations calls ``settle`` first. Should one ever differ all the same (somebody switched the triggers off,
a disk lied), what is here finds and mends it.

Locks: the rows of ``contact_history``, in the order of their contacts' ids, at the commit, when the transaction waits
for nothing else any more. Activities whose genres change are held ``FOR UPDATE`` when they do.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy import select, text

from app import clock
from app.contacts.models import Contact
from app.db import ScopedSession, transaction
from app.runtime import Runtime

log = structlog.get_logger()

CONTACTS_AT_ONCE = 2_000
# Every hour of the week has its part of the contacts.
PARTS = 7 * 24

_DIFFERENT = """
SELECT count(*)
  FROM packed_history(:organisation_id, :ids) AS packed
  LEFT JOIN contact_history AS held
    ON held.organisation_id = :organisation_id AND held.contact_id = packed.contact_id
  LEFT JOIN contact_history_detail AS detail
    ON detail.organisation_id = :organisation_id AND detail.contact_id = packed.contact_id
  LEFT JOIN contact_history_leads AS leads
    ON leads.organisation_id = :organisation_id AND leads.contact_id = packed.contact_id
  LEFT JOIN contact_history_genres AS kinds
    ON kinds.organisation_id = :organisation_id AND kinds.contact_id = packed.contact_id
 WHERE (packed.activity_dates, packed.activity_days, packed.booking_dates, packed.lead_dates, packed.tickets,
        packed.spend, packed.genres, packed.genre_dates)
       IS DISTINCT FROM
       (COALESCE(held.activity_dates, '{}'), held.activity_days, COALESCE(detail.booking_dates, '{}'),
        COALESCE(leads.lead_dates, '{}'), COALESCE(detail.tickets, '{}'), COALESCE(detail.spend, '{}'),
        COALESCE(kinds.genres, '{}'), COALESCE(kinds.genre_dates, '{}'))
"""


_SETTLE = """
SELECT CASE WHEN current_setting('transaction_read_only') = 'off' THEN settle_histories(:organisation_id) END
"""


def settle(session: ScopedSession) -> None:
    """Work out, before the commit would, the histories that this transaction left to be: to read what it wrote.

    Holds them until the transaction ends: a transaction that stores more after that can meet another the wrong way
    round, and the database ends one of the two. Does nothing where the transaction may only read: there is nothing of
    its own to work out then.
    """
    session.execute(text(_SETTLE), {"organisation_id": session.organisation_id})


def count_differences(session: ScopedSession, contact_ids: list[int]) -> int:
    """How many of these contacts have a stored history that is not what their participations say. Changes nothing."""
    found = session.scalar(text(_DIFFERENT), {"organisation_id": session.organisation_id, "ids": contact_ids})
    return int(found or 0)


def repair(session: ScopedSession, contact_ids: list[int]) -> int:
    """Rebuild the history of these contacts; returns how many had another one. Holds it until the transaction ends."""
    parameters = {"organisation_id": session.organisation_id, "ids": contact_ids}
    return int(session.scalar(text("SELECT repack_history(:organisation_id, :ids)"), parameters) or 0)


def check(runtime: Runtime, organisation_id: int, *, is_repair: bool, part: int | None = None) -> dict[str, int]:
    """Compare the stored history with a rebuild, a few contacts per transaction; with ``is_repair`` mend what differs.

    ``part`` (0 to 167) looks at one contact in 168 only. Returns how many were ``checked``, ``different`` and
    ``repaired``. A difference is a defect, and is logged as one.
    """
    counts = {"checked": 0, "different": 0, "repaired": 0}
    after = 0
    while True:
        with transaction(runtime.engine, organisation_id) as session:
            ids = _next_contacts(session, after, part)
            if not ids:
                break
            different = count_differences(session, ids)
            counts["checked"] += len(ids)
            counts["different"] += different
            if different and is_repair:
                counts["repaired"] += repair(session, ids)
        after = ids[-1]
    if counts["different"]:
        log.error("history differed from participations", organisation_id=organisation_id, **counts)
    return counts


def check_hourly_part(runtime: Runtime, organisation_id: int) -> int:
    """The heartbeat: check and mend this hour's part of the contacts, so that a week sees all; returns how many."""
    return check(runtime, organisation_id, is_repair=True, part=_hour_of_week(clock.now()))["repaired"]


def _hour_of_week(at: datetime) -> int:
    return at.weekday() * 24 + at.hour


def _next_contacts(session: ScopedSession, after: int, part: int | None) -> list[int]:
    query = select(Contact.id).where(Contact.id > after).order_by(Contact.id).limit(CONTACTS_AT_ONCE)
    if part is not None:
        query = query.where(Contact.id % PARTS == part)
    return list(session.scalars(query))
