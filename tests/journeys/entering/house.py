"""A house in which things happen to people, and in which journeys are published, for the tests of entering."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa

from app import clock
from app.accounts.models import Organisation
from app.activities.ingest import upsert_activities, upsert_participations
from app.consent.drafts import NewEvent
from app.consent.ledger import record_event
from app.contacts.ingest import upsert_contacts
from app.contacts.models import Contact
from app.contacts.passes import PassRecord, upsert_passes
from app.db import ScopedSession, transaction
from app.journeys.entering.arrivals import turned_away
from app.journeys.entering.beat import let_people_in
from app.journeys.models import Enrolment, Journey, JourneyVersion
from app.runtime import Runtime
from app.segments.definitions import create_segment
from app.segments.keeping.upkeep import keep_segments_current
from integrations.base import ActivityRecord, ContactRecord, IdentityRecord, ParticipationRecord
from tests.conftest import NOW

ZONE = "Europe/Brussels"
TAG = {"id": "tag", "type": "tag", "add": ["seen"]}
SEND = {"id": "send", "type": "send", "mailing": 1}
Json = dict[str, Any]
T = TypeVar("T")


@dataclass
class House:
    """Everything happens at ``now``, in a transaction of its own."""

    runtime: Runtime
    organisation: Organisation
    now: datetime = NOW
    tickets: int = 0
    names: dict[str, int] = field(default_factory=dict)

    def do(self, verb: Callable[[ScopedSession], T]) -> T:
        with clock.set_to(self.now), transaction(self.runtime.engine, self.organisation.id) as session:
            return verb(session)

    def later(self, **more: float) -> None:
        self.now += timedelta(**more)

    def beat(self) -> int:
        with clock.set_to(self.now):
            keep_segments_current(self.runtime, self.organisation.id)
            return let_people_in(self.runtime, self.organisation.id)

    # --- people and what they do

    def person(self, name: str, **more: Any) -> int:
        record = self.record(name, **more)
        (stored,) = self.do(
            lambda session: upsert_contacts(session, self.runtime.keyring, [record], actor="test", at=self.now)
        )
        assert stored.contact_id is not None
        self.names[name] = stored.contact_id
        return stored.contact_id

    def record(self, name: str, **more: Any) -> ContactRecord:
        email = f"{name}@example.org"
        return ContactRecord(source="test", identities=(IdentityRecord("email", email),), email=email, **more)

    def show(self, number: int, starts_at: datetime | None, **more: Any) -> None:
        record = ActivityRecord("box", str(number), f"Show {number}", starts_at=starts_at, **more)
        self.do(lambda session: upsert_activities(session, [record], time_zone=ZONE))

    def book(self, name: str, number: int, *, ticket: int | None = None, **more: Any) -> int:
        """Store one line; a number that was used before is the same line again."""
        self.tickets += 1
        line = self.tickets if ticket is None else ticket
        record = ParticipationRecord(
            "box", str(line), self.record(name), "box", str(number), **{"booked_at": self.now} | more
        )
        self.store([record])
        return line

    def store(self, records: Sequence[ParticipationRecord]) -> None:
        self.do(
            lambda session: upsert_participations(
                session, self.runtime.keyring, records, time_zone=ZONE, actor="test", at=self.now
            )
        )

    def hold_pass(self, name: str, number: str, **more: Any) -> None:
        record = PassRecord(self.names[name], "uitpas", number, "test", **more)
        assert self.do(lambda session: upsert_passes(session, [record], at=self.now)) == [None]

    def says(self, name: str, action: str, *, purpose: str = "newsletter", **more: Any) -> None:
        event = NewEvent(
            **{
                "address": f"{name}@example.org",
                "channel": "email",
                "purpose": purpose,
                "action": action,
                "basis": "consent" if action in ("granted", "confirmed") else None,
                "occurred_at": self.now,
                "actor": "contact",
                "method": "form",
                "source": "test",
                "wording": "Ja, graag.",
                "language": "nl",
            }
            | more
        )
        self.do(lambda session: record_event(session, self.runtime.keyring, event))

    # --- journeys

    def segment(self, rule: Json) -> int:
        return self.do(lambda session: create_segment(session, name=f"S{rule}", rule=rule).id)

    def publish(self, trigger: Json, *steps: Json, **more: Any) -> int:
        definition = {"trigger": trigger, "purpose": "newsletter", "steps": list(steps or (TAG,))}
        definition |= {"reentry": "after_exit"} | more

        def made(session: ScopedSession) -> int:
            number = session.scalar(sa.select(sa.func.count(Journey.id)))
            journey = Journey(
                organisation_id=session.organisation_id, name=f"Journey {number}", state="published", version=1,
                draft=definition, created_at=self.now, updated_at=self.now,
            )  # fmt: skip
            session.add(journey)
            session.flush()
            session.add(self._version(session, journey.id, 1, definition))
            return journey.id

        return self.do(made)

    def publish_again(self, journey_id: int, trigger: Json, *steps: Json, **more: Any) -> None:
        definition = {"trigger": trigger, "purpose": "newsletter", "steps": list(steps or (TAG,))} | more

        def published(session: ScopedSession) -> None:
            journey = session.get_one(Journey, (session.organisation_id, journey_id))
            journey.version = (journey.version or 0) + 1
            session.add(self._version(session, journey_id, journey.version, definition))

        self.do(published)

    def _version(self, session: ScopedSession, journey_id: int, number: int, definition: Json) -> JourneyVersion:
        return JourneyVersion(
            organisation_id=session.organisation_id, journey_id=journey_id, version=number, definition=definition,
            published_at=self.now,
        )  # fmt: skip

    def turn(self, journey_id: int, state: str) -> None:
        changed = sa.update(Journey).where(Journey.id == journey_id).values(state=state)
        self.do(lambda session: session.execute(changed))

    def finish(self, journey_id: int) -> None:
        """Everybody inside reaches the end."""
        done = {"state": "completed", "left_at": self.now, "left_on": self.now.date(), "wake_at": None}
        ended = sa.update(Enrolment).where(Enrolment.journey_id == journey_id, Enrolment.state == "active").values(done)
        self.do(lambda session: session.execute(ended))

    # --- what came of it

    def entered(self, journey_id: int) -> list[str]:
        """The names of who entered, once for each time, in order of the alphabet."""

        def read(session: ScopedSession) -> list[str]:
            ways = sa.select(Contact.email).join(Enrolment, Enrolment.contact_id == Contact.id)
            emails = session.scalars(ways.where(Enrolment.journey_id == journey_id))
            return sorted((email or "?").partition("@")[0] for email in emails)

        return self.do(read)

    def away(self, journey_id: int) -> dict[str, int]:
        """Why others did not enter."""
        return self.do(lambda session: turned_away(session, journey_id))


def born(year: int, month: int, day: int) -> Json:
    return {"birth_date": date(year, month, day)}
