"""The engine against a plain interpreter of journeys, written from their meaning, one person at a time.

Hypothesis makes journeys, people and the moments at which a worker looks (late, often, or not for days); both must have
done the same to everybody after every look.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.journeys.definition import Portion, Split
from app.journeys.moments import portions_of
from app.journeys.moving.arrivals import Happening, arrived
from tests.conftest import NOW
from tests.journeys.moving.house import API, Json, Walks

ZONE = ZoneInfo("Europe/Brussels")
NAMES = ("an", "ben", "cas")
COLOURS = ("rood", "blauw", "groen")
# The Saturday before the clocks change, and the day before 29 February.
BEGINNINGS = (NOW, datetime(2026, 10, 24, 10, tzinfo=NOW.tzinfo), datetime(2028, 2, 28, 23, 30, tzinfo=NOW.tzinfo))


class Exited(Exception):
    """The person left at an exit."""


@dataclass
class Person:
    """One person in the interpreter."""

    contact_id: int
    tags: set[str] = field(default_factory=set)
    happened: set[str] = field(default_factory=set)
    now: datetime = NOW
    at: str | None = None
    state: str = "active"

    def walk(self, journey_id: int, steps: list[Json]) -> Iterator[None]:
        """Go on as far as time allows; stops (yields) where they must wait."""
        for step in steps:
            self.at = step["id"]
            match step["type"]:
                case "tag":
                    self.tags = (self.tags - set(step["remove"])) | set(step["add"])
                case "wait":
                    until = self.later(step["for"])
                    while self.now < until:
                        yield
                case "choose":
                    way = next((b["steps"] for b in step["branches"] if b["when"]["tag"] in self.tags), None)
                    yield from self.walk(journey_id, step["otherwise"] if way is None else way)
                case "split":
                    portions = tuple(Portion(b["name"], b["weight"]) for b in step["branches"])
                    way = portions_of(Split(step["id"], portions), journey_id=journey_id).of(self.contact_id)
                    yield from self.walk(journey_id, step["branches"][way]["steps"])
                case "wait_for":
                    until = self.later(step["timeout"])
                    while step["id"] not in self.happened and self.now < until:
                        yield
                    way = "then" if step["id"] in self.happened else "otherwise"
                    yield from self.walk(journey_id, step[way])
                case "exit":
                    raise Exited

    def later(self, span: str) -> datetime:
        """Days keep the time of day, hours pass."""
        if span.startswith("PT"):
            return self.now + timedelta(hours=int(span[2:-1]))
        local = self.now.astimezone(ZONE).replace(tzinfo=None) + timedelta(days=int(span[1:-1]))
        return local.replace(tzinfo=ZONE, fold=0).astimezone(NOW.tzinfo)

    def look(self, way: Iterator[None], now: datetime) -> None:
        """A worker looks."""
        self.now = now
        try:
            next(way)
        except StopIteration:
            self.state = "completed"
        except Exited:
            self.state = "exited"


def steps(depth: int = 2) -> st.SearchStrategy[list[Json]]:
    colours = st.sampled_from(COLOURS)
    marks = st.fixed_dictionaries({"type": st.just("tag"), "add": st.just([]), "remove": st.just([])}).flatmap(
        lambda base: colours.flatmap(lambda one: st.sampled_from([{**base, "add": [one]}, {**base, "remove": [one]}]))
    )
    waits = st.builds(
        lambda span: {"type": "wait", "for": span}, st.sampled_from(["P1D", "P2D", "PT24H", "PT1H", "P0D"])
    )
    plain = st.one_of(marks, marks, waits, waits, st.just({"type": "exit"}) if depth < 2 else waits)
    if not depth:
        return st.lists(plain, max_size=3)
    inner = steps(depth - 1)
    chooses = st.builds(
        lambda colour, then, otherwise: {
            "type": "choose",
            "branches": [{"when": {"type": "tag", "tag": colour}, "steps": then}],
            "otherwise": otherwise,
        },
        colours, inner, inner,
    )  # fmt: skip
    splits = st.builds(
        lambda a, b: {
            "type": "split",
            "branches": [{"name": "A", "weight": 1, "steps": a}, {"name": "B", "weight": 2, "steps": b}],
        },
        inner, inner,
    )  # fmt: skip
    fors = st.builds(
        lambda span, then, otherwise: {
            "type": "wait_for", "trigger": API, "timeout": span, "then": then, "otherwise": otherwise,
        },
        st.sampled_from(["P1D", "PT3H"]), inner, inner,
    )  # fmt: skip
    return st.lists(st.one_of(plain, plain, chooses, splits, fors), max_size=4)


def named(given_steps: list[Json], numbers: Iterator[int]) -> list[Json]:
    """The same steps, each with an id of its own."""
    told = []
    for step in given_steps:
        one = {"id": f"s{next(numbers)}", **step}
        for key in ("then", "otherwise"):
            if key in one:
                one[key] = named(one[key], numbers)
        if "branches" in one:
            one["branches"] = [{**branch, "steps": named(branch["steps"], numbers)} for branch in one["branches"]]
        told.append(one)
    return told


looks = st.lists(
    st.tuples(st.sampled_from([0, 1, 60, 1440, 1500, 3000]), st.sampled_from([None, *NAMES])), min_size=1, max_size=8
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(raw=steps(), moments=looks, begins_at=st.sampled_from(BEGINNINGS), colours=st.lists(st.sampled_from(COLOURS)))
def test_the_engine_does_what_a_plain_interpreter_does(
    house: Walks, raw: list[Json], moments: list[tuple[int, str | None]], begins_at: datetime, colours: list[str]
) -> None:
    told = named(raw, count()) or [{"id": "s0", "type": "exit"}]
    house.now = begins_at
    house.stop_everybody()
    for name in NAMES:
        if name not in house.names:
            house.friend(name)
        house.set("contact", house.names[name], tags=list(set(colours)))
    journey = house.run_unchecked(*told)
    ways = dict(zip(NAMES, house.come_in(journey, *NAMES), strict=True))
    people = {name: Person(house.names[name], set(colours)) for name in NAMES}
    walks = {name: people[name].walk(journey, told) for name in NAMES}
    for minutes, heard in moments:
        house.later(minutes=minutes)
        if heard is not None:
            _tell(house, people[heard], ways[heard], told)
        house.move()
        for name, person in people.items():
            if person.state == "active":
                person.look(walks[name], house.now)
            way = house.where(ways[name])
            assert (way.state, set(house.tags(name))) == (person.state, person.tags)
            if person.state == "active":
                assert way.step_id == person.at


def _tell(house: Walks, person: Person, enrolment_id: int, told: list[Json]) -> None:
    """What they wait for happens now; both count it only while they wait and the time is not up."""
    way = house.where(enrolment_id)
    kinds: dict[str, str] = dict(_kinds(told))
    if way.state != "active" or not way.is_waiting or kinds.get(way.step_id or "") != "wait_for":
        return
    assert way.step_id == person.at
    happening = Happening(enrolment_id, way.step_id or "", f"told:{house.now.isoformat()}", house.now)
    if house.do(lambda session: arrived(session, [happening])):
        person.happened.add(way.step_id or "")


def _kinds(told: list[Json]) -> Iterator[tuple[str, Any]]:
    for step in told:
        yield step["id"], step["type"]
        for inner in (step.get("then"), step.get("otherwise"), *(one["steps"] for one in step.get("branches", []))):
            yield from _kinds(inner or [])
