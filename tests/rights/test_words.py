"""The register of processing says what a table holds in words, never by the name of the table."""

from __future__ import annotations

from app import models as _models  # noqa: F401  every table is known
from app.db import Base
from app.rights.words import CATEGORIES


def test_every_table_that_says_something_about_people_is_told_in_words() -> None:
    telling = {
        table.name
        for table in Base.metadata.sorted_tables
        if any(column.info.get("pii") in ("contact", "content") for column in table.columns)
    }
    assert telling - CATEGORIES.keys() == set()
