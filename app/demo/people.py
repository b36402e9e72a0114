"""The invented people of the house: households, names, addresses that cannot exist, and how often each comes."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache
from itertools import accumulate
from random import Random

from app.demo import house
from app.demo.names import DUTCH, FRENCH_SPEAKING, ORIGINS, Origin
from app.demo.places import FRENCH_STREETS, PLACES, STREETS, Place
from app.demo.tastes import taste_of

DOMAINS = ("post.example", "brievenbus.example", "telepost.example", "mail.example", "werkt.example", "example.org")
DOMAIN_WEIGHTS = tuple(accumulate((34, 24, 18, 14, 6, 4)))
MISTYPED_DOMAINS = ("pots.example", "brievenbus.exemple.example", "telepostt.example", "mial.example")
_ORIGIN_WEIGHTS = tuple(accumulate(origin.weight for origin in ORIGINS))
_PLACE_WEIGHTS = tuple(accumulate(place.weight for place in PLACES))


@dataclass(frozen=True, slots=True)
class Habit:
    """How often somebody comes: visits a season, and for how many days on average before they stay away.

    ``visits``: exactly so many in all, where that is fixed.
    """

    code: str
    share: float
    a_season: float = 0.0
    stays_days: float = 0.0
    visits: int | None = None


ON_THE_LIST = Habit("on the list", 6.0, visits=0)
ONCE = Habit("once", 29.0, visits=1)
TWICE = Habit("twice", 15.0, visits=2)
NOW_AND_THEN = Habit("now and then", 26.0, a_season=1.2, stays_days=1000)
REGULAR = Habit("regular", 16.5, a_season=2.9, stays_days=1000)
LOYAL = Habit("loyal", 6.0, a_season=5.2, stays_days=2200)
CORE = Habit("core", 1.36, a_season=13, stays_days=3600)
DEVOTED = Habit("devoted", 0.14, a_season=48, stays_days=20000)
HABITS = (ON_THE_LIST, ONCE, TWICE, NOW_AND_THEN, REGULAR, LOYAL, CORE, DEVOTED)
_HABIT_WEIGHTS = tuple(accumulate(habit.share for habit in HABITS))


@dataclass(slots=True)
class Person:
    """Somebody the house knows, and what decides when they come. ``planner`` scales the days they book ahead.

    ``begins_on`` and ``ends_on`` bound the time they come at all; ``source`` is where the house first met them.
    """

    number: int
    given_name: str | None
    family_name: str
    gender: str | None
    language: str
    birth_date: date | None
    email: str | None
    other_email: str | None
    deliverability: str
    phone: str | None
    street: str | None
    place: Place
    postcode: str
    habit: Habit
    begins_on: date
    ends_on: date
    tastes: tuple[str, str]
    party: int
    planner: float
    source: str = house.TICKETS
    card: str | None = None
    is_institution: bool = False
    tags: list[str] = field(default_factory=list)


def make_people(count: int, *, seed: int, first_on: date, today: date) -> Iterator[Person]:
    """Yield exactly ``count`` people, household by household; the same for the same arguments. Holds one household."""
    random = Random(f"people {seed}")
    number = 0
    while number < count:
        for person in _household(number + 1, random=random, first_on=first_on, today=today):
            if number == count:
                return
            number += 1
            yield person


def _household(number: int, *, random: Random, first_on: date, today: date) -> Iterator[Person]:
    if random.random() < 0.006:
        yield _institution(number, random=random, first_on=first_on, today=today)
        return
    origin = random.choices(ORIGINS, cum_weights=_ORIGIN_WEIGHTS)[0]
    place = random.choices(PLACES, cum_weights=_PLACE_WEIGHTS)[0]
    if place.is_french_speaking and random.random() < 0.6:
        origin = FRENCH_SPEAKING
    elif place.country == "NL":
        origin = DUTCH
    family = random.choice(origin.families)
    first = _person(number, origin, family, place, random=random, first_on=first_on, today=today)
    yield first
    chance = random.random()
    if chance < 0.012:
        yield _again(first, number + 1, random)
    elif chance < 0.19:
        yield _housemate(first, number + 1, origin, random=random, first_on=first_on, today=today)


def _person(
    number: int, origin: Origin, family: str, place: Place, *, random: Random, first_on: date, today: date
) -> Person:
    born_on = today - timedelta(days=int(random.triangular(17.5, 90, 49) * 365.25))
    gender = "female" if random.random() < 0.58 else "male"
    given = random.choice(_given_names(origin, gender, born_on.year))
    language = random.choices(*_languages(origin))[0]
    habit = random.choices(HABITS, cum_weights=_HABIT_WEIGHTS)[0]
    begins_on, ends_on = _span(habit, random=random, first_on=first_on, today=today)
    age = today.year - born_on.year
    has_address = random.random() < (0.84 if age > 70 else 0.96) or habit.visits == 0
    person = Person(
        number=number,
        given_name=given,
        family_name=family,
        gender=gender if random.random() < 0.93 else None,
        language=language,
        birth_date=born_on if random.random() < 0.46 else None,
        email=_address(given, family, number, random) if has_address else None,
        other_email=None,
        deliverability=_deliverability(random) if has_address else "unknown",
        phone=_phone(place, random) if not has_address or random.random() < 0.45 else None,
        street=_street(place, random) if random.random() < 0.8 else None,
        place=place,
        postcode=_postcode(place, random),
        habit=habit,
        begins_on=begins_on,
        ends_on=ends_on,
        tastes=taste_of(age, language, random),
        party=random.choices((1, 2, 3, 4, 6), cum_weights=(22, 78, 87, 97, 100))[0],
        planner=random.choices((0.04, 0.5, 1.0, 2.4), cum_weights=(14, 40, 78, 100))[0],
        card=_card(age, habit, random),
    )
    _add_oddities(person, random)
    return person


def _span(habit: Habit, *, random: Random, first_on: date, today: date) -> tuple[date, date]:
    """Return the first and last day somebody comes at all; a third were there before the ledger begins."""
    days = (today - first_on).days
    begins_on = first_on
    if habit.visits is not None or random.random() < 0.68:
        begins_on = first_on + timedelta(days=int(random.random() ** 0.85 * days))
    if habit.visits is not None:
        return begins_on, today + timedelta(days=240)
    stays = timedelta(days=int(random.expovariate(1 / habit.stays_days)) + 60)
    return begins_on, min(begins_on + stays, today + timedelta(days=300))


def _add_oddities(person: Person, random: Random) -> None:
    """Give somebody what makes real files untidy: a mistyped or second address, two people behind one, a tag."""
    chance = random.random()
    if person.email is not None:
        local = person.email.partition("@")[0]
        if chance < 0.008:
            person.email = f"{local}@{random.choice(MISTYPED_DOMAINS)}"
            person.deliverability = "bouncing"
        elif chance < 0.045:
            person.other_email = f"{local}@{random.choice(DOMAINS[:4])}".replace("@", ".oud@")
        elif chance < 0.06 and person.given_name:
            person.given_name = f"{person.given_name} en {random.choice(('Kris', 'Dominique', 'Sam', 'Robin'))}"
            person.gender = None
        elif chance < 0.066:
            person.email = person.email.upper()
    if person.habit is ON_THE_LIST:
        person.source = house.OLD_LIST if random.random() < 0.55 else house.NEWSLETTER_FORM
    if person.habit in (LOYAL, CORE, DEVOTED) and random.random() < 0.5:
        person.tags.append("abonnee")
    if person.habit in (CORE, DEVOTED) and random.random() < 0.25:
        person.tags.append("vriend van de lantaarn")
    if random.random() < 0.004:
        person.tags.append(random.choice(("pers", "vrijwilliger", "maker")))


def _again(first: Person, number: int, random: Random) -> Person:
    """Return the same person met a second time under another address, as a guest at the check-out."""
    given, family = first.given_name or "", first.family_name
    return replace(
        first,
        number=number,
        given_name=given.lower() if random.random() < 0.3 else given,
        email=_address(given, family, number, random),
        other_email=None,
        deliverability=_deliverability(random),
        habit=ONCE,
        tags=[],
        card=None,
        source=house.TICKETS,
    )


def _housemate(first: Person, number: int, origin: Origin, *, random: Random, first_on: date, today: date) -> Person:
    """Return somebody who lives with the first: the same street and place, now and then the same family name."""
    family = first.family_name if random.random() < 0.5 else random.choice(origin.families)
    mate = _person(number, origin, family, first.place, random=random, first_on=first_on, today=today)
    mate.street, mate.postcode = first.street, first.postcode
    if random.random() < 0.4:
        mate.tastes = first.tastes
    return mate


def _institution(number: int, *, random: Random, first_on: date, today: date) -> Person:
    """Return a school or association that comes with a group and has an address of nobody in particular."""
    name = random.choice(("Basisschool De Lampion", "Atheneum Het Dok", "vzw Avondlicht", "Buurthuis De Pit"))
    place = random.choices(PLACES[:20], cum_weights=_PLACE_WEIGHTS[:20])[0]
    return Person(
        number=number,
        given_name=None,
        family_name=f"{name} {number}",
        gender=None,
        language="nl",
        birth_date=None,
        email=f"info@groep{number}.example",
        other_email=None,
        deliverability="working",
        phone=_phone(place, random),
        street=_street(place, random),
        place=place,
        postcode=place.postcode,
        habit=REGULAR,
        begins_on=first_on,
        ends_on=today + timedelta(days=240),
        tastes=("scholen", "scholen"),
        party=random.randrange(15, 49),
        planner=1.5,
        is_institution=True,
        tags=["school" if "school" in name or "Atheneum" in name else "vereniging"],
    )


def _given_names(origin: Origin, gender: str, born: int) -> Sequence[str]:
    generation = 0 if born < 1962 else 1 if born < 1987 else 2
    return (origin.women if gender == "female" else origin.men)[generation]


@lru_cache(maxsize=64)
def _languages(origin: Origin) -> tuple[tuple[str, ...], tuple[float, ...]]:
    return tuple(code for code, _ in origin.languages), tuple(weight for _, weight in origin.languages)


def _address(given: str, family: str, number: int, random: Random) -> str:
    """Return an address nobody can have: a reserved domain, and the person's number so that no two are the same."""
    first, last = _plain(given), _plain(family)
    style = random.random()
    local = (
        f"{first}.{last}{number}" if style < 0.6 else f"{first[0]}{last}{number}" if style < 0.8 else f"{first}{number}"
    )
    return f"{local}@{random.choices(DOMAINS, cum_weights=DOMAIN_WEIGHTS)[0]}"


@lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    spelled = name.lower().replace("ı", "i").replace("ł", "l").replace("ø", "o")
    decomposed = unicodedata.normalize("NFKD", spelled)
    return "".join(letter for letter in decomposed if letter.isascii() and letter.isalpha())


def _deliverability(random: Random) -> str:
    return random.choices(("working", "unknown", "bouncing", "soft_bouncing"), cum_weights=(66, 96, 99, 100))[0]


def _phone(place: Place, random: Random) -> str:
    """Return a number that is not given out: +32 400 and +31 6 0000 belong to no network."""
    if place.country == "NL":
        return f"+3160000{random.randrange(10000):04d}"
    return f"+32400{random.randrange(1_000_000):06d}"


def _street(place: Place, random: Random) -> str:
    number = random.randrange(1, 190)
    if place.is_french_speaking and random.random() < 0.7:
        return f"{random.choice(FRENCH_STREETS)} {number}"
    return f"{random.choice(STREETS)} {number}"


def _postcode(place: Place, random: Random) -> str:
    if place.country != "NL":
        return place.postcode
    return f"{place.postcode} {random.choice('ABCDEGHKLM')}{random.choice('BCEGHKPTVX')}"


def _card(age: int, habit: Habit, random: Random) -> str | None:
    if age < 26 and random.random() < 0.5:
        return "jongerenkaart"
    if habit in (LOYAL, CORE, DEVOTED):
        return "lantaarnkaart" if random.random() < 0.6 else None
    return random.choices(("uitpas", "seniorenkaart", None), cum_weights=(9, 15 if age > 64 else 9, 100))[0]
