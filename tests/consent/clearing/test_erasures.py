"""Every no and every erasure leaves a row for every connected system, in the transaction it is recorded in."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, select, text

from app import clock
from app.accounts.audit import SYSTEM
from app.consent.clearing.erasures import announce_erasure, erasure_progress
from app.consent.clearing.models import Clearance, Clearing
from app.consent.ledger import NewEvent, record_events
from app.consent.suppressions import suppress
from app.contacts.models import ContactIdentity
from app.db import ScopedSession
from app.keyring import Keyring
from app.sync.connections import create_connection, read_settings, remove_connection
from tests.consent.people import a_grant, a_withdrawal, make_contact

AN, ANNA = "an@example.org", "anna@example.org"


def connect(session: ScopedSession, keyring: Keyring, system: str = "mailchimp", name: str = "MailChimp") -> int:
    settings: dict[str, Any] = {"base_url": "http://127.0.0.1:1/3.0"}
    secrets = {"api_key": "0123456789abcdef0123456789abcdef-us1"}
    if system == "pretix":
        settings, secrets = {"base_url": "http://127.0.0.1:1", "organizer": "huis"}, {"token": "geheim"}
    filled = read_settings(system, settings, secrets, allows_loopback=True)
    return create_connection(session, keyring, filled, name=name, actor=SYSTEM).id


def clearings(session: ScopedSession) -> list[Clearing]:
    return list(session.scalars(select(Clearing).order_by(Clearing.id).execution_options(populate_existing=True)))


def clearances(session: ScopedSession) -> dict[int, tuple[str, str | None]]:
    rows = session.scalars(select(Clearance).execution_options(populate_existing=True))
    return {row.connection_id: (row.state, row.outcome) for row in rows}


def keys(session: ScopedSession, contact_id: int) -> set[bytes]:
    identity = ContactIdentity
    found = session.scalars(select(identity.subject_key).where(identity.contact_id == contact_id))
    return {bytes(key) for key in found if key}


def test_a_no_leaves_a_row_for_every_connected_system(session: ScopedSession, keyring: Keyring) -> None:
    mailchimp, other = connect(session, keyring), connect(session, keyring, name="Tweede")
    source = connect(session, keyring, "pretix", "Kassa")
    gone = connect(session, keyring, name="Weg")
    remove_connection(session, gone, actor=SYSTEM)
    make_contact(session, keyring, AN)
    record_events(session, keyring, [a_grant(AN), a_withdrawal(AN, purpose="newsletter")])
    (clearing,) = clearings(session)
    assert (clearing.kind, clearing.purpose, clearing.address_encrypted) == ("opt_out", "newsletter", None)
    assert clearances(session) == {
        mailchimp: ("pending", None),
        other: ("pending", None),
        source: ("not_possible", "no_place_there"),
    }


@pytest.mark.parametrize("purpose", ["track_open", "service"])
def test_a_no_that_is_about_no_marketing_mail_does_not_travel(
    session: ScopedSession, keyring: Keyring, purpose: str
) -> None:
    connect(session, keyring)
    record_events(session, keyring, [a_withdrawal(AN, purpose=purpose)])
    assert clearings(session) == []


def test_a_no_travels_for_every_address_of_the_person(session: ScopedSession, keyring: Keyring) -> None:
    connect(session, keyring)
    contact_id = make_contact(session, keyring, AN, ANNA)
    record_events(session, keyring, [a_withdrawal(AN, purpose=None, action="objected")])
    assert {bytes(one.subject_key) for one in clearings(session)} == keys(session, contact_id)


def test_a_no_of_a_stranger_travels_with_their_address_encrypted(session: ScopedSession, keyring: Keyring) -> None:
    connect(session, keyring)
    record_events(session, keyring, [a_withdrawal("Vreemd@Example.org")])
    (clearing,) = clearings(session)
    assert clearing.address_encrypted is not None
    assert keyring.decrypted(clearing.address_encrypted) == "vreemd@example.org"


def test_where_nothing_is_connected_nothing_is_kept_about_a_stranger(session: ScopedSession, keyring: Keyring) -> None:
    record_events(session, keyring, [a_withdrawal(AN)])
    (clearing,) = clearings(session)
    assert (clearing.settled_at, clearing.address_encrypted) == (clock.now(), None)


def test_what_the_only_list_of_a_system_told_is_not_sent_back(session: ScopedSession, keyring: Keyring) -> None:
    here, there = connect(session, keyring), connect(session, keyring, name="Tweede")
    told = a_withdrawal(
        AN, actor="system", method="destination", source="mailchimp", evidence={"connection": here, "list": "a"}
    )
    session.execute(
        text(
            "INSERT INTO destination_list (organisation_id, connection_id, list_ref, name)"
            " VALUES (:house, :connection, 'a', 'Nieuwsbrief')"
        ),
        {"house": session.organisation_id, "connection": here},
    )
    record_events(session, keyring, [told])
    assert clearances(session) == {here: ("acknowledged", "came_from_there"), there: ("pending", None)}


def test_evidence_of_somebody_else_is_no_origin(session: ScopedSession, keyring: Keyring) -> None:
    here = connect(session, keyring)
    forged: list[NewEvent] = [
        a_withdrawal(AN, actor="api", evidence={"connection": here, "list": "a"}),
        a_withdrawal(ANNA, actor="system", method="destination", evidence={"connection": "1; DROP TABLE contact"}),
    ]
    record_events(session, keyring, forged)
    assert [one.origin_connection_id for one in clearings(session)] == [None, None]


def test_a_suppression_travels_too(session: ScopedSession, keyring: Keyring) -> None:
    connection_id = connect(session, keyring)
    contact_id = make_contact(session, keyring, AN)
    suppress(session, keyring, [AN], channel="email", reason="complaint", source="zaallicht", at=clock.now())
    (clearing,) = clearings(session)
    assert (clearing.kind, clearing.purpose, clearing.contact_id) == ("opt_out", None, contact_id)
    assert clearances(session) == {connection_id: ("pending", None)}


@pytest.mark.parametrize("announced_first", [True, False])
def test_an_erasure_travels_once_with_the_address_encrypted(
    session: ScopedSession, keyring: Keyring, announced_first: bool
) -> None:
    connect(session, keyring)
    contact_id = make_contact(session, keyring, AN)

    def announce() -> None:
        announced = announce_erasure(session, keyring, [contact_id], at=clock.now())
        assert announced == announce_erasure(session, keyring, [contact_id], at=clock.now())

    if announced_first:
        announce()
    suppress(session, keyring, [AN], channel="email", reason="erased", source="zaallicht", at=clock.now())
    if not announced_first:
        announce()
    session.execute(delete(ContactIdentity))
    (clearing,) = clearings(session)
    assert (clearing.kind, clearing.contact_id) == ("erasure", contact_id)
    assert keyring.decrypted(clearing.address_encrypted or b"") == AN
    (progress,) = erasure_progress(session, [contact_id])
    assert (progress.name, progress.state, progress.recorded_at) == ("MailChimp", "pending", clock.now())


def test_an_erasure_of_somebody_without_an_address_has_nowhere_to_go(session: ScopedSession, keyring: Keyring) -> None:
    connect(session, keyring)
    contact_id = make_contact(session, keyring, AN)
    session.execute(delete(ContactIdentity))
    assert announce_erasure(session, keyring, [contact_id], at=clock.now()) == []
    assert erasure_progress(session, [contact_id]) == []
