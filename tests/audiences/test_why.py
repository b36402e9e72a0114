"""For everybody, pushed or not, a page says why: what was known then, and what holds now."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app.audiences.why_there import why_there
from tests.audiences.test_pages import browser
from tests.audiences.world import World
from tests.consent.people import WORDING, a_grant

AN, BO, CIS, DIS, EL = (f"{name}@example.org" for name in ("an", "bo", "cis", "dis", "el"))


@pytest.fixture
def marketer(world: World) -> FlaskClient:
    return browser(world, "marketer")


def codes(world: World, audience_id: int) -> dict[str, tuple[str, str | None]]:
    audience = world.audience_row(audience_id)
    with world.transaction() as session:
        found = {email: why_there(session, audience, one, language="en") for email, one in world.contacts.items()}
    return {email: (one.code, one.detail) for email, one in found.items()}


def test_everybody_has_an_answer_and_it_is_the_first_thing_in_the_way(world: World) -> None:
    world.person(AN)
    world.person(BO, permitted=False)
    world.person(CIS, wanted=False)
    world.person(DIS)
    world.mailchimp.forget(DIS)
    audience_id = world.audience()
    world.run(audience_id)
    world.person(EL)
    found = codes(world, audience_id)
    assert found[AN] == ("there", None)
    assert found[BO] == ("not_permitted", "no_record")
    assert found[CIS] == ("not_in_segment", None)
    assert found[DIS] == ("not_permitted", "withdrawn"), "the refusal was taken as their no"
    assert found[EL] == ("waits", None)
    world.mailchimp.clean(AN)
    world.run(audience_id)
    assert codes(world, audience_id)[AN] == ("held_out", "cleaned")


def test_a_push_is_explained_as_of_then_and_as_of_today(world: World, marketer: FlaskClient) -> None:
    world.person(AN, given_name="An")
    audience_id = world.audience()
    world.run(audience_id)
    world.later(days=2)
    page = marketer.get(f"/audiences/{audience_id}/why/{world.contacts[AN]}").text
    assert "On 20 Nov 2026" in page
    assert "the answer was yes: gave consent" in page
    assert WORDING in page
    assert "What was said since" not in page
    world.withdraw(AN)
    page = marketer.get(f"/audiences/{audience_id}/why/{world.contacts[AN]}").text
    assert "the answer was yes: gave consent" in page, "what was decided then stays what it was"
    assert "What was said since" in page
    assert "They may not be mailed for this." in page
    assert "Why?" in marketer.get(f"/audiences/{audience_id}/people").text


def test_a_persons_page_leads_to_every_audience_with_its_why(world: World, marketer: FlaskClient) -> None:
    world.person(AN, given_name="An", permitted=False)
    world.record(a_grant(AN, purpose="survey", wording="Vraag maar."))
    audience_id = world.audience()
    world.run(audience_id)
    contact_id = world.contacts[AN]
    assert f"/audiences/of/{contact_id}" in marketer.get(f"/contacts/{contact_id}").text
    page = marketer.get(f"/audiences/of/{contact_id}").text
    assert "They may not be mailed for this." in page
    assert "Nothing is known, so no" in page
    for path in (f"/audiences/of/{10**6}", f"/audiences/{audience_id}/why/{10**6}", f"/audiences/{10**6}/why/1"):
        assert marketer.get(path).status_code == 404
