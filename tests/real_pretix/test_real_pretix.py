"""A real pretix, sold at, scanned at and refunded at; and our store, which must say the same as its API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app import clock
from app.accounts.audit import SYSTEM
from app.accounts.models import Organisation
from app.activities.models import Activity
from app.db import transaction
from app.runtime import Runtime
from app.sync import connections, pull
from app.sync.connections import Filled, read_settings
from app.sync.inbox import count_by_state, process_inbox
from app.sync.models import Connection
from app.sync.storing import problems_of
from integrations.sources.pretix import Pretix
from tests.real_pretix.agreement import held_by, truth_of
from tests.real_pretix.box_office import ORGANIZER, BoxOffice, Shop
from tests.real_pretix.installation import Installation

pytestmark = pytest.mark.slow


class OurHouse:
    """Our side of the connection."""

    def __init__(self, runtime: Runtime, organisation: Organisation, office: BoxOffice) -> None:
        self.runtime, self.organisation, self.office = runtime, organisation, office
        self.connection_id = 0

    def filled_in(self, token: str) -> Filled:
        """What an administrator fills in."""
        settings = {"base_url": self.office.url, "organizer": ORGANIZER}
        return read_settings("pretix", settings, {"token": token}, allows_loopback=True)

    def connect(self, token: str) -> None:
        """Check with pretix itself, and connect."""
        filled = self.filled_in(token)
        assert connections.probe(filled, allows_loopback=True) == "Cultuurhuis"
        with transaction(self.runtime.engine, self.organisation.id) as session:
            made = connections.create_connection(session, self.runtime.keyring, filled, name="Kassa", actor=SYSTEM)
            self.connection_id = made.id

    def fill_in_again(self, token: str) -> None:
        """Give the connection another token."""
        with transaction(self.runtime.engine, self.organisation.id) as session:
            connections.change_connection(
                session, self.runtime.keyring, self.connection_id, filled=self.filled_in(token), name="", actor=SYSTEM
            )

    def held(self) -> Connection:
        """How the connection is doing."""
        with transaction(self.runtime.engine, self.organisation.id) as session:
            return connections.get_connection(session, self.connection_id)

    def hook_address(self, our_address: str) -> str:
        """Where pretix should knock."""
        return connections.hook_url(self.runtime.keyring, self.held(), base_url=our_address)

    def read(self) -> None:
        """Read what changed, as a worker does."""
        with transaction(self.runtime.engine, self.organisation.id) as session:
            session.execute(update(Connection).values(next_run_at=clock.now()))
        pull.pull_due(self.runtime, self.organisation.id)

    def hear(self) -> dict[str, int]:
        """Process the webhooks that came; returns how many are in each state."""
        process_inbox(self.runtime, self.organisation.id, processors={})
        with transaction(self.runtime.engine, self.organisation.id) as session:
            return count_by_state(session, self.connection_id)

    def told(self) -> dict[str, str]:
        """What the connection's page tells, by number there."""
        with transaction(self.runtime.engine, self.organisation.id) as session:
            return {note.external_id: note.code for note in problems_of(session, self.connection_id)[1]}

    def is_cancelled(self, slug: str) -> bool:
        """Whether an activity is known not to be held."""
        with transaction(self.runtime.engine, self.organisation.id) as session:
            return bool(session.scalar(select(Activity.is_cancelled).where(Activity.external_id == slug)))

    def agrees(self, *, but_for: str = "") -> bool:
        """Whether our store says what pretix says, and nothing could not be kept. We keep what is gone there."""
        truth = truth_of(self.office)
        with transaction(self.runtime.engine, self.organisation.id) as session:
            held = held_by(session, truth)
            assert held.tickets == truth.tickets
            assert {offer for offer in held.offers if offer.number != but_for} == truth.offers
            assert held.people == truth.people
            assert held.wants_newsletter == truth.wants_newsletter
        assert not {code for code in self.told().values() if not code.endswith("_gone_there")}
        return True


@pytest.fixture
def house(runtime: Runtime, organisation: Organisation, office: BoxOffice) -> OurHouse:
    return OurHouse(runtime, organisation, office)


def test_our_store_says_what_a_real_pretix_says(
    installed: Installation,
    office: BoxOffice,
    house: OurHouse,
    our_address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(Pretix.__init__.__kwdefaults__, "page_size", 4)  # several pages of everything
    office.name_genres("theatre", "music")
    hamlet, series = office.open_shop("hamlet", "Hamlet"), office.open_shop("reeks", "De reeks", dates=2)
    closed = office.open_shop("gesloten", "Gesloten")
    sold = open_the_doors(office, hamlet, series)
    house.connect(installed.tokens["zaallicht"])  # with no more rights than our page asks for
    house.read()
    assert house.held().failure_code is None
    assert house.agrees()
    assert len(truth_of(office).tickets) == 14

    hook = office.announce_to(house.hook_address(our_address))
    an_evening(office, hamlet, series, sold)
    said = house.hear()
    assert set(said) <= {"done", "ignored"}
    assert said["done"] >= 12
    assert house.agrees(), "by webhooks alone"

    office.call("PATCH", f"webhooks/{hook}/", {"enabled": False})
    while_nobody_listened(office, hamlet, series, sold)
    house.read()
    assert house.hear() == said
    assert house.agrees(), "by reading alone"

    office.call("POST", f"customers/{sold['customer']}/anonymize/")
    office.call("DELETE", f"events/{closed.slug}/")
    with clock.set_to(clock.now() + timedelta(days=1, minutes=1)):
        house.read()
        assert house.told() == {sold["customer"]: "person_gone_there", closed.slug: "activity_gone_there"}
        assert house.is_cancelled(closed.slug), "nobody can go there any more"

    number, token = office.new_token(installed.tokens["team"])
    house.fill_in_again(token)
    with transaction(house.runtime.engine, house.organisation.id) as session:
        pull.start_over(session, house.connection_id)
    after_pages(monkeypatch, 2, lambda: office.revoke_token(installed.tokens["team"], number))
    office.sell(hamlet, "laat@example.org")
    house.read()
    assert (house.held().state, house.held().failure_code) == ("failing", "unauthorised")
    house.fill_in_again(installed.tokens["zaallicht"])
    house.read()
    assert house.held().state == "active"
    assert house.agrees(but_for=closed.slug), "after a token that expired halfway"


def open_the_doors(office: BoxOffice, hamlet: Shop, series: Shop) -> dict[str, str]:
    """Sell before anybody listens; returns the codes of some orders."""
    an = office.customer("an@example.org", "An", "Peeters", external_identifier="CRM-1", phone="+32470123456")
    office.customer("cem@example.org", "Cem", "Yilmaz")
    guest = {"attendee_email": "bo@example.org", "attendee_name": "Bo Bos", "answer": "false"}
    sold = {
        "an": office.sell(hamlet, "an@example.org", {"answer": "true"}, guest, {"is_book": True}, customer=an),
        "kim": office.sell(hamlet, "kim@example.org", {"answer": "false"}, {}, paid=False),
        "series": office.sell(series, "Daan@Example.org", {"date": series.dates[0]}, {"date": series.dates[1]}),
        "counter": office.sell(hamlet, None),
        "test": office.sell(hamlet, "test@example.org", testmode=True),
    }
    for number in range(8):
        office.sell(hamlet, f"bezoeker{number}@example.org", {"answer": "true" if number % 2 else "false"})
    return {name: order["code"] for name, order in sold.items()} | {"customer": an}


def an_evening(office: BoxOffice, hamlet: Shop, series: Shop, sold: dict[str, str]) -> None:
    """Let everything happen that pretix tells of by itself."""
    for position in office.call("GET", f"events/hamlet/orders/{sold['an']}/")["positions"][:1]:
        office.scan(hamlet, position)
    office.change_order(hamlet, sold["kim"], "mark_paid", {"send_email": False})
    office.call("PATCH", f"events/hamlet/orders/{sold['kim']}/", {"email": "kim.de.smet@example.org"})
    office.pay_back(series, sold["series"], "44.00")
    late = office.sell(hamlet, "eva@example.org", {"answer": "true"}, {})
    office.change_order(hamlet, late["code"], "mark_canceled", {"send_email": False})
    fien = office.customer("fien@example.org", "Fien", "Bakker")
    office.call("PATCH", f"customers/{fien}/", {"name_parts": {"_scheme": "given_family", "given_name": "Fien",
                                                               "family_name": "Dubois"}})  # fmt: skip
    office.call("PATCH", "events/hamlet/", {"name": {"nl": "Hamlet, herneming"}})
    office.add_date(series, "De reeks 3", "2027-02-20T20:00:00+01:00")
    vrede = office.open_shop("vrede", "Vrede", genre="music")
    office.sell(vrede, "an@example.org", {"answer": "true"})


def while_nobody_listened(office: BoxOffice, hamlet: Shop, series: Shop, sold: dict[str, str]) -> None:
    """Let things happen that only reading can find."""
    office.change_order(hamlet, sold["an"], "mark_canceled", {"send_email": False})
    office.sell(series, "gert@example.org", {"date": series.dates[1], "price": "0.00"})
    office.call("PATCH", f"events/reeks/subevents/{series.dates[1]}/", {"date_from": "2027-03-09T15:00:00+01:00"})
    office.customer("hanne@example.org", "Hanne", "De Smet")
    office.call("DELETE", f"events/hamlet/orders/{sold['test']}/")


def after_pages(monkeypatch: pytest.MonkeyPatch, count: int, happens: Callable[[], None]) -> None:
    """Let something happen once, when a number of pages were stored."""
    monkeypatch.setattr(pull, "GATHERED_ROWS", 1)
    store, stored = pull.store_page, 0

    def counted(*args: Any, **options: Any) -> Any:
        nonlocal stored
        stored += 1
        if stored == count:
            happens()
        return store(*args, **options)

    monkeypatch.setattr(pull, "store_page", counted)
