"""Whatever is merged and parted, in whatever order and with whatever happens in between: nothing is lost, and no
merge lets mail through that a no of either stopped."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from app.accounts.models import Organisation
from app.activities.ingest import upsert_activities, upsert_participations
from app.activities.models import Participation
from app.consent.gate import contactable
from app.consent.ledger import record_event
from app.contacts.errors import CannotMerge, CannotUnmerge, UnknownContact
from app.contacts.ingest import upsert_contacts
from app.contacts.merging import merge_contacts, unmerge_contact
from app.contacts.models import Contact, ContactIdentity
from app.db import ScopedSession, transaction
from app.keyring import Keyring
from app.runtime import Runtime
from integrations.base import ActivityRecord, ContactRecord, IdentityRecord, ParticipationRecord
from tests.conftest import NOW
from tests.consent.people import a_grant, a_withdrawal

NAMES = ("an", "bo", "cy")
# Two of them read one mailbox beside their own.
MAILBOXES = {
    "an": ("an@example.org", "thuis@example.org"),
    "bo": ("bo@example.org", "thuis@example.org"),
    "cy": ("cy@example.org",),
}
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("merge"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
        st.tuples(st.just("part"), st.sampled_from(NAMES), st.none()),
        st.tuples(st.just("book"), st.sampled_from(NAMES), st.none()),
        st.tuples(st.just("no"), st.sampled_from(NAMES), st.none()),
        st.tuples(st.just("told"), st.sampled_from(NAMES), st.none()),
    ),
    min_size=1,
    max_size=9,
)


@dataclass
class World:
    """Three people as the box office knows them, and what was done with them."""

    session: ScopedSession
    keyring: Keyring
    ids: dict[str, int] = field(default_factory=dict)
    tickets: int = 0
    noes: set[str] = field(default_factory=set)

    def record(self, name: str) -> ContactRecord:
        addresses = tuple(IdentityRecord("email", each) for each in MAILBOXES[name])
        number = IdentityRecord("kassa:contact", name)
        return ContactRecord(
            "kassa", (number, *addresses), given_name=name, attributes={name: "ja", "soort": name}, tags=(name,)
        )

    def told(self, name: str) -> None:
        """The box office says again who somebody is."""
        (stored,) = upsert_contacts(self.session, self.keyring, [self.record(name)], actor="system", at=NOW)
        assert stored.error is None
        self.ids.setdefault(name, stored.contact_id or 0)

    def book(self, name: str) -> None:
        self.tickets += 1
        number = ContactRecord("kassa", (IdentityRecord("kassa:contact", name),))
        line = ParticipationRecord("kassa", f"t{self.tickets}", number, "kassa", "a", booked_at=NOW)
        upsert_participations(self.session, self.keyring, [line], time_zone="Europe/Brussels", actor="system", at=NOW)

    def no(self, name: str) -> None:
        self.noes.add(name)
        record_event(self.session, self.keyring, a_withdrawal(f"{name}@example.org", purpose="newsletter"))

    def holder(self, name: str) -> int:
        """Whom the number of a person stands for now."""
        identity = ContactIdentity
        wanted = select(identity.contact_id).where(identity.kind == "kassa:contact", identity.value == name)
        return self.session.scalars(wanted).one()

    def merge(self, name: str, into: str) -> None:
        try:
            merge_contacts(self.session, self.ids[name], into_id=self.ids[into], at=NOW)
        except (CannotMerge, UnknownContact):
            return

    def part(self, name: str, _other: None) -> None:
        try:
            unmerge_contact(self.session, self.ids[name], at=NOW)
        except (CannotUnmerge, UnknownContact):
            return

    def check(self) -> None:
        """Everything is somewhere, once, with somebody living; and no no is forgotten."""
        session = self.session
        session.flush()
        living = set(session.scalars(select(Contact.id).where(Contact.state == "living")))
        for name in NAMES:
            assert self.holder(name) in living
        identity = ContactIdentity
        for address in {each for held in MAILBOXES.values() for each in held}:
            rows = session.execute(
                select(identity.contact_id, identity.is_holder, identity.is_shared).where(identity.value == address)
            ).all()
            holders = [row.contact_id for row in rows if row.is_holder]
            assert len(holders) == 1
            assert holders[0] in living
            assert all(row.is_shared for row in rows) or len(rows) == 1
        assert len(session.scalars(select(Participation.id)).all()) == self.tickets
        assert set(session.scalars(select(Participation.contact_id))) <= living
        mailed = session.execute(
            select(Contact.id, Contact.email, identity.value)
            .join(identity, (identity.contact_id == Contact.id) & (identity.kind == "email") & identity.is_primary)
            .where(Contact.state == "living")
        ).all()
        assert all(row.email == row.value for row in mailed)
        assert {row.id for row in mailed} == living
        can = set(session.scalars(select(contactable.c.contact_id).where(contactable.c.purpose == "newsletter")))
        assert not can & {self.holder(name) for name in self.noes}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_merging_and_parting_lose_nothing(
    runtime: Runtime, organisation: Organisation, steps: list[tuple[str, str, str | None]]
) -> None:
    """I5"""
    with transaction(runtime.engine, organisation.id) as session:
        world = World(session, runtime.keyring)
        upsert_activities(session, [ActivityRecord("kassa", "a", "Dans", starts_at=NOW)], time_zone="Europe/Brussels")
        for name in NAMES:
            world.told(name)
            record_event(session, runtime.keyring, a_grant(f"{name}@example.org"))
        before = profiles(session)
        for what, name, other in steps:
            getattr(world, what)(*((name,) if what in ("told", "book", "no") else (name, other)))
            world.check()
        # Everybody who is still part of somebody is parted, the last first: then all are who they were.
        for _ in NAMES:
            for name in NAMES:
                world.part(name, None)
        world.check()
        assert profiles(session) == before
        assert {name: world.holder(name) for name in NAMES} == world.ids
        session.rollback()


def profiles(session: ScopedSession) -> dict[int, tuple[object, ...]]:
    """Who is known by what, with which own words."""
    rows = session.execute(
        text(
            "SELECT contact.id, contact.state, contact.given_name, contact.attributes::text,"
            "       (SELECT array_agg(kind || ' ' || value_key ORDER BY kind, value_key) FROM identity"
            "         WHERE identity.contact_id = contact.id) AS known_as FROM contact ORDER BY contact.id"
        )
    )
    return {row.id: tuple(map(str, row[1:])) for row in rows}
