"""The walk over a list that moves: nobody is skipped, nobody comes twice with the same state, and it ends."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.base import MemberState, MemberStatus, Transient
from integrations.esp import mailchimp
from integrations.esp.mailchimp_changes import page_through, walk_changes, whole_second
from tests.integrations.esp.conformance import AN
from tests.integrations.esp.mailchimp_rig import MailChimpRig
from tests.standins.mailchimp import Request

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


class MovingList:
    """A listing as MailChimp gives it, of people by number; ``moves`` are made one before each page."""

    def __init__(self, seconds: Sequence[int], moves: Sequence[int], *, page_size: int, is_inclusive: bool) -> None:
        self.changed = {number: START + timedelta(seconds=second) for number, second in enumerate(seconds)}
        self.clock = START + timedelta(seconds=max(seconds, default=0) + 10)
        self.moves = iter(moves)
        self.page_size, self.is_inclusive = page_size, is_inclusive
        self.pages = 0

    def __call__(self, since: datetime | None, offset: int) -> Sequence[MemberState]:
        assert since is None or since.microsecond == 0
        self.pages += 1
        moved = next(self.moves, None)
        if moved in self.changed:
            self.clock += timedelta(seconds=1)
            self.changed[moved] = self.clock
        rows = sorted((at, number) for number, at in self.changed.items() if self.is_since(at, since))
        page = rows[offset : offset + self.page_size]
        return [MemberState(str(number), MemberStatus.SUBSCRIBED, at) for at, number in page]

    def is_since(self, at: datetime, since: datetime | None) -> bool:
        return since is None or at > since or (self.is_inclusive and at == since)


@given(
    seconds=st.lists(st.integers(0, 6), max_size=40),
    moves=st.lists(st.integers(0, 45), max_size=30),
    page_size=st.integers(2, 8),
    is_inclusive=st.booleans(),
    since=st.none() | st.integers(-2, 8),
)
@settings(max_examples=400, deadline=None)
def test_nobody_who_changed_is_skipped_and_everybodys_last_state_is_met(
    seconds: list[int], moves: list[int], page_size: int, is_inclusive: bool, since: int | None
) -> None:
    moving = MovingList(seconds, moves, page_size=page_size, is_inclusive=is_inclusive)
    start = None if since is None else START + timedelta(seconds=since)
    due = {number for number, at in moving.changed.items() if moving.is_since(at, start)}
    met = [(state.email, state.changed_at) for state in walk_changes(moving, start, page_size=page_size)]
    assert {(str(number), moving.changed[number]) for number in due} <= set(met)
    assert len(met) == len(set(met))
    assert moving.pages <= (len(moves) + 1) * (2 * len(seconds) + 4)


def test_naive_offset_paging_would_have_skipped_somebody() -> None:
    """The danger is real: the same list, read by offset alone, loses the one who moved over the edge."""
    moving = MovingList(range(6), [99, 0], page_size=3, is_inclusive=False)
    naive = [state.email for offset in (0, 3) for state in moving(None, offset)]
    assert "3" not in naive
    walked = MovingList(range(6), [99, 0], page_size=3, is_inclusive=False)
    assert {state.email for state in walk_changes(walked, None, page_size=3)} == set("012345")


def test_a_quiet_list_takes_one_page_more_than_it_fills() -> None:
    moving = MovingList(range(0, 60, 2), [], page_size=10, is_inclusive=False)
    assert len(list(walk_changes(moving, None, page_size=10))) == 30
    assert moving.pages <= 4


def test_rows_without_an_instant_are_paged_by_offset() -> None:
    rows = [MemberState(str(number), MemberStatus.SUBSCRIBED) for number in range(25)]
    met = list(walk_changes(lambda _since, offset: rows[offset : offset + 10], None, page_size=10))
    assert met == rows


def test_a_second_that_never_holds_still_fails_rather_than_leaving_somebody_out() -> None:
    pages = itertools.cycle([0, 1])

    def fetch(_since: datetime | None, offset: int) -> Sequence[MemberState]:
        shift = next(pages)
        return [MemberState(str(offset + shift + n), MemberStatus.SUBSCRIBED, START) for n in range(10)]

    with pytest.raises(Transient) as caught:
        list(walk_changes(fetch, START, page_size=10))
    assert caught.value.code == "list_moves"


def test_an_instant_is_taken_down_to_its_second_in_utc() -> None:
    odd = datetime(2026, 11, 20, 10, 0, 1, 999_999, tzinfo=UTC).astimezone()
    assert whole_second(odd) == datetime(2026, 11, 20, 10, 0, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="zone"):
        whole_second(datetime(2026, 11, 20))  # noqa: DTZ001 # that it has no zone is the test


@given(size=st.integers(0, 40), page_size=st.integers(1, 10), removals=st.lists(st.integers(0, 40), max_size=15))
@settings(deadline=None)
def test_paging_through_a_shrinking_listing_skips_nobody_who_stays(
    size: int, page_size: int, removals: list[int]
) -> None:
    people, leaving = [str(number) for number in range(size)], iter(removals)

    def fetch(offset: int) -> tuple[Sequence[str], int]:
        gone = str(next(leaving, None))
        if gone in people:
            people.remove(gone)
        return people[offset : offset + page_size], len(people)

    met = list(page_through(fetch))
    assert set(people) <= set(met)
    assert len(met) == len(set(met))


# --- the same over the wire ------------------------------------------------------------------------------------------


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailchimp, "PAGE_SIZE", 10)


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("is_inclusive", [False, True])
def test_opting_out_while_the_list_is_read_is_seen_and_skips_nobody(
    mailchimp_rig: MailChimpRig, is_inclusive: bool
) -> None:
    """Before each page another of the first people on the list opts out, and moves to its end."""
    standin, list_id = mailchimp_rig.standin, mailchimp_rig.list_id
    standin.behave(since_is_inclusive=is_inclusive)
    seconds = itertools.count()
    standin.clock = lambda: START + timedelta(seconds=next(seconds))
    people = [f"p{number:02}@example.org" for number in range(45)]
    for email in people:
        standin.add_member(email, list_id=list_id)
    leaving = iter(people[:4])

    def leave(_: Request) -> None:
        if email := next(leaving, None):
            standin.unsubscribe_by_person(email, list_id=list_id)

    standin.before_each("get_members", leave)
    last = {state.email: state.status for state in mailchimp_rig.destination.changed_members(list_id, None)}
    assert set(last) == set(people)
    assert {email for email, status in last.items() if status is MemberStatus.UNSUBSCRIBED} == set(people[:4])


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("is_inclusive", [False, True])
def test_an_import_of_many_in_one_second_is_read_whole(mailchimp_rig: MailChimpRig, is_inclusive: bool) -> None:
    standin, list_id = mailchimp_rig.standin, mailchimp_rig.list_id
    standin.behave(since_is_inclusive=is_inclusive)
    standin.clock = lambda: START
    people = {f"p{number}@example.org" for number in range(57)}
    for email in people:
        standin.add_member(email, list_id=list_id)
    standin.clock = lambda: START + timedelta(minutes=1)
    moving = iter(sorted(people)[:5])

    def move(_: Request) -> None:
        if email := next(moving, None):
            standin.change_profile(email, {}, list_id=list_id)

    standin.before_each("get_members", move)
    met = {state.email for state in mailchimp_rig.destination.changed_members(list_id, START - timedelta(hours=1))}
    assert met == people


def test_the_archived_are_asked_for_by_name(mailchimp_rig: MailChimpRig) -> None:
    mailchimp_rig.add(AN, MemberStatus.ARCHIVED)
    (state,) = mailchimp_rig.destination.changed_members(mailchimp_rig.list_id, START)
    assert (state.email, state.status) == (AN, MemberStatus.ARCHIVED)
    asked = [recorded.request.query.get("status") for recorded in mailchimp_rig.standin.requests]
    assert asked == [None, "archived"]
