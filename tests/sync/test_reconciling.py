"""What no longer exists where it came from: told on the connection's page, and never taken away here."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app import clock
from app.accounts.models import Organisation
from app.activities.models import Activity, Participation
from app.contacts.models import Contact, ContactIdentity
from app.db import transaction
from app.runtime import Runtime
from app.sync import pull, reconciling
from app.sync.models import Connection, SyncProblem
from app.sync.pull import pull_due
from tests.conftest import NOW, make_user, signed_in
from tests.standins.pretix import PretixStandin
from tests.sync.conftest import Connect

DAY = timedelta(days=1, minutes=1)


@pytest.fixture
def connection(connect: Connect, pretix_standin: PretixStandin) -> Connection:
    return connect(pretix_standin)


def notes(runtime: Runtime, organisation: Organisation) -> dict[str, str]:
    with transaction(runtime.engine, organisation.id) as session:
        return {note.external_id: note.code for note in session.scalars(select(SyncProblem))}


def test_what_disappears_there_is_told_and_its_visits_stay(
    runtime: Runtime, organisation: Organisation, connection: Connection, pretix_standin: PretixStandin
) -> None:
    house = pretix_standin.house
    sold_to = {order["event"] for order in house.orders.values()}
    empty = {**next(iter(house.events.values())), "slug": "leeg", "has_subevents": False}
    house.add_event({**empty, "date_from": "2027-05-01T20:00:00Z"})
    pull_due(runtime, organisation.id)
    gone = next(slug for slug, event in house.events.items() if slug in sold_to and not event["has_subevents"])
    for slug in (gone, "leeg"):
        del house.events[slug]
    account, stranger = list(house.customers)[:2]
    house.customers[account].update(email=None, name="", name_parts={}, phone=None)
    del house.customers[stranger]
    with transaction(runtime.engine, organisation.id) as session:
        visits = session.scalar(select(func.count()).select_from(Participation))
    with clock.set_to(NOW + pull.EVERY):
        pull_due(runtime, organisation.id)
        assert notes(runtime, organisation) == {account: "person_gone_there"}, "told by the reading itself"
    with clock.set_to(NOW + DAY):
        pull_due(runtime, organisation.id)
    expected = {account: "person_gone_there", stranger: "person_gone_there"}
    expected |= {"leeg": "activity_gone_there", gone: "activity_gone_there"}
    assert notes(runtime, organisation) == expected
    with transaction(runtime.engine, organisation.id) as session:
        cancelled = session.scalars(select(Activity.external_id).where(Activity.is_cancelled)).all()
        assert cancelled == ["leeg"], "nobody goes there any more; where people have tickets a person must look"
        assert session.scalar(select(func.count()).select_from(Participation)) == visits
        ids = session.scalars(select(ContactIdentity.contact_id).where(ContactIdentity.value.in_([account, stranger])))
        contacts = [session.get_one(Contact, (organisation.id, contact_id)) for contact_id in ids]
        assert len(contacts) == 2
        for identity in session.scalars(select(ContactIdentity).where(ContactIdentity.value == account)):
            session.delete(identity)  # forgotten here too
    house.events["leeg"] = {**empty, "date_from": "2027-05-01T20:00:00Z"}
    with clock.set_to(NOW + 2 * DAY):
        pull_due(runtime, organisation.id)
    assert notes(runtime, organisation) == {stranger: "person_gone_there", gone: "activity_gone_there"}
    with transaction(runtime.engine, organisation.id) as session:
        assert not session.scalars(select(Activity).where(Activity.is_cancelled)).all(), "it is back"


def test_a_note_about_somebody_leads_to_them(
    runtime: Runtime,
    organisation: Organisation,
    connection: Connection,
    pretix_standin: PretixStandin,
    client: FlaskClient,
) -> None:
    pull_due(runtime, organisation.id)
    account = next(iter(pretix_standin.house.customers))
    pretix_standin.house.customers[account].update(email=None)
    with clock.set_to(NOW + pull.EVERY):
        pull_due(runtime, organisation.id)
    with transaction(runtime.engine, organisation.id) as session:
        known = session.scalars(select(ContactIdentity.contact_id).where(ContactIdentity.value == account)).one()
    shown = signed_in(client, make_user(runtime, organisation)).get(f"/connections/{connection.id}").text
    assert f"/contacts/{known}" in shown
    assert "Werd je gevraagd om deze persoon te vergeten" in shown


def test_a_key_that_sees_less_than_it_did_changes_nothing_and_is_told(
    runtime: Runtime,
    organisation: Organisation,
    connection: Connection,
    pretix_standin: PretixStandin,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconciling, "FEW", 2)
    pull_due(runtime, organisation.id)
    pretix_standin.house.events.clear()
    pretix_standin.house.dates.clear()
    pretix_standin.house.orders.clear()
    with clock.set_to(NOW + DAY):
        pull_due(runtime, organisation.id)
    assert notes(runtime, organisation) == {"activities": "many_gone_there"}
    with transaction(runtime.engine, organisation.id) as session:
        assert not session.scalars(select(Activity).where(Activity.is_cancelled)).all()


def test_a_list_that_breaks_off_changes_nothing_and_is_begun_again_an_hour_later(
    runtime: Runtime,
    organisation: Organisation,
    connection: Connection,
    pretix_standin: PretixStandin,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("integrations.json_api.PATIENCE_S", 0.0)
    pull_due(runtime, organisation.id)
    gone = next(iter(pretix_standin.house.customers))
    del pretix_standin.house.customers[gone]
    listed = "/customers/"

    def break_off(request: object) -> None:
        # The second list of customers within a turn is the one that is compared.
        asked = [one for one in pretix_standin.requests if one.path.endswith(listed)]
        if len(asked) > 2 and pretix_standin.requests[-1].path.endswith(listed):
            pretix_standin.fail(500)

    pretix_standin.requests.clear()
    pretix_standin.before_page = break_off
    with clock.set_to(NOW + DAY):
        pull_due(runtime, organisation.id)
    pretix_standin.before_page = lambda _request: None
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalars(select(Connection.failure_code)).one() is None
    assert gone not in notes(runtime, organisation)
    with clock.set_to(NOW + DAY + timedelta(minutes=30)):
        pull_due(runtime, organisation.id)
    assert gone not in notes(runtime, organisation)
    with clock.set_to(NOW + DAY + timedelta(minutes=61)):
        pull_due(runtime, organisation.id)
    assert notes(runtime, organisation) == {gone: "person_gone_there"}
