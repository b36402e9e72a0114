"""The compiler and the evaluator at every edge that a rule can have, one after the other.

Random rules rarely stand exactly on an edge; here somebody stands on each, and one step to either side of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise, product
from typing import Any

import pytest

from app.db import ScopedSession
from app.segments.compiling.compiler import select_members
from app.segments.compiling.scope import Scope
from app.segments.language.schemas import parse_rule
from tests.segments.evaluator import Activity, Contact, Participation, World, shifted
from tests.segments.filling import fill
from tests.segments.people import ZONE
from tests.segments.worlds import DURATIONS

Json = dict[str, Any]

MEASURES = ("count", "tickets", "spend", "activities", "genres", "venues", "days")
SIDES = [None, *DURATIONS]
WINDOWS = [list(pair) for pair in product(SIDES, SIDES)]


def agree(session: ScopedSession, world: World, rules: Iterable[Json]) -> None:
    """Both find the same people for every rule."""
    filled = fill(session, world)
    scope = Scope(session.organisation_id, world.day, world.zone.key)
    everybody = {one.id for one in filled.world.contacts}
    sizes = set()
    for rule in rules:
        found = set(session.scalars(select_members(parse_rule(rule), scope)))
        expected = filled.world.members(rule)
        assert found == expected, f"{rule}: {len(found)} found, {len(expected)} expected"
        sizes.add("none" if not found else "all" if found == everybody else "some")
    assert "some" in sizes


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def somebody(number: int, *participations: Participation, **fields: Any) -> Contact:
    return Contact(
        number, noon(date(2024, 1, 1)), fields={"source": "test", **fields}, participations=tuple(participations)
    )


@pytest.mark.parametrize("day", [date(2026, 11, 20), date(2025, 3, 31), date(2024, 2, 29)], ids=str)
def test_windows(session: ScopedSession, day: date) -> None:
    edges = sorted({shifted(day, each) + timedelta(days=step) for each in DURATIONS for step in (-1, 0, 1)})
    visits = [
        Participation(Activity(id=number, starts_at=noon(edge)), booked_at=noon(edge - timedelta(days=number % 3)))
        for number, edge in enumerate(edges)
    ]
    people = [somebody(number, visit) for number, visit in enumerate(visits)]
    people += [somebody(1000 + number, *pair) for number, pair in enumerate(pairwise(visits))]
    windows = WINDOWS if day.month == 11 else WINDOWS[::5]
    agree(session, World((*people, somebody(5000)), day, ZONE), over_windows(windows))


def over_windows(windows: list[list[str | None]]) -> Iterator[Json]:
    for number, (window, other) in enumerate(zip(windows, windows[1:] + windows[:1], strict=True)):
        dated = {"between": window, "date": ("activity", "booking")[number % 2]}
        yield {"type": "participation", "at_least": 1, **dated}
        yield {"type": "not", "rule": {"type": "first_participation", **dated}}
        yield {"type": "last_participation", **dated}
        # Two windows in one scan: what is not common to both becomes a filter.
        pair = [{"type": "participation", "at_least": 1, "between": each} for each in (window, other)]
        yield {"type": "all", "rules": [pair[0], {"type": "not", "rule": pair[1]}]}


@pytest.mark.parametrize("day", [date(2025, 2, 25), date(2024, 2, 25), date(2025, 12, 30)], ids=str)
def test_anniversaries(session: ScopedSession, day: date) -> None:
    days = [date(2000, 2, 20) + timedelta(days=step) for step in range(20)]
    days += [date(2001, 12, 24) + timedelta(days=step) for step in range(16)]
    people = [
        Contact(
            number,
            noon(date(2024, 1, 1)),
            fields={"source": "test", "birth_date": born},
            attributes={"joined": born.isoformat(), "odd": born.isoformat() + "T10:00"},
        )
        for number, born in enumerate(days)
    ]
    people += [Contact(900, noon(day), fields={"source": "test"}, attributes={"joined": "2001-02-30", "odd": 3})]
    steps = ["-P3D", "P0D", "P1D", "P3D", "P4D", "P5D", "P10D"]
    windows = [[since, until] for since, until in product(steps, steps)]
    windows += [[None, "P1D"], ["P1D", None], ["-P1Y", "P1D"], ["-P6M", "P1M"], ["P0D", "P1Y"]]
    fields = ["birth_date", "attributes.joined", "attributes.odd"]
    rules = [{"type": "anniversary", "field": name, "between": window} for name in fields for window in windows]
    agree(session, World(tuple(people), day, ZONE), [*rules, *({"type": "not", "rule": rule} for rule in rules[::7])])


def test_limits_of_a_participation(session: ScopedSession) -> None:
    day = date(2026, 11, 20)
    amounts = [None, Decimal("-0.01"), Decimal("0.00"), Decimal("9.99"), Decimal("10.00"), Decimal("10.01")]
    people = [
        somebody(
            number,
            Participation(
                Activity(id=number, starts_at=noon(day)), noon(day - timedelta(days=lead)), quantity=many, amount=amount
            ),
        )
        for number, (lead, many, amount) in enumerate(product((-1, 0, 1, 2), (0, 1, 2), amounts))
    ]
    rules = [
        {"type": "participation", "at_least": 1, "where": {key: limits}}
        for key, values in (
            ("price_between", [None, -0.01, 0, 9.99, 10]),
            ("quantity_between", [None, 0, 1, 1.5, 2]),
            ("lead_days_between", [None, -1, 0, 1, 2]),
        )
        for limits in ([low, high] for low, high in product(values, values))
        if limits[0] is None or limits[1] is None or limits[0] <= limits[1]
    ]
    rules += [
        {"type": "participation", "measure": measure, **bound}
        for measure in ("count", "tickets", "spend")
        for limit in (0, 1, 2, 9.99, 10)
        for bound in ({"at_least": limit}, {"at_most": limit}, {"at_least": limit, "at_most": limit})
    ]
    agree(session, World((*people, somebody(5000)), day, ZONE), rules)


def test_shares(session: ScopedSession) -> None:
    day = date(2026, 11, 20)
    dance, other = (
        Activity(id=number, genres=genres, starts_at=noon(day)) for number, genres in ((1, ("dans",)), (2, ()))
    )
    people = [
        somebody(10 * both + rest, *(Participation(one, noon(day)) for one in [dance] * both + [other] * rest))
        for both, rest in product(range(4), range(4))
    ]
    rules = [
        {"type": "share", "of": {"genres": ["dans"]}, "min_count": least, **bound}
        for least in (0, 1, 2)
        for part in (0, 0.25, 0.33, 0.5, 0.6, 1)
        for bound in ({"at_least": part}, {"at_most": part}, {"at_least": 0.25, "at_most": max(part, 0.25)})
    ]
    denied = [{"type": "not", "rule": rule} for rule in rules]
    agree(session, World(tuple(people), day, ZONE), [*rules, *denied])


def test_a_denied_condition_holds_for_those_of_whom_nothing_is_known(session: ScopedSession) -> None:
    day = date(2026, 11, 20)
    known = Contact(
        1,
        noon(day),
        fields={"source": "test", "given_name": "An", "email": "an@example.org", "birth_date": date(1990, 11, 20)},
        attributes={"score": 5},
        tags=("vip",),
        participations=(Participation(Activity(id=1, genres=("dans",), venue="Zaal", starts_at=noon(day)), noon(day)),),
    )
    leaves: list[Json] = [
        *({"type": "participation", "measure": measure, "at_least": 1} for measure in MEASURES),
        {"type": "first_participation"},
        {"type": "last_participation"},
        {"type": "share", "of": {}, "at_least": 0},
        *({"type": "profile", "field": "given_name", "op": op, "value": "an"} for op in ("is", "is_not", "contains")),
        *({"type": "profile", "field": "attributes.score", "op": op, "value": [5]} for op in ("in", "not_in")),
        *(
            {"type": "profile", "field": name, "op": "between", "value": [None, None]}
            for name in ("age", "email_domain")
        ),
        *({"type": "profile", "field": "birth_date", "op": op} for op in ("known", "unknown")),
        {"type": "anniversary", "field": "birth_date", "between": ["P0D", "P1D"]},
        {"type": "anniversary", "field": "attributes.score", "between": [None, None]},
        {"type": "tag", "tag": "VIP"},
        {"type": "permission", "channel": "email", "purpose": "newsletter", "is": "allowed"},
    ]
    denied = [{"type": "not", "rule": leaf} for leaf in leaves]
    agree(session, World((known, somebody(2)), day, ZONE), [*leaves, *denied])
