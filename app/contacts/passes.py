"""Passes: cards and subscriptions of contacts in a programme, such as UiTPAS, kept as their source knows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text

from app.contacts.normalise import cleaned
from app.db import ScopedSession, array_text

STATUSES = ("valid", "stopped")


@dataclass(frozen=True, slots=True)
class PassRecord:
    """A pass as a source knows it. What is None overwrites nothing. ``expires_on`` is its last day."""

    contact_id: int
    programme: str
    number: str
    source: str
    status: str | None = None
    valid_from: date | None = None
    expires_on: date | None = None
    points: int | None = None


def programme_key(programme: str) -> str:
    """A programme as it is kept and compared: in small letters, without blanks around it."""
    return (cleaned(programme) or "").lower()


def number_key(number: str) -> str:
    """A card's number as it is compared: without blanks, dots and dashes, in small letters."""
    return "".join(letter for letter in number.lower() if letter.isalnum())


_UPSERT = """
INSERT INTO pass AS held (organisation_id, contact_id, programme, number, number_key, status, valid_from, expires_on,
                          points, source, created_at, updated_at)
SELECT :organisation_id, given.contact_id, given.programme, given.number, given.number_key,
       COALESCE(given.status, 'valid'), given.valid_from, given.expires_on, given.points, given.source, :at, :at
  FROM unnest(CAST(:contact_ids AS bigint[]), CAST(:programmes AS text[]), CAST(:numbers AS text[]),
              CAST(:number_keys AS text[]), CAST(:statuses AS text[]), CAST(:valid_froms AS date[]),
              CAST(:expires_ons AS date[]), CAST(:points AS integer[]), CAST(:sources AS text[]))
       AS given(contact_id, programme, number, number_key, status, valid_from, expires_on, points, source)
 ORDER BY given.programme, given.number_key
    ON CONFLICT (organisation_id, programme, number_key) DO UPDATE
   SET number = excluded.number, status = excluded.status, valid_from = excluded.valid_from,
       expires_on = excluded.expires_on, points = excluded.points, updated_at = excluded.updated_at
 WHERE held.contact_id = excluded.contact_id
   AND (held.number, held.status, held.valid_from, held.expires_on, held.points)
       IS DISTINCT FROM (excluded.number, excluded.status, excluded.valid_from, excluded.expires_on, excluded.points)
"""

_HELD = """
SELECT held.programme, held.number_key, held.contact_id, held.status, held.valid_from, held.expires_on, held.points
  FROM pass AS held
  JOIN unnest(CAST(:programmes AS text[]), CAST(:number_keys AS text[])) AS wanted(programme, number_key)
    ON wanted.programme = held.programme AND wanted.number_key = held.number_key
 WHERE held.organisation_id = :organisation_id
 ORDER BY held.programme, held.number_key
   FOR UPDATE OF held
"""


def upsert_passes(session: ScopedSession, records: Sequence[PassRecord], *, at: datetime) -> list[str | None]:
    """Store passes and return, per record in order, the code of what is wrong with it, or None.

    A programme and a number make a pass; said again, it is brought up to date. Codes: ``invalid_pass`` (no programme,
    or a number without letters or digits), ``pass_dates`` (it would end before it begins), ``pass_of_another``
    (somebody else holds it: nobody is ever moved or merged silently). Where one is said twice in a batch, the later
    wins. Two statements, however many records.
    """
    keys = [(programme_key(one.programme), number_key(one.number)) for one in records]
    held = _held(session, {key for key in keys if all(key)})
    errors: list[str | None] = []
    wanted: dict[tuple[str, str], PassRecord] = {}
    for record, key in zip(records, keys, strict=True):
        known = wanted.get(key) or held.get(key)
        complete = record if known is None else _completed(record, known)
        error = _problem(complete, key, known)
        errors.append(error)
        if error is None:
            wanted[key] = complete
    _write(session, wanted, at=at)
    return errors


def _problem(record: PassRecord, key: tuple[str, str], known: PassRecord | None) -> str | None:
    if not all(key) or len(record.number) > 320:
        return "invalid_pass"
    if known is not None and known.contact_id != record.contact_id:
        return "pass_of_another"
    if record.valid_from is not None and record.expires_on is not None and record.valid_from > record.expires_on:
        return "pass_dates"
    return None


def _completed(record: PassRecord, known: PassRecord) -> PassRecord:
    """``record`` with what it does not say taken from what is known."""
    return PassRecord(
        record.contact_id,
        record.programme,
        record.number,
        record.source,
        status=record.status or known.status,
        valid_from=record.valid_from or known.valid_from,
        expires_on=record.expires_on or known.expires_on,
        points=known.points if record.points is None else record.points,
    )


def _held(session: ScopedSession, keys: set[tuple[str, str]]) -> dict[tuple[str, str], PassRecord]:
    """The passes that are known by these keys, locked until the transaction ends."""
    if not keys:
        return {}
    ordered = sorted(keys)
    rows = session.execute(
        text(_HELD),
        {
            "organisation_id": session.organisation_id,
            "programmes": array_text(programme for programme, _ in ordered),
            "number_keys": array_text(number for _, number in ordered),
        },
    )
    return {
        (row.programme, row.number_key): PassRecord(
            row.contact_id,
            row.programme,
            row.number_key,
            "",
            status=row.status,
            valid_from=row.valid_from,
            expires_on=row.expires_on,
            points=row.points,
        )
        for row in rows
    }


def _write(session: ScopedSession, wanted: dict[tuple[str, str], PassRecord], *, at: datetime) -> None:
    if not wanted:
        return
    records = list(wanted.values())
    session.execute(
        text(_UPSERT),
        {
            "organisation_id": session.organisation_id,
            "at": at,
            "contact_ids": array_text(one.contact_id for one in records),
            "programmes": array_text(programme for programme, _ in wanted),
            "number_keys": array_text(number for _, number in wanted),
            "numbers": array_text(cleaned(one.number) for one in records),
            "statuses": array_text(one.status for one in records),
            "valid_froms": array_text(one.valid_from for one in records),
            "expires_ons": array_text(one.expires_on for one in records),
            "points": array_text(one.points for one in records),
            "sources": array_text(one.source for one in records),
        },
    )
