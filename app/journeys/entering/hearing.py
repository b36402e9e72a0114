"""What happened is made into arrivals: notes, the feed of segments, and the time that passed, for every watch.

One transaction: the notes are gone, the feed is read and the clock has moved exactly if the arrivals are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from app import clock
from app.accounts.organisations import current_organisation
from app.db import ScopedSession
from app.journeys import definition as nodes
from app.journeys.entering.arrivals import arrive, count_turned_away
from app.journeys.entering.from_activities import activities_due, activities_heard
from app.journeys.entering.from_consents import consents_heard, forms_heard
from app.journeys.entering.from_dates import anniversaries_due, passes_expiring, passes_expiring_heard
from app.journeys.entering.from_participations import old_parties, oldest_on, participations_heard
from app.journeys.entering.from_passes import passes_heard
from app.journeys.entering.from_segments import is_behind, members_after, room_for_existing, turns_heard
from app.journeys.entering.hearing_waits import tell_who_waits
from app.journeys.entering.notes import Notes
from app.journeys.entering.occurrences import KEPT_FOR, Occurrence
from app.journeys.entering.watches import Watching
from app.segments.changes import last_position

A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class House:
    """The session, and the zone of the house."""

    session: ScopedSession
    zone: ZoneInfo


def house_of(session: ScopedSession) -> House:
    """The house of the session."""
    return House(session, ZoneInfo(current_organisation(session).time_zone))


def hear(house: House, watching: Watching, notes: Notes) -> int:
    """Act on these notes, and on the time that passed, for one watch; returns for how many people.

    At the entrance of a journey they are written down as arrivals; at a step, whoever waits there is told.
    """
    session, row = house.session, watching.row
    if notes and watching.is_entrance and isinstance(watching.trigger, nodes.OnParticipation):
        _count_old(house, watching, watching.trigger, notes)
    heard = [*(_noted(house, watching, notes) if notes else ()), *_passed(house, watching)]
    if isinstance(watching.trigger, nodes.OnSegment):
        heard += _turned(session, watching, watching.trigger)
        heard += _existing(session, watching, watching.trigger)
    else:
        row.position = last_position(session)
    row.looked_at = max(row.looked_at, clock.now())
    return arrive(session, watching, heard) if watching.is_entrance else tell_who_waits(session, watching, heard)


def has_more(session: ScopedSession, watching: Watching) -> bool:
    """Whether the feed, or the people who are in a segment already, were not read to their end."""
    if not isinstance(watching.trigger, nodes.OnSegment):
        return False
    return is_behind(session, watching.row) or (watching.is_open and room_for_existing(session, watching.row) > 0)


def _count_old(house: House, watching: Watching, trigger: nodes.OnParticipation, notes: Notes) -> None:
    published_on = watching.row.since.astimezone(house.zone).date()
    before = oldest_on(house.zone)
    old = old_parties(house.session, trigger, notes, before=before, published_on=published_on)
    count_turned_away(house.session, watching.row.journey_id, old)


def _noted(  # noqa: PLR0911 (one return per kind of trigger)
    house: House, watching: Watching, notes: Notes
) -> Iterable[Occurrence]:
    session, zone = house.session, house.zone
    match watching.trigger:
        case nodes.OnParticipation() as trigger:
            return participations_heard(session, trigger, notes, zone)
        case nodes.OnActivity() as trigger:
            return activities_heard(session, trigger, notes, zone=zone)
        case nodes.OnPass(on="expiring") as trigger:
            today = clock.now().astimezone(zone).date()
            return passes_expiring_heard(session, trigger, notes, today, zone=zone)
        case nodes.OnPass() as trigger:
            return passes_heard(session, trigger, notes, zone)
        case nodes.OnConsent() as trigger:
            return consents_heard(session, trigger, notes)
        case nodes.OnForm() as trigger:
            return forms_heard(session, trigger, notes)
        case _:
            return ()


def _passed(house: House, watching: Watching) -> Iterator[Occurrence]:
    """What became due since the watch last looked. Moves the watch; a clock that goes back is looked at again later."""
    session, zone, row, now = house.session, house.zone, watching.row, clock.now()
    today = now.astimezone(zone).date()
    match watching.trigger:
        case nodes.OnActivity() as trigger if row.looked_at < now:
            yield from activities_due(session, trigger, since=row.looked_at, zone=zone)
        case nodes.OnAnniversary() as trigger if row.looked_on < today:
            first = max(row.looked_on + A_DAY, today - KEPT_FOR)
            yield from anniversaries_due(session, trigger, first, today, zone=zone)
            row.looked_on = today
        case nodes.OnPass(on="expiring") as trigger if row.looked_on < today:
            first = max(row.looked_on + A_DAY, today - KEPT_FOR)
            yield from passes_expiring(session, trigger, first, today, zone=zone)
            row.looked_on = today


def _turned(session: ScopedSession, watching: Watching, trigger: nodes.OnSegment) -> list[Occurrence]:
    if not is_behind(session, watching.row):
        return []
    heard, by_rule = turns_heard(session, trigger, watching.row)
    if watching.is_entrance:
        count_turned_away(session, watching.row.journey_id, {"rule_changed": by_rule})
    return heard


def _existing(session: ScopedSession, watching: Watching, trigger: nodes.OnSegment) -> list[Occurrence]:
    """Some of those who are in the segment already, where the marketer asked for it; a paused journey waits."""
    row = watching.row
    room = room_for_existing(session, row)
    if row.existing_after is None or not watching.is_open or not room:
        return []
    people, row.existing_after = members_after(session, trigger, row, after=row.existing_after, limit=room)
    row.existing_today += len(people)
    return people
