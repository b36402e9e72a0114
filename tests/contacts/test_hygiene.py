"""Addresses to look at: asked about, never changed by themselves, and right where somebody says so."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts.models import Organisation
from app.consent.explain import explain
from app.consent.ledger import record_event
from app.contacts.hygiene import count_doubtful, doubtful_addresses, is_of_a_desk, meant_by_domain
from app.contacts.models import Contact, ContactIdentity
from app.db import transaction
from app.runtime import Runtime
from tests.conftest import make_user, signed_in
from tests.consent.people import a_grant, make_contact


@pytest.mark.parametrize(
    ("address", "is_desk"),
    [("info@school.example", True), ("Ticketing@x.be", True), ("school+6a@x.be", True), ("informant@x.be", False),
     ("an.info@x.be", False), ("info", False), ("", False)],
)  # fmt: skip
def test_a_desk_is_told_by_what_stands_before_the_at(address: str, is_desk: bool) -> None:
    assert is_of_a_desk(address) == is_desk


def test_a_domain_is_a_slip_of_a_provider_or_of_what_many_of_the_house_have() -> None:
    domains = {"gmail.com": 900, "gmial.com": 2, "stadtheater.be": 1, "stadstheater.be": 20, "hotmail.be": 1,
               "telnet.be": 6, "cultuurhuis.be": 19, "cultuurhui.be": 1}  # fmt: skip
    assert meant_by_domain(domains) == {"gmial.com": "gmail.com", "stadtheater.be": "stadstheater.be"}


def test_a_marketer_accepts_what_was_meant_or_calls_the_address_right(
    runtime: Runtime, organisation: Organisation, client: FlaskClient
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        keyring = runtime.keyring
        an = make_contact(session, keyring, "an@gmial.com", given_name="An")
        bo = make_contact(session, keyring, "bo@telnet.be", given_name="Bo")
        cy = make_contact(session, keyring, "cy@hotmial.com")
        make_contact(session, keyring, "cy@hotmail.com")
        make_contact(session, keyring, "info@school.example")
        gone = make_contact(session, keyring, "weg@example.org")
        session.scalars(
            select(ContactIdentity).where(ContactIdentity.contact_id == gone)
        ).one().deliverability = "bouncing"
        record_event(session, keyring, a_grant("an@gmial.com"))
        assert count_doubtful(session) == {"mistyped": 3, "bouncing": 1, "of_a_desk": 1}
        assert [one.meant for one in doubtful_addresses(session, "mistyped")] == [
            "an@gmail.com", "bo@telenet.be", "cy@hotmail.com",
        ]  # fmt: skip
    marketer = signed_in(client, make_user(runtime, organisation, "marketer"))
    page = marketer.get("/contacts/addresses").text
    assert "an@gmail.com" in page
    told = marketer.post(f"/contacts/addresses/{an}/accept", data={"address": "an@gmail.com"}, follow_redirects=True)
    assert "Toestemming gaat niet mee" in told.text
    marketer.post(f"/contacts/addresses/{bo}/keep", data={"doubt": "mistyped"})
    taken = marketer.post(f"/contacts/addresses/{cy}/accept", data={"address": "cy@hotmail.com"})
    assert taken.location.startswith(f"/contacts/{cy}/merge")
    assert marketer.post(f"/contacts/addresses/{cy}/accept", data={"address": "geen"}).status_code == 400
    assert marketer.post("/contacts/addresses/999999/keep").status_code == 404
    with transaction(runtime.engine, organisation.id) as session:
        assert count_doubtful(session)["mistyped"] == 1, "of Cy, whose address somebody else has"
        assert session.scalars(select(Contact.email).where(Contact.id == an)).one() == "an@gmail.com"
        assert not explain(session, an, channel="email", purpose="newsletter").is_allowed
