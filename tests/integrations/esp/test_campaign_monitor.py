"""Campaign Monitor keeps the promises of every destination, and those its own vendor makes necessary."""

from __future__ import annotations

from collections import Counter

import pytest

from integrations.base import MemberPush, MemberStatus, Permanent, PushOutcome, Transient, UnknownOutcome
from integrations.esp.campaign_monitor_members import import_people
from tests.integrations.esp.campaign_monitor_rig import CampaignMonitorRig
from tests.integrations.esp.conformance import AN, BO, CAS, DestinationConformance, HardCasesConformance
from tests.standins.campaign_monitor import Fault

TAG = "Afhakers"
Result = tuple[PushOutcome, MemberStatus | None, str | None]


class TestCampaignMonitorHardCases(HardCasesConformance):
    """And what nobody asked for."""

    @pytest.fixture
    def hard(self, campaign_monitor_rig: CampaignMonitorRig) -> CampaignMonitorRig:
        campaign_monitor_rig.standin.add_field(campaign_monitor_rig.text_tag, list_id=campaign_monitor_rig.list_id)
        return campaign_monitor_rig


class TestCampaignMonitor(DestinationConformance):
    """The suite every destination passes."""

    @pytest.fixture
    def rig(self, campaign_monitor_rig: CampaignMonitorRig) -> CampaignMonitorRig:
        return campaign_monitor_rig


@pytest.fixture
def rig(campaign_monitor_rig: CampaignMonitorRig) -> CampaignMonitorRig:
    return campaign_monitor_rig


def push(rig: CampaignMonitorRig, *people: MemberPush, confirming: bool = False) -> list[Result]:
    list_id = rig.confirming_list_id if confirming else rig.list_id
    results = rig.destination.upsert(list_id, people, double_opt_in=confirming)
    return [(result.outcome, result.status, result.code) for result in results]


def fields_of(rig: CampaignMonitorRig, email: str) -> dict[str, list[str]]:
    person = rig.standin.person(email, list_id=rig.list_id)
    assert person is not None
    return person.fields


# --- who comes back, and who does not --------------------------------------------------------------------------------

HELD: list[tuple[str, Result]] = [
    ("Active", (PushOutcome.DONE, MemberStatus.SUBSCRIBED, None)),
    ("Unconfirmed", (PushOutcome.DONE, MemberStatus.PENDING, None)),
    ("Unsubscribed", (PushOutcome.REFUSED, MemberStatus.UNSUBSCRIBED, "stays_unsubscribed")),
    ("Bounced", (PushOutcome.REFUSED, MemberStatus.CLEANED, "stays_cleaned")),
    ("Deleted", (PushOutcome.REFUSED, MemberStatus.ARCHIVED, "stays_archived")),
]


@pytest.mark.parametrize(("state", "expected"), HELD, ids=[state for state, _ in HELD])
@pytest.mark.parametrize("confirming", [False, True])
def test_a_push_leaves_the_state_alone_and_tells_it(
    rig: CampaignMonitorRig, state: str, expected: Result, confirming: bool
) -> None:
    list_id = rig.confirming_list_id if confirming else rig.list_id
    rig.standin.add_person(AN, state, list_id=list_id)
    assert push(rig, MemberPush(AN, {"Name": "An"}), confirming=confirming) == [expected]
    person = rig.standin.person(AN, list_id=list_id)
    assert person is not None
    assert (person.state, person.name) == (state, "An" if expected[0] is PushOutcome.DONE else "")


@pytest.mark.parametrize(
    ("reason", "status"), [("Unsubscribed", MemberStatus.UNSUBSCRIBED), ("Bounced", MemberStatus.CLEANED)]
)
def test_the_suppressed_are_refused_with_what_that_means(
    rig: CampaignMonitorRig, reason: str, status: MemberStatus
) -> None:
    rig.add(AN, MemberStatus.SUBSCRIBED)
    rig.standin.suppress(AN, reason=reason)
    list(rig.destination.changed_members(rig.list_id, None))
    assert push(rig, MemberPush(AN)) == [(PushOutcome.REFUSED, status, "compliance_state")]


@pytest.mark.parametrize("refuses", [False, True])
def test_a_suppressed_stranger_is_refused_whether_or_not_the_vendor_does_so(
    rig: CampaignMonitorRig, refuses: bool
) -> None:
    rig.standin.behave(refuses_suppressed_strangers=refuses)
    rig.standin.suppress(AN)
    list(rig.destination.changed_members(rig.list_id, None))
    assert push(rig, MemberPush(AN), MemberPush(BO)) == [
        (PushOutcome.REFUSED, MemberStatus.UNSUBSCRIBED, "compliance_state"),
        (PushOutcome.DONE, MemberStatus.SUBSCRIBED, None),
    ]


def test_a_suppression_nobody_read_about_counts_as_the_strictest(rig: CampaignMonitorRig) -> None:
    rig.add(AN, MemberStatus.SUBSCRIBED)
    rig.standin.suppress(AN, reason="Bounced")
    assert push(rig, MemberPush(AN)) == [(PushOutcome.REFUSED, MemberStatus.UNSUBSCRIBED, "compliance_state")]


@pytest.mark.parametrize("queues", [False, True])
def test_a_stranger_to_a_confirming_list_waits_also_where_the_addition_is_queued(
    rig: CampaignMonitorRig, queues: bool
) -> None:
    rig.standin.behave(queues_adds=queues)
    assert push(rig, MemberPush(AN), confirming=True) == [(PushOutcome.DONE, MemberStatus.PENDING, None)]
    rig.standin.work_off()
    assert rig.status(AN, list_id=rig.confirming_list_id) is MemberStatus.PENDING


# --- what a push says ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("may_track", "word"), [(None, "Unchanged"), (True, "Yes"), (False, "No")])
def test_consent_to_be_followed_is_always_told_and_unchanged_where_nobody_asked(
    rig: CampaignMonitorRig, may_track: bool | None, word: str
) -> None:
    push(rig, MemberPush(AN, may_track=may_track))
    (request,) = rig.standin.requests
    assert request.body == {
        "Subscribers": [{"EmailAddress": AN, "ConsentToTrack": word}],
        "Resubscribe": False,
        "RestartSubscriptionBasedAutoresponders": False,
        "QueueSubscriptionBasedAutoResponders": False,
    }


def test_only_fields_the_list_has_are_sent_no_longer_than_they_hold_and_empty_ones_are_emptied(
    rig: CampaignMonitorRig,
) -> None:
    rig.standin.add_field("Woon plaats", list_id=rig.list_id)
    rig.standin.add_field("Bijnaam", list_id=rig.list_id)
    rig.standin.add_person(AN, fields={"Bijnaam": ["Annie"]}, list_id=rig.list_id)
    long = "é" * 249 + "🎭🎭"
    push(rig, MemberPush(AN, {"Name": "An", "Woonplaats": long, "Bijnaam": "", "Postcode": "9000"}))
    told = rig.standin.requests[-1].body["Subscribers"][0]
    assert [one["Key"] for one in told["CustomFields"]] == ["Woonplaats", "Bijnaam"]
    assert fields_of(rig, AN) == {"Woon plaats": ["é" * 249 + "🎭"], "Bijnaam": []}


def test_a_field_that_holds_many_values_is_none_for_a_text_and_ours_is_not_offered(rig: CampaignMonitorRig) -> None:
    rig.standin.add_field("Postcode", list_id=rig.list_id)
    rig.standin.add_field("Genres", kind="MultiSelectMany", options=("dans",), list_id=rig.list_id)
    rig.destination.ensure_tag(rig.list_id, TAG)
    assert rig.destination.field_tags(rig.list_id) == ["Name", "Postcode"]


def test_a_push_touches_no_values_of_fields_with_many(rig: CampaignMonitorRig) -> None:
    rig.standin.add_field("Genres", kind="MultiSelectMany", options=("dans", "opera"), list_id=rig.list_id)
    rig.standin.add_person(AN, fields={"Genres": ["dans", "opera"]}, list_id=rig.list_id)
    push(rig, MemberPush(AN, {"Name": "An", "Genres": "dans"}))
    assert fields_of(rig, AN) == {"Genres": ["dans", "opera"]}


# --- chunks and partial success --------------------------------------------------------------------------------------


def test_a_thousand_people_are_one_call_and_one_more_is_two(rig: CampaignMonitorRig) -> None:
    people = [MemberPush(f"p{number}@example.org") for number in range(1_001)]
    assert {outcome for outcome, _, _ in push(rig, *people)} == {PushOutcome.DONE}
    assert rig.standin.counts() == Counter({"import": 2})
    assert [len(one.body["Subscribers"]) for one in rig.standin.requests] == [1_000, 1]


def test_a_partial_success_is_read_person_by_person(rig: CampaignMonitorRig) -> None:
    rig.add(BO, MemberStatus.UNSUBSCRIBED)
    results = push(rig, MemberPush(AN), MemberPush(BO.upper()), MemberPush("jan@kapot"), MemberPush(CAS))
    assert [code for _, _, code in results] == [None, "stays_unsubscribed", "invalid_address", None]
    assert rig.standin.emails("Active", list_id=rig.list_id) == {AN, CAS}


def test_a_number_nobody_knows_is_a_refusal_and_no_word_of_the_person(
    rig: CampaignMonitorRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.esp.campaign_monitor.import_people", lambda *_: {AN: 999})
    (result,) = rig.destination.upsert(rig.list_id, [MemberPush(AN)], double_opt_in=False)
    assert (result.outcome, result.status, result.code, result.detail) == (
        PushOutcome.REFUSED,
        None,
        "not_taken",
        "999",
    )


class Told:
    """A client that tells what a test lets it."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def post(self, *_path: str, **_: object) -> object:
        return self.answer


@pytest.mark.parametrize(
    "answer",
    [None, [], {}, {"FailureDetails": None}, {"FailureDetails": [{"EmailAddress": "wie@example.org", "Code": 206}]}],
)
def test_an_import_that_does_not_tell_who_was_taken_is_unknown(answer: object) -> None:
    told = [{"EmailAddress": AN, "ConsentToTrack": "Unchanged"}]
    with pytest.raises(UnknownOutcome) as caught:
        import_people(Told(answer), "a", told)  # type: ignore[arg-type]
    assert "example.org" not in str(caught.value)


def test_what_goes_wrong_with_one_person_afterwards_keeps_the_results_of_the_others(rig: CampaignMonitorRig) -> None:
    rig.add(AN, MemberStatus.PENDING)
    rig.standin.fail_next(Fault.THROTTLED, times=100, kind="put_subscriber")
    results = []
    with pytest.raises(Transient):
        results.extend(rig.destination.upsert(rig.list_id, [MemberPush(AN), MemberPush(BO)], double_opt_in=False))
    assert [result.email for result in results] == [BO]


# --- opting out ------------------------------------------------------------------------------------------------------


def test_an_opt_out_reaches_as_far_as_the_list_says(rig: CampaignMonitorRig) -> None:
    wide, other = (rig.standin.add_list(name, for_all_lists=True) for name in ("Breed", "Ook breed"))
    for list_id in (wide, other, rig.list_id):
        rig.standin.add_person(AN, list_id=list_id)
    rig.destination.unsubscribe(wide, AN)
    assert [rig.status(AN, list_id=one) for one in (wide, other, rig.list_id)] == [
        MemberStatus.UNSUBSCRIBED,
        MemberStatus.UNSUBSCRIBED,
        MemberStatus.SUBSCRIBED,
    ]
    assert [one.email for one in rig.standin.suppressed()] == [AN]


@pytest.mark.parametrize("state", ["Unsubscribed", "Deleted"])
def test_an_opt_out_of_somebody_already_silent_is_done(rig: CampaignMonitorRig, state: str) -> None:
    rig.standin.add_person(AN, state, list_id=rig.list_id)
    assert rig.destination.unsubscribe(rig.list_id, AN).outcome is PushOutcome.DONE
    assert rig.standin.state(AN, list_id=rig.list_id) == state


def test_an_opt_out_that_cannot_be_read_back_is_unknown(rig: CampaignMonitorRig) -> None:
    rig.add(AN, MemberStatus.SUBSCRIBED)
    rig.standin.fail_next(Fault.THROTTLED, times=100, kind="get_subscriber")
    with pytest.raises(UnknownOutcome):
        rig.destination.unsubscribe(rig.list_id, AN)


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.TOO_MANY_UNTYPED, Fault.FORBIDDEN_BODYLESS])
def test_an_opt_out_throttled_without_a_word_is_never_taken_for_done(rig: CampaignMonitorRig, fault: Fault) -> None:
    rig.add(AN, MemberStatus.SUBSCRIBED)
    rig.standin.fail_next(fault, times=100)
    with pytest.raises(Transient) as caught:
        rig.destination.unsubscribe(rig.list_id, AN)
    assert caught.value.code == "rate_limited"
    assert rig.status(AN) is MemberStatus.SUBSCRIBED


# --- audiences -------------------------------------------------------------------------------------------------------


def tag(rig: CampaignMonitorRig, *, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()) -> list[str | None]:
    option = rig.destination.ensure_tag(rig.list_id, TAG)
    return [result.code for result in rig.destination.tag(rig.list_id, option, add=add, remove=remove)]


def test_our_field_is_made_once_and_people_do_not_see_it(rig: CampaignMonitorRig) -> None:
    for name in (TAG, "Vaste klanten", TAG):
        rig.destination.ensure_tag(rig.list_id, name)
    (field,) = rig.standin.fields(list_id=rig.list_id)
    assert (field.name, field.kind, field.options, field.is_visible) == (
        "Zaallicht",
        "MultiSelectMany",
        [TAG, "Vaste klanten"],
        False,
    )


def test_options_that_marketers_made_in_our_field_stay(rig: CampaignMonitorRig) -> None:
    rig.standin.add_field("Zaallicht", kind="MultiSelectMany", options=("Vrienden",), list_id=rig.list_id)
    rig.destination.ensure_tag(rig.list_id, TAG)
    (field,) = rig.standin.fields(list_id=rig.list_id)
    assert field.options == ["Vrienden", TAG]


def test_a_field_of_our_name_and_another_kind_stops_us_in_words(rig: CampaignMonitorRig) -> None:
    rig.standin.add_field("zaallicht", list_id=rig.list_id)
    with pytest.raises(Permanent) as caught:
        rig.destination.ensure_tag(rig.list_id, TAG)
    assert caught.value.code == "field_taken"


@pytest.mark.parametrize("replaces", [False, True])
@pytest.mark.parametrize("state", ["Active", "Unconfirmed", "Unsubscribed", "Bounced"])
def test_values_that_others_put_there_stay_whether_sent_ones_replace_or_join(
    rig: CampaignMonitorRig, replaces: bool, state: str
) -> None:
    rig.standin.behave(replaces_options=replaces)
    rig.standin.add_field("Zaallicht", kind="MultiSelectMany", options=("Vrienden", "Pers"), list_id=rig.list_id)
    rig.standin.add_field("Genres", kind="MultiSelectMany", options=("dans",), list_id=rig.list_id)
    theirs = {"Zaallicht": ["Vrienden", "Pers"], "Genres": ["dans"]}
    rig.standin.add_person(AN, state, name="An", fields=theirs, list_id=rig.list_id)
    assert tag(rig, add=(AN,)) == [None]
    assert fields_of(rig, AN) == theirs | {"Zaallicht": ["Vrienden", "Pers", TAG]}
    assert tag(rig, remove=(AN,)) == [None]
    assert fields_of(rig, AN) == theirs
    person = rig.standin.person(AN, list_id=rig.list_id)
    assert person is not None
    assert (person.state, person.name) == (state, "An")


def test_the_deleted_are_strangers_and_nobody_is_created(rig: CampaignMonitorRig) -> None:
    rig.add(AN, MemberStatus.ARCHIVED)
    assert tag(rig, add=(AN, BO), remove=(CAS,)) == ["not_on_list", "not_on_list", None]
    assert rig.standin.emails(list_id=rig.list_id) == {AN}


def test_somebody_who_opts_out_while_they_get_our_value_gets_it_and_stays_out(rig: CampaignMonitorRig) -> None:
    rig.add(AN, MemberStatus.SUBSCRIBED)
    rig.standin.before_each("import", lambda _: rig.standin.set_state(AN, "Unsubscribed", list_id=rig.list_id))
    assert tag(rig, add=(AN,)) == [None]
    assert rig.status(AN) is MemberStatus.UNSUBSCRIBED


def test_somebody_who_is_gone_when_they_are_told_is_a_stranger(rig: CampaignMonitorRig) -> None:
    rig.add(AN, MemberStatus.UNSUBSCRIBED)
    rig.standin.before_each("put_subscriber", lambda _: rig.standin.forget(AN, list_id=rig.list_id))
    assert tag(rig, add=(AN,)) == ["not_on_list"]


def test_what_is_so_already_is_not_said_again(rig: CampaignMonitorRig) -> None:
    rig.add(AN, MemberStatus.SUBSCRIBED)
    rig.add(BO, MemberStatus.SUBSCRIBED)
    tag(rig, add=(AN,))
    before = rig.standin.counts()["import"]
    assert tag(rig, add=(AN,), remove=(BO,)) == [None, None]
    assert rig.standin.counts()["import"] == before


def test_old_members_are_looked_up_one_by_one_when_the_newest_are_others(rig: CampaignMonitorRig) -> None:
    rig.standin.add_field("Zaallicht", kind="MultiSelectMany", options=(TAG,), list_id=rig.list_id)
    old = [f"oud{number}@example.org" for number in range(30)]
    for email in old:
        rig.add(email, MemberStatus.SUBSCRIBED)
    now = rig.standin.clock()
    rig.standin.clock = lambda: now.replace(year=now.year + 1)
    for number in range(3_000):
        rig.add(f"nieuw{number}@example.org", MemberStatus.SUBSCRIBED)
    rig.destination.tag(rig.list_id, TAG, add=old, remove=[])
    assert rig.standin.counts() == Counter({"get_listing": 1, "get_subscriber": 30, "import": 1})
    assert rig.standin.having(TAG, list_id=rig.list_id) == set(old)


# --- lists -----------------------------------------------------------------------------------------------------------


def test_a_list_counts_its_subscribers(rig: CampaignMonitorRig) -> None:
    rig.add(AN, MemberStatus.SUBSCRIBED)
    rig.add(BO, MemberStatus.UNSUBSCRIBED)
    assert {one.name: one.member_count for one in rig.destination.lists()} == {"Nieuwsbrief": 1, "Genodigden": 0}


def test_a_list_deleted_while_the_lists_are_read_is_left_out(rig: CampaignMonitorRig) -> None:
    gone = rig.standin.add_list("Weg")
    rig.standin.before_each(
        "get_stats", lambda request: rig.standin.remove_list(list_id=gone) if gone in request.path else None
    )
    assert {one.name for one in rig.destination.lists()} == {"Nieuwsbrief", "Genodigden"}


def test_a_client_id_of_somebody_else_is_told_as_a_wrong_setting(rig: CampaignMonitorRig) -> None:
    rig.destination._client_id = "0" * 32
    with pytest.raises(Permanent) as caught:
        rig.destination.check()
    assert caught.value.code == "bad_settings"
