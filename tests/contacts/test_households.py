"""Several people who read one mailbox: told apart, mailed once, and stopped by a no of any of them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.consent.explain import explain
from app.consent.gate import claim, contactable
from app.consent.ledger import record_event
from app.contacts.erasing import erase_contact
from app.contacts.households import sharers_with
from app.contacts.ingest import UpsertResult, upsert_contacts
from app.contacts.merging import merge_contacts, unmerge_contact
from app.contacts.models import Contact, ContactIdentity
from app.db import ScopedSession
from app.runtime import Runtime
from app.segments.keeping.permitted import find_differences, refresh_permitted
from integrations.base import ContactRecord, IdentityRecord
from tests.conftest import NOW
from tests.consent.people import a_grant, a_withdrawal

HOME = "thuis@example.org"


def customer(number: str, name: str | None, email: str | None = HOME) -> ContactRecord:
    """Somebody as a box office knows them."""
    identities = (IdentityRecord("kassa:contact", number),)
    return ContactRecord(source="kassa", identities=identities, email=email, given_name=name, family_name="Peeters")


def store(session: ScopedSession, runtime: Runtime, *records: ContactRecord) -> list[UpsertResult]:
    """Store what a source says."""
    return upsert_contacts(session, runtime.keyring, records, actor="system", at=NOW)


def ids(results: list[UpsertResult]) -> list[int]:
    """The contacts of results, all of which went well."""
    assert [each.error for each in results] == [None] * len(results)
    return [each.contact_id or 0 for each in results]


def mailable(session: ScopedSession) -> set[int]:
    """Whom the gate lets through, having checked that claim, explanation and stored answers say the same."""
    gate = contactable.c
    listed = set(session.scalars(select(gate.contact_id).where(gate.purpose == "newsletter")))
    everybody = list(session.scalars(select(Contact.id)))
    decided = claim(session, channel="email", purpose="newsletter", contact_ids=everybody, at=NOW)
    assert {each.contact_id for each in decided if each.is_allowed} == listed
    for each in everybody:
        assert explain(session, each, channel="email", purpose="newsletter").is_allowed == (each in listed)
    return listed


def test_two_customers_of_other_names_at_one_address_are_two_people(session: ScopedSession, runtime: Runtime) -> None:
    together = (customer("1", "An"), customer("2", "Bo"))
    an, bo = ids(store(session, runtime, *together))
    assert an != bo
    assert ids(store(session, runtime, *reversed(together))) == [bo, an]
    assert {each.outcome for each in store(session, runtime, *together)} == {"unchanged"}
    assert [each.contact_id for each in sharers_with(session, an)] == [bo]
    # By its address alone, with a name or without.
    kim = ContactRecord(source="web", identities=(), email="Thuis@example.org", given_name="BO")
    assert ids(store(session, runtime, kim, customer("2", None), ContactRecord("web", (), email=HOME))) == [bo, bo, an]
    names = dict(session.execute(select(Contact.id, Contact.given_name)).all())
    assert names == {an: "An", bo: "BO"}


@pytest.mark.parametrize("name", ["An", "AN", "Anneke", "A.", None])
def test_a_second_number_without_another_name_is_the_same_person(
    session: ScopedSession, runtime: Runtime, name: str | None
) -> None:
    (an,) = ids(store(session, runtime, customer("1", "An")))
    assert ids(store(session, runtime, customer("2", name))) == [an]


def test_somebody_who_moves_to_a_mailbox_that_is_known_shares_it(session: ScopedSession, runtime: Runtime) -> None:
    an, bo = ids(store(session, runtime, customer("1", "An"), customer("2", "Bo", "bo@example.org")))
    assert ids(store(session, runtime, customer("2", "Bo"))) == [bo]
    assert [each.contact_id for each in sharers_with(session, bo)] == [an]
    # Two numbers that belong to two people say nothing about a mailbox: a person has to look.
    both = ContactRecord("kassa", (IdentityRecord("kassa:contact", "1"), IdentityRecord("kassa:contact", "2")))
    assert [each.error for each in store(session, runtime, both)] == ["identity_conflict"]


def test_a_no_of_one_counts_for_the_mail_of_all_who_read_it(session: ScopedSession, runtime: Runtime) -> None:
    """The most restrictive of them, also where it was said at another address of theirs."""
    keyring = runtime.keyring
    an, bo = ids(store(session, runtime, customer("1", "An"), customer("2", "Bo", "bo@example.org")))
    record_event(session, keyring, a_grant(HOME))
    record_event(session, keyring, a_withdrawal("bo@example.org"))
    assert mailable(session) == {an}
    store(session, runtime, customer("2", "Bo"))
    assert mailable(session) == set()
    assert explain(session, an, channel="email", purpose="newsletter").reason == "shared_mailbox"
    refresh_permitted(session, None)
    record_event(session, keyring, a_grant("bo@example.org", occurred_at=NOW + timedelta(hours=1)))
    assert mailable(session) >= {an}
    refresh_permitted(session, [an, bo])
    assert find_differences(session) == set()


def test_stopping_by_the_mailbox_stops_all_who_read_it(session: ScopedSession, runtime: Runtime) -> None:
    an, bo = ids(store(session, runtime, customer("1", "An"), customer("2", "Bo")))
    record_event(session, runtime.keyring, a_grant(HOME))
    assert mailable(session) == {an, bo}
    record_event(session, runtime.keyring, a_withdrawal(HOME))
    assert mailable(session) == set()


@pytest.mark.parametrize("into_holder", [True, False])
def test_people_of_one_mailbox_are_merged_and_parted_without_loss(
    session: ScopedSession, runtime: Runtime, into_holder: bool
) -> None:
    an, bo = ids(store(session, runtime, customer("1", "An"), customer("2", "Bo")))
    before = _held(session)
    stays, goes = (an, bo) if into_holder else (bo, an)
    merge_contacts(session, goes, into_id=stays, at=NOW)
    assert ids(store(session, runtime, ContactRecord("web", (), email=HOME), customer("2", "Bo"))) == [stays, stays]
    unmerge_contact(session, goes, at=NOW)
    assert _held(session) == before
    assert ids(store(session, runtime, customer("1", "An"), customer("2", "Bo"))) == [an, bo]


def test_who_stays_after_an_erasure_keeps_the_mailbox(session: ScopedSession, runtime: Runtime) -> None:
    an, bo = ids(store(session, runtime, customer("1", "An"), customer("2", "Bo")))
    record_event(session, runtime.keyring, a_grant(HOME))
    erase_contact(session, runtime.keyring, an, at=NOW)
    session.expire_all()
    identity = ContactIdentity
    (held,) = session.scalars(select(identity).where(identity.kind == "email")).all()
    assert (held.contact_id, held.is_holder, held.is_shared) == (bo, True, False)
    assert mailable(session) == set()


def _held(session: ScopedSession) -> set[tuple[int, str, str]]:
    session.flush()
    identity = ContactIdentity
    rows = session.execute(select(identity.contact_id, identity.kind, identity.value_key))
    return {(contact_id, kind, value_key) for contact_id, kind, value_key in rows}
