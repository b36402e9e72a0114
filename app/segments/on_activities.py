"""What this room adds to the page of an activity: the people who would like it and have not booked it, in one click."""

from __future__ import annotations

from app.activities.neighbours import Action, add_action
from app.segments.problems import N_

add_action(
    Action(
        label=N_("Who would like this too"),
        symbol="segment",
        endpoint="segments.new",
        argument="not_yet",
        role="marketer",
    )
)
