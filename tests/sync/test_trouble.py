"""Whatever goes wrong between a box office and us: in the end our store holds what the box office holds, and no more.

Each system is read through a stand-in that spoils a third of its answers, by a worker that is killed now and then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app import clock
from app.accounts.audit import SYSTEM
from app.accounts.models import Organisation
from app.activities.models import Activity, Participation
from app.db import transaction
from app.runtime import Runtime
from app.sync import pull
from app.sync.connections import create_connection, get_connection, open_source, read_settings
from app.sync.models import Connection, SyncProblem
from app.sync.pull import pull_due
from tests.conftest import make_user, signed_in
from tests.integrations.sources.conformance import by_id
from tests.standins import eventbrite, pretix_house, ticketmatic
from tests.standins.json_standin import JsonStandin
from tests.standins.pretix import PretixStandin
from tests.standins.trouble import Spoiler, Trouble

BROKEN = "An\x00na \ud800 \u202e Peeters"
Secrets = dict[str, str]


@dataclass(frozen=True)
class BoxOffice:
    """A stand-in, how to connect to it, and what is done to one of its rows so that nobody can read it."""

    system: str
    standin: JsonStandin
    settings: dict[str, str]
    secrets: Secrets
    make_unreadable: Callable[[], str]


def _pretix() -> BoxOffice:
    house = pretix_house.invented_house(events=3, orders=90, customers=20)
    standin = PretixStandin(house)
    next(iter(house.customers.values())).update(name_parts={"_scheme": "full", "full_name": BROKEN})
    settings = {"base_url": standin.url, "organizer": house.organizer}

    def spoil() -> str:
        house.change_order("O00003", positions=[{**house.orders["O00003"]["positions"][0], "price": "twintig euro"}])
        return "O00003"

    return BoxOffice("pretix", standin, settings, {"token": house.token}, spoil)


def _ticketmatic() -> BoxOffice:
    house = ticketmatic.invented_house(contacts=130, orders=140)
    house.now = clock.now()
    house.change("contacts", 3, firstname=BROKEN)
    standin = ticketmatic.TicketmaticStandin(house)
    standin.signature_lasts = timedelta.max
    settings = {"account": house.account, "base_url": standin.url, "optin_newsletter": "nieuwsbrief"}
    secrets = {"access_key": house.access_key, "secret_key": house.secret_key}

    def spoil() -> str:
        house.change("orders", 70_002, tickets=[ticketmatic.ticket(1, 2, price="achttien")])
        return "70002"

    return BoxOffice("ticketmatic", standin, settings, secrets, spoil)


def _eventbrite() -> BoxOffice:
    house = eventbrite.invented_house()
    house.now = clock.now() - timedelta(hours=1)
    house.change("orders", "3", first_name=BROKEN)
    standin = eventbrite.EventbriteStandin(house)
    settings = {"organization": house.organization, "base_url": f"{standin.url}/v3"}

    def spoil() -> str:
        known = (one for one in house.attendees.values() if one["profile"]["email"] and one["status"] == "Attending")
        number = str(next(known)["id"])
        house.change("attendees", number, costs={"gross": {"major_value": "gratis"}})
        return number

    return BoxOffice("eventbrite", standin, settings, {"token": house.token}, spoil)


@pytest.fixture(params=[_pretix, _ticketmatic, _eventbrite], ids=lambda made: made.__name__.strip("_"))
def office(request: pytest.FixtureRequest) -> Iterator[BoxOffice]:
    made: BoxOffice = request.param()
    with made.standin:
        yield made


@pytest.fixture
def connection(runtime: Runtime, organisation: Organisation, office: BoxOffice) -> Connection:
    filled = read_settings(office.system, office.settings, office.secrets, allows_loopback=True)
    with transaction(runtime.engine, organisation.id) as session:
        return create_connection(session, runtime.keyring, filled, name="De kassa", actor=SYSTEM)


class Killed(BaseException):
    """A worker that is gone."""


def test_in_the_end_nothing_is_lost_nothing_doubled_and_it_was_told(  # noqa: PLR0917 - fixtures
    runtime: Runtime,
    organisation: Organisation,
    office: BoxOffice,
    connection: Connection,
    client: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("integrations.json_api.READ_S", 0.25)
    monkeypatch.setattr("integrations.json_api.PATIENCE_S", 0.0)  # every trouble ends the turn
    monkeypatch.setattr(pull, "GATHERED_ROWS", 1)
    monkeypatch.setattr(pull, "store_page", killed_at(3, pull.store_page))
    office.standin.spoiler = Spoiler(tuple(Trouble), share=0.08, seed=5)
    unreadable = office.make_unreadable()
    admin = signed_in(client, make_user(runtime, organisation))
    told: set[str] = set()
    while (now := _next_turn(runtime, organisation, connection)) is not None:
        with clock.set_to(now):
            try:
                pull_due(runtime, organisation.id)
            except Killed:
                told.add("killed")
            told.add(_said(admin, connection))
    assert {"killed", "Probeert opnieuw"} <= told
    office.standin.spoiler = None
    with clock.set_to(_due(runtime, organisation, connection)):
        pull_due(runtime, organisation.id)
        page = admin.get(f"/connections/{connection.id}").text
    assert _said(admin, connection) == "Werkt"
    assert unreadable in page
    assert held(runtime, organisation) == there(runtime, organisation, connection)
    with transaction(runtime.engine, organisation.id) as session:
        codes = session.execute(select(SyncProblem.external_id, SyncProblem.code)).all()
    assert [tuple(row) for row in codes] == [(unreadable, "unreadable_row")]


def killed_at(page: int, store: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``store``, killed once after its work and before the commit: the worst moment."""
    stored = 0

    def counting(*args: Any, **options: Any) -> Any:
        nonlocal stored
        stored += 1
        result = store(*args, **options)
        if stored == page:
            raise Killed
        return result

    return counting


def _due(runtime: Runtime, organisation: Organisation, connection: Connection) -> Any:
    with transaction(runtime.engine, organisation.id) as session:
        now = get_connection(session, connection.id)
        assert now.next_run_at is not None, now.failure_code
        return max(now.next_run_at, (now.lease_until or now.next_run_at) + timedelta(seconds=1))


def _next_turn(runtime: Runtime, organisation: Organisation, connection: Connection) -> Any:
    """Return when the next turn is, until one run went well from its beginning to its end."""
    with transaction(runtime.engine, organisation.id) as session:
        if get_connection(session, connection.id).last_ok_at is not None:
            return None
    return _due(runtime, organisation, connection)


def _said(admin: FlaskClient, connection: Connection) -> str:
    shown = admin.get(f"/connections/{connection.id}").text
    words = ("Probeert opnieuw", "Heeft je nodig", "Eerste keer lezen", "Werkt")
    return next((word for word in words if word in shown), shown[:2000])


def held(runtime: Runtime, organisation: Organisation) -> dict[str, tuple[str, str]]:
    """What our store holds: every ticket with its status and its activity."""
    with transaction(runtime.engine, organisation.id) as session:
        rows = session.execute(
            select(Participation.external_id, Participation.status, Activity.external_id).join(
                Activity, Participation.activity_id == Activity.id
            )
        ).all()
    assert len(rows) == len({row[0] for row in rows})
    return {ticket: (status, activity) for ticket, status, activity in rows}


def there(runtime: Runtime, organisation: Organisation, connection: Connection) -> dict[str, tuple[str, str]]:
    """What the box office holds, read once with nothing in the way."""
    with transaction(runtime.engine, organisation.id) as session:
        opened = open_source(runtime.keyring, get_connection(session, connection.id), allows_loopback=True)
    with closing(opened) as source:  # type: ignore[type-var]
        pages = [page for stream in source.capabilities.streams for page in source.pull(stream, json.loads("{}"))]
    tickets = by_id(pages)["participations"]
    return {number: (one.status, one.activity_external_id) for number, one in tickets.items()}


def test_a_clock_of_ours_that_ran_ahead_keeps_nothing_waiting_once_it_is_right_again(
    runtime: Runtime, organisation: Organisation, connection: Connection
) -> None:
    with clock.set_to(clock.now() + timedelta(days=400)):
        pull_due(runtime, organisation.id)
        with transaction(runtime.engine, organisation.id) as session:
            row = get_connection(session, connection.id)
            row.lease_until = clock.now() + pull.LEASE  # and its worker was killed
    assert pull_due(runtime, organisation.id) >= 0
    with transaction(runtime.engine, organisation.id) as session:
        row = get_connection(session, connection.id)
        assert (row.lease_until, row.last_ok_at) == (None, clock.now())
