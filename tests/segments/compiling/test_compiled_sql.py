"""What each kind of condition becomes in SQL, kept beside what it finds.

The statements are in snapshots/, one file each, to be read like code. After a change that is meant:

    ZAALLICHT_WRITE_SNAPSHOTS=1 python -m pytest tests/segments/compiling/test_compiled_sql.py
"""

from __future__ import annotations

import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from app.contacts.models import Contact as ContactRow
from app.db import ScopedSession
from app.journeys.models import Journey
from app.segments.building.recipes import RECIPES, Recipe
from app.segments.compiling.compiler import inline, select_members, select_truths
from app.segments.compiling.scope import Scope
from app.segments.language.rules import Rule, with_closed_days
from app.segments.language.schemas import parse_rule
from app.segments.language.windows import ClosedPeriod
from app.segments.problems import SegmentCycleError, SegmentMissingError
from tests.segments.evaluator import Activity, Enrolment, Mail, Pass
from tests.segments.people import DAY, ZONE, at_noon, move_in, person, visits

SNAPSHOTS = Path(__file__).parent / "snapshots"

LAST_YEAR = ["-P12M", "P1D"]
IN_DANCE = {"genres": ["Dans"]}

# Per name: the rule, and which of the three people it holds for.
RULES: dict[str, tuple[dict[str, Any], str]] = {
    "count": ({"type": "participation", "at_least": 2, "between": LAST_YEAR}, "A"),
    "count_denied": ({"type": "not", "rule": {"type": "participation", "at_least": 2, "between": LAST_YEAR}}, "BC"),
    "none_since": ({"type": "participation", "at_most": 0, "between": ["-P12M", None]}, "BC"),
    "tickets_by_booking": (
        {"type": "participation", "measure": "tickets", "at_least": 1, "date": "booking", "between": ["-P1M", None]},
        "A",
    ),
    "spend_cancelled": (
        {"type": "participation", "measure": "spend", "at_most": 5, "where": {"statuses": ["cancelled"]}},
        "ABC",
    ),
    "genres_and_venues": (
        {
            "type": "all",
            "rules": [
                {"type": "participation", "measure": "genres", "at_least": 1},
                {"type": "participation", "measure": "venues", "at_least": 1},
                {"type": "participation", "measure": "days", "at_least": 1},
            ],
        },
        "A",
    ),
    "where_everything": (
        {
            "type": "participation",
            "at_least": 1,
            "where": {
                "genres": ["DANS"],
                "venues": ["grote zaal"],
                "series": ["Abo"],
                "kinds": ["performance"],
                "audiences": ["families"],
                "channels": ["WEB"],
                "sources": ["test"],
                "weekdays": [1, 2, 3, 4, 5, 6, 7],
                "price_between": [None, 20.5],
                "quantity_between": [1, 2],
                "lead_days_between": [0, 30],
            },
        },
        "A",
    ),
    "first": ({"type": "first_participation", "between": ["-P60D", "P1D"]}, "A"),
    "last": ({"type": "last_participation", "between": [None, "-P12M"]}, "B"),
    "share": ({"type": "share", "of": IN_DANCE, "at_least": 0.4, "min_count": 1, "between": ["-P24M", "P1D"]}, "A"),
    "genre_count": ({"type": "participation", "at_least": 1, "between": LAST_YEAR, "where": IN_DANCE}, "A"),
    "genre_never": ({"type": "participation", "at_most": 0, "where": IN_DANCE}, "BC"),
    "genre_last": ({"type": "last_participation", "between": LAST_YEAR, "where": IN_DANCE}, "A"),
    "genres_distinct": ({"type": "participation", "measure": "genres", "at_least": 1, "between": LAST_YEAR}, "A"),
    "days_and_spend": (
        {
            "type": "all",
            "rules": [
                {"type": "participation", "measure": "days", "at_least": 1},
                {"type": "participation", "measure": "spend", "at_least": 10.5, "between": LAST_YEAR},
                {"type": "participation", "measure": "tickets", "at_most": 9, "between": ["-P1M", None]},
            ],
        },
        "A",
    ),
    "share_last_minute": (
        {
            "type": "share",
            "of": {"lead_days_between": [0, 30], "weekdays": [1, 2, 3, 4, 5, 6, 7]},
            "at_least": 0.4,
            "between": ["-P24M", "P1D"],
        },
        "AB",
    ),
    "profile_text": ({"type": "profile", "field": "municipality", "op": "in", "value": ["GENT", "Aalst"]}, "AB"),
    "profile_unknown": ({"type": "profile", "field": "municipality", "op": "is_not", "value": "Gent"}, "BC"),
    "profile_age": ({"type": "profile", "field": "age", "op": "between", "value": [18, 30]}, "A"),
    "profile_created_on": (
        {"type": "profile", "field": "created_on", "op": "between", "value": ["2025-01-01", None]},
        "ABC",
    ),
    "profile_attribute": ({"type": "profile", "field": "attributes.score", "op": "between", "value": [5, None]}, "B"),
    "profile_list": ({"type": "profile", "field": "attributes.likes", "op": "contains", "value": "Dans"}, "B"),
    "profile_not_in_list": (
        {"type": "profile", "field": "attributes.likes", "op": "not_in", "value": ["CIRCUS", "opera"]},
        "AC",
    ),
    "anniversary": ({"type": "anniversary", "field": "birth_date", "between": ["-P7D", "P60D"]}, "A"),
    "anniversary_of_attribute": ({"type": "anniversary", "field": "attributes.joined", "between": ["P0D", "P7D"]}, "B"),
    "permission": ({"type": "permission", "channel": "email", "purpose": "newsletter", "is": "allowed"}, "AB"),
    "tag": ({"type": "tag", "tag": "vip"}, "C"),
    "engagement": ({"type": "engagement", "event": "opened", "at_least": 1, "between": LAST_YEAR}, "A"),
    "engagement_none": (
        {
            "type": "all",
            "rules": [
                {"type": "engagement", "event": "delivered", "at_least": 1, "mailing": 7},
                {"type": "engagement", "event": "clicked", "at_most": 0, "between": LAST_YEAR, "campaign": "Zomer"},
            ],
        },
        "B",
    ),
    "pass_active": (
        {"type": "pass", "programme": "UiTPAS", "is": "active", "expires": ["P0D", "P1M"], "points_at_least": 5},
        "A",
    ),
    "pass_expired": ({"type": "pass", "programme": "uitpas", "is": "expired"}, "B"),
    "pass_none": ({"type": "pass", "programme": "uitpas", "is": "none"}, "C"),
    "journey_active": ({"type": "journey", "journey": 1, "is": "active"}, "A"),
    "journey_completed": ({"type": "journey", "journey": 1, "is": "completed"}, "B"),
    "journey_never": ({"type": "journey", "journey": 1, "is": "never"}, "C"),
    "deliverability": ({"type": "deliverability", "is": "bouncing"}, "B"),
    "likely_same": (
        {"type": "likely_same", "rule": {"type": "participation", "at_least": 2, "between": LAST_YEAR}},
        "B",
    ),
    "household": (
        {"type": "likely_same", "who": "household", "rule": {"type": "participation", "at_least": 2}},
        "C",
    ),
    "nobody_likely_same": (
        {"type": "not", "rule": {"type": "likely_same", "rule": {"type": "participation", "at_least": 2}}},
        "AC",
    ),
    "open_days": ({"type": "last_participation", "between": ["-P12M", "P1D"], "skip_closed": True}, "AB"),
    "segment": ({"type": "segment", "segment": 1, "is": "not_member"}, "ABC"),
    "sample": ({"type": "sample", "percent": 100, "seed": "a"}, "ABC"),
    "near_first": (
        {
            "type": "all",
            "rules": [
                {"type": "profile", "field": "postcode", "op": "is", "value": "9000"},
                {"type": "participation", "at_most": 0, "between": ["-P12M", None]},
            ],
        },
        "BC",
    ),
    "nested": (
        {
            "type": "any",
            "rules": [
                {
                    "type": "not",
                    "rule": {"type": "all", "rules": [{"type": "tag", "tag": "vip"}, {"type": "any", "rules": []}]},
                },
                {"type": "participation", "at_least": 1},
            ],
        },
        "ABC",
    ),
}


def as_written(statement: sa.Select[Any]) -> str:
    dialect = postgresql.psycopg.dialect()  # type: ignore[no-untyped-call]
    return str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True})) + "\n"


@pytest.fixture
def people(session: ScopedSession) -> dict[int, str]:
    dance = Activity(
        id=1, genres=("dans",), venue="Grote Zaal", series="abo", audiences=("Families",), starts_at=at_noon(DAY)
    )
    born = DAY.replace(year=2000, month=12, day=24)
    filled = move_in(
        session,
        person(
            1,
            *visits(3, 10, activity=dance, channel="web", amount=Decimal(12)),
            municipality="gent ",
            postcode="9000",
            birth_date=born,
            phone="+32 470 12 34 56",
            street="Kerkstraat 12",
            mails=(Mail("opened", at_noon(DAY)), Mail("opened", at_noon(DAY), is_machine=True)),
            passes=(Pass("uitpas", expires_on=DAY, points=5),),
            enrolments=(Enrolment(1, "active", DAY),),
        ),
        person(
            2,
            *visits(500),
            municipality="Aalst",
            postcode="9000",
            phone="0470/12.34.56",
            mails=(Mail("delivered", at_noon(DAY), mailing=7),),
            passes=(Pass("uitpas", expires_on=DAY - timedelta(days=1)), Pass("museumpas")),
            enrolments=(Enrolment(1, "completed", DAY, DAY),),
            mailbox="bouncing",
        ),
        person(
            3,
            allowed=False,
            street="KERKSTRAAT 12",
            postcode="9000",
            mails=(Mail("opened", at_noon(DAY), is_machine=True),),
            passes=(Pass("uitpas", valid_from=DAY + timedelta(days=1)),),
        ),
    )
    first, second, third = (one.id for one in filled.world.contacts)
    attributes = {"score": "10", "joined": "2020-11-21", "likes": ["circus", "volksdansen"]}
    session.execute(sa.update(ContactRow).where(ContactRow.id == second).values(attributes=attributes))
    session.execute(sa.text("UPDATE contact SET tags = '{VIP}' WHERE id = :id"), {"id": third})
    return {first: "A", second: "B", third: "C"}


def complete(name: str, *, journey: int = 1) -> Rule:
    referred = parse_rule({"type": "participation", "at_least": 3})
    rule = RULES[name][0]
    closed = (ClosedPeriod(DAY - timedelta(days=200), DAY - timedelta(days=51)),)
    parsed = parse_rule({**rule, "journey": journey} if "journey" in rule else rule)
    return with_closed_days(inline(parsed, {1: referred}.get), closed)


def test_every_condition_finds_whom_it_should(session: ScopedSession, people: dict[int, str]) -> None:
    scope = Scope(session.organisation_id, DAY, ZONE.key)
    journey = session.scalar(sa.select(Journey.id)) or 0
    statements = {name: select_members(complete(name, journey=journey), scope) for name in RULES}
    found = {name: session.scalars(statement).all() for name, statement in statements.items()}
    names = {name: "".join(sorted(people[one] for one in ids)) for name, ids in found.items()}
    assert names == {name: expected for name, (_, expected) in RULES.items()}


@pytest.mark.parametrize("name", RULES)
def test_a_condition_becomes_the_sql_that_was_agreed(name: str) -> None:
    snapshot = SNAPSHOTS / f"{name}.sql"
    written = as_written(select_members(complete(name), Scope(1, DAY, ZONE.key)))
    if os.environ.get("ZAALLICHT_WRITE_SNAPSHOTS"):
        snapshot.parent.mkdir(exist_ok=True)
        snapshot.write_text(written)
    assert written == snapshot.read_text()


def test_no_snapshot_is_left_behind() -> None:
    assert {path.stem for path in SNAPSHOTS.glob("*.sql")} == set(RULES)


# Large orders have an index of their own.
READ_ON = {"group_booker"}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.key)
def test_recipes_are_answered_by_the_packed_history(recipe: Recipe) -> None:
    words = {"genres": "dans", "series": "Abo A", "postcodes": "9000", "programmes": "uitpas"}
    rule, _ = recipe.rule({each.key: words[each.kind] for each in recipe.settings if each.kind in words})
    written = as_written(select_members(inline(parse_rule(rule), {}.get), Scope(1, DAY, ZONE.key)))
    assert ("FROM participation" in written) is (recipe.key in READ_ON)


def test_what_many_rules_ask_is_worked_out_once_per_contact() -> None:
    rules = [{"type": "participation", "at_least": n, "between": ["-P12M", f"P{n}D"]} for n in range(1, 9)]
    written = as_written(select_truths(map(parse_rule, rules), Scope(1, DAY, ZONE.key)))
    assert written.count("width_bucket(") == 1 + len(rules)
    assert written.count("FROM contact_history ") == 1


def test_many_conditions_read_participation_once() -> None:
    rules = [rule for rule, _ in RULES.values() if rule["type"] in ("participation", "share", "last_participation")]
    together = parse_rule({"type": "any", "rules": [*rules, *rules]})
    written = as_written(select_members(together, Scope(1, DAY, ZONE.key)))
    assert written.count("FROM participation") == 1
    assert written.count("FROM activity AS a") == 1


def test_a_segment_that_refers_to_itself_is_no_rule() -> None:
    circle = {
        1: parse_rule({"type": "segment", "segment": 2, "is": "member"}),
        2: parse_rule({"type": "not", "rule": {"type": "segment", "segment": 1, "is": "member"}}),
    }
    with pytest.raises(SegmentCycleError) as refused:
        inline(circle[1], circle.get)
    assert refused.value.path == (2, 1, 2)
    with pytest.raises(SegmentMissingError):
        inline(parse_rule({"type": "segment", "segment": 3, "is": "member"}), circle.get)


def test_for_some_contacts_the_gate_reads_their_permissions_alone() -> None:
    allowed: dict[str, Any] = {"type": "permission", "channel": "email", "purpose": "newsletter", "is": "allowed"}
    asked = [parse_rule(allowed), parse_rule({"type": "not", "rule": allowed})]
    assert "gate.contact_id = ANY" in as_written(select_truths(asked, Scope(7, DAY, ZONE), only=[1, 2]))
    assert "gate.contact_id = ANY" not in as_written(select_truths(asked, Scope(7, DAY, ZONE)))
