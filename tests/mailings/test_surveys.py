"""Questions in a mail: pressed in the mail, asked on a page, kept of the person in one language."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.accounts.audit import SYSTEM
from app.accounts.models import Organisation
from app.contacts.ingest import upsert_contacts
from app.contacts.merging import merge_contacts
from app.contacts.models import Contact
from app.db import transaction
from app.journeys.ready_made.catalogue import BY_KEY
from app.journeys.ready_made.letter import content_of
from app.mailings.composing.viewing import view_url
from app.mailings.freezing import freeze
from app.mailings.mailings import MailingDraft, create_mailing
from app.mailings.models import Delivery, MailingVersion
from app.runtime import Runtime
from integrations.base import ContactRecord, IdentityRecord
from tests.conftest import NOW


@pytest.fixture
def contact_id(runtime: Runtime, organisation: Organisation) -> int:
    record = ContactRecord(
        source="test", identities=(IdentityRecord("email", "an@example.org"),), email="an@example.org", language="fr",
        attributes={"shoe": "38"},
    )  # fmt: skip
    with transaction(runtime.engine, organisation.id) as session:
        (result,) = upsert_contacts(session, runtime.keyring, [record], actor="import", at=NOW)
        assert result.contact_id is not None
        return result.contact_id


@pytest.fixture
def path(runtime: Runtime, organisation: Organisation, contact_id: int) -> str:
    """The page of the questions in a mail that An got in French."""
    with transaction(runtime.engine, organisation.id) as session:
        content = content_of(BY_KEY["after"].letters["after"], field_prefix="bezoek_")
        draft = MailingDraft(name="Hoe was het?", purpose="survey", kind="journey", content=content)
        mailing_id = create_mailing(session, draft, actor=SYSTEM).id
        delivery = Delivery(
            organisation_id=organisation.id, kind="mailing", purpose="survey", contact_id=contact_id, language="fr",
            mailing_id=mailing_id, mailing_version=freeze(session, mailing_id), planned_at=NOW, next_try_at=NOW,
        )  # fmt: skip
        session.add(delivery)
        session.flush()
        url = view_url(runtime.keyring, base_url="", organisation_id=organisation.id, delivery_id=delivery.id)
    return url.replace("/v/", "/s/")


def attributes(runtime: Runtime, organisation: Organisation, contact_id: int) -> dict[str, Any]:
    with transaction(runtime.engine, organisation.id) as session:
        return dict(session.scalars(select(Contact.attributes).where(Contact.id == contact_id)).one())


def test_pressing_an_answer_in_the_mail_opens_the_page_with_it_chosen_and_keeps_nothing(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, path: str, contact_id: int
) -> None:
    answer = client.get(f"{path.replace('/s/', '/v/')}?question=again&answer=2", follow_redirects=True)
    assert answer.status_code == 200
    assert "Vous reviendrez ?" in answer.text
    (chosen,) = [line for line in answer.text.splitlines() if " checked" in line]
    assert 'name="again" value="2" checked' in chosen
    assert attributes(runtime, organisation, contact_id) == {"shoe": "38"}


def test_answers_are_kept_in_the_words_of_the_house_whatever_language_they_were_given_in(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, path: str, contact_id: int
) -> None:
    answer = client.post(path, data={"experience": "1", "again": "3", "remark": " La salle\r\nétait froide. "})
    assert (answer.status_code, "Merci" in answer.text) == (200, True)
    assert attributes(runtime, organisation, contact_id) == {
        "shoe": "38",
        "bezoek_experience": "Geweldig",
        "bezoek_again": "Liever iets anders",
        "bezoek_remark": "La salle était froide.",
    }


def test_who_answers_again_changes_that_answer_only(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, path: str, contact_id: int
) -> None:
    client.post(path, data={"experience": "1", "remark": "Mooi"})
    client.post(path, data={"experience": "4", "remark": ""})
    kept = attributes(runtime, organisation, contact_id)
    assert (kept["bezoek_experience"], kept["bezoek_remark"]) == ("Niet mijn ding", "Mooi")


def test_what_is_no_answer_keeps_nothing_and_asks_again(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, path: str, contact_id: int
) -> None:
    for data in ({}, {"experience": "9"}, {"experience": "Geweldig"}, {"shoe": "44"}, {"again": "-1"}):
        answer = client.post(path, data=data)
        assert (answer.status_code, 'role="alert"' in answer.text) == (200, True)
    assert attributes(runtime, organisation, contact_id) == {"shoe": "38"}


def test_of_whom_was_erased_nothing_is_kept(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, path: str, contact_id: int
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        contact = session.get_one(Contact, (organisation.id, contact_id))
        contact.state, contact.attributes = "erased", {}
    assert client.post(path, data={"remark": "Ik ben er nog"}).status_code == 200
    assert attributes(runtime, organisation, contact_id) == {}


def test_who_became_part_of_another_contact_answers_for_that_one(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, path: str, contact_id: int
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        other = ContactRecord(source="test", identities=(IdentityRecord("email", "an.2@example.org"),), given_name="An")
        (result,) = upsert_contacts(session, runtime.keyring, [other], actor="import", at=NOW)
        assert result.contact_id is not None
        merge_contacts(session, contact_id, into_id=result.contact_id, at=NOW)
    client.post(path, data={"remark": "Mooi"})
    assert attributes(runtime, organisation, result.contact_id)["bezoek_remark"] == "Mooi"


def test_a_question_that_the_mail_showed_to_others_is_not_asked(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, path: str, contact_id: int
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        version = session.scalars(select(MailingVersion)).one()
        content = deepcopy(version.content)
        blocks = content["variants"][0]["texts"]["fr"]["blocks"]
        (question,) = [block for block in blocks if block["id"] == "remark"]
        question["only_if"] = {"field": "language", "test": "is", "value": "nl"}
        session.execute(update(MailingVersion).values(content=content))
    assert 'name="again"' in client.get(path).text
    assert 'name="remark"' not in client.get(path).text
    client.post(path, data={"remark": "Mooi", "again": "1"})
    assert "bezoek_remark" not in attributes(runtime, organisation, contact_id)


@pytest.mark.parametrize("token", ["x", "A" * 60, "é"])
def test_a_link_that_is_not_ours_leads_nowhere(client: FlaskClient, path: str, token: str) -> None:
    assert client.get(f"/s/{token}").status_code == 404
    assert client.post(f"{path}x", data={"remark": "a"}).status_code == 404
