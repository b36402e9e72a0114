"""Campaign Monitor keeps the promises of every destination, and those its own vendor makes necessary."""

from __future__ import annotations

import pytest

from tests.integrations.esp.campaign_monitor_rig import CampaignMonitorRig
from tests.integrations.esp.conformance import DestinationConformance


class TestCampaignMonitor(DestinationConformance):
    """The suite every destination passes."""

    @pytest.fixture
    def rig(self, campaign_monitor_rig: CampaignMonitorRig) -> CampaignMonitorRig:
        return campaign_monitor_rig
