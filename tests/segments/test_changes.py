"""Entries and exits are read in order, each exactly once, whoever evaluates and whoever reads meanwhile."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from app import clock
from app.accounts.models import Organisation
from app.db import open_session, transaction
from app.runtime import Runtime
from app.segments import definitions
from app.segments.changes import KEPT, changes_after, forget_changes, last_position
from app.segments.keeping.entries import Occasion, Turn, hold_upkeep, write_turns
from app.segments.keeping.upkeep import keep_segments_current
from app.segments.problems import ChangesForgottenError
from tests.conftest import NOW
from tests.segments.people import DAY, move_in, person

TAGGED = {"type": "tag", "tag": "vip"}


class Feed:
    """A house with some people and a segment, and a way to make them turn."""

    def __init__(self, runtime: Runtime, organisation: Organisation, people: int = 6) -> None:
        self.runtime, self.id = runtime, organisation.id
        with transaction(runtime.engine, self.id) as session:
            self.people = [one.id for one in move_in(session, *map(person, range(people))).world.contacts]
            self.segment = definitions.create_segment(session, name="Vip", rule=TAGGED).id
        keep_segments_current(runtime, self.id)

    def tag(self, *contact_ids: int) -> None:
        with transaction(self.runtime.engine, self.id) as session:
            change = sa.text("UPDATE contact SET tags = CASE WHEN id = ANY (:ids) THEN '{vip}' ELSE '{}' END::text[]")
            session.execute(change, {"ids": list(contact_ids)})
        keep_segments_current(self.runtime, self.id)

    def read(self, cursor: int, limit: int = 1000) -> tuple[list[tuple[int, str]], int]:
        with transaction(self.runtime.engine, self.id) as session:
            page = changes_after(session, cursor, limit=limit)
            return [(one.contact_id, one.kind) for one in page.items], page.cursor


@pytest.fixture
def feed(runtime: Runtime, organisation: Organisation) -> Feed:
    return Feed(runtime, organisation)


def test_a_reader_gets_what_happened_since_its_cursor_in_order_and_page_by_page(feed: Feed) -> None:
    first, second, third, *_ = feed.people
    feed.tag(first, second)
    feed.tag(second, third)
    expected = [(first, "entered"), (second, "entered"), (first, "left"), (third, "entered")]
    assert feed.read(0)[0] == expected
    read, cursor = list[tuple[int, str]](), 0
    while page := feed.read(cursor, limit=3):
        if not page[0]:
            break
        read, cursor = read + page[0], page[1]
    assert read == expected
    assert feed.read(cursor) == ([], cursor)


def test_a_page_about_other_segments_moves_the_cursor(feed: Feed) -> None:
    feed.tag(feed.people[0])
    with transaction(feed.runtime.engine, feed.id) as session:
        page = changes_after(session, 0, segment_ids=[999_999])
        assert (page.items, page.cursor) == ((), last_position(session))
        assert page.cursor > 0


def test_a_house_without_any_history_has_an_empty_feed(runtime: Runtime, organisation: Organisation) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        assert (changes_after(session, 0).items, last_position(session)) == ((), 0)


def test_a_reader_that_looks_while_somebody_writes_misses_nothing(feed: Feed) -> None:
    """The writer has its places, and commits after the reader looked; nobody can have got later places before that."""
    first, second, *_ = feed.people
    with open_session(feed.runtime.engine, feed.id) as slow:
        slow.begin()
        upkeep = hold_upkeep(slow)
        assert upkeep is not None
        write_turns(slow, upkeep, [Turn(first, feed.segment, True)], Occasion(DAY, "data"))
        assert feed.read(0) == ([], 0)
        feed.tag(second)
        assert feed.read(0) == ([], 0)
        slow.commit()
    assert feed.read(0) == ([(first, "entered")], 1)
    keep_segments_current(feed.runtime, feed.id)
    assert feed.read(1)[0] == [(first, "left"), (second, "entered")]


def test_many_writers_and_a_reader_at_once_agree_on_every_turn(feed: Feed) -> None:
    begin, done, problems = threading.Barrier(4), threading.Event(), list[BaseException]()

    def write(turn: int) -> None:
        begin.wait(timeout=30)
        for step in range(6):
            feed.tag(*feed.people[(turn + step) % 4 : (turn + step) % 4 + 2])

    def guarded(turn: int) -> None:
        try:
            with clock.set_to(NOW):
                write(turn)
        except BaseException as problem:  # handed to the test
            problems.append(problem)

    writers = [threading.Thread(target=guarded, args=(turn,)) for turn in range(3)]
    for writer in writers:
        writer.start()
    begin.wait(timeout=30)
    cursor, members = 0, set[int]()
    while True:
        is_last = done.is_set()
        with transaction(feed.runtime.engine, feed.id) as session:
            page = changes_after(session, cursor, limit=2)
        for change in page.items:
            # An entry of somebody who is in, or an exit of somebody who is out, is one too many or one too few.
            assert (change.contact_id in members) is (change.kind == "left")
            members ^= {change.contact_id}
        assert page.cursor >= cursor
        cursor = page.cursor
        if is_last and not page.items:
            break
        if not any(writer.is_alive() for writer in writers) and not is_last:
            keep_segments_current(feed.runtime, feed.id)
            done.set()
    assert problems == []
    with transaction(feed.runtime.engine, feed.id) as session:
        tagged = set(session.scalars(sa.text("SELECT id FROM contact WHERE 'vip' = ANY (tags)")))
    assert members == tagged


def test_what_is_old_is_forgotten_and_a_reader_who_missed_it_is_told(feed: Feed) -> None:
    first, second, *_ = feed.people
    feed.tag(first)
    with clock.set_to(NOW + KEPT + timedelta(days=1)):
        feed.tag(first, second)
        with transaction(feed.runtime.engine, feed.id) as session:
            upkeep = hold_upkeep(session)
            assert upkeep is not None
            assert forget_changes(session, upkeep) == 1
        with pytest.raises(ChangesForgottenError):
            feed.read(0)
        assert feed.read(1)[0] == [(second, "entered")]
