"""The same engine on another mail system: whoever keeps the protocol is kept in step in the same way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.accounts.audit import SYSTEM
from app.sync.connections import create_connection, read_settings
from integrations import catalogue
from integrations.esp.campaign_monitor import CampaignMonitor
from tests.audiences.world import IMPATIENT, NoTransactionOpen, World
from tests.standins.campaign_monitor import CampaignMonitorStandIn

AN, BO = "an@example.org", "bo@example.org"


@pytest.fixture
def monitor(
    world: World, campaign_monitor_standin: CampaignMonitorStandIn, monkeypatch: pytest.MonkeyPatch
) -> CampaignMonitorStandIn:
    standin = campaign_monitor_standin
    standin.clock = lambda: world.now

    def opened(_settings: Any, secrets: Any, _allows_loopback: bool) -> Any:
        speaking = CampaignMonitor(secrets["api_key"], standin.client_id, base_url=standin.base_url, pace=IMPATIENT)
        return NoTransactionOpen(speaking, world.runtime.engine)

    patched = replace(catalogue.CAMPAIGN_MONITOR, open_destination=opened)
    monkeypatch.setitem(catalogue.SYSTEMS, "campaign_monitor", patched)  # type: ignore[arg-type]
    return standin


def an_audience(world: World, standin: CampaignMonitorStandIn) -> int:
    list_id = standin.add_list("Nieuwsbrief")
    settings = {"client_id": standin.client_id, "base_url": standin.base_url}
    filled = read_settings("campaign_monitor", settings, {"api_key": standin.api_key}, allows_loopback=True)
    with world.transaction() as session:
        connection = create_connection(session, world.runtime.keyring, filled, name="CM", actor=SYSTEM)
    return world.audience(connection_id=connection.id, list_ref=list_id, field_mapping={"Name": "full_name"})


def test_people_go_there_and_whoever_opts_out_there_is_never_pushed_again(
    world: World, monitor: CampaignMonitorStandIn
) -> None:
    world.person(AN, given_name="An", family_name="De Wit")
    world.person(BO)
    audience_id = an_audience(world, monitor)
    run = world.run(audience_id)
    assert (run.state, run.failure_code, run.counts["added"]) == ("done", None, 2)
    assert monitor.emails("Active") == {AN, BO}
    person = monitor.person(AN)
    assert person is not None
    assert person.name == "An De Wit"
    monitor.unsubscribe_by_person(AN)
    world.later(minutes=20)
    world.run(audience_id)
    assert not world.is_mailable(AN)
    world.later(minutes=20)
    run = world.run(audience_id)
    assert run.counts["is_quiet"]
    assert monitor.emails("Active") == {BO}
    assert world.states(audience_id) == {BO: "in"}


def test_a_no_spoken_here_is_carried_out_there(world: World, monitor: CampaignMonitorStandIn) -> None:
    world.person(AN)
    world.person(BO)
    audience_id = an_audience(world, monitor)
    world.run(audience_id)
    world.withdraw(AN)
    run = world.run(audience_id)
    assert run.counts["unsubscribed"] == 1
    assert monitor.state(AN) == "Unsubscribed"
    assert monitor.emails("Active") == {BO}
