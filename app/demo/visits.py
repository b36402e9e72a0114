"""Who came when: the visits of one person, drawn from the programme by taste, habit and the time they come at all."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from itertools import accumulate
from random import Random
from zoneinfo import ZoneInfo

from app.demo.people import CORE, DEVOTED, LOYAL, Person
from app.demo.programme import Evening
from app.demo.tastes import any_genre

AHEAD = timedelta(days=240)
CHANNELS = ("web", "counter", "phone", "app")
CHANNEL_WEIGHTS = (72, 87, 94, 100)
# How often somebody looks again where an evening is taken, or would only be booked later.
CHOICES = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One ticket line: one participation. ``cents`` is the total of the line."""

    number: str
    evening: Evening
    quantity: int
    cents: int
    status: str
    channel: str
    booked_at: datetime
    booked_on: date
    activity_on: date
    attended_at: datetime | None


class Diary:
    """The programme as somebody choosing an evening sees it: by genre, by date, by how much it draws, until full."""

    def __init__(self, evenings: Sequence[Evening], *, time_zone: str) -> None:
        """Sort evenings by what they are chosen by; school shows are chosen by schools only."""
        self._zone = ZoneInfo(time_zone)
        self._left: dict[int, int] = {}
        by_genre: dict[str, list[Evening]] = {}
        for evening in sorted(evenings, key=lambda each: (each.starts_on, each.number)):
            shelf = "scholen" if "scholen" in evening.audiences else evening.genre
            by_genre.setdefault(shelf, []).append(evening)
        self._shelves = {
            genre: ([each.starts_on for each in held], list(accumulate(each.weight for each in held)), held)
            for genre, held in by_genre.items()
        }

    def pick(self, genre: str, first_on: date, last_on: date, random: Random) -> Evening | None:
        """Return an evening of a genre between two days (both included), by its draw; None where there is none."""
        days, drawn, evenings = self._shelves.get(genre, ((), (), ()))
        low, high = bisect_left(days, first_on), bisect_right(days, last_on)
        if low >= high:
            return None
        before = drawn[low - 1] if low else 0.0
        at = before + random.random() * (drawn[high - 1] - before)
        return evenings[min(bisect_right(drawn, at, low, high), high - 1)]

    def seat(self, evening: Evening, quantity: int) -> bool:
        """Give out seats; False where there are not so many left. What is open for weeks is never full."""
        left = self._left.get(evening.number, evening.hall.seats)
        if evening.starts_at is not None and left < quantity:
            return False
        self._left[evening.number] = left - quantity
        return True

    def instant(self, day: date, random: Random) -> datetime:
        """Return a moment of a local day at which people buy tickets, aware."""
        minute = int(random.triangular(8 * 60, 23 * 60, 19 * 60))
        return datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=self.offset(day))

    def offset(self, day: date) -> timezone:
        """Return the zone's offset on a day after three in the morning."""
        return _offset(self._zone, day)


@lru_cache(maxsize=8192)
def _offset(zone: ZoneInfo, day: date) -> timezone:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone)
    return timezone(noon.utcoffset() or timedelta(0))


def visits_of(person: Person, diary: Diary, *, today: date, random: Random) -> list[Line]:
    """Return the ticket lines of one person, oldest booking first."""
    lines: list[Line] = []
    seen: set[int] = set()
    for turn in range(_how_many(person, today, random)):
        for _ in range(CHOICES):
            evening = _choose(person, diary, today, random)
            if evening is None or evening.number in seen:
                continue
            order = list(_order(person, evening, diary, today=today, random=random, turn=turn))
            if order:
                seen.add(evening.number)
                lines.extend(order)
                break
    lines.sort(key=lambda line: (line.booked_at, line.number))
    return lines


def _how_many(person: Person, today: date, random: Random) -> int:
    if person.habit.visits is not None:
        return person.habit.visits
    # The programme ahead is chosen from as well; what nobody has booked yet falls away again.
    seasons = max(0.05, (person.ends_on - person.begins_on).days / 365)
    return max(1, _poisson(person.habit.a_season * seasons, random))


def _poisson(mean: float, random: Random) -> int:
    if mean > 30:
        return max(0, round(random.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        count += 1
    return count


def _choose(person: Person, diary: Diary, today: date, random: Random) -> Evening | None:
    first_on, last_on = person.begins_on, person.ends_on
    if person.habit.visits is not None:
        last_on = min(today + AHEAD, first_on + timedelta(days=130 * person.habit.visits))
    chance = random.random()
    genre = person.tastes[0] if chance < 0.55 else person.tastes[1] if chance < 0.75 else any_genre(random)
    if person.is_institution:
        genre = "scholen"
    return diary.pick(genre, first_on, last_on, random)


def _order(person: Person, evening: Evening, diary: Diary, *, today: date, random: Random, turn: int) -> Iterator[Line]:
    """Yield the lines of one order: none where it would only be made later, is called off by then, or is full."""
    visit_on = evening.starts_on
    if evening.starts_at is None:
        visit_on += timedelta(days=random.randrange((evening.last_on - evening.starts_on).days + 1))
    booked_on = _booked_on(person, evening, visit_on, random)
    if booked_on >= today or (evening.cancelled_on is not None and booked_on >= evening.cancelled_on):
        return
    ranks = _ranks(person, evening, random)
    if not diary.seat(evening, sum(quantity for quantity, _ in ranks)):
        return
    booked_at = diary.instant(booked_on, random)
    channel = random.choices(CHANNELS, cum_weights=CHANNEL_WEIGHTS)[0]
    status = _status(evening, visit_on, booked_on, today, random)
    attended_at = None
    if status == "attended":
        attended_at = evening.starts_at or diary.instant(visit_on, random)
        attended_at -= timedelta(minutes=random.randrange(3, 40))
    for position, (quantity, cents) in enumerate(ranks):
        yield Line(
            number=f"T{person.number:07d}-{turn:03d}{'ab'[position]}",
            evening=evening,
            quantity=quantity,
            cents=cents * quantity,
            status=status,
            channel=channel,
            booked_at=booked_at,
            booked_on=booked_on,
            activity_on=visit_on,
            attended_at=attended_at,
        )


def _booked_on(person: Person, evening: Evening, visit_on: date, random: Random) -> date:
    """Return the day of booking: by temperament and genre, not before tickets are sold nor before we met."""
    if person.habit in (LOYAL, CORE, DEVOTED) and random.random() < 0.35:
        return min(evening.on_sale_on + timedelta(days=random.randrange(0, 21)), visit_on)
    days = int(random.lognormvariate(math.log(evening.lead_days * person.planner + 0.4), 0.8))
    booked_on = max(visit_on - timedelta(days=days), evening.on_sale_on)
    if booked_on < person.begins_on:
        booked_on = person.begins_on + (visit_on - person.begins_on) * random.random()
    return min(booked_on, visit_on)


def _status(evening: Evening, visit_on: date, booked_on: date, today: date, random: Random) -> str:
    chance = random.random()
    if evening.cancelled_on is not None:
        return "refunded" if chance < 0.92 else "cancelled"
    if evening.moved_on is not None and booked_on < evening.moved_on and chance < 0.18:
        return "refunded"
    if chance > 0.975:
        return "refunded" if chance > 0.99 else "cancelled"
    if visit_on >= today:
        return "pending" if booked_on > today - timedelta(days=5) and chance < 0.06 else "booked"
    return "attended" if chance < 0.9 else "booked"


def _ranks(person: Person, evening: Evening, random: Random) -> Sequence[tuple[int, int]]:
    """Return quantity and price in cents of each line: one, or with children two."""
    dear, cheap = evening.prices
    if person.is_institution:
        return ((person.party, cheap * 100),)
    euro = dear if random.random() < 0.55 else cheap if random.random() < 0.5 else (dear + cheap) // 2
    cents = _discounted(euro * 100, person.card, random)
    if "families" in evening.audiences:
        return ((1 + (person.party > 1), cents), (1 + random.randrange(2), cheap * 80))
    quantity = person.party if random.random() < 0.75 else random.choice((1, 2, 2, 4))
    return ((quantity, cents),)


def _discounted(cents: int, card: str | None, random: Random) -> int:
    if card == "jongerenkaart":
        return cents // 2
    if card == "lantaarnkaart":
        return cents * 85 // 100
    if card == "seniorenkaart":
        return cents - 200
    if card == "uitpas" and random.random() < 0.3:
        return 300
    return cents if random.random() > 0.02 else 0
