"""Puts a plain Python world into the real database, and gives back the same world with the ids it got there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from app.activities.history import settle
from app.activities.models import Activity as ActivityRow
from app.activities.models import Participation as ParticipationRow
from app.consent.models import Permission
from app.contacts.models import Contact as ContactRow
from app.contacts.models import ContactIdentity, MailEvent, Pass
from app.db import ScopedSession
from app.journeys.models import Enrolment, Journey, JourneyVersion
from tests.segments.evaluator import Activity, Contact, World

STAMP = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Filled:
    """The world as the database numbered it."""

    world: World
    activities: Mapping[int, int]
    journeys: Mapping[int, int] = field(default_factory=dict)

    def rule(self, rule: Mapping[str, Any]) -> dict[str, Any]:
        """``rule`` with the world's activity numbers replaced by the database's."""
        changed = dict(rule)
        for key in ("where", "of"):
            if "activities" in changed.get(key, {}):
                numbers = [self.activities.get(int(one), 10**9) for one in changed[key]["activities"]]
                changed[key] = {**changed[key], "activities": numbers}
        if "journey" in changed:
            changed["journey"] = self.journeys.get(int(changed["journey"]), 10**9)
        if "rules" in changed:
            changed["rules"] = [self.rule(one) for one in changed["rules"]]
        if "rule" in changed:
            changed["rule"] = self.rule(changed["rule"])
        return changed


def fill(session: ScopedSession, world: World) -> Filled:
    """Write the world. Local dates are worked out by PostgreSQL, so that its zones meet Python's."""
    numbers: dict[int, Activity] = {}
    on_offer = {one.activity.id: one.activity for person in world.contacts for one in person.participations}
    for number, activity in on_offer.items():
        numbers[number] = replace(activity, id=_add_activity(session, activity))
    people = tuple(_add_person(session, person, world, numbers) for person in world.contacts)
    settle(session)
    ids = {number: activity.id for number, activity in numbers.items()}
    journeys = _add_journeys(session, world)
    people = tuple(_add_standing(session, person, world, journeys) for person in people)
    filled = Filled(replace(world, contacts=people), ids, journeys)
    segments = {number: filled.rule(rule) for number, rule in world.segments.items()}
    return Filled(replace(filled.world, segments=segments), ids, journeys)


def _add_activity(session: ScopedSession, activity: Activity) -> int:
    return int(
        session.execute(
            sa.insert(ActivityRow).returning(ActivityRow.id),
            {
                "organisation_id": session.organisation_id,
                "source": "world",
                "external_id": str(activity.id),
                "title": f"Activity {activity.id}",
                "kind": activity.kind,
                "genres": list(activity.genres),
                "series": activity.series,
                "venue": activity.venue,
                "audiences": list(activity.audiences),
                "starts_at": activity.starts_at,
                "created_at": STAMP,
                "updated_at": STAMP,
            },
        ).scalar_one()
    )


def _add_person(session: ScopedSession, person: Contact, world: World, numbers: Mapping[int, Activity]) -> Contact:
    contact_id = int(
        session.execute(
            sa.insert(ContactRow).returning(ContactRow.id),
            {
                "organisation_id": session.organisation_id,
                "state": person.state,
                **person.fields,
                "tags": list(person.tags),
                "attributes": dict(person.attributes),
                "created_at": person.created_at,
                "updated_at": STAMP,
            },
        ).scalar_one()
    )
    if person.fields.get("email"):
        _add_permission(session, person, contact_id)
    took_part = [replace(one, activity=numbers[one.activity.id]) for one in person.participations]
    for number, one in enumerate(took_part):
        values: dict[str, Any] = {
            "organisation_id": session.organisation_id,
            "contact_id": contact_id,
            "activity_id": one.activity.id,
            "source": one.source,
            "external_id": f"{contact_id}-{number}",
            "status": one.status,
            "quantity": one.quantity,
            "amount": one.amount,
            "channel": one.channel,
            "booked_at": one.booked_at,
            "attended_at": one.attended_at,
            "created_at": STAMP,
            "updated_at": STAMP,
            "booked_on": _local(one.booked_at, world),
            "activity_on": _local(one.activity.starts_at or one.attended_at or one.booked_at, world),
        }
        session.execute(sa.insert(ParticipationRow).values(**values))
    return replace(person, id=contact_id, participations=tuple(took_part))


def _add_journeys(session: ScopedSession, world: World) -> dict[int, int]:
    """A published journey for each number that the world speaks of; its id by that number."""
    ids: dict[int, int] = {}
    for number in sorted({one.journey for person in world.contacts for one in person.enrolments}):
        values = {"organisation_id": session.organisation_id, "created_at": STAMP, "updated_at": STAMP}
        made = sa.insert(Journey).values(**values, name=f"Journey {number}", draft={}, state="published", version=1)
        ids[number] = session.execute(made.returning(Journey.id)).scalar_one()
        session.execute(
            sa.insert(JourneyVersion).values(
                organisation_id=session.organisation_id,
                journey_id=ids[number],
                version=1,
                definition={},
                published_at=STAMP,
            )
        )
    return ids


def _add_standing(session: ScopedSession, person: Contact, world: World, journeys: Mapping[int, int]) -> Contact:
    """Mails, passes and enrolments of somebody who has their id; returns them with the journeys' ids."""
    theirs: dict[str, Any] = {"organisation_id": session.organisation_id, "contact_id": person.id}
    enrolled = tuple(replace(one, journey=journeys[one.journey]) for one in person.enrolments)
    for number, mail in enumerate(person.mails):
        facts = {"event": mail.event, "mailing_id": mail.mailing, "campaign": mail.campaign, "source": "test"}
        occurred = {"occurred_at": mail.occurred_at, "occurred_on": _local(mail.occurred_at, world)}
        keys = {"external_id": f"{person.id}-{number}", "is_machine": mail.is_machine, "recorded_at": STAMP}
        session.execute(sa.insert(MailEvent).values(**theirs, **facts, **occurred, **keys))
    for number, one in enumerate(person.passes):
        facts = {"programme": one.programme, "status": one.status, "points": one.points, "source": "test"}
        dates: dict[str, Any] = {"valid_from": one.valid_from, "expires_on": one.expires_on}
        keys = {"number": f"{person.id}-{number}", "number_key": f"{person.id}-{number}"}
        session.execute(sa.insert(Pass).values(**theirs, **facts, **dates, **keys, created_at=STAMP, updated_at=STAMP))
    for number, way in enumerate(enrolled):
        facts = {"journey_id": way.journey, "version": 1, "occurrence": str(number), "state": way.state}
        entered = {"entered_on": way.entered_on, "entered_at": STAMP, "updated_at": STAMP}
        left = {"left_on": way.left_on, "left_at": way.left_on and STAMP}
        session.execute(sa.insert(Enrolment).values(**theirs, **facts, **entered, **left))
    return replace(person, enrolments=enrolled)


def _add_permission(session: ScopedSession, person: Contact, contact_id: int) -> None:
    key = str(contact_id).encode()
    session.execute(
        sa.insert(ContactIdentity).values(
            organisation_id=session.organisation_id,
            contact_id=contact_id,
            kind="email",
            value=person.fields["email"],
            value_key=f"{contact_id}@example.org",
            subject_key=key,
            is_primary=True,
            deliverability=person.mailbox,
            source="test",
            created_at=STAMP,
        )
    )
    for channel, purpose in person.allowed:
        session.execute(
            sa.insert(Permission).values(
                organisation_id=session.organisation_id,
                subject_key=key,
                channel=channel,
                purpose=purpose,
                is_allowed=True,
                is_negative=False,
                basis="consent",
                reason="granted",
                since=STAMP,
                decided_by=1,
            )
        )


def _local(instant: datetime, world: World) -> sa.ColumnElement[Any]:
    return sa.cast(sa.func.timezone(world.zone.key, sa.literal(instant, sa.DateTime(timezone=True))), sa.Date)
