"""Walking somebody through a journey in thought: the steps and instants they would take, and why.

It uses the pure rules that the engine uses (``route``, ``moments``) and asks the database only about the person: which
branch a rule sends them down on that day, what the gate, the cap and the quiet hours would say to a mail. All of it in
a part of the transaction in which the database refuses every write.

What cannot be known is assumed, and said: what somebody waits for does not come in time unless ``answers`` says so, and
rules about a day to come are worked out with what is known of the person today.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.accounts.organisations import current_organisation
from app.activities.history import settle
from app.activities.models import Activity, Participation
from app.consent.explain import explain
from app.db import ScopedSession
from app.journeys import definition as nodes
from app.journeys.entering.by_contract import brings_permission
from app.journeys.entering.enrolling import needs_permission
from app.journeys.invented import Invented, holds_for
from app.journeys.moments import moment_of, portions_of, times_out, wait_ends
from app.journeys.route import Route, route_of
from app.journeys.schemas import parse_definition
from app.journeys.spans import instant_of
from app.mailings.frequency import Limits, free_at, limits_of, mailed_lately
from app.mailings.mailings import is_marketing
from app.segments.building.checking import check_person
from app.segments.closures import closed_periods
from app.segments.definitions import complete_rule
from app.segments.language import rules

STEPS_MAX = 400
SHARE_SEED = 0


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a rule, in words, and whether it held."""

    told: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a rule held on a day, and the conditions that it was made of."""

    holds: bool
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class SimStep:
    """A step somebody would take: ``at`` they come, ``until`` they stay, and what comes of it.

    ``outcome``: done, waits, passed_over or leaves; ``reason`` a code. ``branch`` is the place of the way they go;
    ``answers`` are what each rule of a choice said, up to the one that held. Of a mail: ``leaves_at``, when it would
    leave, with ``notes`` (codes) on what the gate, the cap and the quiet hours say.
    """

    step_id: str
    at: datetime
    outcome: str = "done"
    reason: str | None = None
    until: datetime | None = None
    branch: int | None = None
    answers: tuple[Answer, ...] = ()
    leaves_at: datetime | None = None
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Simulation:
    """The whole way: whether they would enter (``entry``: ``yes``, or a code why not), the steps, and how it ends."""

    entry: str
    only: Answer | None = None
    steps: list[SimStep] = field(default_factory=list)
    ended: str = ""
    ends_at: datetime | None = None
    assumptions: list[str] = field(default_factory=list)


class Subject(Protocol):
    """Who is walked through: somebody of the house, or somebody who does not exist."""

    @property
    def number(self) -> int:
        """The contact's id, by which a split divides; any number for who does not exist."""

    def asks(self, session: ScopedSession, rule: object, parsed: rules.Rule, *, on: date) -> Answer:
        """Whether a rule (JSON, and read) holds for them on a day."""

    def gate(self, session: ScopedSession, purpose: str) -> str | None:
        """Why no mail may leave to them now, as a code; None where it may."""

    def mailed(self, session: ScopedSession, limits: Limits, *, at: datetime) -> list[datetime]:
        """When they got marketing lately."""


@dataclass(frozen=True, slots=True)
class Somebody:
    """A contact of the house; conditions are told in ``language``."""

    contact_id: int
    language: str = "nl"

    @property
    def number(self) -> int:
        """The contact's id."""
        return self.contact_id

    def asks(self, session: ScopedSession, rule: object, _parsed: rules.Rule, *, on: date) -> Answer:
        """Ask the database, condition by condition."""
        found = check_person(session, rule, contact_id=self.contact_id, at=on, language=self.language)
        if found is None:
            return Answer(False)
        return Answer(found.holds, tuple(Condition(one.told, one.holds) for one in found.conditions))

    def gate(self, session: ScopedSession, purpose: str) -> str | None:
        """What the gate would say now."""
        answer = explain(session, self.contact_id, channel="email", purpose=purpose)
        return None if answer.is_allowed else answer.reason

    def mailed(self, session: ScopedSession, limits: Limits, *, at: datetime) -> list[datetime]:
        """Marketing within the days of the cap."""
        return mailed_lately(session, [self.contact_id], limits, at=at).get(self.contact_id, [])


@dataclass(frozen=True, slots=True)
class Nobody:
    """Somebody invented: see ``invented``."""

    facts: Invented

    @property
    def number(self) -> int:
        """Always the same."""
        return SHARE_SEED

    def asks(self, _session: ScopedSession, _rule: object, parsed: rules.Rule, *, on: date) -> Answer:
        """Work it out from the facts."""
        return Answer(holds_for(parsed, self.facts, on=on))

    def gate(self, _session: ScopedSession, _purpose: str) -> str | None:
        """As the facts say."""
        return None if self.facts.may_be_mailed else "no_permission"

    def mailed(self, _session: ScopedSession, _limits: Limits, *, at: datetime) -> list[datetime]:
        """Nothing was ever mailed to them, not even before ``at``."""
        return []


@contextmanager
def without_writing(session: ScopedSession) -> Iterator[None]:
    """A part of the transaction in which the database refuses every write; what was read of rows is forgotten."""
    session.flush()
    with session.begin_nested() as part, session.no_autoflush:
        session.execute(sa.text("SET TRANSACTION READ ONLY"))
        yield
        part.rollback()


def simulate(
    session: ScopedSession,
    definition: Mapping[str, Any],
    subject: Subject,
    *,
    at: datetime,
    journey_id: int = 0,
    starts_at: datetime | None = None,
    answers: Mapping[str, Any] | None = None,
) -> Simulation:
    """Walk ``subject`` through a definition (JSON) from the instant ``at`` on; writes nothing.

    ``starts_at`` is when the activity begins that the journey is about (``None``: the newest booking of the contact).
    ``answers`` says by step id what shall happen where it cannot be known: ``{"s4": "then"}`` for a wait, or the place
    of a branch. Raises InvalidDefinitionError, or TooSlowError where a rule takes too long.
    """
    route = route_of(parse_definition(definition))
    settle(session)
    with without_writing(session):
        zone = ZoneInfo(current_organisation(session).time_zone)
        return _Walk(session, definition, route, subject, zone, journey_id, starts_at, dict(answers or {})).all(at)


class _Walk:
    def __init__(  # noqa: PLR0917 (made in one place, just above)
        self,
        session: ScopedSession,
        data: Mapping[str, Any],
        route: Route,
        subject: Subject,
        zone: ZoneInfo,
        journey_id: int,
        starts_at: datetime | None,
        answers: dict[str, Any],
    ) -> None:
        self.session, self.data, self.route, self.subject, self.zone = session, data, route, subject, zone
        self.journey_id, self.answers = journey_id, answers
        self.limits = limits_of(session)
        self.is_marketing = is_marketing(session, route.definition.purpose)
        self.mails: list[datetime] | None = None
        self.starts_at = starts_at or self._booked()
        self.walk = Simulation("yes")

    def all(self, at: datetime) -> Simulation:
        """Enter, then step by step to the end."""
        definition = self.route.definition
        if definition.only is not None:
            self.walk.only = self._ask(self.data.get("only"), definition.only, at)
            if not self.walk.only.holds:
                self.walk.entry = "only"
                return self.walk
        # A booking of theirs would be the reason why they may be mailed: it is taken to be there.
        brings = brings_permission(self.session, definition)
        if not brings and needs_permission(definition) and self.subject.gate(self.session, definition.purpose):
            self.walk.entry = "no_permission"
            return self.walk
        step_id, entered = self.route.first, at
        while step_id is not None and len(self.walk.steps) < STEPS_MAX:
            if self._reached_goal(entered, at):
                return self._end("goal_reached", at)
            if not brings and self._may_not_go_on():
                return self._end("no_permission", at)
            taken, step_id = self._take(self.route.steps[step_id], at)
            self.walk.steps.append(taken)
            at = taken.until or at
            if taken.outcome == "leaves":
                return self._end(taken.reason or "exit", at)
        return self._end("end", at)

    def _end(self, because: str, at: datetime) -> Simulation:
        self.walk.ended, self.walk.ends_at = because, at
        return self.walk

    def _reached_goal(self, entered: datetime, at: datetime) -> bool:
        goal = self.route.definition.goal
        if goal is None or at > goal.within.after(entered, self.zone):
            return False
        return self._ask(self.data["goal"]["rule"], goal.rule, at).holds

    def _may_not_go_on(self) -> bool:
        """Who may not be mailed leaves a journey that mails; who only asked for a pause stays."""
        mails = any(isinstance(step, nodes.Send) for step in self.route.steps.values())
        return mails and self.subject.gate(self.session, self.route.definition.purpose) not in (None, "paused")

    def _ask(self, rule: object, parsed: rules.Rule, at: datetime) -> Answer:
        whole = rules.with_closed_days(complete_rule(self.session, parsed), closed_periods(self.session))
        return self.subject.asks(self.session, rule, whole, on=at.astimezone(self.zone).date())

    # --- one step ---

    def _take(self, step: nodes.Step, at: datetime) -> tuple[SimStep, str | None]:  # noqa: PLR0911 (one case each)
        after = self.route.after(step.id)
        match step:
            case nodes.Send():
                return self._send(step, at), after
            case nodes.Wait():
                return SimStep(step.id, at, "waits", until=wait_ends(step, at, self.zone)), after
            case nodes.WaitUntil():
                return self._until(step, at)
            case nodes.WaitFor():
                return self._for(step, at)
            case nodes.Choose():
                return self._choose(step, at)
            case nodes.Split():
                chosen = self._chosen(step.id, len(step.portions))
                way = (
                    portions_of(step, journey_id=self.journey_id).of(self.subject.number) if chosen is None else chosen
                )
                return SimStep(step.id, at, branch=way), self.route.into(step.id, way)
            case nodes.Exit():
                return SimStep(step.id, at, "leaves", "exit"), None
            case _:
                return SimStep(step.id, at), after

    def _until(self, step: nodes.WaitUntil, at: datetime) -> tuple[SimStep, str | None]:
        if self.starts_at is None:
            return SimStep(step.id, at, "leaves", "no_activity"), None
        moment = moment_of(step, self.starts_at, self.zone)
        if moment > at:
            return SimStep(step.id, at, "waits", until=moment), self.route.after(step.id)
        match step.if_past:
            case "now":
                return SimStep(step.id, at, reason="moment_passed"), self.route.after(step.id)
            case "exit":
                return SimStep(step.id, at, "leaves", "moment_passed"), None
            case _:
                return SimStep(step.id, at, "passed_over", "moment_passed"), self.route.next_wait(step.id)

    def _for(self, step: nodes.WaitFor, at: datetime) -> tuple[SimStep, str | None]:
        out = times_out(step, at, self.zone)
        if self.answers.get(step.id) == "then":
            return SimStep(step.id, at, "waits", "happened", at + (out - at) / 2, 0), self.route.into(step.id, 0)
        if step.id not in self.answers:
            self.walk.assumptions.append("nothing_happens")
        return SimStep(step.id, at, "waits", "timed_out", out, 1), self.route.into(step.id, 1)

    def _choose(self, step: nodes.Choose, at: datetime) -> tuple[SimStep, str | None]:
        given, chosen = self._json(step.id), self._chosen(step.id, len(step.branches) + 1)
        asked: list[Answer] = []
        for place, branch in enumerate(step.branches):
            asked.append(self._ask(given["branches"][place]["when"], branch.when, at))
            if asked[-1].holds:
                break
        found = len(asked) - 1 if asked and asked[-1].holds else len(step.branches)
        way = found if chosen is None else chosen
        reason = None if chosen is None else "chosen_by_hand"
        return SimStep(step.id, at, reason=reason, branch=way, answers=tuple(asked)), self.route.into(step.id, way)

    def _chosen(self, step_id: str, count: int) -> int | None:
        given = self.answers.get(step_id)
        return given if isinstance(given, int) and not isinstance(given, bool) and 0 <= given < count else None

    # --- a mail ---

    def _send(self, step: nodes.Send, at: datetime) -> SimStep:
        purpose = self.route.definition.purpose
        refused = self.subject.gate(self.session, purpose)
        if refused is not None:
            return SimStep(step.id, at, "passed_over", refused)
        leaves = at
        notes: list[str] = []
        if self.is_marketing:
            leaves, notes = self._held_up(at)
            self._mailed(at).append(leaves)
        return SimStep(step.id, at, leaves_at=leaves, notes=tuple(notes))

    def _held_up(self, at: datetime) -> tuple[datetime, list[str]]:
        """When a marketing mail leaves: after the cap, then after the quiet hours of the house and of the journey."""
        notes: list[str] = []
        leaves = at
        since = at - timedelta(days=self.limits.cap_days)
        free = free_at([one for one in self._mailed(at) if one > since], self.limits)
        if free is not None and free > leaves:
            leaves, notes = free, ["capped"]
        for quiet in self._quiet():
            if quiet.holds(leaves.astimezone(self.zone).time()):
                leaves = _after_quiet(quiet, leaves, self.zone)
                notes.append("quiet")
        return leaves, list(dict.fromkeys(notes))

    def _quiet(self) -> list[nodes.Quiet]:
        since, until = self.limits.quiet_from, self.limits.quiet_until
        house = [nodes.Quiet(since, until)] if since is not None and until is not None and since != until else []
        own = self.route.definition.quiet
        return [*house, own] if own is not None else house

    def _mailed(self, at: datetime) -> list[datetime]:
        if self.mails is None:
            self.mails = self.subject.mailed(self.session, self.limits, at=at)
        return self.mails

    def _json(self, step_id: str) -> Any:
        here: Any = self.data
        for key in self.route.paths[step_id].split("."):
            here = here[int(key)] if isinstance(here, list) else here[key]
        return here

    def _booked(self) -> datetime | None:
        """When the activity begins of the newest valid booking of the contact."""
        if not isinstance(self.subject, Somebody):
            return None
        return self.session.scalar(
            sa.select(Activity.starts_at)
            .join(Participation, Participation.activity_id == Activity.id)
            .where(Participation.contact_id == self.subject.contact_id, Participation.is_valid)
            .order_by(Activity.starts_at.desc().nulls_last())
            .limit(1)
        )


def _after_quiet(quiet: nodes.Quiet, at: datetime, zone: ZoneInfo) -> datetime:
    day = at.astimezone(zone).date()
    ends = instant_of(day, quiet.until, zone)
    return ends if ends > at else instant_of(day + timedelta(days=1), quiet.until, zone)
