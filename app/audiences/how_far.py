"""How far a push is, and how long the rest of it takes at the pace it has had. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# Before this much was done the pace says nothing.
TELLING = 0.01


@dataclass(frozen=True, slots=True)
class HowFar:
    """``done`` of ``of`` people were pushed; ``left_s`` is what the rest takes, None while nobody can tell."""

    done: int
    of: int
    left_s: float | None


def how_far(counts: Mapping[str, Any], *, at: datetime) -> HowFar | None:
    """Return how far the push of a run is by what is noted on it; None where nobody is pushed (yet).

    Whoever is in a batch at the vendor counts as far as the vendor says.
    """
    of = int(counts.get("to_push") or 0)
    if of == 0:
        return None
    done = min(of, int(counts.get("pushed") or 0) + int(counts.get("in_batch") or 0))
    passed_s = (at - datetime.fromisoformat(counts["push_began_at"])).total_seconds()
    is_telling = done >= of * TELLING and passed_s > 0 and done > 0
    return HowFar(done, of, (of - done) * passed_s / done if is_telling else None)
