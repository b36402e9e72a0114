"""Segments a marketer finds ready in the demonstration house: the recipes of the product, in the house's own words."""

from __future__ import annotations

from app.db import ScopedSession
from app.segments.building.recipes import BY_KEY
from app.segments.definitions import create_segment

NEARBY = "9040, 9050, 9030, 9032"

# Recipe, name, and what is filled in where the recipe asks for words or another number.
SEGMENTS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("lapser", "Afhakers", {}),
    ("first_timer", "Nieuwkomers", {}),
    ("loyal", "Trouwe bezoekers", {}),
    ("core", "Kernpubliek", {}),
    ("genre_affinity", "Dansliefhebbers", {"genres": "dans"}),
    ("genre_affinity", "Gezinnen", {"genres": "familie"}),
    (
        "recommendation",
        "Theater en dans, nog geen circus",
        {"genre_a": "theater", "genre_b": "dans", "genre_c": "circus"},
    ),
    ("discoverer", "Ontdekkers", {}),
    ("last_minute", "Beslissen op het laatste moment", {}),
    ("group_booker", "Komen in groep", {}),
    ("one_timer", "Een keer geweest", {}),
    ("birthday", "Jarig deze week", {}),
    ("pass_expiring", "UiTPAS loopt af", {}),
    ("never_opened", "Openden een jaar geen mail", {}),
    ("nearby", "Dichtbij, al lang niet gezien", {"postcodes": NEARBY}),
)


def create_segments(session: ScopedSession, *, created_by: int) -> list[int]:
    """Keep every segment and return their ids; who is in them is worked out afterwards."""
    made = []
    for key, name, given in SEGMENTS:
        rule, problems = BY_KEY[key].rule(given)
        if problems:
            raise ValueError(f"the recipe {key} cannot be filled in so: {sorted(problems)}")
        made.append(create_segment(session, name=name, rule=rule, created_by=created_by).id)
    return made
