"""A mailing that another system sent: measured as ours are, and honest about what nobody can say."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from flask.testing import FlaskClient
from sqlalchemy import select

from app import clock
from app.accounts.models import AuditEvent, Organisation
from app.consent.ledger import record_events
from app.contacts.campaigns import CampaignElsewhere, CampaignRecord, link_ids, mark_read, remember_campaign
from app.contacts.engagement import MailEventRecord, record_engagement
from app.db import ScopedSession, transaction
from app.keyring import Keyring
from app.mailings.effect.elsewhere import STEPS, measure_elsewhere, measure_elsewhere_due, read_elsewhere
from app.mailings.on_contacts import elsewhere_of
from app.runtime import Runtime
from tests.conftest import make_user, signed_in
from tests.consent.people import a_grant, make_contact
from tests.mailings.effect.world import an_activity, book, event, make_people

LINK = "https://deproef.example/dans"


def later(days: float = 40) -> datetime:
    return clock.now() + timedelta(days=days)


def a_campaign(session: ScopedSession, *, days_ago: float = 20, external_id: str = "c1") -> CampaignElsewhere:
    """Campaign Novembernieuws, sent by MailChimp."""
    sent_at = clock.now() - timedelta(days=days_ago)
    return remember_campaign(session, CampaignRecord("mailchimp", 1, external_id, "Novembernieuws", sent_at))


def happened(session: ScopedSession, campaign: CampaignElsewhere, name: str, people: list[int], **more: object) -> None:
    """Store events as a reading does, at the moment the campaign left or ``at`` hours later."""
    hours = float(str(more.pop("hours", 0)))
    records = [
        MailEventRecord(
            each,
            name,
            campaign.sent_at + timedelta(hours=hours),
            "mailchimp",
            f"{campaign.external_id}:{name}:{each}",
            campaign=campaign.reference,
            **more,  # type: ignore[arg-type]
        )
        for each in people
    ]
    record_engagement(session, records, at=clock.now())


def who_agree(session: ScopedSession, keyring: Keyring, emails: list[str]) -> list[int]:
    """People who let us see their clicks, since three months."""
    at = clock.now() - timedelta(days=90)
    people = [make_contact(session, keyring, email, language="fr") for email in emails]
    record_events(session, keyring, [a_grant(email, purpose="track_click", occurred_at=at) for email in emails])
    return people


def test_a_mailing_of_another_system_is_measured_by_its_reference(session: ScopedSession, keyring: Keyring) -> None:
    people = who_agree(session, keyring, ["an@example.org", "bo@example.org"])
    people += make_people(session, 4, language="fr")
    campaign = a_campaign(session)
    happened(session, campaign, "delivered", people[:4])
    happened(session, campaign, "bounced", people[3:5])
    link = link_ids(session, campaign.id, [LINK])[LINK]
    happened(session, campaign, "clicked", people[:3], link_id=link, hours=2)
    happened(session, campaign, "unsubscribed", people[1:2], hours=3)
    activity = an_activity(session)
    book(session, [people[0], people[5]], activity, at=campaign.sent_at + timedelta(days=1))
    book(session, people[1:3], activity, at=campaign.sent_at - timedelta(days=3))
    found = measure_elsewhere(session, campaign.reference, days=30, at=later())
    assert found is not None
    funnel = found.funnel
    assert (funnel.meant, funnel.bounced, funnel.got, funnel.accepted) == (5, 2, 3, 3)
    assert (funnel.measured, funnel.clicked) == (2, 2), "the third never agreed to being followed"
    assert (funnel.booked, funnel.stopped) == (1, 1)
    assert [(each.url, each.people) for each in found.links] == [(LINK, 2)]
    assert [each.code for each in found.languages] == ["fr"]
    report = read_elsewhere(session, campaign.id, at=later())
    assert report is not None
    assert (report.before.people, report.comparison.rates.verdict) == (2, "no_control")
    assert measure_elsewhere(session, "unheard-of", days=30, at=later()) is None


def test_what_the_house_itself_tells_of_over_the_api_is_a_mailing_from_elsewhere_too(session: ScopedSession) -> None:
    people, at = make_people(session, 2), clock.now() - timedelta(days=3)
    for number, each in enumerate(people):
        told = MailEventRecord(
            each, "delivered", at - timedelta(hours=number), "api", f"e{number}", campaign="Flyermail"
        )
        record_engagement(session, [told], at=clock.now())
    campaign = session.scalars(select(CampaignElsewhere)).one()
    assert (campaign.name, campaign.system, campaign.sent_at) == ("Flyermail", "api", at - timedelta(hours=1))
    found = read_elsewhere(session, campaign.id, at=clock.now())
    assert found is not None
    assert found.figures.funnel.got == 2


def test_figures_are_measured_by_themselves_and_again_when_more_came_in(
    runtime: Runtime, organisation: Organisation
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        people, campaign = make_people(session, 3), a_campaign(session)
        happened(session, campaign, "delivered", people[:1])
        campaign_id = campaign.id
    assert measure_elsewhere_due(runtime, organisation.id) == 1
    assert measure_elsewhere_due(runtime, organisation.id) == 0
    with transaction(runtime.engine, organisation.id) as session:
        campaign = session.get_one(CampaignElsewhere, (organisation.id, campaign_id))
        happened(session, campaign, "delivered", people[1:])
        mark_read(session, campaign_id, {}, numbers={"delivered": 3}, at=clock.now() + timedelta(seconds=1))
    with clock.set_to(clock.now() + timedelta(minutes=1)):
        assert measure_elsewhere_due(runtime, organisation.id) == 1
    with transaction(runtime.engine, organisation.id) as session:
        kept = session.get_one(CampaignElsewhere, (organisation.id, campaign_id)).figures
        assert kept is not None
        assert kept["funnel"]["got"] == 3


def test_a_persons_page_tells_of_it_by_name(session: ScopedSession) -> None:
    (person,), campaign = make_people(session, 1), a_campaign(session)
    happened(session, campaign, "delivered", [person])
    happened(session, campaign, "unsubscribed", [person], hours=4)
    told = [(each.what, each.title) for each in elsewhere_of(session, person)]
    assert told == [("stopped_by_mail", "Novembernieuws"), ("mailed", "Novembernieuws")]


def test_the_pages_say_what_is_known_and_what_nobody_can_say_and_every_number_leads_to_its_people(
    client: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        people, campaign = make_people(session, 4, given_name="=An"), a_campaign(session)
        happened(session, campaign, "delivered", people)
        book(session, people[:2], an_activity(session, series="Toneel"), at=campaign.sent_at + timedelta(days=1))
        other = a_campaign(session, days_ago=60, external_id="c2")
        event(session, "opened", people[:1], campaign=other.reference)
        campaign_id, other_id = campaign.id, other.id
    measure_elsewhere_due(runtime, organisation.id)
    signed_in(client, make_user(runtime, organisation, "viewer"))
    overview = client.get("/mailings/elsewhere").text
    assert overview.count("Novembernieuws") == 2
    assert "MailChimp" in overview
    report = client.get(f"/mailings/elsewhere/{campaign_id}").text
    assert "kan niemand zeggen" in report
    assert "controlegroep" in report
    assert " style=" not in report.split("<main", 1)[1]
    links = set(re.findall(r'href="(/mailings/elsewhere/[^"]*people[^"]*)"', report))
    assert len(links) >= 6
    assert {client.get(link.replace("&amp;", "&")).status_code for link in links} == {200}
    assert client.get(f"/mailings/elsewhere/{other_id}").status_code == 200, "nobody is known to have got it"
    for step in STEPS:
        assert client.get(f"/mailings/elsewhere/{campaign_id}/people?step={step}&value=x").status_code == 200
    assert client.get(f"/mailings/elsewhere/{campaign_id}/people?step=opened").status_code == 404
    assert client.get("/mailings/elsewhere/999").status_code == 404
    export = f"/mailings/elsewhere/{campaign_id}/people/export"
    assert client.post(export, data={"step": "booked"}).status_code == 403
    signed_in(client, make_user(runtime, organisation, "marketer"))
    file = client.post(export, data={"step": "booked"})
    assert "'=An" in file.text, "a name is no formula"
    file.close()
    with transaction(runtime.engine, organisation.id) as session:
        noted = session.scalars(select(AuditEvent).where(AuditEvent.action == "mailings.exported_people")).one()
        assert noted.details["contacts"] == 2
