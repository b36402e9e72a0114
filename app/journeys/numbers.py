"""The numbers on every step of a journey, and the people behind each number.

They count what was recorded (``journey_visit``) over every version, by the id of the step, without rehearsals. For a
step that mails, what became of the mails is told by the deliveries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import sqlalchemy as sa

from app.contacts.models import Contact
from app.db import ScopedSession
from app.journeys.models import Enrolment, Visit
from app.mailings.models import Delivery

PEOPLE_PER_PAGE = 50

What = Literal["entered", "waiting", "held", "done", "skipped", "failed", "reached"]
WHATS: tuple[What, ...] = ("entered", "waiting", "held", "done", "skipped", "failed", "reached")
SENT = ("handed_over", "accepted")
UNDER_WAY = ("planned", "claimed", "uncertain")


@dataclass(slots=True)
class StepNumbers:
    """Of one step: how many came, wait there now, are held there (``held``: by reason), went on, were passed over
    (``skipped``: by reason) and failed; of its mails, how many left, are under way, and did not leave (by reason)."""

    entered: int = 0
    waiting: int = 0
    done: int = 0
    failed: int = 0
    held: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    under_way: int = 0
    not_sent: dict[str, int] = field(default_factory=dict)

    @property
    def all_held(self) -> int:
        """How many are held, whatever the reason."""
        return sum(self.held.values())

    @property
    def all_skipped(self) -> int:
        """How many were passed over, whatever the reason."""
        return sum(self.skipped.values())


def numbers_of(session: ScopedSession, journey_id: int) -> dict[str, StepNumbers]:
    """Return the numbers of every step that anybody came to, by the id of the step."""
    found: dict[str, StepNumbers] = {}
    _count_visits(session, journey_id, found)
    _count_inside(session, journey_id, found)
    _count_mails(session, journey_id, found)
    return found


def _count_visits(session: ScopedSession, journey_id: int, found: dict[str, StepNumbers]) -> None:
    rows = session.execute(
        sa.select(Visit.step_id, Visit.outcome, Visit.reason, sa.func.count())
        .join(Enrolment, Enrolment.id == Visit.enrolment_id)
        .where(Visit.journey_id == journey_id, ~Enrolment.is_rehearsal)
        .group_by(Visit.step_id, Visit.outcome, Visit.reason)
    )
    for step_id, outcome, reason, count in rows:
        numbers = found.setdefault(step_id, StepNumbers())
        numbers.entered += count
        if outcome == "skipped":
            numbers.skipped[reason or ""] = numbers.skipped.get(reason or "", 0) + count
        elif outcome != "waiting":
            setattr(numbers, outcome, getattr(numbers, outcome) + count)


def _count_inside(session: ScopedSession, journey_id: int, found: dict[str, StepNumbers]) -> None:
    row = Enrolment
    rows = session.execute(
        sa.select(row.step_id, row.held_because, sa.func.count())
        .where(row.journey_id == journey_id, row.state == "active", row.step_id.is_not(None), ~row.is_rehearsal)
        .group_by(row.step_id, row.held_because)
    )
    for step_id, because, count in rows:
        numbers = found.setdefault(str(step_id), StepNumbers())
        if because is None:
            numbers.waiting += count
        else:
            numbers.held[because] = numbers.held.get(because, 0) + count


def _count_mails(session: ScopedSession, journey_id: int, found: dict[str, StepNumbers]) -> None:
    rows = session.execute(
        sa.select(Delivery.step_id, Delivery.state, Delivery.problem_code, sa.func.count())
        .join(Enrolment, Enrolment.id == Delivery.enrolment_id)
        .where(Enrolment.journey_id == journey_id, ~Enrolment.is_rehearsal)
        .group_by(Delivery.step_id, Delivery.state, Delivery.problem_code)
    )
    for step_id, state, problem, count in rows:
        numbers = found.setdefault(str(step_id), StepNumbers())
        if state in SENT:
            numbers.sent += count
        elif state in UNDER_WAY:
            numbers.under_way += count
        elif state in ("failed", "cancelled"):
            numbers.not_sent[problem or ""] = numbers.not_sent.get(problem or "", 0) + count


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on their way: the enrolment, the contact, and what was recorded of the step that was asked about."""

    enrolment: Enrolment
    contact: Contact
    visit: Visit | None


def people_at(
    session: ScopedSession, journey_id: int, *, step_id: str = "", what: What = "entered", before: int | None = None
) -> Sequence[Person]:
    """Return a page of the people behind a number and one more, who entered last first.

    Without ``step_id``: everybody who entered, with ``waiting`` who is inside now, with ``reached`` who reached the
    goal. ``before`` is the enrolment that the page before ended with.
    """
    row, visit = Enrolment, Visit
    at_step = sa.and_(visit.enrolment_id == row.id, visit.step_id == step_id)
    query = (
        sa.select(row, Contact, visit)
        .join(Contact, Contact.id == row.contact_id)
        .outerjoin(visit, at_step)
        .where(row.journey_id == journey_id, ~row.is_rehearsal, *_condition(step_id, what))
        .order_by(row.id.desc())
        .limit(PEOPLE_PER_PAGE + 1)
    )
    if before is not None:
        query = query.where(row.id < before)
    return [Person(row[0], row[1], row[2]) for row in session.execute(query)]


def _condition(step_id: str, what: What) -> tuple[sa.ColumnElement[bool], ...]:
    row, visit = Enrolment, Visit
    inside = row.state == "active"
    if what == "reached":
        return (row.reached_at.is_not(None),)
    if not step_id:
        return {"waiting": (inside,), "failed": (row.state == "failed",)}.get(what, ())
    here = (inside, row.step_id == step_id)
    match what:
        case "waiting":
            return (*here, row.held_because.is_(None))
        case "held":
            return (*here, row.held_because.is_not(None))
        case "entered":
            return (visit.step_id.is_not(None),)
        case _:
            return (visit.outcome == what,)
