"""Invitations and new passwords by mail, where the house can mail."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.accounts.models import Letter, OneTimeLink
from app.mailings.models import MailSetting
from app.mailings.sending import send_due
from tests.conftest import PASSWORD, make_user, signed_in
from tests.mailings.house_with_post import HouseWithPost

NEW = "een splinternieuw wachtwoord"
KIM = {"name": "Kim", "email": "kim@example.org", "role": "marketer"}


@pytest.fixture
def admin(client: FlaskClient, house: HouseWithPost) -> FlaskClient:
    return signed_in(client, make_user(house.runtime, house.organisation))


def mailed_path(house: HouseWithPost) -> str:
    body = house.relay.delivered[-1].message.get_body(("plain",))
    assert body is not None
    found = re.search(r"https?://[^/\s]+(/invitation/\S+)", body.get_content())
    assert found is not None
    return found[1]


def test_who_is_invited_gets_a_mail_and_comes_in_by_it(app: Flask, admin: FlaskClient, house: HouseWithPost) -> None:
    page = admin.post("/settings/people", data=KIM, follow_redirects=True).text
    assert "kim@example.org" in page
    assert "/invitation/" not in page, "the link is nobody else's"
    assert house.send() == 1
    assert house.recipients() == ["kim@example.org"]
    guest = app.test_client()
    answer = guest.post(mailed_path(house), data={"name": "Kim", "language": "nl", "password": NEW})
    assert answer.headers["Location"] == "/"


def test_the_link_is_in_no_row_that_could_be_read(admin: FlaskClient, house: HouseWithPost) -> None:
    admin.post("/settings/people", data=KIM)
    with house.transaction() as session:
        letter = session.scalars(select(Letter)).one()
        assert letter.sealed is not None
        assert b"invitation" not in letter.sealed
        assert "kim" not in str([value for value in vars(letter).values() if isinstance(value, str)])


def test_a_link_to_pass_on_can_still_be_had(admin: FlaskClient, house: HouseWithPost) -> None:
    user = make_user(house.runtime, house.organisation, "viewer")
    page = admin.post(f"/settings/people/{user.id}/link", data={"by": "hand"}).text
    assert "/invitation/" in page
    assert house.send() == 0


def test_a_house_that_cannot_mail_gives_the_link_as_before(admin: FlaskClient, house: HouseWithPost) -> None:
    with house.transaction() as session:
        session.execute(update(MailSetting).values(relay_host=None))
    assert "/invitation/" in admin.post("/settings/people", data=KIM).text


def test_a_newer_link_takes_the_place_of_one_that_is_still_under_way(
    app: Flask, admin: FlaskClient, house: HouseWithPost
) -> None:
    user = make_user(house.runtime, house.organisation, "viewer")
    admin.post(f"/settings/people/{user.id}/link")
    admin.post(f"/settings/people/{user.id}/link")
    assert house.send() == 2
    assert len(house.relay.delivered) == 1, "the first one leads nowhere any more"
    assert app.test_client().get(mailed_path(house)).status_code == 200


def test_who_forgot_the_password_asks_for_a_link_and_gets_in(app: Flask, house: HouseWithPost) -> None:
    user = make_user(house.runtime, house.organisation, "marketer")
    guest = app.test_client()
    assert "/login/forgotten" in guest.get("/login").text
    known = guest.post("/login/forgotten", data={"email": f"  {user.email.upper()}"})
    unknown = guest.post("/login/forgotten", data={"email": "niemand@example.org"})
    assert known.status_code == unknown.status_code == 200
    assert known.text == unknown.text, "it tells nobody who is known"
    assert guest.post("/login", data={"email": user.email, "password": PASSWORD}).status_code == 302, "nothing changed"
    house.send()
    assert house.recipients() == [user.email]
    guest.post(mailed_path(house), data={"password": NEW})
    assert app.test_client().post("/login", data={"email": user.email, "password": NEW}).status_code == 302


@pytest.mark.parametrize("state", ["shut out", "still invited", "no mail"])
def test_nothing_is_mailed_to_whom_it_would_not_help(app: Flask, house: HouseWithPost, state: str) -> None:
    user = make_user(house.runtime, house.organisation, "marketer")
    with house.transaction() as session:
        found = session.get_one(type(user), (house.organisation.id, user.id))
        if state == "shut out":
            found.is_active = False
        elif state == "still invited":
            found.password_hash = None
        else:
            session.execute(update(MailSetting).values(relay_host=None))
    assert app.test_client().post("/login/forgotten", data={"email": user.email}).status_code == 200
    with house.transaction() as session:
        assert session.scalars(select(Letter)).all() == []
        assert session.scalars(select(OneTimeLink)).all() == []


def test_somebody_else_cannot_fill_a_mailbox_nor_spend_the_link_that_is_there(app: Flask, house: HouseWithPost) -> None:
    user = make_user(house.runtime, house.organisation, "marketer")
    guest = app.test_client()
    for _ in range(8):
        assert guest.post("/login/forgotten", data={"email": user.email}).status_code == 200
    send_due(house.runtime, house.organisation.id)
    assert len(house.relay.delivered) == 1
    assert guest.get(mailed_path(house)).status_code == 200, "asking once too often leaves the last link good"
    answers = {guest.post("/login/forgotten", data={"email": f"x{n}@example.org"}).status_code for n in range(20)}
    assert 429 in answers
