"""Logging in and out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app import clock
from app.accounts import people
from app.accounts.login_attempts import PER_ACCOUNT_MAX
from app.accounts.models import AuditEvent, Organisation, User
from app.accounts.users import create_user, find_user, set_password
from app.db import transaction
from app.runtime import Runtime
from tests.conftest import PASSWORD, make_house, make_user, signed_in


def log_in(client: FlaskClient, email: str, password: str, **more: str) -> tuple[int, str, str]:
    answer = client.post(
        "/login", data={"email": email, "password": password, **more}, headers={"Accept-Language": "en"}
    )
    return answer.status_code, answer.headers.get("Location", ""), answer.get_data(as_text=True)


@pytest.fixture
def user(runtime: Runtime, organisation: Organisation) -> User:
    """Robin, who may do everything."""
    return make_user(runtime, organisation)


def test_the_right_password_opens_the_page_that_was_asked_for(client: FlaskClient, user: User) -> None:
    asked = client.get("/settings/house")
    assert asked.headers["Location"] == "/login?next=/settings/house"
    status, location, _page = log_in(client, f" {user.email.upper()} ", PASSWORD, next="/settings/house")
    assert (status, location) == (302, "/settings/house")
    assert client.get("/settings/house").status_code == 200


def test_logging_in_never_leads_away_from_the_site(client: FlaskClient, user: User) -> None:
    assert log_in(client, user.email, PASSWORD, next="https://evil.example/")[1] == "/"


def test_an_unknown_address_and_a_wrong_password_get_the_same_answer(client: FlaskClient, user: User) -> None:
    def without_token(page: str, email: str) -> str:
        lines = [line for line in page.splitlines() if "csrf" not in line]
        return "\n".join(lines).replace(email, "EMAIL")

    wrong = log_in(client, user.email, "not the password")
    unknown = log_in(client, "nobody@example.org", "not the password")
    assert wrong[0] == unknown[0] == 422
    assert "do not go together" in wrong[2]
    assert without_token(wrong[2], user.email) == without_token(unknown[2], "nobody@example.org")


def test_somebody_who_was_invited_or_shut_out_gets_that_answer_too(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, user: User
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        create_user(
            session, runtime.keyring, email="new@example.org", name="New", role="viewer", language="nl", password=None
        )
        left = create_user(
            session,
            runtime.keyring,
            email="left@example.org",
            name="Left",
            role="viewer",
            language="nl",
            password=PASSWORD,
        )
        people.deactivate(session, left)
    for email in ("new@example.org", "left@example.org"):
        status, _location, page = log_in(client, email, PASSWORD)
        assert status == 422
        assert "do not go together" in page


def test_guessing_is_stopped_even_with_the_right_password_at_last(client: FlaskClient, user: User) -> None:
    for number in range(PER_ACCOUNT_MAX):
        assert log_in(client, user.email, f"guess {number}")[0] == 422
    answer = client.post("/login", data={"email": user.email, "password": PASSWORD})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) == 15 * 60 + 1
    assert client.get("/profile").status_code == 302


def test_attempts_at_an_address_nobody_has_are_stopped_alike(client: FlaskClient, organisation: Organisation) -> None:
    for _ in range(PER_ACCOUNT_MAX):
        log_in(client, "nobody@example.org", "guess")
    assert log_in(client, "nobody@example.org", "guess")[0] == 429


def test_empty_fields_are_said_to_be_empty_and_count_as_no_attempt(client: FlaskClient, user: User) -> None:
    for _ in range(PER_ACCOUNT_MAX + 1):
        status, _location, page = log_in(client, user.email, "")
    assert status == 422
    assert "Fill this in." in page


def test_logging_out_ends_it(client: FlaskClient, user: User) -> None:
    signed_in(client, user)
    assert client.post("/logout").status_code == 302
    assert client.get("/profile").headers["Location"].startswith("/login")


def test_a_link_cannot_log_somebody_out(client: FlaskClient, user: User) -> None:
    signed_in(client, user)
    assert client.get("/logout").status_code == 405
    assert client.get("/profile").status_code == 200


def test_who_works_for_two_houses_with_one_password_chooses(client: FlaskClient, runtime: Runtime, user: User) -> None:
    other = make_house(runtime, "De Buren")
    with transaction(runtime.engine, other.id) as session:
        create_user(
            session, runtime.keyring, email=user.email, name="Robin", role="viewer", language="nl", password=PASSWORD
        )
    assert log_in(client, user.email, PASSWORD)[1].startswith("/login/house")
    assert client.get("/profile").status_code == 302
    page = client.get("/login/house").get_data(as_text=True)
    assert "De Proef" in page
    assert "De Buren" in page
    assert client.post("/login/house", data={"organisation_id": other.id}).headers["Location"] == "/"
    assert "De Buren" in client.get("/").get_data(as_text=True)


def test_the_choice_of_a_house_does_not_stay_open(client: FlaskClient, runtime: Runtime, user: User) -> None:
    other = make_house(runtime, "De Buren")
    with transaction(runtime.engine, other.id) as session:
        create_user(
            session, runtime.keyring, email=user.email, name="Robin", role="viewer", language="nl", password=PASSWORD
        )
    log_in(client, user.email, PASSWORD)
    with clock.set_to(clock.now() + timedelta(minutes=5)):
        assert client.get("/login/house").headers["Location"] == "/login"
        assert client.post("/login/house", data={"organisation_id": other.id}).headers["Location"] == "/login"


def test_nobody_walks_into_a_house_their_password_was_not_right_for(
    client: FlaskClient, runtime: Runtime, user: User
) -> None:
    other = make_house(runtime, "De Buren")
    answer = client.post("/login/house", data={"organisation_id": other.id})
    assert answer.headers["Location"] == "/login"
    assert client.get("/").status_code == 302


def test_a_new_password_ends_every_session_opened_with_the_old_one(
    app: Flask, runtime: Runtime, organisation: Organisation, user: User
) -> None:
    elsewhere = signed_in(app.test_client(), user)
    with transaction(runtime.engine, organisation.id) as session:
        found = find_user(session, user.id)
        assert found is not None
        set_password(found, "een heel ander wachtwoord")
    assert elsewhere.get("/profile").status_code == 302


def test_logging_in_is_written_in_the_audit_trail(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, user: User
) -> None:
    log_in(client, user.email, PASSWORD)
    with transaction(runtime.engine, organisation.id) as session:
        events = session.scalars(select(AuditEvent)).all()
    assert [(event.action, event.actor_id) for event in events] == [("accounts.logged_in", user.id)]


def test_every_form_needs_the_token_of_this_browser(app: Flask, user: User) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    client = signed_in(app.test_client(), user)
    for path in ("/login", "/logout", "/profile", "/settings/house", "/settings/people", "/settings/api-keys"):
        assert client.post(path, data={"name": "x"}).status_code == 400, path
