"""How many people a journey would take in: now, and in a week, judged by what happened before.

An estimate to decide by, not a promise. It counts what the trigger would have heard in the past, or knows of what is to
come, and does not ask who of them may be mailed, whom the rule of the journey lets in, or who is inside already: there
are rather too many than too few.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, assert_never

import sqlalchemy as sa

from app import clock
from app.accounts.organisations import current_organisation
from app.activities.models import Activity, Participation
from app.consent.models import ConsentEvent
from app.contacts.forms.models import Signup
from app.contacts.models import Contact, Pass
from app.contacts.passes import programme_key
from app.db import ScopedSession
from app.journeys import definition as nodes
from app.journeys.entering.from_consents import PERSONS
from app.journeys.entering.from_participations import STATUSES, VALID, person_of
from app.segments.compiling.activity_facts import about_activity
from app.segments.compiling.history import about_participation
from app.segments.compiling.time_limit import within
from app.segments.language.rules import STATUSES as EVERY_STATUS
from app.segments.models import SegmentMembership
from app.segments.problems import TooSlowError

A_YEAR, WEEKS_A_YEAR = timedelta(days=364), 52
SOME_WEEKS = 8
ANSWER_WITHIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Expected:
    """``now``: who would enter at once with those who are in the segment already (None: the trigger has none such).

    ``per_week``: about how many a week, None where nothing is known of it, or the answer took too long (``is_slow``).
    """

    now: int | None = None
    per_week: float | None = None
    is_slow: bool = False


def expected_entries(session: ScopedSession, definition: nodes.Definition) -> Expected:
    """About how many people the journey would take in; within some seconds, whatever the house."""
    today = clock.today(current_organisation(session).time_zone)
    try:
        with within(session, ANSWER_WITHIN_S):
            return _expected(session, definition.trigger, today)
    except TooSlowError:
        return Expected(is_slow=True)


def _expected(  # noqa: PLR0911 (one return per kind of trigger)
    session: ScopedSession, trigger: nodes.Trigger, today: date
) -> Expected:
    match trigger:
        case nodes.OnSegment():
            return _of_segment(session, trigger, today)
        case nodes.OnParticipation():
            return _a_week(session, _parties(STATUSES.get(trigger.on, EVERY_STATUS), trigger, today))
        case nodes.OnActivity():
            return _a_week(session, _parties(VALID, trigger, today))
        case nodes.OnAnniversary():
            has_date = sa.select(Contact.id).where(Contact.state == "living", _has_date(trigger))
            return _a_week(session, has_date)
        case nodes.OnPass():
            return _of_passes(session, trigger, today)
        case nodes.OnConsent():
            return _a_week(session, _consents(trigger))
        case nodes.OnForm():
            since = clock.now() - timedelta(weeks=SOME_WEEKS)
            sent = sa.select(Signup.id).where(Signup.form_id == trigger.form_id, Signup.state == "confirmed")
            return _a_week(session, sent.where(Signup.done_at > since), weeks=SOME_WEEKS)
        case nodes.OnApi():
            return Expected()
        case _:
            assert_never(trigger)


def _a_week(session: ScopedSession, rows: sa.Select[*tuple[Any, ...]], *, weeks: float = WEEKS_A_YEAR) -> Expected:
    counted = session.scalar(sa.select(sa.func.count()).select_from(rows.subquery())) or 0
    return Expected(per_week=round(counted / weeks, 1))


def _of_segment(session: ScopedSession, trigger: nodes.OnSegment, today: date) -> Expected:
    member = SegmentMembership
    theirs = member.segment_id == trigger.segment_id
    inside = session.scalar(sa.select(sa.func.count()).where(theirs, member.left_at.is_(None))) or 0
    first = session.scalar(sa.select(sa.func.min(member.entered_on)).where(theirs))
    weeks = min(SOME_WEEKS, max(1, (today - first).days / 7)) if first else SOME_WEEKS
    on, because = (
        (member.entered_on, member.entered_because) if trigger.on == "enter" else (member.left_on, member.left_because)
    )
    turned = sa.select(member.contact_id).where(theirs, on > today - timedelta(weeks=SOME_WEEKS), because != "rule")
    return Expected(inside if trigger.on == "enter" else None, _a_week(session, turned, weeks=weeks).per_week)


def _parties(
    statuses: tuple[str, ...], trigger: nodes.OnParticipation | nodes.OnActivity, today: date
) -> sa.Select[*tuple[Any, ...]]:
    """The parties of the last year; of a trigger about the nth, the people whose nth lies in it."""
    p, a, who = Participation, Activity, person_of(trigger).label("contact_id")
    matching = [
        p.status.in_(statuses), *about_participation(p, trigger.where), *about_activity(a, trigger.where)
    ]  # fmt: skip
    if isinstance(trigger, nodes.OnParticipation) and trigger.on == "called_off":
        matching.append(a.is_cancelled.is_(True))
    day = p.booked_on if isinstance(trigger, nodes.OnParticipation) and trigger.on == "booked" else p.activity_on
    parties = (
        sa.select(who, sa.func.min(day).label("day"))
        .join(a, a.id == p.activity_id)
        .where(*matching)
        .group_by(who, p.activity_id, p.activity_on)
    )
    if not isinstance(trigger, nodes.OnParticipation) or trigger.nth is None:
        return parties.where(day > today - A_YEAR, day <= today)
    each = parties.subquery("each")
    place = sa.func.row_number().over(partition_by=each.c.contact_id, order_by=each.c.day)
    ranked = sa.select(each.c.contact_id, each.c.day, place.label("place")).subquery("ranked")
    return sa.select(ranked.c.contact_id).where(
        ranked.c.place == trigger.nth, ranked.c.day > today - A_YEAR, ranked.c.day <= today
    )


def _has_date(trigger: nodes.OnAnniversary) -> sa.ColumnElement[bool]:
    if trigger.attribute is None:
        return Contact.birth_date.is_not(None)
    has_key: sa.ColumnElement[bool] = Contact.attributes.has_key(trigger.attribute)
    return has_key


def _of_passes(session: ScopedSession, trigger: nodes.OnPass, today: date) -> Expected:
    theirs = sa.select(Pass.id).where(Pass.programme == programme_key(trigger.programme), Pass.status == "valid")
    if trigger.on == "issued":
        since = sa.func.coalesce(Pass.valid_from, sa.cast(Pass.created_at, sa.Date))
        return _a_week(session, theirs.where(since > today - A_YEAR, since <= today))
    if trigger.on == "expiring":
        return _a_week(session, theirs.where(Pass.expires_on > today, Pass.expires_on <= today + A_YEAR))
    # What points were before is not kept.
    return Expected()


def _consents(trigger: nodes.OnConsent) -> sa.Select[*tuple[Any, ...]]:
    event = ConsentEvent
    since = clock.now() - A_YEAR
    return sa.select(event.id).where(
        event.channel == trigger.channel,
        event.purpose == trigger.purpose,
        event.action == trigger.on,
        event.actor.in_(PERSONS),
        event.occurred_at > since,
    )
