"""The one function that decides, and what must hold for every history there can be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.consent import precedence
from app.consent.precedence import Fact, PurposeRules, Verdict, decide

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
EVIDENCE = {"transaction": "T-1", "seller": "De Proef", "legal_person": "BE0123456789"}
NEWSLETTER = PurposeRules(
    code="newsletter", allowed_bases=frozenset({"consent", "soft_opt_in", "impersonal_address"}), retention_days=1000
)
SERVICE = PurposeRules(code="service", is_marketing=False, allowed_bases=frozenset({"service"}))


def a_yes(day: int, **changes: Any) -> Fact:
    given: dict[str, Any] = {
        "id": day,
        "purpose": "newsletter",
        "action": "granted",
        "basis": "consent",
        "occurred_at": START + day * DAY,
        "recorded_at": START + day * DAY,
        "actor": "contact",
        "method": "form",
        "source": "website",
        "notice_version_id": 1,
    }
    return Fact(**(given | changes))


def a_no(day: int, **changes: Any) -> Fact:
    return a_yes(
        day, **({"action": "withdrawn", "basis": None, "notice_version_id": None, "method": "one_click"} | changes)
    )


def test_no_record_means_no() -> None:
    """I2."""
    assert decide([], NEWSLETTER) == Verdict(reason="no_record")


def test_a_complete_yes_allows_and_shows_its_proof() -> None:
    assert decide([a_yes(3)], NEWSLETTER) == Verdict(
        is_allowed=True, basis="consent", reason="consent", since=START + 3 * DAY, valid_until=START + 1003 * DAY,
        decided_by=3,
    )  # fmt: skip


@pytest.mark.parametrize("missing", ["occurred_at", "notice_version_id"])
def test_a_yes_without_its_date_or_its_wording_allows_nothing(missing: str) -> None:
    """I9."""
    verdict = decide([replace(a_yes(3), **{missing: None})], NEWSLETTER)
    assert (verdict.is_allowed, verdict.reason) == (False, "incomplete")


@pytest.mark.parametrize("field", ["method", "source"])
def test_a_yes_without_its_method_or_source_allows_nothing(field: str) -> None:
    assert decide([replace(a_yes(3), **{field: " "})], NEWSLETTER).reason == "incomplete"


@pytest.mark.parametrize(
    ("action", "reason"), [("requested", "unconfirmed"), ("noted", "noted"), ("something_new", "noted")]
)
def test_what_is_no_yes_allows_nothing(action: str, reason: str) -> None:
    """I2: an unknown value is a no."""
    verdict = decide([a_yes(3, action=action)], NEWSLETTER)
    assert (verdict.is_allowed, verdict.reason) == (False, reason)


@pytest.mark.parametrize("basis", [None, "legitimate_interest"])
def test_a_basis_nobody_knows_shows_no_proof(basis: str | None) -> None:
    """I2."""
    assert precedence.is_complete(a_yes(3))
    assert not precedence.is_complete(a_yes(3, basis=basis))


@pytest.mark.parametrize("basis", [None, "service", "legitimate_interest"])
def test_a_basis_the_purpose_does_not_allow_allows_nothing(basis: str | None) -> None:
    assert decide([a_yes(3, basis=basis)], NEWSLETTER).reason == "basis_not_allowed"


def test_service_is_never_marketing() -> None:
    permissive = replace(NEWSLETTER, allowed_bases=frozenset({"consent", "service"}))
    assert decide([a_yes(3, basis="service")], permissive).reason == "basis_not_allowed"
    consent_for_service = replace(SERVICE, allowed_bases=frozenset({"consent", "service"}))
    assert decide([a_yes(3, purpose="service")], consent_for_service).reason == "basis_not_allowed"
    assert decide([a_yes(3, purpose="service", basis="service")], SERVICE).is_allowed


@pytest.mark.parametrize("missing", ["transaction", "seller"])
@pytest.mark.parametrize("blank", [None, "", "  ", []])
def test_an_incomplete_soft_opt_in_is_a_no(missing: str, blank: object) -> None:
    """I29."""
    soft = a_yes(3, basis="soft_opt_in", evidence=EVIDENCE)
    assert decide([soft], NEWSLETTER).is_allowed
    assert decide([replace(soft, evidence=EVIDENCE | {missing: blank})], NEWSLETTER).reason == "incomplete"
    assert decide([replace(soft, notice_version_id=None)], NEWSLETTER).reason == "incomplete"


def test_an_impersonal_address_needs_its_legal_person() -> None:
    impersonal = a_yes(3, basis="impersonal_address", evidence=EVIDENCE)
    assert decide([impersonal], NEWSLETTER).is_allowed
    assert not decide([replace(impersonal, evidence={})], NEWSLETTER).is_allowed


def test_double_opt_in_needs_the_confirmation() -> None:
    strict = replace(NEWSLETTER, needs_confirmation=True)
    asked = a_yes(3, action="requested")
    assert decide([asked], strict).reason == "unconfirmed"
    assert decide([asked, a_yes(4)], strict).reason == "unconfirmed"
    confirmed = a_yes(5, action="confirmed", method="confirmation_page")
    assert decide([asked, confirmed], strict).is_allowed


def test_a_no_acts_from_its_recording_whatever_time_it_claims() -> None:
    for claimed in (None, START - 900 * DAY, START + 900 * DAY):
        verdict = decide([a_yes(3), a_no(4, occurred_at=claimed)], NEWSLETTER)
        assert (verdict.is_allowed, verdict.is_negative, verdict.reason) == (False, True, "withdrawn")


def test_a_no_to_all_marketing_covers_every_marketing_purpose_and_no_service() -> None:
    every_no = a_no(4, purpose=None)
    assert decide([a_yes(3), every_no], NEWSLETTER).is_negative
    assert decide([every_no], replace(NEWSLETTER, code="made_later")).is_negative
    booked = a_yes(3, purpose="service", basis="service")
    assert decide([booked, every_no], SERVICE).is_allowed


def test_a_yes_to_everything_at_once_is_no_yes() -> None:
    assert not decide([a_yes(3, purpose=None)], NEWSLETTER).is_allowed


@pytest.mark.parametrize("method", sorted(precedence.FIRST_PARTY_METHODS))
@pytest.mark.parametrize("action", sorted(precedence.NEGATIVE))
def test_a_later_act_of_the_person_lifts_a_no(method: str, action: str) -> None:
    act = a_yes(5, method=method, evidence={"scan": "archive/2026/17"})
    assert decide([a_no(4, action=action), act], NEWSLETTER).is_allowed


def test_a_signed_paper_without_its_scan_lifts_nothing() -> None:
    assert decide([a_no(4), a_yes(5, method="signed_paper_scan")], NEWSLETTER).is_negative


@pytest.mark.parametrize("actor", ["staff", "system", "import", "api"])
@pytest.mark.parametrize("method", ["form", "import", "sync", "purchase", "edited_by_staff", "merge"])
def test_nobody_else_ever_lifts_a_no(actor: str, method: str) -> None:
    """I6."""
    verdict = decide([a_no(4), a_yes(5, actor=actor, method=method)], NEWSLETTER)
    assert (verdict.is_allowed, verdict.is_negative, verdict.decided_by) == (False, True, 4)


@pytest.mark.parametrize("method", ["import", "sync", "purchase", "phone_call", "merge"])
def test_an_act_by_another_way_than_those_listed_lifts_nothing(method: str) -> None:
    """I6."""
    assert decide([a_no(4), a_yes(5, method=method)], NEWSLETTER).is_negative


def test_an_act_from_before_the_no_lifts_nothing_however_late_it_arrives() -> None:
    for happened in (START + 3 * DAY, None):
        assert decide([a_no(4), a_yes(5, occurred_at=happened)], NEWSLETTER).is_negative


def test_an_act_in_the_same_instant_lifts_when_it_was_recorded_after_the_no() -> None:
    same = a_yes(5, occurred_at=START + 4 * DAY)
    assert decide([a_no(4), same], NEWSLETTER).is_allowed
    assert decide([a_no(6, recorded_at=START + 4 * DAY), same], NEWSLETTER).is_negative


def test_an_incomplete_act_lifts_nothing() -> None:
    assert decide([a_no(4), a_yes(5, notice_version_id=None)], NEWSLETTER).is_negative
    strict = replace(NEWSLETTER, needs_confirmation=True)
    assert decide([a_no(4), a_yes(5)], strict).is_negative


def test_a_yes_of_a_machine_that_came_during_the_no_does_not_count_after_it_was_lifted() -> None:
    machine = a_yes(5, actor="import", valid_until=START + 900 * DAY)
    person = a_yes(6, valid_until=START + 30 * DAY)
    assert decide([a_no(4), machine, person], NEWSLETTER).decided_by == 6


def test_a_yes_from_before_the_no_does_not_come_back() -> None:
    verdict = decide([a_yes(3), a_no(4), a_yes(5, valid_until=START + 30 * DAY)], NEWSLETTER)
    assert (verdict.decided_by, verdict.valid_until) == (5, START + 30 * DAY)


def test_what_has_expired_is_not_reopened_by_older_proof() -> None:
    expired = a_no(50, action="expired")
    verdict = decide([a_yes(3), expired], NEWSLETTER)
    assert (verdict.is_allowed, verdict.is_negative, verdict.reason) == (False, False, "expired")
    late_proof = a_yes(51, occurred_at=START + 4 * DAY, actor="import")
    assert decide([a_yes(3), expired, late_proof], NEWSLETTER).reason == "outdated"
    assert decide([a_yes(3), expired, a_yes(52, actor="import")], NEWSLETTER).is_allowed


def a_pause(day: int, until: int, **changes: Any) -> Fact:
    pause = {"action": "paused", "purpose": None, "method": "preference_page", "valid_until": START + until * DAY}
    return a_no(day, **(pause | changes))


def test_a_pause_takes_no_yes_away_and_runs_out_by_itself() -> None:
    verdict = decide([a_yes(3), a_pause(5, until=95)], NEWSLETTER)
    assert (verdict.is_allowed, verdict.is_negative, verdict.paused_until) == (True, False, START + 95 * DAY)
    assert not is_mailable(verdict, START + 94 * DAY)
    assert is_mailable(verdict, START + 95 * DAY)


def test_a_yes_given_during_a_pause_counts_after_it() -> None:
    assert decide([a_pause(5, until=95)], NEWSLETTER).reason == "paused"
    assert not is_mailable(decide([a_pause(5, until=95), a_yes(6)], NEWSLETTER), START + 7 * DAY)
    assert is_mailable(decide([a_pause(5, until=95), a_yes(6)], NEWSLETTER), START + 96 * DAY)


def test_only_the_person_ends_a_pause_before_its_time() -> None:
    history = [a_yes(3), a_pause(5, until=95)]
    resumed = a_pause(7, until=7, action="resumed", valid_until=None)
    assert decide([*history, resumed], NEWSLETTER).paused_until is None
    for changes in ({"actor": "import"}, {"actor": "staff"}, {"method": "told_us"}, {"occurred_at": START + 4 * DAY}):
        assert decide([*history, replace(resumed, **changes)], NEWSLETTER).paused_until == START + 95 * DAY


def test_a_no_during_a_pause_stands_when_it_is_over() -> None:
    verdict = decide([a_yes(3), a_pause(5, until=95), a_no(6)], NEWSLETTER)
    assert verdict.is_negative
    assert not is_mailable(verdict, START + 96 * DAY)


def test_what_was_booked_goes_on_during_a_pause() -> None:
    booked = a_yes(3, purpose="service", basis="service")
    for purpose in (None, "service"):
        assert decide([booked, a_pause(5, until=95, purpose=purpose)], SERVICE).paused_until is None


def test_the_validity_that_lasts_longest_counts() -> None:
    short = a_yes(8, valid_until=START + 20 * DAY)
    assert decide([a_yes(3), short], NEWSLETTER).decided_by == 3


instants = st.integers(0, 60).map(lambda day: START + day * DAY)
facts = st.builds(
    Fact,
    id=st.just(0),
    purpose=st.sampled_from(["newsletter", "newsletter", "newsletter", None, "survey"]),
    action=st.sampled_from(
        [
            "granted", "granted", "confirmed", "requested", "noted", "paused", "resumed",
            *sorted(precedence.NEGATIVE | precedence.ENDING),
        ]
    ),
    basis=st.sampled_from(["consent", "consent", "soft_opt_in", "service", None]),
    occurred_at=st.none() | instants,
    recorded_at=instants,
    actor=st.sampled_from(["contact", "contact", "guardian", "staff", "system", "import", "api"]),
    method=st.sampled_from(["form", "preference_page", "import", "one_click"]),
    source=st.just("source"),
    notice_version_id=st.sampled_from([1, 1, 1, None]),
    evidence=st.sampled_from([{}, EVIDENCE]),
    valid_until=st.none() | instants,
)  # fmt: skip
rules = st.builds(
    replace, st.just(NEWSLETTER), needs_confirmation=st.booleans(), retention_days=st.sampled_from([None, 10, 1000])
)


def recorded(history: list[Fact]) -> list[Fact]:
    """Number a history in the order it was recorded."""
    return [replace(fact, id=number) for number, fact in enumerate(sorted(history, key=lambda f: f.recorded_at), 1)]


def is_mailable(verdict: Verdict, at: datetime) -> bool:
    is_paused = verdict.paused_until is not None and verdict.paused_until > at
    return verdict.is_allowed and not is_paused and (verdict.valid_until is None or verdict.valid_until > at)


@given(st.lists(facts, max_size=8), rules, st.randoms())
def test_the_order_of_the_list_is_of_no_account(history: list[Fact], purpose: PurposeRules, random: Any) -> None:
    numbered = recorded(history)
    shuffled = random.sample(numbered, len(numbered))
    assert decide(numbered, purpose) == decide(shuffled, purpose)


noes = st.builds(
    replace,
    facts,
    id=st.integers(0, 8).map(lambda place: 2 * place + 1),
    action=st.sampled_from(sorted(precedence.NEGATIVE)),
)


@given(st.lists(facts, max_size=8), noes, rules, instants)
def test_adding_a_no_never_enlarges(history: list[Fact], no: Fact, purpose: PurposeRules, at: datetime) -> None:
    """I4."""
    numbered = [replace(fact, id=2 * fact.id) for fact in recorded(history)]
    with_it, without = decide([*numbered, no], purpose), decide(numbered, purpose)
    assert is_mailable(without, at) or not is_mailable(with_it, at)


@given(st.lists(facts, max_size=8), rules, instants)
def test_hearing_late_or_out_of_order_never_enlarges(history: list[Fact], purpose: PurposeRules, at: datetime) -> None:
    """I4: whatever order facts reach us in, nobody is mailable who would not be had we heard each at once."""
    dated = [replace(fact, occurred_at=min(fact.occurred_at or START, fact.recorded_at)) for fact in history]
    dated = [
        replace(fact, occurred_at=fact.happened_at + timedelta(seconds=n))
        for n, fact in enumerate(dated)
        if fact.happened_at
    ]
    dated = [replace(fact, recorded_at=max(fact.recorded_at, fact.occurred_at or START)) for fact in dated]
    heard_at_once = recorded([replace(fact, recorded_at=fact.occurred_at or START) for fact in dated])
    as_it_came, ideal = decide(recorded(dated), purpose), decide(heard_at_once, purpose)
    assert is_mailable(ideal, at) or not is_mailable(as_it_came, at)


@given(st.lists(facts, max_size=8), rules)
def test_a_standing_no_is_only_ever_lifted_by_the_person(history: list[Fact], purpose: PurposeRules) -> None:
    """I6, for every history: what machines and colleagues say after a no changes nothing about it."""
    numbered = recorded(history)
    no = replace(a_no(100), purpose=None)
    machines = [replace(fact, id=200 + fact.id, actor="import") for fact in numbered]
    verdict = decide([*numbered, no, *machines], purpose)
    assert verdict.is_negative


@given(st.lists(facts, max_size=8), rules)
def test_whoever_is_allowed_has_a_proof(history: list[Fact], purpose: PurposeRules) -> None:
    numbered = recorded(history)
    verdict = decide(numbered, purpose)
    assert not (verdict.is_allowed and verdict.is_negative)
    if verdict.is_allowed:
        (proof,) = [fact for fact in numbered if fact.id == verdict.decided_by]
        assert proof.notice_version_id is not None
        assert proof.basis == verdict.basis
        assert precedence.is_complete(proof)
    assert (verdict.since is None) == (verdict.decided_by is None) == (verdict.reason == "no_record")
