"""What every destination must do, whatever its vendor calls it; a connector's test subclasses the suite.

The subclass gives a fixture ``rig``: a destination, a stand-in of its vendor, and the few words the suite needs to put
people in a state and to break things. ``docs/adding-a-connector.md`` tells how.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from integrations.base import (
    ConnectorError,
    Destination,
    MemberPush,
    MemberStatus,
    Permanent,
    PushOutcome,
    Transient,
    UnknownOutcome,
)
from tests.standins.loopback import Fault, StandIn

AN, BO, CAS = "an@example.org", "bo@example.org", "cas@example.org"


class DestinationRig(Protocol):
    """A destination on its stand-in. ``list_id`` is a plain list, ``confirming_list_id`` a double opt-in one.

    ``statuses`` are those the vendor can hold a person in, ``has_forgotten`` whether it refuses for ever whom it was
    told to delete for good, ``upserts_at_once`` how many calls of a push go side by side, and ``filter_grain`` how much
    more than asked for "changed since" may bring.
    """

    destination: Destination
    stranger: Destination
    list_id: str
    confirming_list_id: str
    account_name: str
    secrets: Collection[str]
    statuses: Collection[MemberStatus]
    has_forgotten: bool
    upserts_at_once: int
    filter_grain: timedelta

    def add(self, email: str, status: MemberStatus) -> None:
        """Put somebody on the plain list; UNSUBSCRIBED means by themselves."""

    def opt_out_by_admin(self, email: str) -> None:
        """A marketer takes somebody off."""

    def forget(self, email: str) -> None:
        """Delete somebody for good."""

    def status(self, email: str, *, list_id: str | None = None) -> MemberStatus:
        """How the stand-in holds somebody."""

    def calls_to_tag(self, people: int) -> int:
        """How many requests it takes to tag this many people who were just added."""

    def be_busy(self, times: int) -> None:
        """Throttle the next calls, in the vendor's least helpful way."""

    def break_down(self, times: int) -> None:
        """Answer the next calls with a server error."""

    def go_silent_after_effect(self) -> None:
        """Carry the next call out, and never answer."""

    def recover(self) -> None:
        """Stop all misbehaviour that is still to come."""

    def requests_made(self) -> int:
        """How many requests reached the stand-in so far."""

    def peak(self) -> int:
        """The most requests there were at one moment."""

    def wait_for_company(self, size: int) -> None:
        """Answer pushes only when this many are under way at once."""


class DestinationConformance:
    """The suite. Every test takes the fixture ``rig``."""

    # --- knowing the account

    def test_check_names_the_account(self, rig: DestinationRig) -> None:
        assert rig.destination.check() == rig.account_name

    def test_a_wrong_key_is_permanent_and_says_so(self, rig: DestinationRig) -> None:
        with pytest.raises(Permanent) as caught:
            rig.stranger.check()
        assert caught.value.code == "unauthorised"

    def test_lists_tell_which_want_a_confirmation(self, rig: DestinationRig) -> None:
        found = {one.external_id: one.double_opt_in for one in rig.destination.lists()}
        assert found == {rig.list_id: False, rig.confirming_list_id: True}

    # --- pushing

    def test_a_stranger_becomes_a_subscriber(self, rig: DestinationRig) -> None:
        (result,) = rig.destination.upsert(rig.list_id, [MemberPush(AN)], double_opt_in=False)
        assert (result.outcome, result.status) == (PushOutcome.DONE, MemberStatus.SUBSCRIBED)
        assert rig.status(AN) is MemberStatus.SUBSCRIBED

    def test_a_stranger_to_a_double_opt_in_list_must_confirm_first(self, rig: DestinationRig) -> None:
        people = [MemberPush(AN)]
        (result,) = rig.destination.upsert(rig.confirming_list_id, people, double_opt_in=True)
        assert (result.outcome, result.status) == (PushOutcome.DONE, MemberStatus.PENDING)
        assert rig.status(AN, list_id=rig.confirming_list_id) is MemberStatus.PENDING

    @pytest.mark.parametrize("status", [MemberStatus.UNSUBSCRIBED, MemberStatus.CLEANED, MemberStatus.ARCHIVED])
    @pytest.mark.parametrize("double_opt_in", [False, True])
    def test_a_push_brings_nobody_back(self, rig: DestinationRig, status: MemberStatus, double_opt_in: bool) -> None:
        rig.add(AN, status)
        (result,) = rig.destination.upsert(rig.list_id, [MemberPush(AN)], double_opt_in=double_opt_in)
        assert (result.outcome, result.status, result.code) == (PushOutcome.REFUSED, status, f"stays_{status.value}")
        assert rig.status(AN) is status

    def test_an_opt_out_we_made_survives_the_next_push(self, rig: DestinationRig) -> None:
        rig.add(AN, MemberStatus.SUBSCRIBED)
        rig.destination.unsubscribe(rig.list_id, AN)
        (result,) = rig.destination.upsert(rig.list_id, [MemberPush(AN)], double_opt_in=False)
        assert result.outcome is PushOutcome.REFUSED
        assert rig.status(AN) is MemberStatus.UNSUBSCRIBED

    def test_an_opt_out_a_marketer_made_survives_the_next_push(self, rig: DestinationRig) -> None:
        rig.add(AN, MemberStatus.SUBSCRIBED)
        rig.opt_out_by_admin(AN)
        (result,) = rig.destination.upsert(rig.list_id, [MemberPush(AN)], double_opt_in=False)
        assert result.outcome is PushOutcome.REFUSED
        assert rig.status(AN) is MemberStatus.UNSUBSCRIBED

    def test_the_forgotten_are_refused_and_stay_forgotten(self, rig: DestinationRig) -> None:
        if not rig.has_forgotten:
            pytest.skip("this vendor forgets whom it deleted for good: they are strangers")
        rig.forget(AN)
        (result,) = rig.destination.upsert(rig.list_id, [MemberPush(AN)], double_opt_in=False)
        assert (result.outcome, result.code) == (PushOutcome.REFUSED, "forgotten")
        assert rig.status(AN) is MemberStatus.ABSENT

    def test_an_impossible_address_is_a_result_and_the_others_are_pushed(self, rig: DestinationRig) -> None:
        people = [MemberPush(AN), MemberPush("not an address"), MemberPush(BO)]
        results = list(rig.destination.upsert(rig.list_id, people, double_opt_in=False))
        assert [result.email for result in results] == [person.email for person in people]
        assert [result.outcome for result in results] == [PushOutcome.DONE, PushOutcome.INVALID, PushOutcome.DONE]
        assert results[1].code == "invalid_address"

    def test_pushing_nobody_asks_nothing(self, rig: DestinationRig) -> None:
        assert list(rig.destination.upsert(rig.list_id, [], double_opt_in=False)) == []
        assert rig.requests_made() == 0

    def test_pushing_twice_is_pushing_once(self, rig: DestinationRig) -> None:
        for _ in range(2):
            (result,) = rig.destination.upsert(rig.list_id, [MemberPush(AN)], double_opt_in=False)
            assert (result.outcome, result.status) == (PushOutcome.DONE, MemberStatus.SUBSCRIBED)

    def test_calls_go_side_by_side_but_never_more_than_declared(self, rig: DestinationRig) -> None:
        width, size = rig.upserts_at_once, rig.destination.capabilities.upserts_per_call
        assert width <= rig.destination.capabilities.connections_max
        rig.wait_for_company(width)
        people = [MemberPush(f"p{number}@example.org") for number in range(4 * width * size)]
        results = list(rig.destination.upsert(rig.list_id, people, double_opt_in=False))
        assert [result.email for result in results] == [person.email for person in people]
        assert rig.peak() == width

    # --- opting out

    @pytest.mark.parametrize("status", [MemberStatus.SUBSCRIBED, MemberStatus.PENDING, MemberStatus.TRANSACTIONAL])
    def test_unsubscribing_is_proven_by_the_state_read_back(self, rig: DestinationRig, status: MemberStatus) -> None:
        _skip_unless_known(rig, status)
        rig.add(AN, status)
        result = rig.destination.unsubscribe(rig.list_id, AN)
        assert (result.outcome, result.status) == (PushOutcome.DONE, MemberStatus.UNSUBSCRIBED)
        assert rig.status(AN) is MemberStatus.UNSUBSCRIBED

    def test_every_list_that_knows_somebody_is_told_and_how(self, rig: DestinationRig) -> None:
        assert list(rig.destination.lists_holding(AN)) == []
        rig.add(AN, MemberStatus.UNSUBSCRIBED)
        list(rig.destination.upsert(rig.confirming_list_id, [MemberPush(AN)], double_opt_in=True))
        held = {one.list_id: one.status for one in rig.destination.lists_holding(AN.title())}
        assert held == {rig.list_id: MemberStatus.UNSUBSCRIBED, rig.confirming_list_id: MemberStatus.PENDING}

    @pytest.mark.parametrize("status", [MemberStatus.SUBSCRIBED, MemberStatus.UNSUBSCRIBED, MemberStatus.PENDING])
    def test_the_erased_are_gone_and_no_push_brings_them_back(self, rig: DestinationRig, status: MemberStatus) -> None:
        rig.add(AN, status)
        rig.destination.suppress(AN)
        for _ in range(2):
            result = rig.destination.erase(rig.list_id, AN)
            assert result.outcome is PushOutcome.DONE
        assert rig.status(AN) in (MemberStatus.ABSENT, MemberStatus.ARCHIVED)
        (pushed,) = rig.destination.upsert(rig.list_id, [MemberPush(AN)], double_opt_in=False)
        assert pushed.outcome is PushOutcome.REFUSED
        assert rig.status(AN) in (MemberStatus.ABSENT, MemberStatus.ARCHIVED)

    def test_erasing_a_stranger_creates_nobody(self, rig: DestinationRig) -> None:
        assert rig.destination.erase(rig.list_id, AN).outcome is PushOutcome.DONE
        assert rig.status(AN) is MemberStatus.ABSENT

    def test_suppressing_is_done_where_it_is_declared(self, rig: DestinationRig) -> None:
        assert rig.destination.suppress(AN) is rig.destination.capabilities.has_suppression_list

    def test_unsubscribing_a_stranger_creates_nobody(self, rig: DestinationRig) -> None:
        result = rig.destination.unsubscribe(rig.list_id, AN)
        assert (result.outcome, result.status) == (PushOutcome.DONE, MemberStatus.ABSENT)
        assert rig.status(AN) is MemberStatus.ABSENT

    def test_unsubscribing_twice_is_unsubscribing_once(self, rig: DestinationRig) -> None:
        rig.add(AN, MemberStatus.SUBSCRIBED)
        first, second = (rig.destination.unsubscribe(rig.list_id, AN) for _ in range(2))
        assert first == second

    def test_the_address_counts_whatever_its_case(self, rig: DestinationRig) -> None:
        rig.add(AN, MemberStatus.SUBSCRIBED)
        assert rig.destination.unsubscribe(rig.list_id, AN.upper()).status is MemberStatus.UNSUBSCRIBED
        assert rig.destination.member(rig.list_id, AN.title()).status is MemberStatus.UNSUBSCRIBED

    def test_an_opt_out_without_an_answer_is_unknown_and_can_be_read_back(self, rig: DestinationRig) -> None:
        rig.add(AN, MemberStatus.SUBSCRIBED)
        rig.go_silent_after_effect()
        with pytest.raises(UnknownOutcome):
            rig.destination.unsubscribe(rig.list_id, AN)
        rig.recover()
        assert rig.destination.member(rig.list_id, AN).status is MemberStatus.UNSUBSCRIBED

    # --- reading

    @pytest.mark.parametrize("status", [s for s in MemberStatus if s is not MemberStatus.ABSENT])
    def test_reading_somebody_tells_how_they_are_held(self, rig: DestinationRig, status: MemberStatus) -> None:
        _skip_unless_known(rig, status)
        rig.add(AN, status)
        state = rig.destination.member(rig.list_id, AN)
        assert (state.email, state.status) == (AN, status)

    def test_reading_a_stranger_says_absent(self, rig: DestinationRig) -> None:
        assert rig.destination.member(rig.list_id, AN).status is MemberStatus.ABSENT

    def test_reading_everybody_leaves_nobody_out_in_whatever_state(self, rig: DestinationRig) -> None:
        held = {f"{status.value}@example.org": status for status in rig.statuses}
        for email, status in held.items():
            rig.add(email, status)
        found = [(state.email, state.status) for state in rig.destination.changed_members(rig.list_id, None)]
        assert sorted(found) == sorted(held.items())

    def test_reading_changes_leaves_out_who_did_not_change(self, rig: DestinationRig) -> None:
        rig.add(AN, MemberStatus.SUBSCRIBED)
        hour = timedelta(hours=1)
        ahead, behind = datetime.now(UTC) + hour + rig.filter_grain, datetime.now(UTC) - hour
        assert list(rig.destination.changed_members(rig.list_id, ahead)) == []
        assert [state.email for state in rig.destination.changed_members(rig.list_id, behind)] == [AN]

    # --- tagging

    def test_a_tag_is_made_once(self, rig: DestinationRig) -> None:
        first, other = (rig.destination.ensure_tag(rig.list_id, name) for name in ("Afhakers", "Afhakers 2026"))
        assert first == rig.destination.ensure_tag(rig.list_id, "Afhakers")
        assert first != other

    def test_tagging_puts_on_and_takes_off(self, rig: DestinationRig) -> None:
        for email in (AN, BO):
            rig.add(email, MemberStatus.SUBSCRIBED)
        tag = rig.destination.ensure_tag(rig.list_id, "Afhakers")
        rig.destination.tag(rig.list_id, tag, add=[AN], remove=[])
        results = rig.destination.tag(rig.list_id, tag, add=[BO], remove=[AN])
        assert [(result.email, result.outcome) for result in results] == [
            (BO, PushOutcome.DONE),
            (AN, PushOutcome.DONE),
        ]
        assert list(rig.destination.tagged(rig.list_id, tag)) == [BO]

    def test_a_stranger_is_not_tagged_and_not_created(self, rig: DestinationRig) -> None:
        rig.add(AN, MemberStatus.SUBSCRIBED)
        tag = rig.destination.ensure_tag(rig.list_id, "Afhakers")
        results = rig.destination.tag(rig.list_id, tag, add=[AN, BO], remove=[CAS])
        assert [(result.email, result.outcome, result.code) for result in results] == [
            (AN, PushOutcome.DONE, None),
            (BO, PushOutcome.REFUSED, "not_on_list"),
            (CAS, PushOutcome.DONE, None),
        ]
        assert rig.status(BO) is MemberStatus.ABSENT

    def test_tagging_again_is_done_already(self, rig: DestinationRig) -> None:
        rig.add(AN, MemberStatus.SUBSCRIBED)
        tag = rig.destination.ensure_tag(rig.list_id, "Afhakers")
        for _ in range(2):
            (result,) = rig.destination.tag(rig.list_id, tag, add=[AN], remove=[])
            assert result.outcome is PushOutcome.DONE

    def test_tagging_changes_no_status(self, rig: DestinationRig) -> None:
        rig.add(AN, MemberStatus.UNSUBSCRIBED)
        tag = rig.destination.ensure_tag(rig.list_id, "Afhakers")
        rig.destination.tag(rig.list_id, tag, add=[AN], remove=[])
        assert rig.status(AN) is MemberStatus.UNSUBSCRIBED
        assert list(rig.destination.tagged(rig.list_id, tag)) == [AN]

    def test_tagging_takes_as_many_calls_as_the_difference_needs(self, rig: DestinationRig) -> None:
        size = rig.destination.capabilities.tags_per_call
        people = [f"p{number}@example.org" for number in range(2 * size + 1)]
        for email in people:
            rig.add(email, MemberStatus.SUBSCRIBED)
        tag = rig.destination.ensure_tag(rig.list_id, "Afhakers")
        before = rig.requests_made()
        results = rig.destination.tag(rig.list_id, tag, add=people, remove=[])
        assert rig.requests_made() - before == rig.calls_to_tag(len(people))
        assert {result.outcome for result in results} == {PushOutcome.DONE}
        assert sorted(rig.destination.tagged(rig.list_id, tag)) == sorted(people)

    # --- when the vendor falters

    def test_a_busy_vendor_is_asked_again(self, rig: DestinationRig) -> None:
        rig.add(AN, MemberStatus.SUBSCRIBED)
        rig.be_busy(times=2)
        assert rig.destination.unsubscribe(rig.list_id, AN).status is MemberStatus.UNSUBSCRIBED

    def test_a_vendor_that_stays_busy_is_transient(self, rig: DestinationRig) -> None:
        rig.add(AN, MemberStatus.SUBSCRIBED)
        rig.be_busy(times=100)
        with pytest.raises(Transient):
            rig.destination.unsubscribe(rig.list_id, AN)
        assert rig.status(AN) is MemberStatus.SUBSCRIBED

    def test_a_broken_vendor_leaves_a_write_unknown_and_a_read_transient(self, rig: DestinationRig) -> None:
        rig.add(AN, MemberStatus.SUBSCRIBED)
        rig.break_down(times=100)
        with pytest.raises(UnknownOutcome):
            rig.destination.unsubscribe(rig.list_id, AN)
        with pytest.raises(Transient):
            rig.destination.member(rig.list_id, AN)

    @pytest.mark.parametrize("fault", [Fault.CUT_OFF, Fault.HALF])
    def test_half_an_answer_is_no_answer_and_nothing_is_lost_or_doubled_by_it(
        self, rig: DestinationRig, fault: Fault
    ) -> None:
        standin = getattr(rig, "standin", None)
        if not isinstance(standin, StandIn):
            pytest.skip("no answers of this system go over a wire that can be cut")
        people = [MemberPush(f"p{number}@example.org") for number in range(4)]
        rig.add(AN, MemberStatus.SUBSCRIBED)
        calls: list[Callable[[], object]] = [
            lambda: rig.destination.unsubscribe(rig.list_id, AN),
            lambda: list(rig.destination.upsert(rig.list_id, people, double_opt_in=False)),
            lambda: rig.destination.member(rig.list_id, AN),
            lambda: list(rig.destination.changed_members(rig.list_id, None)),
        ]
        for call in calls:
            standin.fail_next(fault, times=1_000)
            with pytest.raises((Transient, UnknownOutcome)):
                call()
            rig.recover()
        assert rig.destination.unsubscribe(rig.list_id, AN).status is MemberStatus.UNSUBSCRIBED
        pushed = list(rig.destination.upsert(rig.list_id, people, double_opt_in=False))
        assert {(one.email, one.outcome) for one in pushed} == {(one.email, PushOutcome.DONE) for one in people}
        held = [one.email for one in rig.destination.changed_members(rig.list_id, None)]
        assert len(held) == len(set(held))
        for email in (AN, *(one.email for one in people)):
            assert rig.destination.member(rig.list_id, email).status is not MemberStatus.ABSENT

    def test_a_list_that_is_gone_is_permanent(self, rig: DestinationRig) -> None:
        with pytest.raises(Permanent) as caught:
            list(rig.destination.changed_members("nolist", None))
        assert caught.value.code == "not_found"
        with pytest.raises(Permanent):
            list(rig.destination.upsert("nolist", [MemberPush(AN)], double_opt_in=False))

    def test_a_failure_half_way_keeps_the_results_that_came(self, rig: DestinationRig) -> None:
        count = max(30, 3 * rig.destination.capabilities.upserts_per_call)
        people = [MemberPush(f"p{number}@example.org") for number in range(count)]
        stream = rig.destination.upsert(rig.list_id, people, double_opt_in=False)
        results = [next(stream)]
        rig.be_busy(times=1_000)
        with pytest.raises(Transient):
            results.extend(stream)
        done = {result.email for result in results if result.outcome is PushOutcome.DONE}
        assert done == {p.email for p in people if rig.status(p.email) is MemberStatus.SUBSCRIBED}
        assert 0 < len(done) < len(people)

    def test_no_error_holds_an_address_or_a_secret(self, rig: DestinationRig) -> None:
        rig.add(AN, MemberStatus.SUBSCRIBED)
        held = rig.destination
        breaks: list[Callable[[], None]] = [
            lambda: rig.be_busy(times=100),
            lambda: rig.break_down(times=100),
            rig.go_silent_after_effect,
        ]
        calls: list[Callable[[], object]] = [
            lambda: held.unsubscribe(rig.list_id, AN),
            lambda: list(held.upsert(rig.list_id, [MemberPush(AN, {"FNAME": "An"})], double_opt_in=False)),
            lambda: held.member(rig.list_id, AN),
            lambda: held.tag(rig.list_id, "1001", add=[AN], remove=[]),
            lambda: list(held.changed_members(rig.list_id, None)),
        ]
        for breaking in breaks:
            for call in calls:
                breaking()
                _assert_tells_nothing(call, [AN, "example.org", *rig.secrets])
                rig.recover()
        _assert_tells_nothing(rig.stranger.check, rig.secrets)

    # --- webhooks

    def test_a_webhook_is_made_once_and_its_secret_told_once(self, rig: DestinationRig) -> None:
        url = "https://proef.example/hooks/x"
        first = rig.destination.ensure_webhook(rig.list_id, url)
        assert bool(first) is rig.destination.capabilities.signs_webhooks
        assert rig.destination.ensure_webhook(rig.list_id, url) is None
        second = rig.destination.ensure_webhook(rig.list_id, url, renew=True)
        assert (second is None) is (first is None)
        assert second is None or second != first

    @pytest.mark.parametrize("body", [b"", b"{", b"a=b", b"\xff\xfe", b"type=nonsense&data[x]=1", b"[]", b"type[a]=1"])
    def test_a_body_that_is_no_hook_gives_no_hint(self, rig: DestinationRig, body: bytes) -> None:
        assert list(rig.destination.read_hook(body)) == []


class HardCasesRig(DestinationRig, Protocol):
    """A rig for what people and vendors do that nobody asked for. The list has a text field, ``text_tag``."""

    text_tag: str
    push_kind: str

    def text_of(self, email: str) -> str:
        """Return what the text field holds of somebody."""

    def emails(self) -> Collection[str]:
        """Return everybody on the plain list."""

    def change_address(self, old: str, new: str) -> None:
        """Somebody changes their own address there."""

    def opt_out_by_person(self, email: str) -> None:
        """Somebody opts out themselves."""

    def before_each_push(self, action: Callable[[], None]) -> None:
        """Do something just before the vendor carries a push out."""

    def answer_html(self, times: int) -> None:
        """Answer the next calls with a page of HTML: 502 where a status says so."""

    def deliveries(self) -> list[tuple[str, bytes]]:
        """Return the webhooks that are due: an address and a body each."""


class HardCasesConformance:
    """The suite's second part: what happens to people and lists while we look elsewhere."""

    def test_emoji_arrive_and_long_values_are_cut_between_two_characters(self, hard: HardCasesRig) -> None:
        told = {AN: "Ÿvonne 👩\u200d🎤", BO: "🎭é" * 400}
        people = [MemberPush(email, {hard.text_tag: value}) for email, value in told.items()]
        results = list(hard.destination.upsert(hard.list_id, people, double_opt_in=False))
        assert {result.outcome for result in results} == {PushOutcome.DONE}
        assert hard.text_of(AN) == told[AN]
        kept = hard.text_of(BO)
        assert told[BO].startswith(kept)
        assert len(kept) > 40

    def test_two_people_who_share_an_address_are_one_there(self, hard: HardCasesRig) -> None:
        people = [MemberPush(AN, {hard.text_tag: "An"}), MemberPush(AN.upper(), {hard.text_tag: "Anton"})]
        results = list(hard.destination.upsert(hard.list_id, people, double_opt_in=False))
        assert {result.outcome for result in results} == {PushOutcome.DONE}
        assert len(hard.emails()) == 1
        hard.opt_out_by_person(AN)
        again = list(hard.destination.upsert(hard.list_id, people, double_opt_in=False))
        assert {result.outcome for result in again} == {PushOutcome.REFUSED}
        assert hard.status(AN) is MemberStatus.UNSUBSCRIBED

    def test_whoever_changed_their_address_is_absent_under_the_old_and_met_under_the_new(
        self, hard: HardCasesRig
    ) -> None:
        hard.add(AN, MemberStatus.SUBSCRIBED)
        hard.change_address(AN, BO)
        assert hard.destination.member(hard.list_id, AN).status is MemberStatus.ABSENT
        assert hard.destination.member(hard.list_id, BO).status is MemberStatus.SUBSCRIBED
        assert [one.email for one in hard.destination.changed_members(hard.list_id, None)] == [BO]
        assert hard.destination.unsubscribe(hard.list_id, AN).status is MemberStatus.ABSENT
        assert hard.status(BO) is MemberStatus.SUBSCRIBED

    def test_an_opt_out_while_we_push_stands(self, hard: HardCasesRig) -> None:
        hard.add(AN, MemberStatus.SUBSCRIBED)
        said: list[bool] = []

        def opt_out() -> None:
            if not said:
                said.append(True)
                hard.opt_out_by_person(AN)

        hard.before_each_push(opt_out)
        results = list(hard.destination.upsert(hard.list_id, [MemberPush(AN), MemberPush(BO)], double_opt_in=False))
        assert said
        assert hard.status(AN) is MemberStatus.UNSUBSCRIBED
        assert hard.status(BO) is MemberStatus.SUBSCRIBED
        assert [result.outcome for result in results if result.email == AN] == [PushOutcome.REFUSED]

    def test_a_page_of_html_is_never_taken_for_an_answer(self, hard: HardCasesRig) -> None:
        hard.add(AN, MemberStatus.SUBSCRIBED)
        hard.answer_html(times=100)
        with pytest.raises(Transient):
            hard.destination.member(hard.list_id, AN)
        with pytest.raises(UnknownOutcome):
            hard.destination.unsubscribe(hard.list_id, AN)
        with pytest.raises((Transient, UnknownOutcome)):
            list(hard.destination.upsert(hard.list_id, [MemberPush(BO)], double_opt_in=False))
        hard.recover()
        assert hard.destination.unsubscribe(hard.list_id, AN).status is MemberStatus.UNSUBSCRIBED

    def test_hooks_that_come_twice_and_backwards_say_the_same_about_the_same_people(self, hard: HardCasesRig) -> None:
        hard.destination.ensure_webhook(hard.list_id, "https://huis.example/hooks/x")
        for email in (AN, BO):
            hard.add(email, MemberStatus.SUBSCRIBED)
            hard.opt_out_by_person(email)
        bodies = [body for _address, body in hard.deliveries()]
        assert bodies
        told = [one for body in (*bodies, *bodies[::-1]) for one in hard.destination.read_hook(body)]
        about = {one.email for one in told if one.kind == "unsubscribe" or one.email in (AN, BO)}
        assert about == {AN, BO}
        keys = {one.dedupe_key for one in told}
        assert 2 * len(keys) == len(told)


def _skip_unless_known(rig: DestinationRig, status: MemberStatus) -> None:
    if status not in rig.statuses:
        pytest.skip(f"this vendor holds nobody as {status.value}")


def _assert_tells_nothing(call: Callable[[], object], secrets: Collection[str]) -> None:
    """Whatever a log could print of the error, the way it came included, holds none of the secrets."""
    with pytest.raises(ConnectorError) as caught:
        call()
    told = "".join(traceback.format_exception(caught.value, chain=True)) + repr(caught.value) + repr(vars(caught.value))
    lines = [line for line in told.splitlines() if not line.startswith(("    ", "  File"))]
    assert not [secret for secret in secrets if secret in "\n".join(lines)]
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
