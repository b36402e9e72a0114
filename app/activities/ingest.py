"""Storing what is on offer and who took part: set-based and idempotent, with local dates kept in step.

``activity_on`` and ``booked_on`` are dates in the organisation's time zone. When an activity moves, the dates of its
participations follow in the same transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import text

from app import clock
from app.contacts.ingest import Outcome, upsert_contacts
from app.contacts.normalise import cleaned
from app.db import ScopedSession, array_text
from app.keyring import Keyring
from integrations.base import ActivityRecord, ContactRecord, ParticipationRecord, WholeOrder

STATUSES = ("booked", "attended", "cancelled", "refunded", "pending")
QUANTITY_MAX = 1_000_000

External = tuple[str, str]
# Of a participation: the ids of its contact and its activity, and of its buyer where the record named one.
_Parents = tuple[int, int, int | None]


@dataclass(frozen=True, slots=True)
class ActivityResult:
    """What became of one activity. ``error`` is a code (``no_external_id``, ``no_title``, ``naive_instant``)."""

    activity_id: int | None
    outcome: Outcome
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ParticipationResult:
    """What became of one participation; ``contact_id`` is the person the record named.

    ``error`` is a code: ``no_external_id``, ``unknown_activity``, ``unknown_status``, ``invalid_quantity``,
    ``naive_instant``, or whatever ``upsert_contacts`` says of its contact.
    """

    participation_id: int | None
    contact_id: int | None
    outcome: Outcome
    error: str | None = None


def upsert_activities(
    session: ScopedSession, records: Sequence[ActivityRecord], *, time_zone: str
) -> list[ActivityResult]:
    """Store activities by source and external id; returns one result per record, in order.

    Absent values overwrite nothing. Of several records for one activity the last is right. The participations of an
    activity that moves get its new date. The caller owns the transaction.
    """
    errors = [_activity_error(record) for record in records]
    last = {_key(record): record for record, error in zip(records, errors, strict=True) if error is None}
    rows = [_activity_row(record, ZoneInfo(time_zone)) for record in last.values()]
    at = clock.now()
    parameters = {"organisation_id": session.organisation_id, "rows": json.dumps(rows), "at": at}
    changed: dict[External, bool] = {}
    moved = []
    for row in session.execute(text(_UPSERT_ACTIVITIES), parameters) if rows else ():
        changed[row.source, row.external_id] = row.is_new
        if not row.is_new:
            moved.append(row.id)
    _move_participations(session, moved, at=at)
    ids = activity_ids(session, list(last))
    results = []
    for record, error in zip(records, errors, strict=True):
        key = _key(record)
        # The change is told once, with the first record of that activity.
        done = ActivityResult(ids.get(key), _outcome(changed.pop(key, None))) if error is None else None
        results.append(done or ActivityResult(None, "error", error))
    return results


def upsert_participations(
    session: ScopedSession,
    keyring: Keyring,
    records: Sequence[ParticipationRecord],
    *,
    time_zone: str,
    actor: str,
    at: datetime,
) -> list[ParticipationResult]:
    """Store participations by source and external id, their contacts first; one result per record, in order.

    The activity must be known already. A booking without an instant keeps the one it had, else it counts as booked
    when attended, else ``at``; one without a buyer keeps the buyer it had. What an erased person took part in stays
    anonymous: it is never given to anybody again. The caller owns the transaction.
    """
    wanted = [_activity_key(record) for record in records]
    activities = activity_ids(session, wanted)
    errors = [_participation_error(record, key in activities) for record, key in zip(records, wanted, strict=True)]
    people = [_person_key(record.contact) for record in records]
    buyers = [None if record.buyer is None else _person_key(record.buyer) for record in records]
    usable = {
        person: record.contact for person, record, error in zip(people, records, errors, strict=True) if error is None
    }
    for buyer, record, error in zip(buyers, records, errors, strict=True):
        if error is None and record.buyer is not None:
            usable.setdefault(buyer, record.buyer)
    # Every contact is stored once, however many participations name it.
    booked = _last_bookings(people, buyers, records)
    stored = upsert_contacts(
        session, keyring, list(usable.values()), actor=actor, at=at, acted_at=[booked.get(person) for person in usable]
    )
    contacts = dict(zip(usable, stored, strict=True))
    last: dict[External, ParticipationRecord] = {}
    parents: dict[External, _Parents] = {}
    for index, record in enumerate(records):
        if errors[index] is not None:
            continue
        contact = contacts[people[index]]
        errors[index] = contact.error
        if contact.contact_id is not None:
            last[_key(record)] = record
            # A buyer who cannot be stored is no reason to lose the ticket.
            buyer_id = None if buyers[index] is None else contacts[buyers[index]].contact_id
            parents[_key(record)] = contact.contact_id, activities[wanted[index]], buyer_id
    written = _write(session, last, parents, time_zone=time_zone, at=at)
    told: set[External] = set()
    results = []
    for record, error in zip(records, errors, strict=True):
        if error is not None:
            results.append(ParticipationResult(None, None, "error", error))
            continue
        key = _key(record)
        participation_id, outcome = written[key]
        # The change is told once, with the first record of that participation.
        results.append(ParticipationResult(participation_id, parents[key][0], "unchanged" if key in told else outcome))
        told.add(key)
    return results


def cancel_absent(
    session: ScopedSession, orders: Sequence[WholeOrder], *, kept: Sequence[ParticipationRecord], at: datetime
) -> int:
    """Give what was taken out of its order the status it has now (``gone_as``); returns how many that were.

    ``kept`` are the participations of these orders that still exist, already stored; so do those that an order calls
    ``nobodys``. What was cancelled or refunded before stays as it is. The caller owns the transaction.
    """
    if not orders:
        return 0
    still = [(record.source, record.external_id) for record in kept]
    still += [(order.source, number) for order in orders for number in order.nobodys]
    gone = session.execute(
        text(_CANCEL_ABSENT),
        {
            "organisation_id": session.organisation_id,
            "at": at,
            "sources": array_text(order.source for order in orders),
            "prefixes": array_text(order.prefix for order in orders),
            "statuses": array_text(order.gone_as for order in orders),
            "kept": array_text(f"{source}\n{number}" for source, number in still),
        },
    )
    return len(gone.all())


def _last_bookings(
    people: Sequence[Any], buyers: Sequence[Any], records: Sequence[ParticipationRecord]
) -> dict[Any, datetime]:
    """Return when each person last booked something, where the source says so: an act of whoever ordered."""
    booked: dict[Any, datetime] = {}
    for holder, buyer, record in zip(people, buyers, records, strict=True):
        person = holder if buyer is None else buyer
        if record.booked_at is not None and record.booked_at.tzinfo is not None:
            booked[person] = max(booked.get(person, record.booked_at), record.booked_at)
    return booked


def activity_ids(session: ScopedSession, keys: Sequence[External]) -> dict[External, int]:
    """Return the id of each activity that is known under one of these sources and external ids."""
    return _ids_by_external(session, "activity", keys)


def _key(record: ActivityRecord | ParticipationRecord) -> External:
    return record.source, record.external_id


def _activity_key(record: ParticipationRecord) -> External:
    return record.activity_source, record.activity_external_id


def _person_key(contact: ContactRecord) -> Any:
    # Two lines of one order usually carry the very same record; whatever differs must reach upsert_contacts.
    return (
        contact.source, contact.identities, contact.email, contact.given_name, contact.family_name, contact.language,
        contact.gender, contact.birth_date, contact.phone, contact.street, contact.postcode, contact.municipality,
        contact.country, contact.tags,
        json.dumps(dict(contact.attributes), sort_keys=True, default=str) if contact.attributes else "",
        tuple((c.channel, c.purpose, c.state, c.captured_at, c.wording, c.external_id) for c in contact.consents),
    )  # fmt: skip


def _ids_by_external(
    session: ScopedSession, table: Literal["activity", "participation"], keys: Sequence[External]
) -> dict[External, int]:
    wanted = list(dict.fromkeys(keys))
    rows = session.execute(
        text(
            "SELECT held.source, held.external_id, held.id"
            "  FROM unnest(CAST(:sources AS text[]), CAST(:external_ids AS text[])) AS wanted(source, external_id)"
            f" JOIN {table} AS held ON held.organisation_id = :organisation_id"
            "   AND held.source = wanted.source AND held.external_id = wanted.external_id"
        ),
        {
            "organisation_id": session.organisation_id,
            "sources": array_text(source for source, _ in wanted),
            "external_ids": array_text(external_id for _, external_id in wanted),
        },
    )
    return {(source, external_id): held_id for source, external_id, held_id in rows}


_ACTIVITY_FIELDS = {
    "source": "text", "external_id": "text", "title": "text", "kind": "text", "genres": "text[]",
    "own_genres": "text[]", "series": "text", "venue": "text", "audiences": "text[]", "url": "text",
    "starts_at": "timestamptz", "ends_at": "timestamptz", "starts_on": "date", "is_cancelled": "boolean",
}  # fmt: skip
_ACTIVITY_COLUMNS = ", ".join(_ACTIVITY_FIELDS)
_ACTIVITY_KEPT = [name for name in _ACTIVITY_FIELDS if name not in ("source", "external_id")]

# What is kept, what is new, and whether anything differs is decided before anything is written: a file that changes
# nothing only reads. The conflict clause is for a row that somebody else stored in the meantime.
_UPSERT_ACTIVITIES = f"""
WITH given AS MATERIALIZED (
    SELECT before.id, given.source, given.external_id, given.kind, given.is_cancelled,
           -- A file without titles names an activity by its number; that is no reason to forget what it is called.
           CASE WHEN given.title = given.external_id THEN COALESCE(before.title, given.title) ELSE given.title END
           AS title,
           CASE WHEN given.genres = '{{}}' AND given.own_genres IS NULL THEN COALESCE(before.genres, '{{}}')
                ELSE given.genres END AS genres,
           CASE WHEN given.genres = '{{}}' AND given.own_genres IS NULL THEN before.own_genres
                ELSE given.own_genres END AS own_genres,
           COALESCE(NULLIF(given.audiences, '{{}}'), before.audiences, '{{}}') AS audiences,
           COALESCE(given.series, before.series) AS series, COALESCE(given.venue, before.venue) AS venue,
           COALESCE(given.url, before.url) AS url, COALESCE(given.starts_at, before.starts_at) AS starts_at,
           COALESCE(given.ends_at, before.ends_at) AS ends_at, COALESCE(given.starts_on, before.starts_on) AS starts_on
      FROM jsonb_to_recordset(CAST(:rows AS jsonb))
           AS given({", ".join(f"{name} {kind}" for name, kind in _ACTIVITY_FIELDS.items())})
      LEFT JOIN activity AS before
        ON before.organisation_id = :organisation_id
       AND before.source = given.source AND before.external_id = given.external_id
)
INSERT INTO activity AS held (organisation_id, {_ACTIVITY_COLUMNS}, created_at, updated_at)
SELECT :organisation_id, {", ".join(f"given.{name}" for name in _ACTIVITY_FIELDS)}, :at, :at
  FROM given
  LEFT JOIN activity AS before ON before.organisation_id = :organisation_id AND before.id = given.id
 WHERE before.id IS NULL
    OR ({", ".join(f"given.{name}" for name in _ACTIVITY_FIELDS)})
       IS DISTINCT FROM ({", ".join(f"before.{name}" for name in _ACTIVITY_FIELDS)})
 ORDER BY given.source, given.external_id
    ON CONFLICT (organisation_id, source, external_id) DO UPDATE
   SET {", ".join(f"{name} = excluded.{name}" for name in (*_ACTIVITY_KEPT, "updated_at"))}
RETURNING held.id, held.source, held.external_id, xmax = 0 AS is_new
"""

_MOVE_PARTICIPATIONS = """
UPDATE participation
   SET activity_on = activity.starts_on, updated_at = :at
  FROM activity
 WHERE activity.organisation_id = :organisation_id AND activity.id = ANY (CAST(:activity_ids AS bigint[]))
   AND activity.starts_on IS NOT NULL
   AND participation.organisation_id = activity.organisation_id AND participation.activity_id = activity.id
   AND participation.activity_on IS DISTINCT FROM activity.starts_on
"""

_PARTICIPATION_KEPT = (
    "contact_id", "buyer_id", "activity_id", "kind", "status", "quantity", "amount", "currency", "channel", "booked_at",
    "booked_on", "activity_on", "attended_at",
)  # fmt: skip

# An erased person's participation keeps its anonymous contact, whatever the source goes on to say about it. What is
# stored is looked up once per row by its unique index (LATERAL): a join would read the whole table for a batch.
_UPSERT_PARTICIPATIONS = f"""
WITH merged AS MATERIALIZED (
    SELECT before.id, before.was, given.source, given.external_id,
           CASE WHEN before.holder_state = 'erased' THEN before.contact_id ELSE given.contact_id END AS contact_id,
           NULLIF(COALESCE(given.buyer_id, before.buyer_id), CASE WHEN before.holder_state = 'erased'
                  THEN before.contact_id ELSE given.contact_id END) AS buyer_id,
           given.activity_id, given.kind, given.status, given.quantity, COALESCE(given.amount, before.amount) AS amount,
           given.currency, COALESCE(given.channel, before.channel) AS channel,
           COALESCE(given.booked_at, before.booked_at, given.attended_at, :at) AS booked_at,
           COALESCE(given.attended_at, before.attended_at) AS attended_at, activity.starts_on
      FROM unnest(CAST(:sources AS text[]), CAST(:external_ids AS text[]), CAST(:contact_ids AS bigint[]),
                  CAST(:buyer_ids AS bigint[]), CAST(:activity_ids AS bigint[]), CAST(:kinds AS text[]),
                  CAST(:statuses AS text[]), CAST(:quantities AS integer[]), CAST(:amounts AS numeric[]),
                  CAST(:currencies AS text[]), CAST(:channels AS text[]), CAST(:booked_ats AS timestamptz[]),
                  CAST(:attended_ats AS timestamptz[]))
           AS given(source, external_id, contact_id, buyer_id, activity_id, kind, status, quantity, amount, currency,
                    channel, booked_at, attended_at)
      JOIN activity ON activity.organisation_id = :organisation_id AND activity.id = given.activity_id
      LEFT JOIN LATERAL (
           SELECT held.id, held.contact_id, held.buyer_id, held.amount, held.channel, held.booked_at, held.attended_at,
                  ROW({", ".join(f"held.{name}" for name in _PARTICIPATION_KEPT)}) AS was, holder.state AS holder_state
             FROM participation AS held
             JOIN contact AS holder
               ON holder.organisation_id = :organisation_id AND holder.id = held.contact_id
            WHERE held.organisation_id = :organisation_id
              AND held.source = given.source AND held.external_id = given.external_id
            LIMIT 1) AS before ON true
), given AS (
    SELECT merged.*, CAST(booked_at AT TIME ZONE :time_zone AS date) AS booked_on,
           COALESCE(starts_on, CAST(COALESCE(attended_at, booked_at) AT TIME ZONE :time_zone AS date)) AS activity_on
      FROM merged
), judged AS MATERIALIZED (
    SELECT given.*,
           id IS NULL OR ROW({", ".join(f"given.{name}" for name in _PARTICIPATION_KEPT)}) IS DISTINCT FROM was
           AS is_changed
      FROM given
), written AS (
INSERT INTO participation AS held
       (organisation_id, source, external_id, {", ".join(_PARTICIPATION_KEPT)}, created_at, updated_at)
SELECT :organisation_id, source, external_id, {", ".join(_PARTICIPATION_KEPT)}, :at, :at
  FROM judged WHERE is_changed
 ORDER BY source, external_id
    ON CONFLICT (organisation_id, source, external_id) DO UPDATE
   SET {", ".join(f"{name} = excluded.{name}" for name in (*_PARTICIPATION_KEPT, "updated_at"))}
RETURNING held.id, held.source, held.external_id, xmax = 0 AS is_new
)
SELECT id, source, external_id, CASE WHEN is_new THEN 'created' ELSE 'updated' END AS outcome FROM written
 UNION ALL
SELECT id, source, external_id, 'unchanged' FROM judged WHERE NOT is_changed
"""


# An order is a stretch of the index; LATERAL keeps the planner from reading everybody's tickets for a batch of orders.
_CANCEL_ABSENT = """
WITH absent AS (
    SELECT held.id, whole.gone_as
      FROM unnest(CAST(:sources AS text[]), CAST(:prefixes AS text[]), CAST(:statuses AS text[]))
           AS whole(source, prefix, gone_as)
     CROSS JOIN LATERAL (
           SELECT participation.id, participation.source, participation.external_id
             FROM participation
            WHERE participation.organisation_id = :organisation_id AND participation.source = whole.source
              AND participation.external_id >= whole.prefix
              AND participation.external_id < whole.prefix || chr(1114111)
              AND participation.status NOT IN ('cancelled', 'refunded')
           OFFSET 0) AS held
     WHERE held.source || E'\n' || held.external_id <> ALL (CAST(:kept AS text[]))
     ORDER BY held.source, held.external_id
)
UPDATE participation AS held
   SET status = absent.gone_as, updated_at = :at
  FROM absent
 WHERE held.organisation_id = :organisation_id AND held.id = absent.id
RETURNING held.id
"""


def _activity_error(record: ActivityRecord) -> str | None:
    if _is_blank(record.external_id) or _is_blank(record.source):
        return "no_external_id"
    if cleaned(record.title) is None:
        return "no_title"
    return "naive_instant" if _is_naive(record.starts_at, record.ends_at) else None


def _participation_error(record: ParticipationRecord, has_activity: bool) -> str | None:
    if _is_blank(record.external_id) or _is_blank(record.source):
        return "no_external_id"
    if not has_activity:
        return "unknown_activity"
    if record.status not in STATUSES:
        return "unknown_status"
    if not 0 <= record.quantity <= QUANTITY_MAX:
        return "invalid_quantity"
    return "naive_instant" if _is_naive(record.booked_at, record.attended_at) else None


def _is_blank(text: str) -> bool:
    return not text[:1].isalnum() and cleaned(text) is None


def _is_naive(*instants: datetime | None) -> bool:
    return any(instant is not None and instant.tzinfo is None for instant in instants)


def _activity_row(record: ActivityRecord, zone: ZoneInfo) -> dict[str, Any]:
    starts_on: date | None = record.starts_at.astimezone(zone).date() if record.starts_at else None
    return {
        "source": record.source,
        "external_id": record.external_id,
        "title": cleaned(record.title),
        "kind": cleaned(record.kind) or "performance",
        "genres": [genre for each in record.genres if (genre := cleaned(each))],
        "own_genres": [genre for each in record.own_genres if (genre := cleaned(each))] or None,
        "series": cleaned(record.series),
        "venue": cleaned(record.venue),
        "audiences": [audience for each in record.audiences if (audience := cleaned(each))],
        "url": cleaned(record.url),
        "starts_at": record.starts_at.isoformat() if record.starts_at else None,
        "ends_at": record.ends_at.isoformat() if record.ends_at else None,
        "starts_on": starts_on.isoformat() if starts_on else None,
        "is_cancelled": record.is_cancelled,
    }


def _move_participations(session: ScopedSession, activity_ids: Sequence[int], *, at: datetime) -> None:
    if activity_ids:
        session.execute(
            text(_MOVE_PARTICIPATIONS),
            {"organisation_id": session.organisation_id, "activity_ids": list(activity_ids), "at": at},
        )


def _write(
    session: ScopedSession,
    records: Mapping[External, ParticipationRecord],
    parents: Mapping[External, _Parents],
    *,
    time_zone: str,
    at: datetime,
) -> dict[External, tuple[int, Outcome]]:
    """Store each record under its parents; returns its id and what became of it."""
    if not records:
        return {}
    rows = list(records.values())
    # Few words are said very often in these.
    said = {word for row in rows for word in (row.kind, row.currency, row.channel)}
    words = {word: cleaned(word) for word in said}
    stored = session.execute(
        text(_UPSERT_PARTICIPATIONS),
        {
            "organisation_id": session.organisation_id,
            "time_zone": time_zone,
            "at": at,
            "sources": array_text(row.source for row in rows),
            "external_ids": array_text(row.external_id for row in rows),
            "contact_ids": array_text(parents[key][0] for key in records),
            "activity_ids": array_text(parents[key][1] for key in records),
            "buyer_ids": array_text(parents[key][2] for key in records),
            "kinds": array_text(words[row.kind] or "ticket" for row in rows),
            "statuses": array_text(row.status for row in rows),
            "quantities": array_text(row.quantity for row in rows),
            "amounts": array_text(row.amount for row in rows),
            "currencies": array_text(words[row.currency] or "EUR" for row in rows),
            "channels": array_text(words[row.channel] for row in rows),
            "booked_ats": array_text(row.booked_at for row in rows),
            "attended_ats": array_text(row.attended_at for row in rows),
        },
    )
    return {(source, external_id): (stored_id, outcome) for stored_id, source, external_id, outcome in stored}


def _outcome(is_new: bool | None) -> Outcome:
    if is_new is None:
        return "unchanged"
    return "created" if is_new else "updated"
