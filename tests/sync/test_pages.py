"""The pages of connections, as an administrator walks through them."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts.models import Organisation
from app.db import transaction
from app.runtime import Runtime
from app.sync import inbox, pull
from app.sync.models import Connection, InboxItem
from tests.conftest import make_user, signed_in
from tests.standins.pretix import PretixStandin
from tests.sync.conftest import Connect


@pytest.fixture
def admin(client: FlaskClient, runtime: Runtime, organisation: Organisation) -> FlaskClient:
    return signed_in(client, make_user(runtime, organisation))


def form_for(standin: PretixStandin, **changes: str) -> dict[str, str]:
    filled = {"name": "De kassa", "base_url": standin.url, "organizer": standin.house.organizer}
    return {**filled, "token": standin.house.token, "purpose": "newsletter", **changes}


def held(runtime: Runtime, organisation: Organisation) -> list[Connection]:
    with transaction(runtime.engine, organisation.id) as session:
        return list(session.scalars(select(Connection).where(Connection.state != "removed")))


def test_an_empty_house_is_told_what_to_do_next(admin: FlaskClient) -> None:
    page = admin.get("/connections").text
    assert "/connections/new" in page
    offered = admin.get("/connections/new").text
    assert "/connections/new/pretix" in offered
    assert all(system in offered for system in ("SRO", "museumPASSmusées", "UiTPAS Balie")), "a file will do"


@pytest.mark.parametrize("role", ["marketer", "analyst", "viewer"])
def test_only_administrators_see_connections(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, role: str
) -> None:
    signed_in(client, make_user(runtime, organisation, role))
    assert client.get("/connections").status_code == 403
    assert client.post("/connections/new/pretix", data={}).status_code == 403


def test_connecting_checks_first_and_shows_the_webhook_address(
    admin: FlaskClient, runtime: Runtime, organisation: Organisation, pretix_standin: PretixStandin
) -> None:
    answer = admin.post("/connections/new/pretix", data=form_for(pretix_standin), follow_redirects=True)
    (connection,) = held(runtime, organisation)
    assert answer.status_code == 200
    assert (connection.name, connection.settings["organizer"]) == ("De kassa", "stadstheater")
    assert f"{runtime.settings.base_url}/hooks/pretix/" in answer.text
    assert "Stadstheater" in answer.text
    assert pretix_standin.house.token not in answer.text


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"token": "wrong"}, "aanvaardt deze sleutel"),
        ({"token": ""}, "Vul dit in"),
        ({"organizer": "nope"}, "mag dit niet"),
        ({"base_url": "http://10.0.0.8"}, "https://"),
        ({"organizer": "../x"}, "alleen letters"),
    ],
)
def test_what_is_wrong_is_said_in_words_and_nothing_is_saved(  # noqa: PLR0917 - fixtures
    admin: FlaskClient,
    runtime: Runtime,
    organisation: Organisation,
    pretix_standin: PretixStandin,
    changes: dict[str, str],
    sentence: str,
) -> None:
    answer = admin.post("/connections/new/pretix", data=form_for(pretix_standin, **changes))
    assert answer.status_code == 422
    assert sentence in answer.text
    assert "stadstheater" in answer.text or "organizer" in changes, "what was typed is still there"
    assert held(runtime, organisation) == []


def test_a_system_that_is_down_is_told_apart_from_a_wrong_token(
    admin: FlaskClient, pretix_standin: PretixStandin
) -> None:
    pretix_standin.fail(429, Retry_After="900")
    answer = admin.post("/connections/new/pretix", data=form_for(pretix_standin))
    assert answer.status_code == 422
    assert "te druk" in answer.text


def test_the_page_of_a_connection_tells_what_came_in(
    admin: FlaskClient, runtime: Runtime, organisation: Organisation, connect: Connect, pretix_standin: PretixStandin
) -> None:
    connection = connect(pretix_standin)
    assert "hx-trigger" in admin.get(f"/connections/{connection.id}").text, "it looks again by itself while reading"
    pull.pull_due(runtime, organisation.id)
    page = admin.get(f"/connections/{connection.id}").text
    assert "302" in page
    assert "hx-trigger" not in page


def test_a_failing_connection_says_why_and_can_be_mended(
    admin: FlaskClient, runtime: Runtime, organisation: Organisation, connect: Connect, pretix_standin: PretixStandin
) -> None:
    connection = connect(pretix_standin)
    pretix_standin.house.token = "a-new-token"
    pull.pull_due(runtime, organisation.id)
    page = admin.get(f"/connections/{connection.id}").text
    assert "aanvaardt deze sleutel" in page
    assert "Heeft je nodig" in admin.get("/connections").text
    refused = admin.post(f"/connections/{connection.id}/edit", data=form_for(pretix_standin, token=""))
    assert refused.status_code == 422, "the token we have is refused still"
    mended = admin.post(f"/connections/{connection.id}/edit", data=form_for(pretix_standin))
    assert mended.status_code == 302
    assert held(runtime, organisation)[0].state == "active"


@pytest.mark.parametrize("verb", ["run", "pause", "resume", "start-over", "remove"])
def test_every_button_works_and_leads_back(
    admin: FlaskClient, connect: Connect, pretix_standin: PretixStandin, verb: str
) -> None:
    connection = connect(pretix_standin)
    answer = admin.post(f"/connections/{connection.id}/{verb}", follow_redirects=True)
    assert answer.status_code == 200
    assert admin.post(f"/connections/{connection.id + 1}/{verb}").status_code == 404


def test_the_inbox_shows_what_was_given_up_and_replays_it(
    admin: FlaskClient, runtime: Runtime, organisation: Organisation, connect: Connect, pretix_standin: PretixStandin
) -> None:
    connection = connect(pretix_standin)
    where = f"/connections/{connection.id}/inbox"
    assert admin.get(where).status_code == 200
    with transaction(runtime.engine, organisation.id) as session:
        for body in (b"<script>alert(1)</script>", b'{"organizer": "someone-else", "notification_id": 4}'):
            inbox.receive(session, connection, headers={}, body=body)
    inbox.process_inbox(runtime, organisation.id, processors={})
    page = admin.get(where).text
    assert "<script>alert(1)" not in page
    assert "Opgegeven" in page
    with transaction(runtime.engine, organisation.id) as session:
        first = session.scalars(select(InboxItem.id).order_by(InboxItem.id)).all()[0]
    assert admin.post(f"{where}/{first}/replay").status_code == 302
    assert admin.post(f"{where}/{first}/replay").status_code == 404, "it is in line already"
    assert admin.post(f"{where}/replay-dead").status_code == 302
    with transaction(runtime.engine, organisation.id) as session:
        assert set(session.scalars(select(InboxItem.state))) == {"waiting"}


def test_a_long_inbox_is_paged(
    admin: FlaskClient, runtime: Runtime, organisation: Organisation, connect: Connect, pretix_standin: PretixStandin
) -> None:
    connection = connect(pretix_standin)
    with transaction(runtime.engine, organisation.id) as session:
        for number in range(60):
            inbox.receive(
                session, connection, headers={}, body=b'{"notification_id": %d, "mark": "no%02d"}' % (number, number)
            )
    first = admin.get(f"/connections/{connection.id}/inbox").text
    assert "no59" in first
    assert "no05" not in first
    oldest = min(row.id for row in items(runtime, organisation)) + 10
    assert "no05" in admin.get(f"/connections/{connection.id}/inbox?before={oldest}").text


def items(runtime: Runtime, organisation: Organisation) -> list[InboxItem]:
    with transaction(runtime.engine, organisation.id) as session:
        return list(session.scalars(select(InboxItem)))
