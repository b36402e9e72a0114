"""What an erasure and an access export do with every column, derived from the registry of columns (``app.db.column``).

A table that is built later needs nothing: what it says about a person is found by its keys and its classes. Where the
derived rule is wrong for a table, its model says so: ``{"info": {"on_erasure": "keep"}}``, last of ``__table_args__``.

====== ================================================================================================
keep   what is in it stays: facts about somebody who has no name any more
empty  its columns about a contact are emptied, whatever their type
text   its text, JSON and bytes about a contact are emptied (the default); dates and numbers stay as facts
delete its rows go (the default where a text about the contact cannot be empty)
====== ================================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy import Column, ColumnElement, Enum, LargeBinary, Table, Text, or_
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.db import Pii

TableRule = Literal["keep", "empty", "text", "delete"]
ErasesClass = Literal["stays", "goes", "is_searched", "stays_with_staff", "cannot_be_read"]
ExportsClass = Literal["is_given", "is_withheld"]

# What becomes of a column of each class. ``is_searched``: emptied where the row is about the person, and looked
# through for traces of them in every other row.
ERASES: Mapping[Pii, ErasesClass] = {
    "none": "stays",
    "pseudonym": "stays",
    "contact": "goes",
    "content": "is_searched",
    "staff": "stays_with_staff",
    "secret": "cannot_be_read",
}
EXPORTS: Mapping[Pii, ExportsClass] = {
    "none": "is_given",
    "pseudonym": "is_given",
    "contact": "is_given",
    "content": "is_given",
    "staff": "is_withheld",
    "secret": "is_withheld",
}

CONTACT_KEYS = ("contact_id", "into_id", "buyer_id")
HASH_KEYS = ("subject_key", "address_hash")
TEXTUAL = (Text, JSONB, LargeBinary, ARRAY)


def rule_of(table: Table) -> TableRule:
    """Return what an erasure does with the rows of a table that are about the person."""
    declared: TableRule | None = table.info.get("on_erasure")
    if declared is not None:
        return declared
    stuck = [column for column in personal_columns(table, "text") if emptied(column) is _STUCK]
    return "delete" if stuck else "text"


def person_condition(table: Table, contact_ids: list[int], subject_keys: list[bytes]) -> ColumnElement[bool] | None:
    """Return which rows of a table are about somebody; None where it has no column that says so."""
    columns = table.columns
    if table.name == "identity":
        # A mailbox that others read too stays known as theirs; the hash of the address is suppressed all the same.
        return columns.contact_id.in_(contact_ids)
    found: list[ColumnElement[bool]] = []
    if table.name == "contact":
        found += [columns.id.in_(contact_ids), columns.merged_into_id.in_(contact_ids)]
    found += [columns[name].in_(contact_ids) for name in CONTACT_KEYS if name in columns]
    found += [columns[name].in_(subject_keys) for name in HASH_KEYS if name in columns]
    return or_(*found) if found else None


def personal_columns(table: Table, rule: TableRule) -> list[Column[Any]]:
    """Return the columns that a rule empties."""
    wanted = [
        column
        for column in table.columns
        if column.info["pii"] in ("contact", "content") and column.computed is None and not column.primary_key
    ]
    return wanted if rule == "empty" else [column for column in wanted if is_textual(column)]


def searched_columns(table: Table) -> list[Column[Any]]:
    """Return the columns in which a row about somebody else, or about nobody, may still name the person."""
    has_keys = person_condition(table, [], []) is not None
    return [
        column
        for column in table.columns
        if is_textual(column)
        and column.computed is None
        and (
            column.info["pii"] == "content"
            or (column.info["pii"] == "contact" and isinstance(column.type, JSONB))
            or (column.info["pii"] == "pseudonym" and not has_keys and isinstance(column.type, Text))
        )
    ]


def is_textual(column: Column[Any]) -> bool:
    """Whether a column can hold words."""
    return isinstance(column.type, TEXTUAL) and not isinstance(column.type, Enum)


def emptied(column: Column[Any]) -> Any:
    """Return the value that stands for nothing in a column; ``_STUCK`` where it must hold something."""
    if column.nullable:
        return None
    match column.type:
        case JSONB():
            return {}
        case ARRAY():
            return []
        case LargeBinary():
            return b""
        case _:
            return _STUCK


def can_be_emptied(column: Column[Any]) -> bool:
    """Whether a column may hold nothing."""
    return emptied(column) is not _STUCK


_STUCK: Any = object()
