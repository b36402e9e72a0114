"""Journeys of the demonstration house: two that run, two to look over. Whoever enters does so from now on."""

from __future__ import annotations

from app.accounts.audit import Actor
from app.db import ScopedSession
from app.journeys.publishing import publish
from app.journeys.ready_made.installing import add_ready_made

RUNNING = {"welcome": "Welkom", "first_visit": "Eerste bezoek"}
DRAFTS = {"win_back": "Afhakers terugwinnen", "before": "Voor je bezoek"}


def begin_journeys(session: ScopedSession, *, by: Actor) -> list[int]:
    """Put ready-made journeys in the house and publish some; returns their ids."""
    made = [add_ready_made(session, key, name=name, actor=by) for key, name in (RUNNING | DRAFTS).items()]
    for journey_id in made[: len(RUNNING)]:
        publish(session, journey_id, actor=by)
    return made
