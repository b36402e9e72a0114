"""What the gate costs: claims with it against the same claims without it.

A claim is what a push or a mailing does in one transaction: find the addresses of a group of contacts, write what was
decided about each, commit. Ours asks the gate first, with all its locks; by hand nobody is asked. Promise: at least
0.7 of the claims per second of the bare ones, so a ratio of at most 1.43. Recording a no for as many people, each in
a transaction of its own as on the unsubscribe page, is shown beside it, against writing the bare event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.audiences.models import Audience, AudienceMember
from app.consent.gate import claim, contactable
from app.consent.ledger import NewEvent, record_event
from app.consent.models import ConsentEvent
from app.consent.subjects import hash_key_id, identity
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.sync.models import Connection
from bench import harness

TARGET = 1 / 0.7
PURPOSE = "newsletter"
GROUP = 500
CLAIMED = {"small": 5_000, "org": 20_000, "sector": 50_000}
OPT_OUTS = 200


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to be claimed: the contact and the hash of the primary address."""

    contact_id: int
    subject_key: bytes


class Queue:
    """People waiting to be claimed for one audience, in groups of ``GROUP``."""

    def __init__(self, held: Runtime, organisation_id: int, size: int) -> None:
        """Make an audience and take ``size`` people who may be mailed."""
        self._held, self._organisation_id = held, organisation_id
        with transaction(held.engine, organisation_id) as session:
            self._audience_id = _audience(session)
            gate = contactable.c
            rows = session.execute(
                select(gate.contact_id, gate.subject_key)
                .where(gate.purpose == PURPOSE, gate.channel == "email")
                .order_by(gate.contact_id)
                .limit(size)
            )
            self.people = [Person(contact_id, bytes(key)) for contact_id, key in rows]

    def with_gate(self) -> None:
        """Ask the gate, write its decisions, commit."""
        for group in self._groups():
            with transaction(self._held.engine, self._organisation_id) as session:
                ids = [person.contact_id for person in group]
                decisions = claim(session, channel="email", purpose=PURPOSE, contact_ids=ids, at=clock.now())
                allowed = [(one.contact_id, one.subject_key, one.decided_by) for one in decisions if one.is_allowed]
                self._write(session, allowed)
                assert len(allowed) == len(group)

    def without_gate(self) -> None:
        """Look the addresses up, write them down, commit."""
        for group in self._groups():
            with transaction(self._held.engine, self._organisation_id) as session:
                ids = [person.contact_id for person in group]
                rows = session.execute(
                    select(identity.c.contact_id, identity.c.subject_key).where(
                        identity.c.contact_id.in_(ids), identity.c.kind == "email", identity.c.is_primary
                    )
                )
                self._write(session, [(contact_id, bytes(key), 1) for contact_id, key in rows])

    def opt_out_through_the_ledger(self) -> None:
        """Record a no of each person: locks, event, projection, commit."""
        for person in self.people[:OPT_OUTS]:
            with transaction(self._held.engine, self._organisation_id) as session:
                record_event(session, self._held.keyring, NewEvent(subject_key=person.subject_key, **_a_no()))

    def opt_out_by_hand(self) -> None:
        """Write the bare event of each person, commit."""
        for person in self.people[:OPT_OUTS]:
            with transaction(self._held.engine, self._organisation_id) as session:
                session.execute(
                    insert(ConsentEvent).values(
                        organisation_id=self._organisation_id,
                        hash_key_id=hash_key_id(session),
                        subject_key=person.subject_key,
                        contact_id=person.contact_id,
                        recorded_at=clock.now(),
                        **_a_no(),
                    )
                )

    def _groups(self) -> list[list[Person]]:
        return [self.people[start : start + GROUP] for start in range(0, len(self.people), GROUP)]

    def _write(self, session: ScopedSession, people: Sequence[tuple[int, bytes | None, int | None]]) -> None:
        statement, now = insert(AudienceMember), clock.now()
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["organisation_id", "audience_id", "subject_key"],
                set_={"decided_at": now, "permission_event_id": statement.excluded.permission_event_id},
            ),
            [
                {
                    "organisation_id": self._organisation_id,
                    "audience_id": self._audience_id,
                    "contact_id": contact_id,
                    "subject_key": key,
                    "address": "somebody@example.org",
                    "state": "claimed",
                    "permission_event_id": decided_by,
                    "decided_at": now,
                    "updated_at": now,
                }
                for contact_id, key, decided_by in people
            ],
        )


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print one JSON object per measurement."""
    wanted = harness.arguments(__doc__, argv)
    with harness.own_server(wanted.keep) as held:
        organisation_id = harness.house(held, wanted.scale)
        queue = Queue(held, organisation_id, CLAIMED[wanted.scale.name])
        if wanted.wants("claim"):
            harness.compare("gate.claim", wanted.scale, ours=queue.with_gate, limit=queue.without_gate, target=TARGET)
        if wanted.wants("opt_out"):
            harness.compare(
                "gate.opt_out", wanted.scale, ours=queue.opt_out_through_the_ledger, limit=queue.opt_out_by_hand
            )


def _a_no() -> dict[str, Any]:
    return {
        "channel": "email",
        "purpose": PURPOSE,
        "action": "withdrawn",
        "occurred_at": clock.now(),
        "actor": "contact",
        "method": "one_click",
        "source": "bench",
    }


def _audience(session: ScopedSession) -> int:
    # A removed audience needs no segment: nothing but its rows is measured.
    connection = Connection(
        organisation_id=session.organisation_id,
        system="mailchimp",
        kind="destination",
        name="Bench",
        created_at=clock.now(),
    )
    session.add(connection)
    session.flush()
    audience = Audience(
        organisation_id=session.organisation_id,
        name="Bench",
        purpose=PURPOSE,
        connection_id=connection.id,
        list_ref="bench",
        list_name="Bench",
        tag="Bench",
        state="removed",
        created_at=clock.now(),
        updated_at=clock.now(),
    )
    session.add(audience)
    session.flush()
    return audience.id


if __name__ == "__main__":
    main()
