"""What people see of opt-outs on their way, and what operators are told."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app.audiences.clearing.travelling import figures, list_travels
from tests.audiences.clearing_world import ClearingWorld
from tests.audiences.test_pages import browser
from tests.conftest import NOW
from tests.standins.mailchimp import Fault

AN, BO = "an@example.org", "bo@example.org"


@pytest.fixture
def world(clearing_world: ClearingWorld) -> ClearingWorld:
    return clearing_world


@pytest.fixture
def marketer(world: ClearingWorld) -> FlaskClient:
    return browser(world, "marketer")


def known_everywhere(world: ClearingWorld, email: str = AN) -> None:
    world.person(email, given_name="An", family_name="De Wit")
    world.mailchimp.add_member(email)
    world.campaign_monitor.add_person(email)


def test_one_opt_out_is_seen_travelling_with_the_time_each_system_took(
    world: ClearingWorld, marketer: FlaskClient
) -> None:
    assert "Nobody has opted out yet" in marketer.get("/opt-outs").text
    known_everywhere(world)
    world.withdraw(AN, purpose="newsletter")
    world.later(seconds=4)
    world.carry_to(world.connection_id)
    world.later(seconds=36)
    page = marketer.get("/opt-outs").text
    assert "An De Wit" in page
    assert "CM: Under way" in page
    world.carry()
    (clearing,) = world.clearings()
    shown = marketer.get(f"/opt-outs/{clearing.id}").text
    assert "MailChimp: after 4 seconds" in shown
    assert "CM: after 40 seconds" in shown
    assert "Newsletter" in shown
    assert "MailChimp knows that they said no" in marketer.get(f"/contacts/{world.contacts[AN]}").text
    assert "An De Wit" in marketer.get(f"/opt-outs/of/{world.contacts[AN]}").text


def test_a_system_that_fails_is_told_with_what_to_do_and_can_be_tried_again(
    world: ClearingWorld, marketer: FlaskClient
) -> None:
    known_everywhere(world)
    world.withdraw(AN)
    world.mailchimp.fail_next(Fault.SERVER_ERROR, times=100)
    world.carry()
    world.later(minutes=6)
    page = marketer.get("/opt-outs?only=failing").text
    assert "Some opt-outs take longer than five minutes" in page
    (clearing,) = world.clearings()
    shown = marketer.get(f"/opt-outs/{clearing.id}").text
    assert "does not get through since" in shown
    assert "The system has a fault on its side." in shown
    assert "Opt-outs do not arrive in time" in marketer.get("/").text
    world.mailchimp.recover()
    answer = marketer.post(f"/opt-outs/{clearing.id}/retry/{world.connection_id}", follow_redirects=True)
    assert "tried again within a few seconds" in answer.text
    world.carry()
    assert world.mailchimp.status(AN) == "unsubscribed"
    assert "Opt-outs do not arrive in time" not in marketer.get("/").text
    again = marketer.post(f"/opt-outs/{clearing.id}/retry/{world.connection_id}", follow_redirects=True)
    assert "nothing left to try" in again.text
    assert marketer.get("/opt-outs?only=late").status_code == 200


def test_operators_are_told_of_what_is_late_and_of_nobody(world: ClearingWorld, marketer: FlaskClient) -> None:
    known_everywhere(world)
    world.withdraw(AN)
    world.later(minutes=4)
    assert marketer.get("/alarmz").get_json() == {"status": "ok", "opt_outs": {}}
    world.later(minutes=2)
    answer = marketer.get("/alarmz")
    house = str(world.organisation.id)
    assert (answer.status_code, answer.get_json()["opt_outs"]) == (503, {house: {"late": 1, "failing": 0}})
    told = marketer.get("/metrics").text
    assert f'zaallicht_opt_outs_unsent_seconds{{organisation="{house}"}} 360.0' in told
    assert "example.org" not in answer.text + told
    outside = {"REMOTE_ADDR": "192.0.2.9"}
    assert marketer.get("/alarmz", environ_overrides=outside).status_code == 403


def test_the_times_are_measured(world: ClearingWorld) -> None:
    for number, email in enumerate((AN, BO)):
        known_everywhere(world, email)
        world.withdraw(email)
        world.later(seconds=10 + 100 * number)
        world.carry()
    with world.transaction() as session:
        found = figures(session, month_began_at=NOW)
        assert (found.arrived, found.under_way, found.median_s, found.slowest_s) == (4, 0, 60.0, 110.0)
        assert figures(session, month_began_at=world.now).slowest_s is None
        assert [one.took.total_seconds() for one in list_travels(session) if one.took] == [110.0, 10.0]


def test_people_say_what_a_list_is_for(world: ClearingWorld, marketer: FlaskClient) -> None:
    assert "have not been read yet" in marketer.get("/opt-outs/lists").text
    world.compare()
    assert "Nobody has said what this list is for" in marketer.get("/opt-outs/lists").text
    where = f"/opt-outs/lists/{world.connection_id}"
    answer = marketer.post(where, data={"list_ref": world.list_id, "purposes": ["survey"]}, follow_redirects=True)
    assert "Noted." in answer.text
    for bad in ({"list_ref": "x", "purposes": ["survey"]}, {"list_ref": world.list_id, "purposes": ["service"]}, {}):
        assert "Nothing was changed" in marketer.post(where, data=bad, follow_redirects=True).text
    assert marketer.post("/opt-outs/lists/999", data={}, follow_redirects=True).status_code == 200


def test_nobody_sees_what_is_not_there_and_a_viewer_changes_nothing(world: ClearingWorld) -> None:
    viewer = browser(world, "viewer")
    known_everywhere(world)
    world.withdraw(AN)
    (clearing,) = world.clearings()
    assert "Try again" not in viewer.get(f"/opt-outs/{clearing.id}").text
    assert viewer.post(f"/opt-outs/{clearing.id}/retry/{world.connection_id}").status_code == 403
    assert viewer.post(f"/opt-outs/lists/{world.connection_id}", data={}).status_code == 403
    for path in ("/opt-outs/999999", "/opt-outs/of/999999", "/opt-outs/99999999999999999999"):
        assert viewer.get(path).status_code == 404
    assert viewer.get("/opt-outs?only=nonsense&before=x").status_code == 200
