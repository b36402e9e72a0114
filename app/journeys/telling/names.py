"""The names of what a definition points to by number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.activities.models import Activity
from app.audiences.models import Audience
from app.consent.models import Purpose
from app.contacts.forms.models import SignupForm
from app.db import ScopedSession
from app.mailings.models import Mailing
from app.segments.models import Segment

# Where a definition names a row: the key, and the kind of row.
_KEYS = {
    "segment": "segments",
    "mailing": "mailings",
    "audience": "audiences",
    "form": "forms",
    "activities": "activities",
}
_ROWS: dict[str, tuple[Any, Any]] = {
    "segments": (Segment.id, Segment.name),
    "mailings": (Mailing.id, Mailing.name),
    "audiences": (Audience.id, Audience.name),
    "forms": (SignupForm.id, SignupForm.name),
    "activities": (Activity.id, Activity.title),
}


@dataclass(frozen=True, slots=True)
class Names:
    """What is called how: rows by kind and id (an id that is not there exists no more), purposes by code."""

    rows: Mapping[str, Mapping[int, str]]
    purposes: Mapping[str, str]

    def of(self, kind: str, number: object) -> str:
        """The name of a row, or nothing."""
        return self.rows.get(kind, {}).get(number, "") if isinstance(number, int) else ""


def names_of(session: ScopedSession, definition: object, language: str) -> Names:
    """Return the names of everything that a definition, or a list of them, points to."""
    wanted: dict[str, set[int]] = {}
    for kind, number in _pointed_to(definition):
        wanted.setdefault(kind, set()).add(number)
    rows: dict[str, dict[int, str]] = {}
    for kind, numbers in wanted.items():
        key, name = _ROWS[kind]
        found = session.execute(sa.select(key, name).where(key.in_(numbers)))
        rows[kind] = dict(map(tuple, found))
    purposes = session.execute(sa.select(Purpose.code, Purpose.names))
    return Names(rows, {row.code: row.names.get(language, row.code) for row in purposes})


def _pointed_to(value: object) -> Iterator[tuple[str, int]]:
    if isinstance(value, list):
        for one in value:
            yield from _pointed_to(one)
    if isinstance(value, Mapping):
        for key, inner in value.items():
            numbers = inner if isinstance(inner, list) else [inner]
            if key in _KEYS:
                yield from ((_KEYS[key], one) for one in numbers if _is_row_id(one))
            yield from _pointed_to(inner)


def _is_row_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63
