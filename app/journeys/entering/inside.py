"""What events do to the people inside: they leave at once where there is no reason to stay, and waits follow the show.

The engine asks the same before every step, so nobody ever goes on who may not. This is what makes it prompt: no page
shows somebody as waiting for three weeks who said no today, and a mail that is planned does not leave.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
import structlog

from app import clock
from app.activities.models import Participation
from app.consent.models import ConsentEvent
from app.contacts.models import Contact, ContactIdentity, Pass
from app.db import ScopedSession
from app.journeys.entering.from_participations import any_of
from app.journeys.entering.notes import Notes
from app.journeys.models import Enrolment, Journey, JourneyVersion
from app.journeys.moving.leaving import leave
from app.journeys.moving.replanning import replan
from app.journeys.moving.stopping import lost_booking, reached_goal, stopped
from app.journeys.moving.walkers import Walker
from app.journeys.versions import route_of_version, whose_line
from app.mailings.models import Delivery
from app.segments.problems import SegmentError

log = structlog.get_logger()

OF_PARTICIPATIONS = ("booked", "attended", "pending", "cancelled", "exchanged")
OF_PASSES = ("pass_issued", "pass_points", "pass_expires")


def tell_people_inside(session: ScopedSession, notes: Notes) -> int:
    """Let those of these notes who are inside leave where they must, and set their waits right; returns who left.

    Whoever is no more, or said no, is asked wherever they are; whoever lost a booking, in what goes about it; what
    people did otherwise can only have reached a goal. The caller holds the journeys and commits. Locks enrolments by
    id, then deliveries.
    """
    _part_merged(session, sorted(notes.of("contact_gone")))
    _follow_parties(session, sorted(notes.of("cancelled", "exchanged")))
    _replan(session, activities=sorted(notes.of("activity_moved")), participations=sorted(notes.of("exchanged")))
    ways = {*_ways_of(session, _gone_or_refusing(session, notes)), *_ways_about(session, notes)}
    if have_goals := versions_with_goals(session):
        ways.update(_ways_of(session, people_of(session, notes), versions=have_goals))
    return look_again(session, ways) if ways else 0


def look_again(session: ScopedSession, enrolment_ids: Collection[int]) -> int:
    """Ask of these ways through a journey whether they may go on, as the engine would; returns how many left."""
    by_version: dict[tuple[int, int], list[Walker]] = defaultdict(list)
    for journey_id, walker in _walkers(session, sorted(enrolment_ids)):
        by_version[journey_id, walker.version].append(walker)
    left = 0
    for (journey_id, version), walkers in sorted(by_version.items()):
        reasons: dict[str, list[int]] = defaultdict(list)
        for walker, because in _reasons(session, journey_id, version, walkers):
            reasons[because].append(walker.id)
        left += sum(leave_now(session, ids, because=because) for because, ids in sorted(reasons.items()))
    return left


def leave_now(session: ScopedSession, enrolment_ids: Sequence[int], *, because: str) -> int:
    """End these ways, and take back the mails that were planned for them and have not been claimed."""
    left = leave(session, enrolment_ids, because=because)
    delivery = Delivery
    planned = sa.update(delivery).where(
        any_of(delivery.enrolment_id, sorted(enrolment_ids)), delivery.state.in_(("planned", "draft"))
    )
    taken_back = planned.values(state="cancelled", settled_at=clock.now(), problem_code=because, lease_until=None)
    session.execute(taken_back.execution_options(synchronize_session=False))
    return left


def _reasons(
    session: ScopedSession, journey_id: int, version: int, walkers: Sequence[Walker]
) -> Iterable[tuple[Walker, str]]:
    route, now = route_of_version(session, journey_id, version), clock.now()
    gone = stopped(session, route, walkers, at=now)
    lost = lost_booking(session, route.definition, walkers)
    done = goal_of(session, journey_id, version, walkers, at=now)
    for walker in walkers:
        goal = "goal_reached" if walker.contact_id in done else None
        because = gone.get(walker.contact_id) or lost.get(walker.id) or goal
        if because is not None:
            yield walker, because


def goal_of(
    session: ScopedSession, journey_id: int, version: int, walkers: Sequence[Walker], *, at: datetime
) -> Collection[int]:
    """The contacts who reached the goal of a version; nobody where it cannot be worked out, which others must survive.

    Whoever moves people holds them there and says so.
    """
    try:
        return reached_goal(session, route_of_version(session, journey_id, version).definition, walkers, at=at)
    except SegmentError as problem:
        log.warning("goal cannot be worked out", journey_id=journey_id, error=type(problem).__name__)
        return ()


def _walkers(session: ScopedSession, enrolment_ids: Sequence[int]) -> Iterable[tuple[int, Walker]]:
    """These ways, as long as they are under way, held until the transaction ends."""
    if not enrolment_ids:
        return
    way = Enrolment
    columns = (
        way.id, way.contact_id, way.version, way.step_id, way.is_waiting, way.arrived_at, way.wake_at,
        way.participation_id, way.happened, way.is_held_out, way.is_rehearsal, way.entered_at,
    )  # fmt: skip
    query = sa.select(way.journey_id, *columns).where(any_of(way.id, enrolment_ids), way.state == "active")
    for journey_id, *rest in session.execute(query.order_by(way.id).with_for_update()):
        yield journey_id, Walker(*rest)


def _gone_or_refusing(session: ScopedSession, notes: Notes) -> set[int]:
    """Who was merged, erased or restricted, and who said no."""
    return {*notes.of("contact_gone"), *_who_said(session, sorted(notes.of("consent_no")))}


def _who_said(session: ScopedSession, event_ids: Sequence[int]) -> set[int]:
    if not event_ids:
        return set()
    event, identity = ConsentEvent, ContactIdentity
    said = session.execute(sa.select(event.subject_key, event.contact_id).where(any_of(event.id, event_ids))).all()
    keys = sa.literal(sorted({row.subject_key for row in said}), sa.ARRAY(sa.LargeBinary))
    held = session.scalars(sa.select(identity.contact_id).where(identity.subject_key == sa.any_(keys)))
    return {*held, *(row.contact_id for row in said if row.contact_id is not None)}


def people_of(session: ScopedSession, notes: Notes) -> set[int]:
    """The contacts who did something, or whose data changed, by which they may have reached a goal."""
    p, of_pass = Participation, Pass
    people = {*_who_said(session, sorted(notes.of("consent"))), *notes.of("changed")}
    if booked := sorted(notes.of(*OF_PARTICIPATIONS)):
        people.update(session.scalars(sa.select(p.contact_id).where(any_of(p.id, booked))))
    if passes := sorted(notes.of(*OF_PASSES)):
        people.update(session.scalars(sa.select(of_pass.contact_id).where(any_of(of_pass.id, passes))))
    return people


def _ways_of(
    session: ScopedSession, contact_ids: Collection[int], *, versions: Collection[tuple[int, int]] | None = None
) -> Sequence[int]:
    if not contact_ids:
        return ()
    way = Enrolment
    theirs = sa.select(way.id).where(way.state == "active", any_of(way.contact_id, sorted(contact_ids)))
    if versions is not None:
        theirs = theirs.where(sa.tuple_(way.journey_id, way.version).in_(sorted(versions)))
    return session.scalars(theirs).all()


def _ways_about(session: ScopedSession, notes: Notes) -> Sequence[int]:
    """The ways that are about a booking that was cancelled, or whose performance was."""
    lines, shows = sorted(notes.of("cancelled", "exchanged")), sorted(notes.of("activity_cancelled"))
    if not lines and not shows:
        return ()
    way, p = Enrolment, Participation
    about = sa.select(way.id).join(p, _is_about(way, p))
    meant = sa.or_(any_of(p.id, lines), any_of(p.activity_id, shows))
    return session.scalars(about.where(meant, way.state == "active")).all()


def versions_with_goals(session: ScopedSession) -> set[tuple[int, int]]:
    """The versions of journeys that run and have a goal."""
    version, journey = JourneyVersion, Journey
    has_goal = sa.func.jsonb_typeof(version.definition["goal"]) == "object"
    running = sa.select(version.journey_id, version.version).join(journey, journey.id == version.journey_id)
    return {(row.journey_id, row.version) for row in session.execute(running.where(journey.state != "draft", has_goal))}


def _part_merged(session: ScopedSession, contact_ids: Sequence[int]) -> None:
    """Of two ways through one journey that came together in one person, the one that began first goes on."""
    if not contact_ids:
        return
    into, way = sa.select(Contact.merged_into_id).where(any_of(Contact.id, contact_ids)), Enrolment
    theirs = sa.and_(way.state == "active", ~way.is_rehearsal, way.contact_id.in_(into))
    place = sa.func.row_number().over(partition_by=(way.journey_id, way.contact_id), order_by=(way.entered_at, way.id))
    ranked = sa.select(way.id, place.label("place")).where(theirs).subquery("ranked")
    second = session.scalars(sa.select(ranked.c.id).where(ranked.c.place > 1).order_by(ranked.c.id)).all()
    if second:
        leave_now(session, second, because="merged")


def _is_about(way: type[Enrolment], line: type[Participation]) -> sa.ColumnElement[bool]:
    """Whether a way is about a participation; the person is named as well, because that is what ways are found by."""
    return sa.and_(line.id == way.participation_id, way.contact_id.in_((line.contact_id, line.buyer_id)))


def _follow_parties(session: ScopedSession, participation_ids: Sequence[int]) -> None:
    """Who returns one of several tickets is still coming: the way goes on about a ticket that stands."""
    if not participation_ids:
        return
    way, p, other, version = Enrolment, Participation, sa.orm.aliased(Participation), JourneyVersion
    standing = (
        sa.select(sa.func.min(other.id))
        .where(
            other.organisation_id == p.organisation_id,
            whose_line(version, other) == way.contact_id,
            other.activity_id == p.activity_id,
            other.activity_on == p.activity_on,
            other.is_valid,
        )
        .correlate(p, way, version)
        .scalar_subquery()
    )
    lost = (
        sa.select(way.id, standing.label("standing"))
        .join(p, _is_about(way, p))
        .join(version, sa.and_(version.journey_id == way.journey_id, version.version == way.version))
        .where(any_of(p.id, participation_ids), ~p.is_valid, way.state == "active")
        .subquery("lost")
    )
    followed = sa.update(way).where(way.id == lost.c.id, lost.c.standing.is_not(None), way.state == "active")
    changed = followed.values(participation_id=lost.c.standing, updated_at=clock.now())
    session.execute(changed.execution_options(synchronize_session=False))


def _replan(session: ScopedSession, *, activities: Sequence[int], participations: Sequence[int]) -> None:
    """Waits relative to a performance that moved, or to another one after an exchange, end at another moment."""
    if not activities and not participations:
        return
    way, p = Enrolment, Participation
    moved = sa.or_(any_of(p.activity_id, activities), any_of(p.id, participations))
    theirs = sa.select(way.id).join(p, _is_about(way, p))
    waiting = session.scalars(theirs.where(moved, way.state == "active", way.is_waiting)).all()
    if waiting:
        replan(session, waiting)
