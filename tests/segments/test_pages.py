"""The pages of segments, asked without a browser."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts.models import AuditEvent, Organisation
from app.db import transaction
from app.runtime import Runtime
from app.segments import definitions
from app.segments.membership import evaluate_segment
from app.segments.models import Segment
from app.segments.recipes import RECIPES
from app.segments.suggestions import KINDS
from tests.conftest import make_house, make_user, signed_in
from tests.segments.evaluator import Activity
from tests.segments.filling import Filled
from tests.segments.people import DAY as TODAY
from tests.segments.people import at_noon, move_in, person, visits

CAME: dict[str, Any] = {"type": "participation", "at_least": 1, "between": ["-P30D", "P1D"]}
DANCE = Activity(id=7, genres=("dans",), venue="Grote Zaal", series="Abo", starts_at=at_noon(TODAY))


@pytest.fixture
def house(runtime: Runtime, organisation: Organisation) -> Filled:
    with transaction(runtime.engine, organisation.id) as session:
        return move_in(
            session,
            person(1, *visits(5), given_name="Ada", family_name="=cmd|' /C calc'!A0", municipality="Gent"),
            person(2, *visits(3, activity=DANCE), given_name="Bo", family_name="<b>Peeters</b>"),
            person(3, *visits(90), given_name="Cas", family_name="Claes"),
        )


@pytest.fixture
def marketer(client: FlaskClient, runtime: Runtime, organisation: Organisation, house: Filled) -> FlaskClient:
    return signed_in(client, make_user(runtime, organisation, "marketer"))


def keep(runtime: Runtime, organisation: Organisation, rule: dict[str, Any] = CAME, name: str = "Pas geweest") -> int:
    with transaction(runtime.engine, organisation.id) as session:
        segment = definitions.create_segment(session, name=name, rule=rule)
        evaluate_segment(session, segment.id)
        return segment.id


def kept(runtime: Runtime, organisation: Organisation) -> list[Segment]:
    with transaction(runtime.engine, organisation.id) as session:
        return definitions.list_segments(session)


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


def test_the_live_preview_answers_with_a_funnel_and_a_sentence(marketer: FlaskClient) -> None:
    answer = marketer.post("/segments/live", json={"rule": CAME, "purpose": "newsletter"}).get_json()
    assert (answer["count"], answer["errors"]) == (2, {})
    assert "Iedereen in dit segment kwam minstens 1 keer" in answer["html"]
    assert "Ada" in answer["html"]


def test_the_live_preview_says_what_is_unfinished_and_where(marketer: FlaskClient) -> None:
    rule = {"type": "all", "rules": [CAME, {"type": "tag", "tag": ""}]}
    answer = marketer.post("/segments/live", json={"rule": rule}).get_json()
    assert answer == {"errors": {"rules.1.tag": "Dit mag niet leeg zijn."}}


def test_a_person_is_found_and_checked(marketer: FlaskClient, house: Filled) -> None:
    found = marketer.post("/segments/check", json={"q": "cla"}).get_data(as_text=True)
    cas = house.world.contacts[2].id
    assert f'data-person="{cas}"' in found
    assert "Ada" not in found
    checked = marketer.post("/segments/check", json={"rule": CAME, "contact_id": cas}).get_data(as_text=True)
    assert "Zit niet in het segment" in checked
    assert 'class="is-no"' in checked


def test_what_is_typed_is_looked_for_as_it_is(marketer: FlaskClient) -> None:
    for text in ("%", "_", "\\", "' OR 1=1"):
        assert "data-person" not in marketer.post("/segments/check", json={"q": text}).get_data(as_text=True)


def test_every_picker_proposes_what_is_there(marketer: FlaskClient) -> None:
    expected = {"genres": ["dans"], "venues": ["Grote Zaal"], "series": ["Abo"], "municipality": ["Gent"]}
    for kind in KINDS:
        answer = marketer.get(f"/segments/suggestions/{kind}?q=")
        assert answer.status_code == 200, kind
        if kind in expected:
            assert [one["value"] for one in answer.get_json()] == expected[kind]
            assert marketer.get(f"/segments/suggestions/{kind}?q=xyz").get_json() == []
    assert marketer.get("/segments/suggestions/passwords").status_code == 404


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
    for path in ("new", f"{segment_id}/edit", f"{segment_id}/delete", f"{segment_id}/export", f"{segment_id}/evaluate"):
        assert viewer.post(f"/segments/{path}").status_code == 403
    assert "Exporteren" not in viewer.get(f"/segments/{segment_id}").get_data(as_text=True)


def test_a_segment_of_nobody_is_a_page_that_says_so(marketer: FlaskClient) -> None:
    for path in ("999", "999/edit", "999/copy"):
        assert marketer.get(f"/segments/{path}").status_code == 404


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_pages_speak_the_languages(client: FlaskClient, runtime: Runtime, language: str) -> None:
    user = make_user(runtime, make_house(runtime, "Elders", language=language), "admin")
    signed_in(client, user)
    for path in ("/segments/", "/segments/recipes", "/segments/new"):
        page = client.get(path).get_data(as_text=True)
        assert f'<html lang="{language}">' in page
        assert "Segmenten" not in page
