"""Once a day the whole list is held against what we know; what was otherwise is shown, with what was done about it."""

from __future__ import annotations

from app.audiences.drift import count_drift, drift_of, note_drift
from app.audiences.engine import poll
from tests.audiences.test_pages import browser
from tests.audiences.world import World

AN, BO, CIS, DO, EL, STRANGER = (f"{name}@example.org" for name in ("an", "bo", "cis", "do", "el", "stranger"))
TAG = "Zaallicht: lezers"


def counts(world: World, audience_id: int) -> dict[str, int]:
    with world.transaction() as session:
        return count_drift(session, audience_id, since=None)


def test_every_difference_is_found_explained_and_put_right_where_that_is_ours_to_do(world: World) -> None:
    for email, name in ((AN, "An"), (BO, "Bo"), (CIS, "Cis"), (DO, "Do"), (EL, "El")):
        world.person(email, given_name=name)
    audience_id = world.audience()
    world.run(audience_id)
    viewer = browser(world, "viewer")
    assert counts(world, audience_id) == {}
    assert "No differences" in viewer.get(f"/audiences/{audience_id}/drift").text
    world.later(hours=1)
    poll(world.runtime, world.organisation.id, audience_id)
    # An is deleted there, Bo loses our tag, a stranger gets it, Cis said no and is subscribed again, Do's opt-out is
    # lost.
    world.withdraw(CIS)
    world.run(audience_id)
    world.later(hours=1)
    world.mailchimp.vanish(AN)
    world.mailchimp.untag(TAG, BO)
    world.mailchimp.add_member(STRANGER)
    world.mailchimp.tag(TAG, STRANGER)
    world.mailchimp.subscribe_by_admin(CIS)
    world.mailchimp.lose_from_changes(CIS, DO)
    world.mailchimp.unsubscribe_by_person(DO)
    world.later(hours=1)
    poll(world.runtime, world.organisation.id, audience_id)
    assert counts(world, audience_id) == {"vanished": 1}, "somebody else carries our tag, so it was looked who lost it"
    world.mailchimp.lose_from_changes()
    world.later(hours=25)
    world.run(audience_id)
    assert counts(world, audience_id) == {
        "vanished": 1,
        "tag_missing": 1,
        "tag_extra": 1,
        "subscribed_again": 1,
        "missed_opt_out": 1,
    }
    assert world.tagged() & {BO, EL, STRANGER} == {BO, EL, STRANGER}
    assert world.mailchimp.status(CIS) == "unsubscribed"
    assert world.mailchimp.status(AN) == "absent"
    assert not world.is_mailable(DO)
    page = viewer.get(f"/audiences/{audience_id}/drift").text
    for told in (
        "Had lost our tag",
        "Carries our tag, but not from us",
        "Somebody we do not know",
        "Not on the list any",
    ):
        assert told in page
    assert "Cis" in viewer.get(f"/audiences/{audience_id}/drift?only=subscribed_again").text
    assert "Compared with the whole list" in viewer.get(f"/audiences/{audience_id}/status").text
    world.later(hours=25)
    world.run(audience_id)
    assert counts(world, audience_id)["tag_missing"] == 1
    with world.transaction() as session:
        latest = {one.kind for one in drift_of(session, audience_id) if one.found_at > world.now.replace(hour=0)}
        assert "tag_missing" not in latest


def test_what_was_found_is_forgotten_after_ninety_days(world: World) -> None:
    world.person(AN)
    audience_id = world.audience()
    world.run(audience_id)
    with world.transaction() as session:
        assert note_drift(session, audience_id, "vanished", [b"x" * 32], at=world.now) == 1
        assert note_drift(session, audience_id, "vanished", [b"x" * 32], at=world.now) == 1
    assert counts(world, audience_id) == {"vanished": 1}
    world.later(days=91)
    world.run(audience_id)
    assert counts(world, audience_id) == {}
