"""The desk: a request is noted, proven, carried out and answered, and its log survives the person."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text

from app import clock
from app.accounts.models import Organisation
from app.consent.gate import contactable
from app.consent.ledger import record_events
from app.consent.models import Permission, RightsRequest
from app.contacts.models import Contact
from app.db import transaction
from app.runtime import Runtime
from tests.conftest import NOW, make_user, signed_in
from tests.contacts.erasure.test_coming_back import AN, stored, yes


@pytest.fixture
def desk(client: FlaskClient, runtime: Runtime, organisation: Organisation) -> FlaskClient:
    with transaction(runtime.engine, organisation.id) as session:
        stored(session, runtime)
    with transaction(runtime.engine, organisation.id) as session:
        said = [yes("form", NOW), yes("form", NOW, purpose="recommendations")]
        record_events(session, runtime.keyring, said)
    return signed_in(client, make_user(runtime, organisation, "marketer"))


def ask(desk: FlaskClient, kind: str, **more: str) -> str:
    answer = desk.post(
        "/rights/new", data={"kind": kind, "channel": "mail", "who": AN.upper(), "note": "An vraagt"} | more
    )
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def test_an_erasure_is_proven_done_and_answered_and_only_numbers_are_left_of_it(
    desk: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    url = ask(desk, "erasure")
    page = desk.get(url).text
    assert "An vraagt" in page
    desk.post(f"{url}/carry-out")
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalars(select(Contact.state)).all() == ["living"], "nobody is erased for a stranger"
    desk.post(f"{url}/identity", data={"identity_check": "callback"})
    desk.post(f"{url}/carry-out")
    page = desk.get(f"{url}?language=fr").text
    assert "De Proef" in page
    assert AN not in page
    assert desk.post(f"{url}/close", data={"outcome": "erased", "note": ""}).status_code == 302
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalars(select(Contact.state)).all() == ["erased"]
        request = session.scalars(select(RightsRequest)).one()
        assert (request.state, request.outcome, request.note) == ("done", "erased", None)
    assert desk.post(f"{url}/close", data={"outcome": "corrected"}).status_code == 302
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalars(select(RightsRequest.outcome)).all() == ["erased"], "what is closed stays closed"
    for gone in ("rights/contacts/1", "contacts/1/export.json", "rights/contacts/1/portable.json"):
        assert desk.get(f"/{gone}").status_code == 404
    assert desk.get("/contacts/1").status_code == 200


def test_a_restriction_stops_everything_and_is_lifted_with_a_reason(
    desk: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    def mailable() -> set[str]:
        with transaction(runtime.engine, organisation.id) as session:
            return set(session.scalars(select(contactable.c.purpose)))

    before = mailable()
    assert before == {"newsletter", "recommendations"}
    desk.post(f"{ask(desk, 'restriction')}/carry-out")
    assert mailable() == set()
    assert "rights/contacts/1/lift" in desk.get("/contacts/1").text
    assert desk.post("/rights/contacts/1/lift", data={"reason": "because"}).status_code == 422
    assert mailable() == set()
    desk.post("/rights/contacts/1/lift", data={"reason": "settled"})
    assert mailable() == before
    with transaction(runtime.engine, organisation.id) as session:
        told = session.execute(text("SELECT details FROM audit_event WHERE action = 'rights.restriction_lifted'")).all()
        assert told == [({"reason": "settled"},)]


@pytest.mark.parametrize(("scope", "left"), [("profiling", {"newsletter"}), ("all", set())])
def test_an_objection_reaches_as_far_as_it_was_meant(
    desk: FlaskClient, runtime: Runtime, organisation: Organisation, scope: str, left: set[str]
) -> None:
    desk.post(f"{ask(desk, 'objection')}/carry-out", data={"scope": scope})
    with transaction(runtime.engine, organisation.id) as session:
        assert set(session.scalars(select(Permission.purpose).where(Permission.is_allowed))) == left


def test_the_clock_is_kept_and_late_is_loud(desk: FlaskClient) -> None:
    url = ask(desk, "access", received_on="2026-11-01")
    assert "zl-notice is-bad" not in desk.get("/rights/").text
    with clock.set_to(datetime(2026, 11, 29, 9, tzinfo=UTC)):
        desk.post(f"{url}/extend", data={"reason": "complex"})
    with clock.set_to(datetime(2027, 2, 2, 9, tzinfo=UTC)):
        assert "zl-notice is-bad" in desk.get("/rights/").text
        assert "zl-notice is-bad" in desk.get(url).text
        home = desk.get("/").text
        assert "zl-notice is-bad" in home
        assert "/rights/" in home


@pytest.mark.parametrize(
    "wrong",
    [
        {"who": "nobody"},
        {"who": "999999"},
        {"kind": "tea"},
        {"channel": "page"},
        {"received_on": (date(2026, 11, 20) + timedelta(days=1)).isoformat()},
        {"received_on": "31/31/2026"},
        {"note": "x" * 2001},
    ],
)
def test_what_makes_no_sense_is_told_beside_the_field_and_nothing_is_kept(
    desk: FlaskClient, runtime: Runtime, organisation: Organisation, wrong: dict[str, str]
) -> None:
    data = {"kind": "access", "channel": "mail", "who": AN, "note": ""} | wrong
    assert desk.post("/rights/new", data=data).status_code == 422
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalars(select(RightsRequest)).all() == []


def test_somebody_we_do_not_know_may_ask_too(desk: FlaskClient) -> None:
    url = ask(desk, "access", who="stranger@example.org")
    assert desk.get(url).status_code == 200
    desk.post(f"{url}/identity", data={"identity_check": "document"})
    desk.post(f"{url}/carry-out")
    desk.post(f"{url}/close", data={"outcome": "not_found"})
    assert "not_found" not in desk.get("/rights/").text


def test_everything_is_there_to_read_to_take_along_and_in_three_languages(desk: FlaskClient) -> None:
    for language in ("nl", "fr", "en"):
        page = desk.get(f"/rights/contacts/1?language={language}").text
        assert f'<html lang="{language}">' in page
        assert AN in page
        assert "Ja, graag" in page, "with the text that was shown"
        assert desk.get(f"/rights/register/?language={language}").status_code == 200
        table = desk.get(f"/rights/register/register.csv?language={language}").data.decode("utf-8-sig")
        assert "inbox_item" not in table
        assert "birth_date" in table
    taken = desk.get("/rights/contacts/1/portable.json").get_json()
    assert taken["given"]["contact"] == [{"email": AN, "given_name": "An"}]
    assert "permission" not in taken["given"]
    assert AN in desk.get("/rights/contacts/1/portable.csv").data.decode("utf-8-sig")
    assert desk.get("/rights/retention/").status_code == 200


@pytest.mark.parametrize("path", ["", "new", "contacts/1", "register/", "retention/"])
def test_only_those_who_work_with_contacts_see_the_desk(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, path: str
) -> None:
    assert signed_in(client, make_user(runtime, organisation, "viewer")).get(f"/rights/{path}").status_code == 403
