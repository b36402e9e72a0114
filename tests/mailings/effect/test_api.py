"""Reports over REST: the same figures as the page, and nothing about people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import clock
from app.accounts.api_keys import create_api_key
from app.accounts.models import Organisation
from app.db import transaction
from app.mailings.effect.api import MailingReportOut
from app.runtime import Runtime
from tests.conftest import make_user, signed_in
from tests.mailings.effect.world import an_activity, book, deliver, leave_out, make_people, sent_mailing


@pytest.fixture
def mailing_id(runtime: Runtime, organisation: Organisation) -> int:
    at = clock.now() - timedelta(days=2)
    with transaction(runtime.engine, organisation.id) as session:
        made, people = sent_mailing(session, at=at), make_people(session, 30)
        deliver(session, made, people[:20], at=at)
        leave_out(session, made, people[20:])
        book(session, people[:5], an_activity(session, "Godot"), at=at + timedelta(days=1))
    return made


def ask(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, path: str, *, scopes: tuple[str, ...] = ("*",)
) -> tuple[int, Any]:
    with transaction(runtime.engine, organisation.id) as session:
        key = create_api_key(session, runtime.keyring, name="key", scopes=scopes)
    answer = client.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {key}"})
    return answer.status_code, answer.get_json(force=True)


def test_a_report_is_answered_whole(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, mailing_id: int
) -> None:
    status, found = ask(client, runtime, organisation, f"/mailings/{mailing_id}/report")
    assert status == 200
    assert set(found) == set(MailingReportOut().fields)
    assert (found["funnel"]["meant"], found["funnel"]["booked"], found["funnel"]["amount"]) == (30, 5, 100.0)
    assert found["did_not_get_it"] == [{"reason": "held_out", "people": 10}]
    assert [(each["name"], each["people"]) for each in found["activities"]] == [("Godot", 5)]
    comparison = found["comparison"]
    assert comparison["treated"]["rate"] == 0.25
    assert comparison["control"]["booked"] == 0
    assert comparison["booking_rate"]["low"] < 0.25 < comparison["booking_rate"]["high"]
    assert not found["is_closed"]


def test_another_window_may_be_asked_for(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, mailing_id: int
) -> None:
    _status, found = ask(client, runtime, organisation, f"/mailings/{mailing_id}/report?days=1")
    assert (found["days"], found["funnel"]["booked"], found["is_closed"]) == (1, 0, True)
    assert ask(client, runtime, organisation, f"/mailings/{mailing_id}/report?days=0")[0] == 422
    assert ask(client, runtime, organisation, f"/mailings/{mailing_id}/report?days=x")[0] == 422


def test_what_is_not_there_or_not_allowed_is_said(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, mailing_id: int
) -> None:
    assert ask(client, runtime, organisation, "/mailings/424242/report")[0] == 404
    url = f"/mailings/{mailing_id}/report"
    assert ask(client, runtime, organisation, url, scopes=("contacts:read",))[0] == 403


def test_the_home_page_shows_the_last_mailing_that_was_measured(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, mailing_id: int
) -> None:
    signed_in(client, make_user(runtime, organisation, "viewer"))
    assert "Je laatste mailing" not in client.get("/").text
    client.get(f"/mailings/{mailing_id}/report")
    home = client.get("/").text
    assert "Je laatste mailing" in home
    assert "5 boekten sindsdien" in home
