"""The home page, and the page that makes the first house."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert

from app import clock
from app.accounts.directory import organisation_ids
from app.accounts.models import Organisation
from app.contacts.models import Contact
from app.db import ScopedSession, transaction
from app.insights.founding import found_first_house, welcome_token
from app.insights.overview import figures, first_steps, health
from app.runtime import Runtime
from app.sync.models import Connection, Heartbeat
from tests.conftest import make_user, signed_in

WELCOME = {
    "organisation": "De Lamp",
    "country": "BE",
    "time_zone": "Europe/Brussels",
    "language": "nl",
    "name": "Ann Peeters",
    "email": "ann@example.org",
    "password": "een lang wachtwoord",
}


@pytest.fixture
def welcome(runtime: Runtime) -> str:
    """The link that was printed at the first start."""
    return f"/welcome/{welcome_token(runtime.keyring)}"


def test_the_first_link_makes_a_house_and_lets_its_administrator_in(client: FlaskClient, welcome: str) -> None:
    assert client.get(welcome).status_code == 200
    assert client.post(welcome, data=WELCOME).headers["Location"] == "/"
    page = client.get("/").get_data(as_text=True)
    assert "De Lamp" in page
    assert "Dag Ann" in page


def test_the_first_link_works_once(client: FlaskClient, welcome: str) -> None:
    client.post(welcome, data=WELCOME)
    assert client.get(welcome).status_code == 410
    assert client.post(welcome, data=WELCOME).status_code == 410


def test_who_comes_second_with_the_first_link_gets_no_house(runtime: Runtime) -> None:
    token = welcome_token(runtime.keyring)
    person = {"name": "Ann", "email": "ann@example.org", "password": "een lang wachtwoord"}
    made = []
    for _ in range(2):
        with transaction(runtime.engine, None) as session:
            made.append(
                found_first_house(
                    session,
                    runtime.keyring,
                    token,
                    name="De Lamp",
                    time_zone="Europe/Brussels",
                    language="nl",
                    country="BE",
                    administrator=person,
                )
            )
    assert [user is not None for user in made] == [True, False]


def test_the_first_link_cannot_be_guessed(client: FlaskClient, runtime: Runtime) -> None:
    assert client.get("/welcome/guess").status_code == 410
    assert client.get(f"/welcome/{welcome_token(runtime.keyring)[:-1]}").status_code == 410


@pytest.mark.parametrize(
    "wrong",
    [{"password": "kort"}, {"email": "ann"}, {"organisation": ""}, {"time_zone": "Mars/Olympus"}, {"country": "XX"}],
)
def test_a_first_house_that_cannot_be_is_refused_and_nothing_is_made(
    client: FlaskClient, runtime: Runtime, welcome: str, wrong: dict[str, str]
) -> None:
    answer = client.post(welcome, data=WELCOME | wrong)
    assert answer.status_code == 422
    assert "een lang wachtwoord" not in answer.get_data(as_text=True)
    with transaction(runtime.engine, None) as session:
        assert organisation_ids(session) == []
    assert client.post(welcome, data=WELCOME).status_code == 302


def test_a_new_house_is_told_what_to_do_next(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, session: ScopedSession
) -> None:
    assert first_steps(session).are_done is False
    signed_in(client, make_user(runtime, organisation))
    page = client.get("/").get_data(as_text=True)
    assert "Om te beginnen" in page
    assert "/settings/people" in page


def test_a_viewer_is_not_told_to_do_what_a_viewer_may_not(
    client: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    signed_in(client, make_user(runtime, organisation, "viewer"))
    assert "Om te beginnen" not in client.get("/").get_data(as_text=True)


def test_steps_that_were_taken_are_ticked(session: ScopedSession, organisation: Organisation, runtime: Runtime) -> None:
    add_contact(session)
    make_user(runtime, organisation, "admin")
    make_user(runtime, organisation, "viewer")
    done = first_steps(session)
    assert (done.has_contacts, done.has_colleagues, done.has_segment) == (True, True, False)


def test_figures_count_the_living_only_and_nobody_as_mailable_without_consent(session: ScopedSession) -> None:
    add_contact(session)
    add_contact(session, created_at=clock.now() - timedelta(days=90))
    add_contact(session, state="erased")
    counted = figures(session)
    assert (counted.contacts, counted.new_contacts, counted.mailable) == (2, 1, 0)


def test_the_months_end_with_this_one_and_none_is_left_out(session: ScopedSession) -> None:
    months = [month for month, _count in figures(session).months]
    assert months[0] == date(2025, 12, 1)
    assert months[-1] == date(2026, 11, 1)
    assert len(set(months)) == 12


def test_a_worker_that_stopped_beating_is_called_silent(session: ScopedSession) -> None:
    assert health(session).is_working is False
    session.add(Heartbeat(name="import", started_at=clock.now(), finished_at=clock.now()))
    session.flush()
    assert health(session).is_working
    with clock.set_to(clock.now() + timedelta(minutes=6)):
        assert health(session).is_working is False


def test_a_connection_in_trouble_is_named_on_the_home_page(
    client: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        values = {"system": "pretix", "kind": "source", "settings": {}, "created_at": clock.now()}
        for name, state in (("Kassa", "failing"), ("Oude kassa", "removed")):
            session.add(Connection(organisation_id=organisation.id, name=name, state=state, **values))
    signed_in(client, make_user(runtime, organisation))
    page = client.get("/").get_data(as_text=True)
    assert "Kassa antwoordt niet" in page
    assert "Oude kassa" not in page


def test_the_figures_come_as_a_fragment(client: FlaskClient, runtime: Runtime, organisation: Organisation) -> None:
    signed_in(client, make_user(runtime, organisation))
    answer = client.get("/figures", headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert "<html" not in answer.get_data(as_text=True)


def test_htmx_of_a_session_that_ended_loads_the_page_again(client: FlaskClient, organisation: Organisation) -> None:
    answer = client.get("/figures", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Refresh"]) == (401, "true")


def add_contact(session: ScopedSession, **changes: object) -> None:
    now = clock.now()
    values = {"source": "test", "created_at": now, "updated_at": now, "state": "living", "tags": [], "attributes": {}}
    session.execute(insert(Contact).values(organisation_id=session.organisation_id, **(values | changes)))
