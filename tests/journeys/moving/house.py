"""A house in which people walk through published journeys, for the tests of moving."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app import clock, postgres
from app.accounts.audit import SYSTEM
from app.journeys.drafts import make_journey, save_draft
from app.journeys.models import Enrolment, Journey, JourneyVersion, Visit
from app.journeys.moving.beat import move_due
from app.journeys.moving.leaving import leave
from app.journeys.publishing import publish
from app.mailings.mailings import create_mailing
from app.mailings.models import Delivery
from tests.journeys.entering.house import House
from tests.mailings.campaigns import a_draft

Json = dict[str, Any]
API: Json = {"type": "api"}


def wait(step_id: str, span: str = "P1D", **more: Any) -> Json:
    return {"id": step_id, "type": "wait", "for": span, **more}


def tag(step_id: str, name: str | None = None) -> Json:
    return {"id": step_id, "type": "tag", "add": [name or step_id]}


def when(step_id: str, rule: Json, then: list[Json], otherwise: list[Json] | None = None) -> Json:
    branches = [{"when": rule, "steps": then}]
    return {"id": step_id, "type": "choose", "branches": branches, "otherwise": otherwise or []}


class Walks(House):
    """People come in by hand, and time passes."""

    def mailing(self, name: str = "Reismail", **more: Any) -> int:
        draft = a_draft(**({"name": name, "kind": "journey"} | more))
        return self.do(lambda session: create_mailing(session, draft, actor=SYSTEM).id)

    def send(self, step_id: str, **more: Any) -> Json:
        return {"id": step_id, "type": "send", "mailing": self.mailing(f"Mail {step_id}", **more)}

    def run(self, *steps: Json, trigger: Json = API, **more: Any) -> int:
        """Make a journey of these steps and publish it."""
        definition = {"trigger": trigger, "purpose": "newsletter", "steps": list(steps), **more}

        def made(session: Any) -> int:
            number = session.scalar(sa.select(sa.func.count(Journey.id)))
            journey = make_journey(session, f"Reis {number}", definition, created_by=None)
            publish(session, journey.id, actor=SYSTEM)
            return journey.id

        return self.do(made)

    def run_unchecked(self, *steps: Json) -> int:
        """The same for a journey that nobody would publish, such as one with empty branches."""
        definition = {"trigger": API, "purpose": "newsletter", "steps": list(steps)}

        def made(session: Any) -> int:
            same = {"organisation_id": session.organisation_id}
            number = session.scalar(sa.select(sa.func.count(Journey.id)))
            journey = make_journey(session, f"Reis {number}", definition, created_by=None)
            session.add(
                JourneyVersion(**same, journey_id=journey.id, version=1, definition=definition, published_at=self.now)
            )
            journey.state, journey.version = "published", 1
            return journey.id

        return self.do(made)

    def stop_everybody(self) -> None:
        """Whoever is anywhere leaves."""
        active = sa.select(Enrolment.id).where(Enrolment.state == "active")
        self.do(lambda session: leave(session, session.scalars(active).all(), because="archived"))

    def edit(self, journey_id: int, *steps: Json, trigger: Json = API, **more: Any) -> None:
        definition = {"trigger": trigger, "purpose": "newsletter", "steps": list(steps), **more}

        def edited(session: Any) -> None:
            journey = session.get_one(Journey, (session.organisation_id, journey_id))
            save_draft(session, journey_id, definition, edition=journey.edition)

        self.do(edited)

    def friend(self, name: str, **more: Any) -> int:
        """Somebody who wants the newsletter."""
        contact_id = self.person(name, **more)
        self.says(name, "granted")
        return contact_id

    def come_in(self, journey_id: int, *names: str, booking: int | None = None, **more: Any) -> list[int]:
        """Let people into a journey, each by an occurrence of their own."""

        def entered(session: Any) -> list[int]:
            version = session.get_one(Journey, (session.organisation_id, journey_id)).version
            ids = []
            for name in names:
                row = Enrolment(
                    **{
                        "organisation_id": session.organisation_id,
                        "journey_id": journey_id,
                        "version": version,
                        "contact_id": self.names[name],
                        "occurrence": f"test:{name}:{self.now.isoformat()}",
                        "participation_id": booking,
                        "wake_at": self.now,
                        "entered_at": self.now,
                        "entered_on": self.now.date(),
                        "updated_at": self.now,
                    }
                    | more
                )
                session.add(row)
                session.flush()
                ids.append(row.id)
            return ids

        return self.do(entered)

    def move(self) -> int:
        with clock.set_to(self.now):
            return move_due(self.runtime, self.organisation.id)

    # --- what came of it

    def where(self, enrolment_id: int) -> Enrolment:
        return self.do(lambda session: session.get_one(Enrolment, (session.organisation_id, enrolment_id)))

    def log(self, enrolment_id: int) -> list[tuple[str, str, str | None]]:
        """The steps of somebody, in order: id, outcome and reason or branch."""
        query = sa.select(Visit).where(Visit.enrolment_id == enrolment_id).order_by(Visit.arrived_at, Visit.step_id)
        visits = self.do(lambda session: session.scalars(query).all())
        return [(one.step_id, one.outcome, one.reason or one.branch) for one in visits]

    def tags(self, name: str) -> list[str]:
        query = sa.text("SELECT tags FROM contact WHERE id = :id")
        return sorted(self.do(lambda session: session.scalar(query, {"id": self.names[name]})) or [])

    def mails(self) -> list[tuple[int, str | None, str]]:
        """Deliveries of steps: contact, step and state."""
        query = sa.select(Delivery.contact_id, Delivery.step_id, Delivery.state).order_by(Delivery.id)
        return [tuple(row) for row in self.do(lambda session: session.execute(query).all())]

    def at(self, local: str) -> Walks:
        """Set the time, by the clock of the house."""
        from zoneinfo import ZoneInfo

        self.now = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo("Europe/Brussels"))
        return self

    def as_owner(self, statement: sa.TextClause) -> None:
        """Change the tables themselves."""
        database = postgres.locate(self.runtime.settings, self.runtime.keyring)
        with postgres.connected(database.owner_url) as connection, connection.begin():
            connection.execute(statement)

    def set(self, table: str, row_id: int, **values: Any) -> None:
        """Change a row behind everybody's back."""
        named = ", ".join(f"{name} = :{name}" for name in values)
        statement = sa.text(f"UPDATE {table} SET {named} WHERE id = :row_id")
        self.do(lambda session: session.execute(statement, {"row_id": row_id, **values}))


def facts(visit: Mapping[str, Any]) -> Any:
    return visit["facts"]
