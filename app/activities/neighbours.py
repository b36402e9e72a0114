"""What rooms above this one let people do from the page of an activity.

They register at import; this room knows them by this shape only, so that imports keep pointing down.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    """A way on from an activity: words (English, marked for translation), an icon, and the page at ``endpoint``.

    The page gets the activity's id as the query argument ``argument``. ``role`` is the lowest that may go there.
    ``is_about_who_comes``: it concerns the people who have a place, not those who might want one.
    """

    label: str
    symbol: str
    endpoint: str
    argument: str
    role: str
    is_about_who_comes: bool = False


ACTIONS: list[Action] = []


def add_action(action: Action) -> None:
    """Offer a way on from every activity."""
    ACTIONS.append(action)
