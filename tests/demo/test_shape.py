"""Is the invented house believable? Shares, seasons and tails of what is generated, before any database."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from random import Random

import pytest
from dateutil.relativedelta import relativedelta

from app.accounts.addresses import normalise_email
from app.demo import house
from app.demo.people import Person, make_people
from app.demo.permissions import Said, said_by
from app.demo.programme import Evening, make_programme, season_of, season_starts
from app.demo.school_holidays import holiday_on
from app.demo.visits import Diary, Line, visits_of

TODAY = date(2026, 11, 20)
CONTACTS = 8000
FIRST_ON = season_starts(season_of(TODAY) - 4)
RESERVED = re.compile(r"(.+\.)?example(\.org)?")


@dataclass(frozen=True, slots=True)
class Town:
    """Everything the generators made for one seed."""

    programme: list[Evening]
    people: list[Person]
    lines: dict[int, list[Line]]

    def visits(self, number: int) -> list[Line]:
        return [line for line in self.lines[number] if line.status not in ("cancelled", "refunded")]

    @property
    def all_lines(self) -> list[Line]:
        return [line for lines in self.lines.values() for line in lines]


@pytest.fixture(scope="module")
def town() -> Town:
    programme = make_programme(seed=7, today=TODAY, time_zone="Europe/Brussels", seasons=5, scale=0.5)
    people = list(make_people(CONTACTS, seed=7, first_on=FIRST_ON, today=TODAY))
    diary, random = Diary(programme, time_zone="Europe/Brussels"), Random("shape")
    return Town(programme, people, {each.number: visits_of(each, diary, today=TODAY, random=random) for each in people})


def share(part: int, whole: int) -> float:
    return part / whole


def test_there_are_fifteen_genres_in_every_season(town: Town) -> None:
    by_season: dict[int, set[str]] = {}
    for evening in town.programme:
        by_season.setdefault(season_of(evening.starts_on), set()).add(evening.genre)
    assert len(house.GENRES) == 15
    assert {season: len(genres) for season, genres in by_season.items()} == dict.fromkeys(range(2022, 2027), 15)


def test_the_house_is_dark_in_summer_and_on_christmas_eve(town: Town) -> None:
    dated = [evening for evening in town.programme if evening.starts_at is not None]
    assert len(dated) > 300
    assert not [each for each in dated if each.starts_on.month in (7, 8)]
    assert not [each for each in dated if (each.starts_on.month, each.starts_on.day) == (12, 24)]


def test_evenings_prefer_the_end_of_the_week_and_families_the_weekend_and_holidays(town: Town) -> None:
    theatre = Counter(e.starts_on.isoweekday() for e in town.programme if e.genre == "theater")
    assert theatre[5] + theatre[6] > theatre[1] + theatre[2] + theatre[7]
    families = [each for each in town.programme if "families" in each.audiences]
    free = [each for each in families if each.starts_on.isoweekday() in (3, 6, 7) or holiday_on(each.starts_on)]
    assert share(len(free), len(families)) > 0.8


def test_schools_come_on_school_days(town: Town) -> None:
    shows = [each for each in town.programme if "scholen" in each.audiences and each.moved_on is None]
    assert len(shows) > 20
    assert not [each for each in shows if each.starts_on.isoweekday() > 5 or holiday_on(each.starts_on)]


def test_most_people_come_once_or_twice_and_a_few_a_hundred_times(town: Town) -> None:
    counts = [len({line.evening.number for line in town.lines[each.number]}) for each in town.people]
    came = [count for count in counts if count]
    assert 0.5 < share(sum(count <= 2 for count in came), len(came)) < 0.8
    assert 3 <= sum(count >= 100 for count in came) <= CONTACTS / 250
    heaviest = sorted(came, reverse=True)[: len(came) // 10]
    assert 0.4 < share(sum(heaviest), sum(came)) < 0.75


def test_no_evening_is_oversold(town: Town) -> None:
    sold: Counter[int] = Counter()
    for line in town.all_lines:
        sold[line.evening.number] += line.quantity
    for evening in town.programme:
        assert evening.starts_at is None or sold[evening.number] <= evening.hall.seats


def test_lapsers_newcomers_and_loyal_people_are_there_in_believable_shares(town: Town) -> None:
    lapsed_since, until = TODAY - relativedelta(months=48), TODAY - relativedelta(months=18)
    lapsers = newcomers = loyal = 0
    for person in town.people:
        days = [line.activity_on for line in town.visits(person.number)]
        lapsers += sum(lapsed_since <= day < until for day in days) >= 3 and max(days) < until
        newcomers += len(set(days)) == 1 and TODAY - timedelta(days=60) <= days[0] <= TODAY
        loyal += sum(TODAY - timedelta(days=365) <= day <= TODAY for day in days) >= 3
    assert 0.03 < share(lapsers, CONTACTS) < 0.15
    assert 0.01 < share(newcomers, CONTACTS) < 0.08
    assert 0.05 < share(loyal, CONTACTS) < 0.25


def test_some_book_at_the_last_minute_some_months_ahead_and_nobody_after_the_fact(town: Town) -> None:
    leads = [(line.activity_on - line.booked_on).days for line in town.all_lines]
    assert min(leads) == 0
    assert 0.08 < share(sum(lead <= 2 for lead in leads), len(leads)) < 0.3
    assert 0.1 < share(sum(lead > 90 for lead in leads), len(leads)) < 0.45
    assert all(line.booked_on < TODAY for line in town.all_lines)
    ahead = [line for line in town.all_lines if line.activity_on > TODAY]
    assert len(ahead) > 500
    assert not [line for line in ahead if line.status == "attended"]


def test_cancelled_and_moved_evenings_happen_and_their_tickets_say_so(town: Town) -> None:
    cancelled = {each.number for each in town.programme if each.cancelled_on}
    moved = {each.number for each in town.programme if each.moved_on}
    assert cancelled
    assert moved
    at_cancelled = [line for line in town.all_lines if line.evening.number in cancelled]
    assert at_cancelled
    assert {line.status for line in at_cancelled} <= {"refunded", "cancelled"}
    statuses = Counter(line.status for line in town.all_lines)
    assert set(statuses) == {"attended", "booked", "cancelled", "refunded", "pending"}
    assert 0.005 < share(statuses["refunded"], sum(statuses.values())) < 0.05


def test_free_and_reduced_tickets_exist_and_no_price_is_negative(town: Town) -> None:
    cents = [line.cents for line in town.all_lines]
    assert min(cents) == 0
    assert max(cents) < 100_000_00
    assert len({each // line.quantity for line, each in zip(town.all_lines, cents, strict=True)}) > 30


def test_nothing_leads_to_anybody_real(town: Town) -> None:
    addresses = [a for each in town.people for a in (each.email, each.other_email) if a]
    assert len(addresses) == len({address.lower() for address in addresses})
    for address in addresses:
        assert RESERVED.fullmatch(address.lower().partition("@")[2]), address
        assert normalise_email(address) == address.lower()
    phones = {each.phone for each in town.people if each.phone}
    assert all(re.fullmatch(r"\+32400\d{6}|\+3160000\d{4}", phone) for phone in phones)


def test_the_town_is_mixed_as_towns_are(town: Town) -> None:
    languages = Counter(each.language for each in town.people)
    assert 0.75 < share(languages["nl"], CONTACTS) < 0.95
    assert languages["fr"] > 100
    assert languages["en"] > 50
    assert len(languages) >= 5
    assert 0.02 < share(sum(each.place.country == "NL" for each in town.people), CONTACTS) < 0.1
    assert 0.3 < share(sum(each.birth_date is not None for each in town.people), CONTACTS) < 0.6
    assert 0.01 < share(sum("bouncing" in each.deliverability for each in town.people), CONTACTS) < 0.08
    assert 0.02 < share(sum(each.email is None for each in town.people), CONTACTS) < 0.15


def test_households_share_a_roof_and_sometimes_a_name(town: Town) -> None:
    roofs: dict[tuple[str, str], list[Person]] = {}
    for person in town.people:
        if person.street and not person.is_institution:
            roofs.setdefault((person.street, person.postcode), []).append(person)
    pairs = [(a, b) for held in roofs.values() for a, b in pairwise(held) if b.number == a.number + 1]
    assert 0.1 < share(len(pairs), CONTACTS) < 0.25
    assert 0.3 < share(sum(a.family_name == b.family_name for a, b in pairs), len(pairs)) < 0.75


def test_people_said_yes_no_and_nothing(town: Town) -> None:
    random, said = Random("words"), list[list[Said]]()
    diary = Diary(town.programme, time_zone="Europe/Brussels")
    until = diary.instant(TODAY, Random(1))
    for person in town.people:
        lines = town.lines[person.number]
        met_at = lines[0].booked_at if lines else diary.instant(person.begins_on, random)
        said.append(said_by(person, lines, met_at=met_at, until=until, random=random))
    actions = Counter(each.action for words in said for each in words)
    assert set(actions) == {"granted", "requested", "confirmed", "refused", "withdrawn", "objected", "noted"}
    assert {each.basis for words in said for each in words} == {"consent", "soft_opt_in", "impersonal_address", None}
    assert 0.1 < share(sum(not words for words in said), CONTACTS) < 0.35
    assert all(a.at <= b.at for words in said for a, b in pairwise(words))
    assert all(not words for words, person in zip(said, town.people, strict=True) if person.email is None)
