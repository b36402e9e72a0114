"""What another version of a journey changes, step by step, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.db import ScopedSession
from app.journeys.telling import Story, Wording, all_steps, branches_of, tell_story

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: a step (or the ``start`` or ``settings``) that is new, gone, other, or stands elsewhere."""

    kind: Literal["added", "removed", "changed", "moved"]
    what: str
    before: str
    after: str


def compared(session: ScopedSession, before: Json, after: Json, wording: Wording) -> list[Change]:
    """Return what ``after`` changes, in its reading order; what was taken out comes last."""
    old, new = (tell_story(session, one, wording) for one in (before, after))
    found = _whole(before, after, old, new)
    steps_before, steps_after = _steps(before), _steps(after)
    for step_id, step in steps_after.items():
        told_before, told_after = _told(old, step_id), _told(new, step_id)
        if step_id not in steps_before:
            found.append(Change("added", step_id, "", told_after))
        elif _own(steps_before[step_id]) != _own(step):
            found.append(Change("changed", step_id, told_before, told_after))
    gone = [step_id for step_id in steps_before if step_id not in steps_after]
    found += [Change("removed", step_id, _told(old, step_id), "") for step_id in gone]
    return found + _moved(before, after, new)


def _whole(before: Json, after: Json, old: Story, new: Story) -> list[Change]:
    found = []
    if before.get("trigger") != after.get("trigger"):
        found.append(Change("changed", "start", old.start, new.start))
    if before.get("only") != after.get("only"):
        found.append(Change("changed", "only", old.only, new.only))
    if before.get("goal") != after.get("goal"):
        found.append(Change("changed", "goal", old.goal, new.goal))
    keys = ("purpose", "reentry", "holdout_percent", "quiet")
    others = [key for key in keys if before.get(key) != after.get(key)]
    return found + [Change("changed", key, _plain(before.get(key)), _plain(after.get(key))) for key in others]


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return " - ".join(str(one) for one in value.values())
    return "" if value is None else str(value)


def _steps(definition: Json) -> dict[str, Json]:
    return {str(step.get("id")): step for step in all_steps(definition.get("steps"))}


def _own(step: Json) -> Json:
    """A step without the steps in its branches."""
    own = {key: value for key, value in step.items() if key not in ("then", "otherwise")}
    if isinstance(own.get("branches"), list):
        own["branches"] = [
            {key: value for key, value in one.items() if key != "steps"} if isinstance(one, Mapping) else one
            for one in own["branches"]
        ]
    return own


def _told(story: Story, step_id: str) -> str:
    labels = story.branches.get(step_id, ())
    sentence = story.steps.get(step_id, "")
    return f"{sentence} ({'; '.join(labels)})" if labels else sentence


def _moved(before: Json, after: Json, new: Story) -> list[Change]:
    """Steps that stand in another list, or in another order among the steps that stayed beside them."""
    old_place, new_place = _places(before), _places(after)
    both = [step_id for step_id in new_place if step_id in old_place]
    found = [step_id for step_id in both if old_place[step_id][0] != new_place[step_id][0]]
    stayed = [step_id for step_id in both if step_id not in found]
    by_old = sorted(stayed, key=lambda step_id: old_place[step_id])
    by_new = sorted(stayed, key=lambda step_id: new_place[step_id])
    found += [one for one, other in zip(by_new, by_old, strict=True) if one != other]
    return [Change("moved", step_id, "", _told(new, step_id)) for step_id in dict.fromkeys(found)]


def _places(definition: Json) -> dict[str, tuple[str, int]]:
    places: dict[str, tuple[str, int]] = {}

    def walk(steps: object, name: str) -> None:
        for index, step in enumerate(steps if isinstance(steps, list) else ()):
            if isinstance(step, Mapping):
                places[str(step.get("id"))] = (name, index)
                for place, inner in enumerate(branches_of(step)):
                    walk(inner, f"{step.get('id')}/{place}")

    walk(definition.get("steps"), "")
    return places
