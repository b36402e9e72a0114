"""Blocks that only some people see: what is asked of a person, and what stands around such a block in a mail. Pure.

A condition asks one personal field, or one segment (``segment.<id>``), of which the words are "1" for its members.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SEGMENT = re.compile(r"segment\.([1-9][0-9]{0,17})")
TESTS = ("known", "unknown", "is", "is_not")
Test = Literal["known", "unknown", "is", "is_not"]


@dataclass(frozen=True, slots=True)
class Condition:
    """Whether somebody has a field (or is in a segment), or has it as ``value``; capitals do not matter."""

    field: str
    test: Test = "known"
    value: str = ""

    @property
    def segment_id(self) -> int | None:
        """Return the segment that is asked, if any."""
        found = SEGMENT.fullmatch(self.field)
        return int(found[1]) if found else None

    def holds(self, fields: Mapping[str, str]) -> bool:
        """Whether it is so for a person with these fields; of a field with several values one is enough."""
        said = fields.get(self.field, "").strip().casefold()
        match self.test:
            case "known":
                return bool(said)
            case "unknown":
                return not said
            case "is":
                return self._is_among(said)
            case "is_not":
                return not self._is_among(said)

    def _is_among(self, said: str) -> bool:
        wanted = self.value.strip().casefold()
        return wanted in (said, *said.split(", "))


@dataclass(frozen=True, slots=True)
class Opens:
    """From here to its ``Closes`` a mail is for those for whom the condition holds."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class Closes:
    """Where the innermost ``Opens`` ends."""
