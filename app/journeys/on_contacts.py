"""What this room adds to the pages of contacts: the journeys somebody entered and left."""

from __future__ import annotations

from app.contacts.neighbours import MOMENTS_PER_ROOM_MAX, Moment, MorePage, add_page, add_timeline
from app.db import ScopedSession
from app.journeys.ways import passages_of
from app.segments.problems import N_


def moments_in_journeys(session: ScopedSession, contact_id: int) -> list[Moment]:
    """Return when a person entered and left each journey; rehearsals are no part of their history."""
    moments = []
    for one in passages_of(session, contact_id, limit=MOMENTS_PER_ROOM_MAX):
        enrolment = one.enrolment
        if enrolment.is_rehearsal:
            continue
        there = {"journey_id": enrolment.journey_id, "enrolment_id": enrolment.id}
        moments.append(Moment(enrolment.entered_at, "began_journey", one.journey_name, "", "journeys.way", there))
        if enrolment.left_at is not None:
            moments.append(Moment(enrolment.left_at, "ended_journey", one.journey_name, "", "journeys.way", there))
    return moments


add_timeline(moments_in_journeys)
add_page(MorePage(N_("In which journeys"), "play", "journeys.of_contact"))
