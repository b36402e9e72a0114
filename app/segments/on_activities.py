"""What this room adds to the page of an activity, in one click: who comes, and who would like it and has not booked."""

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

add_action(
    Action(
        label=N_("Segment of who had a place"),
        symbol="segment",
        endpoint="segments.new",
        argument="coming",
        role="marketer",
        is_about_who_comes=True,
    )
)
