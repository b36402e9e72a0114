"""What an import needs to know of a kind of file. Rooms above this one bring their own kind and register it here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from app.contacts.importing.mapping import Mapping
from app.contacts.importing.rows import Row
from app.contacts.ingest import Outcome
from app.db import ScopedSession
from app.keyring import Keyring
from integrations.base import ContactRecord


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a row: in which column (a header, or empty for the row itself), as a code, with the value.

    A warning leaves a value out and keeps the row; anything else leaves the row out.
    """

    row_number: int
    column: str
    code: str
    value: str | None = None
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """What rows are read against: the house's zone and country, and a key of the file for facts it states."""

    time_zone: str
    country: str
    file_key: str
    headers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """A row as a record, or None where it cannot be taken, with what is wrong or was left out.

    ``is_repeated``: what the record would create, an earlier row of the file creates already. ``contact`` is the person
    the row names, also where the rest of the row cannot be taken: what they said about mail counts all the same.
    """

    row_number: int
    record: Any | None
    problems: tuple[Problem, ...] = ()
    is_repeated: bool = False
    contact: ContactRecord | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What storing one record came to, and the id of the row it is about (a contact, a participation)."""

    outcome: Outcome
    id: int | None
    error: str | None = None


class RowReader(Protocol):
    """Turns rows into records, in the order of the file: it remembers what earlier rows said of the same people."""

    def read(self, row: Row) -> Taken:
        """Return the row as a record, or what is wrong with it."""
        ...


@dataclass(frozen=True, slots=True)
class ImportKind:
    """A kind of file: how its rows become records, how those are stored, and how a stored row looks to people."""

    code: str
    reader: Callable[[Mapping, Setting], RowReader]
    store: Callable[[ScopedSession, Keyring, Sequence[Any], Setting, datetime], list[Stored]]
    look: Callable[[ScopedSession, Sequence[int]], dict[int, dict[str, Any]]]


KINDS: dict[str, ImportKind] = {}


def register(kind: ImportKind) -> ImportKind:
    """Make a kind known to uploads, the worker and the command; returns it."""
    KINDS[kind.code] = kind
    return kind
