"""Published versions, read once: a version never changes, so its route is worked out once in a process."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from app.db import ScopedSession
from app.journeys.models import JourneyVersion
from app.journeys.problems import JourneyMissingError
from app.journeys.route import Route, route_of
from app.journeys.schemas import parse_definition


def route_of_version(session: ScopedSession, journey_id: int, version: int) -> Route:
    """The way through a published version. Raises JourneyMissingError, or InvalidDefinitionError."""
    row = JourneyVersion
    stored = session.scalar(sa.select(row.definition).where(row.journey_id == journey_id, row.version == version))
    if stored is None:
        raise JourneyMissingError(journey_id)
    return _read(json.dumps(stored, sort_keys=True))


def whose_line(version: type[JourneyVersion], line: Any) -> sa.ColumnElement[int]:
    """Whom a participation concerns in a version of a journey: who takes part, or the buyer where it is about those."""
    is_for_buyer = version.definition["trigger"]["who"].astext == "buyer"
    return sa.case((is_for_buyer, sa.func.coalesce(line.buyer_id, line.contact_id)), else_=line.contact_id)


@lru_cache(maxsize=256)
def _read(text: str) -> Route:
    return route_of(parse_definition(json.loads(text)))
