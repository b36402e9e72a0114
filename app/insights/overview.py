"""What the home page tells at a glance: what is still to be set up, the figures that matter, and whether all runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app import clock
from app.accounts.models import User
from app.accounts.organisations import current_organisation
from app.activities.models import Participation
from app.audiences.clearing.travelling import Alarm, alarm
from app.audiences.definitions import audiences_to_look_at
from app.audiences.models import Audience
from app.consent.gate import contactable
from app.consent.requests import count_open
from app.contacts.models import Contact, ContactIdentity, ImportJob
from app.db import ScopedSession
from app.segments.models import Segment
from app.sync.models import Connection, Heartbeat

WORKER_SILENT_AFTER = timedelta(minutes=5)
MONTHS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """What a new house does once; each is True when done."""

    has_address: bool
    has_colleagues: bool
    has_contacts: bool
    has_segment: bool
    has_audience: bool

    @property
    def are_done(self) -> bool:
        """Whether nothing is left."""
        return all((self.has_address, self.has_colleagues, self.has_contacts, self.has_segment, self.has_audience))


@dataclass(frozen=True, slots=True)
class Figures:
    """Numbers of people, and of participations by month: the first day of each month and its count, oldest first."""

    contacts: int
    new_contacts: int
    mailable: int
    bouncing: int
    participations: int
    months: list[tuple[date, int]]


@dataclass(frozen=True, slots=True)
class WaitingRequests:
    """Requests of people about their own data: how many are open, due within a week, and late already."""

    open: int
    soon: int
    late: int


@dataclass(frozen=True, slots=True)
class Health:
    """Whether work gets done: the last beat of a worker, when data last came in, connections in trouble, and audiences
    that wait for somebody or stopped (id, name, and which of the two), and opt-outs that do not arrive in time."""

    worker_at: datetime | None
    imported_at: datetime | None
    synced_at: datetime | None
    failing: list[tuple[int, str]]
    audiences: list[tuple[int, str, str]]
    late_opt_outs: Alarm | None
    requests: WaitingRequests

    @property
    def is_working(self) -> bool:
        """Whether a worker has beaten lately."""
        return self.worker_at is not None and clock.now() - self.worker_at < WORKER_SILENT_AFTER


def first_steps(session: Session) -> FirstSteps:
    """Return how far a house is with setting up."""
    organisation = current_organisation(session)
    return FirstSteps(
        has_address=bool(organisation.legal_address),
        has_colleagues=(session.scalar(select(func.count()).select_from(User)) or 0) > 1,
        has_contacts=_any(session, Contact.id),
        has_segment=_any(session, Segment.id),
        has_audience=_any(session, Audience.id, Audience.state != "removed"),
    )


def figures(session: Session) -> Figures:
    """Return the key figures; ``mailable`` is what the gate would let through for the newsletter by e-mail."""
    today = clock.today(current_organisation(session).time_zone)
    now = clock.now()
    living = select(func.count()).select_from(Contact).where(Contact.state == "living")
    gate = contactable.c
    mailable = select(func.count(gate.contact_id.distinct())).where(
        gate.channel == "email",
        gate.purpose == "newsletter",
        gate.is_deliverable,
        gate.valid_until.is_(None) | (gate.valid_until > now),
    )
    bouncing = select(func.count(ContactIdentity.contact_id.distinct())).where(
        ContactIdentity.deliverability == "bouncing"
    )
    months = _participations_by_month(session, today)
    return Figures(
        contacts=session.scalar(living) or 0,
        new_contacts=session.scalar(living.where(Contact.created_at > now - timedelta(days=30))) or 0,
        mailable=session.scalar(mailable) or 0,
        bouncing=session.scalar(bouncing) or 0,
        participations=sum(count for _month, count in months),
        months=months,
    )


def health(session: ScopedSession) -> Health:
    """Return whether workers beat, when data last came in, and which connections fail (id and name)."""
    kept = Connection.state != "removed"
    failing = session.execute(
        select(Connection.id, Connection.name).where(Connection.state == "failing").order_by(Connection.name)
    )
    return Health(
        worker_at=session.scalar(select(func.max(Heartbeat.finished_at))),
        imported_at=session.scalar(select(func.max(ImportJob.finished_at)).where(ImportJob.state == "done")),
        synced_at=session.scalar(select(func.max(Connection.last_ok_at)).where(kept)),
        failing=[(connection_id, name) for connection_id, name in failing],
        audiences=[(audience.id, audience.name, why) for audience, why in audiences_to_look_at(session)],
        late_opt_outs=alarm(session),
        requests=_waiting_requests(session),
    )


def _waiting_requests(session: ScopedSession) -> WaitingRequests:
    today = clock.today(current_organisation(session).time_zone)
    waiting, soon = count_open(session, due_until=today + timedelta(days=7))
    _, late = count_open(session, due_until=today - timedelta(days=1))
    return WaitingRequests(waiting, soon, late)


def _any(session: Session, column: object, *conditions: ColumnElement[bool]) -> bool:
    return session.scalar(select(column).where(*conditions).limit(1)) is not None  # type: ignore[call-overload]


def _participations_by_month(session: Session, today: date) -> list[tuple[date, int]]:
    first = _months_before(today, MONTHS_SHOWN - 1)
    month = func.date_trunc("month", Participation.activity_on)
    counted = {
        each.date(): count
        for each, count in session.execute(
            select(month, func.count())
            .where(Participation.is_valid, Participation.activity_on >= first, Participation.activity_on <= today)
            .group_by(month)
        )
    }
    months = [_months_before(today, back) for back in range(MONTHS_SHOWN - 1, -1, -1)]
    return [(each, counted.get(each, 0)) for each in months]


def _months_before(day: date, months: int) -> date:
    number = day.year * 12 + day.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)
