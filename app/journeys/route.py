"""The way through a journey: which step comes after which. Pure; the engine, ``simulate`` and the builder share it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from app.journeys.definition import Definition, Step, Wait, WaitFor, WaitUntil, branches_of

WAITING = (Wait, WaitUntil, WaitFor)


@dataclass(frozen=True, slots=True)
class Route:
    """A definition, ready to be walked.

    ``order`` holds every step id in reading order, in which people only ever go forward; ``paths`` says where a step
    stands in the JSON (``steps.2.branches.0.steps.1``), ``levels`` the ids of the list it stands in.
    """

    definition: Definition
    steps: Mapping[str, Step]
    order: tuple[str, ...]
    paths: Mapping[str, str]
    _after: Mapping[str, str | None] = field(repr=False)
    _into: Mapping[str, tuple[str | None, ...]] = field(repr=False)
    _next_wait: Mapping[str, str | None] = field(repr=False)

    @property
    def first(self) -> str | None:
        """The step that everybody begins with; ``None`` for a journey without steps."""
        return self.order[0] if self.order else None

    def after(self, step_id: str) -> str | None:
        """Where somebody goes on behind a step: the next in its list, else behind the step that branched."""
        return self._after[step_id]

    def into(self, step_id: str, branch: int) -> str | None:
        """The first step of the ``branch``-th way of a step (``definition.branches_of``), or behind it if empty."""
        return self._into[step_id][branch]

    def next_wait(self, step_id: str) -> str | None:
        """The next step behind this one, in the same list, that waits; else what comes behind that list."""
        return self._next_wait[step_id]


def route_of(definition: Definition) -> Route:
    """Work out the way through a definition."""
    placed = list(_placed(definition.steps, "steps", None))
    return Route(
        definition,
        {one.step.id: one.step for one in placed},
        tuple(one.step.id for one in placed),
        {one.step.id: one.path for one in placed},
        {one.step.id: one.after for one in placed},
        {one.step.id: _entries(one.step, one.after) for one in placed},
        {one.step.id: one.next_wait for one in placed},
    )


@dataclass(frozen=True, slots=True)
class _Placed:
    step: Step
    path: str
    after: str | None
    next_wait: str | None


def _placed(steps: tuple[Step, ...], path: str, behind: str | None) -> Iterator[_Placed]:
    """Every step of a list and of the branches in it; ``behind`` is where the list leads."""
    for place, step in enumerate(steps):
        rest = steps[place + 1 :]
        after = rest[0].id if rest else behind
        next_wait = next((one.id for one in rest if isinstance(one, WAITING)), behind)
        here = f"{path}.{place}"
        yield _Placed(step, here, after, next_wait)
        for inner, name in zip(branches_of(step), branch_paths(step), strict=True):
            yield from _placed(inner, f"{here}.{name}", after)


def branch_paths(step: Step) -> list[str]:
    """Where the branches of a step stand in its JSON, in the order of ``definition.branches_of``."""
    count = len(branches_of(step))
    if isinstance(step, WaitFor):
        return ["then", "otherwise"]
    has_otherwise = hasattr(step, "otherwise")
    inner = [f"branches.{place}.steps" for place in range(count - has_otherwise)]
    return [*inner, "otherwise"] if has_otherwise else inner


def _entries(step: Step, after: str | None) -> tuple[str | None, ...]:
    return tuple(inner[0].id if inner else after for inner in branches_of(step))
