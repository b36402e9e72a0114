"""Everything held about a person (GDPR articles 15 and 20), found by walking the registry of tables.

Whatever table carries a contact's id or the hash of one of their addresses is in it, so that a room that is built later
cannot be forgotten. With it come the texts they were shown and the logic of the segments that held them.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, Table, select

from app import clock
from app.contacts.directory import find_contact
from app.contacts.erasure.rules import EXPORTS, person_condition
from app.contacts.errors import UnknownContact
from app.contacts.models import ContactIdentity
from app.db import ScopedSession, tenant_tables

# What a row refers to by id, and which of its columns tell the person what it was.
EXPLAINED_BY = {
    "notice_version": ("notice_version_id", ("purpose", "language", "wording", "source")),
    "segment": ("segment_id", ("name", "description", "rule")),
    "activity": ("activity_id", ("title", "kind", "genres", "venue", "starts_at")),
    "audience": ("audience_id", ("name",)),
}


def export_contact(session: ScopedSession, contact_id: int) -> dict[str, Any]:
    """Return everything held about a contact as JSON data; raises UnknownContact, also for one who was erased."""
    contact = find_contact(session, contact_id)
    if contact is None or contact.state == "erased":
        raise UnknownContact(contact_id)
    identity = ContactIdentity
    keys = [
        bytes(key)
        for key in session.scalars(select(identity.subject_key).where(identity.contact_id == contact_id))
        if key is not None
    ]
    held = {table.name: _rows(session, table, contact_id, keys) for table in tenant_tables()}
    found = {name: rows for name, rows in held.items() if rows}
    return {
        "contact_id": contact_id,
        "exported_at": clock.now().isoformat(),
        "held": {name: [_json_row(table_row) for table_row in rows] for name, rows in found.items()},
        "explained": _explanations(session, found),
    }


def _rows(session: ScopedSession, table: Table, contact_id: int, keys: list[bytes]) -> list[Row[Any]]:
    condition = person_condition(table, [contact_id], keys)
    if condition is None:
        return []
    shown = [
        column
        for column in table.columns
        if EXPORTS[column.info["pii"]] == "is_given" and column.name != "organisation_id"
    ]
    return list(session.execute(select(*shown).where(condition)))


def _explanations(session: ScopedSession, held: dict[str, list[Row[Any]]]) -> dict[str, dict[str, Any]]:
    explained: dict[str, dict[str, Any]] = {}
    tables = {table.name: table for table in tenant_tables()}
    for name, (reference, shown) in EXPLAINED_BY.items():
        ids = {
            row._mapping[reference]
            for rows in held.values()
            for row in rows
            if reference in row._mapping and row._mapping[reference] is not None
        }
        table = tables[name]
        query = select(table.c.id, *(table.c[column] for column in shown)).where(table.c.id.in_(ids))
        if rows := list(session.execute(query)) if ids else []:
            explained[name] = {str(row.id): _json_row(row) for row in rows}
    return explained


def _json_row(row: Row[Any]) -> dict[str, Any]:
    return {name: _json(value) for name, value in row._mapping.items()}


def _json(value: Any) -> Any:
    match value:
        case bytes() | memoryview():
            return bytes(value).hex()
        case datetime() | date():
            return value.isoformat()
        case Decimal():
            return str(value)
        case list():
            return [_json(each) for each in value]
        case _:
            return value
