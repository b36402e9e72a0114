"""Schouwburg De Lantaarn: its halls, its genres and how each lives through the week and the season, its series.

Nothing here exists. Shares and habits follow what houses of this size in Flanders commonly show: theatre and family
carry the season, families come on Sundays and in school holidays, schools on weekday mornings, comedy sells early.
"""

from __future__ import annotations

from dataclasses import dataclass

NAME = "Schouwburg De Lantaarn"
LEGAL_NAME = "Schouwburg De Lantaarn vzw (verzonnen)"
LEGAL_ADDRESS = "Zaallichtplein 1, 9000 Gent"
TICKETS = "demo-tickets"
NEWSLETTER_FORM = "demo-form"
OLD_LIST = "demo-import"


@dataclass(frozen=True, slots=True)
class Hall:
    """A place to sit or stand, and how many can."""

    name: str
    seats: int
    is_partner: bool = False


GRAND = Hall("Grote Zaal", 780)
SMALL = Hall("Kleine Zaal", 260)
FOYER = Hall("Foyer", 110)
STUDIO = Hall("Studio", 60)
CHURCH = Hall("Sint-Annakerk (partner)", 420, is_partner=True)
GALLERY = Hall("Galerij De Lont", 200)

EVERY_DAY = (1, 1, 1, 1, 1, 1, 1)
#            Mon  Tue  Wed  Thu  Fri  Sat  Sun
EVENINGS = (0.1, 0.5, 1.2, 2.4, 3.0, 3.0, 0.6)
CONCERT_DAYS = (0.2, 0.5, 1.0, 2.0, 3.0, 2.5, 2.5)
FAMILY_DAYS = (0.0, 0.0, 2.2, 0.0, 0.2, 2.2, 4.0)
QUIET_DAYS = (0.8, 2.2, 2.0, 2.4, 0.8, 0.3, 0.8)

#              Sep  Oct  Nov  Dec  Jan  Feb  Mar  Apr  May  Jun
FLAT = (0.9, 1.1, 1.1, 0.9, 1.0, 1.1, 1.1, 1.0, 0.9, 0.4)
WINTER = (0.5, 0.9, 1.2, 1.9, 1.2, 1.0, 1.0, 0.8, 0.6, 0.2)
SPRING = (0.6, 0.7, 0.8, 0.7, 0.7, 0.9, 1.2, 1.4, 1.6, 1.0)
AUTUMN = (1.3, 1.6, 1.4, 0.9, 0.8, 0.8, 0.8, 0.7, 0.6, 0.3)


@dataclass(frozen=True, slots=True)
class Genre:
    """One of fifteen genres.

    ``productions``: how many a season in a house for twenty thousand. ``draw``: how eagerly people come. ``months``
    counts from September to June, ``days`` from Monday to Sunday. ``prices``: the dearest and the cheapest rank, in
    euro. ``lead_days``: the typical time between booking and evening.
    """

    code: str
    kind: str
    productions: int
    draw: float
    halls: tuple[Hall, ...]
    days: tuple[float, ...]
    months: tuple[float, ...]
    prices: tuple[int, int]
    hour: int = 20
    nights: tuple[int, ...] = (1, 1, 2)
    lead_days: int = 24
    audiences: tuple[str, ...] = ("volwassenen",)


GENRES = (
    Genre("theater", "performance", 14, 1.3, (GRAND, SMALL, SMALL), EVENINGS, FLAT, (28, 16), nights=(1, 2, 3, 4)),
    Genre("dans", "performance", 7, 0.9, (GRAND, SMALL), EVENINGS, FLAT, (26, 15)),
    Genre("circus", "performance", 4, 1.2, (GRAND, SMALL), FAMILY_DAYS, SPRING, (24, 12), hour=19),
    Genre("klassiek", "performance", 8, 0.9, (CHURCH, GRAND, FOYER), CONCERT_DAYS, WINTER, (34, 18), lead_days=45),
    Genre("opera", "performance", 2, 1.1, (GRAND,), CONCERT_DAYS, WINTER, (49, 25), hour=19, lead_days=70),
    Genre("jazz", "performance", 6, 0.7, (FOYER, SMALL), CONCERT_DAYS, AUTUMN, (22, 14), lead_days=14),
    Genre("pop", "performance", 6, 1.2, (GRAND, SMALL), EVENINGS, AUTUMN, (32, 22), lead_days=40),
    Genre("wereldmuziek", "performance", 4, 0.7, (SMALL, CHURCH), CONCERT_DAYS, SPRING, (22, 14), lead_days=16),
    Genre("humor", "performance", 7, 1.9, (GRAND,), EVENINGS, FLAT, (30, 24), nights=(1, 2, 2, 3), lead_days=85),
    Genre(
        "musical", "performance", 4, 2.0, (GRAND,), FAMILY_DAYS, WINTER, (52, 32), hour=15, nights=(2, 4), lead_days=75
    ),
    Genre(
        "familie",
        "performance",
        10,
        1.4,
        (SMALL, GRAND),
        FAMILY_DAYS,
        WINTER,
        (14, 9),
        hour=15,
        nights=(1, 2, 2),
        audiences=("families", "kinderen"),
    ),
    Genre("literatuur", "lecture", 4, 0.5, (FOYER, STUDIO), QUIET_DAYS, AUTUMN, (12, 8), lead_days=10),
    Genre("film", "film", 10, 0.5, (SMALL,), QUIET_DAYS, FLAT, (9, 7), lead_days=3),
    Genre(
        "beeldende kunst", "exhibition", 3, 2.6, (GALLERY,), EVERY_DAY, FLAT, (10, 6), hour=11, nights=(1,), lead_days=1
    ),
    Genre("erfgoed", "guided tour", 4, 0.5, (STUDIO,), (0, 0, 0, 0, 0, 1, 3), SPRING, (8, 6), hour=14, lead_days=8),
)

# Evenings that belong together, by genre; a production falls into one of them, or into none.
SERIES = {
    "theater": ("Groot toneel", "Jonge makers", None, None),
    "dans": ("Dans in de Lantaarn", None),
    "klassiek": ("Zondagse strijkers", "Barok bij kaarslicht", None),
    "jazz": ("Late trein", None),
    "wereldmuziek": ("Havens", None),
    "familie": ("Kleine lichten", None),
    "film": ("Filmclub", "Filmclub", None),
    "literatuur": ("Onder de leeslamp",),
    "beeldende kunst": ("Tentoonstellingen",),
    "erfgoed": ("Achter het doek",),
}

WORKSHOPS = (
    ("dans", "Workshop hedendaagse dans"),
    ("theater", "Workshop improviseren"),
    ("circus", "Circusatelier"),
    ("beeldende kunst", "Atelier licht en schaduw"),
    ("literatuur", "Schrijfatelier"),
)
SCHOOL_GENRES = ("theater", "dans", "familie", "klassiek")
