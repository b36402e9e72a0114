"""One receipt for each opt-out from e-mail in Belgium, whichever way it came, and none where none is owed (I22)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app import clock
from app.accounts.audit import SYSTEM
from app.accounts.letters import open_letter
from app.accounts.models import Letter, Organisation
from app.consent.ledger import record_events, record_opt_outs
from app.consent.preferences import unsubscribe
from app.consent.subjects import email_subject
from app.consent.suppressions import suppress
from app.consent.tokens import Claims, make_token
from app.contacts.editing import note_opt_out
from app.contacts.models import Contact, ContactIdentity
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from tests.conftest import NOW, make_user, signed_in
from tests.consent.people import a_grant, a_withdrawal, make_contact, opt_out_arguments
from tests.mailings.conftest import house, relay  # noqa: F401 - fixtures
from tests.mailings.house_with_post import HouseWithPost

AN = "an@example.org"


class Receipts:
    """A house and An, who said yes to two purposes."""

    def __init__(self, runtime: Runtime, organisation: Organisation) -> None:
        self.runtime, self.organisation = runtime, organisation
        with self.transaction() as session:
            self.contact_id = make_contact(session, runtime.keyring, AN, language="fr")
        with self.transaction() as session:
            events = [a_grant(AN), a_grant(AN, purpose="survey")]
            record_events(session, runtime.keyring, events)

    def transaction(self) -> Any:
        return transaction(self.runtime.engine, self.organisation.id)

    def do(self, what: Callable[[ScopedSession], Any]) -> None:
        with self.transaction() as session:
            what(session)

    def record(self, *events: Any) -> None:
        self.do(lambda session: record_events(session, self.runtime.keyring, list(events)))

    def letters(self) -> list[Letter]:
        with self.transaction() as session:
            return list(session.scalars(select(Letter).where(Letter.kind == "unsubscribe_receipt").order_by(Letter.id)))

    def token(self, kind: Any, purpose: str | None = None) -> str:
        with self.transaction() as session:
            key = email_subject(session, self.runtime.keyring, AN)
        assert key is not None
        claims = Claims(kind=kind, organisation_id=self.organisation.id, subject_key=key, purpose=purpose)
        return make_token(self.runtime.keyring, claims)


@pytest.fixture
def receipts(runtime: Runtime, organisation: Organisation) -> Receipts:
    return Receipts(runtime, organisation)


def test_a_receipt_says_what_ended_to_whom_in_their_language(receipts: Receipts) -> None:
    receipts.record(a_withdrawal(AN, purpose="newsletter"))
    (letter,) = receipts.letters()
    assert (letter.language, letter.contact_id, letter.state) == ("fr", receipts.contact_id, "waiting")
    assert letter.sealed is not None
    contents = open_letter(receipts.runtime.keyring, letter.sealed)
    assert (contents.to_address, contents.facts) == (AN, {"purposes": ["newsletter"]})


@pytest.mark.parametrize("way", ["one click", "preference page", "stop all", "staff", "other system"])
def test_every_way_out_gives_one_receipt_and_the_same_again_gives_none(
    receipts: Receipts, client: FlaskClient, way: str
) -> None:
    """I22"""
    runtime = receipts.runtime
    signed_in(client, make_user(runtime, receipts.organisation))

    def tell_a_colleague(session: ScopedSession) -> None:
        contact = session.get_one(Contact, (receipts.organisation.id, receipts.contact_id))
        note_opt_out(session, runtime.keyring, contact, purpose=None, note="aan de balie", by=SYSTEM)

    def go() -> None:
        match way:
            case "one click":
                client.post(f"/u/{receipts.token('unsubscribe', 'newsletter')}")
            case "preference page":
                shown = {"shown": ["email.newsletter", "email.survey"], "wanted": []}
                client.post(f"/p/{receipts.token('preferences')}", data=shown)
            case "stop all":
                client.post(f"/p/{receipts.token('preferences')}", data={"stop": "all"})
            case "staff":
                receipts.do(tell_a_colleague)
            case _:
                receipts.do(lambda session: record_opt_outs(session, runtime.keyring, [AN], **opt_out_arguments(NOW)))

    go()
    assert len(receipts.letters()) == 1
    go()
    assert len(receipts.letters()) == 1


def test_an_opt_out_that_comes_back_from_a_connected_system_is_no_second_one(receipts: Receipts) -> None:
    """I22"""
    keyring = receipts.runtime.keyring
    key = receipts.do
    key(lambda session: unsubscribe(session, keyring, email_subject(session, keyring, AN) or b"", purpose=None))
    with clock.set_to(NOW + timedelta(minutes=5)):
        receipts.do(lambda session: record_opt_outs(session, keyring, [AN], **opt_out_arguments(clock.now())))
    assert len(receipts.letters()) == 1


def test_several_purposes_at_once_are_one_opt_out(receipts: Receipts) -> None:
    """I22"""
    receipts.record(a_withdrawal(AN, purpose="newsletter"), a_withdrawal(AN, purpose="survey"))
    (letter,) = receipts.letters()
    assert letter.sealed is not None
    assert open_letter(receipts.runtime.keyring, letter.sealed).facts == {"purposes": ["newsletter", "survey"]}


def test_who_came_back_and_leaves_again_gets_another_receipt(receipts: Receipts) -> None:
    """I22"""
    receipts.record(a_withdrawal(AN))
    with clock.set_to(NOW + timedelta(days=1)):
        receipts.record(a_grant(AN))
    with clock.set_to(NOW + timedelta(days=2)):
        receipts.record(a_withdrawal(AN))
    assert len(receipts.letters()) == 2


@pytest.mark.parametrize(
    "event",
    [
        a_withdrawal(AN, occurred_at=NOW - timedelta(days=30), actor="system"),
        a_withdrawal(AN, occurred_at=None, actor="system"),
        a_withdrawal(AN, actor="import", occurred_at=NOW),
        a_withdrawal(AN, actor="system", action="objected", evidence={"reason": "complaint"}, occurred_at=NOW),
        a_withdrawal(AN, actor="system", repeats="state", occurred_at=NOW),
        a_withdrawal(AN, action="refused", occurred_at=NOW),
        a_withdrawal(AN, channel="sms", occurred_at=NOW),
        a_withdrawal(AN, action="expired", actor="system", occurred_at=NOW),
    ],
    ids=["old news", "of no date", "a file", "a complaint", "a state", "a refusal", "another channel", "run out"],
)
def test_what_is_no_request_gets_no_receipt(receipts: Receipts, event: Any) -> None:
    """I22"""
    receipts.record(event)
    assert receipts.letters() == []


def test_where_the_country_asks_for_none_there_is_none(receipts: Receipts) -> None:
    """I22"""
    receipts.do(lambda session: session.execute(update(Organisation).values(country="NL")))
    receipts.record(a_withdrawal(AN))
    assert receipts.letters() == []


def test_a_stranger_who_opts_out_by_address_gets_a_receipt_and_one_known_by_hash_cannot(receipts: Receipts) -> None:
    receipts.record(a_withdrawal("vreemd@example.org"))
    assert len(receipts.letters()) == 1
    key = receipts.runtime.keyring.subject_key(receipts.organisation.id, "email", "x@example.org", key_id=1)
    receipts.record(replace(a_withdrawal("x@example.org"), address=None, subject_key=key))
    assert len(receipts.letters()) == 1


def test_thousands_who_opted_out_in_one_go_are_recorded_in_one_go(receipts: Receipts) -> None:
    receipts.record(*(a_withdrawal(f"p{number}@example.org", actor="import") for number in range(1500)))
    assert receipts.letters() == []


@pytest.mark.parametrize("how", ["suppressed", "bouncing", "complained"])
def test_no_receipt_reaches_whom_it_must_not(house: HouseWithPost, how: str) -> None:  # noqa: F811 - the fixture
    """I22"""
    house.person(AN)
    house.withdraw(AN)
    with house.transaction() as session:
        match how:
            case "suppressed":
                suppress(session, house.runtime.keyring, [AN], channel="email", reason="erased", source="x", at=NOW)
            case "bouncing":
                session.execute(update(ContactIdentity).values(deliverability="bouncing"))
            case _:
                arguments = opt_out_arguments(None) | {"reason": "complaint"}
                record_opt_outs(session, house.runtime.keyring, [AN], **arguments)
    house.send()
    assert house.recipients() == []
    assert house.states() == ["cancelled"]


def test_a_receipt_arrives_once(house: HouseWithPost) -> None:  # noqa: F811 - the fixture
    """I22"""
    house.person(AN)
    for _ in range(3):
        house.withdraw(AN)
        house.send()
    assert house.recipients() == [AN]
    with house.transaction() as session:
        assert session.scalars(select(Contact.id)).all() != []
