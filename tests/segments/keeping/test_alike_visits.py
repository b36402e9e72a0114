"""When likely-same people last came, stored for counts: the same people as without it, at any moment."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from app.accounts.models import Organisation
from app.activities.models import Participation
from app.contacts.models import Contact
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.segments.building.preview import preview_rule
from app.segments.compiling.compiler import select_members
from app.segments.compiling.scope import StoredVisits, scope_of
from app.segments.keeping import alike_visits
from app.segments.keeping.alike_visits import find_differing_visits, stored_visits
from app.segments.keeping.entries import hold_upkeep
from app.segments.keeping.permitted import scope_to_show
from app.segments.keeping.self_check import compare_and_repair
from app.segments.keeping.upkeep import keep_segments_current
from app.segments.language.schemas import parse_rule
from app.segments.models import AlikeVisit
from tests.segments.people import move_in, person, visits

AN: dict[str, Any] = {"given_name": "An", "family_name": "De Smet", "postcode": "9000"}
SOMEBODY: dict[str, Any] = {"given_name": "Bo", "family_name": "Maes", "postcode": "9000", "phone": "0470 12 34 56"}
KINDS = ("person", "household")


def rule(who: str, since: str = "-P18M") -> dict[str, Any]:
    came = {"type": "participation", "at_least": 1, "between": [since, None]}
    return {"type": "likely_same", "who": who, "rule": came}


@pytest.fixture
def people(runtime: Runtime, organisation: Organisation) -> list[int]:
    """Of one name: without a street, at 1, at 1, at 2, who came so many days ago; and two of one telephone number."""
    with transaction(runtime.engine, organisation.id) as session:
        filled = move_in(
            session,
            person(0, **AN),
            person(1, *visits(30), **AN, street="Kerkstraat 1"),
            person(2, *visits(700, 10), **AN, street="Kerkstraat 1"),
            person(3, *visits(800), **AN, street="Kerkstraat 2"),
            person(4, *visits(5), **SOMEBODY),
            person(5, *visits(600), **{**SOMEBODY, "given_name": "Cis", "family_name": "Pauwels", "postcode": "8000"}),
        )
    keep_segments_current(runtime, organisation.id)
    return [one.id for one in filled.world.contacts]


def agree(session: ScopedSession, people: list[int]) -> dict[str, list[int]]:
    """Whom rules hold for by what is stored, which must be whom they hold for; by their places."""
    found = {}
    for who in KINDS:
        for since in ("-P18M", "-P25D", "P1D"):
            asked = parse_rule(rule(who, since))
            scopes = (scope_to_show(session), scope_of(session))
            shown, members = (sorted(session.scalars(select_members(asked, scope))) for scope in scopes)
            assert shown == members, (who, since)
            found[f"{who} {since}"] = [people.index(one) for one in members]
    return found


def test_what_is_stored_finds_the_same_people_before_and_after_a_beat(
    runtime: Runtime, organisation: Organisation, people: list[int]
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        assert stored_visits(session) == StoredVisits()
        assert not find_differing_visits(session)
        assert agree(session, people) == {
            "person -P18M": [0, 1, 2, 5],
            "person -P25D": [0, 1, 5],
            "person P1D": [],
            "household -P18M": [1, 2],
            "household -P25D": [1],
            "household P1D": [],
        }
        # The one who came ten days ago moves, and so do they who had the number in common.
        session.execute(sa.update(Contact).where(Contact.id == people[2]).values(street="Dorp 7", postcode="9700"))
        session.execute(sa.update(Contact).where(Contact.id == people[5]).values(phone=None))
        known = stored_visits(session)
        assert known is not None
        assert set(people[:3]) < set(known.changing)
        moved = agree(session, people)
        assert moved["person -P25D"] == []
        assert moved["household -P25D"] == []
    keep_segments_current(runtime, organisation.id)
    with transaction(runtime.engine, organisation.id) as session:
        assert stored_visits(session) == StoredVisits()
        assert not find_differing_visits(session)
        assert agree(session, people) == moved
        cancelled = sa.update(Participation).where(Participation.contact_id == people[1])
        session.execute(cancelled.values(status="cancelled"))
        session.execute(sa.delete(Contact).where(Contact.id == people[4]))
        agree(session, people)
    keep_segments_current(runtime, organisation.id)
    with transaction(runtime.engine, organisation.id) as session:
        assert not find_differing_visits(session)
        assert agree(session, people)["person -P18M"] == []


def test_a_preview_says_whom_others_leave_out_by_what_is_stored(session: ScopedSession, people: list[int]) -> None:
    everybody = {"type": "all", "rules": [{"type": "not", "rule": {"type": "any", "rules": list(map(rule, KINDS))}}]}
    shown = preview_rule(session, everybody)
    assert shown.left_out is not None
    assert [(one.count, shown.count) for one in shown.left_out] == [(4, 2), (2, 2)]
    assert "alike_visit" in str(select_members(parse_rule(everybody), scope_to_show(session)))
    assert "alike_visit" not in str(select_members(parse_rule(everybody), scope_of(session)))


def test_while_too_many_are_changing_what_is_stored_is_not_used(
    session: ScopedSession, people: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alike_visits, "CHANGING_MAX", 1)
    session.execute(sa.update(Contact).where(Contact.id.in_(people[:2])).values(street=None))
    assert stored_visits(session) is None
    agree(session, people)


def test_what_differs_is_found_at_night_and_put_right(session: ScopedSession, people: list[int]) -> None:
    session.execute(sa.delete(AlikeVisit).where(AlikeVisit.contact_id == people[0]))
    session.execute(sa.update(AlikeVisit).where(AlikeVisit.contact_id == people[1]).values(household_on=None))
    assert find_differing_visits(session) == set(people[:2])
    upkeep = hold_upkeep(session)
    assert upkeep is not None
    compare_and_repair(session, upkeep)
    assert not find_differing_visits(session)
    assert upkeep.differences == 2
