"""Entries and exits in order, for who acts on them exactly once: journeys, and whatever else keeps its own place.

A reader remembers how far it has read, in the transaction in which it acts on what it read. It can trust that nothing
comes in behind its back: positions are given out under the row of ``segment_upkeep``, which the writer holds until its
commit, so that a position that is visible has no lower one still in flight. (A sequence could not promise that: it
gives numbers out in another order than transactions commit in.)
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

import sqlalchemy as sa

from app import clock
from app.db import ScopedSession
from app.segments.keeping.entries import Because
from app.segments.models import SegmentChange, SegmentUpkeep
from app.segments.problems import ChangesForgottenError

# How long a reader may stay away. What is kept for good is segment_membership.
KEPT = timedelta(days=35)


@dataclass(frozen=True, slots=True)
class Turned:
    """Somebody entered or left a segment. ``what``: the kinds of rows that changed, for ``data``, where known."""

    position: int
    segment_id: int
    contact_id: int
    kind: Literal["entered", "left"]
    at: datetime
    on: date
    because: Because
    what: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Entries and exits by position, and the cursor to go on from: the caller keeps it with what it did."""

    items: tuple[Turned, ...]
    cursor: int


def changes_after(
    session: ScopedSession, cursor: int, *, limit: int = 1000, segment_ids: Collection[int] | None = None
) -> ChangePage:
    """Entries and exits behind ``cursor`` (0 for the first ever), at most ``limit``, of these segments or of all.

    Each is given exactly once to a reader that stores the cursor it gets in the transaction in which it acts, whatever
    number of workers evaluate meanwhile. A page without items may move the cursor. Raises ChangesForgottenError where
    what follows the cursor is partly no longer kept (``KEPT``): start again from ``last_position``.
    """
    upkeep = session.execute(sa.select(SegmentUpkeep.position, SegmentUpkeep.forgotten_position)).one_or_none()
    if upkeep is None:
        return ChangePage((), cursor)
    if cursor < upkeep.forgotten_position:
        raise ChangesForgottenError(cursor)
    change = SegmentChange
    # Up to the position that was committed when we looked: later ones may not all be in what the next statement sees.
    query = sa.select(change).where(change.position > cursor, change.position <= upkeep.position)
    if segment_ids is not None:
        query = query.where(change.segment_id.in_(list(segment_ids)))
    rows = session.scalars(query.order_by(change.position).limit(limit)).all()
    items = tuple(_turned(row) for row in rows)
    return ChangePage(items, items[-1].position if len(items) == limit else max(cursor, upkeep.position))


def last_position(session: ScopedSession) -> int:
    """The cursor behind everything that happened up to now: for a reader that begins today."""
    return session.scalar(sa.select(SegmentUpkeep.position)) or 0


def forget_changes(session: ScopedSession, upkeep: SegmentUpkeep) -> int:
    """Take away what is older than ``KEPT``; returns how many. The caller holds ``upkeep``."""
    change = SegmentChange
    last = session.scalar(sa.select(sa.func.max(change.position)).where(change.happened_at < clock.now() - KEPT))
    if last is None:
        return 0
    upkeep.forgotten_position = max(upkeep.forgotten_position, last)
    session.flush()
    old = sa.delete(change).where(change.position <= last).execution_options(synchronize_session=False)
    return len(session.scalars(old.returning(change.position)).all())


def _turned(row: SegmentChange) -> Turned:
    kind: Literal["entered", "left"] = "entered" if row.kind == "entered" else "left"
    because: Because = row.because  # type: ignore[assignment]  # the CHECK knows the words
    return Turned(
        row.position, row.segment_id, row.contact_id, kind, row.happened_at, row.happened_on, because,
        tuple(row.what or ()),
    )  # fmt: skip
