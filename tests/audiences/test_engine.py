"""The main job: who may be mailed is there, who said no is not, and only the difference is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select, update

from app.accounts.audit import SYSTEM
from app.audiences.definitions import confirm, pause_audience, remove_audience
from app.audiences.engine import carry_out
from app.audiences.models import Audience, AudienceMember
from app.contacts.erasing import erase_contact
from app.contacts.merging import merge_contacts
from app.contacts.models import Contact, ContactIdentity
from app.sync.connections import get_connection
from tests.audiences.world import World
from tests.consent.people import a_grant
from tests.standins.mailchimp import Fault

AN, BO = "an@example.org", "bo@example.org"


def change(world: World, email: str, **values: Any) -> None:
    with world.transaction() as session:
        session.execute(update(Contact).where(Contact.id == world.contacts[email]).values(**values))


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


def test_the_destination_is_never_spoken_to_inside_a_transaction(world: World) -> None:
    """Every call in these tests goes through a guard that refuses while a connection is checked out."""
    world.people(2)
    world.run(world.audience())
    spoken = {name for guard in world.guards for name in guard.calls}
    assert {"lists", "changed_members", "upsert", "ensure_tag", "tag"} <= spoken


def test_nothing_is_sent_when_nothing_changed(world: World) -> None:
    world.people(30)
    audience_id = world.audience()
    world.run(audience_id)
    before = world.mailchimp.counts()
    world.later(minutes=20)
    run = world.run(audience_id, confirmed=False)
    sent = world.mailchimp.counts() - before
    assert (run.state, run.counts["unchanged"], run.counts["is_quiet"]) == ("done", 30, True)
    assert {kind for kind in sent if not kind.startswith("get_")} == set()


def test_only_the_difference_is_sent(world: World) -> None:
    """One per cent of the people changed: they are told, and nobody else is mentioned."""
    emails = world.people(100)
    audience_id = world.audience()
    world.run(audience_id)
    first = world.mailchimp.counts()
    assert (first["put_member"], first["post_segment_members"]) == (100, 1)
    for email in emails[:1]:
        change(world, email, given_name="Anders")
    world.later(minutes=20)
    run = world.run(audience_id, confirmed=False)
    sent = world.mailchimp.counts() - first
    assert (run.counts["updated"], run.counts["add"]) == (1, 0)
    assert sent["put_member"] == 1
    assert sent["post_segment_members"] == 0
    assert world.mailchimp.fields(emails[0])["FNAME"] == "Anders"


def test_what_we_do_not_know_is_not_emptied_there(world: World) -> None:
    world.person(AN)
    world.mailchimp.add_member(AN, fields={"FNAME": "Annemie"})
    world.run(world.audience())
    assert world.mailchimp.fields(AN) == {"FNAME": "Annemie"}


def test_a_list_that_asks_for_confirmation_does_the_asking(world: World) -> None:
    world.person(AN)
    list_id = world.mailchimp.add_list("Genodigden", double_opt_in=True)
    audience_id = world.audience(list_ref=list_id, list_name="Genodigden")
    run = world.run(audience_id)
    assert (run.state, world.mailchimp.status(AN, list_id=list_id)) == ("done", "pending")
    world.mailchimp.subscribe_by_person(AN, list_id=list_id)
    world.later(minutes=20)
    assert world.run(audience_id).counts["is_quiet"]


# --- the brake --------------------------------------------------------------------------------------------------------


def test_the_first_push_waits_for_a_person(world: World) -> None:
    world.people(3)
    run = world.run(world.audience(), confirmed=False)
    assert (run.state, run.counts["brake"], run.counts["add"]) == ("braked", "first_push", 3)
    assert world.mailchimp.emails() == set()


@pytest.mark.parametrize(("new", "state"), [(2, "done"), (3, "braked")])
def test_more_than_the_allowed_share_waits_for_a_person(world: World, new: int, state: str) -> None:
    world.people(10)
    audience_id = world.audience(brake_pct=20)
    world.run(audience_id)
    world.people(new, prefix="q")
    run = world.run(audience_id, confirmed=False)
    assert (run.state, run.counts.get("brake")) == (state, "large_change" if state == "braked" else None)


def test_opt_outs_do_not_wait_for_a_person_however_many(world: World) -> None:
    emails = world.people(10)
    audience_id = world.audience()
    world.run(audience_id)
    for email in emails[:6]:
        world.withdraw(email)
    world.people(9, prefix="q")
    run = world.run(audience_id, confirmed=False)
    assert (run.state, run.counts["brake"], run.counts["unsubscribed"]) == ("braked", "large_change", 6)
    assert world.mailchimp.emails("unsubscribed") == set(emails[:6])
    assert world.tagged() == set(emails[6:])


def test_a_segment_that_became_empty_waits_for_a_person(world: World) -> None:
    emails = world.people(3)
    audience_id = world.audience(brake_pct=100)
    world.run(audience_id)
    for email in emails:
        change(world, email, tags=[])
    run = world.run(audience_id, confirmed=False)
    assert (run.state, run.counts["brake"]) == ("braked", "empty_segment")
    assert world.tagged() == set(emails)


def test_a_segment_that_became_everybody_waits_for_a_person(world: World) -> None:
    world.people(20)
    world.person(AN, wanted=False)
    audience_id = world.audience()
    world.run(audience_id)
    change(world, AN, tags=["wanted"])
    run = world.run(audience_id, confirmed=False)
    assert (run.state, run.counts["brake"]) == ("braked", "everybody")
    world.run(audience_id)
    world.people(1, prefix="q")
    assert world.run(audience_id, confirmed=False).state == "done", "everybody was agreed to"


def test_a_confirmation_is_for_the_size_that_was_shown(world: World) -> None:
    world.people(5)
    audience_id = world.audience()
    run = world.run(audience_id, confirmed=False)
    world.people(50, prefix="q")
    with world.transaction() as session:
        queued = confirm(session, run.id, actor=SYSTEM)
    carry_out(world.runtime, world.organisation.id, queued)
    assert world.run_row(queued).state == "braked"
    assert world.pushes() == 0


# --- people who change ------------------------------------------------------------------------------------------------


def test_people_with_one_address_between_them_are_one_recipient(world: World) -> None:
    """Our store gives an address to one contact; several addresses of one person are one recipient too."""
    contact_id = world.person(AN)
    with world.transaction() as session:
        from app.consent.subjects import email_subject

        session.add(
            ContactIdentity(
                organisation_id=world.organisation.id,
                contact_id=contact_id,
                kind="email",
                value=BO,
                value_key=BO,
                subject_key=email_subject(session, world.runtime.keyring, BO),
                is_primary=False,
                source="test",
                created_at=world.now,
            )
        )
    world.record(a_grant(BO))
    audience_id = world.audience()
    world.run(audience_id)
    assert world.mailchimp.emails() == {AN}
    world.withdraw(BO)
    world.run(audience_id)
    assert world.mailchimp.status(AN) == "unsubscribed", "a no at one address of a person counts for all of them"


def test_somebody_who_changed_address_moves_to_the_new_one(world: World) -> None:
    contact_id = world.person(AN)
    audience_id = world.audience()
    world.run(audience_id)
    new = "anna@example.org"
    with world.transaction() as session:
        from app.consent.subjects import email_subject

        key = email_subject(session, world.runtime.keyring, new)
        session.execute(
            update(ContactIdentity)
            .where(ContactIdentity.contact_id == contact_id)
            .values(value=new, value_key=new, subject_key=key)
        )
    world.record(a_grant(new))
    run = world.run(audience_id)
    assert (run.counts["added"], run.counts["removed"]) == (1, 1)
    assert world.tagged() == {new}


def test_a_merged_contact_is_still_one_recipient(world: World) -> None:
    one, two = world.person(AN), world.person(BO)
    audience_id = world.audience()
    world.run(audience_id)
    with world.transaction() as session:
        merge_contacts(session, two, into_id=one, at=world.now)
    world.run(audience_id)
    assert world.tagged() == {AN}
    assert world.mailchimp.status(BO) == "subscribed"
    world.withdraw(AN)
    world.run(audience_id)
    assert world.mailchimp.emails("unsubscribed") == {AN, BO}


def test_a_merge_with_somebody_who_said_no_takes_both_out(world: World) -> None:
    one, two = world.person(AN), world.person(BO, wanted=False)
    audience_id = world.audience()
    world.run(audience_id)
    world.withdraw(BO)
    assert world.run(audience_id).counts["is_quiet"]
    with world.transaction() as session:
        merge_contacts(session, two, into_id=one, at=world.now)
    world.run(audience_id)
    assert (world.tagged(), world.mailchimp.status(AN)) == (set(), "unsubscribed")


def test_an_erased_person_is_deleted_there_for_good_and_not_pushed_again(world: World) -> None:
    contact_id = world.person(AN)
    audience_id = world.audience()
    world.run(audience_id)
    with world.transaction() as session:
        erase_contact(session, world.runtime.keyring, contact_id, at=world.now)
    world.run(audience_id)
    assert world.mailchimp.status(AN) == "forgotten"
    assert [member.address for member in world.members(audience_id)] == [None]
    world.person(AN)
    pushes = world.pushes()
    world.later(minutes=20)
    world.run(audience_id)
    assert world.pushes() == pushes, "the box office brought them in again"


def test_a_list_that_was_renamed_there_is_shown_by_its_new_name(world: World) -> None:
    world.person(AN)
    audience_id = world.audience(list_name="Oude naam")
    world.run(audience_id)
    assert world.audience_row(audience_id).list_name == "Nieuwsbrief"


def test_a_restricted_person_only_loses_our_tag(world: World) -> None:
    world.person(AN)
    world.person(BO)
    audience_id = world.audience()
    world.run(audience_id)
    change(world, AN, is_restricted=True)
    world.run(audience_id)
    assert (world.tagged(), world.mailchimp.status(AN)) == ({BO}, "subscribed")


# --- what goes wrong there --------------------------------------------------------------------------------------------


def test_a_value_that_does_not_fit_is_told_about_and_stops_nobody_else(world: World) -> None:
    world.mailchimp.add_field("BORN", kind="number")
    world.person(AN, municipality="Gent")
    world.person(BO, municipality="9000")
    audience_id = world.audience(field_mapping={"BORN": "municipality"})
    run = world.run(audience_id)
    assert (run.state, run.counts["invalid"], run.counts["added"]) == ("done", 1, 1)
    assert ("add", "invalid", "invalid_field") in world.results(run)
    pushes = world.pushes()
    world.later(minutes=20)
    world.run(audience_id)
    assert world.pushes() == pushes, "not tried again until it changes"
    change(world, AN, municipality="9001")
    world.run(audience_id)
    assert set(world.states(audience_id)) == {AN, BO}


def test_a_push_without_an_answer_is_read_back_before_anything_else(world: World) -> None:
    world.person(AN)
    audience_id = world.audience()
    world.mailchimp.fail_next(Fault.HANG_AFTER, kind="put_member")
    run = world.run(audience_id)
    assert (run.state, run.counts["uncertain"]) == ("failed", 1)
    assert world.states(audience_id) == {AN: "uncertain"}
    world.mailchimp.recover()
    world.mailchimp.unsubscribe_by_person(AN)
    world.later(minutes=20)
    run = world.scheduled(audience_id)
    assert run.counts["read_back"] == 1
    assert world.mailchimp.status(AN) == "unsubscribed"
    assert not world.is_mailable(AN)


def test_what_came_before_a_failure_is_kept(world: World) -> None:
    world.people(6)
    audience_id = world.audience()
    world.breaks_after = 4
    run = world.run(audience_id)
    assert (run.state, run.failure_code) == ("failed", "unreachable")
    assert sorted(world.states(audience_id).values()) == ["claimed"] * 2 + ["in"] * 4
    world.breaks_after = None
    world.later(minutes=20)
    run = world.scheduled(audience_id)
    assert (run.state, run.counts["read_back"], len(world.tagged())) == ("done", 2, 6)


def test_a_tag_that_could_not_be_put_on_is_put_on_by_the_next_run(world: World) -> None:
    emails = set(world.people(3))
    audience_id = world.audience()
    world.mailchimp.fail_next(Fault.SERVER_ERROR, times=50, kind="post_segment_members")
    assert world.run(audience_id).state == "failed"
    assert (world.tagged(), set(world.states(audience_id))) == (set(), emails)
    world.mailchimp.recover()
    world.later(minutes=20)
    assert world.scheduled(audience_id).state == "done"
    assert world.tagged() == emails


def test_a_key_that_was_withdrawn_stops_the_run_in_words(world: World) -> None:
    world.person(AN)
    audience_id = world.audience()
    with world.transaction() as session:
        stored = json.dumps({"api_key": "00000000000000000000000000000000-us6"})
        connection = get_connection(session, world.connection_id)
        connection.secrets_encrypted = world.runtime.keyring.encrypted(stored)
    run = world.run(audience_id)
    assert (run.state, run.failure_code) == ("failed", "unauthorised")
    with world.transaction() as session:
        assert get_connection(session, world.connection_id).state == "failing"


def test_a_list_that_was_deleted_there_stops_the_run_in_words(world: World) -> None:
    world.person(AN)
    audience_id = world.audience()
    world.run(audience_id)
    world.mailchimp.remove_list()
    run = world.run(audience_id)
    assert (run.state, run.failure_code) == ("failed", "list_missing")


def test_a_field_that_was_renamed_there_stops_the_run_in_words(world: World) -> None:
    world.person(AN, given_name="An")
    audience_id = world.audience(field_mapping={"VOORNAAM": "given_name"})
    run = world.run(audience_id)
    assert (run.state, run.failure_code, world.pushes()) == ("failed", "field_missing", 0)


def test_a_tag_that_was_deleted_there_is_put_on_everybody_again(world: World) -> None:
    emails = set(world.people(3))
    audience_id = world.audience()
    world.run(audience_id)
    world.mailchimp.remove_tag("Zaallicht: lezers")
    run = world.run(audience_id, confirmed=False)
    assert (run.state, world.tagged()) == ("done", emails)


def test_a_segment_whose_rule_cannot_be_read_stops_the_run_in_words(world: World) -> None:
    world.person(AN)
    segment_id = world.segment({"type": "segment", "segment": 999, "is": "member"})
    run = world.run(world.audience(segment_id))
    assert (run.state, run.failure_code) == ("failed", "segment_missing")


def test_the_address_is_not_kept_longer_than_it_is_needed(world: World) -> None:
    world.person(AN)
    audience_id = world.audience()
    world.run(audience_id)
    world.mailchimp.unsubscribe_by_person(AN)
    world.run(audience_id)
    with world.transaction() as session:
        assert session.scalars(select(AudienceMember.address)).all() == [None]


@pytest.mark.parametrize("verb", [pause_audience, remove_audience])
def test_a_push_stops_when_somebody_pauses_or_removes_the_audience(world: World, verb: Any) -> None:
    world.people(3)
    audience_id = world.audience()

    def hold_back(step: str) -> None:
        if step == "tag made":
            with world.transaction() as session:
                verb(session, audience_id, actor=SYSTEM)

    run = world.run(audience_id, reached=hold_back)
    assert (run.state, world.pushes()) == ("abandoned", 0)


def test_a_run_that_was_asked_for_before_the_pause_does_not_begin(world: World) -> None:
    world.people(2)
    audience_id = world.audience()
    world.run(audience_id)
    run_id = world.queue(audience_id)
    with world.transaction() as session:
        pause_audience(session, audience_id, actor=SYSTEM)
    assert not carry_out(world.runtime, world.organisation.id, run_id)
    assert world.run_row(run_id).state == "abandoned"


def test_runs_that_found_nothing_to_do_are_not_piled_up(world: World) -> None:
    from app.audiences.runs import runs_of

    world.person(AN)
    audience_id = world.audience()
    world.run(audience_id)
    for _ in range(4):
        world.later(minutes=20)
        world.scheduled(audience_id)
    with world.transaction() as session:
        assert len(runs_of(session, audience_id)) == 2


def test_the_next_run_and_poll_are_planned(world: World) -> None:
    world.person(AN)
    audience_id = world.audience()
    world.run(audience_id)
    with world.transaction() as session:
        kept = session.get_one(Audience, (world.organisation.id, audience_id))
        assert kept.state == "active"
        assert kept.next_run_at is not None
        assert kept.next_run_at > world.now
        assert kept.lease_until is None
