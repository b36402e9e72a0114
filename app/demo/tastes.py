"""What people like, by age and by language: whoever speaks little Dutch comes for dance and music."""

from __future__ import annotations

from itertools import accumulate
from random import Random

#               young parents middle older
_WEIGHTS = {
    "theater": (18, 14, 26, 24),
    "dans": (12, 5, 8, 5),
    "circus": (7, 9, 4, 1),
    "klassiek": (2, 3, 9, 20),
    "opera": (1, 1, 4, 8),
    "jazz": (5, 2, 6, 5),
    "pop": (18, 6, 8, 2),
    "wereldmuziek": (4, 3, 6, 4),
    "humor": (20, 17, 20, 13),
    "musical": (5, 10, 7, 6),
    "familie": (1, 30, 3, 4),
    "literatuur": (2, 1, 3, 4),
    "film": (11, 5, 7, 6),
    "beeldende kunst": (6, 4, 6, 6),
    "erfgoed": (1, 1, 2, 3),
}
GENRES = tuple(_WEIGHTS)
_WITH_FEW_WORDS = frozenset({"dans", "circus", "klassiek", "opera", "jazz", "pop", "wereldmuziek", "beeldende kunst"})
_BY_LIFE = tuple(tuple(accumulate(weights[life] for weights in _WEIGHTS.values())) for life in range(4))
_ABROAD = tuple(
    tuple(
        accumulate(weights[life] * (1.6 if genre in _WITH_FEW_WORDS else 0.25) for genre, weights in _WEIGHTS.items())
    )
    for life in range(4)
)


def taste_of(age: int, language: str, random: Random) -> tuple[str, str]:
    """Return the two genres somebody comes for most; for some these are the same."""
    life = 0 if age < 30 else 1 if age < 46 else 2 if age < 63 else 3
    weights = (_BY_LIFE if language == "nl" else _ABROAD)[life]
    first, second = random.choices(GENRES, cum_weights=weights, k=2)
    return first, second


def any_genre(random: Random) -> str:
    """Return a genre for an evening out without a plan."""
    return random.choices(GENRES, cum_weights=_BY_LIFE[2])[0]
