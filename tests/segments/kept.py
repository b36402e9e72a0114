"""Segments kept in a house, for the tests of pages."""

from __future__ import annotations

from typing import Any

from app.accounts.models import Organisation
from app.db import transaction
from app.runtime import Runtime
from app.segments import definitions
from app.segments.membership import evaluate_segment
from app.segments.models import Segment
from tests.segments.evaluator import Activity
from tests.segments.people import DAY as TODAY
from tests.segments.people import at_noon

CAME: dict[str, Any] = {"type": "participation", "at_least": 1, "between": ["-P30D", "P1D"]}
DANCE = Activity(id=7, genres=("dans",), venue="Grote Zaal", series="Abo", starts_at=at_noon(TODAY))


def keep(runtime: Runtime, organisation: Organisation, rule: dict[str, Any] = CAME, name: str = "Pas geweest") -> int:
    with transaction(runtime.engine, organisation.id) as session:
        segment = definitions.create_segment(session, name=name, rule=rule)
        evaluate_segment(session, segment.id)
        return segment.id


def kept(runtime: Runtime, organisation: Organisation) -> list[Segment]:
    with transaction(runtime.engine, organisation.id) as session:
        return definitions.list_segments(session)
