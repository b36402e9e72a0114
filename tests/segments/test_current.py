"""The members of a segment for whoever acts on them: stored, exact to the moment, and the last good of a broken one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app import clock
from app.accounts.models import Organisation
from app.activities.models import Activity, Participation
from app.consent.models import Permission
from app.contacts.models import Contact
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.segments import current, definitions
from app.segments.current import select_current_members
from app.segments.keeping.upkeep import keep_segments_current
from app.segments.models import Segment
from app.segments.problems import SegmentMissingError
from tests.conftest import NOW
from tests.segments.evaluator import Activity as WorldActivity
from tests.segments.people import DAY, at_noon, move_in, person, visits

DANCE = WorldActivity(id=7, genres=("dans",), starts_at=at_noon(DAY - timedelta(days=3)))
CAME = {"type": "participation", "at_least": 1, "between": ["-P30D", "P1D"]}
RULES: dict[str, dict[str, Any]] = {
    "came": CAME,
    "danced": {**CAME, "where": {"genres": ["dans"]}},
    "allowed": {"type": "permission", "channel": "email", "purpose": "newsletter", "is": "allowed"},
    "alike": {"type": "likely_same", "rule": CAME},
}


@pytest.fixture
def house(runtime: Runtime, organisation: Organisation) -> tuple[dict[str, int], list[int]]:
    """A segment for each rule, kept by a beat, and three people: one came, one danced, one is alike to the first."""
    alike = {"family_name": "Maes", "given_name": "Bo", "postcode": "9000"}
    with transaction(runtime.engine, organisation.id) as session:
        filled = move_in(
            session,
            person(0, *visits(2), **alike),
            person(1, *visits(3, activity=DANCE)),
            person(2, **alike, allowed=False),
        )
        segments = {name: definitions.create_segment(session, name=name, rule=rule).id for name, rule in RULES.items()}
    keep_segments_current(runtime, organisation.id)
    return segments, [one.id for one in filled.world.contacts]


def members(session: ScopedSession, house: tuple[dict[str, int], list[int]]) -> dict[str, list[int]]:
    segments, people = house
    found = {name: session.scalars(select_current_members(session, one)).all() for name, one in segments.items()}
    return {name: sorted(people.index(one) for one in ids) for name, ids in found.items()}


def is_stored(session: ScopedSession, segment_id: int) -> bool:
    return "segment_membership" in str(select_current_members(session, segment_id))


def test_members_are_read_and_not_worked_out_and_are_right_before_any_beat(
    runtime: Runtime, organisation: Organisation, house: tuple[dict[str, int], list[int]]
) -> None:
    segments, people = house
    with transaction(runtime.engine, organisation.id) as session:
        assert members(session, house) == {"came": [0, 1], "danced": [1], "allowed": [0, 1], "alike": [2]}
        assert "participation" not in str(select_current_members(session, segments["came"]))
        # Nobody has seen any of it yet: who came moves on, and with that others, and somebody is gone.
        session.execute(
            sa.update(Participation).where(Participation.contact_id == people[0]).values(status="cancelled")
        )
        session.execute(sa.update(Contact).where(Contact.id == people[1]).values(state="erased"))
        assert members(session, house) == {"came": [], "danced": [], "allowed": [0], "alike": []}
        assert all(is_stored(session, one) for one in segments.values())
        session.rollback()
    with transaction(runtime.engine, organisation.id) as session:
        session.execute(sa.update(Permission).values(valid_until=NOW + timedelta(minutes=5)))
    keep_segments_current(runtime, organisation.id)
    with clock.set_to(NOW + timedelta(minutes=6)), transaction(runtime.engine, organisation.id) as session:
        assert is_stored(session, segments["allowed"])
        assert members(session, house)["allowed"] == []
    with clock.set_to(NOW + timedelta(days=40)), transaction(runtime.engine, organisation.id) as session:
        assert not is_stored(session, segments["came"]), "of a day that no beat has begun the rule itself is asked"
        assert members(session, house)["came"] == []


def test_a_broken_segment_keeps_its_last_good_members(
    runtime: Runtime, organisation: Organisation, house: tuple[dict[str, int], list[int]]
) -> None:
    segments, _ = house
    with transaction(runtime.engine, organisation.id) as session:
        session.execute(sa.update(Activity).values(genres=["ballet"]))
        session.execute(sa.update(Segment).where(Segment.id == segments["came"]).values(rule={"type": "of tomorrow"}))
    keep_segments_current(runtime, organisation.id)
    with transaction(runtime.engine, organisation.id) as session:
        found = members(session, house)
        assert (found["danced"], found["came"]) == ([1], [0, 1])


def test_a_segment_that_was_never_worked_out_is_asked_by_its_rule(
    session: ScopedSession, house: tuple[dict[str, int], list[int]]
) -> None:
    segments, _ = house
    segments["new"] = definitions.create_segment(session, name="new", rule=CAME).id
    assert not is_stored(session, segments["new"])
    assert members(session, house)["new"] == [0, 1]
    with pytest.raises(SegmentMissingError):
        select_current_members(session, segments["new"] + 1)


def test_while_too_many_change_everybody_is_asked_by_the_rule(
    session: ScopedSession, house: tuple[dict[str, int], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    segments, people = house
    monkeypatch.setattr(current, "CHANGING_MAX", 1)
    session.execute(sa.update(Contact).where(Contact.id.in_(people[:2])).values(municipality="Gent"))
    assert not is_stored(session, segments["came"])
    assert members(session, house)["came"] == [0, 1]
