"""Whoever said no, there or here, in whatever way and order, is never pushed again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from sqlalchemy import func, select

from app.accounts.models import Letter
from app.audiences.engine import poll
from app.audiences.hooks import drain_inbox
from app.audiences.models import ListHeldOut
from app.consent.models import ConsentEvent
from app.contacts.models import ContactIdentity
from app.runtime import Runtime
from app.sync.connections import get_connection, pause_connection
from app.sync.inbox import receive
from tests.audiences.world import EVERYBODY, World
from tests.conftest import application
from tests.consent.people import a_grant

AN, BO = "an@example.org", "bo@example.org"

Act = Callable[[World], None]


def pushed(world: World, *emails: str, **changes: object) -> int:
    """An audience with these people in it."""
    for email in emails:
        world.person(email)
    audience_id = world.audience(**changes)
    assert world.run(audience_id).state == "done"
    return audience_id


def noes(world: World, email: str) -> list[tuple[str, str | None, str]]:
    with world.transaction() as session:
        rows = session.execute(
            select(ConsentEvent.action, ConsentEvent.purpose, ConsentEvent.source)
            .where(ConsentEvent.contact_id == world.contacts[email], ConsentEvent.action.in_(("withdrawn", "objected")))
            .order_by(ConsentEvent.id)
        )
        return [(row.action, row.purpose, row.source) for row in rows]


OPT_OUTS_THERE: dict[str, Act] = {
    "by the person": lambda world: world.mailchimp.unsubscribe_by_person(AN),
    "by a marketer": lambda world: world.mailchimp.unsubscribe_by_admin(AN),
    "by another program": lambda world: world.mailchimp.unsubscribe_by_program(AN),
}


@pytest.mark.parametrize("act", OPT_OUTS_THERE.values(), ids=OPT_OUTS_THERE)
def test_somebody_who_is_unsubscribed_there_is_never_pushed_again(world: World, act: Act) -> None:
    audience_id = pushed(world, AN, BO)
    act(world)
    pushes = world.pushes()
    run = world.run(audience_id)
    assert run.counts["opt_outs"] == 1
    assert noes(world, AN) == [("withdrawn", "newsletter", "mailchimp")]
    assert not world.is_mailable(AN)
    for _ in range(2):
        world.later(minutes=20)
        world.run(audience_id)
    assert world.pushes() == pushes
    assert world.mailchimp.status(AN) == "unsubscribed"
    assert world.states(audience_id) == {BO: "in"}
    assert noes(world, AN) == [("withdrawn", "newsletter", "mailchimp")], "the same no is news once"


@pytest.mark.parametrize("act", OPT_OUTS_THERE.values(), ids=OPT_OUTS_THERE)
def test_an_opt_out_from_before_the_first_push_is_home_before_anybody_is_pushed(world: World, act: Act) -> None:
    world.mailchimp.add_member(AN)
    act(world)
    world.later(hours=30)
    audience_id = pushed(world, AN, BO)
    assert world.mailchimp.emails("subscribed") == {BO}
    assert not world.is_mailable(AN)
    assert world.states(audience_id) == {BO: "in"}


def test_a_complaint_there_is_an_objection_to_all_direct_marketing(reachable: World) -> None:
    world = reachable
    audience_id = pushed(world, AN)
    world.mailchimp.clean(AN, reason="abuse")
    deliver(world, twice=True)
    world.run(audience_id)
    assert ("objected", None, "mailchimp") in noes(world, AN)
    assert not world.is_mailable(AN)


def test_a_hard_bounce_there_stops_the_address_and_is_no_word_of_the_person(world: World) -> None:
    audience_id = pushed(world, AN)
    world.mailchimp.clean(AN)
    run = world.run(audience_id)
    assert noes(world, AN) == []
    with world.transaction() as session:
        assert session.scalars(select(ContactIdentity.deliverability)).all() == ["bouncing"]
    assert run.counts["bouncing"] == 1
    assert world.states(audience_id) == {}


def test_an_archived_person_is_left_alone_and_has_said_nothing(world: World) -> None:
    audience_id = pushed(world, AN)
    world.mailchimp.archive(AN)
    pushes = world.pushes()
    world.later(hours=25)
    run = world.run(audience_id)
    assert (noes(world, AN), world.pushes(), run.counts["held_out"]) == ([], pushes, 1)
    assert world.mailchimp.status(AN) == "archived"
    world.mailchimp.subscribe_by_person(AN)
    world.later(hours=25)
    assert world.run(audience_id).counts["added"] == 1
    assert world.tagged() == {AN}


def test_somebody_deleted_for_good_there_is_not_imported_again(world: World) -> None:
    audience_id = pushed(world, AN)
    world.mailchimp.forget(AN)
    pushes = world.pushes()
    world.later(hours=25)
    world.run(audience_id)
    assert world.pushes() == pushes
    assert world.mailchimp.status(AN) == "forgotten"


def test_a_refusal_for_good_is_a_result_and_evidence_and_no_failure(world: World) -> None:
    for email in (AN, BO):
        world.person(email)
    world.mailchimp.forget(AN)
    audience_id = world.audience()
    run = world.run(audience_id)
    assert (run.state, run.counts["refused"], run.counts["added"]) == ("done", 1, 1)
    assert noes(world, AN) == [("withdrawn", "newsletter", "mailchimp")]
    assert ("add", "refused", "forgotten") in world.results(run)
    pushes = world.pushes()
    world.later(minutes=20)
    assert world.run(audience_id).state == "done"
    assert world.pushes() == pushes


def test_an_address_under_review_there_counts_as_the_strictest_it_may_be(world: World) -> None:
    world.person(AN)
    world.mailchimp.put_under_review(AN)
    audience_id = world.audience()
    run = world.run(audience_id)
    assert (run.state, run.counts["refused"]) == ("done", 1)
    assert not world.is_mailable(AN)
    pushes = world.pushes()
    world.later(minutes=20)
    world.run(audience_id)
    assert world.pushes() == pushes


def test_a_stranger_who_opted_out_there_stays_out_when_the_box_office_brings_them_in(world: World) -> None:
    world.mailchimp.add_member(AN, "unsubscribed")
    audience_id = pushed(world, BO)
    world.later(minutes=20)
    world.person(AN, permitted=False)
    world.record(a_grant(AN, actor="system", method="box_office"))
    assert not world.is_mailable(AN)
    run = world.run(audience_id)
    assert run.counts["add"] == 0
    assert world.states(audience_id) == {BO: "in"}


# --- our no, carried out there ----------------------------------------------------------------------------------------


def test_a_no_spoken_here_is_carried_out_there_and_its_echo_is_no_news(world: World) -> None:
    audience_id = pushed(world, AN, BO)
    world.withdraw(AN)
    run = world.run(audience_id, confirmed=False)
    assert (run.state, run.counts["unsubscribed"]) == ("done", 1)
    assert world.mailchimp.status(AN) == "unsubscribed"
    assert world.mailchimp.opted_out_by(AN) == "api"
    assert world.tagged() == {BO}
    told = noes(world, AN)
    for _ in range(2):
        world.later(minutes=10)
        world.run(audience_id)
    assert noes(world, AN) == told
    assert world.mailchimp.counts()["patch_member"] == 1


def test_a_no_from_there_is_not_sent_back(world: World) -> None:
    audience_id = pushed(world, AN)
    world.mailchimp.unsubscribe_by_person(AN)
    world.run(audience_id)
    assert world.mailchimp.counts()["patch_member"] == 0
    assert world.mailchimp.opted_out_by(AN) == "person"


def test_a_no_is_carried_out_also_after_the_person_left_the_segment(world: World) -> None:
    audience_id = pushed(world, AN, BO)
    retag(world, AN, [])
    world.run(audience_id)
    assert world.mailchimp.status(AN) == "subscribed"
    world.withdraw(AN)
    world.later(minutes=20)
    world.run(audience_id)
    assert world.mailchimp.status(AN) == "unsubscribed"


def test_leaving_the_segment_takes_only_our_tag_away(world: World) -> None:
    audience_id = pushed(world, AN, BO)
    retag(world, AN, [])
    run = world.run(audience_id)
    assert run.counts["removed"] == 1
    assert world.mailchimp.status(AN) == "subscribed"
    assert world.tagged() == {BO}


def test_a_permission_that_merely_ended_costs_the_tag_and_not_the_subscription(world: World) -> None:
    world.person(AN, permitted=False)
    world.record(a_grant(AN, valid_until=world.now + timedelta(days=1)))
    audience_id = pushed(world, BO)
    assert set(world.states(audience_id)) == {AN, BO}
    world.later(days=2)
    world.run(audience_id)
    assert world.tagged() == {BO}
    assert world.mailchimp.status(AN) == "subscribed"


def test_nobody_is_unsubscribed_from_a_list_that_another_purpose_still_uses_for_them(world: World) -> None:
    world.person(AN)
    world.record(a_grant(AN, purpose="recommendations", wording="Tips op maat, graag."))
    segment_id = world.segment()
    letters = world.audience(segment_id)
    tips = world.audience(segment_id, name="Tips", tag="Zaallicht: tips", purpose="recommendations")
    world.run(letters)
    world.run(tips)
    world.withdraw(AN, purpose="newsletter")
    world.run(letters)
    world.run(tips)
    assert world.mailchimp.status(AN) == "subscribed"
    assert (world.tagged(), world.tagged("Zaallicht: tips")) == (set(), {AN})


def test_people_and_tags_that_are_not_ours_are_never_touched(world: World) -> None:
    world.mailchimp.add_member("elders@example.org", fields={"FNAME": "Els"})
    audience_id = pushed(world, AN)
    world.person("elders@example.org", permitted=False)
    world.run(audience_id)
    assert world.mailchimp.status("elders@example.org") == "subscribed"
    assert world.tagged() == {AN}
    assert world.mailchimp.fields("elders@example.org") == {"FNAME": "Els"}


def test_a_no_is_carried_out_also_for_people_whom_somebody_else_put_on_the_list(world: World) -> None:
    world.mailchimp.add_member("elders@example.org", fields={"FNAME": "Els"})
    audience_id = pushed(world, AN)
    world.person("elders@example.org", permitted=False)
    world.withdraw("elders@example.org")
    world.run(audience_id)
    assert world.mailchimp.status("elders@example.org") == "unsubscribed"
    assert world.mailchimp.fields("elders@example.org") == {"FNAME": "Els"}


# --- webhooks and polls -----------------------------------------------------------------------------------------------


def deliver(world: World, *, twice: bool = False, backwards: bool = False) -> None:
    """Post the deliveries due to the address they were asked for at, and process the inbox."""
    knocker = application(world.runtime).test_client()
    deliveries = world.mailchimp.take_deliveries()
    for delivery in deliveries[::-1] if backwards else deliveries:
        for _ in range(2 if twice else 1):
            path = urlsplit(delivery.url).path
            answer = knocker.post(path, data=delivery.body, headers=dict(delivery.headers))
            assert answer.status_code == 202
    drain_inbox(world.runtime, world.organisation.id)


@pytest.fixture
def reachable(world: World) -> World:
    """A house that the outside can reach."""
    settings = replace(world.runtime.settings, public_url="https://huis.example")
    world.runtime = Runtime(settings, world.runtime.keyring, world.runtime.engine)
    return world


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("is_signed", [False, True])
def test_a_webhook_brings_an_opt_out_home_at_once_in_any_order(
    reachable: World, twice: bool, backwards: bool, is_signed: bool
) -> None:
    world = reachable
    world.mailchimp.behave(signs_webhooks=is_signed)
    audience_id = pushed(world, AN, BO)
    assert len(world.mailchimp.webhooks()) == 1
    world.mailchimp.change_profile(AN, {"FNAME": "Anna"})
    world.mailchimp.unsubscribe_by_person(AN)
    deliver(world, twice=twice, backwards=backwards)
    assert not world.is_mailable(AN)
    assert world.is_mailable(BO)
    assert noes(world, AN) == [("withdrawn", "newsletter", "mailchimp")]
    pushes = world.pushes()
    world.run(audience_id)
    assert (world.pushes(), noes(world, AN)) == (pushes, [("withdrawn", "newsletter", "mailchimp")])


def test_a_forged_webhook_opts_nobody_out(reachable: World) -> None:
    world = reachable
    world.mailchimp.behave(signs_webhooks=True)
    pushed(world, AN)
    world.mailchimp.unsubscribe_by_person(AN)
    (delivery,) = world.mailchimp.take_deliveries()
    world.mailchimp.subscribe_by_person(AN)
    with world.transaction() as session:
        receive(session, get_connection(session, world.connection_id), headers={}, body=delivery.body)
    drain_inbox(world.runtime, world.organisation.id)
    assert world.is_mailable(AN)


def test_a_hook_is_a_hint_and_the_list_is_the_truth(world: World, reachable: World) -> None:
    pushed(world, AN)
    world.mailchimp.unsubscribe_by_person(AN)
    world.mailchimp.subscribe_by_person(AN)
    deliver(world)
    assert world.is_mailable(AN)


def test_whoever_changed_address_there_is_not_subscribed_again_under_the_old_one(reachable: World) -> None:
    world = reachable
    audience_id = pushed(world, AN, BO)
    world.mailchimp.change_address(AN, "anna@example.org")
    deliver(world)
    world.mailchimp.unsubscribe_by_person("anna@example.org")
    world.later(minutes=20)
    world.run(audience_id)
    assert world.mailchimp.status(AN) == "absent"
    assert set(world.states(audience_id)) == {BO}


def test_a_changed_address_that_no_hook_told_of_is_found_when_the_list_is_read_whole(world: World) -> None:
    audience_id = pushed(world, AN, BO)
    world.mailchimp.change_address(AN, "anna@example.org")
    world.later(hours=25)
    world.run(audience_id)
    assert world.mailchimp.status(AN) == "absent"
    assert set(world.states(audience_id)) == {BO}


def test_the_poll_brings_opt_outs_home_and_pushes_nobody_even_while_an_audience_is_paused(world: World) -> None:
    from app.accounts.audit import SYSTEM
    from app.audiences.definitions import pause_audience

    audience_id = pushed(world, AN, BO)
    with world.transaction() as session:
        pause_audience(session, audience_id, actor=SYSTEM)
    world.person("cis@example.org")
    world.mailchimp.unsubscribe_by_person(AN)
    world.withdraw(BO)
    pushes = world.pushes()
    assert poll(world.runtime, world.organisation.id, audience_id)
    assert not world.is_mailable(AN)
    assert world.mailchimp.status(BO) == "unsubscribed"
    assert world.pushes() == pushes


def test_the_same_news_by_hook_poll_and_run_in_any_order_is_recorded_once(reachable: World) -> None:
    world = reachable
    audience_id = pushed(world, AN)
    world.mailchimp.unsubscribe_by_person(AN)
    poll(world.runtime, world.organisation.id, audience_id)
    deliver(world, twice=True)
    world.run(audience_id)
    assert noes(world, AN) == [("withdrawn", "newsletter", "mailchimp")]


def test_a_yes_given_here_again_does_not_resubscribe_and_is_not_taken_back_by_old_news(world: World) -> None:
    audience_id = pushed(world, AN)
    world.mailchimp.unsubscribe_by_person(AN)
    world.run(audience_id)
    world.later(minutes=5)
    world.record(a_grant(AN, occurred_at=world.now))
    assert world.is_mailable(AN)
    pushes = world.pushes()
    world.later(hours=25)
    run = world.run(audience_id)
    assert world.is_mailable(AN), "the list said nothing new"
    assert (world.pushes(), run.counts["held_out"]) == (pushes, 1)
    assert world.mailchimp.status(AN) == "unsubscribed"
    world.mailchimp.subscribe_by_person(AN)
    world.later(minutes=20)
    world.run(audience_id)
    world.mailchimp.unsubscribe_by_person(AN)
    world.later(minutes=20)
    world.run(audience_id)
    assert not world.is_mailable(AN), "a second no is news"


# --- when something fails ---------------------------------------------------------------------------------------------


def test_without_a_whole_pull_nobody_is_pushed(world: World) -> None:
    from tests.standins.mailchimp import Fault

    world.people(3)
    audience_id = world.audience()
    world.mailchimp.fail_next(Fault.SERVER_ERROR, times=50, kind="get_members")
    run = world.run(audience_id)
    assert (run.state, run.failure_code) == ("failed", "server_error")
    assert world.pushes() == 0
    assert world.audience_row(audience_id).opt_outs_pulled_until is None
    world.mailchimp.recover()
    assert world.scheduled(audience_id).counts["added"] == 3, "the confirmation was not used up"


def test_a_paused_connection_still_lets_opt_outs_home(world: World) -> None:
    from app.accounts.audit import SYSTEM

    audience_id = pushed(world, AN)
    with world.transaction() as session:
        pause_connection(session, world.connection_id, actor=SYSTEM)
    world.mailchimp.unsubscribe_by_person(AN)
    poll(world.runtime, world.organisation.id, audience_id)
    assert not world.is_mailable(AN)


def test_what_a_list_holds_out_is_kept_by_hash_only(world: World) -> None:
    world.mailchimp.add_member("stranger@example.org", "unsubscribed")
    pushed(world, AN)
    with world.transaction() as session:
        (row,) = session.scalars(select(ListHeldOut))
        assert (row.status, row.is_ours, len(row.subject_key)) == ("unsubscribed", False, 32)


def retag(world: World, email: str, tags: list[str]) -> None:
    from app.contacts.models import Contact

    with world.transaction() as session:
        session.get_one(Contact, (world.organisation.id, world.contacts[email])).tags = tags


def test_everybody_is_a_rule_like_any_other(world: World) -> None:
    world.person(AN, wanted=False)
    segment_id = world.segment(EVERYBODY)
    run = world.run(world.audience(segment_id))
    assert run.counts["added"] == 1


def test_a_changed_address_that_no_hook_told_of_is_found_by_the_next_poll_where_tags_are_told(world: World) -> None:
    world.person(AN)
    world.person(BO)
    audience_id = world.audience()
    world.run(audience_id)
    world.later(minutes=20)
    world.mailchimp.change_address(AN, "an.new@example.org")
    world.later(minutes=5)
    assert poll(world.runtime, world.organisation.id, audience_id)
    world.later(minutes=5)
    pushed = world.pushes()
    run = world.scheduled(audience_id)
    assert (run.state, world.pushes()) == ("done", pushed)
    assert world.mailchimp.status(AN) == "absent"
    assert set(world.states(audience_id)) == {BO}


def test_the_first_look_at_a_list_brings_old_opt_outs_home_and_sends_nobody_a_receipt(world: World) -> None:
    world.person(AN)
    world.person(BO)
    world.mailchimp.add_member(AN, "unsubscribed")
    world.mailchimp.add_member(BO)
    audience_id = world.audience()
    world.run(audience_id)
    assert not world.is_mailable(AN)

    def receipts() -> int:
        with world.transaction() as session:
            letters = select(func.count()).select_from(Letter).where(Letter.kind == "unsubscribe_receipt")
            return session.scalar(letters) or 0

    assert receipts() == 0
    world.later(minutes=20)
    world.mailchimp.unsubscribe_by_person(BO)
    world.later(minutes=5)
    world.run(audience_id)
    assert not world.is_mailable(BO)
    assert receipts() == 1
