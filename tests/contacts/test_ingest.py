"""Storing people: matched by identity, idempotent, and never against a no."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text

from app.accounts.models import Organisation
from app.consent.ledger import NewEvent, record_event
from app.consent.models import ConsentEvent, Permission
from app.contacts import ingest
from app.contacts.ingest import UpsertResult, upsert_contacts
from app.contacts.models import Contact, ContactIdentity
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from integrations.base import ConsentRecord, ConsentState, ContactRecord, IdentityRecord
from tests.conftest import NOW, make_house

LATER = NOW + timedelta(days=1)
SOURCE = "csv"


def person(email: str | None = None, *keys: str, **more: Any) -> ContactRecord:
    """A record with an address and keys of the source."""
    identities = tuple(IdentityRecord("csv:id", key) for key in keys)
    return ContactRecord(source=SOURCE, identities=identities, email=email, **more)


def store(session: ScopedSession, runtime: Runtime, *records: ContactRecord, at: datetime = NOW) -> list[UpsertResult]:
    """Store records as an import does."""
    results = upsert_contacts(session, runtime.keyring, records, actor="import", at=at)
    session.expire_all()
    return results


def test_a_new_person_is_stored_with_their_address_as_primary_identity(
    session: ScopedSession, runtime: Runtime
) -> None:
    (result,) = store(session, runtime, person("An@Example.org", "7", given_name="An", birth_date=date(1980, 2, 29)))
    contact = session.get_one(Contact, (session.organisation_id, result.contact_id))
    identities = {each.kind: each for each in session.scalars(select(ContactIdentity))}
    assert (result.outcome, contact.given_name, contact.birth_month_day) == ("created", "An", 229)
    assert (identities["email"].is_primary, identities["email"].value_key) == (True, "an@example.org")
    assert identities["email"].subject_key is not None
    assert identities["csv:id"].subject_key is None
    assert contact.email == identities["email"].value


def test_the_same_records_again_change_nothing(session: ScopedSession, runtime: Runtime) -> None:
    records = [
        person(f"p{n}@example.org", str(n), given_name="An", tags=("vriend",), attributes={"n": n}) for n in range(9)
    ]
    first = store(session, runtime, *records)
    again = store(session, runtime, *records, at=LATER)
    assert {each.outcome for each in first} == {"created"}
    assert {each.outcome for each in again} == {"unchanged"}
    assert [each.contact_id for each in first] == [each.contact_id for each in again]
    assert set(session.scalars(select(Contact.updated_at))) == {NOW}


def test_absent_and_blank_values_overwrite_nothing(session: ScopedSession, runtime: Runtime) -> None:
    store(session, runtime, person("an@example.org", given_name="An", postcode="9000", attributes={"seat": "A1"}))
    (again,) = store(
        session, runtime, person("an@example.org", given_name=" ", attributes={"seat": "", "row": None}), at=LATER
    )
    contact = session.scalars(select(Contact)).one()
    assert again.outcome == "unchanged"
    assert (contact.given_name, contact.postcode, contact.attributes) == ("An", "9000", {"seat": "A1"})


def test_tags_and_attributes_are_added_to(session: ScopedSession, runtime: Runtime) -> None:
    store(session, runtime, person("an@example.org", tags=("vriend", "school"), attributes={"a": 1}))
    (again,) = store(session, runtime, person("an@example.org", tags=("school", "pers"), attributes={"b": 2}), at=LATER)
    contact = session.scalars(select(Contact)).one()
    assert (again.outcome, contact.updated_at) == ("updated", LATER)
    assert (contact.tags, contact.attributes) == (["vriend", "school", "pers"], {"a": 1, "b": 2})


def test_any_identity_finds_the_person_and_a_second_address_stands_beside_the_first(
    session: ScopedSession, runtime: Runtime
) -> None:
    (first,) = store(session, runtime, person("an@example.org", "7"))
    (second,) = store(session, runtime, person("an@work.example", "7"), at=LATER)
    assert (second.contact_id, second.outcome) == (first.contact_id, "updated")
    rows = session.execute(
        select(ContactIdentity.value_key, ContactIdentity.is_primary).where(ContactIdentity.kind == "email")
    )
    assert {row.value_key: row.is_primary for row in rows} == {"an@example.org": True, "an@work.example": False}
    assert session.scalars(select(Contact.email)).one() == "an@example.org"


def test_a_person_without_address_gets_their_first_one_as_primary(session: ScopedSession, runtime: Runtime) -> None:
    store(session, runtime, person(None, "7", given_name="An"))
    store(session, runtime, person("an@example.org", "7"), at=LATER)
    assert session.execute(select(Contact.email, Contact.updated_at)).one() == ("an@example.org", LATER)


def test_identities_of_two_people_are_a_conflict_and_nobody_is_merged(session: ScopedSession, runtime: Runtime) -> None:
    store(session, runtime, person("an@example.org", "1"), person("bo@example.org", "2"))
    (conflict,) = store(session, runtime, person("an@example.org", "2", given_name="Wie"))
    assert conflict == UpsertResult(None, "error", "identity_conflict")
    assert set(session.scalars(select(Contact.given_name))) == {None}
    assert session.scalar(select(func.count()).select_from(Contact)) == 2


def test_records_of_one_new_person_in_one_batch_become_one_contact(session: ScopedSession, runtime: Runtime) -> None:
    results = store(
        session,
        runtime,
        person("an@example.org", "1", given_name="An"),
        person("an@example.org", "2", family_name="Peeters"),
        person(None, "2", given_name="Anna"),
    )
    assert [each.outcome for each in results] == ["created", "unchanged", "unchanged"]
    contact = session.scalars(select(Contact)).one()
    assert (contact.given_name, contact.family_name) == ("Anna", "Peeters")


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (person("geen adres"), "invalid_email"),
        (person(None), "no_identity"),
        (person("  ", " "), "no_identity"),
        (person(None, "x" * 400), "invalid_identity"),
    ],
)
def test_a_record_that_names_nobody_is_refused_and_the_good_ones_are_kept(
    session: ScopedSession, runtime: Runtime, record: ContactRecord, code: str
) -> None:
    bad, good = store(session, runtime, record, person("an@example.org"))
    assert (bad.outcome, bad.error, good.outcome) == ("error", code, "created")


def test_an_address_that_is_none_does_not_keep_a_known_person_out(session: ScopedSession, runtime: Runtime) -> None:
    (result,) = store(session, runtime, person("geen adres", "7"))
    assert result.outcome == "created"
    assert session.scalars(select(Contact.email)).one() is None


def test_characters_the_database_cannot_hold_are_left_out(session: ScopedSession, runtime: Runtime) -> None:
    store(session, runtime, person("an@example.org", given_name="A\x00n", attributes={"no\x00te": "x\x00\ud800"}))
    contact = session.scalars(select(Contact)).one()
    assert (contact.given_name, contact.attributes) == ("An", {"note": "x?"})


def test_two_writers_who_meet_the_same_new_person_make_one_contact(
    runtime: Runtime, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = ingest.holders_of
    calls = []

    def late(session: ScopedSession, keys: Any) -> Any:
        known = looked_up(session, keys)
        calls.append(known)
        if len(calls) == 1:
            # Between the look-up and the write of the first, somebody else stores the person and commits.
            with transaction(runtime.engine, organisation.id) as other:
                upsert_contacts(other, runtime.keyring, [person("an@example.org", "7")], actor="api", at=NOW)
        return known

    monkeypatch.setattr(ingest, "holders_of", late)
    with transaction(runtime.engine, organisation.id) as session:
        (result,) = store(session, runtime, person("an@example.org", given_name="An"), at=LATER)
    with transaction(runtime.engine, organisation.id) as session:
        assert session.execute(select(Contact.id, Contact.given_name)).all() == [(result.contact_id, "An")]
        assert session.scalar(select(func.count()).select_from(ContactIdentity)) == 2


def test_houses_that_hold_the_same_address_never_meet(runtime: Runtime, organisation: Organisation) -> None:
    other = make_house(runtime, "Het Andere")
    keys = set()
    for house in (organisation, other):
        with transaction(runtime.engine, house.id) as session:
            (result,) = store(session, runtime, person("an@example.org"))
            assert result.outcome == "created"
            keys.add(session.scalars(select(ContactIdentity.subject_key)).one())
    assert len(keys) == 2


def said(state: ConsentState, **more: Any) -> ConsentRecord:
    """A statement about the newsletter, as complete as a source can make it."""
    whole = ConsentRecord(
        channel="email",
        purpose="newsletter",
        state=state,
        captured_at=datetime(2025, 3, 1, tzinfo=UTC),
        method="form",
        wording="Ja, stuur mij de nieuwsbrief.",
        wording_language="nl",
    )
    return dataclasses.replace(whole, **more)


def permission(session: ScopedSession) -> tuple[bool, bool]:
    """Whether the newsletter is allowed, and whether there is a spoken no."""
    row = session.execute(
        select(Permission.is_allowed, Permission.is_negative).where(
            Permission.purpose == "newsletter", Permission.channel == "email"
        )
    ).one_or_none()
    return (row.is_allowed, row.is_negative) if row else (False, False)


def test_a_yes_with_its_proof_allows_and_is_recorded_once(session: ScopedSession, runtime: Runtime) -> None:
    record = person("an@example.org", consents=(said(ConsentState.IN),))
    store(session, runtime, record)
    store(session, runtime, record, at=LATER)
    assert permission(session) == (True, False)
    event = session.scalars(select(ConsentEvent)).one()
    assert (event.action, event.actor, event.source, event.notice_version_id is not None) == (
        "granted", "import", SOURCE, True,
    )  # fmt: skip


@pytest.mark.parametrize("missing", ["captured_at", "wording"])
def test_a_yes_without_date_or_wording_is_noted_and_allows_nothing(
    session: ScopedSession, runtime: Runtime, missing: str
) -> None:
    store(session, runtime, person("an@example.org", consents=(said(ConsentState.IN, **{missing: None}),)))
    assert permission(session)[0] is False
    assert session.scalars(select(ConsentEvent.action)).one() == "noted"


def test_no_import_lifts_a_no(session: ScopedSession, runtime: Runtime) -> None:
    store(session, runtime, person("an@example.org"))
    record_event(
        session,
        runtime.keyring,
        NewEvent(
            channel="email", purpose="newsletter", action="withdrawn", actor="contact", method="one_click",
            source="mail", address="an@example.org",
        ),
    )  # fmt: skip
    store(
        session,
        runtime,
        person("an@example.org", consents=(said(ConsentState.IN, captured_at=LATER),)),
        at=LATER + timedelta(days=1),
    )
    assert permission(session) == (False, True)


def test_an_opt_out_for_a_purpose_nobody_knows_counts_for_all_marketing(
    session: ScopedSession, runtime: Runtime
) -> None:
    store(session, runtime, person("an@example.org", consents=(said(ConsentState.IN),)))
    store(session, runtime, person("an@example.org", consents=(said(ConsentState.OUT, purpose="kalender"),)))
    assert permission(session) == (False, True)


def test_the_contact_row_is_only_written_when_something_changes(session: ScopedSession, runtime: Runtime) -> None:
    record = person("an@example.org", "7", given_name="An", tags=("a",))
    store(session, runtime, record)
    before = session.execute(text("SELECT xmin, ctid FROM contact")).one()
    store(session, runtime, record, at=LATER)
    assert session.execute(text("SELECT xmin, ctid FROM contact")).one() == before
