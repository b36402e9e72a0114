"""Flexmail as it was observed: the suite of destinations as far as it reaches, and what is known to be missing."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from integrations.base import MemberPush, MemberStatus, Permanent, PushOutcome, Transient, UnknownOutcome
from integrations.esp.flexmail import FIELD, Flexmail
from integrations.esp.flexmail_client import PACE
from tests.integrations.esp.conformance import AN, BO, CAS, DestinationConformance
from tests.standins.flexmail import Fault, FlexmailStandIn

IMPATIENT = replace(PACE, sleep=lambda _: None, random=lambda: 0.5, read_timeout_s=20.0)
SOURCE, TAG = "42", "Zaallicht: lezers"


class FlexmailRig:
    """Flexmail on its stand-in, in the suite's words. ``confirming_list_id``: there is one list only."""

    statuses = frozenset({MemberStatus.SUBSCRIBED, MemberStatus.UNSUBSCRIBED})
    has_forgotten = False
    upserts_at_once = 1
    filter_grain = timedelta(days=3650)

    def __init__(self, standin: FlexmailStandIn) -> None:
        self.standin = standin
        self.list_id = self.confirming_list_id = SOURCE
        self.account_name = f"Flexmail {standin.account}"
        self.destination, self.stranger = self.open(standin.token), self.open("wrong")
        self.secrets: Collection[str] = [standin.token]

    def open(self, token: str) -> Flexmail:
        return Flexmail(self.standin.account, token, SOURCE, base_url=self.standin.base_url, pace=IMPATIENT)

    def close(self) -> None:
        self.destination.close()
        self.stranger.close()

    def add(self, email: str, status: MemberStatus) -> None:
        is_out = status is MemberStatus.UNSUBSCRIBED
        mark = {FIELD: "#out"} if is_out else {FIELD: "Van een ander"}
        self.standin.add_contact(email, is_out=is_out, custom_fields=mark)

    def opt_out_by_admin(self, email: str) -> None:
        raise AssertionError("what is done in Flexmail cannot be seen")

    def forget(self, email: str) -> None:
        raise AssertionError("not known of Flexmail")

    def status(self, email: str, *, list_id: str | None = None) -> MemberStatus:
        self.recover()
        return self.destination.member(SOURCE, email).status

    def calls_to_tag(self, people: int) -> int:
        """Everybody is read, and an import takes three calls and two looks for every five hundred."""
        return -(-people // 500) * 5 + people // 499 + 1

    def be_busy(self, times: int) -> None:
        self.standin.fail_next(Fault.THROTTLED, times=times)

    def break_down(self, times: int) -> None:
        self.standin.fail_next(Fault.SERVER_ERROR, times=times)

    def go_silent_after_effect(self) -> None:
        self.destination._client.caller.pace = replace(IMPATIENT, read_timeout_s=0.3)
        self.standin.fail_next(Fault.HANG_AFTER)

    def recover(self) -> None:
        self.destination._client.caller.pace = IMPATIENT
        self.standin.recover()

    def requests_made(self) -> int:
        return len(self.standin.requests)

    def peak(self) -> int:
        return self.standin.in_flight_peak

    def wait_for_company(self, size: int) -> None:
        return


@pytest.fixture
def rig() -> Iterator[FlexmailRig]:
    with FlexmailStandIn() as standin:
        made = FlexmailRig(standin)
        yield made
        made.close()
    assert standin.violations == []


NOT_KNOWN = "Flexmail does not show who unsubscribed there"


class TestFlexmail(DestinationConformance):
    """What Flexmail does not show is skipped here, and said."""

    def test_lists_tell_which_want_a_confirmation(self, rig: FlexmailRig) -> None:  # type: ignore[override]
        (only,) = rig.destination.lists()
        assert (only.external_id, only.name, only.double_opt_in) == (SOURCE, "Zaallicht", False)

    def test_a_stranger_to_a_double_opt_in_list_must_confirm_first(self) -> None:  # type: ignore[override]
        pytest.skip("opt-in forms of Flexmail are not used")

    @pytest.mark.parametrize("double_opt_in", [False, True])
    def test_a_push_brings_nobody_back(self, rig: FlexmailRig, double_opt_in: bool) -> None:  # type: ignore[override]
        rig.add(AN, MemberStatus.UNSUBSCRIBED)
        rig.standin.add_contact(BO, is_out=True)
        results = list(rig.destination.upsert(SOURCE, [MemberPush(AN), MemberPush(BO)], double_opt_in=double_opt_in))
        assert results[0].code == "stays_unsubscribed"
        assert not rig.standin.is_mailed(AN)
        assert not rig.standin.is_mailed(BO), "also where only Flexmail knows"

    def test_an_opt_out_a_marketer_made_survives_the_next_push(self) -> None:  # type: ignore[override]
        pytest.skip(NOT_KNOWN)

    def test_every_list_that_knows_somebody_is_told_and_how(self, rig: FlexmailRig) -> None:  # type: ignore[override]
        assert list(rig.destination.lists_holding(AN)) == []
        rig.add(AN, MemberStatus.UNSUBSCRIBED)
        assert [(one.list_id, one.status) for one in rig.destination.lists_holding(AN.title())] == [
            (SOURCE, MemberStatus.UNSUBSCRIBED)
        ]

    @pytest.mark.parametrize("status", [MemberStatus.SUBSCRIBED, MemberStatus.UNSUBSCRIBED])
    def test_the_erased_are_gone_and_no_push_brings_them_back(  # type: ignore[override]
        self, rig: FlexmailRig, status: MemberStatus
    ) -> None:
        """Whether Flexmail remembers them is not known: the gate must."""
        rig.add(AN, status)
        for _ in range(2):
            assert rig.destination.erase(SOURCE, AN).outcome is PushOutcome.DONE
        assert rig.status(AN) is MemberStatus.ABSENT

    def test_reading_changes_leaves_out_who_did_not_change(self, rig: FlexmailRig) -> None:  # type: ignore[override]
        rig.add(AN, MemberStatus.SUBSCRIBED)
        rig.standin.add_contact(BO)
        assert list(rig.destination.changed_members(SOURCE, datetime(2026, 1, 1, tzinfo=UTC))) == []
        assert [one.email for one in rig.destination.changed_members(SOURCE, None)] == [AN], "nobody but ours"

    def test_calls_go_side_by_side_but_never_more_than_declared(self, rig: FlexmailRig) -> None:  # type: ignore[override]
        people = [MemberPush(f"p{number}@example.org") for number in range(1_100)]
        results = list(rig.destination.upsert(SOURCE, people, double_opt_in=False))
        assert {one.outcome for one in results} == {PushOutcome.DONE}
        assert rig.peak() == 1

    def test_tagging_takes_as_many_calls_as_the_difference_needs(self, rig: FlexmailRig) -> None:  # type: ignore[override]
        people = [f"p{number}@example.org" for number in range(1_001)]
        for email in people:
            rig.standin.add_contact(email)
        before = rig.requests_made()
        results = rig.destination.tag(SOURCE, TAG, add=people, remove=[])
        assert rig.requests_made() - before <= rig.calls_to_tag(len(people))
        assert {result.outcome for result in results} == {PushOutcome.DONE}
        assert sorted(rig.destination.tagged(SOURCE, TAG)) == sorted(people)

    def test_tagging_changes_no_status(self, rig: FlexmailRig) -> None:  # type: ignore[override]
        rig.add(AN, MemberStatus.UNSUBSCRIBED)
        (result,) = rig.destination.tag(SOURCE, TAG, add=[AN], remove=[])
        assert (result.outcome, result.code) == (PushOutcome.REFUSED, "not_on_list")
        assert rig.status(AN) is MemberStatus.UNSUBSCRIBED

    def test_an_opt_out_without_an_answer_is_unknown_and_can_be_read_back(  # type: ignore[override]
        self, rig: FlexmailRig
    ) -> None:
        """It cannot be read back here: it is said again, which is harmless, and then our mark is."""
        rig.add(AN, MemberStatus.SUBSCRIBED)
        rig.destination._client.caller.pace = replace(IMPATIENT, read_timeout_s=0.3)
        rig.standin.fail_next(Fault.HANG_AFTER, kind="unsubscribe")
        with pytest.raises(UnknownOutcome):
            rig.destination.unsubscribe(SOURCE, AN)
        rig.recover()
        assert rig.destination.unsubscribe(SOURCE, AN).status is MemberStatus.UNSUBSCRIBED
        assert not rig.standin.is_mailed(AN)

    def test_a_broken_vendor_leaves_a_write_unknown_and_a_read_transient(  # type: ignore[override]
        self, rig: FlexmailRig
    ) -> None:
        rig.add(AN, MemberStatus.SUBSCRIBED)
        rig.standin.fail_next(Fault.SERVER_ERROR, times=100, kind="unsubscribe")
        with pytest.raises(UnknownOutcome):
            rig.destination.unsubscribe(SOURCE, AN)
        rig.break_down(times=100)
        with pytest.raises(Transient):
            rig.destination.member(SOURCE, AN)

    def test_a_failure_half_way_keeps_the_results_that_came(self) -> None:  # type: ignore[override]
        pytest.skip("an import is one call for five hundred, and takes a minute: too long for the suite's three")

    def test_a_webhook_is_made_once_and_its_secret_told_once(self) -> None:  # type: ignore[override]
        pytest.skip("what Flexmail's webhooks say is not public")


def test_a_push_keeps_what_others_put_in_the_contacts_fields(rig: FlexmailRig) -> None:
    rig.standin.add_contact(AN, first_name="An", custom_fields={"organisation": "De Proef", FIELD: "Van een ander"})
    list(rig.destination.upsert(SOURCE, [MemberPush(AN, {"name": "Peeters"}, language="fr")], double_opt_in=False))
    rig.destination.tag(SOURCE, TAG, add=[AN], remove=[])
    assert rig.standin.fields_of(AN) == {"organisation": "De Proef", FIELD: f"Van een ander|{TAG}"}


def test_who_is_passed_over_by_an_import_is_found_and_refused(rig: FlexmailRig) -> None:
    people = [MemberPush(email) for email in (AN, "bo@vreemd.x1", CAS)]
    results = list(rig.destination.upsert(SOURCE, people, double_opt_in=False))
    assert [(one.outcome, one.code) for one in results] == [
        (PushOutcome.DONE, None),
        (PushOutcome.REFUSED, "not_taken"),
        (PushOutcome.DONE, None),
    ]


def test_no_more_than_sixty_calls_a_minute_are_made(rig: FlexmailRig) -> None:
    waited: list[float] = []
    client = rig.destination._client
    client.caller.pace = replace(IMPATIENT, sleep=waited.append)
    client._monotonic = lambda: 100.0 + sum(waited)
    list(rig.destination.upsert(SOURCE, [MemberPush(AN)], double_opt_in=False))
    calls = len(rig.standin.requests)
    assert sum(waited) >= calls - 1


def test_a_missing_field_or_source_is_said(rig: FlexmailRig) -> None:
    rig.standin.server.fields.remove(FIELD)
    with pytest.raises(Permanent, match="field_missing"):
        rig.destination.check()
    with pytest.raises(Permanent, match="bad_settings"):
        Flexmail(rig.standin.account, rig.standin.token, "9", base_url=rig.standin.base_url, pace=IMPATIENT).check()
