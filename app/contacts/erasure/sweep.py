"""Going through everything that may name somebody, row by row, and blackening what does.

Text and JSON are narrowed down by the database and judged here; bytes (messages as they arrived) are read in batches,
because no database can look into base64. In a row where something had to go, ``{"info": {"when_emptied": …}}`` of its
table says what else changes: a message that waited is no longer processed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    LargeBinary,
    Row,
    Table,
    Text,
    and_,
    case,
    cast,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from app.contacts.erasure.rules import can_be_emptied, emptied, searched_columns
from app.contacts.erasure.traces import Traces
from app.db import ScopedSession, tenant_tables

ROWS_A_READ = 200
# Files that wait to be imported have a state of their own to change (``waiting_files``).
ELSEWHERE = {"import_job.content"}


def blacken_everywhere(session: ScopedSession, traces: Traces) -> int:
    """Blacken every trace of a person in what is about somebody else or about nobody; returns the rows changed."""
    changed = 0
    for table in tenant_tables():
        columns = [each for each in searched_columns(table) if f"{table.name}.{each.name}" not in ELSEWHERE]
        if columns:
            changed += _blacken(session, table, columns, traces)
    return changed


def _blacken(session: ScopedSession, table: Table, columns: Sequence[Column[Any]], traces: Traces) -> int:
    changed = 0
    for row in list(_suspects(session, table, columns, traces)):
        by_name = not _is_waiting(table, row)
        values = {
            column.name: _without(column, row._mapping[column.name], traces)
            for column in columns
            if _names(row._mapping[column.name], traces, by_name=by_name)
        }
        if not values:
            continue
        changed += 1
        this = and_(*(key == row._mapping[key.name] for key in table.primary_key.columns))
        stuck = [name for name in values if values[name] is None and not table.columns[name].nullable]
        if stuck or any(table.columns[name].primary_key for name in values):
            session.execute(delete(table).where(this))
        else:
            session.execute(update(table).where(this).values(**values, **_what_follows(table)))
    return changed


def _suspects(
    session: ScopedSession, table: Table, columns: Sequence[Column[Any]], traces: Traces
) -> Iterator[Row[Any]]:
    """Yield the rows worth a look: what the database can tell apart is left to it."""
    patterns = literal(traces.likenesses(), ARRAY(Text))
    conditions: list[ColumnElement[bool]] = []
    for column in columns:
        if isinstance(column.type, LargeBinary):
            conditions.append(func.octet_length(column) > 0)
        else:
            words = cast(column, Text)
            # A run of base64 may hold anything.
            conditions += [func.lower(words).like(func.any(patterns)), words.regexp_match("[A-Za-z0-9+/_-]{40}")]
    keys = list(table.primary_key.columns)
    follows = [table.columns[name] for name in table.info.get("when_emptied", {})]
    wanted = list(dict.fromkeys([*keys, *columns, *follows]))
    rows = session.execute(
        select(*wanted).where(or_(*conditions)), execution_options={"yield_per": ROWS_A_READ, "stream_results": True}
    )
    for row in rows:
        if any(_names(row._mapping[column.name], traces, by_name=True) for column in columns):
            yield row


def _names(value: Any, traces: Traces, *, by_name: bool) -> bool:
    match value:
        case None:
            return False
        case bytes() | memoryview():
            return traces.are_in(bytes(value), by_name=by_name)
        case str():
            return traces.are_in(value, by_name=by_name)
        case _:
            return traces.are_in(str(_texts(value)), by_name=by_name)


def _texts(value: Any) -> str:
    """Return every word of JSON data, each on a line of its own."""
    match value:
        case Mapping():
            return "\n".join(f"{name}\n{_texts(each)}" for name, each in value.items())
        case list() | tuple():
            return "\n".join(map(_texts, value))
        case _:
            return str(value)


def _without(column: Column[Any], value: Any, traces: Traces) -> Any:
    if isinstance(value, Mapping | list):
        blackened = traces.blackened(value)
        # First and last name may stand apart, so that no single text gives anybody away.
        return traces.without_names(blackened) if traces.are_in(_texts(blackened)) else blackened
    return emptied(column) if can_be_emptied(column) else None


def _is_waiting(table: Table, row: Row[Any]) -> bool:
    """Whether work is still to be done with a row: then a namesake's is not taken away."""
    follows: Mapping[str, Mapping[str, str]] = table.info.get("when_emptied", {})
    return any(row._mapping[name] in steps for name, steps in follows.items())


def _what_follows(table: Table) -> dict[str, Any]:
    follows: Mapping[str, Mapping[str, str]] = table.info.get("when_emptied", {})
    return {
        name: case(
            *((table.columns[name] == before, after) for before, after in steps.items()), else_=table.columns[name]
        )
        for name, steps in follows.items()
    }
