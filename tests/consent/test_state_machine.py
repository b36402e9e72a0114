"""I1, I4, I5, I6 and I8 as a state machine: whatever people, colleagues and machines do, in any order and every step
committed, nobody is claimed whom a no covers, and whoever said yes without a no is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select, text, update

from app import clock
from app.accounts.models import Organisation
from app.consent.gate import claim
from app.consent.ledger import record_event
from app.consent.rebuild import differences
from app.contacts.consents import record_noes
from app.contacts.erasing import erase_contact
from app.contacts.errors import CannotMerge, CannotUnmerge, UnknownContact
from app.contacts.ingest import upsert_contacts
from app.contacts.merging import merge_contacts, unmerge_contact
from app.contacts.models import Contact, ContactIdentity
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from integrations.base import ConsentRecord, ConsentState, ContactRecord
from tests.conftest import NOW, make_house
from tests.consent.people import WORDING, a_grant, a_withdrawal, make_contact

ADDRESSES = st.integers(0, 4)
PEOPLE = st.integers(0, 3)


class Mailbox(RuleBasedStateMachine):
    """Four people with five addresses. ``noes`` are the addresses at which a no stands, ``yeses`` those at which the
    person's own yes does, ``blocked`` those that were erased: all of it kept by this test alone."""

    runtime: Runtime

    def __init__(self) -> None:
        super().__init__()
        self.house: Organisation = make_house(self.runtime, "De Machine")
        self.hours = 0
        self.noes: set[str] = set()
        self.yeses: set[str] = set()
        self.blocked: set[str] = set()
        self.addresses = [f"{name}@example.org" for name in ("an", "an.werk", "bo", "cis", "dis")]
        an, an_at_work, *others = self.addresses
        with self.step() as session:
            held = [(an, an_at_work), *((each,) for each in others)]
            self.people = [make_contact(session, self.runtime.keyring, *each) for each in held]
            session.execute(text("SELECT refresh_statistics(only_changed => false)"))

    @contextmanager
    def step(self) -> Iterator[ScopedSession]:
        """One committed transaction, an hour after the one before."""
        self.hours += 1
        now = clock.set_to(NOW + timedelta(hours=self.hours))
        with now, transaction(self.runtime.engine, self.house.id) as session:
            yield session

    @rule(at=ADDRESSES)
    def the_person_says_yes(self, at: int) -> None:
        address = self.addresses[at]
        with self.step() as session:
            record_event(session, self.runtime.keyring, a_grant(address))
        self.noes.discard(address)
        self.yeses.add(address)

    @rule(at=ADDRESSES, action=st.sampled_from(["withdrawn", "objected", "refused"]))
    def the_person_says_no(self, at: int, action: str) -> None:
        address = self.addresses[at]
        with self.step() as session:
            record_event(session, self.runtime.keyring, a_withdrawal(address, action=action))
        self._no(address)

    @rule(at=ADDRESSES)
    def a_row_that_is_left_out_holds_an_opt_out(self, at: int) -> None:
        with self.step() as session:
            record_noes(session, self.runtime.keyring, [self._row(at, ConsentState.OUT)], actor="import")
        self._no(self.addresses[at])

    @rule(at=ADDRESSES, also=ADDRESSES)
    def a_file_says_yes(self, at: int, also: int) -> None:
        with self.step() as session:
            rows = [self._row(each, ConsentState.IN) for each in (at, also)]
            upsert_contacts(session, self.runtime.keyring, rows, actor="import", at=clock.now())

    @rule(at=ADDRESSES)
    def another_system_says_yes(self, at: int) -> None:
        with self.step() as session:
            record_event(session, self.runtime.keyring, a_grant(self.addresses[at], actor="api", method="api"))

    @rule(who=PEOPLE, into=PEOPLE)
    def a_colleague_merges(self, who: int, into: int) -> None:
        try:
            with self.step() as session:
                merge_contacts(session, self.people[who], into_id=self.people[into], at=clock.now())
        except (CannotMerge, UnknownContact):
            pass

    @rule(who=PEOPLE)
    def a_colleague_parts(self, who: int) -> None:
        try:
            with self.step() as session:
                unmerge_contact(session, self.people[who], at=clock.now())
        except (CannotUnmerge, UnknownContact):
            pass

    @rule(who=PEOPLE)
    def somebody_is_erased(self, who: int) -> None:
        try:
            with self.step() as session:
                before = known_addresses(session)
                erase_contact(session, self.runtime.keyring, self.people[who], at=clock.now())
                after = known_addresses(session)
        except UnknownContact:
            return
        self.blocked |= before - after
        self.yeses -= self.blocked

    @rule(who=PEOPLE, is_restricted=st.booleans())
    def a_colleague_restricts(self, who: int, is_restricted: bool) -> None:
        with self.step() as session:
            session.execute(update(Contact).where(Contact.id == self.people[who]).values(is_restricted=is_restricted))

    @precondition(lambda self: self.blocked)
    @rule(data=st.data())
    def a_file_brings_an_erased_address_back(self, data: st.DataObject) -> None:
        at = self.addresses.index(data.draw(st.sampled_from(sorted(self.blocked))))
        with self.step() as session:
            rows = [self._row(at, ConsentState.IN)]
            upsert_contacts(session, self.runtime.keyring, rows, actor="import", at=clock.now())

    @invariant()
    def nobody_is_claimed_whom_a_no_covers(self) -> None:
        with self.step() as session:
            held: dict[int, set[str]] = {}
            rows = select(ContactIdentity.contact_id, ContactIdentity.value_key).where(ContactIdentity.kind == "email")
            for contact_id, address in session.execute(rows):
                held.setdefault(contact_id, set()).add(address)
            everybody = session.execute(
                select(Contact.id, Contact.state, Contact.is_restricted, Contact.email).order_by(Contact.id)
            ).all()
            decisions = claim(
                session, channel="email", purpose="newsletter", contact_ids=[row.id for row in everybody],
                at=clock.now(),
            )  # fmt: skip
        for row, decision in zip(everybody, decisions, strict=True):
            theirs = held.get(row.id, set())
            covered = theirs & (self.noes | self.blocked) or row.state != "living" or row.is_restricted
            assert not (decision.is_allowed and covered), (row.id, decision)
            if not covered and row.email in self.yeses:
                assert decision.is_allowed, (row.id, decision)

    @invariant()
    def permission_equals_a_rebuild(self) -> None:
        with self.step() as session:
            assert differences(session) == []

    def _no(self, address: str) -> None:
        self.noes.add(address)
        self.yeses.discard(address)

    def _row(self, at: int, state: ConsentState) -> ContactRecord:
        said = ConsentRecord(
            "email", "newsletter", state, NOW + timedelta(hours=self.hours), "form", wording=WORDING,
            wording_language="nl", external_id=f"file:{self.hours}:{at}",
        )  # fmt: skip
        return ContactRecord(source="box office", identities=(), email=self.addresses[at], consents=(said,))


def known_addresses(session: ScopedSession) -> set[str]:
    """The addresses anybody is known by."""
    return set(session.scalars(select(ContactIdentity.value_key).where(ContactIdentity.kind == "email")))


@pytest.mark.slow
def test_no_order_of_events_lets_a_mail_slip_past_a_no(runtime: Runtime) -> None:
    class OnThisDatabase(Mailbox):
        pass

    OnThisDatabase.runtime = runtime
    run_state_machine_as_test(
        OnThisDatabase,
        settings=settings(
            max_examples=20,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
