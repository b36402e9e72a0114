"""Spreading the tables over machines: the plan holds every table once, and every key allows it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint, inspect

from app import distribution
from app.cli import cli
from app.db import Base, tenant_tables
from app.postgres import Database, DatabaseError, connected


def test_every_table_is_in_the_plan_once_and_parents_come_first() -> None:
    tables = [table for table, _statement in distribution.plan()]
    assert sorted(tables) == sorted(Base.metadata.tables)
    places = {table: place for place, table in enumerate(tables)}
    for table in tenant_tables():
        for key in table.foreign_key_constraints:
            parent = key.referred_table.name
            assert parent == table.name or places[parent] < places[table.name], f"{table.name} before {parent}"


def test_every_key_of_a_house_holds_what_its_rows_are_spread_by() -> None:
    for table in tenant_tables():
        spread_by = "id" if table.name == "organisation" else "organisation_id"
        keys = [each for each in table.constraints if isinstance(each, PrimaryKeyConstraint | UniqueConstraint)]
        unique = [index for index in table.indexes if index.unique]
        for key in [*keys, *unique]:
            assert spread_by in key.columns.keys(), f"{table.name}: {key.name}"  # noqa: SIM118 - a column collection


def test_a_server_without_citus_is_left_as_it_is_and_says_what_to_do(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", database.owner_url)
    monkeypatch.setenv("ZAALLICHT_STATE_DIR", str(tmp_path))
    with connected(database.owner_url) as connection:
        before = inspect(connection).get_table_names()
    answer = CliRunner().invoke(cli, ["db", "distribute"])
    assert isinstance(answer.exception, DatabaseError)
    assert "no Citus" in str(answer.exception)
    with connected(database.owner_url) as connection:
        assert inspect(connection).get_table_names() == before
