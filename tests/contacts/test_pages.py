"""The pages of people, as somebody clicks through them."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts.models import AuditEvent, Organisation
from app.activities.ingest import upsert_activities, upsert_participations
from app.consent.gate import contactable
from app.consent.ledger import NewEvent, record_event
from app.consent.models import ConsentEvent, ConsentEvidence, Permission, Suppression
from app.contacts.deliverability import mark_bouncing
from app.contacts.directory import find_contact
from app.contacts.ingest import upsert_contacts
from app.contacts.models import Contact, ContactIdentity
from app.db import transaction
from app.runtime import Runtime
from app.segments.definitions import create_segment
from app.segments.membership import evaluate_segment
from integrations.base import ActivityRecord, ContactRecord, ParticipationRecord
from tests.conftest import NOW, make_house, make_user, signed_in

AN = ContactRecord(
    source="kassa", identities=(), email="an@example.org", given_name="An", family_name="van der Berg",
    postcode="9000", municipality="Gent", tags=("vriend",), language="nl",
)  # fmt: skip


@pytest.fixture
def house(runtime: Runtime, organisation: Organisation) -> dict[str, int]:
    """A house with An, who goes out and consented, Bo whose address bounces, and Cy; returns their ids."""
    bo = ContactRecord(source="csv", identities=(), email="bo@example.org", given_name="Bo", postcode="1012 AB")
    cy = ContactRecord(source="csv", identities=(), email="cy@example.org", given_name="<b>Cy</b>")
    with transaction(runtime.engine, organisation.id) as session:
        results = upsert_contacts(session, runtime.keyring, [AN, bo, cy], actor="import", at=NOW)
        show = ActivityRecord("kassa", "v1", "Winterreise", genres=("dans",), starts_at=NOW, venue="Zaal")
        upsert_activities(session, [show], time_zone="Europe/Brussels")
        line = ParticipationRecord("kassa", "t1", AN, "kassa", "v1", quantity=2, booked_at=NOW)
        upsert_participations(session, runtime.keyring, [line], time_zone="Europe/Brussels", actor="import", at=NOW)
        key = session.scalars(select(ContactIdentity.subject_key).where(ContactIdentity.value_key == "bo@example.org"))
        mark_bouncing(session, [bytes(key.one() or b"")], at=NOW)
        record_event(
            session,
            runtime.keyring,
            NewEvent(
                channel="email", purpose="newsletter", action="granted", actor="contact", method="form", source="site",
                address="an@example.org", basis="consent", occurred_at=NOW, wording="Ja, graag.", language="nl",
            ),
        )  # fmt: skip
        segment = create_segment(session, name="Dansers", rule={"type": "tag", "tag": "vriend"})
        evaluate_segment(session, segment.id)
        return {"an": results[0].contact_id or 0, "bo": results[1].contact_id or 0, "cy": results[2].contact_id or 0,
                "segment": segment.id}  # fmt: skip


@pytest.fixture
def marketer(runtime: Runtime, organisation: Organisation, client: FlaskClient) -> FlaskClient:
    """A browser in which a marketer is signed in."""
    return signed_in(client, make_user(runtime, organisation, "marketer"))


def listed(browser: FlaskClient, query: str) -> set[str]:
    """Return the addresses on the list for a query."""
    page = browser.get(f"/contacts?{query}", headers={"HX-Request": "true", "HX-Target": "people"})
    return set(re.findall(r"\w+@example\.org", page.get_data(as_text=True)))


def test_an_empty_house_says_what_to_do_next(marketer: FlaskClient) -> None:
    page = marketer.get("/contacts").get_data(as_text=True)
    assert 'href="/imports"' in page
    assert "zl-empty" in page


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", {"an", "bo", "cy"}),
        ("q=Berg", {"an"}),
        ("q=an+van", {"an"}),
        ("q=BO@", {"bo"}),
        ("q=9000", {"an"}),
        ("q=1012", {"bo"}),
        ("q=%25", set()),
        ("q=niemand", set()),
        ("tag=vriend", {"an"}),
        ("permission=newsletter", {"an"}),
        ("permission=survey", set()),
        ("bouncing=true", {"bo"}),
        ("source=kassa", {"an"}),
        ("segment=nonsense", {"an", "bo", "cy"}),
    ],
)
def test_people_are_found_and_narrowed(
    marketer: FlaskClient, house: dict[str, int], query: str, names: set[str]
) -> None:
    assert listed(marketer, query) == {f"{name}@example.org" for name in names}


def test_the_list_can_be_narrowed_to_a_segment(marketer: FlaskClient, house: dict[str, int]) -> None:
    assert listed(marketer, f"segment={house['segment']}") == {"an@example.org"}


def test_a_person_is_shown_with_visits_segments_permission_and_proof(
    marketer: FlaskClient, house: dict[str, int]
) -> None:
    page = marketer.get(f"/contacts/{house['an']}").get_data(as_text=True)
    for text in ("An van der Berg", "Winterreise", "Dansers", "Ja, graag.", "an@example.org", "vriend"):
        assert text in page, text
    assert "<b>Cy</b>" not in marketer.get(f"/contacts/{house['cy']}").get_data(as_text=True)


def test_fields_and_tags_are_edited_and_read_as_they_are_written_here(
    runtime: Runtime, organisation: Organisation, marketer: FlaskClient, house: dict[str, int]
) -> None:
    typed = {
        "email": "an@example.org", "given_name": "Anna", "postcode": "1012ab", "country": "Nederland",
        "phone": "06 12345678", "tags": "vriend, pers , vriend", "birth_date": "1980-02-29",
    }  # fmt: skip
    assert marketer.post(f"/contacts/{house['an']}/edit", data=typed).status_code == 302
    with transaction(runtime.engine, organisation.id) as session:
        contact = find_contact(session, house["an"])
        assert contact is not None
        assert (contact.given_name, contact.family_name, contact.postcode) == ("Anna", None, "1012 AB")
        assert (contact.country, contact.phone, contact.tags) == ("NL", "+31612345678", ["vriend", "pers"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"email": "geen adres"},
        {"email": "bo@example.org"},
        {"phone": "bel maar"},
        {"birth_date": "gisteren"},
        {"country": "Atlantis"},
    ],
)
def test_a_form_that_cannot_be_saved_comes_back_as_it_was_typed(
    runtime: Runtime, organisation: Organisation, marketer: FlaskClient, house: dict[str, int], wrong: dict[str, str]
) -> None:
    typed = {"email": "an@example.org", "given_name": "Anders"} | wrong
    answer = marketer.post(f"/contacts/{house['an']}/edit", data=typed)
    assert answer.status_code == 422
    assert f'id="field-{next(iter(wrong))}-error-1"' in answer.get_data(as_text=True)
    with transaction(runtime.engine, organisation.id) as session:
        contact = find_contact(session, house["an"])
        assert contact is not None
        assert (contact.given_name, contact.email) == ("An", "an@example.org")


def test_a_correction_is_noted_by_field_and_never_by_what_stood_there(
    runtime: Runtime, organisation: Organisation, marketer: FlaskClient, house: dict[str, int]
) -> None:
    typed = {"email": "an@new.example", "family_name": "Peeters-Nieuw", "phone": "0470 12 34 56", "country": "BE"}
    assert marketer.post(f"/contacts/{house['an']}/edit", data=typed).status_code == 302
    with transaction(runtime.engine, organisation.id) as session:
        (details,) = session.scalars(select(AuditEvent.details).where(AuditEvent.action == "contacts.edit"))
        assert {"email", "family_name", "phone"} <= set(details["fields"])
        assert "an@" not in str(details)
        assert "Peeters" not in str(details)


def test_staff_note_an_opt_out_and_no_edit_brings_anybody_back(
    runtime: Runtime, organisation: Organisation, marketer: FlaskClient, house: dict[str, int]
) -> None:
    """I6: an edit gives no permission, and what staff are told to stop is stopped."""
    assert marketer.post(f"/contacts/{house['an']}/opt-out", data={"note": "aan de balie"}).status_code == 302
    marketer.post(f"/contacts/{house['an']}/edit", data={"email": "an@new.example"})
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalars(select(contactable.c.contact_id)).all() == []
        event = session.scalars(select(ConsentEvent).order_by(ConsentEvent.id.desc())).first()
        assert event is not None
        assert (event.action, event.actor) == ("objected", "staff")
        beside = session.scalars(select(ConsentEvidence).where(ConsentEvidence.event_id == event.id)).one()
        assert beside.evidence == {"note": "aan de balie"}
        no = select(Permission.is_negative).where(Permission.purpose == "newsletter")
        assert session.scalars(no).all() == [True]


def test_two_people_are_merged_and_parted_on_the_page(
    runtime: Runtime, organisation: Organisation, marketer: FlaskClient, house: dict[str, int]
) -> None:
    page = marketer.get(f"/contacts/{house['an']}/merge?q=bo").get_data(as_text=True)
    assert "bo@example.org" in page
    marketer.post(f"/contacts/{house['an']}/merge", data={"other": house["bo"]})
    assert marketer.get(f"/contacts/{house['bo']}").location == f"/contacts/{house['an']}"
    assert "bo@example.org" in marketer.get(f"/contacts/{house['an']}").get_data(as_text=True)
    marketer.post(f"/contacts/{house['bo']}/unmerge")
    with transaction(runtime.engine, organisation.id) as session:
        assert set(session.scalars(select(Contact.state))) == {"living"}


def test_an_erased_person_shows_nothing_but_their_visits(
    runtime: Runtime, organisation: Organisation, marketer: FlaskClient, house: dict[str, int]
) -> None:
    assert marketer.post(f"/contacts/{house['an']}/erase").location == "/contacts"
    page = marketer.get(f"/contacts/{house['an']}").get_data(as_text=True)
    assert "van der Berg" not in page
    assert "an@example.org" not in page
    assert "Winterreise" in page
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalars(select(Suppression.reason)).all() == ["erased"]


def test_an_activity_shows_who_comes(runtime: Runtime, marketer: FlaskClient, house: dict[str, int]) -> None:
    listed_page = marketer.get("/activities?q=winter").get_data(as_text=True)
    address = re.search(r"/activities/\d+", listed_page)
    assert address is not None
    page = marketer.get(address[0]).get_data(as_text=True)
    assert "An van der Berg" in page
    assert "Winterreise" not in marketer.get("/activities?q=opera").get_data(as_text=True)


def test_a_viewer_sees_and_changes_nothing(
    runtime: Runtime, organisation: Organisation, app: Flask, house: dict[str, int]
) -> None:
    browser = signed_in(app.test_client(), make_user(runtime, organisation, "viewer"))
    page = browser.get(f"/contacts/{house['an']}").get_data(as_text=True)
    assert "An van der Berg" in page
    assert f"/contacts/{house['an']}/erase" not in page
    for path in ("edit", "erase", "opt-out", "merge", "unmerge"):
        assert browser.post(f"/contacts/{house['an']}/{path}").status_code == 403, path
    assert browser.get(f"/contacts/{house['an']}/export.json").status_code == 403


def test_nobody_sees_the_people_of_another_house(runtime: Runtime, app: Flask, house: dict[str, int]) -> None:
    other = signed_in(app.test_client(), make_user(runtime, make_house(runtime, "Het Andere"), "admin"))
    for path in ("", "/edit", "/merge", "/export.json"):
        assert other.get(f"/contacts/{house['an']}{path}").status_code == 404, path
    for path in ("/edit", "/erase", "/opt-out", "/unmerge"):
        assert other.post(f"/contacts/{house['an']}{path}", data={"email": "x@example.org"}).status_code == 404, path
    assert other.post(f"/contacts/{house['an']}/merge", data={"other": house["bo"]}).status_code == 404
    assert listed(other, "") == set()
