"""Settings: the house, its people, keys, the audit trail."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts import people
from app.accounts.models import ApiKey, AuditEvent, Organisation, User
from app.accounts.organisations import current_organisation
from app.accounts.users import UserError, find_user
from app.db import open_session, transaction
from app.runtime import Runtime
from tests.conftest import PASSWORD, make_user, signed_in

HOUSE = {"name": "De Lamp", "country": "NL", "time_zone": "Europe/Amsterdam", "language": "fr"}


@pytest.fixture
def admin(client: FlaskClient, runtime: Runtime, organisation: Organisation) -> User:
    """An administrator, signed in."""
    user = make_user(runtime, organisation)
    signed_in(client, user)
    return user


def reread(runtime: Runtime, user: User) -> User:
    with transaction(runtime.engine, user.organisation_id) as session:
        found = find_user(session, user.id)
    assert found is not None
    return found


def test_what_the_house_says_about_itself_is_kept(
    client: FlaskClient, admin: User, runtime: Runtime, organisation: Organisation
) -> None:
    answer = client.post("/settings/house", data=HOUSE | {"legal_address": "Kaai 1\r\n9000 Gent"})
    assert answer.status_code == 302
    with transaction(runtime.engine, organisation.id) as session:
        kept = current_organisation(session)
    assert (kept.name, kept.country, kept.time_zone, kept.language) == tuple(HOUSE.values())
    assert kept.legal_name is None
    assert "9000 Gent" in client.get("/settings/house").get_data(as_text=True)


@pytest.mark.parametrize("wrong", [{"name": " "}, {"country": "XX"}, {"time_zone": "Europe/Ghent"}, {"language": "de"}])
def test_a_house_that_cannot_be_is_refused_and_nothing_is_saved(
    client: FlaskClient, admin: User, runtime: Runtime, organisation: Organisation, wrong: dict[str, str]
) -> None:
    answer = client.post("/settings/house", data=HOUSE | {"legal_name": "Nieuw vzw"} | wrong)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.get_data(as_text=True)
    with transaction(runtime.engine, organisation.id) as session:
        assert current_organisation(session).legal_name is None
        assert session.scalars(select(AuditEvent)).all() == []


@pytest.mark.parametrize("role", ["viewer", "analyst", "marketer"])
def test_only_administrators_get_to_the_settings_of_the_house(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, role: str
) -> None:
    signed_in(client, make_user(runtime, organisation, role))
    for path in ("house", "people", "api-keys", "audit"):
        assert client.get(f"/settings/{path}", follow_redirects=True).status_code == 403
    page = client.get("/settings/").get_data(as_text=True)
    assert "/profile" in page
    assert "/settings/house" not in page


def test_somebody_gets_another_role(
    client: FlaskClient, admin: User, runtime: Runtime, organisation: Organisation
) -> None:
    other = make_user(runtime, organisation, "viewer")
    assert client.post(f"/settings/people/{other.id}/role", data={"role": "analyst"}).status_code == 302
    assert reread(runtime, other).role == "analyst"
    assert client.post(f"/settings/people/{other.id}/role", data={"role": "king"}).status_code == 422


def test_the_last_administrator_stays_one(client: FlaskClient, admin: User, runtime: Runtime) -> None:
    client.post(f"/settings/people/{admin.id}/role", data={"role": "viewer"})
    client.post(f"/settings/people/{admin.id}/deactivate")
    kept = reread(runtime, admin)
    assert (kept.role, kept.is_active) == ("admin", True)


def test_an_administrator_who_never_took_up_the_invitation_does_not_count_as_one(
    client: FlaskClient, admin: User, runtime: Runtime
) -> None:
    client.post("/settings/people", data={"name": "Kim", "email": "kim@example.org", "role": "admin"})
    client.post(f"/settings/people/{admin.id}/deactivate")
    assert reread(runtime, admin).is_active


def test_two_administrators_cannot_shut_each_other_out_at_once(
    runtime: Runtime, organisation: Organisation, admin: User
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        second = find_user(session, make_user(runtime, organisation, "viewer").id)
        assert second is not None
        people.change_role(session, second, "admin")
    with open_session(runtime.engine, organisation.id) as ours:
        theirs = find_user(ours, second.id)
        assert theirs is not None
        people.deactivate(ours, theirs)
        ours.commit()
    with open_session(runtime.engine, organisation.id) as later:
        mine = find_user(later, admin.id)
        assert mine is not None
        with pytest.raises(UserError, match="last_admin"):
            people.deactivate(later, mine)


def test_who_is_shut_out_is_out_at_once_and_can_be_let_in_again(
    app: Flask, client: FlaskClient, admin: User, runtime: Runtime, organisation: Organisation
) -> None:
    other = make_user(runtime, organisation, "marketer")
    elsewhere = signed_in(app.test_client(), other)
    assert elsewhere.get("/profile").status_code == 200
    client.post(f"/settings/people/{other.id}/deactivate")
    assert elsewhere.get("/profile").status_code == 302
    client.post(f"/settings/people/{other.id}/reactivate")
    assert elsewhere.get("/profile").status_code == 302
    answer = elsewhere.post("/login", data={"email": other.email, "password": PASSWORD})
    assert answer.headers["Location"] == "/"


def test_a_key_is_shown_once_works_and_can_be_revoked(
    app: Flask, client: FlaskClient, admin: User, runtime: Runtime, organisation: Organisation
) -> None:
    page = client.post("/settings/api-keys", data={"name": "Website", "scopes": ["contacts:read"]}).get_data(
        as_text=True
    )
    secret = re.search(r'value="(zl_[^"]+)"', page)
    assert secret is not None
    listed = client.get("/settings/api-keys").get_data(as_text=True)
    assert "Website" in listed
    assert secret[1] not in listed
    with transaction(runtime.engine, organisation.id) as session:
        key = session.scalars(select(ApiKey)).one()
    assert (key.scopes, key.created_by) == (["contacts:read"], admin.id)
    assert client.post(f"/settings/api-keys/{key.id}/revoke").status_code == 302
    assert client.post(f"/settings/api-keys/{key.id}/revoke").status_code == 404


def test_a_key_without_rights_is_not_made(client: FlaskClient, admin: User, runtime: Runtime) -> None:
    for scopes in ([], ["everything:write"]):
        answer = client.post("/settings/api-keys", data={"name": "Website", "scopes": scopes})
        assert answer.status_code == 422
        assert "recht" in answer.get_data(as_text=True)
    with transaction(runtime.engine, admin.organisation_id) as session:
        assert session.scalars(select(ApiKey)).all() == []


def test_the_audit_trail_tells_who_did_what_and_names_no_address(
    client: FlaskClient, admin: User, runtime: Runtime, organisation: Organisation
) -> None:
    client.post("/settings/people", data={"name": "Kim", "email": "kim@example.org", "role": "analyst"})
    page = client.get("/settings/audit/").get_data(as_text=True)
    assert "nodigde iemand uit" in page
    assert "Analist" in page
    with transaction(runtime.engine, organisation.id) as session:
        assert "example.org" not in str([event.details for event in session.scalars(select(AuditEvent))])


def test_a_long_audit_trail_comes_in_pages(client: FlaskClient, admin: User) -> None:
    for number in range(60):
        client.post("/profile", data={"name": f"Robin {number}", "language": "nl"})
    first = client.get("/settings/audit/").get_data(as_text=True)
    following = re.search(r'href="(/settings/audit/\?before=\d+)"', first)
    assert following is not None
    assert first.count("<tr>") == 51
    assert client.get(following[1]).get_data(as_text=True).count("<tr>") == 11


def test_a_password_is_changed_with_the_current_one_only(client: FlaskClient, admin: User) -> None:
    wrong = {"current_password": "not it", "password": "een nieuw wachtwoord"}
    assert client.post("/profile/password", data=wrong).status_code == 422
    right = {"current_password": PASSWORD, "password": "een nieuw wachtwoord"}
    assert client.post("/profile/password", data=right).status_code == 302
    assert client.get("/profile").status_code == 200


def test_everybody_chooses_their_own_language(client: FlaskClient, admin: User) -> None:
    assert (
        client.post("/profile/language", data={"language": "fr", "next": "/profile"}).headers["Location"] == "/profile"
    )
    assert 'lang="fr"' in client.get("/profile").get_data(as_text=True)
    client.post("/profile/language", data={"language": "xx"})
    assert 'lang="fr"' in client.get("/profile").get_data(as_text=True)
