"""What every destination must do that tells what became of the mails it sent; a connector's test subclasses the suite.

The fixture ``rig`` is the one of the destination's own suite; its stand-in sends campaigns (``send_campaign``,
``click``, ``mail_bounces``, ``unsubscribe_from``, ``complain``) by the same words whatever the vendor calls them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, cast

import pytest

from integrations.base import (
    Happening,
    HappeningsPage,
    MailHappening,
    MemberStatus,
    Reporter,
    SentCampaign,
    Transient,
)
from tests.integrations.esp.conformance import AN, BO, CAS

SENT_AT = datetime(2026, 11, 10, 9, tzinfo=UTC)
NOW = datetime(2026, 11, 12, 9, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
LINK = "https://deproef.example/dans"


class ReporterRig(Protocol):
    """A destination on its stand-in, as the suite of destinations has it."""

    standin: Any
    destination: Any

    def add(self, email: str, status: MemberStatus) -> None:
        """Put somebody on the plain list."""

    def break_down(self, times: int) -> None:
        """Answer the next calls with a server error."""


class ReporterConformance:
    """The suite. Every test takes the fixture ``rig``; ``small_pages`` makes pages of so few rows that many come."""

    @pytest.fixture(autouse=True)
    def _at_the_vendor(self, rig: ReporterRig) -> None:
        rig.standin.clock = lambda: NOW

    def test_a_campaign_is_told_with_its_name_and_what_became_of_it(self, rig: ReporterRig) -> None:
        campaign_id = self._sent(rig, [AN, BO, CAS])
        rig.standin.click(campaign_id, AN, LINK, after=timedelta(hours=2))
        rig.standin.mail_bounces(campaign_id, BO)
        rig.standin.unsubscribe_from(campaign_id, CAS)
        rig.standin.complain(campaign_id, AN)
        (campaign,) = self._campaigns(rig)
        assert (campaign.external_id, campaign.name, campaign.subject) == (campaign_id, "Dansmaand", "Kom je dansen?")
        assert campaign.sent_at == SENT_AT
        told = self._told(rig, campaign)
        assert {(AN, Happening.DELIVERED), (CAS, Happening.DELIVERED)} <= {(one.email, one.what) for one in told}
        (click,) = [one for one in told if one.what is Happening.CLICKED]
        assert (click.email, click.url, click.at) == (AN, LINK, SENT_AT + timedelta(hours=2))
        assert {one.email for one in told if one.what is Happening.BOUNCED and one.is_for_good} == {BO}
        assert [one.email for one in told if one.what is Happening.UNSUBSCRIBED] == [CAS]
        assert [one.email for one in told if one.what is Happening.COMPLAINED] == [AN]
        assert {one.list_id for one in told} == {self._list_id(rig)}

    def test_campaigns_come_oldest_first_and_only_those_since_then(self, rig: ReporterRig) -> None:
        for day in (8, 2, 5):
            at = datetime(2026, 11, day, 9, tzinfo=UTC)
            rig.standin.send_campaign(f"Dag {day}", [], sent_at=at, list_id=self._list_id(rig))
        since = datetime(2026, 11, 4, tzinfo=UTC)
        assert [one.name for one in cast(Reporter, rig.destination).campaigns(since)] == ["Dag 5", "Dag 8"]

    def test_a_second_reading_begins_where_the_first_ended(self, rig: ReporterRig) -> None:
        campaign_id = self._sent(rig, [AN, BO])
        rig.standin.click(campaign_id, AN, LINK, after=timedelta(hours=2))
        first = list(self._pages(rig, self._campaigns(rig)[0], {}))
        before = rig.standin.counts()
        rig.standin.click(campaign_id, BO, LINK)
        told = [one for page in self._pages(rig, self._campaigns(rig)[0], first[-1].cursor) for one in page.happenings]
        assert {one.email for one in told if one.what is Happening.CLICKED} >= {BO}
        assert not [one for one in told if one.what is Happening.DELIVERED], "nobody new, so recipients are not read"
        assert sum((rig.standin.counts() - before).values()) <= 5

    def test_what_is_told_again_is_told_the_same(self, rig: ReporterRig) -> None:
        """So that it is stored once, whatever the season's clock says when it is read."""
        campaign_id = self._sent(rig, [AN])
        rig.standin.click(campaign_id, AN, LINK, after=timedelta(hours=2))
        rig.standin.click(campaign_id, AN, f"{LINK}/2", after=timedelta(hours=2))
        readings = [
            {(one.email, one.what, one.key) for one in self._told(rig, self._campaigns(rig)[0])} for _ in range(2)
        ]
        assert readings[0] == readings[1]
        assert len(readings[0]) == 3

    def test_a_reading_that_was_broken_off_goes_on_and_leaves_nobody_out(
        self, rig: ReporterRig, small_pages: None
    ) -> None:
        people = [f"p{number:03d}@example.org" for number in range(23)]
        campaign_id = self._sent(rig, people)
        for number, email in enumerate(people):
            rig.standin.click(campaign_id, email, LINK, after=timedelta(minutes=number))
        campaign, wanted = (
            self._campaigns(rig)[0],
            {(email, what) for email in people for what in ("delivered", "clicked")},
        )
        whole = list(self._pages(rig, campaign, {}))
        assert len(whole) > 4
        for stopped_after in range(len(whole)):
            told = [one for page in whole[: stopped_after + 1] for one in page.happenings]
            if stopped_after < len(whole) - 1:
                rest = self._pages(rig, campaign, whole[stopped_after].cursor)
                told += [one for page in rest for one in page.happenings]
            assert {(one.email, one.what.value) for one in told} >= wanted, stopped_after

    def test_what_fails_there_is_raised_and_tells_no_address(self, rig: ReporterRig) -> None:
        self._sent(rig, [AN])
        campaign = self._campaigns(rig)[0]
        rig.break_down(times=50)
        with pytest.raises(Transient) as caught:
            list(self._pages(rig, campaign, {}))
        assert "@" not in f"{caught.value} {caught.value.hint}"

    # --- the suite's own words

    def _list_id(self, rig: ReporterRig) -> str:
        return str(cast(Any, rig).list_id)

    def _sent(self, rig: ReporterRig, to: list[str]) -> str:
        for email in to:
            rig.add(email, MemberStatus.SUBSCRIBED)
        return str(
            rig.standin.send_campaign(
                "Dansmaand", to, subject="Kom je dansen?", sent_at=SENT_AT, list_id=self._list_id(rig)
            )
        )

    def _campaigns(self, rig: ReporterRig) -> list[SentCampaign]:
        return list(cast(Reporter, rig.destination).campaigns(LONG_AGO))

    def _pages(self, rig: ReporterRig, campaign: SentCampaign, cursor: Mapping[str, Any]) -> Iterator[HappeningsPage]:
        return cast(Reporter, rig.destination).happenings(campaign, cursor, at=NOW)

    def _told(self, rig: ReporterRig, campaign: SentCampaign) -> list[MailHappening]:
        return [one for page in self._pages(rig, campaign, {}) for one in page.happenings]
