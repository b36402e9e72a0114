"""Segments: every recipe against the best SQL written by hand on the same tables, and against DuckDB on the same rows.

Ours compiles a rule, executes it and fetches the ids of its members. By hand is the one statement that an expert would
write for that question alone, executed and fetched over the same connection. DuckDB
(one thread) holds the same columns in memory. All three must find the same people.

    python -m bench.segments --scale small|org|sector
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
from sqlalchemy import text

from app.db import ScopedSession, transaction
from app.segments.compiler import select_members
from app.segments.definitions import complete_rule
from app.segments.preview import preview_rule, scope_of
from app.segments.recipes import BY_KEY
from app.segments.schemas import parse_rule
from app.segments.windows import Duration
from bench.harness import RUNS, Arguments, arguments, compare, house, own_server, report

BY_HAND_TARGET = 1.3
DUCKDB_TARGET = 2.0
PREVIEW_LIMIT_S = 1.0

# Both engines read these; {p} is the scan of valid participations of the house.
P = "FROM participation p WHERE p.organisation_id = :organisation_id AND p.is_valid"
LIVING = "JOIN contact c ON c.organisation_id = :organisation_id AND c.id = found.contact_id AND c.state = 'living'"


@dataclass(frozen=True, slots=True)
class Question:
    """A recipe with its settings, and the same question by hand: PostgreSQL, and DuckDB where that differs."""

    recipe: str
    settings: dict[str, str]
    by_hand: str
    in_duckdb: str = ""


def grouped(having: str, more: str = "", joined: str = "") -> str:
    """One grouped scan, then the living contacts among its groups."""
    scan = P.replace("WHERE", f"{joined} WHERE") if joined else P
    groups = f"SELECT p.contact_id {scan} {more} GROUP BY p.contact_id HAVING {having}"
    return f"SELECT found.contact_id FROM ({groups}) found {LIVING}"


DANCE = (
    "JOIN (SELECT id, genres && ARRAY['dans'] AS fits FROM activity WHERE organisation_id = :organisation_id) a"
    " ON a.id = p.activity_id"
)
DANCE_DUCK = "JOIN (SELECT id, list_contains(genres, 'dans') AS fits FROM activity) a ON a.id = p.activity_id"


def of_genre(genre: str) -> str:
    fitting = f"organisation_id = :organisation_id AND genres && ARRAY['{genre}']"
    return f"p.activity_id IN (SELECT id FROM activity WHERE {fitting})"


def in_two_years(condition: str) -> str:
    return f"count(*) FILTER (WHERE p.activity_on >= :m24 AND p.activity_on < :tomorrow AND {condition})"


NEARBY = (
    "SELECT c.id AS contact_id FROM contact c WHERE c.organisation_id = :organisation_id AND c.state = 'living'"
    " AND c.postcode IN ('9000', '9040') AND NOT EXISTS (SELECT 1 FROM participation p"
    " WHERE p.organisation_id = :organisation_id AND p.contact_id = c.id AND p.is_valid AND p.activity_on >= :m24)"
)
BIRTHDAY = (
    "SELECT c.id AS contact_id FROM contact c WHERE c.organisation_id = :organisation_id AND c.state = 'living'"
    " AND c.birth_month_day BETWEEN :today_md AND :week_md"
)
RECENT = " AND p.activity_on >= :m24 AND p.activity_on < :tomorrow"
WEEKDAYS_LEAD = "p.activity_on - p.booked_on BETWEEN 0 AND 2"

QUESTIONS = (
    Question(
        "lapser",
        {},
        grouped(
            "count(*) FILTER (WHERE p.activity_on < :m18) >= 3 AND max(p.activity_on) < :m18",
            "AND p.activity_on >= :m48",
        ),
    ),
    Question(
        "first_timer",
        {},
        grouped(
            "min(p.activity_on) = max(p.activity_on) AND min(p.activity_on) >= :d60 AND min(p.activity_on) < :tomorrow"
        ),
    ),
    Question("loyal", {}, grouped("count(*) >= 3", "AND p.activity_on >= :m12 AND p.activity_on < :tomorrow")),
    Question(
        "core",
        {},
        grouped(
            "count(*) FILTER (WHERE p.activity_on >= :m12) >= 3 AND count(*) FILTER (WHERE p.activity_on < :m12) >= 3",
            RECENT,
        ),
    ),
    Question(
        "genre_affinity",
        {"genres": "dans"},
        grouped(
            "count(*) FILTER (WHERE a.fits) >= 2 AND count(*) FILTER (WHERE a.fits) >= 0.4 * count(*)", RECENT, DANCE
        ),
        grouped(
            "count(*) FILTER (WHERE a.fits) >= 2 AND count(*) FILTER (WHERE a.fits) >= 0.4 * count(*)",
            RECENT,
            DANCE_DUCK,
        ),
    ),
    Question(
        "recommendation",
        {"genre_a": "theater", "genre_b": "dans", "genre_c": "circus"},
        grouped(
            f"{in_two_years(of_genre('theater'))} >= 1 AND {in_two_years(of_genre('dans'))} >= 1"
            f" AND count(*) FILTER (WHERE {of_genre('circus')}) = 0"
        ),
        grouped(
            f"{in_two_years('a.theatre')} >= 1 AND {in_two_years('a.dance')} >= 1"
            " AND count(*) FILTER (WHERE a.circus) = 0",
            "",
            "JOIN (SELECT id, list_contains(genres, 'theater') AS theatre, list_contains(genres, 'dans') AS dance,"
            " list_contains(genres, 'circus') AS circus FROM activity) a ON a.id = p.activity_id",
        ),
    ),
    Question(
        "discoverer",
        {},
        grouped(
            "count(DISTINCT a.genre) >= 4",
            RECENT,
            "JOIN (SELECT id, unnest(genres) AS genre FROM activity WHERE organisation_id = :organisation_id) a"
            " ON a.id = p.activity_id",
        ),
        grouped(
            "count(DISTINCT a.genre) >= 4",
            RECENT,
            "JOIN (SELECT id, unnest(genres) AS genre FROM activity) a ON a.id = p.activity_id",
        ),
    ),
    Question(
        "last_minute",
        {},
        grouped(
            f"count(*) FILTER (WHERE {WEEKDAYS_LEAD}) >= 2 AND 2 * count(*) FILTER (WHERE {WEEKDAYS_LEAD}) >= count(*)",
            RECENT,
        ),
    ),
    Question("group_booker", {}, grouped("true", "AND p.activity_on >= :m24 AND p.quantity >= 6")),
    Question("one_timer", {}, grouped("min(p.activity_on) = max(p.activity_on) AND max(p.activity_on) < :m12")),
    Question("birthday", {}, BIRTHDAY),
    Question("nearby", {"postcodes": "9000, 9040"}, NEARBY),
)


def main(asked: Arguments) -> None:
    """Print a line for every recipe and side."""
    with own_server(asked.keep) as held:
        organisation_id = house(held, asked.scale)
        with transaction(held.engine, organisation_id) as session, tempfile.TemporaryDirectory() as folder:
            # What the heartbeat and previews set, for both sides.
            session.execute(text("SET LOCAL work_mem = '64MB'"))
            session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
            with in_memory(session, Path(folder)) as columns:
                for question in QUESTIONS:
                    if asked.wants(question.recipe):
                        measure(session, columns, question, asked)


def measure(session: ScopedSession, columns: duckdb.DuckDBPyConnection, question: Question, asked: Arguments) -> None:
    """Time one recipe against both, after making sure that all three agree."""
    values = edges(scope_of(session).as_of) | {"organisation_id": session.organisation_id}
    rule, problems = BY_KEY[question.recipe].rule(question.settings)
    if problems:
        raise ValueError(f"{question.recipe}: {problems}")

    complete, scope = complete_rule(session, parse_rule(rule)), scope_of(session)

    def ours() -> list[int]:
        return list(session.scalars(select_members(complete, scope)))

    def by_hand() -> list[int]:
        return list(session.scalars(text(question.by_hand), values))

    asked_duck, given = for_duckdb(question.in_duckdb or question.by_hand, values)

    def in_duckdb() -> list[int]:
        return [row[0] for row in columns.execute(asked_duck, given).fetchall()]

    found = [sorted(side()) for side in (ours, by_hand, in_duckdb)]
    if not found[0] == found[1] == found[2]:
        print(f"{question.recipe}: {[len(each) for each in found]} people: the sides disagree", file=sys.stderr)
        raise SystemExit(1)
    name = f"segments.{question.recipe}"
    compare(f"{name}.by_hand", asked.scale, ours=ours, limit=by_hand, target=BY_HAND_TARGET)
    compare(f"{name}.duckdb", asked.scale, ours=ours, limit=in_duckdb, target=DUCKDB_TARGET)
    taken = [timed(lambda: preview_rule(session, rule)) for _ in range(RUNS)]
    # A preview has its limit in seconds: somebody waits for it.
    report(
        f"{name}.preview",
        asked.scale,
        ours_s=median(taken),
        limit_s=PREVIEW_LIMIT_S,
        runs=RUNS,
        target=1.0,
    )


def timed(work: Callable[[], object]) -> float:
    """How long some work takes, in seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def edges(today: date) -> dict[str, Any]:
    """The dates that the questions ask about, as of ``today``."""
    after: Callable[[str], date] = lambda duration: Duration.parse(duration).after(today)  # noqa: E731 (a name for a call)
    return {
        "tomorrow": after("P1D"),
        "d60": after("-P60D"),
        "m12": after("-P12M"),
        "m18": after("-P18M"),
        "m24": after("-P24M"),
        "m48": after("-P48M"),
        "today_md": today.month * 100 + today.day,
        "week_md": after("P6D").month * 100 + after("P6D").day,
    }


def in_memory(session: ScopedSession, folder: Path) -> duckdb.DuckDBPyConnection:
    """The columns that the questions need, in DuckDB."""
    held = duckdb.connect(config={"threads": 1})
    for name, columns in (
        ("contact", "id, organisation_id, state, postcode, birth_month_day"),
        ("activity", "id, array_to_string(genres, '|') AS genres"),
        ("participation", "organisation_id, contact_id, activity_id, is_valid, activity_on, booked_on, quantity"),
    ):
        path = folder / f"{name}.csv"
        raw = session.connection().connection.driver_connection
        if raw is None:
            raise RuntimeError("the session has no connection")
        with (
            path.open("wb") as file,
            raw.cursor().copy(f"COPY (SELECT {columns} FROM {name}) TO STDOUT (FORMAT csv, HEADER)") as rows,
        ):
            for chunk in rows:
                file.write(chunk)
        chosen = "id, string_split(genres, '|') AS genres" if name == "activity" else "*"
        types = ", types={'postcode': 'VARCHAR'}" if name == "contact" else ""
        held.execute(f"CREATE TABLE {name} AS SELECT {chosen} FROM read_csv('{path}', header=true{types})")
    return held


def for_duckdb(question: str, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The question with DuckDB's way of writing parameters, and the values that it uses."""
    used = {name: value for name, value in values.items() if f":{name}" in question}
    for name in sorted(used, key=len, reverse=True):
        question = question.replace(f":{name}", f"${name}")
    return question, used


if __name__ == "__main__":
    main(arguments(__doc__))
