"""Comparing segments, and why somebody is in one, asked without a browser."""

from __future__ import annotations

from flask.testing import FlaskClient

from app.accounts.models import Organisation
from app.runtime import Runtime
from tests.segments.filling import Filled
from tests.segments.kept import keep


def test_a_person_is_shown_in_which_segments_and_why(
    marketer: FlaskClient, runtime: Runtime, organisation: Organisation, house: Filled
) -> None:
    segment_id = keep(runtime, organisation)
    _ada, bo, cas = (one.id for one in house.world.contacts)
    assert f'href="/segments/why/{cas}"' in marketer.get(f"/contacts/{cas}").get_data(as_text=True)
    assert "niet erin" in marketer.get(f"/segments/why/{cas}").get_data(as_text=True)
    page = marketer.get(f"/segments/why/{cas}?segment={segment_id}").get_data(as_text=True)
    assert "Zit niet in het segment" in page
    assert "geen bezoek dat meetelt" in page
    page = marketer.get(f"/segments/why/{bo}?segment={segment_id}").get_data(as_text=True)
    assert "1 bezoek dat meetelt" in page
    assert "1 ticket" in page
    assert marketer.get("/segments/why/999999").status_code == 404


def test_two_segments_are_compared_and_each_part_leads_on(
    marketer: FlaskClient, runtime: Runtime, organisation: Organisation
) -> None:
    a = keep(runtime, organisation)
    with_c = {"type": "profile", "field": "family_name", "op": "contains", "value": "c"}
    b = keep(runtime, organisation, with_c, "Met c")
    page = marketer.get(f"/segments/compare?a={a}&b={b}").get_data(as_text=True)
    assert "1 mensen zitten in beide, 1 alleen in Pas geweest, 1 alleen in Met c." in page
    people = marketer.get(f"/segments/compare/people?a={a}&b={b}&part=only_b").get_data(as_text=True)
    assert "Cas Claes" in people
    assert "Ada" not in people
    built = marketer.get(f"/segments/new?a={a}&b={b}&part=only_a").get_data(as_text=True)
    assert 'value="Pas geweest, niet Met c"' in built
    assert "zit in het segment “Pas geweest”, en zit niet in het segment “Met c”" in built


def test_what_cannot_be_compared_says_so(marketer: FlaskClient, runtime: Runtime, organisation: Organisation) -> None:
    a = keep(runtime, organisation)
    assert "nog niets te vergelijken" in marketer.get("/segments/compare").get_data(as_text=True)
    b = keep(runtime, organisation, {"type": "all", "rules": []}, "Iedereen")
    for path in (
        f"compare/people?a={a}&b={b}&part=x",
        f"compare/people?a={a}&b=99&part=both",
        f"new?a=9&b={b}&part=both",
    ):
        assert marketer.get(f"/segments/{path}").status_code == 404
    assert "Kies twee verschillende" in marketer.get(f"/segments/compare?a={a}&b={a}").get_data(as_text=True)
    assert marketer.get("/segments/compare?a=x&b=-1").status_code == 200
