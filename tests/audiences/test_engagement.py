"""What became of mails MailChimp sent comes back: once each, of people we know, and only what may be known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.audiences.engagement import reading
from app.audiences.engagement.reading import read_connection, read_due
from app.consent.models import ConsentEvent
from app.contacts.campaigns import CampaignElsewhere, CampaignLink
from app.contacts.models import ContactIdentity, MailEvent
from app.sync.models import Connection, PullProgress
from integrations.esp import mailchimp_reports
from tests.audiences.world import World
from tests.conftest import NOW
from tests.consent.people import a_grant
from tests.standins.mailchimp import Fault

AN, BO, CAS = "an@example.org", "bo@example.org", "cas@example.org"
STRANGER = "vreemd@example.org"
SENT_AT = NOW - timedelta(days=2)
LINK = "https://deproef.example/dans"


class Sent:
    """A campaign that MailChimp sent to three of ours and a stranger."""

    def __init__(self, world: World) -> None:
        self.world = world
        for email in (AN, BO, CAS):
            world.person(email)
        for email in (AN, BO, CAS, STRANGER):
            world.mailchimp.add_member(email, list_id=world.list_id)
        self.campaign_id = world.mailchimp.send_campaign(
            "Dansmaand", [AN, BO, CAS, STRANGER], subject="Kom je dansen?", sent_at=SENT_AT, list_id=world.list_id
        )

    def agree(self, email: str, *, at_days_ago: float = 30) -> None:
        at = NOW - timedelta(days=at_days_ago)
        self.world.record(a_grant(email, purpose="track_click", occurred_at=at))

    def read(self) -> int:
        return read_connection(self.world.runtime, self.world.organisation.id, self.world.connection_id)

    def read_again(self) -> int:
        self.world.later(minutes=31)
        return self.read()

    def events(self, event: str) -> list[str]:
        """Who has such an event, once for each; machines' with a star."""
        names = {contact_id: email for email, contact_id in self.world.contacts.items()}
        with self.world.transaction() as session:
            rows = session.execute(
                select(MailEvent.contact_id, MailEvent.is_machine)
                .where(MailEvent.event == event)
                .order_by(MailEvent.id)
            )
            return sorted(names[row.contact_id] + ("*" if row.is_machine else "") for row in rows)

    def campaign(self) -> CampaignElsewhere:
        with self.world.transaction() as session:
            return session.scalars(select(CampaignElsewhere)).one()


@pytest.fixture
def sent(world: World) -> Iterator[Sent]:
    return Sent(world)  # type: ignore[return-value]


def test_sends_land_once_with_the_campaigns_name_and_only_of_people_we_know(sent: Sent) -> None:
    assert sent.read() == 3
    assert sent.events("delivered") == [AN, BO, CAS]
    campaign = sent.campaign()
    assert (campaign.name, campaign.reference, campaign.subject) == ("Dansmaand", "Dansmaand", "Kom je dansen?")
    assert campaign.sent_at == SENT_AT
    assert campaign.numbers["delivered"] == 4, "as MailChimp counts, with people we do not know"
    with sent.world.transaction() as session:
        assert set(session.scalars(select(MailEvent.campaign))) == {"Dansmaand"}
        assert STRANGER not in set(session.scalars(select(ContactIdentity.value)))
    assert sent.read_again() == 0
    assert sent.events("delivered") == [AN, BO, CAS]


def test_nothing_is_asked_of_a_campaign_whose_numbers_stayed_the_same(sent: Sent) -> None:
    sent.read()
    before = sent.world.mailchimp.counts()
    sent.read_again()
    assert sent.world.mailchimp.counts() - before == {"get_reports": 1}


def test_it_is_due_every_half_hour_and_one_worker_at_a_time(sent: Sent) -> None:
    house = (sent.world.runtime, sent.world.organisation.id)
    assert read_due(*house) == 3
    before = sent.world.mailchimp.counts()
    assert read_due(*house) == 0
    assert sent.world.mailchimp.counts() == before, "not due"
    with sent.world.transaction() as session:
        row = session.scalars(select(PullProgress)).one()
        row.started_at, row.finished_at = sent.world.later(hours=1), None
    assert read_due(*house) == 0
    assert sent.world.mailchimp.counts() == before, "another worker is at it"
    sent.world.later(minutes=11)
    read_due(*house)
    assert sent.world.mailchimp.counts() != before, "it was killed, and its lease ran out"


def test_a_click_is_kept_only_of_who_agreed_before_they_clicked(sent: Sent) -> None:
    sent.agree(AN)
    sent.agree(BO, at_days_ago=0.5)  # after the click
    for email in (AN, BO, CAS):
        sent.world.mailchimp.click(
            sent.campaign_id, email, f"{LINK}?mc_eid={'a1' * 12}&e={email}", after=timedelta(hours=3)
        )
    sent.read()
    assert sent.events("clicked") == [AN]
    with sent.world.transaction() as session:
        assert set(session.scalars(select(CampaignLink.url))) == {LINK}, "without what tells who followed it"
        (link_id,) = session.scalars(select(MailEvent.link_id).where(MailEvent.event == "clicked"))
        assert link_id == session.scalars(select(CampaignLink.id)).one()


def test_a_burst_of_clicks_is_a_machines_also_where_it_is_read_in_two_turns(sent: Sent) -> None:
    for email in (AN, BO):
        sent.agree(email)
    campaign, mailchimp = sent.campaign_id, sent.world.mailchimp
    mailchimp.click(campaign, BO, LINK, after=timedelta(hours=1))
    for number in range(2):
        mailchimp.click(campaign, AN, f"{LINK}/{number}", after=timedelta(hours=2, seconds=number))
    mailchimp.click(campaign, CAS, LINK, after=timedelta(seconds=2))
    sent.agree(CAS)
    sent.read()
    assert sent.events("clicked") == [AN, AN, BO, f"{CAS}*"]
    mailchimp.click(campaign, AN, f"{LINK}/last", after=timedelta(hours=2, seconds=3))
    with sent.world.transaction() as session:
        session.scalars(select(CampaignElsewhere)).one().cursor = {}
    sent.read_again()
    assert sent.events("clicked") == [f"{AN}*"] * 3 + [BO, f"{CAS}*"]


def test_opens_are_stored_nowhere(sent: Sent) -> None:
    sent.world.record(a_grant(AN, purpose="track_open", occurred_at=NOW - timedelta(days=30)))
    sent.world.mailchimp.open_mail(sent.campaign_id, AN, after=timedelta(hours=1))
    sent.read()
    assert sent.events("opened") == []


def test_a_no_told_by_a_report_comes_home_once_and_not_for_who_came_back(sent: Sent) -> None:
    sent.world.audience()
    sent.world.mailchimp.unsubscribe_from(sent.campaign_id, AN)
    sent.world.mailchimp.unsubscribe_from(sent.campaign_id, BO)
    sent.world.mailchimp.subscribe_by_person(BO, list_id=sent.world.list_id)
    sent.world.mailchimp.complain(sent.campaign_id, CAS)
    for _ in range(2):
        sent.read()
        sent.world.later(minutes=31)
        with sent.world.transaction() as session:
            session.scalars(select(CampaignElsewhere)).one().cursor = {}
            session.scalars(select(CampaignElsewhere)).one().numbers = {}
    assert not sent.world.is_mailable(AN)
    assert sent.world.is_mailable(BO), "the report is older than what the list says now"
    with sent.world.transaction() as session:
        noes = session.execute(
            select(ConsentEvent.contact_id, ConsentEvent.action, ConsentEvent.purpose)
            .where(ConsentEvent.action.in_(("withdrawn", "objected")))
            .order_by(ConsentEvent.contact_id)
        ).all()
    contacts = sent.world.contacts
    assert [tuple(row) for row in noes] == [
        (contacts[AN], "withdrawn", "newsletter"),
        (contacts[CAS], "objected", None),
    ]
    assert sent.events("unsubscribed") == [AN, BO]
    assert sent.events("complained") == [CAS]


def test_a_hard_bounce_stops_the_address_and_a_soft_one_does_not(sent: Sent) -> None:
    sent.world.audience()
    sent.world.mailchimp.mail_bounces(sent.campaign_id, AN, "hard")
    sent.world.mailchimp.mail_bounces(sent.campaign_id, BO, "soft")
    sent.read()
    assert sent.events("bounced") == [AN, BO]
    assert (sent.world.is_mailable(AN), sent.world.is_mailable(BO)) == (False, True)


def test_a_reading_that_is_broken_off_anywhere_goes_on_and_stores_everything_once(
    sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailchimp_reports, "PAGE_SIZE", 2)
    sent.agree(AN)
    sent.world.mailchimp.click(sent.campaign_id, AN, LINK, after=timedelta(hours=3))
    stored = 0
    for _ in range(12):
        sent.world.mailchimp.recover()
        sent.world.mailchimp.fail_next(Fault.DROP, times=50, kind="get_sent_to" if stored % 2 else "get_activity")
        stored += sent.read()
        sent.world.later(minutes=31)
    sent.world.mailchimp.recover()
    sent.read()
    assert sent.events("delivered") == [AN, BO, CAS]
    assert sent.events("clicked") == [AN]


def test_a_turn_ends_and_the_next_goes_on_where_it_stopped(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailchimp_reports, "PAGE_SIZE", 2)
    monkeypatch.setattr(reading, "TURN", timedelta(0))
    sent.world.mailchimp.send_more(sent.campaign_id, sent.world.people(8))
    turns = [sent.read() for _ in range(12)]
    assert sum(turns) == 3 + 8
    assert turns[0] < 3 + 8, "others wait"
    assert sent.campaign().read_at is not None


def test_a_key_that_was_revoked_is_said_on_the_connection_and_half_a_campaign_is_mended(sent: Sent) -> None:
    key, sent.world.mailchimp._server.api_key = sent.world.mailchimp._server.api_key, "another"  # type: ignore[attr-defined]
    assert sent.read() == 0
    with sent.world.transaction() as session:
        connection = session.scalars(select(Connection)).one()
        assert (connection.state, connection.failure_code) == ("failing", "unauthorised")
    sent.world.mailchimp._server.api_key = key  # type: ignore[attr-defined]
    assert sent.read_again() == 3


def test_two_campaigns_of_one_name_are_told_apart_and_a_renamed_one_stays_itself(sent: Sent) -> None:
    other = sent.world.mailchimp.send_campaign("Dansmaand", [AN], sent_at=SENT_AT, list_id=sent.world.list_id)
    sent.read()
    sent.world.mailchimp._account.campaigns[other].title = "Dansmaand, herinnering"
    sent.read_again()
    with sent.world.transaction() as session:
        told = session.execute(
            select(CampaignElsewhere.external_id, CampaignElsewhere.reference, CampaignElsewhere.name)
        ).all()
    assert len({row.reference for row in told}) == 2
    assert {row.name for row in told} == {"Dansmaand", "Dansmaand, herinnering"}
