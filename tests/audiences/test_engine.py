"""The main job: who may be mailed is there, who said no is not, and only the difference is sent."""

from __future__ import annotations

from tests.audiences.world import World


def test_the_people_who_may_be_mailed_are_pushed_with_their_names_and_our_tag(world: World) -> None:
    world.person("an@example.org", given_name="An", family_name="De Wit", language="nl")
    world.person("bo@example.org", permitted=False)
    world.person("cis@example.org", wanted=False)
    audience_id = world.audience()
    run = world.run(audience_id)
    assert (run.state, run.failure_code) == ("done", None)
    assert world.mailchimp.emails() == {"an@example.org"}
    assert world.mailchimp.status("an@example.org") == "subscribed"
    assert world.mailchimp.fields("an@example.org") == {"FNAME": "An", "LNAME": "De Wit"}
    assert world.mailchimp.language("an@example.org") == "nl"
    assert world.tagged() == {"an@example.org"}
    assert run.counts["added"] == 1
    assert run.counts["not_permitted"] == 1
    (member,) = world.members(audience_id)
    assert member.state == "in"
    assert member.permission_event_id is not None
