"""The lines a box office hands over, the same for both sides of bench/ingest.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from sqlalchemy import text

from app import clock
from app.db import transaction
from app.runtime import Runtime

SOURCE = "bench-tickets"
LINES_A_PERSON = 3

# email, customer, given_name, family_name, language, postcode, municipality, country, line, activity, quantity, amount,
# channel, status, booked_at: text, as a file holds them.
Line = tuple[str, ...]

_NAMES = ("An", "Bart", "Chloé", "Dirk", "Elif", "Fatima", "Griet", "Hugo", "Inge", "Jef")
_FAMILIES = ("Peeters", "De Smet", "Yılmaz", "Lambert", "van Dijk", "El Amrani", "Claes", "Maes")


@dataclass(frozen=True, slots=True)
class Known:
    """What the store holds already: people by address, and activities by the number their source gave them."""

    people: list[tuple[str, str, str]]
    activities: list[str]
    activity_source: str


def known_to(runtime: Runtime, organisation_id: int) -> Known:
    """Return people and activities of a demonstration house that new lines may speak of."""
    with transaction(runtime.engine, organisation_id) as session:
        people = session.execute(
            text(
                "SELECT email, COALESCE(given_name, ''), COALESCE(family_name, '') FROM contact"
                " WHERE email IS NOT NULL AND email = lower(email) ORDER BY id LIMIT 200000"
            )
        )
        activities = session.execute(text("SELECT external_id, source FROM activity ORDER BY id")).all()
        return Known([tuple(row) for row in people], [row[0] for row in activities], activities[0][1])


def make_lines(known: Known, *, count: int, seed: int) -> list[Line]:
    """Return ``count`` ticket lines nobody has stored yet: half of them by known people, three lines a person."""
    random = Random(f"box office {seed}")
    started_at = clock.now() - timedelta(days=30)
    lines: list[Line] = []
    while len(lines) < count:
        number = len(lines)
        person = _person(known, random, f"{seed}-{number}")
        for _ in range(min(random.randrange(1, 2 * LINES_A_PERSON), count - len(lines))):
            lines.append((*person, *_ticket(known, random, f"{seed}-{len(lines)}", started_at)))
    return lines


def _person(known: Known, random: Random, number: str) -> Line:
    if random.random() < 0.5:
        email, given, family = random.choice(known.people)
    else:
        given, family = random.choice(_NAMES), random.choice(_FAMILIES)
        email = f"{given[0]}.{number}@post.example".lower()
    return (email, "", given, family, "nl", "9000", "Gent", "BE")


def _ticket(known: Known, random: Random, number: str, started_at: datetime) -> Line:
    booked_at = started_at + timedelta(minutes=random.randrange(40_000))
    quantity = random.choice((1, 2, 2, 4))
    return (
        number, random.choice(known.activities), str(quantity), f"{quantity * 18}.50",
        random.choice(("web", "counter")), "booked", booked_at.isoformat(),
    )  # fmt: skip
