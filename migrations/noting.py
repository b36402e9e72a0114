"""Triggers that note which contacts a statement changed, for migrations.

A trigger fires once per statement and writes at most one row, whatever the number of rows that changed. It writes down
what the statement itself knows (the contacts, the keys of the addresses, the activities): who is meant by a key or an
activity may still be on its way in another transaction, and is looked up when the row is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from alembic import op

EVENTS = ("insert", "update", "delete")
ROWS = {
    "insert": "NEW TABLE AS new_rows",
    "update": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "delete": "OLD TABLE AS old_rows",
}


@dataclass(frozen=True, slots=True)
class Noted:
    """Which changes of a table are noted: ``column`` names whom or what they are about (``about``).

    ``only_where`` narrows updates to those that matter, in terms of ``o`` and ``n``, the row before and after.
    ``old_keys`` are columns that tie a row to others: what an update or delete took away from them is noted too.
    """

    table: str
    about: str
    column: str
    events: tuple[str, ...] = EVENTS
    only_where: str = "true"
    organisation: str = "organisation_id"
    old_keys: tuple[str, ...] = ()


def note_changes(noted: Noted) -> None:
    """Make every change of a table count for the segments of the contacts it is about."""
    op.execute(_function(noted))
    for event in noted.events:
        op.execute(
            f"CREATE TRIGGER note_{event} AFTER {event.upper()} ON {noted.table} REFERENCING {ROWS[event]} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION note_change_of_{noted.table}()"
        )


def stop_noting(table: str, events: tuple[str, ...] = EVENTS) -> None:
    """Take the triggers of ``note_changes`` away."""
    for event in events:
        op.execute(f"DROP TRIGGER note_{event} ON {table}")
    op.execute(f"DROP FUNCTION note_change_of_{table}()")


def _function(noted: Noted) -> str:
    branches = {event: _note(noted, event) for event in noted.events}
    cases = "".join(
        f"  {'IF' if number == 0 else 'ELSIF'} TG_OP = '{event.upper()}' THEN\n    {statement};\n"
        for number, (event, statement) in enumerate(branches.items())
    )
    return (
        f"CREATE FUNCTION note_change_of_{noted.table}() RETURNS trigger LANGUAGE plpgsql AS $$\n"
        f"BEGIN\n{cases}  END IF;\n  RETURN NULL;\nEND\n$$"
    )


def _changed(noted: Noted, event: str) -> str:
    """The organisation and whom it is about, of every row that the statement changed."""
    columns = "{0}." + noted.organisation + " AS organisation_id, {0}." + noted.column + " AS one"
    if event != "update":
        name = "new_rows" if event == "insert" else "old_rows"
        return f"SELECT {columns.format(name)} FROM {name}"
    if noted.only_where == "true":
        sides = (f"SELECT {columns.format(name)} FROM {name}" for name in ("old_rows", "new_rows"))
        return " UNION ALL ".join(sides)
    return (
        f"SELECT {columns.format('n')} FROM new_rows AS n"
        f" JOIN old_rows AS o ON o.{noted.organisation} = n.{noted.organisation} AND o.{noted.column} = n.{noted.column}"
        f" WHERE {noted.only_where}"
    )


def _lost_keys(noted: Noted, event: str) -> str:
    """The keys by which others were tied to these rows, and no longer are."""
    if event == "delete":
        # NULL of the column's own type: by itself it would be a text.
        pairs = ", ".join(f"(o.{key}, NULLIF(o.{key}, o.{key}))" for key in noted.old_keys)
        rows = "old_rows AS o"
    else:
        pairs = ", ".join(f"(o.{key}, n.{key})" for key in noted.old_keys)
        rows = (
            f"old_rows AS o JOIN new_rows AS n ON o.{noted.organisation} = n.{noted.organisation}"
            f" AND o.{noted.column} = n.{noted.column}"
        )
    return (
        f"(SELECT array_agg(DISTINCT key.was) FROM {rows} CROSS JOIN LATERAL (VALUES {pairs}) AS key(was, is_now)"
        f" WHERE o.{noted.organisation} = changed.organisation_id AND key.was IS NOT NULL"
        " AND key.was IS DISTINCT FROM key.is_now)"
    )


def _note(noted: Noted, event: str) -> str:
    into, values = "", ""
    if noted.about != "everybody":
        into = ", subject_keys" if noted.about == "address" else ", ids"
        values = ", array_agg(DISTINCT one)"
    if noted.old_keys and event != "insert":
        into, values = f"{into}, lost_keys", f"{values}, {_lost_keys(noted, event)}"
    size = "1" if noted.about in ("everybody", "segment") else "count(DISTINCT one)"
    return (
        f"INSERT INTO contact_change (organisation_id, about, kind, size{into}) "
        f"SELECT organisation_id, '{noted.about}', '{noted.table}', {size}{values} "
        f"FROM ({_changed(noted, event)}) AS changed GROUP BY organisation_id"
    )
