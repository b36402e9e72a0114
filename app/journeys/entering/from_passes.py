"""Occurrences of passes: issued, points saved, rewards taken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.contacts.models import Pass
from app.contacts.passes import programme_key
from app.db import ScopedSession
from app.journeys.definition import OnPass
from app.journeys.entering.from_participations import any_of
from app.journeys.entering.notes import Noted, Notes
from app.journeys.entering.occurrences import Occurrence, end_of, soon_after

# The first passes of a programme come together when it is connected. Those of its first day that do not say from when
# they are valid were issued before, as far as anybody knows.
FIRST_DAY = timedelta(days=1)
A_MOMENT = timedelta(minutes=5)


def passes_heard(session: ScopedSession, trigger: OnPass, notes: Notes, zone: ZoneInfo) -> Iterator[Occurrence]:
    """The occurrences of ``trigger`` in these notes."""
    if trigger.on == "issued":
        yield from _issued(session, trigger, notes, zone)
    elif trigger.on in ("point", "redeemed"):
        yield from _points(session, trigger, notes, zone)


def _issued(session: ScopedSession, trigger: OnPass, notes: Notes, zone: ZoneInfo) -> Iterator[Occurrence]:
    noted = notes.of("pass_issued")
    rows = _read(session, trigger, sorted(noted))
    since = _first_known(session, trigger) if rows else None
    for row in rows:
        at = _issued_at(row, noted[row.id].at, since, zone)
        if at is not None:
            yield soon_after(row.contact_id, f"pass:{row.id}:issued", at)


def _points(session: ScopedSession, trigger: OnPass, notes: Notes, zone: ZoneInfo) -> Iterator[Occurrence]:
    """Every change is an occurrence of its own; with ``nth``, only the one that reaches as many points."""
    changes = [noted for noted in notes.each("pass_points") if _is_meant(trigger, noted)]
    rows = {row.id: row for row in _read(session, trigger, sorted({noted.id for noted in changes}))}
    since = _first_known(session, trigger) if rows else None
    for noted in changes:
        row = rows.get(noted.id)
        if row is None:
            continue
        # Points that a pass came with are as old as the pass.
        came_so = row.created_at >= noted.at - A_MOMENT
        at = _issued_at(row, noted.at, since, zone) if came_so else noted.at
        if at is not None:
            what = (
                f"{trigger.nth}" if trigger.nth is not None else f"{noted.at.isoformat()}:{noted.before}:{noted.after}"
            )
            yield soon_after(row.contact_id, f"pass:{row.id}:{trigger.on}:{what}", at)


def _is_meant(trigger: OnPass, noted: Noted) -> bool:
    before, after = noted.before or 0, noted.after or 0
    if trigger.on == "redeemed":
        return after < before
    return before < trigger.nth <= after if trigger.nth is not None else before < after


def _read(session: ScopedSession, trigger: OnPass, ids: list[int]) -> list[Any]:
    if not ids:
        return []
    held = sa.select(Pass.id, Pass.contact_id, Pass.valid_from, Pass.created_at)
    valid = held.where(Pass.programme == programme_key(trigger.programme), Pass.status == "valid")
    return list(session.execute(valid.where(any_of(Pass.id, ids)).order_by(Pass.id)))


def _first_known(session: ScopedSession, trigger: OnPass) -> datetime | None:
    return session.scalar(
        sa.select(sa.func.min(Pass.created_at)).where(Pass.programme == programme_key(trigger.programme))
    )


def _issued_at(row: Any, noted_at: datetime, first: datetime | None, zone: ZoneInfo) -> datetime | None:
    """When a pass was issued as far as we know; None for those that a programme came with."""
    if row.valid_from is not None:
        return min(noted_at, end_of(row.valid_from, zone))
    return None if first is None or row.created_at < first + FIRST_DAY else noted_at
