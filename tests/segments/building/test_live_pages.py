"""What the builder's script asks, asked without a browser."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.accounts.models import Organisation
from app.runtime import Runtime
from app.segments.building import live_pages
from app.segments.building.suggestions import KINDS
from app.segments.problems import TooSlowError
from tests.segments.filling import Filled
from tests.segments.kept import CAME, keep


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
    expected = {
        "genres": ["dans", "uitdatabank:0.54.0.0.0"],
        "venues": ["Grote Zaal"],
        "series": ["Abo"],
        "municipality": ["Gent"],
    }
    for kind in KINDS:
        answer = marketer.get(f"/segments/suggestions/{kind}?q=")
        assert answer.status_code == 200, kind
        if kind in expected:
            assert [one["value"] for one in answer.get_json()] == expected[kind]
            assert marketer.get(f"/segments/suggestions/{kind}?q=xyz").get_json() == []
    assert marketer.get("/segments/suggestions/passwords").status_code == 404


def test_a_genre_that_is_gone_is_told_at_its_condition(marketer: FlaskClient) -> None:
    rule = {"type": "all", "rules": [{**CAME, "where": {"genres": ["opera"]}}]}
    answer = marketer.post("/segments/live", json={"rule": rule}).get_json()
    assert answer["notes"] == {"rules.0.where.genres": "Geen enkele activiteit heeft nog het genre “opera”."}


def test_the_builder_asks_what_each_condition_counts(marketer: FlaskClient) -> None:
    rule = {"type": "all", "rules": [CAME, {"type": "profile", "field": "municipality", "op": "is", "value": "Gent"}]}
    answer = marketer.post("/segments/live/counts", json={"rule": rule, "asked_by": "abc"}).get_json()
    assert answer == {"of": 3, "steps": {"rules.0": {"alone": 2, "left": 2}, "rules.1": {"alone": 1, "left": 1}}}
    assert marketer.post("/segments/live/counts", json={"rule": {"type": "tag"}}).get_json() == {"steps": {}}


def test_a_segment_that_would_refer_to_itself_is_told_while_it_is_built(
    marketer: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    segment_id = keep(runtime, organisation)
    rule = {"type": "all", "rules": [{"type": "segment", "segment": segment_id, "is": "member"}]}
    answer = marketer.post("/segments/live", json={"rule": rule, "segment": segment_id}).get_json()
    assert list(answer["errors"]) == ["rules.0.segment"]
    assert marketer.post("/segments/live", json={"rule": rule}).get_json()["errors"] == {}


@pytest.mark.parametrize("rule", [None, 5, [], "x", {"type": "all", "rules": [CAME] * 1000}, {"type": "nonsense"}])
def test_what_is_no_rule_is_told_at_once_and_in_words(marketer: FlaskClient, rule: Any) -> None:
    answer = marketer.post("/segments/live", json={"rule": rule}).get_json()
    assert len(answer["errors"]) == 1
    assert marketer.post("/segments/check", json={"rule": rule, "contact_id": 1}).status_code == 200


def test_what_is_no_question_is_refused(marketer: FlaskClient) -> None:
    for path in ("live", "live/counts", "check"):
        assert marketer.post(f"/segments/{path}", data="[1]", content_type="application/json").status_code == 400


def test_a_ready_made_segment_says_how_many_before_it_is_made(marketer: FlaskClient) -> None:
    answer = marketer.post("/segments/recipes/loyal/count", data={"visits": "1"}).get_json()
    assert (answer["count"], answer["of"]) == (3, 3)
    wrong = marketer.post("/segments/recipes/loyal/count", data={"visits": "-3"}).get_json()
    assert wrong == {"problems": {"visits": "Geef een geheel getal van 1 tot 365."}}
    assert marketer.post("/segments/recipes/nothing/count").status_code == 404


def test_counts_that_take_too_long_are_said_to_be_missing(
    marketer: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_slow(*_: object, **__: object) -> None:
        raise TooSlowError("no answer within 10 s")

    monkeypatch.setattr(live_pages, "count_conditions", too_slow)
    answer = marketer.post("/segments/live/counts", json={"rule": CAME}).get_json()
    assert answer["steps"] == {}
    assert answer["told"].startswith("Elke voorwaarde apart tellen duurt te lang")
