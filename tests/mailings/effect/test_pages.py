"""The pages of results: every state of a mailing has one, every number leads to its people, files are guarded."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from app import clock
from app.accounts.models import AuditEvent, Organisation
from app.db import transaction
from app.mailings.effect.models import MailingReport, MailingTest
from app.mailings.effect.people import STEPS
from app.mailings.models import Mailing, MailingVersion
from app.runtime import Runtime
from tests.conftest import make_user, signed_in
from tests.mailings.campaigns import words
from tests.mailings.effect.world import an_activity, book, deliver, event, leave_out, make_people, sent_mailing


@pytest.fixture
def mailing_id(runtime: Runtime, organisation: Organisation) -> int:
    """Two days ago, to 40 people, 10 held out; of the 40, 8 booked, 3 clicked."""
    at = clock.now() - timedelta(days=2)
    with transaction(runtime.engine, organisation.id) as session:
        made = sent_mailing(session, at=at, name="Novembernieuws")
        people = make_people(session, 50, given_name="=An", family_name="Peeters")
        deliver(session, made, people[:40], at=at)
        leave_out(session, made, people[40:])
        book(session, people[:8], an_activity(session, "Wachten op Godot", series="Toneel"), at=at + timedelta(hours=4))
        event(session, "clicked", people[:3], mailing_id=made, at=at + timedelta(hours=1))
    return made


def page(client: FlaskClient, url: str, status: int = 200) -> str:
    answer = client.get(url)
    assert answer.status_code == status
    text = answer.text
    answer.close()
    return text


def test_the_report_says_what_is_known_and_what_is_not(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, mailing_id: int
) -> None:
    signed_in(client, make_user(runtime, organisation, "viewer"))
    text = page(client, f"/mailings/{mailing_id}/report")
    for word in ("Novembernieuws", "Wachten op Godot", "Toneel", "160,00"):
        assert word in text
    assert "Nog geen bewijs" in text
    assert re.search(r"Nog ongeveer [\d.]+ mensen", text)
    assert "<svg" in text
    assert " style=" not in text.split("<main", 1)[1]


def test_every_link_of_the_report_leads_to_a_page(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, mailing_id: int
) -> None:
    signed_in(client, make_user(runtime, organisation))
    text = page(client, f"/mailings/{mailing_id}/report")
    links = {each.replace("&amp;", "&") for each in re.findall(r'href="(/mailings/[^"]+)"', text)}
    assert len(links) > 10
    for link in links:
        if "/mailings/" in link and ("report" in link or "compare" in link):
            page(client, link)


def test_every_step_has_a_page_of_people_and_a_file(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, mailing_id: int
) -> None:
    signed_in(client, make_user(runtime, organisation))
    for step, (_statement, needs_value) in STEPS.items():
        url = f"/mailings/{mailing_id}/report/people?step={step}"
        page(client, url, 404 if needs_value else 200)
        page(client, url + "&value=1")
    assert "Peeters" in page(client, f"/mailings/{mailing_id}/report/people?step=booked")
    for wrong in ("step=opened", "step=", "", "step=link&value="):
        page(client, f"/mailings/{mailing_id}/report/people?{wrong}", 404)


def test_a_file_of_people_is_for_marketers_is_noted_and_cannot_be_run(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, mailing_id: int
) -> None:
    url, asked = f"/mailings/{mailing_id}/report/people/export", {"step": "booked"}
    signed_in(client, make_user(runtime, organisation, "marketer"))
    answer = client.post(url, data=asked)
    assert answer.status_code == 200
    lines = answer.get_data().decode("utf-8-sig").splitlines()
    answer.close()
    assert len(lines) == 9
    assert "'=An;Peeters" in lines[1]
    with transaction(runtime.engine, organisation.id) as session:
        noted = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "mailings.exported_people")).one()
        assert noted.details == {"contacts": 8, "step": "booked"}


def test_a_viewer_gets_no_file_of_people_but_the_figures(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, mailing_id: int
) -> None:
    signed_in(client, make_user(runtime, organisation, "viewer"))
    assert client.post(f"/mailings/{mailing_id}/report/people/export", data={"step": "booked"}).status_code == 403
    assert client.post(f"/mailings/{mailing_id}/report/window", data={"days": "7"}).status_code == 403
    text = page(client, f"/mailings/{mailing_id}/report.csv")
    assert "Peeters" not in text
    assert "Wachten op Godot;8;16;160" in text


def test_another_window_is_shown_and_can_be_kept(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, mailing_id: int
) -> None:
    signed_in(client, make_user(runtime, organisation, "marketer"))
    assert "14 dagen" in page(client, f"/mailings/{mailing_id}/report?days=14")
    page(client, f"/mailings/{mailing_id}/report?days=0")
    page(client, f"/mailings/{mailing_id}/report?days=99999999")
    page(client, f"/mailings/{mailing_id}/report?days=veel")
    assert client.post(f"/mailings/{mailing_id}/report/window", data={"days": "14"}).status_code == 302
    with transaction(runtime.engine, organisation.id) as session:
        assert session.get_one(Mailing, (organisation.id, mailing_id)).effect_days == 14


def test_a_remark_is_shown_as_words_and_never_as_code(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, mailing_id: int
) -> None:
    signed_in(client, make_user(runtime, organisation, "marketer"))
    client.post(f"/mailings/{mailing_id}/report/remark", data={"remark": "<script>alert(1)</script>"})
    text = page(client, f"/mailings/{mailing_id}/report")
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert(1)" not in text


def test_how_a_test_ended_is_told(client: FlaskClient, runtime: Runtime, organisation: Organisation) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        made = sent_mailing(session, ab_test={"share_percent": 40, "decide_by": "clicks", "after_hours": 4}, winner="B")
        session.execute(sa.update(MailingVersion).values(content=words("nl", variants=("A", "B"))))
        for name in "AB":
            deliver(session, made, make_people(session, 5), variant=name)
        session.add(
            MailingTest(
                organisation_id=organisation.id,
                mailing_id=made,
                winner="B",
                sides={"A": [100, 4], "B": [100, 20]},
                rest=300,
                decided_at=clock.now(),
            )
        )
    signed_in(client, make_user(runtime, organisation, "analyst"))
    text = page(client, f"/mailings/{made}/report")
    assert "Versie B bleek beter" in text
    assert "20 van 100" in text


@pytest.mark.parametrize("state", ["draft", "scheduled", "paused", "cancelled"])
def test_a_mailing_that_has_not_gone_says_so(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, state: str
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        made = sent_mailing(session, state=state, started_at=None, finished_at=None, planned_at=None)
    signed_in(client, make_user(runtime, organisation, "viewer"))
    assert "Nog niets te meten" in page(client, f"/mailings/{made}/report")
    page(client, f"/mailings/{made}/report.csv")


def test_mailings_are_compared_side_by_side(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, mailing_id: int
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        others = [sent_mailing(session, name=f"Andere {number}") for number in range(6)]
    signed_in(client, make_user(runtime, organisation, "viewer"))
    assert "Welke mailings" in page(client, "/mailings/compare")
    text = page(client, f"/mailings/compare?mailing={mailing_id}&mailing={others[0]}&mailing=99999&mailing=x")
    assert "160,00" in text
    many = "&".join(f"mailing={each}" for each in others)
    assert page(client, f"/mailings/compare?{many}").count('<th scope="col" class="is-end">') == 5


def test_a_mailing_of_another_house_is_not_there(
    client: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    signed_in(client, make_user(runtime, organisation))
    for url in ("report", "report/people?step=got", "report.csv"):
        page(client, f"/mailings/424242/{url}", 404)
    assert client.post("/mailings/424242/report/remark", data={"remark": "x"}).status_code == 404
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(MailingReport)) == 0
