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
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import sqlalchemy as sa
from sqlalchemy import text

from app.db import ScopedSession, transaction
from app.segments.building.preview import preview_rule
from app.segments.building.recipes import BY_KEY, RECIPES, Recipe
from app.segments.compiling.compiler import select_members, select_truths
from app.segments.compiling.scope import scope_of
from app.segments.compiling.time_limit import BIG_SCANS
from app.segments.definitions import complete_rule
from app.segments.keeping.upkeep import keep_segments_current
from app.segments.language.schemas import parse_rule
from app.segments.language.windows import Duration
from app.segments.problems import TooSlowError
from bench.harness import RUNS, Arguments, arguments, compare, house, own_server, report

BY_HAND_TARGET = 1.3
DUCKDB_TARGET = 2.0
PREVIEW_LIMIT_S = 1.0
HUNDRED_TARGET = 0.1

WORDS = {"genres": "dans", "series": "Abo A", "postcodes": "9000, 9040", "programmes": "uitpas"}
GENRES_ASKED = ("dans", "theater", "circus", "jazz", "familie")

# What an expert would write for one question alone, on the tables as they are; h, l and g are the packed rows.
LIVING = "c.organisation_id = :organisation_id AND c.state = 'living'"
DATES = "JOIN contact_history h ON h.organisation_id = :organisation_id AND h.contact_id = c.id"
KINDS = "JOIN contact_history_genres g ON g.organisation_id = :organisation_id AND g.contact_id = c.id"
LEADS = "JOIN contact_history_leads l ON l.organisation_id = :organisation_id AND l.contact_id = c.id"
LAST = "h.activity_dates[cardinality(h.activity_dates)]"
# DuckDB and the scan read participations.
P = "FROM participation p WHERE p.organisation_id = :organisation_id AND p.is_valid"
FOUND = "JOIN contact c ON c.organisation_id = :organisation_id AND c.id = found.contact_id AND c.state = 'living'"


@dataclass(frozen=True, slots=True)
class Question:
    """A recipe with its settings; the best by hand; the same as one scan of participations, for both engines."""

    recipe: str
    settings: dict[str, str]
    by_hand: str
    by_scan: str
    in_duckdb: str = ""


def packed(condition: str, *joined: str) -> str:
    """The living contacts whose packed rows satisfy a condition."""
    return f"SELECT c.id AS contact_id FROM contact c {' '.join(joined or (DATES,))} WHERE {LIVING} AND {condition}"


def dates_in(since: str, before: str) -> str:
    """How many visits lie from one day to before another."""
    return f"(width_bucket(:{before}_eve, h.activity_dates) - width_bucket(:{since}_eve, h.activity_dates))"


def dance_in_two_years(genre: str) -> str:
    """How many visits of a genre lie in the last 24 months."""
    place = f"array_position(g.genres, '{genre}')::bigint * 4294967296"
    before, since = (f"width_bucket({place} + (:{edge}_eve - DATE '2000-01-01'), g.genre_dates)" for edge in EDGES)
    return f"({before} - {since})"


EDGES = ("tomorrow", "m24")


def holders(genre: str) -> str:
    """Who ever came for a genre."""
    return f"g.genres @> ARRAY['{genre}']"


def grouped(having: str, more: str = "", joined: str = "") -> str:
    """One grouped scan, then the living contacts among its groups."""
    scan = P.replace("WHERE", f"{joined} WHERE") if joined else P
    groups = f"SELECT p.contact_id {scan} {more} GROUP BY p.contact_id HAVING {having}"
    return f"SELECT found.contact_id FROM ({groups}) found {FOUND}"


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
NEARBY_PACKED = (
    "SELECT c.id AS contact_id FROM contact c"
    " LEFT JOIN contact_history h ON h.organisation_id = :organisation_id AND h.contact_id = c.id"
    f" WHERE {LIVING} AND lower(btrim(c.postcode)) IN ('9000', '9040')"
    f" AND ({LAST} < :m24 OR cardinality(h.activity_dates) = 0 OR h.contact_id IS NULL)"
)
BIRTHDAY = (
    "SELECT c.id AS contact_id FROM contact c WHERE c.organisation_id = :organisation_id AND c.state = 'living'"
    " AND c.birth_month_day BETWEEN :today_md AND :week_md"
)
RECENT = " AND p.activity_on >= :m24 AND p.activity_on < :tomorrow"
SOON = "p.activity_on - p.booked_on BETWEEN 0 AND 2"
SHARE_OF_DANCE = "count(*) FILTER (WHERE a.fits) >= 2 AND count(*) FILTER (WHERE a.fits) >= 0.4 * count(*)"
IN_WINDOW = dates_in("m24", "tomorrow")
EVER_SOON = "(width_bucket(3 * 4294967296 - 2147483649, l.lead_dates) - width_bucket(-2147483649, l.lead_dates))"
SOON_SINCE = "({})".format(
    " + ".join(
        f"width_bucket({lead} * 4294967296 + (:tomorrow_eve - DATE '2000-01-01'), l.lead_dates)"
        f" - width_bucket({lead} * 4294967296 + (:m24_eve - DATE '2000-01-01'), l.lead_dates)"
        for lead in range(3)
    )
)
GENRES_SINCE = "(cardinality(g.genre_lasts) - width_bucket(:m24_eve - DATE '2000-01-01', g.genre_lasts))"
GENRES_ENDED = (
    "(width_bucket(:tomorrow_eve - DATE '2000-01-01', g.genre_lasts)"
    " - width_bucket(:m24_eve - DATE '2000-01-01', g.genre_lasts))"
)
DISCOVERED = "count_genres(g.genre_dates, :m24_eve - DATE '2000-01-01', :tomorrow_eve - DATE '2000-01-01')"
GENRES_DUCK = "JOIN (SELECT id, unnest(genres) AS genre FROM activity) a ON a.id = p.activity_id"
GENRES = GENRES_DUCK.replace("FROM activity)", "FROM activity WHERE organisation_id = :organisation_id)")

QUESTIONS = (
    Question(
        "lapser",
        # What else leaves people out is about others and mailboxes: the previews measure it with all switches on.
        dict.fromkeys(("not_closed", "not_another", "not_household", "not_bouncing"), "0"),
        packed(f"{dates_in('m48', 'm18')} >= 3 AND {LAST} < :m18"),
        grouped(
            "count(*) FILTER (WHERE p.activity_on < :m18) >= 3 AND max(p.activity_on) < :m18",
            "AND p.activity_on >= :m48",
        ),
    ),
    Question(
        "first_timer",
        {},
        packed(f"h.activity_dates[1] = {LAST} AND h.activity_dates[1] >= :d60 AND h.activity_dates[1] < :tomorrow"),
        grouped(
            "min(p.activity_on) = max(p.activity_on) AND min(p.activity_on) >= :d60 AND min(p.activity_on) < :tomorrow"
        ),
    ),
    Question(
        "loyal",
        {},
        packed(f"{dates_in('m12', 'tomorrow')} >= 3"),
        grouped("count(*) >= 3", "AND p.activity_on >= :m12 AND p.activity_on < :tomorrow"),
    ),
    Question(
        "core",
        {},
        packed(f"{dates_in('m12', 'tomorrow')} >= 3 AND {dates_in('m24', 'm12')} >= 3"),
        grouped(
            "count(*) FILTER (WHERE p.activity_on >= :m12) >= 3 AND count(*) FILTER (WHERE p.activity_on < :m12) >= 3",
            RECENT,
        ),
    ),
    Question(
        "genre_affinity",
        {"genres": "dans"},
        packed(
            f"{holders('dans')} AND {dance_in_two_years('dans')} >= 2"
            f" AND {dance_in_two_years('dans')} >= 0.4 * {IN_WINDOW}",
            DATES,
            KINDS,
        ),
        grouped(SHARE_OF_DANCE, RECENT, DANCE),
        grouped(SHARE_OF_DANCE, RECENT, DANCE_DUCK),
    ),
    Question(
        "recommendation",
        {"genre_a": "theater", "genre_b": "dans", "genre_c": "circus"},
        packed(
            f"{holders('theater')} AND {holders('dans')} AND NOT {holders('circus')}"
            f" AND {dance_in_two_years('dans')} >= 1 AND {dance_in_two_years('theater')} >= 1",
            KINDS,
        ),
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
        packed(f"{GENRES_SINCE} >= 4 AND ({GENRES_ENDED} >= 4 OR {DISCOVERED} >= 4)", KINDS),
        grouped("count(DISTINCT a.genre) >= 4", RECENT, GENRES),
        grouped("count(DISTINCT a.genre) >= 4", RECENT, GENRES_DUCK),
    ),
    Question(
        "last_minute",
        {},
        packed(
            f"{IN_WINDOW} >= 2 AND {EVER_SOON} >= 2 AND {SOON_SINCE} >= 2 AND 2 * {SOON_SINCE} >= {IN_WINDOW}",
            DATES,
            LEADS,
        ),
        grouped(
            f"count(*) FILTER (WHERE {SOON}) >= 2 AND 2 * count(*) FILTER (WHERE {SOON}) >= count(*)",
            RECENT,
        ),
    ),
    Question(
        "group_booker",
        {},
        grouped("true", "AND p.activity_on >= :m24 AND p.quantity >= 6"),
        grouped("true", "AND p.activity_on >= :m24 AND p.quantity >= 6"),
    ),
    Question(
        "one_timer",
        {},
        packed(f"h.activity_dates[1] = {LAST} AND {LAST} < :m12"),
        grouped("min(p.activity_on) = max(p.activity_on) AND max(p.activity_on) < :m12"),
    ),
    Question("birthday", {}, BIRTHDAY, BIRTHDAY),
    Question("nearby", {"postcodes": "9000, 9040"}, NEARBY_PACKED, NEARBY),
)


def main(asked: Arguments) -> None:
    """Print a line for every recipe and side."""
    with own_server(asked.keep) as held:
        organisation_id = house(held, asked.scale)
        # As in a house at work: members, and what the gate says for counts, are kept.
        keep_segments_current(held, organisation_id)
        with transaction(held.engine, organisation_id) as session, tempfile.TemporaryDirectory() as folder:
            # What the heartbeat and previews set, for both sides.
            for name, value in BIG_SCANS.items():
                session.execute(text(f"SET LOCAL {name} = '{value}'"))
            with in_memory(session, Path(folder)) as columns:
                for question in QUESTIONS:
                    if asked.wants(question.recipe):
                        measure(session, columns, question, asked)
            for recipe in RECIPES:
                if asked.wants(f"{recipe.key}.preview"):
                    measure_preview(session, recipe, asked)
            if asked.wants("hundred"):
                measure_hundred(session, asked)
            if asked.wants("candidates"):
                measure_candidates(session, asked)


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

    asked_duck, given = for_duckdb(question.in_duckdb or question.by_scan, values)

    def in_duckdb() -> list[int]:
        return [row[0] for row in columns.execute(asked_duck, given).fetchall()]

    found = [sorted(side()) for side in (ours, by_hand, in_duckdb)]
    if not (found[0] == found[1] == found[2]):
        print(f"{question.recipe}: {[len(each) for each in found]} people: the sides disagree", file=sys.stderr)
        raise SystemExit(1)
    name = f"segments.{question.recipe}"
    compare(f"{name}.by_hand", asked.scale, ours=ours, limit=by_hand, target=BY_HAND_TARGET)
    compare(f"{name}.duckdb", asked.scale, ours=ours, limit=in_duckdb, target=DUCKDB_TARGET)


def measure_preview(session: ScopedSession, recipe: Recipe, asked: Arguments) -> None:
    """Time a recipe as the builder shows it, funnel and all: its limit is in seconds, for somebody waits for it."""
    rule, problems = recipe.rule({one.key: WORDS[one.kind] for one in recipe.settings if one.kind in WORDS})
    if problems:
        raise ValueError(f"{recipe.key}: {problems}")

    def shown() -> None:
        # One that is given up counts as long as it was waited for.
        with suppress(TooSlowError):
            preview_rule(session, rule)

    shown()
    taken = [timed(shown) for _ in range(RUNS)]
    report(
        f"segments.{recipe.key}.preview",
        asked.scale,
        ours_s=median(taken),
        limit_s=PREVIEW_LIMIT_S,
        runs=RUNS,
        target=1.0,
    )


def hundred() -> list[dict[str, Any]]:
    """A hundred rules as a large house has them: recipes over other windows, with other bounds."""
    rules: list[dict[str, Any]] = []
    for n in range(25):
        months, visits = 6 + 2 * (n % 9), 1 + n % 4
        came = {"type": "participation", "at_least": visits, "between": [f"-P{months}M", "P1D"]}
        gone = {"type": "participation", "at_most": 0, "between": [f"-P{months}M", None]}
        before = {"type": "participation", "at_least": visits, "between": ["-P60M", f"-P{months}M"]}
        first = {"type": "first_participation", "between": [f"-P{months}M", "P1D"]}
        genre = {"genres": [GENRES_ASKED[n % len(GENRES_ASKED)]]}
        liked = {"type": "share", "of": genre, "at_least": 0.4, "min_count": 2, "between": [f"-P{months}M", "P1D"]}
        rules += [came, {"type": "all", "rules": [before, gone]}, {"type": "all", "rules": [first, came]}, liked]
    return rules


def counted(statement: sa.Select[Any]) -> sa.Select[Any]:
    """How many contacts each column of truths holds for, or how many rows there are."""
    found = statement.subquery("found")
    truths = [column for column in found.c if column.name.startswith("holds_")]
    return (
        sa.select(*(sa.func.count().filter(each) for each in truths))
        if truths
        else sa.select(sa.func.count(found.c.contact_id))
    )


def measure_hundred(session: ScopedSession, asked: Arguments) -> None:
    """A hundred segments in one pass against one after another, and against as many scans by hand."""
    scope = scope_of(session)
    rules = [complete_rule(session, parse_rule(rule)) for rule in hundred()]
    values = edges(scope.as_of) | {"organisation_id": session.organisation_id}
    scans = [question.by_scan for question in QUESTIONS if "p.activity_on" in question.by_scan]

    def at_once() -> list[int]:
        return list(session.execute(counted(select_truths(rules, scope))).one())

    def one_by_one() -> list[int]:
        return [session.execute(counted(select_members(rule, scope))).scalar_one() for rule in rules]

    def scanned() -> None:
        for scan in scans:
            session.execute(text(f"SELECT count(*) FROM ({scan}) AS found"), values)

    if at_once() != one_by_one():
        print("a hundred at once and one by one: the sides disagree", file=sys.stderr)
        raise SystemExit(1)
    ours_s = median(timed(at_once) for _ in range(3))
    report("segments.hundred.one_by_one", asked.scale, ours_s=ours_s, limit_s=timed(one_by_one), runs=1)
    # As many scans as there are recipes over participations, counted up to a hundred.
    limit_s = timed(scanned) * len(rules) / len(scans)
    report("segments.hundred.by_scans", asked.scale, ours_s=ours_s, limit_s=limit_s, runs=1, target=HUNDRED_TARGET)


def measure_candidates(session: ScopedSession, asked: Arguments) -> None:
    """All hundred for candidates only, per thousand of them: to be compared between scales (within 1.5)."""
    scope = scope_of(session)
    rules = [complete_rule(session, parse_rule(rule)) for rule in hundred()]
    ids = list(session.scalars(text("SELECT id FROM contact WHERE state = 'living' ORDER BY md5(id::text) LIMIT 3000")))
    taken = [timed(lambda: session.execute(counted(select_truths(rules, scope, only=ids))).one()) for _ in range(RUNS)]
    whole_s = timed(lambda: session.execute(counted(select_truths(rules, scope))).one())
    report(
        "segments.candidates.thousand",
        asked.scale,
        ours_s=median(taken[1:]) / 3,
        limit_s=whole_s * 1000 / asked.scale.contacts,
        runs=RUNS - 1,
    )


def timed(work: Callable[[], object]) -> float:
    """How long some work takes, in seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def edges(today: date) -> dict[str, Any]:
    """The dates that the questions ask about, as of ``today``."""
    after: Callable[[str], date] = lambda duration: Duration.parse(duration).after(today)  # noqa: E731 (a name for a call)
    days = {
        "tomorrow": after("P1D"),
        "d60": after("-P60D"),
        "m12": after("-P12M"),
        "m18": after("-P18M"),
        "m24": after("-P24M"),
        "m48": after("-P48M"),
    }
    return days | {
        **{f"{name}_eve": day - timedelta(days=1) for name, day in days.items()},
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
