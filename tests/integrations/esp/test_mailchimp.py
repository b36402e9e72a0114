"""MailChimp keeps the promises of every destination, and those its own vendor makes necessary."""

from __future__ import annotations

from collections import Counter

import pytest

from integrations.base import MemberPush, MemberStatus, Permanent, PushOutcome, Transient
from integrations.esp.mailchimp import MailChimp
from tests.integrations.esp.conformance import AN, BO, DestinationConformance, HardCasesConformance
from tests.integrations.esp.mailchimp_rig import IMPATIENT, MailChimpRig
from tests.standins.mailchimp import Fault, MailChimpStandIn


class TestMailChimpHardCases(HardCasesConformance):
    """And what nobody asked for."""

    @pytest.fixture
    def hard(self, mailchimp_rig: MailChimpRig) -> MailChimpRig:
        return mailchimp_rig


class TestMailChimp(DestinationConformance):
    """The suite every destination passes."""

    @pytest.fixture
    def rig(self, mailchimp_rig: MailChimpRig) -> MailChimpRig:
        return mailchimp_rig


def push(rig: MailChimpRig, *people: MemberPush) -> list[tuple[PushOutcome, MemberStatus | None, str | None]]:
    results = rig.destination.upsert(rig.list_id, people, double_opt_in=False)
    return [(result.outcome, result.status, result.code) for result in results]


# --- the table of ESPS.md 1.4, first column: PUT with status_if_new only ---------------------------------------------


@pytest.mark.parametrize(
    ("status", "by", "outcome", "code"),
    [
        ("subscribed", None, PushOutcome.DONE, None),
        ("pending", None, PushOutcome.DONE, None),
        ("transactional", None, PushOutcome.REFUSED, "stays_transactional"),
        ("unsubscribed", "person", PushOutcome.REFUSED, "stays_unsubscribed"),
        ("unsubscribed", "api", PushOutcome.REFUSED, "stays_unsubscribed"),
        ("unsubscribed", "admin", PushOutcome.REFUSED, "stays_unsubscribed"),
        ("cleaned", None, PushOutcome.REFUSED, "stays_cleaned"),
        ("archived", None, PushOutcome.REFUSED, "stays_archived"),
    ],
)
def test_a_push_fills_fields_and_leaves_the_status_alone(
    mailchimp_rig: MailChimpRig, status: str, by: str | None, outcome: PushOutcome, code: str | None
) -> None:
    mailchimp_rig.standin.add_member(AN, status, by=by, list_id=mailchimp_rig.list_id)
    assert push(mailchimp_rig, MemberPush(AN, {"FNAME": "An"})) == [(outcome, MemberStatus(status), code)]
    assert mailchimp_rig.status(AN) == status
    assert mailchimp_rig.standin.fields(AN, list_id=mailchimp_rig.list_id) == {"FNAME": "An"}


@pytest.mark.parametrize("status", [None, "unsubscribed", "subscribed"])
def test_a_compliance_state_is_refused_with_how_the_person_is_held(
    mailchimp_rig: MailChimpRig, status: str | None
) -> None:
    if status:
        mailchimp_rig.standin.add_member(AN, status, list_id=mailchimp_rig.list_id)
    mailchimp_rig.standin.put_under_review(AN, list_id=mailchimp_rig.list_id)
    held = MemberStatus(status or "absent")
    assert push(mailchimp_rig, MemberPush(AN)) == [(PushOutcome.REFUSED, held, "compliance_state")]


# --- what a push says ------------------------------------------------------------------------------------------------


def test_only_fields_the_list_has_are_sent_and_long_ones_end_between_two_characters(
    mailchimp_rig: MailChimpRig,
) -> None:
    long = "é" * 127 + "€uro"  # 254 bytes, and then three that do not fit
    push(mailchimp_rig, MemberPush(AN, {"FNAME": long, "LNAME": "", "TOWN": "Gent"}, language="nl_BE"))
    body = mailchimp_rig.standin.requests[-1].body
    assert body == {
        "email_address": AN,
        "status_if_new": "subscribed",
        "merge_fields": {"FNAME": "é" * 127, "LNAME": ""},
        "language": "nl",
    }
    assert mailchimp_rig.standin.fields(AN, list_id=mailchimp_rig.list_id)["FNAME"] == "é" * 127


def test_fields_are_asked_for_once_a_push_and_not_at_all_where_nobody_has_any(mailchimp_rig: MailChimpRig) -> None:
    push(mailchimp_rig, MemberPush(AN), MemberPush(BO))
    assert mailchimp_rig.standin.counts() == Counter(put_member=2)
    push(mailchimp_rig, MemberPush(AN, {"FNAME": "An"}), MemberPush(BO, {"FNAME": "Bo"}))
    assert mailchimp_rig.standin.counts() == Counter(put_member=4, get_merge_fields=1)


def test_an_address_field_is_no_field_for_a_text(mailchimp_rig: MailChimpRig) -> None:
    mailchimp_rig.standin.add_field("HOME", kind="address", list_id=mailchimp_rig.list_id)
    assert mailchimp_rig.destination.field_tags(mailchimp_rig.list_id) == ["FNAME", "LNAME"]


def test_a_field_required_on_the_sign_up_form_keeps_nobody_out(mailchimp_rig: MailChimpRig) -> None:
    mailchimp_rig.standin.add_field("CITY", is_required=True, list_id=mailchimp_rig.list_id)
    assert push(mailchimp_rig, MemberPush(AN)) == [(PushOutcome.DONE, MemberStatus.SUBSCRIBED, None)]


def test_a_value_that_does_not_fit_its_field_names_the_field(mailchimp_rig: MailChimpRig) -> None:
    mailchimp_rig.standin.add_field("BIRTHDAY", kind="birthday", list_id=mailchimp_rig.list_id)
    people = [MemberPush(AN, {"BIRTHDAY": "31 mei"}), MemberPush(BO, {"BIRTHDAY": "05/31"})]
    refused, done = mailchimp_rig.destination.upsert(mailchimp_rig.list_id, people, double_opt_in=False)
    assert (refused.outcome, refused.code, refused.detail) == (PushOutcome.INVALID, "invalid_field", "BIRTHDAY")
    assert done.outcome is PushOutcome.DONE


# --- opting out ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["cleaned", "archived"])
def test_an_opt_out_of_somebody_already_silent_is_done(mailchimp_rig: MailChimpRig, status: str) -> None:
    mailchimp_rig.standin.add_member(AN, status, list_id=mailchimp_rig.list_id)
    assert mailchimp_rig.destination.unsubscribe(mailchimp_rig.list_id, AN).outcome is PushOutcome.DONE
    assert mailchimp_rig.status(AN) is MemberStatus.UNSUBSCRIBED


def test_an_opt_out_of_the_forgotten_is_done_and_they_are_absent(mailchimp_rig: MailChimpRig) -> None:
    mailchimp_rig.forget(AN)
    result = mailchimp_rig.destination.unsubscribe(mailchimp_rig.list_id, AN)
    assert (result.outcome, result.status) == (PushOutcome.DONE, MemberStatus.ABSENT)


def test_an_opt_out_by_the_person_keeps_being_theirs_after_ours(mailchimp_rig: MailChimpRig) -> None:
    mailchimp_rig.add(AN, MemberStatus.UNSUBSCRIBED)
    mailchimp_rig.destination.unsubscribe(mailchimp_rig.list_id, AN)
    assert mailchimp_rig.standin.opted_out_by(AN, list_id=mailchimp_rig.list_id) == "person"


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.TOO_MANY_UNTYPED, Fault.FORBIDDEN_BODYLESS])
def test_an_opt_out_throttled_without_a_word_is_never_taken_for_done(mailchimp_rig: MailChimpRig, fault: Fault) -> None:
    """The vendor's own client returns these as if they were answers."""
    mailchimp_rig.add(AN, MemberStatus.SUBSCRIBED)
    mailchimp_rig.standin.fail_next(fault, times=100)
    with pytest.raises(Transient) as caught:
        mailchimp_rig.destination.unsubscribe(mailchimp_rig.list_id, AN)
    assert caught.value.code == "rate_limited"
    assert mailchimp_rig.status(AN) is MemberStatus.SUBSCRIBED


# --- tags ------------------------------------------------------------------------------------------------------------


def test_1200_people_are_tagged_in_three_calls(mailchimp_rig: MailChimpRig) -> None:
    people = [f"p{number}@example.org" for number in range(1_200)]
    for email in people:
        mailchimp_rig.add(email, MemberStatus.SUBSCRIBED)
    tag = mailchimp_rig.destination.ensure_tag(mailchimp_rig.list_id, "Afhakers")
    mailchimp_rig.destination.tag(mailchimp_rig.list_id, tag, add=people, remove=[])
    assert mailchimp_rig.standin.counts()["post_segment_members"] == 3
    assert mailchimp_rig.standin.tags(list_id=mailchimp_rig.list_id) == {"Afhakers": set(people)}


def test_a_thousand_people_are_pushed_and_tagged_in_1005_calls(mailchimp_rig: MailChimpRig) -> None:
    """One call a person, two to tag them, one for the fields, two for the tag: nothing else, on five connections."""
    people = [MemberPush(f"p{number}@example.org", {"FNAME": "An"}) for number in range(1_000)]
    held = mailchimp_rig.destination
    tag = held.ensure_tag(mailchimp_rig.list_id, "Afhakers")
    done = [result.email for result in held.upsert(mailchimp_rig.list_id, people, double_opt_in=False)]
    held.tag(mailchimp_rig.list_id, tag, add=done, remove=[])
    assert mailchimp_rig.standin.counts() == Counter(
        put_member=1_000, post_segment_members=2, get_merge_fields=1, get_tag_search=1, post_segment=1
    )
    assert mailchimp_rig.standin.connection_count <= 5


@pytest.mark.parametrize("are_errors", [False, True])
def test_a_tag_somebody_has_already_is_done_however_mailchimp_says_it(
    mailchimp_rig: MailChimpRig, are_errors: bool
) -> None:
    mailchimp_rig.standin.behave(names_repeated_tags_as_errors=are_errors)
    mailchimp_rig.add(AN, MemberStatus.SUBSCRIBED)
    tag = mailchimp_rig.destination.ensure_tag(mailchimp_rig.list_id, "Afhakers")
    for _ in range(2):
        (result,) = mailchimp_rig.destination.tag(mailchimp_rig.list_id, tag, add=[AN.upper()], remove=[])
        assert result.outcome is PushOutcome.DONE


def test_the_archived_are_not_tagged_and_that_is_said(mailchimp_rig: MailChimpRig) -> None:
    mailchimp_rig.add(AN, MemberStatus.ARCHIVED)
    tag = mailchimp_rig.destination.ensure_tag(mailchimp_rig.list_id, "Afhakers")
    (result,) = mailchimp_rig.destination.tag(mailchimp_rig.list_id, tag, add=[AN], remove=[])
    assert (result.outcome, result.code) == (PushOutcome.REFUSED, "not_on_list")


def test_a_tag_that_is_gone_is_permanent(mailchimp_rig: MailChimpRig) -> None:
    with pytest.raises(Permanent) as caught:
        mailchimp_rig.destination.tag(mailchimp_rig.list_id, "4711", add=[AN], remove=[])
    assert caught.value.code == "not_found"


def test_reading_a_tag_meets_everybody_though_some_lose_it_meanwhile(mailchimp_rig: MailChimpRig) -> None:
    people = [f"p{number}@example.org" for number in range(2_500)]
    for email in people:
        mailchimp_rig.add(email, MemberStatus.SUBSCRIBED)
    held = mailchimp_rig.destination
    tag = held.ensure_tag(mailchimp_rig.list_id, "Afhakers")
    held.tag(mailchimp_rig.list_id, tag, add=people, remove=[])
    stream = held.tagged(mailchimp_rig.list_id, tag)
    met = [next(stream)]
    held.tag(mailchimp_rig.list_id, tag, add=[], remove=people[:300])
    met.extend(stream)
    assert set(people[300:]) <= set(met)
    assert len(met) == len(set(met))


# --- lists and accounts ----------------------------------------------------------------------------------------------


def test_more_lists_than_a_page_are_all_found(mailchimp_standin: MailChimpStandIn) -> None:
    for number in range(1_001):
        mailchimp_standin.add_list(f"Lijst {number}")
    with MailChimp(mailchimp_standin.api_key, base_url=mailchimp_standin.base_url, pace=IMPATIENT) as held:
        assert len({one.external_id for one in held.lists()}) == 1_001


def test_a_list_counts_its_subscribers(mailchimp_rig: MailChimpRig) -> None:
    mailchimp_rig.add(AN, MemberStatus.SUBSCRIBED)
    mailchimp_rig.add(BO, MemberStatus.UNSUBSCRIBED)
    counts = {one.name: one.member_count for one in mailchimp_rig.destination.lists()}
    assert counts == {"Nieuwsbrief": 1, "Genodigden": 0}
