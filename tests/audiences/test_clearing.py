"""An opt-out from anywhere is carried to every connected system, once, and never back."""

from __future__ import annotations

import os
import signal
import warnings
from datetime import timedelta
from itertools import count

import pytest
from sqlalchemy import delete, select, text

from app import clock
from app.accounts.audit import SYSTEM
from app.audiences.clearing.carrying import carry_due
from app.audiences.clearing.errands import ask_again
from app.audiences.clearing.lists import say_what_for
from app.audiences.clearing.missing import make_good
from app.audiences.problems import InvalidAudience
from app.consent.clearing.erasures import announce_erasure, erasure_progress
from app.consent.clearing.models import Clearance, Clearing
from app.consent.models import ConsentEvent
from app.consent.suppressions import suppress
from app.contacts.merging import merge_contacts
from app.contacts.models import ContactIdentity
from app.db import make_engine
from app.runtime import Runtime
from app.sync.connections import remove_connection, resume_connection
from tests.audiences.clearing_world import ClearingWorld
from tests.conftest import NOW
from tests.consent.people import a_grant, a_withdrawal
from tests.standins.mailchimp import Fault

AN, BO, CIS = "an@example.org", "bo@example.org", "cis@example.org"


@pytest.fixture
def world(clearing_world: ClearingWorld) -> ClearingWorld:
    return clearing_world


def known_everywhere(world: ClearingWorld, email: str = AN) -> None:
    """Somebody whom both systems write to, and whom we pushed nowhere."""
    world.person(email)
    world.mailchimp.add_member(email)
    world.campaign_monitor.add_person(email)


def test_a_no_reaches_every_system_though_no_audience_points_there(world: ClearingWorld) -> None:
    known_everywhere(world)
    world.withdraw(AN)
    world.later(seconds=3)
    assert world.carry() == 2
    assert world.mailchimp.status(AN) == "unsubscribed"
    assert world.campaign_monitor.state(AN) == "Unsubscribed"
    assert world.rows(AN) == [
        ("mailchimp", "acknowledged", "unsubscribed", None),
        ("campaign_monitor", "acknowledged", "unsubscribed", None),
    ]
    (clearing,) = world.clearings()
    assert clearing.settled_at == world.now
    assert world.carry() == 0


def test_a_no_arrives_while_the_clock_runs_on(world: ClearingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests hold the clock still, and a lease that was asked for its end twice was then the same by chance."""
    known_everywhere(world)
    audience_id = world.audience()
    instants = count()
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(microseconds=next(instants)))
    assert world.run(audience_id).state == "done"
    world.withdraw(AN)
    assert world.carry() == 2
    assert world.mailchimp.status(AN) == "unsubscribed"
    assert world.campaign_monitor.state(AN) == "Unsubscribed"
    assert world.run(audience_id).state == "done"


def test_a_no_to_everything_blocks_the_address_for_every_list_of_campaign_monitor(world: ClearingWorld) -> None:
    known_everywhere(world)
    world.withdraw(AN)
    world.carry()
    assert [one.email for one in world.campaign_monitor.suppressed()] == [AN]
    known_everywhere(world, BO)
    world.withdraw(BO, purpose="newsletter")
    world.carry()
    assert world.campaign_monitor.state(BO) == "Unsubscribed"
    assert [one.email for one in world.campaign_monitor.suppressed()] == [AN]


def test_nobody_is_told_to_a_system_that_does_not_know_them(world: ClearingWorld) -> None:
    world.person(AN)
    world.withdraw(AN)
    world.carry()
    assert {row[2] for row in world.rows(AN)} == {"not_known"}
    assert world.campaign_monitor.suppressed() == []
    assert world.mailchimp.emails() == set()


def test_several_noes_of_one_person_are_one_errand(world: ClearingWorld) -> None:
    known_everywhere(world)
    world.record(*(a_withdrawal(AN, purpose=code) for code in ("newsletter", "survey", "recommendations")))
    world.carry()
    assert world.mailchimp.counts()["patch_member"] == 1
    assert world.campaign_monitor.counts()["unsubscribe"] == 1
    assert len(world.rows(AN)) == 6
    assert {row[1] for row in world.rows(AN)} == {"acknowledged"}


def test_a_no_from_one_system_reaches_the_others_and_is_not_sent_back(world: ClearingWorld) -> None:
    known_everywhere(world)
    world.compare()
    audience_id = world.audience()
    world.run(audience_id)
    world.mailchimp.unsubscribe_by_person(AN)
    world.later(minutes=6)
    world.run(audience_id)
    world.carry()
    assert world.campaign_monitor.state(AN) == "Unsubscribed"
    assert world.rows(AN) == [
        ("mailchimp", "acknowledged", "came_from_there", None),
        ("campaign_monitor", "acknowledged", "unsubscribed", None),
    ]
    assert world.mailchimp.counts()["patch_member"] == 0
    assert world.mailchimp.opted_out_by(AN) == "person"


def test_our_own_unsubscription_coming_back_as_news_records_nothing(world: ClearingWorld) -> None:
    known_everywhere(world)
    audience_id = world.audience()
    world.run(audience_id)
    world.withdraw(AN)
    world.carry()
    before = events(world)
    for _ in range(2):
        world.later(hours=25)
        world.compare()
        world.run(audience_id)
        world.carry()
    assert events(world) == before
    assert world.mailchimp.counts()["patch_member"] == 1
    assert world.campaign_monitor.counts()["unsubscribe"] == 1


def test_a_no_of_a_stranger_travels_and_their_address_is_gone_when_it_has_arrived(world: ClearingWorld) -> None:
    world.mailchimp.add_member(CIS)
    world.record(a_withdrawal(CIS))
    world.campaign_monitor.fail_next(Fault.SERVER_ERROR, times=50)
    world.carry()
    assert world.mailchimp.status(CIS) == "unsubscribed"
    (under_way,) = world.clearings()
    assert under_way.address_encrypted is not None
    world.campaign_monitor.recover()
    world.later(minutes=20)
    world.carry()
    (arrived,) = world.clearings()
    assert arrived.settled_at is not None
    assert arrived.address_encrypted is None


def test_another_purpose_of_the_same_list_keeps_the_person_on_it(world: ClearingWorld) -> None:
    known_everywhere(world)
    world.withdraw(AN, purpose="survey")
    world.carry()
    assert world.mailchimp.status(AN) == "subscribed"
    assert world.rows(AN)[0] == ("mailchimp", "acknowledged", "other_purpose", None)


def test_a_list_leaves_what_people_say_it_is_for(world: ClearingWorld) -> None:
    known_everywhere(world)
    world.compare()
    with world.transaction() as session:
        say_what_for(session, world.connection_id, world.list_id, ["survey"], actor=SYSTEM)
        with pytest.raises(InvalidAudience):
            say_what_for(session, world.connection_id, world.list_id, ["no_such"], actor=SYSTEM)
        with pytest.raises(InvalidAudience):
            say_what_for(session, world.connection_id, "no such list", ["survey"], actor=SYSTEM)
    world.withdraw(AN, purpose="newsletter")
    world.carry()
    assert world.mailchimp.status(AN) == "subscribed"
    assert world.campaign_monitor.state(AN) == "Unsubscribed"
    world.withdraw(AN, purpose="survey")
    world.carry()
    assert world.mailchimp.status(AN) == "unsubscribed"


def test_an_opt_out_on_a_list_people_named_counts_here_and_one_on_a_nameless_list_does_not(
    world: ClearingWorld,
) -> None:
    known_everywhere(world)
    known_everywhere(world, BO)
    world.compare()
    world.mailchimp.unsubscribe_by_person(AN)
    world.campaign_monitor.unsubscribe_by_person(BO)
    with world.transaction() as session:
        say_what_for(session, world.connection_id, world.list_id, ["newsletter"], actor=SYSTEM)
    world.later(hours=25)
    world.compare()
    assert not world.is_mailable(AN)
    assert world.is_mailable(BO)


# --- systems that fail -----------------------------------------------------------------------------------------------


def test_a_system_that_fails_keeps_nobody_else_waiting_and_gets_it_all_when_it_is_back(world: ClearingWorld) -> None:
    known_everywhere(world)
    world.withdraw(AN)
    world.mailchimp.fail_next(Fault.SERVER_ERROR, times=50)
    world.carry()
    assert world.rows(AN) == [
        ("mailchimp", "failing", None, "server_error"),
        ("campaign_monitor", "acknowledged", "unsubscribed", None),
    ]
    calls = len(world.mailchimp.requests)
    world.carry()
    assert len(world.mailchimp.requests) == calls, "a queue is no hammer"
    world.mailchimp.recover()
    world.later(minutes=1)
    world.carry()
    assert world.mailchimp.status(AN) == "unsubscribed"
    assert world.rows(AN)[0] == ("mailchimp", "acknowledged", "unsubscribed", None)


def test_a_call_without_an_answer_is_looked_up_and_not_told_twice(world: ClearingWorld) -> None:
    known_everywhere(world)
    world.withdraw(AN)
    world.mailchimp.fail_next(Fault.SERVER_ERROR_AFTER, times=10, kind="patch_member")
    world.carry()
    assert world.mailchimp.status(AN) == "unsubscribed"
    assert world.rows(AN)[0][1] == "failing"
    told = world.mailchimp.counts()["patch_member"]
    world.mailchimp.recover()
    world.later(minutes=1)
    world.carry()
    assert world.rows(AN)[0] == ("mailchimp", "acknowledged", "already_out", None)
    assert world.mailchimp.counts()["patch_member"] == told
    before = events(world)
    world.later(hours=25)
    world.compare()
    assert events(world) == before


def test_a_key_that_was_revoked_fails_and_is_tried_at_once_when_it_is_mended(world: ClearingWorld) -> None:
    known_everywhere(world)
    world.withdraw(AN)
    good, world.mailchimp._server.api_key = world.mailchimp.api_key, "another-us6"
    world.carry()
    assert world.rows(AN)[0] == ("mailchimp", "failing", None, "unauthorised")
    world.mailchimp._server.api_key = good
    world.carry()
    assert world.rows(AN)[0][1] == "failing"
    with world.transaction() as session:
        resume_connection(session, world.connection_id, actor=SYSTEM)
    world.carry()
    assert world.rows(AN)[0][1] == "acknowledged"


def test_a_connection_that_is_removed_leaves_nothing_under_way(world: ClearingWorld) -> None:
    known_everywhere(world)
    world.withdraw(AN)
    with world.transaction() as session:
        remove_connection(session, world.second_id, actor=SYSTEM)
    world.carry()
    assert world.rows(AN)[1] == ("campaign_monitor", "not_possible", "connection_removed", None)
    assert world.clearings()[0].settled_at is not None


def test_who_says_yes_again_before_the_no_arrives_stays(world: ClearingWorld) -> None:
    known_everywhere(world)
    world.withdraw(AN)
    world.later(seconds=2)
    world.record(a_grant(AN, occurred_at=world.now))
    world.record(*(a_grant(AN, purpose=code, occurred_at=world.now, wording="Ja") for code in OTHER_PURPOSES))
    world.carry()
    assert world.mailchimp.status(AN) == "subscribed"
    assert {row[2] for row in world.rows(AN)} == {"overtaken"}


OTHER_PURPOSES = ("recommendations", "partner_offers", "survey")


def test_whose_push_is_under_way_is_looked_for_when_it_has_ended(world: ClearingWorld) -> None:
    world.person(AN)
    audience_id = world.audience()

    class Killed(BaseException):
        pass

    def die(step: str) -> None:
        if step == "claimed":
            raise Killed

    with pytest.raises(Killed):
        world.run(audience_id, reached=die)
    world.withdraw(AN)
    assert world.carry_to(world.connection_id) == 0
    assert world.rows(AN)[0][1] == "pending"
    world.later(minutes=6)
    world.run(audience_id)
    world.later(minutes=1)
    world.carry()
    assert world.rows(AN)[0][1] == "acknowledged"
    assert world.mailchimp.status(AN) in ("absent", "unsubscribed")


@pytest.mark.parametrize("step", ["noes announced", "unsubscribed there"])
def test_a_worker_that_is_killed_between_the_call_and_its_acknowledgement_loses_nothing(
    world: ClearingWorld, step: str
) -> None:
    """A real process, a real SIGKILL: the no arrives, is told once, and its echo is no news."""
    known_everywhere(world)
    audience_id = world.audience()
    world.run(audience_id)
    world.withdraw(AN)
    with warnings.catch_warnings():
        # Newer Pythons warn of forking with threads about; the child does nothing but what it is forked for.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _die_after(world, step)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert world.rows(AN)[0][1] == "pending"
    before = events(world)
    world.carry_to(world.connection_id)
    assert world.rows(AN)[0][1] == "pending", "the line is still the dead worker's"
    world.later(minutes=6)
    world.run(audience_id)
    world.carry()
    assert world.mailchimp.status(AN) == "unsubscribed"
    assert world.mailchimp.counts()["patch_member"] == 1
    assert {row[1] for row in world.rows(AN)} == {"acknowledged"}
    assert events(world) == before


def _die_after(world: ClearingWorld, step: str) -> None:
    def kill(reached: str) -> None:
        if reached == step:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        # The parent's connections are not ours to use: a pool of our own.
        engine = make_engine(world.runtime.engine.url.render_as_string(hide_password=False))
        world.guards_transactions = False
        own = Runtime(world.runtime.settings, world.runtime.keyring, engine)
        carry_due(own, world.organisation.id, world.connection_id, reached=kill)
    finally:
        os._exit(1)


# --- subscribed there again -------------------------------------------------------------------------------------------


def test_who_is_subscribed_there_again_by_somebody_else_is_taken_off_once_more_and_then_an_alarm_is_raised(
    world: ClearingWorld,
) -> None:
    known_everywhere(world)
    world.withdraw(AN)
    world.carry()
    for told in (2, 2, 2):
        world.mailchimp.subscribe_by_admin(AN)
        world.later(hours=25)
        world.compare()
        world.carry()
        assert world.mailchimp.counts()["patch_member"] == told
    assert world.mailchimp.status(AN) == "subscribed"
    assert world.rows(AN)[-1] == ("mailchimp", "failing", None, "loop")
    assert not world.is_mailable(AN)
    (last,) = [one for one in world.clearings() if one.settled_at is None]
    with world.transaction() as session:
        assert ask_again(session, last.id, world.connection_id)
    world.carry()
    assert world.mailchimp.status(AN) == "unsubscribed"


def test_who_signs_up_there_again_by_its_own_form_is_left_to_that_list_and_stays_out_here(
    world: ClearingWorld,
) -> None:
    known_everywhere(world)
    world.withdraw(AN)
    world.carry()
    world.later(minutes=10)
    world.mailchimp.subscribe_by_person(AN)
    for _ in range(3):
        world.later(hours=25)
        world.compare()
        world.carry()
    assert world.mailchimp.status(AN) == "subscribed"
    assert [row[2] for row in world.rows(AN) if row[0] == "mailchimp"] == ["unsubscribed", "signed_up_there"]
    assert not world.is_mailable(AN)


def test_noes_from_before_a_system_was_connected_are_found_when_its_lists_are_read(world: ClearingWorld) -> None:
    world.person(AN)
    with world.transaction() as session:
        remove_connection(session, world.connection_id, actor=SYSTEM)
        remove_connection(session, world.second_id, actor=SYSTEM)
    world.withdraw(AN)
    world.later(days=30)
    world.mailchimp.add_member(AN)
    world.mailchimp.add_member(BO)
    world.connection_id = world._connect()
    world.compare()
    world.carry()
    assert world.mailchimp.status(AN) == "unsubscribed"
    assert world.mailchimp.status(BO) == "subscribed"


# --- erasure ----------------------------------------------------------------------------------------------------------


def erase(world: ClearingWorld, email: str = AN) -> int:
    """What erasing comes to for the clearing house."""
    contact_id = world.contacts[email]
    with world.transaction() as session:
        announce_erasure(session, world.runtime.keyring, [contact_id], at=world.now)
        suppress(
            session, world.runtime.keyring, [email], channel="email", reason="erased", source="zaallicht", at=world.now
        )
        session.execute(delete(ContactIdentity).where(ContactIdentity.contact_id == contact_id))
    return contact_id


def test_the_erased_are_deleted_in_every_system_and_stay_blocked(world: ClearingWorld) -> None:
    known_everywhere(world)
    audience_id = world.audience()
    world.run(audience_id)
    contact_id = erase(world)
    assert [member.address for member in world.members(audience_id)] == [None]
    world.carry()
    assert world.mailchimp.status(AN) == "forgotten"
    assert world.campaign_monitor.state(AN) == "Deleted"
    assert [one.email for one in world.campaign_monitor.suppressed()] == [AN]
    with world.transaction() as session:
        told = {one.system: one.outcome for one in erasure_progress(session, [contact_id])}
    assert told == {"mailchimp": "erased", "campaign_monitor": "deleted"}
    assert [one.address_encrypted for one in world.clearings()] == [None]
    before = events(world)
    world.later(hours=25)
    world.run(audience_id)
    world.compare()
    assert events(world) == before


def test_an_erasure_that_does_not_get_through_is_kept_trying_and_tells_since_when(world: ClearingWorld) -> None:
    known_everywhere(world)
    contact_id = erase(world)
    world.mailchimp.fail_next(Fault.SERVER_ERROR, times=80)
    since = world.now
    for _ in range(3):
        world.carry()
        world.later(minutes=16)
    with world.transaction() as session:
        (failing,) = [one for one in erasure_progress(session, [contact_id]) if one.state == "failing"]
    assert (failing.system, failing.failure_code, failing.failing_since) == ("mailchimp", "server_error", since)
    world.mailchimp.recover()
    world.carry()
    assert world.mailchimp.status(AN) == "forgotten"


# --- what is missing --------------------------------------------------------------------------------------------------


def test_rows_that_are_missing_are_made_good_and_reported(world: ClearingWorld) -> None:
    known_everywhere(world)
    world.withdraw(AN)
    with world.transaction() as session:
        suppress(session, world.runtime.keyring, [BO], channel="email", reason="complaint", source="x", at=world.now)
        assert make_good(session).lost == 0
        session.execute(delete(Clearing))
        repairs = make_good(session)
        assert (repairs.lost, repairs.spread) == (2, 0)
        session.execute(delete(Clearance).where(Clearance.connection_id == world.second_id))
        assert make_good(session).lost == 2
        assert make_good(session).lost == 0
    world.carry()
    assert world.campaign_monitor.state(AN) == "Unsubscribed"
    assert {one.is_repair for one in world.clearings()} == {True}


def test_a_merge_carries_the_no_of_one_address_to_the_other(world: ClearingWorld) -> None:
    known_everywhere(world)
    known_everywhere(world, BO)
    world.withdraw(AN)
    world.carry()
    assert world.mailchimp.status(BO) == "subscribed"
    with world.transaction() as session:
        merge_contacts(session, world.contacts[BO], into_id=world.contacts[AN], at=world.now)
    with world.transaction() as session:
        repairs = make_good(session)
    assert (repairs.lost, repairs.spread) == (0, 1)
    world.carry()
    assert world.mailchimp.status(BO) == "unsubscribed"


def test_nothing_personal_is_kept_in_the_rows(world: ClearingWorld) -> None:
    known_everywhere(world)
    world.withdraw(AN)
    erase(world)
    with world.transaction() as session:
        for table in ("clearing", "clearance", "clearing_line"):
            rows = session.scalars(text(f"SELECT to_jsonb({table})::text FROM {table}")).all()
            assert rows or table == "clearing_line"
            assert all(AN not in row and "an@" not in row for row in rows)


def events(world: ClearingWorld) -> int:
    with world.transaction() as session:
        return len(session.scalars(select(ConsentEvent.id)).all())
