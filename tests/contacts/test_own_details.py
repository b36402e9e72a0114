"""A person changes their own address: nothing happens until the new mailbox answers, and no no is lost on the way."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app import clock
from app.accounts.letters import open_letter
from app.accounts.models import Letter, Organisation
from app.consent.explain import explain
from app.consent.ledger import record_event
from app.consent.models import ConsentEvent, RightsRequest
from app.consent.rebuild import differences
from app.consent.subjects import email_subject
from app.consent.tokens import Claims, make_token
from app.contacts.models import AddressChange, Contact
from app.db import transaction
from app.runtime import Runtime
from tests.conftest import NOW
from tests.consent.people import a_grant, a_withdrawal, make_contact

OLD, NEW = "an@example.org", "an.nieuw@example.org"


class Door:
    """An, who was mailed at her old address, and what her mailboxes receive."""

    def __init__(self, client: FlaskClient, runtime: Runtime, organisation: Organisation) -> None:
        self.client, self.runtime, self.organisation = client, runtime, organisation
        with transaction(runtime.engine, organisation.id) as session:
            self.contact_id = make_contact(session, runtime.keyring, OLD, language="nl")
            self.key = email_subject(session, runtime.keyring, OLD) or b""

    @property
    def preferences(self) -> str:
        claims = Claims(kind="preferences", organisation_id=self.organisation.id, subject_key=self.key)
        return f"/p/{make_token(self.runtime.keyring, claims)}"

    def record(self, *events: object) -> None:
        for event in events:
            with transaction(self.runtime.engine, self.organisation.id) as session:
                record_event(session, self.runtime.keyring, event)  # type: ignore[arg-type]

    def ask(self, address: str = NEW, status: int = 200) -> str:
        answer = self.client.post(f"{self.preferences}/address", data={"email": address})
        assert answer.status_code == status
        assert "Set-Cookie" not in answer.headers
        return answer.text

    def letters(self) -> list[tuple[str, str]]:
        """Return where letters go, and the path in them."""
        with transaction(self.runtime.engine, self.organisation.id) as session:
            rows = session.scalars(select(Letter).where(Letter.kind == "address_change").order_by(Letter.id))
            held = [open_letter(self.runtime.keyring, bytes(row.sealed or b"")) for row in rows]
            return [(each.to_address, each.facts["path"]) for each in held]

    def address(self) -> str | None:
        with transaction(self.runtime.engine, self.organisation.id) as session:
            return session.scalar(select(Contact.email).where(Contact.id == self.contact_id))

    def reason(self, purpose: str = "newsletter") -> str:
        with transaction(self.runtime.engine, self.organisation.id) as session:
            assert differences(session) == []
            return explain(session, self.contact_id, channel="email", purpose=purpose).reason


@pytest.fixture
def door(client: FlaskClient, runtime: Runtime, organisation: Organisation) -> Door:
    return Door(client, runtime, organisation)


def test_nothing_changes_until_the_new_mailbox_answers_and_then_it_does_once(door: Door) -> None:
    door.record(a_grant(OLD))
    door.ask()
    ((to, path),) = door.letters()
    assert to == NEW
    for method in ("GET", "HEAD"):
        assert door.client.open(path, method=method).status_code == 200
    assert door.address() == OLD
    for _ in range(2):
        assert door.client.post(path).status_code == 200
        assert door.address() == NEW
        assert door.reason() == "consent"
    with transaction(door.runtime.engine, door.organisation.id) as session:
        assert session.scalars(select(ConsentEvent.method)).all() == ["form", "address_change"]
        assert session.scalars(select(AddressChange.address)).all() == [None]


def test_what_was_taken_along_ends_when_it_would_have_ended(door: Door) -> None:
    door.record(a_grant(OLD, valid_until=NOW + timedelta(days=20)))
    with clock.set_to(NOW + timedelta(days=5)):
        door.ask()
        door.client.post(door.letters()[0][1])
        assert door.reason() == "consent"
    with clock.set_to(NOW + timedelta(days=21)):
        assert door.reason() == "lapsed"


def test_a_no_at_either_address_stands_after_the_change(door: Door) -> None:
    door.record(a_grant(OLD), a_grant(OLD, purpose="survey"), a_grant(OLD, purpose="partner_offers"))
    door.record(a_withdrawal(OLD, purpose="newsletter"), a_withdrawal(NEW, purpose="survey"))
    door.ask()
    door.client.post(door.letters()[0][1])
    assert [door.reason(purpose) for purpose in ("newsletter", "survey", "partner_offers")] == [
        "withdrawn", "withdrawn", "consent",
    ]  # fmt: skip


def test_an_address_of_somebody_else_is_never_joined_and_never_told(door: Door) -> None:
    with transaction(door.runtime.engine, door.organisation.id) as session:
        make_contact(session, door.runtime.keyring, NEW)
    assert door.ask() == door.ask("nobody.knows@example.org")
    assert door.client.post(door.letters()[0][1]).status_code == 200
    assert door.address() == OLD
    with transaction(door.runtime.engine, door.organisation.id) as session:
        (asked,) = session.scalars(select(RightsRequest)).all()
        assert (asked.kind, asked.contact_id) == ("rectification", door.contact_id)


def test_asking_twice_sends_one_letter_and_often_sends_no_more(door: Door) -> None:
    door.ask()
    door.ask()
    assert len(door.letters()) == 1
    for minutes in range(15, 90, 15):
        with clock.set_to(NOW + timedelta(minutes=minutes)):
            door.ask()
    assert len(door.letters()) == 3


@pytest.mark.parametrize(
    "address", ["", "an", "an@", "an@@example.org", "an@example", "x" * 300 + "@example.org", "\x00"]
)
def test_an_address_that_cannot_exist_is_said_to_be_one(door: Door, address: str) -> None:
    page = door.ask(address, status=422)
    assert 'aria-invalid="true"' in page
    assert door.letters() == []


def test_a_link_that_is_too_old_or_none_of_ours_changes_nothing(door: Door) -> None:
    door.ask()
    ((_, path),) = door.letters()
    with clock.set_to(NOW + timedelta(days=8)):
        assert door.client.post(path).status_code == 410
    assert door.client.post(path[:-2]).status_code == 404
    assert door.client.post(door.preferences.replace("/p/", "/a/")).status_code == 404
    assert door.client.post("/p/x/address", data={"email": NEW}).status_code == 404
    assert door.address() == OLD


@pytest.mark.parametrize(("language", "kept"), [("fr", "fr"), ("de", "nl"), ("", "nl")])
def test_people_choose_the_language_they_are_written_to_in(door: Door, language: str, kept: str) -> None:
    answer = door.client.post(f"{door.preferences}/language", data={"language": language}, follow_redirects=True)
    assert answer.status_code == 200
    with transaction(door.runtime.engine, door.organisation.id) as session:
        assert session.scalar(select(Contact.language).where(Contact.id == door.contact_id)) == kept
