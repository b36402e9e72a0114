"""What was, is and will be on: every evening of every season, the same for the same seed and day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import count
from random import Random
from zoneinfo import ZoneInfo

from app.demo import house
from app.demo.house import Genre, Hall
from app.demo.school_holidays import holiday_on
from app.demo.titles import title_of

SEASON_MONTHS = (9, 10, 11, 12, 1, 2, 3, 4, 5, 6)
DARK_NIGHTS = ((12, 24), (12, 25), (12, 31), (1, 1))
CANCELLED_SHARE = 0.012
MOVED_SHARE = 0.012
SCHOOL_SHOWS = 12
WORKSHOPS = 14


@dataclass(frozen=True, slots=True)
class Evening:
    """One activity. ``starts_at`` None: open for weeks, come when you like (``starts_on`` is then its first day).

    ``weight``: its share of the demand. ``moved_on``: the day it was moved to another date, ``cancelled_on``: the day
    it was called off.
    """

    number: int
    title: str
    kind: str
    genre: str
    genres: tuple[str, ...]
    series: str | None
    hall: Hall
    audiences: tuple[str, ...]
    starts_on: date
    last_on: date
    starts_at: datetime | None
    ends_at: datetime | None
    on_sale_on: date
    prices: tuple[int, int]
    lead_days: int
    weight: float
    moved_on: date | None = None
    cancelled_on: date | None = None

    @property
    def external_id(self) -> str:
        """The number the box office knows it by."""
        return f"V{self.number:06d}"


def season_of(day: date) -> int:
    """Return the year in which the season of a day began; July and August belong to the season before."""
    return day.year if day.month >= 9 else day.year - 1


def season_starts(season: int) -> date:
    """Return the first day of a season."""
    return date(season, 9, 1)


def make_programme(*, seed: int, today: date, time_zone: str, seasons: int, scale: float) -> list[Evening]:
    """Return every evening of the last ``seasons`` seasons, the running one included, by date.

    ``scale`` is the size of the house against one with twenty thousand contacts.
    """
    random = Random(f"programme {seed}")
    numbers = count(1)
    zone = ZoneInfo(time_zone)
    first = season_of(today) - seasons + 1
    evenings = [
        evening
        for season in range(first, first + seasons)
        for evening in _season(season, scale=scale, random=random, numbers=numbers, zone=zone)
    ]
    evenings = [_with_trouble(evening, random=random, today=today, zone=zone) for evening in evenings]
    return sorted(evenings, key=lambda evening: (evening.starts_on, evening.number))


def _season(season: int, *, scale: float, random: Random, numbers: Iterator[int], zone: ZoneInfo) -> Iterator[Evening]:
    for genre in house.GENRES:
        for _ in range(max(1, round(genre.productions * scale))):
            yield from _production(genre, season, random=random, numbers=numbers, zone=zone)
    for _ in range(round(SCHOOL_SHOWS * scale)):
        yield _school_show(season, random=random, number=next(numbers), zone=zone)
    for _ in range(round(WORKSHOPS * scale)):
        yield _workshop(season, random=random, number=next(numbers), zone=zone)


def _production(
    genre: Genre, season: int, *, random: Random, numbers: Iterator[int], zone: ZoneInfo
) -> Iterator[Evening]:
    hall = random.choice(genre.halls)
    popularity = random.lognormvariate(0, 0.55)
    first = Evening(
        number=next(numbers),
        title=title_of(genre.code, random),
        kind=genre.kind,
        genre=genre.code,
        genres=_genres(genre, random),
        series=random.choice(house.SERIES.get(genre.code, (None,))),
        hall=hall,
        audiences=genre.audiences,
        starts_on=_day(genre, season, random),
        last_on=date.max,
        starts_at=None,
        ends_at=None,
        on_sale_on=_on_sale(season, random),
        prices=(genre.prices[0] + random.choice((-2, 0, 0, 2)), genre.prices[1]),
        lead_days=genre.lead_days,
        weight=genre.draw * popularity * hall.seats**0.8,
    )
    if genre.kind == "exhibition":
        yield replace(first, last_on=first.starts_on + timedelta(days=random.randrange(60, 120)))
        return
    for night in range(random.choice(genre.nights)):
        day = first.starts_on + timedelta(days=night)
        if night and (_is_dark(day) or genre.days[day.weekday()] < 0.3):
            continue
        number = first.number if night == 0 else next(numbers)
        yield _on(replace(first, number=number), day, _hour(genre, day), zone)


def _genres(genre: Genre, random: Random) -> tuple[str, ...]:
    """Return the genre, and now and then a second one: where dance meets circus, or theatre meets music."""
    if genre.code in ("theater", "dans", "circus", "familie") and random.random() < 0.12:
        other = random.choice([code for code in ("theater", "dans", "circus", "jazz") if code != genre.code])
        return (genre.code, other)
    return (genre.code,)


def _day(genre: Genre, season: int, random: Random) -> date:
    """Return a day for a genre: its months, its weekdays, families in school holidays, dark nights left out."""
    while True:
        month = random.choices(SEASON_MONTHS, weights=genre.months)[0]
        day = date(season if month >= 9 else season + 1, month, random.randrange(1, 29))
        if month == 9 and day.day < 8:
            continue
        is_family = "families" in genre.audiences or genre.code == "musical"
        chance = genre.days[day.weekday()]
        if is_family and holiday_on(day):
            chance = max(chance, 2.0) * 1.8
        if not _is_dark(day) and random.random() * 7.2 < chance:
            return day


def _is_dark(day: date) -> bool:
    return day.month in (7, 8) or (day.month, day.day) in DARK_NIGHTS


def _hour(genre: Genre, day: date) -> time:
    if genre.hour == 20 and day.weekday() == 6:
        return time(15, 0)
    return time(genre.hour, 0 if genre.hour != 20 else 15)


def _on_sale(season: int, random: Random) -> date:
    """Return the day tickets go on sale: with the brochure in May, or later for what is added on the way."""
    if random.random() < 0.85:
        return date(season, 5, 17)
    return date(season, 9, 1) + timedelta(days=random.randrange(0, 50))


def _on(evening: Evening, day: date, hour: time, zone: ZoneInfo) -> Evening:
    starts_at = datetime.combine(day, hour, zone)
    lasts = timedelta(minutes=75 if evening.hall is house.STUDIO else 100)
    on_sale_on = min(evening.on_sale_on, day - timedelta(days=30))
    return replace(
        evening, starts_on=day, last_on=day, starts_at=starts_at, ends_at=starts_at + lasts, on_sale_on=on_sale_on
    )


def _school_show(season: int, *, random: Random, number: int, zone: ZoneInfo) -> Evening:
    genre = _genre(random.choice(house.SCHOOL_GENRES))
    while True:
        day = _day(replace(genre, days=house.EVERY_DAY, audiences=("scholen",)), season, random)
        if day.weekday() < 5 and holiday_on(day) is None:
            break
    show = _single(
        genre, season, title=f"Schoolvoorstelling: {title_of(genre.code, random)}", number=number, random=random
    )
    show = replace(show, audiences=("scholen",), prices=(7, 7), weight=show.weight * 0.2, lead_days=60)
    return _on(show, day, time(10 if random.random() < 0.6 else 13, 30), zone)


def _workshop(season: int, *, random: Random, number: int, zone: ZoneInfo) -> Evening:
    code, title = random.choice(house.WORKSHOPS)
    genre = _genre(code)
    day = _day(replace(genre, days=(0, 0, 2, 0, 0, 3, 2)), season, random)
    workshop = _single(genre, season, title=title, number=number, random=random)
    workshop = replace(workshop, kind="workshop", hall=house.STUDIO, series="Ateliers", prices=(25, 18), weight=25.0)
    return _on(workshop, day, time(14, 0), zone)


def _genre(code: str) -> Genre:
    return next(genre for genre in house.GENRES if genre.code == code)


def _single(genre: Genre, season: int, *, title: str, number: int, random: Random) -> Evening:
    hall = random.choice(genre.halls)
    return Evening(
        number=number,
        title=title,
        kind="performance",
        genre=genre.code,
        genres=(genre.code,),
        series=None,
        hall=hall,
        audiences=genre.audiences,
        starts_on=season_starts(season),
        last_on=date.max,
        starts_at=None,
        ends_at=None,
        on_sale_on=_on_sale(season, random),
        prices=genre.prices,
        lead_days=genre.lead_days,
        weight=genre.draw * hall.seats**0.8,
    )


def _with_trouble(evening: Evening, *, random: Random, today: date, zone: ZoneInfo) -> Evening:
    """Call off an evening now and then, or move it; both become known some weeks before."""
    chance = random.random()
    notice = timedelta(days=random.randrange(3, 40))
    known_on = evening.starts_on - notice
    if evening.starts_at is None or known_on >= today or chance > CANCELLED_SHARE + MOVED_SHARE:
        return evening
    if chance < CANCELLED_SHARE:
        return replace(evening, cancelled_on=known_on)
    moved_to = evening.starts_on + timedelta(days=random.choice((7, 14, 21)))
    if _is_dark(moved_to):
        return evening
    return replace(_on(evening, moved_to, evening.starts_at.time(), zone), moved_on=known_on)
