"""Who stands at the door of a journey, and who was not let in: in words, so that nobody is passed over in silence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from app import clock
from app.accounts.organisations import current_organisation
from app.db import ScopedSession
from app.journeys.entering.arrivals import turned_away
from app.journeys.entering.existing import problem_at_entrance, waiting_at_entrance
from app.segments.problems import N_

LATELY = timedelta(days=30)

# English sentences to be translated where they are shown.
REASONS = {
    "before_publishing": N_("It happened before the journey was published."),
    "too_old": N_("It was too long ago by the time it could count."),
    "rule_changed": N_("Only a change of the segment’s rule moved them."),
    "no_permission": N_("They may not be mailed for what the journey is for."),
    "not_meant": N_("The rule of the journey does not hold for them."),
    "inside": N_("They were in the journey already."),
    "came_before": N_("They were in the journey before, and once is enough."),
    "came_lately": N_("They entered too short a time before."),
    "same_party": N_("They entered for another ticket of the same visit."),
    "left_meanwhile": N_("They left the segment while the journey stood still."),
    "restricted": N_("They asked that their data rest."),
    "gone": N_("They are no contact any more."),
}
PROBLEMS = {
    "hearing_failed": N_(
        "Something that happened could not be understood. Somebody may not have entered because of it."
    ),
    "rule_failed": N_("The rule of who may enter cannot be worked out. Nobody enters until it is changed; they wait."),
    "changes_forgotten": N_("The journey stood still for so long that some who entered the segment were not heard of."),
}


@dataclass(frozen=True, slots=True)
class AtTheDoor:
    """Of one journey: how many are about to enter, why others did not in the last days (English sentence, people; the
    most first), and what was missed, as an English sentence."""

    waiting: int
    not_let_in: tuple[tuple[str, int], ...]
    problem: str | None = None


def at_the_door(session: ScopedSession, journey_id: int) -> AtTheDoor:
    """Who waits to be let in, and who was not let in during the last thirty days."""
    since = clock.today(current_organisation(session).time_zone) - LATELY
    counted = turned_away(session, journey_id, since=since)
    told = sorted(((REASONS[reason], people) for reason, people in counted.items()), key=lambda one: (-one[1], one[0]))
    problem = problem_at_entrance(session, journey_id)
    return AtTheDoor(waiting_at_entrance(session, journey_id), tuple(told), PROBLEMS[problem] if problem else None)
