"""The pages of segments, asked without a browser."""

from __future__ import annotations

import json

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts.models import AuditEvent, Organisation
from app.db import transaction
from app.runtime import Runtime
from app.segments.building.recipes import RECIPES
from tests.conftest import make_house, make_user, signed_in
from tests.segments.filling import Filled
from tests.segments.kept import CAME, keep, kept


def test_an_empty_list_says_what_a_segment_is_and_offers_recipes(marketer: FlaskClient) -> None:
    page = marketer.get("/segments/").get_data(as_text=True)
    assert "Nog geen segmenten" in page
    assert page.count('name="recipe"') == len(RECIPES)


def test_the_list_shows_each_segment_with_its_sentence_and_size(
    marketer: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    first = keep(runtime, organisation)
    keep(runtime, organisation, {"type": "segment", "segment": first, "is": "not_member"}, "Niet geweest")
    page = marketer.get("/segments/").get_data(as_text=True)
    assert "kwam minstens 1 keer van 21 oktober 2026 tot en met 20 november 2026" in page
    assert f'href="/segments/{first}"' in page
    assert page.index("Niet geweest") < page.index("Pas geweest")
    assert (
        "Pas geweest"
        not in marketer.get("/segments/?q=niet").get_data(as_text=True).split("<table")[1].split("</a>")[0]
    )


def test_a_segment_shows_its_people_safely(marketer: FlaskClient, runtime: Runtime, organisation: Organisation) -> None:
    page = marketer.get(f"/segments/{keep(runtime, organisation)}").get_data(as_text=True)
    assert "&lt;b&gt;Peeters&lt;/b&gt;" in page
    assert "<b>Peeters</b>" not in page
    assert "n1@example.org" in page
    assert "n3@example.org" not in page
    assert "Wie gemaild kan worden" in page


def test_who_can_be_mailed_follows_the_page_and_is_in_it_without_a_script(
    marketer: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    address = f"/segments/{keep(runtime, organisation)}"
    page = marketer.get(address).get_data(as_text=True)
    assert f'hx-get="{address}/funnel?purpose=newsletter"' in page
    assert "kan gemaild worden" not in page
    assert "kan gemaild worden" in marketer.get(f"{address}/funnel").get_data(as_text=True)
    assert "kan gemaild worden" in marketer.get(f"{address}?funnel=1").get_data(as_text=True)


def test_a_recipe_opens_the_builder_with_its_rule(marketer: FlaskClient) -> None:
    page = marketer.get("/segments/new?recipe=lapser&visits=5").get_data(as_text=True)
    assert "&#34;at_least&#34;: 5" in page
    assert "kwam minstens 5 keer" in page
    assert 'value="Afhakers"' in page


def test_saving_keeps_the_segment_and_its_members(
    marketer: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    answer = marketer.post("/segments/new", data={"name": "Pas geweest", "rule": json.dumps(CAME)})
    [segment] = kept(runtime, organisation)
    assert answer.headers["Location"].endswith(f"/segments/{segment.id}")
    assert (segment.name, segment.rule, segment.member_count) == ("Pas geweest", CAME, 2)
    marketer.post(f"/segments/{segment.id}/edit", data={"name": "Iedereen", "rule": '{"type": "all", "rules": []}'})
    [segment] = kept(runtime, organisation)
    assert (segment.name, segment.version, segment.member_count) == ("Iedereen", 2, 3)


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        (("", json.dumps(CAME)), "Vul dit in."),
        (("X", ""), "Vul dit in."),
        (("X", "{"), "Dit is geen JSON."),
        (("X", "[" * 100_000), "Dit is geen JSON."),
        (("X", '{"type": "participation"}'), "Geef minstens één grens"),
        (("pas GEWEEST", json.dumps(CAME)), "Er is al een segment met deze naam."),
    ],
)
def test_what_cannot_be_saved_is_shown_again_as_it_was(
    marketer: FlaskClient, runtime: Runtime, organisation: Organisation, sent: tuple[str, str], sentence: str
) -> None:
    keep(runtime, organisation)
    data = {"name": sent[0], "rule": sent[1], "description": "bewaar mij"}
    answer = marketer.post("/segments/new", data=data)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert sentence in page
    assert "bewaar mij" in page
    assert len(kept(runtime, organisation)) == 1


def test_an_export_is_harmless_and_leaves_a_trace(
    marketer: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    segment_id = keep(runtime, organisation)
    answer = marketer.post(f"/segments/{segment_id}/export", buffered=True)
    lines = answer.get_data(as_text=True).lstrip("\ufeff").splitlines()
    assert lines[0].startswith("Nummer;Voornaam;Familienaam;E-mailadres")
    assert len(lines) == 3
    assert "'=cmd" in lines[1]
    with transaction(runtime.engine, organisation.id) as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "segments.export")).one()
    assert (event.subject_id, event.details) == (segment_id, {"contacts": 2})


def test_an_export_for_a_purpose_says_so_in_the_audit_trail(
    marketer: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    segment_id = keep(runtime, organisation)
    answer = marketer.post(f"/segments/{segment_id}/export", data={"purpose": "newsletter"}, buffered=True)
    assert answer.status_code == 200
    with transaction(runtime.engine, organisation.id) as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "segments.export")).one()
    assert event.details == {"contacts": 2, "purpose": "newsletter"}
    assert marketer.post(f"/segments/{segment_id}/export", data={"purpose": "nonsense"}).status_code == 422


def test_a_snapshot_is_a_segment_and_leaves_a_trace(
    marketer: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    segment_id = keep(runtime, organisation)
    page = marketer.post(f"/segments/{segment_id}/freeze", data={"name": "Najaar"}, follow_redirects=True)
    assert "“Najaar” is bewaard" in page.get_data(as_text=True)
    [_first, frozen] = kept(runtime, organisation)
    assert (frozen.name, frozen.rule, frozen.member_count) == ("Najaar", {"type": "tag", "tag": "Najaar"}, 2)
    assert frozen.description == "Wie in “Pas geweest” zat op 20 nov 2026."
    again = marketer.post(f"/segments/{segment_id}/freeze", data={"name": "Najaar"}, follow_redirects=True)
    assert "Kies een andere naam" in again.get_data(as_text=True)
    assert len(kept(runtime, organisation)) == 2
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalars(select(AuditEvent).where(AuditEvent.action == "segments.freeze")).one()


def test_a_used_segment_has_no_button_to_remove_it(
    marketer: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    first = keep(runtime, organisation)
    keep(runtime, organisation, {"type": "segment", "segment": first, "is": "member"}, "Dezelfde")
    page = marketer.get(f"/segments/{first}").get_data(as_text=True)
    assert f"/segments/{first}/delete" not in page
    assert "Zolang het gebruikt wordt" in page


def test_a_segment_shows_how_it_grew_and_why(
    marketer: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    page = marketer.get(f"/segments/{keep(runtime, organisation)}").get_data(as_text=True)
    assert "<polygon points=" in page
    assert "van 0 naar 2, hoogstens 2" in page
    assert "+2" in page.split("In de laatste 30 dagen")[1].split("</ul>")[0]


def test_a_day_shows_who_was_in_it_then(marketer: FlaskClient, runtime: Runtime, organisation: Organisation) -> None:
    segment_id = keep(runtime, organisation)
    page = marketer.get(f"/segments/{segment_id}/on?day=2026-08-26").get_data(as_text=True)
    assert "met wat nu bekend is" in page
    assert "Cas Claes" in page
    assert "Ada" not in page
    for day in ("", "nooit", "0001-01-01", "2026-13-01"):
        answer = marketer.get(f"/segments/{segment_id}/on?day={day}", follow_redirects=True)
        assert "Kies eerst een dag" in answer.get_data(as_text=True)


def test_a_genre_that_is_gone_is_told_on_the_page(
    marketer: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    segment_id = keep(runtime, organisation, {**CAME, "where": {"genres": ["opera"]}})
    assert "heeft nog het genre “opera”" in marketer.get(f"/segments/{segment_id}").get_data(as_text=True)


def test_the_latest_changes_have_a_page(marketer: FlaskClient, runtime: Runtime, organisation: Organisation) -> None:
    page = marketer.get(f"/segments/{keep(runtime, organisation)}/changes").get_data(as_text=True)
    assert page.count("de regel is gemaakt of gewijzigd") == 2


def test_a_used_segment_is_not_removed_and_the_page_says_why(
    marketer: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    first = keep(runtime, organisation)
    keep(runtime, organisation, {"type": "segment", "segment": first, "is": "member"}, "Dezelfde")
    page = marketer.post(f"/segments/{first}/delete", follow_redirects=True).get_data(as_text=True)
    assert "wordt nog gebruikt door: Dezelfde" in page
    assert len(kept(runtime, organisation)) == 2


def test_somebody_who_may_only_look_cannot_change_or_take_along(
    client: FlaskClient, runtime: Runtime, organisation: Organisation, house: Filled
) -> None:
    segment_id = keep(runtime, organisation)
    viewer = signed_in(client, make_user(runtime, organisation, "viewer"))
    assert viewer.get(f"/segments/{segment_id}").status_code == 200
    for path in (
        "new",
        f"{segment_id}/edit",
        f"{segment_id}/delete",
        f"{segment_id}/export",
        f"{segment_id}/evaluate",
        f"{segment_id}/freeze",
    ):
        assert viewer.post(f"/segments/{path}").status_code == 403
    assert "Exporteren" not in viewer.get(f"/segments/{segment_id}").get_data(as_text=True)


def test_a_segment_of_nobody_is_a_page_that_says_so(marketer: FlaskClient) -> None:
    for path in ("999", "999/edit", "999/copy", "999/changes", "999/on?day=2026-01-01", "why/1?segment=999"):
        assert marketer.get(f"/segments/{path}").status_code == 404


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_pages_speak_the_languages(client: FlaskClient, runtime: Runtime, language: str) -> None:
    user = make_user(runtime, make_house(runtime, "Elders", language=language), "admin")
    signed_in(client, user)
    for path in ("/segments/", "/segments/recipes", "/segments/new", "/segments/compare"):
        page = client.get(path).get_data(as_text=True)
        assert f'<html lang="{language}">' in page
        assert "Segmenten" not in page
