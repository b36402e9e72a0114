"""An audience at Campaign Monitor, from the first push to the last no: the engine knows no vendor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from app.accounts.audit import SYSTEM
from app.accounts.models import Organisation
from app.audiences.beat import keep_audiences
from app.audiences.engine import poll
from app.audiences.hooks import READS_MAX, drain_inbox
from app.consent.models import ConsentEvent
from app.contacts.models import Contact, ContactIdentity
from app.runtime import Runtime
from app.sync.connections import create_connection, get_connection, read_settings
from app.sync.inbox import receive
from integrations import catalogue
from integrations.base import Destination
from integrations.esp.campaign_monitor import CampaignMonitor
from tests.audiences.world import IMPATIENT, NoTransactionOpen, World
from tests.consent.people import a_grant, a_withdrawal
from tests.standins.campaign_monitor import CampaignMonitorStandIn, Fault

AN, BO, CIS = "an@example.org", "bo@example.org", "cis@example.org"
TAG = "Zaallicht: lezers"


class CampaignMonitorWorld(World):
    """The same house, whose mail system is Campaign Monitor."""

    def __init__(self, runtime: Runtime, organisation: Organisation, standin: CampaignMonitorStandIn) -> None:
        self.campaign_monitor = standin
        super().__init__(runtime, organisation, standin)  # type: ignore[arg-type]

    def _connect(self) -> int:
        standin = self.campaign_monitor
        settings = {"base_url": standin.base_url, "client_id": standin.client_id}
        filled = read_settings("campaign_monitor", settings, {"api_key": standin.api_key}, allows_loopback=True)
        with self.transaction() as session:
            return create_connection(session, self.runtime.keyring, filled, name="CM", actor=SYSTEM).id

    def open_destination(self, settings: Any, secrets: Any, _allows_loopback: bool) -> Destination:
        pace = replace(IMPATIENT, read_timeout_s=10.0)
        opened = CampaignMonitor(secrets["api_key"], settings["client_id"], base_url=settings["base_url"], pace=pace)
        return NoTransactionOpen(opened, self.runtime.engine)  # type: ignore[return-value]

    def pushed(self, *emails: str) -> int:
        for email in emails:
            self.person(email)
        audience_id = self.audience(field_mapping={"Name": "full_name"})
        assert self.run(audience_id).state == "done"
        return audience_id

    def deliver(self) -> None:
        """Put the deliveries due into the inbox, as the address for webhooks does, and process them."""
        for delivery in self.campaign_monitor.take_deliveries():
            with self.transaction() as session:
                connection = get_connection(session, self.connection_id)
                receive(session, connection, headers={}, body=delivery.body)
        drain_inbox(self.runtime, self.organisation.id)

    def noes(self, email: str) -> list[tuple[str, str | None, str]]:
        with self.transaction() as session:
            rows = session.execute(
                select(ConsentEvent.action, ConsentEvent.purpose, ConsentEvent.source)
                .where(ConsentEvent.contact_id == self.contacts[email])
                .where(ConsentEvent.action.in_(("withdrawn", "objected")))
                .order_by(ConsentEvent.id)
            )
            return [(row.action, row.purpose, row.source) for row in rows]


@pytest.fixture
def world(
    runtime: Runtime,
    organisation: Organisation,
    campaign_monitor_standin: CampaignMonitorStandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[CampaignMonitorWorld]:
    reachable = Runtime(replace(runtime.settings, public_url="https://huis.example"), runtime.keyring, runtime.engine)
    made = CampaignMonitorWorld(reachable, organisation, campaign_monitor_standin)
    guarded = replace(catalogue.CAMPAIGN_MONITOR, open_destination=made.open_destination)
    monkeypatch.setitem(catalogue.SYSTEMS, "campaign_monitor", guarded)  # type: ignore[arg-type]
    yield made
    made.close()


def imports(world: CampaignMonitorWorld, email: str) -> int:
    """How often somebody was pushed or given an option; taking one off is no push."""
    bodies = [one.body for one in world.campaign_monitor.requests if one.kind == "import"]
    rows = [told for body in bodies for told in body["Subscribers"] if told["EmailAddress"] == email]
    return sum(not any(field.get("Clear") for field in row.get("CustomFields", [])) for row in rows)


def test_the_permitted_are_pushed_with_their_name_and_our_value_and_nobody_else(world: CampaignMonitorWorld) -> None:
    world.person(AN, given_name="An", family_name="De Wit")
    world.person(BO, permitted=False)
    world.person(CIS, wanted=False)
    audience_id = world.audience(field_mapping={"Name": "full_name"})
    run = world.run(audience_id)
    assert (run.state, run.failure_code, run.counts["added"]) == ("done", None, 1)
    assert world.campaign_monitor.emails() == {AN}
    assert world.campaign_monitor.having(TAG) == {AN}
    person = world.campaign_monitor.person(AN)
    assert person is not None
    assert (person.state, person.name) == ("Active", "An De Wit")
    quiet = world.run(audience_id)
    assert quiet.counts["is_quiet"]
    assert imports(world, AN) == 2


def test_whether_opens_and_clicks_may_be_followed_is_told_as_the_ledger_has_it(world: CampaignMonitorWorld) -> None:
    for email in (AN, BO, CIS):
        world.person(email)
    for purpose in ("track_open", "track_click"):
        world.record(*(a_grant(email, purpose=purpose, wording="Ja, meet maar.") for email in (AN, BO)))
    world.record(a_withdrawal(BO, purpose="track_click"))
    audience_id = world.audience(field_mapping={})
    world.run(audience_id)
    told = {row["EmailAddress"]: row["ConsentToTrack"] for row in first_told(world)}
    assert told == {AN: "Yes", BO: "No", CIS: "Unchanged"}
    before = imports(world, AN)
    world.record(a_withdrawal(AN, purpose="track_open"))
    world.later(minutes=20)
    world.run(audience_id)
    assert imports(world, AN) > before
    held = world.campaign_monitor.person(AN)
    assert held is not None
    assert held.consent == "No"
    assert world.run(audience_id).counts["is_quiet"]


def first_told(world: CampaignMonitorWorld) -> list[dict[str, Any]]:
    """The people of the first import."""
    first = next(one.body for one in world.campaign_monitor.requests if one.kind == "import")
    return list(first["Subscribers"])


@pytest.mark.parametrize("how", ["unsubscribed", "suppressed"])
def test_whoever_says_no_there_is_never_pushed_again(world: CampaignMonitorWorld, how: str) -> None:
    audience_id = world.pushed(AN, BO)
    if how == "unsubscribed":
        world.campaign_monitor.unsubscribe_by_person(AN)
    else:
        world.campaign_monitor.suppress(AN)
    before = imports(world, AN)
    assert world.run(audience_id).counts["opt_outs"] == 1
    assert world.noes(AN) == [("withdrawn", "newsletter", "campaign_monitor")]
    assert not world.is_mailable(AN)
    for _ in range(2):
        world.later(hours=25)
        assert world.run(audience_id).state == "done"
    assert imports(world, AN) == before
    assert world.states(audience_id) == {BO: "in"}
    assert world.noes(AN) == [("withdrawn", "newsletter", "campaign_monitor")], "the same no is news once"


def test_an_opt_out_while_we_push_is_refused_there_and_comes_home(world: CampaignMonitorWorld) -> None:
    world.campaign_monitor.add_person(AN)
    world.person(AN)
    world.person(BO)
    world.campaign_monitor.before_each("import", lambda _: world.campaign_monitor.set_state(AN, "Unsubscribed"))
    audience_id = world.audience(field_mapping={})
    world.run(audience_id)
    assert world.states(audience_id)[BO] == "in"
    assert world.noes(AN) == [("withdrawn", "newsletter", "campaign_monitor")]
    assert world.campaign_monitor.state(AN) == "Unsubscribed"


def test_a_no_spoken_here_is_carried_out_there_and_its_echo_is_no_news(world: CampaignMonitorWorld) -> None:
    audience_id = world.pushed(AN, BO)
    world.withdraw(AN)
    run = world.run(audience_id, confirmed=False)
    assert (run.state, run.counts["unsubscribed"]) == ("done", 1)
    assert world.campaign_monitor.state(AN) == "Unsubscribed"
    assert world.campaign_monitor.having(TAG) == {BO}
    told = world.noes(AN)
    world.deliver()
    world.later(minutes=10)
    world.run(audience_id)
    assert world.noes(AN) == told
    assert world.campaign_monitor.counts()["unsubscribe"] == 1


def test_a_webhook_brings_an_opt_out_home_at_once(world: CampaignMonitorWorld) -> None:
    audience_id = world.pushed(AN, BO)
    assert len(world.campaign_monitor.webhooks()) == 1
    world.campaign_monitor.unsubscribe_by_person(AN)
    world.deliver()
    assert not world.is_mailable(AN)
    assert world.run(audience_id).state == "done"
    assert world.states(audience_id) == {BO: "in"}


def test_a_hook_that_speaks_of_many_has_the_list_polled_at_once(world: CampaignMonitorWorld) -> None:
    audience_id = world.pushed(AN, BO)
    others = [f"p{number}@example.org" for number in range(READS_MAX)]
    for email in (AN, *others):
        world.campaign_monitor.sign_up(email)
        world.campaign_monitor.unsubscribe_by_person(email)
    world.later(minutes=1)
    before = world.campaign_monitor.counts()["get_subscriber"]
    world.deliver()
    assert world.campaign_monitor.counts()["get_subscriber"] == before
    assert world.is_mailable(AN)
    keep_audiences(world.runtime, world.organisation.id)
    assert not world.is_mailable(AN)
    assert world.is_mailable(BO)
    assert world.states(audience_id)[BO] == "in"


def test_an_address_changed_there_is_not_pushed_again_under_the_old_one(world: CampaignMonitorWorld) -> None:
    audience_id = world.pushed(AN)
    before = imports(world, AN)
    world.campaign_monitor.change_address(AN, "an.nieuw@example.org")
    world.deliver()
    world.run(audience_id)
    assert imports(world, AN) == before
    assert world.campaign_monitor.state(AN) is None


def test_leaving_takes_only_our_value_away(world: CampaignMonitorWorld) -> None:
    audience_id = world.pushed(AN, BO)
    held = world.campaign_monitor.person(AN)
    assert held is not None
    (field,) = world.campaign_monitor.fields()
    field.options.append("Vrienden")
    held.fields["Zaallicht"].append("Vrienden")
    with world.transaction() as session:
        session.get_one(Contact, (world.organisation.id, world.contacts[AN])).tags = []
    assert world.run(audience_id).counts["removed"] == 1
    assert (held.state, held.fields) == ("Active", {"Zaallicht": ["Vrienden"]})


def test_a_bounce_there_stops_the_address_and_is_no_word_of_the_person(world: CampaignMonitorWorld) -> None:
    audience_id = world.pushed(AN)
    world.campaign_monitor.bounce(AN)
    world.run(audience_id)
    assert world.noes(AN) == []
    with world.transaction() as session:
        assert session.scalars(select(ContactIdentity.deliverability)).all() == ["bouncing"]


def test_a_push_without_an_answer_is_read_back_before_anything_else(world: CampaignMonitorWorld) -> None:
    world.person(AN)
    audience_id = world.audience(field_mapping={})
    world.campaign_monitor.fail_next(Fault.SERVER_ERROR_AFTER, times=10, kind="import")
    assert world.run(audience_id).state == "failed"
    assert world.states(audience_id) == {AN: "uncertain"}
    world.campaign_monitor.recover()
    world.later(minutes=20)
    assert world.run(audience_id).counts["read_back"] == 1
    assert world.states(audience_id) == {AN: "in"}
    assert world.campaign_monitor.having(TAG) == {AN}


def test_a_poll_without_the_suppression_list_fails_and_nobody_is_pushed(world: CampaignMonitorWorld) -> None:
    world.person(AN)
    audience_id = world.audience(field_mapping={})
    world.campaign_monitor.fail_next(Fault.SERVER_ERROR, times=100, kind="get_suppressions")
    assert world.run(audience_id).state == "failed"
    assert world.campaign_monitor.counts()["import"] == 0
    assert poll(world.runtime, world.organisation.id, audience_id)
