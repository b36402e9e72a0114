"""What somebody said each column of a file means, checked before a single row is stored."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, Self

from app.contacts.importing.columns import ATTRIBUTE, CONSENT, CONSENT_KEY, IGNORE, fields_of
from app.contacts.normalise import folded

IDENTIFYING = ("email", "external_id", "uitpas")
NAMING_ACTIVITY = ("activity_id", "activity_title")

MEANINGS = ("granted", "pre_ticked", "soft_opt_in", "unknown", "opt_out")


@dataclass(frozen=True, slots=True)
class ConsentMeaning:
    """What a yes in a consent column stands for.

    ``granted``: the person ticked a form that showed ``wording``, on the date in the date column or else on
    ``captured_on``. ``pre_ticked``: the box stood ticked already; a no is an act, a yes is none. ``soft_opt_in``: a
    customer of ``seller`` was offered an opt-out, in ``wording``, with a purchase whose number is in the order column.
    ``unknown``: nobody knows any more; kept as evidence. ``opt_out``: the person wants no mail.

    Where a column says which opt-in a row is of, ``key`` is the one that this is about; other rows are left alone.
    """

    meaning: str
    purpose: str | None = None
    wording: str | None = None
    language: str | None = None
    captured_on: date | None = None
    seller: str | None = None
    key: str | None = None


@dataclass(frozen=True)
class Mapping:
    """The meaning of a file: a field per column, the name of each attribute column, and what consents mean.

    ``source`` is the system the file comes from: numbers of different systems are never taken for the same person.
    ``tags`` are put on everybody in the file.
    """

    source: str
    columns: tuple[str, ...]
    attribute_names: Dictionary[int, str] = field(default_factory=dict)
    consents: Dictionary[int, ConsentMeaning] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    @cached_property
    def places(self) -> dict[str, int]:
        """The column of each field; of a repeatable one the first."""
        return {code: place for place, code in reversed(list(enumerate(self.columns)))}

    def as_json(self) -> dict[str, Any]:
        """Return it as it is stored and remembered."""
        return {
            "source": self.source,
            "columns": list(self.columns),
            "attribute_names": {str(place): name for place, name in self.attribute_names.items()},
            "consents": {str(place): _meaning_json(meaning) for place, meaning in self.consents.items()},
            "tags": list(self.tags),
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Return what ``as_json`` stored."""
        return cls(
            source=stored["source"],
            columns=tuple(stored["columns"]),
            attribute_names={int(place): name for place, name in stored["attribute_names"].items()},
            consents={int(place): _meaning(each) for place, each in stored["consents"].items()},
            tags=tuple(stored["tags"]),
        )


def source_code(name: str) -> str:
    """Return the name of a system as identities and facts carry it: lower case, no blanks."""
    return re.sub(r"[^a-z0-9]+", "_", folded(name)).strip("_")[:40]


def problems_of(mapping: Mapping, *, kind: str, purposes: Sequence[str]) -> list[tuple[str, int | None]]:
    """Return what is wrong with a mapping, as codes with the column they are about (None: the whole); [] when right."""
    known = {each.code: each for each in fields_of(kind)}
    problems: list[tuple[str, int | None]] = []
    if not mapping.source:
        problems.append(("no_source", None))
    if not any(code in mapping.columns for code in IDENTIFYING):
        problems.append(("no_identity_column", None))
    if kind == "participations" and not any(code in mapping.columns for code in NAMING_ACTIVITY):
        problems.append(("no_activity_column", None))
    for place, code in enumerate(mapping.columns):
        if code != IGNORE and code not in known:
            problems.append(("unknown_field", place))
        elif code != IGNORE and not known[code].is_repeatable and mapping.columns.index(code) != place:
            problems.append(("field_twice", place))
        elif code == ATTRIBUTE and not mapping.attribute_names.get(place):
            problems.append(("attribute_without_name", place))
        elif code == CONSENT and (problem := _consent_problem(mapping, mapping.consents.get(place), purposes)):
            problems.append((problem, place))
    return problems


def headers_sha256(headers: Sequence[str]) -> bytes:
    """Return the fingerprint under which a mapping is remembered: the headers in their order."""
    return hashlib.sha256("\x1f".join(folded(header) for header in headers).encode()).digest()


def _consent_problem(mapping: Mapping, meaning: ConsentMeaning | None, purposes: Sequence[str]) -> str | None:
    if meaning is None or meaning.meaning not in MEANINGS:
        return "consent_without_meaning"
    if meaning.purpose is not None and meaning.purpose not in purposes:
        return "unknown_purpose"
    if meaning.purpose is None and meaning.meaning != "opt_out":
        return "consent_without_purpose"
    if meaning.meaning == "soft_opt_in" and not meaning.seller:
        return "consent_without_seller"
    return "consent_without_key" if CONSENT_KEY in mapping.columns and not meaning.key else None


def _meaning_json(meaning: ConsentMeaning) -> dict[str, Any]:
    return {
        "meaning": meaning.meaning,
        "purpose": meaning.purpose,
        "wording": meaning.wording,
        "language": meaning.language,
        "captured_on": meaning.captured_on.isoformat() if meaning.captured_on else None,
        "seller": meaning.seller,
        "key": meaning.key,
    }


def _meaning(stored: dict[str, Any]) -> ConsentMeaning:
    captured_on = stored["captured_on"]
    return ConsentMeaning(**(stored | {"captured_on": date.fromisoformat(captured_on) if captured_on else None}))
