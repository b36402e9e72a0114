"""Breaking the gate on purpose: every way to loosen or tighten the view by one token, and whether a test notices.

The view is read from a database that the migrations made, so that nothing is forgotten when it changes. Each mutant is
put into the template of a pytest run of its own, in which this module is the plugin (``--gate-mutant N``).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlglot
from sqlalchemy import text
from sqlglot import exp

from app import postgres
from app.keyring import load_keyring
from tests.kept_database import KeptDatabase

TESTS = ("tests/consent/test_gate.py",)
PATIENCE_S = 300
FLIPS: dict[type[exp.Expression], type[exp.Expression]] = {
    exp.GT: exp.GTE, exp.GTE: exp.GT, exp.LT: exp.LTE, exp.LTE: exp.LT, exp.EQ: exp.NEQ, exp.NEQ: exp.EQ,
    exp.And: exp.Or, exp.Or: exp.And,
}  # fmt: skip


def mutants(definition: str) -> Iterator[tuple[str, str]]:
    """Yield (what was done, the mutated SELECT) for every single change to a view's definition."""
    original = sqlglot.parse_one(definition, read="postgres")
    places = len(list(original.walk()))
    for place in range(places):
        for change in range(3):
            tree = original.copy()
            node = list(tree.walk())[place]
            told = _changed(node, change)
            if told is not None:
                yield told, tree.sql(dialect="postgres")


def _changed(node: exp.Expression, change: int) -> str | None:
    """Change a node in place, in the way of that number; return what was done, or None where there is no such way."""
    before = _told(node)
    match node, change:
        case exp.And() | exp.Or(), 0 | 1:
            side = node.left if change == 0 else node.right
            if isinstance(side, exp.And | exp.Or):
                return None
            side.replace(exp.Boolean(this=isinstance(node, exp.And)))
            return f"without {_told(side)}"
        case exp.Not(), 0:
            node.replace(node.this.copy())
            return f"not inverted: {before}"
        case exp.Literal(is_string=False), 0 | 1:
            number = int(node.this) + (1 if change else -1)
            node.replace(exp.Literal.number(number))
            return f"{number} for {before}"
        case exp.Binary(), 2 if type(node) in FLIPS:
            node.replace(FLIPS[type(node)](this=node.this.copy(), expression=node.expression.copy()))
            return f"{FLIPS[type(node)].__name__} for {type(node).__name__}: {before}"
    return None


def _told(node: exp.Expression) -> str:
    return re.sub(r"\s+", " ", node.sql(dialect="postgres"))[:140]


def definition_of(database: postgres.Database) -> str:
    """Return the SELECT of the gate as PostgreSQL writes it."""
    with postgres.connected(database.owner_url) as connection:
        return str(connection.scalar(text("SELECT pg_get_viewdef('contactable'::regclass)"))).rstrip(";\n ")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run be told which mutant it is about."""
    parser.addoption("--gate-mutant", type=int, default=None)


@pytest.fixture(scope="session", autouse=True)
def _mutant(request: pytest.FixtureRequest, kept_database: KeptDatabase) -> None:
    number = request.config.getoption("--gate-mutant")
    if number is None:
        return
    template = kept_database.template
    _told_so, select = list(mutants(definition_of(template)))[number]
    with postgres.connected(template.owner_url) as connection:
        connection.execute(
            text(f"CREATE OR REPLACE VIEW contactable AS {select}".replace(":", r"\:").replace(r"\:\:", "::"))
        )
        connection.execute(text("ALTER VIEW contactable SET (security_invoker = true)"))
        connection.commit()


def unnoticed() -> Iterator[str]:
    """Try every mutant, with a line for each on standard output; yield those that no test notices."""
    with tempfile.TemporaryDirectory(prefix="zaallicht-mutants-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = postgres.start_embedded(Path(folder))
        database = postgres.addresses(server.get_uri(), "zaallicht_app", load_keyring(Path(folder) / "keyring.json"))
        postgres.upgrade(database, load_keyring(Path(folder) / "keyring.json"))
        for number, (told, _) in enumerate(mutants(definition_of(database))):
            is_noticed = _is_noticed(number, server.get_uri())
            sys.stdout.write(f"{number:4} {'found' if is_noticed else 'LIVES'}  {told}\n")
            sys.stdout.flush()
            if not is_noticed:
                yield told
        server.cleanup()


def _is_noticed(number: int, url: str) -> bool:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "tests.consent.gate_mutants"]
    command += ["--gate-mutant", str(number), "-p", "no:cacheprovider", *TESTS]
    environment = os.environ | {"TEST_DATABASE_URL": url}
    try:
        ran = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        # A join that lost its condition is noticed by whoever waits for it.
        return True
    return ran.returncode != 0
