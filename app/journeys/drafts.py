"""Drafts of journeys: what is being edited, and not yet what anybody walks through.

A draft is kept as it is, also while it is unfinished: it need only be an object of a reasonable size. Whether it can
be published is another question (``publishing``). ``edition`` counts what was kept, so that two people who edit one
journey do not write over each other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app import clock
from app.db import ScopedSession
from app.journeys.models import Enrolment, Journey
from app.journeys.problems import (
    ImpossibleDraftError,
    JourneyInUseError,
    JourneyMissingError,
    JourneyNameTakenError,
    StaleDraftError,
)

Json = dict[str, Any]

NAME_MAX = 120
DRAFT_BYTES_MAX = 400_000
DEPTH_MAX = 80

BLANK: Json = {"trigger": None, "purpose": "newsletter", "reentry": "never", "holdout_percent": 0, "steps": []}


def find_journey(session: ScopedSession, journey_id: int) -> Journey:
    """Return the journey; raises JourneyMissingError where the organisation has none with this id."""
    journey = session.get(Journey, (session.organisation_id, journey_id))
    if journey is None:
        raise JourneyMissingError(journey_id)
    return journey


def list_journeys(session: ScopedSession) -> list[Journey]:
    """Return every journey: those that run or are being made before the archived, by name."""
    query = sa.select(Journey).order_by((Journey.state == "archived").asc(), sa.func.lower(Journey.name), Journey.id)
    return list(session.scalars(query))


def make_journey(
    session: ScopedSession, name: str, definition: Mapping[str, Any] | None = None, *, created_by: int | None
) -> Journey:
    """Keep a new journey as a draft. Raises JourneyNameTakenError, or ImpossibleDraftError."""
    draft = _checked(BLANK if definition is None else definition)
    now = clock.now()
    journey = Journey(
        organisation_id=session.organisation_id,
        name=_short(name),
        draft=draft,
        edition=1,
        created_by=created_by,
        created_at=now,
        updated_at=now,
    )
    _flush_named(session, lambda: session.add(journey))
    return journey


def save_draft(session: ScopedSession, journey_id: int, definition: Mapping[str, Any], *, edition: int) -> int:
    """Keep what was edited from ``edition`` on, and return the new edition.

    What is already kept keeps its edition, so that an answer that got lost may be asked again. Raises StaleDraftError
    where somebody else was first, JourneyMissingError, or ImpossibleDraftError; then nothing changes.
    """
    draft = _checked(definition)
    saved = session.scalar(
        sa.update(Journey)
        .where(Journey.id == journey_id, Journey.edition == edition, Journey.state != "archived")
        .values(draft=draft, edition=Journey.edition + 1, updated_at=clock.now())
        .returning(Journey.edition)
        .execution_options(synchronize_session=False)
    )
    journey = find_journey(session, journey_id)
    session.refresh(journey)
    if saved is None and (journey.draft != draft or journey.state == "archived"):
        raise StaleDraftError(journey_id, journey.edition)
    return journey.edition


def rename_journey(session: ScopedSession, journey_id: int, name: str) -> Journey:
    """Give a journey another name. Raises JourneyNameTakenError, or JourneyMissingError."""
    journey = find_journey(session, journey_id)

    def change() -> None:
        journey.name, journey.updated_at = _short(name), clock.now()

    _flush_named(session, change)
    return journey


def copy_journey(session: ScopedSession, journey_id: int, name: str, *, created_by: int | None) -> Journey:
    """Make a draft of its own from a journey's draft: nobody is in it. Raises as ``make_journey``."""
    return make_journey(session, name, find_journey(session, journey_id).draft, created_by=created_by)


def remove_journey(session: ScopedSession, journey_id: int) -> None:
    """Remove a journey that nobody ever entered. Raises JourneyInUseError, or JourneyMissingError."""
    journey = find_journey(session, journey_id)
    is_entered = session.scalar(sa.select(sa.exists().where(Enrolment.journey_id == journey_id)))
    if is_entered or journey.state in ("published", "paused"):
        raise JourneyInUseError(journey_id)
    session.delete(journey)
    session.flush()


def free_name(session: ScopedSession, wanted: str) -> str:
    """Return ``wanted``, or the same with the first number behind it that no journey has yet."""
    taken = set(session.scalars(sa.select(sa.func.lower(Journey.name))))
    names = (wanted if number == 1 else f"{wanted[: NAME_MAX - 5]} {number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name.lower() not in taken)


def _short(name: str) -> str:
    return name.strip()[:NAME_MAX]


def _checked(definition: object) -> Json:
    if not isinstance(definition, Mapping) or _depth(definition, DEPTH_MAX) is None:
        raise ImpossibleDraftError("a draft is an object that is not nested too deep")
    text = json.dumps(definition)
    if len(text) > DRAFT_BYTES_MAX or "\\u0000" in text:
        raise ImpossibleDraftError("the draft is too large, or holds characters that cannot be kept")
    return dict(definition)


def _depth(value: object, left: int) -> int | None:
    """How much of ``left`` remains under the deepest value, or None where it is nested deeper."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    if left == 0:
        return None
    depths = [_depth(one, left - 1) for one in inner]
    return None if None in depths else min((one for one in depths if one is not None), default=left)


def _flush_named(session: ScopedSession, change: Callable[[], None]) -> None:
    """Make the change; a name that another journey has is refused without harming the transaction."""
    try:
        with session.begin_nested():
            change()
            session.flush()
    except IntegrityError as error:
        if "uq_journey_name" in str(error.orig):
            raise JourneyNameTakenError("another journey has this name") from None
        raise
