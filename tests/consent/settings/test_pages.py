"""Purposes and consent texts: what an administrator changes, permission follows, and no text is ever rewritten."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts.models import Organisation
from app.consent.explain import permissions_of
from app.consent.ledger import record_event
from app.consent.models import ConsentEvent, NoticeVersion, Purpose
from app.consent.preferences import preferences_of
from app.consent.rebuild import differences
from app.consent.subjects import email_subject
from app.db import transaction
from app.runtime import Runtime
from tests.conftest import make_user, signed_in
from tests.consent.people import a_grant, a_withdrawal, make_contact

AN = "an@example.org"
RULES: dict[str, Any] = {
    "name_nl": "Nieuwsbrief",
    "name_fr": "Lettre",
    "name_en": "Newsletter",
    "allowed_bases": ["consent"],
    "retention_days": "1096",
    "is_active": "true",
}
TEXTS = {"nl": "Ja, graag.", "fr": "Oui, volontiers.", "en": "Yes, please."}


class Office:
    """An administrator at the settings of the house, and An, who said yes to the newsletter."""

    def __init__(self, client: FlaskClient, runtime: Runtime, organisation: Organisation) -> None:
        self.runtime, self.organisation = runtime, organisation
        self.client = signed_in(client, make_user(runtime, organisation, "admin"))
        with transaction(runtime.engine, organisation.id) as session:
            self.an = make_contact(session, runtime.keyring, AN)
            record_event(session, runtime.keyring, a_grant(AN))

    def reason(self, purpose: str = "newsletter") -> str:
        with transaction(self.runtime.engine, self.organisation.id) as session:
            assert differences(session) == []
            return next(each.reason for each in permissions_of(session, self.an) if each.purpose == purpose)

    def purpose(self, code: str = "newsletter") -> Purpose:
        with transaction(self.runtime.engine, self.organisation.id) as session:
            return session.scalars(select(Purpose).where(Purpose.code == code)).one()


@pytest.fixture
def office(client: FlaskClient, runtime: Runtime, organisation: Organisation) -> Office:
    return Office(client, runtime, organisation)


def test_every_purpose_is_listed_with_how_many_may_be_mailed(office: Office) -> None:
    page = office.client.get("/settings/purposes/")
    assert page.status_code == 200
    for words in ("Nieuwsbrief", "Aanbod van partners", "Praktische info bij een bezoek"):
        assert words in page.text


@pytest.mark.parametrize("code", ["newsletter", "service", "track_open"])
def test_every_purpose_has_a_page(office: Office, code: str) -> None:
    assert office.client.get(f"/settings/purposes/{code}").status_code == 200


def test_permission_follows_the_rules_at_once(office: Office) -> None:
    assert office.reason() == "consent"
    strict = RULES | {"needs_confirmation": "true"}
    assert office.client.post("/settings/purposes/newsletter", data=strict).status_code == 302
    assert office.reason() == "unconfirmed"
    assert (
        office.client.post("/settings/purposes/newsletter", data=RULES | {"allowed_bases": ["soft_opt_in"]}).status_code
        == 302
    )
    assert office.reason() == "basis_not_allowed"
    off = {name: value for name, value in RULES.items() if name != "is_active"}
    assert office.client.post("/settings/purposes/newsletter", data=off).status_code == 302
    assert office.reason() == "purpose_inactive"
    assert office.client.post("/settings/purposes/newsletter", data=RULES).status_code == 302
    assert office.reason() == "consent"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name_fr": " "}, "name_fr"),
        ({"allowed_bases": []}, "allowed_bases"),
        ({"allowed_bases": ["service"]}, "allowed_bases"),
        ({"allowed_bases": ["because"]}, "allowed_bases"),
        ({"retention_days": "7"}, "retention_days"),
        ({"retention_days": "long"}, "retention_days"),
        ({"name_nl": "x" * 81}, "name_nl"),
    ],
)
def test_wrong_rules_are_shown_again_and_nothing_is_saved(office: Office, wrong: dict[str, Any], field: str) -> None:
    answer = office.client.post("/settings/purposes/newsletter", data=RULES | {"name_nl": "Anders"} | wrong)
    assert answer.status_code == 422
    assert "zl-error" in answer.text, field
    assert office.purpose().names["nl"] == "Nieuwsbrief"


def test_service_mail_can_be_named_but_never_becomes_marketing(office: Office) -> None:
    answer = office.client.post("/settings/purposes/service", data=RULES | {"needs_confirmation": "true"})
    assert answer.status_code == 302
    service = office.purpose("service")
    assert (service.is_marketing, service.allowed_bases, service.needs_confirmation) == (False, ["service"], False)


def test_a_new_purpose_is_covered_by_a_no_to_everything(office: Office) -> None:
    with transaction(office.runtime.engine, office.organisation.id) as session:
        record_event(session, office.runtime.keyring, a_withdrawal(AN))
    friends = RULES | {"name_nl": "Vrienden", "name_fr": "Amis", "name_en": "Friends of the house"}
    assert (
        office.client.post("/settings/purposes/new", data=friends).location == "/settings/purposes/friends_of_the_house"
    )
    assert office.reason("friends_of_the_house") == "withdrawn"
    assert office.client.post("/settings/purposes/new", data=friends).status_code == 422


def test_a_published_text_is_shown_and_earlier_consents_keep_theirs(office: Office) -> None:
    assert (
        office.client.post("/settings/purposes/newsletter/texts", data=TEXTS | {"publish": "true"}).status_code == 302
    )
    with transaction(office.runtime.engine, office.organisation.id) as session:
        key = email_subject(session, office.runtime.keyring, AN) or b""
        for language, text in TEXTS.items():
            choices = preferences_of(session, key, language=language).choices
            assert next(each.wording for each in choices if each.purpose == "newsletter") == text
        event = session.scalars(select(ConsentEvent)).one()
        first = session.get_one(NoticeVersion, (session.organisation_id, event.notice_version_id))
        assert first.wording not in TEXTS.values()


def test_an_older_text_can_be_published_again(office: Office) -> None:
    for texts in (TEXTS, TEXTS | {"nl": "Ja!"}, TEXTS):
        office.client.post("/settings/purposes/newsletter/texts", data=texts | {"publish": "true"})
    with transaction(office.runtime.engine, office.organisation.id) as session:
        shown = session.get_one(NoticeVersion, (session.organisation_id, office.purpose().published_notices["nl"]))
        assert shown.wording == "Ja, graag."
        published = session.scalars(select(NoticeVersion.id).where(NoticeVersion.source == "settings")).all()
        assert len(published) == 4


def test_a_draft_is_kept_and_shown_to_nobody(office: Office) -> None:
    office.client.post("/settings/purposes/newsletter/texts", data={"nl": "Bijna af"})
    assert office.purpose().notice_drafts == {"nl": "Bijna af"}
    assert office.purpose().published_notices == {}
    assert "Bijna af" in office.client.get("/settings/purposes/newsletter").text


def test_a_text_is_published_in_all_languages_or_not_at_all(office: Office) -> None:
    answer = office.client.post(
        "/settings/purposes/newsletter/texts", data={"nl": "Ja", "fr": "Oui", "publish": "true"}
    )
    assert answer.status_code == 422
    assert office.purpose().published_notices == {}


def test_who_is_no_administrator_looks_and_changes_nothing(
    client: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    viewer = signed_in(client, make_user(runtime, organisation, "viewer"))
    assert viewer.get("/settings/purposes/").status_code == 200
    assert viewer.get("/settings/purposes/newsletter").status_code == 200
    assert viewer.post("/settings/purposes/newsletter", data=RULES).status_code == 403
    assert viewer.post("/settings/purposes/newsletter/texts", data=TEXTS | {"publish": "true"}).status_code == 403
    assert viewer.get("/settings/purposes/nonsense").status_code == 404
