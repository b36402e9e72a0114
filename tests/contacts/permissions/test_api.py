"""Telling over REST what people allow, and asking it back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app import clock
from app.accounts.api_keys import create_api_key
from app.accounts.models import Organisation
from app.consent.ledger import record_event
from app.consent.models import ConsentEvent, NoticeVersion
from app.contacts.models import Contact
from app.db import transaction
from app.runtime import Runtime
from tests.conftest import NOW
from tests.consent.people import a_withdrawal, make_contact

AN = "an@example.org"
GRANT: dict[str, Any] = {
    "contact": {"email": AN},
    "channel": "email",
    "purpose": "newsletter",
    "action": "grant",
    "basis": "consent",
    "occurred_at": "2026-10-01T10:00:00Z",
    "source": "box office",
    "evidence": {},
}
FORM = {"method": "form", "wording": "Ja, stuur me de nieuwsbrief."}


class Caller:
    """A program with a key."""

    def __init__(self, client: FlaskClient, secret: str) -> None:
        self.client, self.headers = client, {"Authorization": f"Bearer {secret}"}

    def say(self, status: int = 201, **changes: Any) -> dict[str, Any]:
        answer = self.client.post("/api/v1/consents", json=GRANT | changes, headers=self.headers)
        assert answer.status_code == status, answer.json
        found: dict[str, Any] = answer.get_json(force=True)
        return found

    def ask(self, contact_id: int, purpose: str = "newsletter", channel: str = "email") -> dict[str, Any]:
        answer = self.client.get(f"/api/v1/contacts/{contact_id}/permissions", headers=self.headers)
        assert answer.status_code == 200
        found: dict[str, Any] = next(
            each for each in answer.json or [] if (each["purpose"], each["channel"]) == (purpose, channel)
        )
        return found


@pytest.fixture
def caller(client: FlaskClient, runtime: Runtime, organisation: Organisation) -> Caller:
    with transaction(runtime.engine, organisation.id) as session:
        return Caller(client, create_api_key(session, runtime.keyring, name="box office", scopes=["*"]))


@pytest.fixture
def an(runtime: Runtime, organisation: Organisation) -> int:
    with transaction(runtime.engine, organisation.id) as session:
        return make_contact(session, runtime.keyring, AN)


def test_a_plain_grant_allows_and_says_that_the_wording_was_not_handed_over(
    caller: Caller, an: int, runtime: Runtime, organisation: Organisation
) -> None:
    answer = caller.say()
    assert (answer["recorded_as"], answer["contact_id"], answer["is_new"]) == ("granted", an, True)
    assert caller.ask(an) == answer["permission"]
    assert answer["permission"] == {
        "channel": "email",
        "purpose": "newsletter",
        "allowed": True,
        "basis": "consent",
        "since": "2026-10-01T10:00:00+00:00",
        "valid_until": "2029-10-01T10:00:00+00:00",
        "why": "consent",
        "event_id": answer["id"],
        "paused_until": None,
    }
    assert caller.ask(an, "survey")["allowed"] is False
    with transaction(runtime.engine, organisation.id) as session:
        assert "box office" in session.scalars(select(NoticeVersion.wording)).one()


def test_a_grant_for_somebody_unknown_makes_them_known(caller: Caller) -> None:
    contact_id = caller.say(contact={"email": " Bo@Example.org "})["contact_id"]
    assert caller.ask(contact_id)["allowed"] is True


def test_a_no_about_somebody_unknown_makes_no_contact_and_acts_once_they_come(
    caller: Caller, runtime: Runtime, organisation: Organisation
) -> None:
    answer = caller.say(action="withdraw", purpose=None, basis=None)
    assert (answer["contact_id"], answer["permission"]) == (None, None)
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalar(select(func.count()).select_from(Contact)) == 0
        contact_id = make_contact(session, runtime.keyring, AN)
    assert caller.ask(contact_id)["why"] == "withdrawn"


@pytest.mark.parametrize("action", ["withdraw", "object"])
@pytest.mark.parametrize("evidence", [{}, {"method": "import", "overwrite": True}, {"method": "form"}, FORM])
def test_what_a_system_says_later_lifts_no_no(caller: Caller, an: int, action: str, evidence: dict[str, Any]) -> None:
    """I6: neither a bare statement, nor a form without its wording, nor an act from before the no."""
    caller.say()
    caller.say(action=action)
    assert caller.say(evidence=evidence, external_id="again")["recorded_as"] == "granted"
    found = caller.ask(an)
    assert (found["allowed"], found["why"]) == (False, {"withdraw": "withdrawn", "object": "objected"}[action])


def test_a_form_that_the_person_sent_after_the_no_lifts_it(caller: Caller, an: int) -> None:
    caller.say(action="withdraw")
    later = NOW + timedelta(days=2)
    with clock.set_to(later):
        caller.say(evidence=FORM, occurred_at=later.isoformat())
        assert caller.ask(an)["allowed"] is True


@pytest.mark.parametrize("method", ["preference_page", "confirmation_page", "phone_call", "signed_paper_scan"])
def test_no_system_can_claim_our_own_pages_or_a_paper_without_its_scan(caller: Caller, an: int, method: str) -> None:
    caller.say(action="withdraw")
    later = NOW + timedelta(days=2)
    with clock.set_to(later):
        caller.say(evidence=FORM | {"method": method}, occurred_at=later.isoformat())
        assert caller.ask(an)["allowed"] is False


def test_a_withdrawal_without_a_purpose_is_from_all_marketing(caller: Caller, an: int) -> None:
    for purpose in ("newsletter", "survey"):
        caller.say(purpose=purpose)
    caller.say(action="withdraw", purpose=None)
    assert not caller.ask(an)["allowed"]
    assert not caller.ask(an, "survey")["allowed"]


@pytest.mark.parametrize(
    "incomplete",
    [
        {"occurred_at": None},
        {"basis": "soft_opt_in", "evidence": {"wording": "Tip: …", "transaction": "T-1"}},
        {"basis": "soft_opt_in", "evidence": {"transaction": "T-1", "seller": "De Proef"}},
        {"basis": "impersonal_address", "evidence": {"legal_person": "BE0123456789"}},
    ],
)
def test_an_incomplete_grant_is_kept_as_a_note_and_allows_nothing(
    caller: Caller, an: int, incomplete: dict[str, Any]
) -> None:
    """I9, I29."""
    assert caller.say(**incomplete)["recorded_as"] == "noted"
    assert caller.ask(an)["allowed"] is False


def test_a_complete_soft_opt_in_allows(caller: Caller, an: int) -> None:
    evidence = {"wording": "We mailen u over gelijkaardige voorstellingen.", "transaction": "T-1", "seller": "De Proef"}
    caller.say(basis="soft_opt_in", evidence=evidence)
    assert caller.ask(an)["basis"] == "soft_opt_in"


def test_saying_it_twice_under_one_id_records_it_once(
    caller: Caller, runtime: Runtime, organisation: Organisation
) -> None:
    first, again = caller.say(external_id="42"), caller.say(external_id="42")
    assert (first["id"], again["is_new"]) == (again["id"], False)
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalar(select(func.count()).select_from(ConsentEvent)) == 1


def test_people_are_found_by_any_identity_or_our_own_id(caller: Caller) -> None:
    known_as = {"kind": "ticketmatic:customer", "value": "17"}
    contact_id = caller.say(contact={"email": AN, "identities": [known_as]})["contact_id"]
    assert caller.say(contact=known_as, action="withdraw")["contact_id"] == contact_id
    assert caller.ask(contact_id)["why"] == "withdrawn"
    assert caller.say(contact={"id": contact_id}, action="object")["contact_id"] == contact_id


def test_a_no_about_an_address_nobody_knew_covers_the_person_it_is_said_of(caller: Caller) -> None:
    card = {"kind": "ticketmatic:customer", "value": "17"}
    contact_id = caller.say(contact={"email": AN, "identities": [card]})["contact_id"]
    answer = caller.say(contact={"email": "old@example.org", "identities": [card]}, action="withdraw")
    assert answer["permission"]["why"] == "withdrawn"
    assert caller.ask(contact_id)["allowed"] is False


def test_a_grant_makes_the_person_known_by_everything_that_was_sent(caller: Caller) -> None:
    card = {"kind": "ticketmatic:customer", "value": "17"}
    contact_id = caller.say(contact={"email": AN})["contact_id"]
    assert caller.say(contact={"email": AN, "identities": [card]}, purpose="survey")["contact_id"] == contact_id
    assert caller.say(contact=card, action="withdraw")["contact_id"] == contact_id


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"contact": {}}, "contact"),
        ({"contact": {"email": "geen"}}, "contact.email"),
        ({"contact": {"kind": "email", "value": "geen"}}, "contact.email"),
        ({"contact": {"kind": "card"}}, "contact"),
        ({"contact": {"id": 999}}, "contact.id"),
        ({"contact": {"kind": "card", "value": "unknown"}, "action": "withdraw"}, "contact"),
        ({"purpose": "nonsense"}, "purpose"),
        ({"purpose": None}, "purpose"),
        ({"basis": None}, "basis"),
        ({"basis": "because"}, "basis"),
        ({"channel": "pigeon"}, "channel"),
        ({"action": "confirm"}, "action"),
        ({"source": ""}, "source"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"evidence": {"notice_version_id": 99}}, "evidence"),
        ({"whatever": 1}, "whatever"),
    ],
)
def test_what_is_wrong_is_said_by_field_and_nothing_is_kept(
    caller: Caller, runtime: Runtime, organisation: Organisation, wrong: dict[str, Any], field: str
) -> None:
    answer = caller.say(422, **wrong)
    assert list(answer["errors"]) == [field]
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalar(select(func.count()).select_from(ConsentEvent)) == 0
        assert session.scalar(select(func.count()).select_from(Contact)) == 0


def test_nobody_unknown_has_permissions(caller: Caller) -> None:
    assert caller.client.get("/api/v1/contacts/999/permissions", headers=caller.headers).status_code == 404


def test_an_address_is_suppressed_for_good_and_kept_as_a_hash_only(caller: Caller, an: int) -> None:
    caller.say()
    body = {"email": "AN@example.org", "channel": "email", "reason": "asked by phone"}
    first = caller.client.post("/api/v1/suppressions", json=body, headers=caller.headers)
    again = caller.client.post("/api/v1/suppressions", json=body | {"reason": "other"}, headers=caller.headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json == again.json
    assert caller.ask(an)["why"] == "suppressed"
    listed = caller.client.get("/api/v1/suppressions", headers=caller.headers)
    assert listed.json == {"items": [first.json], "next": None}
    assert AN not in listed.text
    found = caller.client.get("/api/v1/suppressions?email=an@example.org", headers=caller.headers)
    assert found.json == listed.json
    nobody = caller.client.get("/api/v1/suppressions?email=bo@example.org", headers=caller.headers)
    assert nobody.json == {"items": [], "next": None}


def test_suppressions_come_page_by_page(caller: Caller) -> None:
    for name in ("an", "bo", "cis"):
        caller.client.post("/api/v1/suppressions", json={"email": f"{name}@example.org"}, headers=caller.headers)
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = caller.client.get(
            "/api/v1/suppressions",
            query_string={"limit": 2} | ({"cursor": cursor} if cursor else {}),
            headers=caller.headers,
        )
        assert answer.json is not None
        seen += [row["address_hash"] for row in answer.json["items"]]
        cursor = answer.json["next"]
    assert len(set(seen)) == len(seen) == 3


@pytest.mark.parametrize("cursor", ["x", "AAAA", "é", "MjAyNg=="])
def test_a_cursor_that_is_none_of_ours_is_refused(caller: Caller, cursor: str) -> None:
    answer = caller.client.get("/api/v1/suppressions", query_string={"cursor": cursor}, headers=caller.headers)
    assert answer.status_code == 422
    assert list((answer.get_json(force=True))["errors"]) == ["cursor"]


def test_an_address_that_cannot_exist_is_not_suppressed(caller: Caller) -> None:
    answer = caller.client.post("/api/v1/suppressions", json={"email": "geen"}, headers=caller.headers)
    assert answer.status_code == 422


def test_a_key_without_the_scope_may_not_speak(
    client: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        reader = create_api_key(session, runtime.keyring, name="reader", scopes=["consents:read"])
        record_event(session, runtime.keyring, a_withdrawal(AN))
    Caller(client, reader).say(403)
