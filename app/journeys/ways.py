"""One person's way through a journey: each step, when it was begun and done, what was decided and the facts it saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.contacts.models import Contact
from app.db import ScopedSession
from app.journeys.models import Enrolment, Journey, JourneyVersion, Visit
from app.journeys.telling import all_steps
from app.mailings.models import Delivery


@dataclass(frozen=True, slots=True)
class Stop:
    """A step that somebody came to, and the mail that it planned."""

    visit: Visit
    delivery: Delivery | None


@dataclass(frozen=True, slots=True)
class Way:
    """A way through a journey, on the definition it goes by; ``stops`` in the order in which they came."""

    enrolment: Enrolment
    contact: Contact
    journey: Journey
    definition: Mapping[str, Any]
    stops: Sequence[Stop]


def find_way(session: ScopedSession, journey_id: int, enrolment_id: int) -> Way | None:
    """Return a way through a journey with everything that was recorded of it, or None."""
    row, version = Enrolment, JourneyVersion
    found = session.execute(
        sa.select(row, Contact, Journey, version.definition)
        .join(Contact, Contact.id == row.contact_id)
        .join(Journey, Journey.id == row.journey_id)
        .join(version, sa.and_(version.journey_id == row.journey_id, version.version == row.version))
        .where(row.id == enrolment_id, row.journey_id == journey_id)
    ).one_or_none()
    if found is None:
        return None
    enrolment, contact, journey, definition = found
    visits = session.scalars(
        sa.select(Visit).where(Visit.enrolment_id == enrolment_id).order_by(Visit.arrived_at, Visit.done_at)
    ).all()
    mails = {
        one.step_id: one for one in session.scalars(sa.select(Delivery).where(Delivery.enrolment_id == enrolment_id))
    }
    order = {step_id: place for place, step_id in enumerate(_order(definition.get("steps")))}
    visits = sorted(visits, key=lambda one: (one.arrived_at, order.get(one.step_id, 0)))
    return Way(enrolment, contact, journey, definition, [Stop(one, mails.get(one.step_id)) for one in visits])


@dataclass(frozen=True, slots=True)
class Passage:
    """That somebody is or was in a journey."""

    enrolment: Enrolment
    journey_name: str


def passages_of(session: ScopedSession, contact_id: int, *, limit: int = 200) -> list[Passage]:
    """Return the journeys somebody entered, the newest first; rehearsals are told by the enrolment."""
    rows = session.execute(
        sa.select(Enrolment, Journey.name)
        .join(Journey, Journey.id == Enrolment.journey_id)
        .where(Enrolment.contact_id == contact_id)
        .order_by(Enrolment.id.desc())
        .limit(limit)
    )
    return [Passage(row[0], row[1]) for row in rows]


def _order(steps: object) -> list[str]:
    return [str(step.get("id")) for step in all_steps(steps)]
