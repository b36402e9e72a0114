"""The main job, from a real box office to MailChimp and back, without a browser.

The box office is the real captures of a pretix; MailChimp is the stand-in that holds us to its vendor's contract.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app import clock, worker
from app.accounts.api_keys import create_api_key
from app.accounts.models import Organisation
from app.activities.models import Participation
from app.consent.models import ConsentEvent
from app.db import transaction
from app.runtime import Runtime
from app.sync.models import InboxItem
from tests.standins.mailchimp import MailChimpStandIn
from tests.standins.pretix import PretixStandin
from tests.standins.pretix_house import CapturedHouse

# The day the captures were taken, a little after the last of them.
AFTER_THE_CAPTURES = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

VISITED_THE_THEATRE: dict[str, Any] = {
    "type": "participation",
    "measure": "count",
    "at_least": 1,
    "where": {"genres": ["theatre"]},
}


class TheHouse:
    """One house, spoken to as programs do; time passes when it is told to."""

    def __init__(self, runtime: Runtime, organisation: Organisation, client: FlaskClient) -> None:
        self.runtime, self.organisation, self.client = runtime, organisation, client
        with transaction(runtime.engine, organisation.id) as session:
            self.key = create_api_key(session, runtime.keyring, name="test", scopes=["*"])

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the REST API and return its answer; anything but success fails the test."""
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = self.client.open(f"/api/v1{path}", method=method, json=body, headers=headers)
        assert answer.status_code < 300, answer.get_data(as_text=True)
        return answer.get_json()

    def beat(self) -> None:
        """Let the worker do whatever is due."""
        worker.tick(self.runtime)


@pytest.fixture
def house(runtime: Runtime, organisation: Organisation, app: Flask) -> Iterator[TheHouse]:
    with clock.set_to(AFTER_THE_CAPTURES):
        yield TheHouse(runtime, organisation, app.test_client())


def test_from_the_box_office_to_mailchimp_and_never_back_after_an_opt_out(
    house: TheHouse, captured_pretix: PretixStandin, mailchimp_standin: MailChimpStandIn
) -> None:
    mailchimp_standin.clock = clock.now
    list_id = mailchimp_standin.add_list()

    # 1. The box office is connected, and read.
    pretix = house.ask("POST", "/connections", _pretix(captured_pretix))
    house.beat()
    people = house.ask("GET", "/contacts")["items"]
    assert {person["email"] for person in people} >= {"an.peeters@example.org", "bram@example.org"}

    # 2. Whoever ticked the box may be written to, with the wording they saw as proof; nobody else.
    allowed = {person["email"] for person in people if _may_get_the_newsletter(house, person["id"])}
    assert "an.peeters@example.org" in allowed
    with transaction(house.runtime.engine, house.organisation.id) as session:
        proofs = session.scalars(select(ConsentEvent).where(ConsentEvent.action == "granted")).all()
    assert proofs
    assert all(event.notice_version_id is not None for event in proofs)

    # 3. A segment of those who came to the theatre.
    segment = house.ask("POST", "/segments", {"name": "Theater", "rule": VISITED_THE_THEATRE})
    found = house.ask("POST", "/segments/preview", {"rule": VISITED_THE_THEATRE, "at": "2026-11-20"})
    assert found["count"] >= len(allowed)

    # 4. Pushed to MailChimp: a dry run first, then for real. Exactly those who may be written to arrive.
    mailchimp = house.ask("POST", "/connections", _mailchimp(mailchimp_standin))
    wanted = {"name": "Theaterliefhebbers", "segment_id": segment["id"], "connection_id": mailchimp["id"]}
    audience = house.ask("POST", "/audiences", wanted | {"list_ref": list_id, "purpose": "newsletter"})
    assert _run(house, audience["id"], is_dry=True)["state"] == "planned"
    assert mailchimp_standin.emails() == set()
    assert _run(house, audience["id"])["state"] == "done"
    assert mailchimp_standin.emails() == allowed

    # 5. The box office calls us, in disorder and twice, about everything that happened after.
    captured = captured_pretix.house
    assert isinstance(captured, CapturedHouse)
    captured.play()
    for body in [*reversed(captured.webhooks), *captured.webhooks]:
        path = pretix["hook_url"].partition("/hooks/")[2]
        assert house.client.post(f"/hooks/{path}", data=body).status_code == 202
    house.beat()
    with transaction(house.runtime.engine, house.organisation.id) as session:
        held = session.scalars(select(InboxItem)).all()
        statuses = set(session.scalars(select(Participation.status)))
    assert len(held) == len(set(captured.webhooks))
    assert {item.state for item in held} <= {"done", "ignored"}
    assert {"cancelled", "refunded"} <= statuses

    # 6. Somebody unsubscribes at MailChimp; nothing that happens later brings them back.
    mailchimp_standin.unsubscribe_by_person("an.peeters@example.org")
    for hours in (1, 25):
        with clock.set_to(AFTER_THE_CAPTURES + timedelta(hours=hours)):
            _run(house, audience["id"])
            house.beat()
    assert mailchimp_standin.status("an.peeters@example.org") == "unsubscribed"
    opted_out = next(person for person in people if person["email"] == "an.peeters@example.org")
    assert not _may_get_the_newsletter(house, opted_out["id"])
    assert all('"status": "subscribed"' not in str(request.body) for request in mailchimp_standin.requests)


def _may_get_the_newsletter(house: TheHouse, contact_id: int) -> bool:
    held = house.ask("GET", f"/contacts/{contact_id}/permissions")
    rows = held["items"] if isinstance(held, dict) else held
    return any(row["allowed"] for row in rows if (row["channel"], row["purpose"]) == ("email", "newsletter"))


def _pretix(standin: PretixStandin) -> dict[str, Any]:
    settings = {"base_url": standin.url, "organizer": standin.house.organizer}
    secrets = {"token": standin.house.token}
    return {"system": "pretix", "kind": "source", "name": "De kassa", "settings": settings, "secrets": secrets}


def _mailchimp(standin: MailChimpStandIn) -> dict[str, Any]:
    settings, secrets = {"base_url": standin.base_url}, {"api_key": standin.api_key}
    return {"system": "mailchimp", "kind": "destination", "name": "MailChimp", "settings": settings, "secrets": secrets}


def _run(house: TheHouse, audience_id: int, *, is_dry: bool = False) -> dict[str, Any]:
    """Ask for a run, confirmed where it is real, let the worker do it, and return what came of it."""
    wanted = {"dry_run": is_dry, "confirm": not is_dry}
    asked = house.ask("POST", f"/audiences/{audience_id}/sync", wanted)
    house.beat()
    runs = house.ask("GET", f"/audiences/{audience_id}/runs")["items"]
    return next(dict(run) for run in runs if run["id"] == asked["id"])
