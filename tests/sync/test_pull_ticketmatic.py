"""Ticketmatic from end to end: what disappears there, what nobody can read, and who may be mailed by it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from app import clock
from app.accounts.audit import SYSTEM
from app.accounts.models import Organisation
from app.activities.models import Participation
from app.consent.models import Permission
from app.contacts.models import Contact
from app.db import transaction
from app.runtime import Runtime
from app.sync.connections import create_connection, get_connection, read_settings
from app.sync.models import SyncProblem
from app.sync.pull import pull_due
from tests.standins.ticketmatic import NEWSLETTER, TicketmaticHouse, TicketmaticStandin, contact, event, order, ticket


@pytest.fixture
def standin() -> Iterator[TicketmaticStandin]:
    house = TicketmaticHouse(now=clock.now())
    house.put("events", event(901, "2026-12-01 20:00:00", c_genre=[3]))
    house.put("contacts", contact(1))
    house.put("contacts", contact(2))
    house.put("orders", order(70, 1, [ticket(80, 901), ticket(81, 901)]))
    house.put("orders", order(700, 2, [ticket(90, 901)]))
    house.say(1, NEWSLETTER, 7602)
    with TicketmaticStandin(house) as served:
        served.signature_lasts = timedelta.max  # the clock of the tests stands still, that of a signature does not
        yield served


@pytest.fixture
def connection_id(runtime: Runtime, organisation: Organisation, standin: TicketmaticStandin) -> int:
    house = standin.house
    filled = read_settings(
        "ticketmatic",
        {"account": house.account, "base_url": standin.url, "optin_newsletter": "nieuwsbrief"},
        {"access_key": house.access_key, "secret_key": house.secret_key},
        allows_loopback=True,
    )
    with transaction(runtime.engine, organisation.id) as session:
        return create_connection(session, runtime.keyring, filled, name="De kassa", actor=SYSTEM).id


def pulled(runtime: Runtime, organisation: Organisation, connection_id: int) -> dict[str, str]:
    """Read once more and return the status of every ticket."""
    with transaction(runtime.engine, organisation.id) as session:
        connection = get_connection(session, connection_id)
        connection.next_run_at = clock.now()
    pull_due(runtime, organisation.id)
    with transaction(runtime.engine, organisation.id) as session:
        assert get_connection(session, connection_id).failure_code is None
        return {row.external_id: row.status for row in session.scalars(select(Participation))}


def test_tickets_contacts_and_permission_come_in(
    runtime: Runtime, organisation: Organisation, connection_id: int
) -> None:
    assert pulled(runtime, organisation, connection_id) == {"70/80": "booked", "70/81": "booked", "700/90": "booked"}
    with transaction(runtime.engine, organisation.id) as session:
        assert {row.family_name for row in session.scalars(select(Contact))} == {"Peeters 1", "Peeters 2"}
        (allowed,) = session.scalars(select(Permission).where(Permission.is_allowed))
        assert (allowed.purpose, allowed.basis) == ("newsletter", "consent")


def test_a_ticket_that_was_taken_out_of_its_order_is_cancelled_and_no_other(
    runtime: Runtime, organisation: Organisation, standin: TicketmaticStandin, connection_id: int
) -> None:
    pulled(runtime, organisation, connection_id)
    standin.house.change("orders", 70, tickets=[ticket(80, 901)])
    expected = {"70/80": "booked", "70/81": "cancelled", "700/90": "booked"}
    assert pulled(runtime, organisation, connection_id) == expected
    assert pulled(runtime, organisation, connection_id) == expected


def test_a_ticket_that_was_paid_back_is_refunded(
    runtime: Runtime, organisation: Organisation, standin: TicketmaticStandin, connection_id: int
) -> None:
    pulled(runtime, organisation, connection_id)
    back = [{"id": 1, "amount": 36.0}, {"id": 2, "amount": -18.0, "refundpaymentid": 1}]
    standin.house.change("orders", 70, tickets=[ticket(81, 901)], payments=back)
    assert pulled(runtime, organisation, connection_id)["70/80"] == "refunded"


def test_an_order_that_cannot_be_read_is_told_until_it_can_and_loses_no_ticket(
    runtime: Runtime, organisation: Organisation, standin: TicketmaticStandin, connection_id: int
) -> None:
    pulled(runtime, organisation, connection_id)
    standin.house.change("orders", 70, tickets=[ticket(80, 901, price="achttien")])
    assert pulled(runtime, organisation, connection_id)["70/81"] == "booked"
    with transaction(runtime.engine, organisation.id) as session:
        (problem,) = session.scalars(select(SyncProblem))
        assert (problem.stream, problem.external_id, problem.code) == ("orders", "70", "unreadable_row")
    standin.house.change("orders", 70, tickets=[ticket(80, 901)])
    assert pulled(runtime, organisation, connection_id)["70/81"] == "cancelled"
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalars(select(SyncProblem)).all() == []


def test_a_no_at_the_box_office_takes_the_permission_away(
    runtime: Runtime, organisation: Organisation, standin: TicketmaticStandin, connection_id: int
) -> None:
    pulled(runtime, organisation, connection_id)
    standin.house.now += timedelta(minutes=3)
    standin.house.say(1, NEWSLETTER, 7603, method="counter")
    pulled(runtime, organisation, connection_id)
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalars(select(Permission).where(Permission.is_allowed)).all() == []
