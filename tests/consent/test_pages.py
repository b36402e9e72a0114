"""The public pages: one click stops, a scanner changes nothing, and the choice shown is the choice kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app import clock
from app.accounts.models import Organisation
from app.consent.explain import permissions_of
from app.consent.ledger import record_event
from app.consent.models import ConsentEvent, NoticeVersion, RightsRequest
from app.consent.public_pages import PER_LINK
from app.consent.subjects import email_subject
from app.consent.suppressions import suppress
from app.consent.tokens import Claims, Kind, make_token
from app.db import transaction
from app.runtime import Runtime
from tests.conftest import NOW, make_house, make_user, signed_in
from tests.consent.people import WORDING, a_grant, a_withdrawal, make_contact

AN, AN_AT_WORK = "an@example.org", "an@werk.example"


class Door:
    """An at the public pages of the house, with the links from her mails."""

    def __init__(self, client: FlaskClient, runtime: Runtime, organisation: Organisation) -> None:
        self.client, self.runtime, self.organisation = client, runtime, organisation
        with transaction(runtime.engine, organisation.id) as session:
            self.contact_id = make_contact(session, runtime.keyring, AN, AN_AT_WORK, language="nl")
            self.key = email_subject(session, runtime.keyring, AN) or b""

    def link(self, kind: Kind, *, purpose: str | None = None, event_id: int = 0) -> str:
        claims = Claims(
            kind=kind,
            organisation_id=self.organisation.id,
            subject_key=self.key,
            purpose=purpose,
            event_id=event_id,
        )
        return f"/{kind[0]}/{make_token(self.runtime.keyring, claims)}"

    def record(self, *events: Any) -> list[int]:
        ids = []
        for event in events:
            with transaction(self.runtime.engine, self.organisation.id) as session:
                ids.append(record_event(session, self.runtime.keyring, event).event_id or 0)
        return ids

    def allowed(self) -> set[tuple[str, str]]:
        with transaction(self.runtime.engine, self.organisation.id) as session:
            answers = permissions_of(session, self.contact_id)
            return {(each.channel, each.purpose) for each in answers if each.is_allowed}

    def events(self) -> int:
        with transaction(self.runtime.engine, self.organisation.id) as session:
            return session.scalar(select(func.count()).select_from(ConsentEvent)) or 0

    def open_preferences(self) -> dict[str, list[str]]:
        """Return what the browser would send back unchanged."""
        page = self.client.get(self.link("preferences"))
        assert page.status_code == 200
        return filled(page)


def filled(page: TestResponse) -> dict[str, list[str]]:
    form: dict[str, list[str]] = {"wanted": []}
    for tag in re.findall(r"<input[^>]*>", page.text):
        attributes = {name: unescape(value) for name, value in re.findall(r'(\w+)="([^"]*)"', tag)}
        if attributes["type"] == "hidden" or " checked" in tag:
            form.setdefault(attributes["name"], []).append(attributes["value"])
    return form


@pytest.fixture
def door(client: FlaskClient, runtime: Runtime, organisation: Organisation) -> Door:
    return Door(client, runtime, organisation)


ENCODINGS: list[Callable[[FlaskClient, str], TestResponse]] = [
    lambda client, url: client.post(url, data={"List-Unsubscribe": "One-Click"}),
    lambda client, url: client.post(
        url, data={"List-Unsubscribe": "One-Click"}, content_type="multipart/form-data; boundary=x"
    ),
    lambda client, url: client.post(url),
]


@pytest.mark.parametrize("post", ENCODINGS, ids=["urlencoded", "multipart", "empty"])
def test_one_click_stops_at_once_without_cookie_or_csrf_and_again_the_same(
    door: Door, post: Callable[[FlaskClient, str], TestResponse]
) -> None:
    """I11."""
    door.client.application.config["WTF_CSRF_ENABLED"] = True
    door.record(a_grant(AN), a_grant(AN, purpose="survey"))
    url = door.link("unsubscribe", purpose="newsletter")
    for _ in range(3):
        answer = post(door.client, url)
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
        assert door.allowed() == {("email", "survey")}
    assert door.events() == 3


def test_a_mail_for_all_marketing_stops_all_marketing_everywhere(door: Door) -> None:
    door.record(a_grant(AN), a_grant(AN, purpose="survey"), a_grant(AN, channel="sms"))
    assert door.client.post(door.link("unsubscribe")).status_code == 200
    assert door.allowed() == set()


def test_the_page_with_the_button_offers_to_stop_everything(door: Door) -> None:
    door.record(a_grant(AN), a_grant(AN, purpose="survey"))
    url = door.link("unsubscribe", purpose="newsletter")
    page = door.client.get(url)
    assert "Nieuwsbrief" in page.text
    assert 'value="all"' in page.text
    assert door.client.post(url, data={"stop": "all"}).status_code == 200
    assert door.allowed() == set()


def test_a_purpose_that_no_longer_exists_stops_everything(door: Door) -> None:
    door.record(a_grant(AN))
    assert door.client.post(door.link("unsubscribe", purpose="gone")).status_code == 200
    assert door.allowed() == set()


def test_unsubscribing_again_after_coming_back_acts_again(door: Door) -> None:
    url = door.link("unsubscribe", purpose="newsletter")
    door.client.post(url)
    with clock.set_to(NOW + timedelta(hours=1)):
        door.record(a_grant(AN, method="preference_page"))
        assert door.allowed() == {("email", "newsletter")}
        door.client.post(url)
        assert door.allowed() == set()


def test_looking_changes_nothing_on_any_page(door: Door) -> None:
    """I12."""
    (asked,) = door.record(a_grant(AN, action="requested"))
    links = [
        door.link("unsubscribe", purpose="newsletter"),
        door.link("unsubscribe"),
        door.link("preferences"),
        door.link("confirm", purpose="newsletter", event_id=asked),
    ]
    for url in links:
        for method in ("GET", "HEAD"):
            answer = door.client.open(url, method=method)
            assert answer.status_code == 200
            assert "Set-Cookie" not in answer.headers
    assert door.events() == 1
    with transaction(door.runtime.engine, door.organisation.id) as session:
        assert session.scalars(select(NoticeVersion.wording)).all() == [WORDING]


@pytest.mark.parametrize("kind", ["u", "p", "c"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_link_that_is_none_of_ours_gets_a_calm_page(door: Door, kind: str, method: str) -> None:
    whole = door.link("unsubscribe")
    for token in ("x", "é", "a" * 300, whole[3:-2], "B" + whole[4:], whole[3:] if kind != "u" else "B"):
        answer = door.client.open(f"/{kind}/{token}", method=method)
        assert answer.status_code == 404
        assert "<h1>" in answer.text
    assert door.events() == 0


@pytest.mark.parametrize(
    ("language", "asked", "words"),
    [
        ("nl", "", "Uitschrijven"),
        ("fr", "", "désabonner"),
        ("de", "", "Uitschrijven"),
        ("nl", "?language=en", "Unsubscribe"),
    ],
)
def test_the_page_speaks_the_language_of_the_person(door: Door, language: str, asked: str, words: str) -> None:
    with transaction(door.runtime.engine, door.organisation.id) as session:
        make_contact(session, door.runtime.keyring, "bo@example.org", language=language)
        door.key = email_subject(session, door.runtime.keyring, "bo@example.org") or b""
    page = door.client.get(door.link("unsubscribe") + asked, headers={"Accept-Language": "de"})
    assert words in page.text


def test_a_colleague_of_another_house_who_is_signed_in_stops_nothing_of_their_own(door: Door) -> None:
    """I23."""
    other = make_house(door.runtime, "De Buren")
    with transaction(door.runtime.engine, other.id) as session:
        contact_id = make_contact(session, door.runtime.keyring, AN)
        record_event(session, door.runtime.keyring, a_grant(AN))
    signed_in(door.client, make_user(door.runtime, other, "admin"))
    page = door.client.post(door.link("unsubscribe"))
    assert "De Proef" in page.text
    with transaction(door.runtime.engine, other.id) as session:
        assert [each.purpose for each in permissions_of(session, contact_id) if each.is_allowed] == ["newsletter"]


def test_the_preference_page_records_what_changed_with_the_sentence_shown(door: Door) -> None:
    door.record(a_grant(AN))
    form = door.open_preferences()
    assert form["shown"] == form["wanted"] == ["email.newsletter"]
    form["wanted"] = ["email.survey"]
    answer = door.client.post(door.link("preferences"), data=form)
    assert answer.status_code == 200
    assert door.allowed() == {("email", "survey")}
    with transaction(door.runtime.engine, door.organisation.id) as session:
        notice = session.scalars(select(NoticeVersion).where(NoticeVersion.purpose == "survey")).one()
        assert notice.language == "nl"
        assert "De Proef" in notice.wording
        assert notice.wording in unescape(answer.text)
        methods = set(session.scalars(select(ConsentEvent.method).where(ConsentEvent.source == "zaallicht")))
        assert methods == {"preference_page"}


def test_saving_without_a_change_records_nothing(door: Door) -> None:
    door.record(a_grant(AN))
    assert door.client.post(door.link("preferences"), data=door.open_preferences()).status_code == 200
    assert door.events() == 1


def test_a_page_left_open_in_another_tab_undoes_nothing(door: Door) -> None:
    door.record(a_grant(AN))
    old = door.open_preferences()
    door.client.post(door.link("preferences"), data={"stop": "all"})
    assert door.allowed() == set()
    old["wanted"].append("email.survey")
    answer = door.client.post(door.link("preferences"), data=old)
    assert answer.status_code == 409
    assert "Er is iets veranderd" in answer.text
    assert door.allowed() == set()
    again = filled(answer)
    assert again["wanted"] == []
    assert door.client.post(door.link("preferences"), data=again | {"wanted": ["email.survey"]}).status_code == 200
    assert door.allowed() == {("email", "survey")}


def test_a_no_from_an_old_page_counts_and_its_yes_is_asked_again(door: Door) -> None:
    door.record(a_grant(AN))
    old = door.open_preferences()
    door.record(a_grant(AN, purpose="partner_offers"))
    answer = door.client.post(door.link("preferences"), data=old | {"wanted": ["email.survey"]})
    assert answer.status_code == 200
    assert door.allowed() == {("email", "partner_offers")}


def test_a_yes_lifts_the_no_at_every_address_of_the_person(door: Door) -> None:
    door.record(a_withdrawal(AN_AT_WORK), a_withdrawal(AN))
    form = door.open_preferences()
    assert form["wanted"] == []
    door.client.post(door.link("preferences"), data=form | {"wanted": ["email.newsletter"]})
    assert door.allowed() == {("email", "newsletter")}


def test_withdrawing_takes_no_more_steps_than_granting(door: Door) -> None:
    """I30: the same box on the same page, and one button more for everything."""
    form = door.open_preferences()
    door.client.post(door.link("preferences"), data=form | {"wanted": ["email.newsletter"]})
    assert door.allowed() == {("email", "newsletter")}
    form = door.open_preferences()
    door.client.post(door.link("preferences"), data=form | {"wanted": []})
    assert door.allowed() == set()


def test_a_yes_to_a_sentence_that_changed_meanwhile_is_asked_again(door: Door) -> None:
    form = door.open_preferences()
    form["wording.email.survey"] = ["00" * 32]
    answer = door.client.post(door.link("preferences"), data=form | {"wanted": ["email.survey", "email.newsletter"]})
    assert answer.status_code == 409
    assert door.events() == 0


@pytest.mark.parametrize("wanted", ["email.nonsense", "pigeon.newsletter", "", "email.service", "x" * 5000])
def test_boxes_that_were_never_shown_are_of_no_account(door: Door, wanted: str) -> None:
    door.record(a_grant(AN))
    form = door.open_preferences()
    form["wanted"].append(wanted)
    assert door.client.post(door.link("preferences"), data=form).status_code == 200
    assert door.allowed() == {("email", "newsletter")}


def test_an_address_the_house_let_go_can_still_stop_but_not_start(door: Door) -> None:
    door.key = door.runtime.keyring.subject_key(door.organisation.id, "email", "gone@example.org", key_id=1)
    form = door.open_preferences()
    door.client.post(door.link("preferences"), data=form | {"wanted": ["email.newsletter"]})
    assert door.events() == 0
    assert door.client.post(door.link("unsubscribe")).status_code == 200
    assert door.events() == 1


def test_a_blocked_address_is_told_so(door: Door) -> None:
    with transaction(door.runtime.engine, door.organisation.id) as session:
        suppress(session, door.runtime.keyring, [AN], channel="email", reason="manual", source="test", at=NOW)
    assert "geblokkeerd" in door.client.get(door.link("preferences")).text


def test_confirming_opens_the_gate_once_and_only_within_its_time(door: Door) -> None:
    (asked,) = door.record(a_grant(AN, action="requested"))
    url = door.link("confirm", purpose="newsletter", event_id=asked)
    assert WORDING in door.client.get(url).text
    assert door.allowed() == set()
    for _ in range(2):
        assert door.client.post(url).status_code == 200
        assert door.allowed() == {("email", "newsletter")}
    assert door.events() == 2
    with clock.set_to(NOW + timedelta(days=31)):
        assert door.client.post(url).status_code == 410


def test_only_a_request_of_the_same_address_can_be_confirmed(door: Door) -> None:
    granted, bos = door.record(a_grant(AN), a_grant("bo@example.org", action="requested"))
    for event_id in (granted, bos, 999):
        url = door.link("confirm", purpose="newsletter", event_id=event_id)
        assert door.client.post(url).status_code == 410
    assert door.events() == 2


def test_a_pause_is_one_click_away_and_so_is_its_end(door: Door) -> None:
    door.record(a_grant(AN))
    url = door.link("preferences")
    assert "20 feb" in door.client.post(url, data=door.open_preferences() | {"act": "pause"}).text
    assert door.allowed() == set()
    assert door.open_preferences()["wanted"] == ["email.newsletter"]
    assert door.client.post(url, data={"act": "resume"}).status_code == 200
    assert door.allowed() == {("email", "newsletter")}


@pytest.mark.parametrize(("act", "kind"), [("download", "access"), ("erase", "erasure")])
def test_what_the_law_gives_people_goes_to_the_request_desk_once(door: Door, act: str, kind: str) -> None:
    door.record(a_grant(AN))
    for _ in range(2):
        assert door.client.post(door.link("preferences"), data={"act": act}).status_code == 200
    with transaction(door.runtime.engine, door.organisation.id) as session:
        (asked,) = session.scalars(select(RightsRequest)).all()
        assert (asked.kind, asked.channel, asked.identity_check) == (kind, "page", "link")
        assert asked.contact_id == door.contact_id
    assert door.allowed() == (set() if act == "erase" else {("email", "newsletter")})


def test_the_page_after_unsubscribing_says_what_stopped_and_lets_one_undo_it_by_an_own_act(door: Door) -> None:
    door.record(a_grant(AN), a_grant(AN, purpose="survey"))
    page = door.client.post(door.link("unsubscribe", purpose="newsletter"))
    assert "Nieuwsbrief" in page.text
    assert door.allowed() == {("email", "survey")}
    undo = filled(page)
    assert undo["wanted"] == ["email.survey", "email.newsletter"]
    assert door.client.post(door.link("preferences"), data=undo).status_code == 200
    assert door.allowed() == {("email", "newsletter"), ("email", "survey")}
    assert "Was dit een vergissing" not in door.client.post(door.link("unsubscribe")).text


BODIES: dict[str, dict[str, Any]] = {
    "huge": {"data": b"stop=all&x=" + b"y" * 200_000, "content_type": "application/x-www-form-urlencoded"},
    "json": {"data": b'{"stop":', "content_type": "application/json"},
    "no boundary": {"data": b"--x\r\nnonsense", "content_type": "multipart/form-data"},
    "cut off": {"data": b"--x\r\nContent-Disposition: form-data", "content_type": "multipart/form-data; boundary=x"},
    "not utf-8": {"data": b"wanted=\xff\xfe&act=\xc3\x28", "content_type": "application/x-www-form-urlencoded"},
    "utf-16": {"data": "act=pause".encode("utf-16"), "content_type": "text/plain; charset=utf-16"},
    "nul": {"data": b"act=%00&wanted=%00", "content_type": "application/x-www-form-urlencoded"},
    "many": {"data": "&".join(["wanted=x"] * 5000).encode(), "content_type": "application/x-www-form-urlencoded"},
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_whatever_the_body_one_click_unsubscribes(door: Door, body: dict[str, Any]) -> None:
    """I11."""
    door.record(a_grant(AN))
    answer = door.client.post(door.link("unsubscribe", purpose="newsletter"), **body)
    assert answer.status_code == 200
    assert door.allowed() == set()


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_that_makes_no_sense_gets_a_calm_page_and_changes_nothing(door: Door, body: dict[str, Any]) -> None:
    (asked,) = door.record(a_grant(AN, action="requested"))
    door.record(a_grant(AN, purpose="survey"))
    answer = door.client.post(door.link("preferences"), **body)
    assert answer.status_code in (200, 400, 413)
    assert "<h1>" in answer.text
    assert "Set-Cookie" not in answer.headers
    assert door.allowed() == {("email", "survey")}
    assert door.events() == 2
    assert asked


@pytest.mark.parametrize("path", ["/u/", "/p/", "/c/x/y", "/a/", "/p/x/nonsense", "/house/x/look.css"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_an_address_or_method_nobody_knows_sets_no_cookie(client: FlaskClient, path: str, method: str) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code in (200, 404, 405)
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("language", ["de", "", "nl'--", "NL", "fr-BE"])
def test_a_language_nobody_speaks_is_that_of_the_person(door: Door, language: str) -> None:
    page = door.client.get(door.link("preferences"), query_string={"language": language})
    assert page.status_code == 200
    assert '<html lang="nl">' in page.text


def test_too_often_from_one_link_is_held_back_but_stopping_never_is(door: Door) -> None:
    door.record(a_grant(AN))
    url, form = door.link("preferences"), door.open_preferences()
    answers = [door.client.post(url, data=form).status_code for _ in range(PER_LINK.most + 2)]
    assert answers == [200] * PER_LINK.most + [429, 429]
    held_back = door.client.post(url, data=form | {"wanted": ["email.newsletter", "email.survey"]})
    assert held_back.status_code == 429
    assert int(held_back.headers["Retry-After"]) > 0
    assert door.allowed() == {("email", "newsletter")}
    assert door.client.post(url, data=form | {"wanted": []}).status_code == 200
    assert door.allowed() == set()
    for _ in range(3):
        assert door.client.post(url, data={"stop": "all"}).status_code == 200
        assert door.client.post(door.link("unsubscribe")).status_code == 200


def test_an_office_behind_one_address_is_not_locked_out_by_one_person(door: Door) -> None:
    url, form = door.link("preferences"), door.open_preferences()
    for _ in range(PER_LINK.most + 1):
        last = door.client.post(url, data=form)
    assert last.status_code == 429
    with transaction(door.runtime.engine, door.organisation.id) as session:
        make_contact(session, door.runtime.keyring, "bo@example.org")
        door.key = email_subject(session, door.runtime.keyring, "bo@example.org") or b""
    assert door.client.post(door.link("preferences"), data=door.open_preferences()).status_code == 200
