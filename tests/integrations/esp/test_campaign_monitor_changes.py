"""Reading back from Campaign Monitor: nobody is left out, however the list moves, and the suppression list counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from integrations.base import MemberStatus, Transient
from integrations.esp.campaign_monitor_changes import first_day, page_from, walk
from integrations.esp.campaign_monitor_client import Page
from tests.integrations.esp.campaign_monitor_rig import CampaignMonitorRig
from tests.integrations.esp.conformance import AN, BO, CAS
from tests.standins.campaign_monitor import Fault

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def rig(campaign_monitor_rig: CampaignMonitorRig) -> CampaignMonitorRig:
    campaign_monitor_rig.standin.clock = lambda: NOON
    return campaign_monitor_rig


def changed(rig: CampaignMonitorRig, since: datetime | None = None) -> dict[str, MemberStatus]:
    return {state.email: state.status for state in rig.destination.changed_members(rig.list_id, since)}


# --- pages over a moving list ----------------------------------------------------------------------------------------


class Moving:
    """A listing somebody pulls rows out of, between two pages."""

    def __init__(self, count: int, move: Callable[[list[dict[str, str]], int], None]) -> None:
        self.rows = [{"EmailAddress": f"p{number}@example.org", "Date": f"{number:09}"} for number in range(count)]
        self.move, self.calls = move, 0

    def page(self, number: int, size: int) -> Page:
        self.calls += 1
        if self.calls > 1:
            self.move(self.rows, self.calls)
        return Page(self.rows[(number - 1) * size : number * size], len(self.rows), -(-len(self.rows) // size))


@pytest.mark.parametrize("gone", [1, 2, 499, 500, 501, 900])
@pytest.mark.parametrize("stops_after", [2, 3, 6])
def test_nobody_is_left_out_though_others_leave_between_two_pages(gone: int, stops_after: int) -> None:
    def leave(rows: list[dict[str, str]], call: int) -> None:
        if call <= stops_after:
            del rows[:gone]

    listing = Moving(12_000, leave)
    met = [row["EmailAddress"] for row in walk(listing.page)]
    assert {row["EmailAddress"] for row in listing.rows} <= set(met)


def test_who_comes_to_the_end_meanwhile_is_met(rig: CampaignMonitorRig) -> None:
    listing = Moving(2_500, lambda rows, call: rows.append({"EmailAddress": f"new{call}@example.org", "Date": "9" * 9}))
    met = [row["EmailAddress"] for row in walk(listing.page)]
    assert {f"new{call}@example.org" for call in range(2, listing.calls + 1)} <= set(met)
    assert len(met) == len(set(met))


def test_a_list_that_holds_still_is_read_once_a_thousand_a_call() -> None:
    listing = Moving(10_000, lambda _rows, _call: None)
    met = [row["EmailAddress"] for row in walk(listing.page)]
    assert met == [row["EmailAddress"] for row in listing.rows]
    assert listing.calls <= 11


def test_a_list_that_never_holds_still_is_given_up() -> None:
    pages = 0

    def page(number: int, size: int) -> Page:
        nonlocal pages
        pages += 1
        assert pages < 1_000
        rows = [{"EmailAddress": f"{pages}-{row}@example.org", "Date": ""} for row in range(size)]
        return Page(rows, 10_000_000, 10_000)

    with pytest.raises(Transient) as caught:
        list(walk(page))
    assert caught.value.code == "list_moves"


def test_a_page_that_ends_too_soon_is_no_answer() -> None:
    with pytest.raises(Transient) as caught:
        list(walk(lambda _number, _size: Page([], 5, 1)))
    assert caught.value.code == "unexpected_answer"


def test_rows_without_an_address_are_passed_over() -> None:
    rows = [{"MobileNumber": "+32400000000"}, {"EmailAddress": AN, "Date": ""}]
    assert [row["EmailAddress"] for row in walk(lambda _number, _size: Page(rows, 2, 1))] == [AN]


@pytest.mark.parametrize("offset", [0, 1, 499, 999, 1_000, 1_997, 123_456])
def test_a_page_begins_near_the_row_asked_for_and_holds_many_more(offset: int) -> None:
    number, size = page_from(offset)
    start = (number - 1) * size
    assert start <= offset
    assert start + size - offset >= 500
    assert 500 <= size <= 1_000


# --- since when ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "day"), [(1, date(2026, 11, 19)), (13, date(2026, 11, 20)), (-11, date(2026, 11, 18))]
)
def test_changes_are_asked_by_days_of_the_accounts_zone_with_a_day_of_overlap(hours: int, day: date) -> None:
    instant = datetime(2026, 11, 20, 12, tzinfo=UTC) if hours > 0 else datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert first_day(instant, timezone(timedelta(hours=hours))) == day


@pytest.mark.parametrize("hours", [-12, -5, 0, 1, 14])
def test_a_change_after_the_instant_is_met_in_every_zone(rig: CampaignMonitorRig, hours: float) -> None:
    rig.standin.behave(hours_from_utc=hours)
    rig.add(AN, MemberStatus.UNSUBSCRIBED)
    assert changed(rig, NOON) == {AN: MemberStatus.UNSUBSCRIBED}
    (state,) = rig.destination.changed_members(rig.list_id, NOON)
    assert state.changed_at == NOON


@pytest.mark.parametrize("hours", [-12, 14])
def test_a_change_is_met_also_where_the_account_does_not_tell_its_zone(rig: CampaignMonitorRig, hours: float) -> None:
    rig.standin.behave(hours_from_utc=hours)
    rig.add(AN, MemberStatus.UNSUBSCRIBED)
    rig.standin.fail_next(Fault.FORBIDDEN, times=1, kind="get_systemdate")
    (state,) = rig.destination.changed_members(rig.list_id, NOON)
    assert (state.email, state.changed_at) == (AN, None)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        first_day(datetime(2026, 11, 20), None)  # noqa: DTZ001 - the fault that is tried


def test_whoever_unsubscribes_while_the_list_is_read_is_told_in_the_end(rig: CampaignMonitorRig) -> None:
    for email in (AN, BO):
        rig.add(email, MemberStatus.SUBSCRIBED)
    seen = []

    def opt_out(request: object) -> None:
        seen.append(request)
        if len(seen) == 2:
            rig.standin.set_state(AN, "Unsubscribed", list_id=rig.list_id)

    rig.standin.before_each("get_listing", opt_out)
    assert changed(rig) == {AN: MemberStatus.UNSUBSCRIBED, BO: MemberStatus.SUBSCRIBED}


# --- the suppression list --------------------------------------------------------------------------------------------


def test_the_suppressed_count_as_opted_out_whatever_the_list_says(rig: CampaignMonitorRig) -> None:
    rig.add(AN, MemberStatus.SUBSCRIBED)
    rig.add(BO, MemberStatus.ARCHIVED)
    for email, reason in ((AN, "Unsubscribed"), (BO, "Bounced"), (CAS, "Spam complaint")):
        rig.standin.suppress(email.upper(), reason=reason)
    states = list(rig.destination.changed_members(rig.list_id, None))
    told = {(state.email.lower(), state.status, state.reason) for state in states}
    assert told == {
        (AN, MemberStatus.UNSUBSCRIBED, "Unsubscribed"),
        (BO, MemberStatus.CLEANED, "Bounced"),
        (CAS, MemberStatus.UNSUBSCRIBED, "Spam complaint"),
    }
    assert rig.destination.member(rig.list_id, AN).status is MemberStatus.UNSUBSCRIBED


def test_somebody_who_signed_up_again_stays_out_as_long_as_they_are_suppressed(rig: CampaignMonitorRig) -> None:
    wide = rig.standin.add_list("Breed", for_all_lists=True)
    rig.standin.add_person(AN, list_id=wide)
    rig.standin.unsubscribe_by_person(AN, list_id=wide)
    rig.standin.sign_up(AN, list_id=wide)
    assert rig.standin.state(AN, list_id=wide) == "Active"
    assert rig.destination.member(wide, AN).status is MemberStatus.UNSUBSCRIBED


def test_old_suppressions_are_no_changes_but_still_count(rig: CampaignMonitorRig) -> None:
    rig.standin.suppress(BO)
    rig.standin.clock = lambda: NOON + timedelta(days=10)
    rig.add(BO, MemberStatus.SUBSCRIBED)
    rig.standin.suppress(CAS)
    found = list(rig.destination.changed_members(rig.list_id, NOON + timedelta(days=10)))
    assert [(state.email, state.status) for state in found] == [
        (CAS, MemberStatus.UNSUBSCRIBED),
        (BO, MemberStatus.UNSUBSCRIBED),
    ]


def test_the_suppression_list_is_read_once_for_many_questions(rig: CampaignMonitorRig) -> None:
    for number in range(1_500):
        rig.standin.suppress(f"weg{number}@example.org")
    for email in (AN, BO, CAS):
        rig.add(email, MemberStatus.SUBSCRIBED)
        assert rig.destination.member(rig.list_id, email).status is MemberStatus.SUBSCRIBED
    assert rig.standin.counts()["get_suppressions"] == 2


def test_a_state_nobody_knows_is_no_permission(rig: CampaignMonitorRig) -> None:
    rig.standin.add_person(AN, "Dormant", list_id=rig.list_id)
    state = rig.destination.member(rig.list_id, AN)
    assert (state.status, state.reason) == (MemberStatus.UNSUBSCRIBED, "unknown state 'Dormant'")
