"""Finding activities for the cards of a mail: what comes soonest first, then what was last."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select, true

from app.activities.models import Activity
from app.db import ScopedSession

SHOWN_MAX = 20
GENRES_MAX = 80


def find_for_cards(session: ScopedSession, text: str, *, at: datetime) -> list[Activity]:
    """Return activities whose title or genre fits, those to come before those that are over."""
    row, fits = Activity, _fits(text)
    ahead = session.scalars(
        select(row).where(row.starts_at >= at, fits).order_by(row.starts_at, row.id).limit(SHOWN_MAX)
    ).all()
    left = SHOWN_MAX - len(ahead)
    past = session.scalars(
        select(row).where(row.starts_at < at, fits).order_by(row.starts_at.desc(), row.id.desc()).limit(left)
    )
    return [*ahead, *past]


def activities_named(session: ScopedSession, activity_ids: Collection[int]) -> Sequence[Activity]:
    """Return these activities; those that are gone are left out."""
    return session.scalars(select(Activity).where(Activity.id.in_(activity_ids)).order_by(Activity.id)).all()


def genres_ahead(session: ScopedSession, *, at: datetime) -> list[str]:
    """Return the genres of what is still to come."""
    genre = func.unnest(Activity.genres).label("genre")
    found = select(genre).where(Activity.starts_at >= at, ~Activity.is_cancelled).subquery()
    rows = select(found.c.genre).distinct().order_by(found.c.genre).limit(GENRES_MAX)
    return [str(name) for name in session.scalars(rows)]


def audiences_ahead(session: ScopedSession, *, at: datetime) -> list[str]:
    """Return for whom what is still to come is, in the words of the house."""
    audience = func.unnest(Activity.audiences).label("audience")
    found = select(audience).where(Activity.starts_at >= at, ~Activity.is_cancelled).subquery()
    rows = select(found.c.audience).distinct().order_by(found.c.audience).limit(GENRES_MAX)
    return [str(name) for name in session.scalars(rows)]


def _fits(text: str) -> ColumnElement[bool]:
    if not text:
        return true()
    written = text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return or_(func.lower(Activity.title).like(f"%{written}%"), Activity.genres.contains([text.lower()]))
