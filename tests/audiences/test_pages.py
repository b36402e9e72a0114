"""What a marketer sees and may do."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app.audiences.beat import keep_audiences
from tests.audiences.world import World
from tests.conftest import application, make_user, signed_in
from tests.standins.mailchimp import Fault

AN, BO = "an@example.org", "bo@example.org"


@pytest.fixture
def marketer(world: World) -> FlaskClient:
    return browser(world, "marketer")


def browser(world: World, role: str) -> FlaskClient:
    flask = application(world.runtime)
    user = make_user(world.runtime, world.organisation, role)
    with world.transaction() as session:
        session.merge(user).language = "en"
    return signed_in(flask.test_client(), user)


def beat(world: World) -> None:
    keep_audiences(world.runtime, world.organisation.id)


def form_of(world: World, segment_id: int, **changes: object) -> dict[str, object]:
    return {
        "name": "Lezers",
        "segment_id": segment_id,
        "purpose": "newsletter",
        "connection_id": world.connection_id,
        "list_ref": world.list_id,
        "brake_pct": 20,
        "field.FNAME": "given_name",
    } | changes


def test_the_way_from_nothing_to_a_confirmed_first_push(world: World, marketer: FlaskClient) -> None:
    world.person(AN, given_name="An")
    world.person(BO, permitted=False)
    segment_id = world.segment()
    assert "No audiences yet" in marketer.get("/audiences").text
    page = marketer.get("/audiences/new").text
    assert "New audience" in page
    offered = marketer.get(f"/audiences/new/lists?connection_id={world.connection_id}").text
    assert "Nieuwsbrief (0 people)" in offered
    assert "FNAME" in offered
    counted = marketer.get(
        f"/audiences/new/preview?segment_id={segment_id}&purpose=newsletter&connection_id={world.connection_id}"
    ).text
    assert "never said yes, or said no" in counted
    answer = marketer.post("/audiences/new", data=form_of(world, segment_id))
    assert answer.status_code == 302
    address = answer.headers["Location"]
    assert "Starts in a moment" in marketer.get(address).text
    beat(world)
    page = marketer.get(address).text
    assert "Confirm the first push" in page
    assert world.pushes() == 0
    confirm = next(part for part in page.split('"') if part.endswith("/confirm"))
    assert marketer.post(confirm).status_code == 302
    beat(world)
    page = marketer.get(address).text
    assert "In step" in page
    assert world.mailchimp.fields(AN) == {"FNAME": "An"}
    assert world.mailchimp.emails() == {AN}
    assert AN in marketer.get(f"{address}/people").text
    assert "Lezers" in marketer.get("/audiences").text


def test_not_now_pushes_nobody_and_pauses_an_audience_that_was_at_work(world: World, marketer: FlaskClient) -> None:
    emails = world.people(5)
    audience_id = world.audience()
    world.run(audience_id)
    world.people(5, prefix="q")
    run = world.scheduled(audience_id)
    page = marketer.get(f"/audiences/{audience_id}").text
    assert "more of the audience at once than you allowed" in page
    marketer.post(f"/audiences/{audience_id}/runs/{run.id}/not-now")
    assert world.audience_row(audience_id).state == "paused"
    assert world.tagged() == set(emails)
    again = marketer.post(f"/audiences/{audience_id}/runs/{run.id}/confirm", follow_redirects=True)
    assert "does not wait any more" in again.text


def test_what_is_wrong_with_a_form_stands_beside_its_field(world: World, marketer: FlaskClient) -> None:
    segment_id = world.segment()
    world.audience(segment_id, name="Lezers")
    answer = marketer.post("/audiences/new", data=form_of(world, segment_id, brake_pct=0))
    assert (answer.status_code, "Choose a number from 1 to 100." in answer.text) == (422, True)
    answer = marketer.post("/audiences/new", data=form_of(world, segment_id))
    assert (answer.status_code, "already an audience with this name" in answer.text) == (422, True)
    answer = marketer.post("/audiences/new", data=form_of(world, segment_id, list_ref="gone", name="Nieuw"))
    assert (answer.status_code, "Choose one from the list." in answer.text) == (422, True)
    answer = marketer.post("/audiences/new", data=form_of(world, 999, name="Nieuw"))
    assert (answer.status_code, "Choose one from the list." in answer.text) == (422, True)


def test_a_mail_system_that_does_not_answer_is_told_in_words(world: World, marketer: FlaskClient) -> None:
    world.mailchimp.fail_next(Fault.SERVER_ERROR, times=50)
    page = marketer.get(f"/audiences/new/lists?connection_id={world.connection_id}").text
    assert "Try again" in page
    assert "fault on its side" in page
    world.mailchimp.recover()


def test_a_stopped_run_says_why_in_words(world: World, marketer: FlaskClient) -> None:
    world.person(AN)
    audience_id = world.audience()
    world.mailchimp.remove_list()
    run = world.run(audience_id)
    assert run.failure_code == "list_missing"
    assert "The list is not there any more" in marketer.get(f"/audiences/{audience_id}").text
    assert "The list is not there any more" in marketer.get(f"/audiences/{audience_id}/runs/{run.id}").text


def test_people_who_were_refused_are_shown_with_the_reason(world: World, marketer: FlaskClient) -> None:
    world.person(AN, given_name="An", family_name="De Wit")
    world.mailchimp.forget(AN)
    audience_id = world.audience()
    run = world.run(audience_id)
    for address in ("", "/people?only=refused", f"/runs/{run.id}"):
        page = marketer.get(f"/audiences/{audience_id}{address}").text
        assert "Deleted for good in the mail system" in page, address


def test_an_audience_is_changed_and_removed(world: World, marketer: FlaskClient) -> None:
    world.person(AN, municipality="Gent")
    audience_id = world.audience()
    world.run(audience_id)
    assert "LNAME" in marketer.get(f"/audiences/{audience_id}/edit").text
    segment_id = world.audience_row(audience_id).segment_id
    form = {"name": "Anders", "segment_id": segment_id, "purpose": "newsletter", "brake_pct": 30}
    answer = marketer.post(f"/audiences/{audience_id}/edit", data=form | {"field.FNAME": "municipality"})
    assert answer.status_code == 302
    beat(world)
    assert world.mailchimp.fields(AN)["FNAME"] == "Gent"
    assert marketer.post(f"/audiences/{audience_id}/remove").status_code == 302
    beat(world)
    assert (world.tagged(), world.mailchimp.status(AN)) == (set(), "subscribed")
    assert marketer.get(f"/audiences/{audience_id}").status_code == 404
    with world.transaction() as session:
        from app.segments.definitions import delete_segment

        delete_segment(session, segment_id or 0)


def test_the_home_page_says_which_audience_waits_or_stopped(world: World, marketer: FlaskClient) -> None:
    world.person(AN)
    audience_id = world.audience(name="Wachters")
    world.run(audience_id, confirmed=False)
    page = marketer.get("/").text
    assert "“Wachters” waits for you" in page
    assert f"/audiences/{audience_id}" in page
    world.run(audience_id)
    assert "Wachters" not in marketer.get("/").text
    world.mailchimp.remove_list()
    world.run(audience_id)
    assert "“Wachters” stopped" in marketer.get("/").text


def test_somebody_who_only_looks_cannot_change_anything(world: World) -> None:
    audience_id = world.audience()
    viewer = browser(world, "viewer")
    page = viewer.get(f"/audiences/{audience_id}")
    assert page.status_code == 200
    assert "Look again" not in page.text
    for address in ("run", "pause", "resume", "remove", "edit"):
        assert viewer.post(f"/audiences/{audience_id}/{address}").status_code == 403


@pytest.mark.parametrize("address", ["", "/people", "/runs", "/edit", "/runs/7", "/status"])
def test_an_audience_that_does_not_exist_is_not_found(marketer: FlaskClient, address: str) -> None:
    for number in ("77", "99999999999999999999"):
        assert marketer.get(f"/audiences/{number}{address}").status_code == 404


def test_no_page_is_blank_before_anything_exists(runtime: object, world: World, marketer: FlaskClient) -> None:
    assert "First make a segment" in marketer.get("/audiences").text
    assert marketer.get("/audiences/new").status_code == 302
    audience_id = world.audience()
    assert "There has been no run yet" in marketer.get(f"/audiences/{audience_id}").text
    assert "Nobody is there yet" in marketer.get(f"/audiences/{audience_id}/people").text
    assert "There has been no run yet" in marketer.get(f"/audiences/{audience_id}/runs").text
