"""Who has a date on an edge: the people whose membership the passing of days alone may change, found by index."""

from __future__ import annotations

import sqlalchemy as sa

from app.activities.models import Participation
from app.contacts.models import Contact, MailEvent, Pass
from app.db import ScopedSession
from app.segments.compiling.standing_sql import ENROLMENT
from app.segments.keeping.alike import select_alike
from app.segments.keeping.edges import (
    AlikeTo,
    BirthDays,
    Edge,
    Edges,
    EnrolmentDates,
    MailDates,
    ParticipationDates,
    PassDates,
)
from app.segments.language.lowering import lowered
from app.segments.language.rules import DateOf


class EdgePeople:
    """Finds the people of edges, those of each edge once: the rules of a house share many of them.

    An answer may be as old as this object: whoever changed since is noted as changed, and evaluated for that.
    """

    def __init__(self) -> None:
        self._found: dict[Edge, frozenset[int]] = {}

    def on(self, session: ScopedSession, edges: Edges) -> list[int]:
        """The ids of everybody on one of these edges, in order."""
        for edge in edges - self._found.keys():
            self._found[edge] = frozenset(session.scalars(select_on(edge)))
        return sorted(frozenset().union(*(self._found[edge] for edge in edges)))


def select_on(edge: Edge) -> sa.Select[int] | sa.CompoundSelect[int]:
    """One SELECT of the contacts on an edge. Some may be there twice, and some need not be living."""
    match edge:
        case ParticipationDates(date_of, since, before):
            p = Participation
            day = p.activity_on if date_of is DateOf.ACTIVITY else p.booked_on
            return sa.select(p.contact_id).where(day >= since, day < before)
        case BirthDays(month_days, year, ages):
            born = sa.select(Contact.id).where(
                Contact.state == "living", Contact.birth_month_day.in_(sorted(month_days))
            )
            if ages:
                born = born.where(sa.extract("year", Contact.birth_date).in_([year - age for age in ages]))
            return born
        case MailDates(event, since, before):
            e = MailEvent
            return sa.select(e.contact_id).where(e.event == event, e.occurred_on >= since, e.occurred_on < before)
        case PassDates(programme, since, before):
            dates = (Pass.expires_on, Pass.valid_from)
            theirs = sa.select(Pass.contact_id).where(Pass.programme == lowered(programme))
            return theirs.where(sa.or_(*(sa.and_(day >= since, day < before) for day in dates)))
        case EnrolmentDates(journey_id, since, before):
            n = ENROLMENT.c
            theirs = sa.select(n.contact_id).where(n.journey_id == journey_id)
            return theirs.where(sa.or_(*(sa.and_(day >= since, day < before) for day in (n.entered_on, n.left_on))))
        case AlikeTo(who, inner):
            return select_alike(select_on(inner), (who,))
