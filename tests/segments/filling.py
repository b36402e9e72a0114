"""Puts a plain Python world into the real database, and gives back the same world with the ids it got there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from app.activities.models import Activity as ActivityRow
from app.activities.models import Participation as ParticipationRow
from app.consent.models import Permission
from app.contacts.models import Contact as ContactRow
from app.contacts.models import ContactIdentity
from app.db import ScopedSession
from tests.segments.evaluator import Activity, Contact, World

STAMP = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Filled:
    """The world as the database numbered it."""

    world: World
    activities: Mapping[int, int]

    def rule(self, rule: Mapping[str, Any]) -> dict[str, Any]:
        """``rule`` with the world's activity numbers replaced by the database's."""
        changed = dict(rule)
        for key in ("where", "of"):
            if "activities" in changed.get(key, {}):
                numbers = [self.activities.get(int(one), 10**9) for one in changed[key]["activities"]]
                changed[key] = {**changed[key], "activities": numbers}
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
    ids = {number: activity.id for number, activity in numbers.items()}
    filled = Filled(replace(world, contacts=people), ids)
    segments = {number: filled.rule(rule) for number, rule in world.segments.items()}
    return Filled(replace(filled.world, segments=segments), ids)


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
