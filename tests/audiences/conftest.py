"""A world per test: a house, its people, and a MailChimp on loopback that keeps MailChimp's rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.accounts.models import Organisation
from app.runtime import Runtime
from integrations import catalogue
from tests.audiences.clearing_world import ClearingWorld
from tests.audiences.world import World
from tests.standins.campaign_monitor import CampaignMonitorStandIn
from tests.standins.mailchimp import MailChimpStandIn


@pytest.fixture
def world(
    runtime: Runtime,
    organisation: Organisation,
    mailchimp_standin: MailChimpStandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    made = World(runtime, organisation, mailchimp_standin)
    guarded = replace(catalogue.MAILCHIMP, open_destination=made.open_destination)
    monkeypatch.setitem(catalogue.SYSTEMS, "mailchimp", guarded)  # type: ignore[arg-type]
    yield made
    made.close()


@pytest.fixture
def clearing_world(
    runtime: Runtime,
    organisation: Organisation,
    mailchimp_standin: MailChimpStandIn,
    campaign_monitor_standin: CampaignMonitorStandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[ClearingWorld]:
    made = ClearingWorld(runtime, organisation, mailchimp_standin, campaign_monitor_standin)
    guarded = replace(catalogue.MAILCHIMP, open_destination=made.open_destination)
    monkeypatch.setitem(catalogue.SYSTEMS, "mailchimp", guarded)  # type: ignore[arg-type]
    second = replace(catalogue.CAMPAIGN_MONITOR, open_destination=made.open_second)
    monkeypatch.setitem(catalogue.SYSTEMS, "campaign_monitor", second)  # type: ignore[arg-type]
    yield made
    made.close()
