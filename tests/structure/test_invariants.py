"""The page of promises and the tests that prove them do not drift apart."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
PAGE = TOP / "docs/invariants.md"
IDS = [f"I{number}" for number in range(1, 31)]
CITED = re.compile(r"\bI([1-9]|[12][0-9]|30)\b")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def _rows() -> dict[str, str]:
    rows = (line.split("|") for line in PAGE.read_text().splitlines() if line.startswith("| I"))
    return {cells[1].strip(): cells[3] for cells in rows}


def _citing_tests() -> Iterator[tuple[str, str, str]]:
    """Yield (id, file, test) for every test whose docstring cites an id."""
    for path in sorted((TOP / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for number in CITED.findall(ast.get_docstring(node) or ""):
                    yield f"I{number}", path.relative_to(TOP).as_posix(), node.name


def test_every_promise_is_listed_with_its_proof_or_what_it_waits_for() -> None:
    rows = _rows()
    assert list(rows) == IDS
    for promise, proof in rows.items():
        assert NAMED.search(proof) or "waits for" in proof, promise


@pytest.mark.parametrize("promise", IDS)
def test_every_test_that_is_named_exists(promise: str) -> None:
    for path, test in NAMED.findall(_rows()[promise]):
        assert (TOP / path).is_file(), path
        assert f"def {test}(" in (TOP / path).read_text(), f"{path}::{test}"


def test_every_test_that_cites_a_promise_is_listed_with_it() -> None:
    rows = _rows()
    unlisted = [f"{promise}: {path}::{test}" for promise, path, test in _citing_tests()
                if f"`{path}::{test}`" not in rows[promise]]  # fmt: skip
    assert unlisted == []
