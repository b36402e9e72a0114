"""The rigs on which connectors are tested."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integrations.esp.campaign_monitor_rig import CampaignMonitorRig
from tests.integrations.esp.mailchimp_rig import MailChimpRig
from tests.standins.campaign_monitor import CampaignMonitorStandIn
from tests.standins.mailchimp import MailChimpStandIn


@pytest.fixture
def campaign_monitor_rig(campaign_monitor_standin: CampaignMonitorStandIn) -> Iterator[CampaignMonitorRig]:
    """The connector on its stand-in, whose contract lets no request through that would bring anybody back."""
    rig = CampaignMonitorRig(campaign_monitor_standin)
    yield rig
    rig.close()


@pytest.fixture
def mailchimp_rig(mailchimp_standin: MailChimpStandIn) -> Iterator[MailChimpRig]:
    """The connector on its stand-in; the test fails where any request carried a status but ``unsubscribed``."""
    rig = MailChimpRig(mailchimp_standin)
    yield rig
    rig.close()
    bodies = [recorded.body for recorded in mailchimp_standin.requests if isinstance(recorded.body, dict)]
    assert {body["status"] for body in bodies if "status" in body} <= {"unsubscribed"}
