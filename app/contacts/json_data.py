"""JSON data as PostgreSQL can store it."""

from __future__ import annotations

from typing import Any


def storable(value: Any) -> Any:
    """Return JSON data without the characters that PostgreSQL cannot hold: NUL and lone surrogates."""
    match value:
        case str():
            return value.replace("\x00", "").encode("utf-8", "replace").decode()
        case dict():
            return {storable(str(key)): storable(each) for key, each in value.items()}
        case list() | tuple():
            return [storable(each) for each in value]
        case _:
            return value
