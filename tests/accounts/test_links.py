"""Invitations and new passwords through a link that works once."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app import clock
from app.accounts.models import OneTimeLink, Organisation, User
from app.accounts.one_time_links import spend_link
from app.accounts.users import find_user
from app.db import open_session, transaction
from app.runtime import Runtime
from tests.conftest import PASSWORD, make_user, signed_in

NEW = "een splinternieuw wachtwoord"


@pytest.fixture
def admin(client: FlaskClient, runtime: Runtime, organisation: Organisation) -> User:
    """An administrator, signed in."""
    user = make_user(runtime, organisation)
    signed_in(client, user)
    return user


def link_in(page: str) -> str:
    found = re.search(r'value="http://[^/]+(/invitation/[^"]+)"', page)
    assert found is not None
    return found[1]


def invite(client: FlaskClient, email: str = "kim@example.org") -> str:
    data = {"name": "Kim", "email": email, "role": "marketer"}
    return link_in(client.post("/settings/people", data=data).get_data(as_text=True))


def test_who_is_invited_chooses_a_password_and_is_in(app: Flask, client: FlaskClient, admin: User) -> None:
    link, guest = invite(client), app.test_client()
    assert "Kim" in guest.get(link).get_data(as_text=True)
    answer = guest.post(link, data={"name": "Kim De Wit", "language": "fr", "password": NEW})
    assert answer.headers["Location"] == "/"
    page = guest.get("/").get_data(as_text=True)
    assert "Kim De Wit" in page
    assert 'lang="fr"' in page


def test_a_link_works_once(app: Flask, client: FlaskClient, admin: User) -> None:
    link = invite(client)
    data = {"name": "Kim", "language": "nl", "password": NEW}
    assert app.test_client().post(link, data=data).status_code == 302
    assert app.test_client().get(link).status_code == 410
    assert app.test_client().post(link, data=data).status_code == 410


def test_a_link_runs_out(app: Flask, client: FlaskClient, admin: User) -> None:
    link = invite(client)
    with clock.set_to(clock.now() + timedelta(days=7)):
        assert app.test_client().get(link).status_code == 410


def test_a_refused_password_leaves_the_link_good(app: Flask, client: FlaskClient, admin: User) -> None:
    link = invite(client)
    assert app.test_client().post(link, data={"name": "Kim", "language": "nl", "password": "kort"}).status_code == 422
    assert app.test_client().get(link).status_code == 200


def test_a_newer_link_takes_the_place_of_the_older(
    app: Flask, client: FlaskClient, admin: User, runtime: Runtime, organisation: Organisation
) -> None:
    older = invite(client)
    with transaction(runtime.engine, organisation.id) as session:
        kim = session.scalars(select(User).where(User.email == "kim@example.org")).one()
    newer = link_in(client.post(f"/settings/people/{kim.id}/link").get_data(as_text=True))
    assert app.test_client().get(older).status_code == 410
    assert app.test_client().get(newer).status_code == 200


def test_a_link_for_a_new_password_changes_nothing_but_that(
    app: Flask, client: FlaskClient, admin: User, runtime: Runtime, organisation: Organisation
) -> None:
    link = link_in(client.post(f"/settings/people/{admin.id}/link").get_data(as_text=True))
    guest = app.test_client()
    guest.post(link, data={"name": "Somebody else", "language": "fr", "password": NEW})
    with transaction(runtime.engine, organisation.id) as session:
        found = find_user(session, admin.id)
    assert found is not None
    assert (found.name, found.language) == (admin.name, admin.language)
    assert guest.get("/profile").status_code == 200
    assert client.get("/profile").status_code == 302, "the session opened with the old password has ended"


def test_a_link_of_somebody_who_was_shut_out_is_worth_nothing(
    app: Flask, client: FlaskClient, admin: User, runtime: Runtime, organisation: Organisation
) -> None:
    link = invite(client)
    with transaction(runtime.engine, organisation.id) as session:
        kim = session.scalars(select(User).where(User.email == "kim@example.org")).one()
    client.post(f"/settings/people/{kim.id}/deactivate")
    assert app.test_client().get(link).status_code == 410
    assert client.post(f"/settings/people/{kim.id}/link").status_code == 409


def test_a_token_nobody_made_opens_nothing(client: FlaskClient, admin: User) -> None:
    assert client.get("/invitation/anything").status_code == 410


def test_of_two_who_spend_a_link_at_once_one_comes_too_late(
    client: FlaskClient, admin: User, runtime: Runtime, organisation: Organisation
) -> None:
    invite(client)
    with transaction(runtime.engine, organisation.id) as session:
        link_id = session.scalars(select(OneTimeLink.id)).one()
    first, second = open_session(runtime.engine, organisation.id), open_session(runtime.engine, organisation.id)
    with first, second:
        second.scalars(select(OneTimeLink)).all()
        assert spend_link(first, link_id)
        first.commit()
        assert not spend_link(second, link_id)


def test_the_token_itself_is_not_stored(
    client: FlaskClient, admin: User, runtime: Runtime, organisation: Organisation
) -> None:
    token = invite(client).rpartition("/")[2].encode()
    with transaction(runtime.engine, organisation.id) as session:
        assert all(token not in stored for stored in session.scalars(select(OneTimeLink.token_hash)))


def test_an_address_that_is_on_the_list_is_not_invited_again(client: FlaskClient, admin: User) -> None:
    data = {"name": "Kim", "email": admin.email.upper(), "role": "viewer"}
    answer = client.post("/settings/people", data=data)
    assert answer.status_code == 422
    assert PASSWORD not in answer.get_data(as_text=True)
