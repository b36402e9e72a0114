"""Opt-outs travel to a box office that takes them, come home from it once, and are never brought back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.accounts.audit import SYSTEM
from app.audiences.clearing.stated import look_at_statements
from app.consent.clearing.models import Clearance, Clearing
from app.consent.gate import contactable
from app.consent.models import ConsentEvent
from app.consent.suppressions import suppress
from app.sync.connections import change_connection, create_connection, get_connection, read_settings
from app.sync.pull import pull_connection
from tests.audiences.clearing_world import ClearingWorld
from tests.standins.ticketmatic import NEWSLETTER, PARTNERS, TicketmaticHouse, TicketmaticStandin, contact

AN, BO = "an@example.org", "bo@example.org"
IN, OUT = 7602, 7603


class BoxOffice:
    """A clearing world with a Ticketmatic beside its two mail systems."""

    def __init__(self, world: ClearingWorld, served: TicketmaticStandin) -> None:
        self.world, self.served, self.house = world, served, served.house
        self.connection_id = 0

    def filled(self, **settings: str) -> Any:
        given = {"account": self.house.account, "optin_newsletter": "Nieuwsbrief", "base_url": self.served.url}
        secrets = {"access_key": self.house.access_key, "secret_key": self.house.secret_key}
        return read_settings("ticketmatic", given | settings, secrets, allows_loopback=True)

    def connect(self, **settings: str) -> None:
        with self.world.transaction() as session:
            keyring = self.world.runtime.keyring
            made = create_connection(session, keyring, self.filled(**settings), name="De kassa", actor=SYSTEM)
            self.connection_id = made.id

    def change(self, **settings: str) -> None:
        with self.world.transaction() as session:
            change_connection(
                session,
                self.world.runtime.keyring,
                self.connection_id,
                filled=self.filled(**settings),
                name="De kassa",
                actor=SYSTEM,
            )

    def visitor(self, number: int, email: str, *, answer: int = IN, method: str = "websales") -> None:
        self.house.put("contacts", contact(number, email=email))
        self.house.say(number, NEWSLETTER, answer, method)
        self.house.say(number, PARTNERS, IN)

    def no(self, email: str, **changes: Any) -> None:
        self.world.withdraw(email, **changes)

    def pull(self) -> None:
        pull_connection(self.world.runtime, self.world.organisation.id, self.connection_id)

    def look(self) -> int:
        return look_at_statements(self.world.runtime, self.world.organisation.id)

    def said(self, number: int, optin: int = NEWSLETTER) -> int:
        return next(one["status"] for one in self.house.contacts[number]["optins"] if one["optinid"] == optin)

    def rows(self) -> list[tuple[str, str, str | None, str | None]]:
        with self.world.transaction() as session:
            found = session.execute(
                select(Clearing.kind, Clearance.state, Clearance.outcome, Clearance.failure_code)
                .join(Clearance, Clearance.clearing_id == Clearing.id)
                .where(Clearance.connection_id == self.connection_id)
                .order_by(Clearing.id)
            )
            return [tuple(row) for row in found]

    def writes(self) -> int:
        return sum(request.method == "PUT" for request in self.served.requests)

    def noes(self) -> list[tuple[str, str | None]]:
        with self.world.transaction() as session:
            rows = session.execute(
                select(ConsentEvent.source, ConsentEvent.purpose)
                .where(ConsentEvent.action == "withdrawn")
                .order_by(ConsentEvent.id)
            )
            return [tuple(row) for row in rows]


@pytest.fixture
def office(clearing_world: ClearingWorld) -> Iterator[BoxOffice]:
    house = TicketmaticHouse()
    with TicketmaticStandin(house) as served:
        served.signature_lasts = timedelta(days=3650)  # requests are signed by the real clock
        yield BoxOffice(clearing_world, served)


def test_a_no_travels_to_the_box_office_and_its_echo_is_no_news(office: BoxOffice) -> None:
    office.visitor(1, AN)
    office.connect()
    office.pull()
    office.world.mailchimp.add_member(AN)
    office.no(AN, purpose="newsletter")
    office.world.later(seconds=3)
    office.world.carry()
    assert office.rows() == [("opt_out", "acknowledged", "unsubscribed", None)]
    assert (office.said(1), office.said(1, PARTNERS)) == (OUT, IN)
    assert office.world.mailchimp.status(AN) == "unsubscribed"
    before = office.noes()
    office.world.later(minutes=10)
    office.pull()
    assert office.noes() == before
    assert office.look() == 0
    assert office.writes() == 1


def test_a_no_said_at_the_box_office_reaches_the_mail_systems_and_is_known_there_at_once(office: BoxOffice) -> None:
    office.visitor(1, AN)
    office.connect()
    office.pull()
    office.world.mailchimp.add_member(AN)
    office.house.say(1, NEWSLETTER, OUT)
    asked = len(office.served.requests)
    office.world.later(minutes=10)
    office.pull()
    read = len(office.served.requests) - asked
    assert office.rows() == [("opt_out", "acknowledged", "came_from_there", None)]
    office.world.carry()
    assert office.world.mailchimp.status(AN) == "unsubscribed"
    assert len(office.served.requests) - asked == read
    assert office.writes() == 0


def test_a_no_from_before_the_box_office_took_any_arrives_and_one_they_came_back_from_themselves_does_not(
    office: BoxOffice,
) -> None:
    for number, email in enumerate((AN, BO), 1):
        office.visitor(number, email)
    office.connect(writes_back="no")
    office.pull()
    for email in (AN, BO):
        office.no(email, purpose="newsletter")
    office.world.carry()
    assert {row[1] for row in office.rows()} == {"not_possible"}
    office.house.now = office.world.later(days=1)
    office.house.say(2, NEWSLETTER, IN, "websales")
    office.change(writes_back="yes")
    office.pull()
    assert office.look() == 2
    office.world.carry()
    assert {row[2] for row in office.rows() if row[0] == "again"} == {"unsubscribed", "signed_up_there"}
    assert (office.said(1), office.said(2)) == (OUT, IN)
    office.world.later(hours=2)
    office.pull()
    assert office.look() == 0
    with office.world.transaction() as session:
        assert session.scalars(select(contactable.c.contact_id)).all() == []


def test_everything_refused_and_erasures_reach_the_box_office_and_its_mail_tool(office: BoxOffice) -> None:
    for number, email in enumerate((AN, BO), 1):
        office.visitor(number, email)
    office.connect(optin_partners="Partners")
    office.pull()
    office.no(AN)
    office.world.carry()
    assert (office.said(1), office.said(1, PARTNERS), office.served.unsubscribed) == (OUT, OUT, [AN])
    with office.world.transaction() as session:
        suppress(
            session,
            office.world.runtime.keyring,
            [BO],
            channel="email",
            reason="erased",
            source="x",
            at=office.world.now,
        )
    office.world.carry()
    assert office.rows()[-1] == ("erasure", "acknowledged", "opted_out_only", None)
    assert (office.said(2), office.said(2, PARTNERS), office.served.unsubscribed) == (OUT, OUT, [AN, BO])


def test_keys_that_may_only_read_raise_an_alarm_but_keep_reading(office: BoxOffice) -> None:
    office.visitor(1, AN)
    office.connect()
    office.pull()
    office.served.may_write = False
    office.no(AN, purpose="newsletter")
    office.world.carry()
    assert office.rows() == [("opt_out", "failing", None, "may_not_write")]
    with office.world.transaction() as session:
        assert get_connection(session, office.connection_id).state == "active"
    office.served.may_write = True
    office.world.later(minutes=16)
    office.world.carry()
    assert office.rows() == [("opt_out", "acknowledged", "unsubscribed", None)]


def test_without_an_opt_in_that_stands_for_a_purpose_nothing_is_written(office: BoxOffice) -> None:
    office.visitor(1, AN)
    office.connect(optin_newsletter="")
    office.pull()
    office.no(AN)
    office.world.carry()
    assert office.rows() == [("opt_out", "not_possible", "no_place_there", None)]
    assert office.writes() == 0
