"""Promises about what erasing and exporting do with every column there is."""

from __future__ import annotations

from typing import get_args

from app import models as _models  # noqa: F401  every table is known
from app.consent.models import ConsentEvent, Suppression
from app.contacts.erasure.rules import (
    ERASES,
    EXPORTS,
    can_be_emptied,
    person_condition,
    personal_columns,
    rule_of,
    searched_columns,
)
from app.db import Base, Pii, tenant_tables

RULES = {"keep", "empty", "text", "delete"}


def test_every_class_of_column_has_a_rule_for_erasing_and_one_for_exporting() -> None:
    """I26: a class that is added without both fails here."""
    assert set(ERASES) == set(EXPORTS) == set(get_args(Pii))


def test_every_table_has_a_rule_that_can_be_carried_out() -> None:
    for table in tenant_tables():
        rule = rule_of(table)
        assert rule in RULES, table.name
        if rule in ("text", "empty"):
            stuck = [column.name for column in personal_columns(table, rule) if not can_be_emptied(column)]
            assert stuck == [], f"{table.name} cannot empty {stuck}: declare on_erasure"


def test_nothing_about_a_contact_is_out_of_reach() -> None:
    """What may name a contact is in a row that says whose it is, or in a column that is searched."""
    lost = [
        f"{table.name}.{column.name}"
        for table in tenant_tables()
        for column in table.columns
        if column.info["pii"] in ("contact", "content")
        and person_condition(table, [], []) is None
        and column not in searched_columns(table)
    ]
    assert lost == []


def test_what_follows_an_emptied_row_names_columns_that_are_there() -> None:
    for table in tenant_tables():
        for name in table.info.get("when_emptied", {}):
            assert name in table.columns, f"{table.name}.{name}"


def test_nothing_that_is_deleted_takes_a_fact_or_a_block_along() -> None:
    """I7: contacts, segments, mailings, connections and users may go; what people said, and who is blocked, stays."""
    for model in (ConsentEvent, Suppression):
        table = Base.metadata.tables[model.__tablename__]
        assert {key.referred_table.name for key in table.foreign_key_constraints} <= {"notice_version"}
        assert all(key.ondelete is None for key in table.foreign_key_constraints), table.name
