"""The fields of a house's own: which there are, and what kind of value stands in them."""

from __future__ import annotations

import re
from typing import Any, Literal

from sqlalchemy import select

from app.contacts.models import Contact
from app.db import ScopedSession

Kind = Literal["text", "number", "yes_no", "date"]
LOOKED_AT_MAX = 200
A_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def kind_of_field(session: ScopedSession, key: str) -> Kind | None:
    """Return what kind of values people have in a field of the house's own; None where nobody has it.

    Judged by some of those who have it. Fields have no declared type: where values differ in kind, it is text.
    """
    row = Contact
    value = row.attributes[key]
    having = select(value).where(row.state == "living", row.attributes.has_key(key)).limit(LOOKED_AT_MAX)
    kinds = {_kind(one) for one in session.scalars(having) if one is not None}
    if not kinds:
        return None
    return kinds.pop() if len(kinds) == 1 else "text"


def takes(kind: Kind, value: object) -> bool:
    """Whether ``value`` is of a kind; a field of text takes anything."""
    return kind == "text" or _kind(value) == kind


def _kind(value: Any) -> Kind:
    if isinstance(value, bool):
        return "yes_no"
    if isinstance(value, str):
        return "date" if A_DATE.fullmatch(value) else "text"
    return "number"
