"""MailChimp and Campaign Monitor tell what became of their campaigns: the suite for both, and what is special."""

from __future__ import annotations

from datetime import timedelta

import pytest

from integrations.base import Happening
from integrations.esp import campaign_monitor_changes, campaign_monitor_reports, mailchimp_reports
from tests.integrations.esp.campaign_monitor_rig import CampaignMonitorRig
from tests.integrations.esp.mailchimp_rig import MailChimpRig
from tests.integrations.esp.reporter_conformance import LINK, SENT_AT, ReporterConformance


class TestMailChimp(ReporterConformance):
    @pytest.fixture
    def rig(self, mailchimp_rig: MailChimpRig) -> MailChimpRig:
        return mailchimp_rig

    @pytest.fixture
    def small_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(mailchimp_reports, "PAGE_SIZE", 10)

    def test_nobody_is_left_out_when_somebody_vanishes_between_two_pages(
        self, rig: MailChimpRig, small_pages: None
    ) -> None:
        people = [f"p{number:03d}@example.org" for number in range(35)]
        campaign_id = self._sent(rig, people)
        gone = iter(people[:3])
        sent_to = rig.standin._account.campaigns[campaign_id].sent_to
        rig.standin.before_each("get_sent_to", lambda _request: sent_to.pop(next(gone, ""), None))
        told = self._told(rig, self._campaigns(rig)[0])
        assert {one.email for one in told if one.what is Happening.DELIVERED} >= set(people[3:])

    def test_opens_are_dropped_and_nothing_more_than_needed_is_asked_for(self, rig: MailChimpRig) -> None:
        campaign_id = self._sent(rig, ["an@example.org"])
        rig.standin.open_mail(campaign_id, "an@example.org", after=timedelta(minutes=1))
        rig.standin.click(campaign_id, "an@example.org", LINK, after=timedelta(minutes=2))
        told = self._told(rig, self._campaigns(rig)[0])
        assert [one.what for one in told] == [Happening.DELIVERED, Happening.CLICKED]
        asked = [each.request.query["fields"] for each in rig.standin.requests if "fields" in each.request.query]
        assert not any(word in fields for fields in asked for word in ("ip", "last_open", "merge_fields"))

    def test_a_soft_bounce_is_not_for_good_and_a_late_hard_one_is(self, rig: MailChimpRig) -> None:
        campaign_id = self._sent(rig, ["an@example.org", "bo@example.org"])
        rig.standin.mail_bounces(campaign_id, "an@example.org", "soft")
        rig.standin.mail_bounces(campaign_id, "bo@example.org", "hard")
        told = self._told(rig, self._campaigns(rig)[0])
        bounced = {(one.email, one.is_for_good) for one in told if one.what is Happening.BOUNCED}
        assert bounced == {("an@example.org", False), ("bo@example.org", True)}


class TestCampaignMonitor(ReporterConformance):
    @pytest.fixture
    def rig(self, campaign_monitor_rig: CampaignMonitorRig) -> CampaignMonitorRig:
        return campaign_monitor_rig

    @pytest.fixture
    def small_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(campaign_monitor_reports, "PAGE_ROWS", 5)
        monkeypatch.setattr(campaign_monitor_changes, "PAGE_SIZE_MAX", 20)

    def test_two_links_followed_in_one_second_are_two_clicks_over_the_edge_of_a_page(
        self, rig: CampaignMonitorRig, small_pages: None
    ) -> None:
        people = [f"p{number:03d}@example.org" for number in range(12)]
        campaign_id = self._sent(rig, people)
        for email in people:
            for number in range(3):
                rig.standin.click(campaign_id, email, f"{LINK}/{number}", after=timedelta(hours=1))
        told = [one for one in self._told(rig, self._campaigns(rig)[0]) if one.what is Happening.CLICKED]
        assert len({(one.email, one.url) for one in told}) == 36

    def test_instants_are_in_the_accounts_zone_and_a_click_is_the_same_after_the_clock_turns(
        self, rig: CampaignMonitorRig
    ) -> None:
        campaign_id = self._sent(rig, ["an@example.org"])
        rig.standin.click(campaign_id, "an@example.org", LINK, after=timedelta(hours=1))
        (winter,) = [one for one in self._told(rig, self._campaigns(rig)[0]) if one.what is Happening.CLICKED]
        assert winter.at == SENT_AT + timedelta(hours=1)
        told_there = winter.key
        rig.standin._account.told = lambda at: (at + timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S")  # type: ignore[method-assign]
        (again,) = [one for one in self._told(rig, self._campaigns(rig)[0]) if one.what is Happening.CLICKED]
        assert again.key == told_there
