"""What differs between the stored members and those the rules hold for: one statement for many rules, one moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import array

from app.db import ScopedSession
from app.segments.compiling.compiler import select_members, select_truths
from app.segments.compiling.scope import Scope
from app.segments.keeping.entries import Turn
from app.segments.language import rules
from app.segments.models import SegmentMembership

# A statement of PostgreSQL has at most 1,664 columns, and planning one of a thousand takes long.
RULES_A_STATEMENT = 200
# For so few contacts, planning takes longer than executing, and one plan is as good as another: lookups by index.
FEW = 100


def find_turns(
    session: ScopedSession, wanted: dict[int, rules.Rule], scope: Scope, *, only: Sequence[int] | None = None
) -> list[Turn]:
    """Who must enter or leave which of the segments (rules without references, by segment id) to be right on a day.

    ``only`` compares these contacts alone. Raises whatever the database does.
    """
    # In one order, so that a statement written before is known again.
    ids = sorted(wanted)
    parts = (ids[start : start + RULES_A_STATEMENT] for start in range(0, len(ids), RULES_A_STATEMENT))
    return [turn for part in parts for turn in _turns(session, {one: wanted[one] for one in part}, scope, only=only)]


def _turns(
    session: ScopedSession, wanted: dict[int, rules.Rule], scope: Scope, *, only: Sequence[int] | None
) -> Iterator[Turn]:
    if only is not None and not only:
        return
    statement, parameters, places = _written(tuple(wanted.items()), scope, only is not None)
    given = parameters | {place: list(only or ()) for place in places}
    is_kept = only is not None and len(only) <= FEW
    with _kept_plan(session, is_kept=is_kept):
        found = _asked(session, statement, given, is_kept=is_kept)
    for contact_id, segment_id, enters in found:
        yield Turn(contact_id, segment_id, enters)


def _asked(session: ScopedSession, statement: str, given: dict[str, Any], *, is_kept: bool) -> Sequence[Any]:
    """The rows of a statement; one whose plan is kept is prepared the first time, and not after it came a few times."""
    connection = session.connection()
    raw = connection.connection.driver_connection
    if not is_kept or raw is None:
        return connection.exec_driver_sql(statement, given).all()
    rows: Sequence[Any] = raw.execute(statement, given, prepare=True).fetchall()
    return rows


@contextmanager
def _kept_plan(session: ScopedSession, *, is_kept: bool) -> Iterator[None]:
    """Within the block, a statement that the connection has prepared is planned once for all contacts."""
    if is_kept:
        session.execute(sa.text("SET LOCAL plan_cache_mode = force_generic_plan"))
    yield
    if is_kept:
        session.execute(sa.text("SET LOCAL plan_cache_mode TO DEFAULT"))


def write_ahead(wanted: dict[int, rules.Rule], scope: Scope) -> None:
    """Write the statements that ``find_turns`` will need for some of the people on a day to come: it takes longer than
    executing them, and there is nothing else to do now."""
    ids = sorted(wanted)
    for start in range(0, len(ids), RULES_A_STATEMENT):
        part = ids[start : start + RULES_A_STATEMENT]
        _written(tuple((one, wanted[one]) for one in part), scope, True)


_DIALECT = postgresql.psycopg.dialect()  # type: ignore[no-untyped-call]
# Stands for the contacts that are asked about, in a statement that is written once.
_THESE = [-7301]


@lru_cache(maxsize=128)
def _written(
    wanted: tuple[tuple[int, rules.Rule], ...], scope: Scope, is_only: bool, /
) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    """The statement for these rules on a day, its parameters, and the names of those that are the contacts.

    A house has the same rules all day and asks about other contacts every second: writing the statement would take
    longer than executing it does.
    """
    query = _different(dict(wanted), scope, only=_THESE if is_only else None)
    compiled = query.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    parameters = dict(compiled.construct_params())
    places = tuple(name for name, value in parameters.items() if value == _THESE)
    return str(compiled), parameters, places


def _different(wanted: dict[int, rules.Rule], scope: Scope, *, only: Sequence[int] | None) -> sa.Select[Any, Any, bool]:
    now = _held_for(wanted, scope, only=only).subquery("now")
    stored = _stored(list(wanted), only=only).subquery("stored")
    is_same = sa.and_(stored.c.contact_id == now.c.contact_id, stored.c.segment_id == now.c.segment_id)
    return (
        sa.select(
            sa.func.coalesce(now.c.contact_id, stored.c.contact_id),
            sa.func.coalesce(now.c.segment_id, stored.c.segment_id),
            stored.c.contact_id.is_(None),
        )
        .select_from(now.join(stored, is_same, full=True))
        .where(sa.or_(now.c.contact_id.is_(None), stored.c.contact_id.is_(None)))
    )


def _held_for(wanted: dict[int, rules.Rule], scope: Scope, *, only: Sequence[int] | None) -> sa.Select[Any]:
    """A row for each contact and segment whose rule holds for them."""
    if len(wanted) == 1:
        [(segment_id, rule)] = wanted.items()
        members = select_members(rule, scope, only=only).subquery("members")
        return sa.select(members.c.contact_id, sa.literal(segment_id, sa.BigInteger).label("segment_id"))
    truths = select_truths(wanted.values(), scope, only=only).subquery("truths")
    held = [
        sa.case((truths.c[f"holds_{number}"], sa.literal(segment_id, sa.BigInteger)))
        for number, segment_id in enumerate(wanted)
    ]
    each = sa.func.unnest(sa.func.array_remove(array(held), sa.null()), type_=sa.BigInteger)
    return sa.select(truths.c.contact_id, each.label("segment_id"))


def _stored(segment_ids: Sequence[int], *, only: Sequence[int] | None) -> sa.Select[int, int]:
    m = SegmentMembership
    query = sa.select(m.contact_id, m.segment_id).where(
        m.left_at.is_(None), m.segment_id == sa.any_(sa.literal(segment_ids, sa.ARRAY(sa.BigInteger)))
    )
    if only is not None:
        query = query.where(m.contact_id == sa.any_(sa.literal(list(only), sa.ARRAY(sa.BigInteger))))
    return query
