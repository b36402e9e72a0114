"""What every room relies on when it speaks to the database."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from app.db import ScopedSession, array_text

WORDS = [
    "plain",
    "",
    "NULL",
    "null",
    'quo"te',
    "back\\slash",
    "{brace,comma}",
    " blank ",
    "ligne\nnouvelle",
    "é✓",
    None,
]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("text", WORDS),
        ("bigint", [1, -(2**62), None]),
        ("boolean", [True, False, None]),
        ("bytea", [b"", b"\x00\xff\\", None]),
        ("numeric", [Decimal("12.50"), Decimal("1E+2"), None]),
        ("timestamptz", [datetime(2026, 11, 20, 9, 30, 1, 5, tzinfo=UTC), None]),
        ("text", []),
    ],
)
def test_an_array_arrives_as_it_was_written(session: ScopedSession, kind: str, values: list[Any]) -> None:
    arrived = session.scalar(text(f"SELECT CAST(:given AS {kind}[])"), {"given": array_text(values)})
    assert arrived == values


def test_no_element_can_be_anything_but_data(server_url: str) -> None:
    engine = create_engine(server_url.replace("postgresql://", "postgresql+psycopg://", 1))

    @given(st.lists(st.none() | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))))
    def arrives(values: list[str | None]) -> None:
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT CAST(:given AS text[])"), {"given": array_text(values)}) == values

    arrives()
    engine.dispose()
