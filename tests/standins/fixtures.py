"""Fixtures that serve the stand-ins; the conftest at the top loads them as a plugin."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.standins.campaign_monitor import CampaignMonitorStandIn
from tests.standins.mailchimp import MailChimpStandIn
from tests.standins.pretix import PretixStandin
from tests.standins.pretix_house import CapturedHouse, captures_folder, invented_house


@pytest.fixture
def mailchimp_standin() -> Iterator[MailChimpStandIn]:
    """A MailChimp on loopback; the test fails where a request or an answer broke the vendor's contract."""
    with MailChimpStandIn() as standin:
        yield standin
    assert standin.violations == []


@pytest.fixture
def campaign_monitor_standin() -> Iterator[CampaignMonitorStandIn]:
    """A Campaign Monitor on loopback; the test fails where a request or an answer broke what the vendor tells."""
    with CampaignMonitorStandIn() as standin:
        yield standin
    assert standin.violations == []


@pytest.fixture
def pretix_standin() -> Iterator[PretixStandin]:
    """An invented box office with 137 orders, on loopback."""
    with PretixStandin(invented_house()) as standin:
        yield standin


@pytest.fixture
def captured_pretix() -> Iterator[PretixStandin]:
    """The box office of the real captures, on loopback; its ``house`` is a ``CapturedHouse``."""
    with PretixStandin(CapturedHouse(captures_folder())) as standin:
        yield standin
