"""The pages of composing: a list, a new one, saving without losing anybody's words, looking and checking."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts.models import Organisation
from app.activities.models import Activity
from app.db import ScopedSession, transaction
from app.mailings.composing.fields import attribute_names
from app.mailings.composing.starts import STARTS
from app.mailings.composing.viewing import read_view_token, view_url
from app.mailings.freezing import freeze
from app.mailings.mailings import MailingDraft, create_mailing, find_mailing
from app.mailings.models import Delivery, Mailing
from app.runtime import Runtime
from tests.conftest import NOW, make_user, signed_in
from tests.consent.people import make_contact
from tests.mailings.campaigns import a_mailing
from tests.mailings.composing.letters_of_content import content_json_of, words_block

ADDRESS = "noor@example.org"


@pytest.fixture
def marketer(runtime: Runtime, client: FlaskClient, organisation: Organisation) -> FlaskClient:
    return signed_in(client, make_user(runtime, organisation, "marketer"))


def made(runtime: Runtime, organisation: Organisation, *blocks: dict[str, Any], **more: Any) -> int:
    """A draft with these blocks; returns its number."""
    from app.accounts.audit import SYSTEM

    purpose, name = more.pop("purpose", "newsletter"), more.pop("name", "Nieuws")
    with transaction(runtime.engine, organisation.id) as session:
        content = content_json_of(*blocks, **more)
        return create_mailing(session, MailingDraft(name=name, purpose=purpose, content=content), actor=SYSTEM).id


def test_mails_of_journeys_are_told_apart_from_mailings_to_many(
    marketer: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        for name, kind in (("Nieuwsbrief", "campaign"), ("Welkom", "journey"), ("Bedankt", "journey")):
            mailing_id = a_mailing(session, name=name, kind=kind)
        freeze(session, mailing_id)
    names = {which: [name for name in ("Nieuwsbrief", "Welkom", "Bedankt") if f"<strong>{name}<" in page]
             for which in ("", "campaign", "journey", "?")
             for page in [marketer.get("/mailings/", query_string={"which": which}).text]}  # fmt: skip
    everything = ["Nieuwsbrief", "Welkom", "Bedankt"]
    assert names == {"": everything, "campaign": everything[:1], "journey": everything[1:], "?": everything}
    assert marketer.get("/mailings/").text.count("In een traject") == 1, "one is frozen, the other is a draft"


def test_a_mailing_begins_with_each_start(marketer: FlaskClient) -> None:
    for start in STARTS:
        answer = marketer.post(
            "/mailings/new",
            data={"name": start.name, "purpose": "newsletter", "start": start.key, "languages": ["nl", "fr"]},
        )
        assert answer.status_code == 302
        page = marketer.get(answer.location)
        assert page.status_code == 200
        context = re.search(r'data-context="([^"]*)"', page.get_data(as_text=True))
        assert context is not None
        texts = json.loads(unescape(context[1]))["content"]["variants"][0]["texts"]
        assert {code: text["subject"] for code, text in texts.items()} == {
            code: start.subject[code] for code in ("nl", "fr")
        }
    listed = marketer.get("/mailings/").get_data(as_text=True)
    assert all(start.name in listed for start in STARTS)


def test_a_name_that_is_taken_is_refused_in_words(marketer: FlaskClient) -> None:
    asked = {"name": "Nieuws", "purpose": "newsletter", "start": "blank", "languages": ["nl"]}
    assert marketer.post("/mailings/new", data=asked).status_code == 302
    again = marketer.post("/mailings/new", data=asked)
    assert again.status_code == 422
    assert "Er is al een mailing met deze naam" in again.get_data(as_text=True)
    assert marketer.post("/mailings/new", data=asked | {"name": "x", "start": "999"}).status_code == 422


def test_two_people_write_and_nothing_is_lost(
    runtime: Runtime, marketer: FlaskClient, organisation: Organisation
) -> None:
    mailing_id = made(runtime, organisation)
    mine = content_json_of(words_block("<p>Van mij</p>"))
    theirs = content_json_of(words_block("<p>Van hen</p>"))
    first = marketer.post(f"/mailings/{mailing_id}/content", json={"edition": 1, "content": theirs})
    assert (first.json or {})["edition"] == 2
    late = marketer.post(f"/mailings/{mailing_id}/content", json={"edition": 1, "content": mine})
    assert (late.status_code, (late.json or {})["problem"]) == (409, "stale")
    kept = marketer.post(f"/mailings/{mailing_id}/mine", json={"content": mine})
    copy_id = int((kept.json or {})["url"].split("/")[2])
    with transaction(runtime.engine, organisation.id) as session:
        assert "Van hen" in str(find_mailing(session, mailing_id).content)
        assert "Van mij" in str(find_mailing(session, copy_id).content)


def test_what_cannot_be_is_not_saved_and_says_where(
    runtime: Runtime, marketer: FlaskClient, organisation: Organisation
) -> None:
    mailing_id = made(runtime, organisation)
    wrong = content_json_of(words_block("<p>{{ ''.__class__ }}</p>"))
    answer = marketer.post(f"/mailings/{mailing_id}/content", json={"edition": 1, "content": wrong})
    assert answer.status_code == 422
    assert list((answer.json or {})["errors"]) == ["variants.0.texts.nl.blocks.1.html"]
    for body in ({}, [], {"edition": "1"}, {"edition": 1, "content": None}):
        assert marketer.post(f"/mailings/{mailing_id}/content", json=body).status_code in (400, 422)
    with transaction(runtime.engine, organisation.id) as session:
        assert find_mailing(session, mailing_id).edition == 1


def test_a_preview_shows_a_contact_s_own_words_and_runs_nothing(
    runtime: Runtime, marketer: FlaskClient, organisation: Organisation
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        contact_id = make_contact(session, runtime.keyring, ADDRESS, given_name="<b>Noor</b>")
    mailing_id = made(runtime, organisation, words_block('<p>Dag {{ given_name or "jij" }}</p>'))
    shown = marketer.get(f"/mailings/{mailing_id}/preview?variant=A&language=nl&person={contact_id}")
    assert "Dag &lt;b&gt;Noor&lt;/b&gt;" in shown.get_data(as_text=True)
    policy = shown.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "X-Frame-Options" not in shown.headers
    text = marketer.get(f"/mailings/{mailing_id}/preview?variant=A&language=nl&as=text")
    assert (text.mimetype, "Dag Noor" in text.get_data(as_text=True)) == ("text/plain", True)
    dark = marketer.get(f"/mailings/{mailing_id}/preview?variant=A&language=nl&dark=1").get_data(as_text=True)
    assert "@media all" in dark
    for wrong in ("variant=Z&language=nl", "variant=A&language=fr"):
        assert marketer.get(f"/mailings/{mailing_id}/preview?{wrong}").status_code == 404


def test_cards_come_from_the_programme_and_stay_as_they_were_frozen(
    runtime: Runtime, marketer: FlaskClient, organisation: Organisation
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        soon = add_activity(session, "Zomernacht", genres=["dans"])
        add_activity(session, "Ander", genres=["jazz"])
        activity_id = soon.id
    chosen = {"type": "activities", "chosen": [{"activity_id": activity_id, "note": "Bijna vol"}]}
    automatic = {"type": "activities", "mode": "automatic", "genre": "dans"}
    mailing_id = made(runtime, organisation, chosen, automatic)
    shown = marketer.get(f"/mailings/{mailing_id}/preview?variant=A&language=fr").status_code
    assert shown == 404
    html = marketer.get(f"/mailings/{mailing_id}/preview?variant=A&language=nl").get_data(as_text=True)
    assert html.count("Zomernacht") == 2
    assert "Bijna vol" in html
    assert "zaterdag 21 november 2026, 10:00" in html
    assert "Ander" not in html
    with transaction(runtime.engine, organisation.id) as session:
        version = freeze(session, mailing_id)
        session.scalars(select(Activity).where(Activity.id == activity_id)).one().title = "Anders genoemd"
        assert version == 1
    found = marketer.get("/mailings/programme?q=anders&language=nl").json or {}
    assert [each["title"] for each in found["activities"]] == ["Anders genoemd"]


def test_what_is_for_schools_only_is_among_the_next_ones_where_it_is_asked_for(
    runtime: Runtime, marketer: FlaskClient, organisation: Organisation
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        add_activity(session, "Voor iedereen", genres=["dans"])
        for title, audiences in (("Overdag", ["scholen"]), ("Woensdag", ["scholen", "families"])):
            add_activity(session, title, genres=["dans"]).audiences = audiences
    for audience, wanted in (("", {"Voor iedereen", "Woensdag"}), ("scholen", {"Overdag", "Woensdag"})):
        block = {"type": "activities", "mode": "automatic", "audience": audience}
        mailing_id = made(runtime, organisation, block, name=f"Nieuws {audience}")
        html = marketer.get(f"/mailings/{mailing_id}/preview?variant=A&language=nl").get_data(as_text=True)
        assert {title for title in ("Voor iedereen", "Overdag", "Woensdag") if title in html} == wanted
    assert (marketer.get("/mailings/programme").json or {})["audiences"] == ["families", "scholen"]


def test_what_comes_soonest_is_found_first_however_much_there_is(
    runtime: Runtime, marketer: FlaskClient, organisation: Organisation
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        for number in range(260):
            activity = add_activity(session, f"Avond {number}", genres=["dans"])
            activity.starts_at = NOW + timedelta(days=number - 2)
    found = marketer.get("/mailings/programme?q=avond&language=nl").json or {}
    assert [each["title"] for each in found["activities"]][:3] == ["Avond 2", "Avond 3", "Avond 4"]
    assert found["genres"] == ["dans"]
    last = marketer.get("/mailings/programme?q=avond+259&language=nl").json or {}
    assert [each["title"] for each in last["activities"]] == ["Avond 259"]
    assert (marketer.get("/mailings/programme?q=100%25&language=nl").json or {})["activities"] == []


def test_a_house_s_own_fields_are_offered(runtime: Runtime, marketer: FlaskClient, organisation: Organisation) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        make_contact(session, runtime.keyring, ADDRESS, attributes={"lievelingsgenre": "dans"})
        assert attribute_names(session) == ["lievelingsgenre"]


def add_activity(session: ScopedSession, title: str, *, genres: list[str]) -> Activity:
    at = NOW + timedelta(days=1)
    activity = Activity(
        organisation_id=session.organisation_id, source="test", external_id=title, title=title, genres=genres,
        url="https://deproef.be/x", starts_at=at, starts_on=at.date(), created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    session.add(activity)
    session.flush()
    return activity


def test_checks_say_where(runtime: Runtime, marketer: FlaskClient, organisation: Organisation) -> None:
    mailing_id = made(runtime, organisation, {"type": "button", "label": "", "url": ""})
    findings = (marketer.get(f"/mailings/{mailing_id}/checks").json or {})["findings"]
    assert {"no_label", "no_link", "no_postal_address"} <= {each["code"] for each in findings}
    assert next(each for each in findings if each["code"] == "no_link")["block"] == "b0"
    assert findings[0]["severity"] == "stop"


def test_a_mail_is_seen_in_the_browser_for_years_and_by_nobody_else(
    runtime: Runtime, client: FlaskClient, organisation: Organisation
) -> None:
    mailing_id = made(runtime, organisation, words_block('<p>Dag {{ given_name or "bezoeker" }}</p>'))
    with transaction(runtime.engine, organisation.id) as session:
        contact_id = make_contact(session, runtime.keyring, ADDRESS, given_name="Noor")
        delivery = Delivery(
            organisation_id=organisation.id, kind="mailing", contact_id=contact_id, purpose="newsletter",
            mailing_id=mailing_id, mailing_version=freeze(session, mailing_id), variant="A", language="nl",
            state="planned", planned_at=NOW, next_try_at=NOW,
        )  # fmt: skip
        session.add(delivery)
        session.flush()
        delivery_id = delivery.id
    url = view_url(runtime.keyring, base_url="", organisation_id=organisation.id, delivery_id=delivery_id)
    shown = client.get(url)
    assert "Dag Noor" in shown.get_data(as_text=True)
    assert ADDRESS not in url + shown.get_data(as_text=True)
    assert "noindex" in shown.headers["X-Robots-Tag"]
    assert "Set-Cookie" not in shown.headers
    assert "/t/c/" not in shown.get_data(as_text=True)
    token = url.rpartition("/")[2]
    assert read_view_token(runtime.keyring, token) == (organisation.id, delivery_id)
    for other in (token[:-1] + ("A" if token[-1] != "A" else "B"), token + "A", token[1:], "x", "é" * 20, "A" * 200):
        assert client.get(f"/v/{other}").status_code == 404
    gone = view_url(runtime.keyring, base_url="", organisation_id=organisation.id, delivery_id=999)
    assert client.get(gone).status_code == 410


def test_who_was_erased_left_a_mail_to_nobody(
    runtime: Runtime, client: FlaskClient, organisation: Organisation
) -> None:
    from app.contacts.models import Contact

    mailing_id = made(runtime, organisation, words_block('<p>Dag {{ given_name or "bezoeker" }}</p>'))
    with transaction(runtime.engine, organisation.id) as session:
        contact_id = make_contact(session, runtime.keyring, ADDRESS, given_name="Noor")
        delivery = Delivery(
            organisation_id=organisation.id, kind="mailing", contact_id=contact_id, purpose="newsletter",
            mailing_id=mailing_id, mailing_version=freeze(session, mailing_id), variant="A", language="nl",
            state="planned", planned_at=NOW, next_try_at=NOW,
        )  # fmt: skip
        session.add(delivery)
        session.flush()
        delivery_id = delivery.id
        session.scalars(select(Contact).where(Contact.id == contact_id)).one().state = "erased"
    url = view_url(runtime.keyring, base_url="", organisation_id=organisation.id, delivery_id=delivery_id)
    assert "Dag bezoeker" in client.get(url).get_data(as_text=True)


def test_templates_are_kept_and_begun_with(runtime: Runtime, marketer: FlaskClient, organisation: Organisation) -> None:
    mailing_id = made(runtime, organisation, words_block("<p>Ons vaste begin</p>"))
    for name in ("Huisstijl", "huisstijl", "", "x" * 100):
        assert marketer.post(f"/mailings/{mailing_id}/keep", data={"name": name}).status_code == 302
    page = marketer.get("/mailings/new").get_data(as_text=True)
    assert page.count('class="mc-start-card"') == len(STARTS) + 2
    begun = marketer.post(
        "/mailings/new", data={"name": "Uit sjabloon", "purpose": "newsletter", "start": "1", "languages": ["nl"]}
    )
    assert "Ons vaste begin" in marketer.get(begun.location).get_data(as_text=True)
    assert marketer.post("/mailings/templates/1/remove").status_code == 302
    assert marketer.post("/mailings/templates/1/remove").status_code == 404


def test_a_draft_is_copied_renamed_and_removed(
    runtime: Runtime, marketer: FlaskClient, organisation: Organisation
) -> None:
    mailing_id = made(runtime, organisation)
    copied = marketer.post(f"/mailings/{mailing_id}/copy")
    assert copied.location != f"/mailings/{mailing_id}/compose"
    marketer.post(f"/mailings/{mailing_id}/rename", data={"name": "Anders"})
    marketer.post(f"/mailings/{mailing_id}/remove")
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalars(select(Mailing.name)).all() == ["Nieuws (2)"]
    assert marketer.get(f"/mailings/{mailing_id}/compose").status_code == 404


def test_who_only_looks_cannot_write(runtime: Runtime, client: FlaskClient, organisation: Organisation) -> None:
    mailing_id = made(runtime, organisation)
    viewer = signed_in(client, make_user(runtime, organisation, "viewer"))
    assert viewer.get("/mailings/").status_code == 200
    assert viewer.get(f"/mailings/{mailing_id}/preview?variant=A&language=nl").status_code == 200
    for path in ("content", "copy", "remove", "rename", "keep", "try", "links", "mine"):
        assert viewer.post(f"/mailings/{mailing_id}/{path}", json={}).status_code == 403
    assert viewer.get("/mailings/people?q=noor").status_code == 403


def test_the_style_of_the_house_is_set_once_and_stays_readable(
    runtime: Runtime, client: FlaskClient, organisation: Organisation
) -> None:
    admin = signed_in(client, make_user(runtime, organisation, "admin"))
    pale = admin.post("/settings/mail-look/", data={"font": "serif", "text_colour": "#dddddd"})
    assert pale.status_code == 422
    assert admin.post("/settings/mail-look/", data={"font": "serif", "button_colour": "nope"}).status_code == 422
    assert admin.post("/settings/mail-look/", data={"font": "serif", "button_colour": "#0a7d33"}).status_code == 302
    sample = admin.get("/settings/mail-look/sample").get_data(as_text=True)
    assert "Georgia" in sample
    assert "#0a7d33" in sample
