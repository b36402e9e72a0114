"""What a mailing brought about that another system sent: who got it, who clicked, who booked, who stopped.

Measured as our own mailings are, by the same statements over the events that came back. Nobody was held out of it, so
what it brought about cannot be proven; beside it stand what the same people booked in as many days before, and what
earlier mailings from elsewhere did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as replaced
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import text

from app import clock
from app.contacts.campaigns import CampaignElsewhere
from app.db import ScopedSession, transaction
from app.mailings.effect.comparison import Comparison, compared
from app.mailings.effect.figures import Figures, Funnel, LinkClicks, as_json, from_json, share, written
from app.mailings.effect.keeping import Average, average_of
from app.mailings.effect.people import PAGE, Person, people_of
from app.mailings.effect.people_sql import BOUGHT, GOT_ELSEWHERE, SURVIVOR
from app.mailings.effect.results import LINKS_MAX, window_from, with_behaviour
from app.runtime import Runtime

EFFECT_DAYS = 30
AVERAGE_OF = 12
PER_BEAT = 5
HOURLY, DAILY = timedelta(hours=1), timedelta(days=1)
FRESH_FOR = timedelta(minutes=10)
# Refunds come for a month after the window closed.
DAILY_FOR = timedelta(days=31)

_REACHED = """
SELECT min(occurred_at) FILTER (WHERE event = 'delivered') AS started_at,
       count(DISTINCT contact_id) FILTER (WHERE event IN ('delivered', 'bounced')) AS meant,
       count(DISTINCT contact_id) FILTER (WHERE event = 'bounced') AS bounced,
       count(DISTINCT contact_id) FILTER (WHERE event IN ('unsubscribed', 'complained')) AS stopped,
       count(DISTINCT contact_id) FILTER (WHERE event = 'complained') AS complained
  FROM mail_event WHERE organisation_id = :organisation_id AND campaign = :campaign
"""
_LINKS = """
SELECT link.id AS link_id, link.url, count(DISTINCT event.contact_id) AS people
  FROM campaign_elsewhere AS campaign
  JOIN campaign_link AS link ON link.organisation_id = :organisation_id AND link.campaign_id = campaign.id
  LEFT JOIN mail_event AS event ON event.organisation_id = :organisation_id AND event.campaign = campaign.reference
   AND event.event = 'clicked' AND NOT event.is_machine AND event.link_id = link.id
 WHERE campaign.organisation_id = :organisation_id AND campaign.reference = :campaign
 GROUP BY link.id, link.url ORDER BY people DESC, link.id
 LIMIT :links_max
"""
# The same people in as many days before it: when they "got" it is put back by the length of the window.
_BEFORE = f"""
WITH RECURSIVE {SURVIVOR}, {GOT_ELSEWHERE.replace("got AS MATERIALIZED", "reached AS MATERIALIZED")},
got AS MATERIALIZED (
    SELECT person_id, contact_id, got_at - make_interval(days => :days) AS got_at, variant, language, step_id
      FROM reached
), {BOUGHT}
SELECT count(DISTINCT person_id) AS people, CAST(coalesce(sum(amount), 0) AS double precision) AS amount FROM bought
"""

_GOT = f"WITH RECURSIVE {SURVIVOR}, {GOT_ELSEWHERE} "
_EVENTS = (
    "SELECT event.contact_id AS person_id, min(event.occurred_at) AS at, CAST(NULL AS numeric) AS amount"
    " FROM mail_event AS event WHERE event.organisation_id = :organisation_id AND event.campaign = :campaign"
    " AND {only} GROUP BY 1"
)
_CLICKED = "event.event = 'clicked' AND NOT event.is_machine AND event.contact_id IN (SELECT person_id FROM got)"
_BOOKED = (
    f"WITH RECURSIVE {SURVIVOR}, {GOT_ELSEWHERE}, {BOUGHT} "
    "SELECT person_id, min(booked_at) AS at, sum(amount) AS amount FROM bought"
    " JOIN activity ON activity.organisation_id = :organisation_id AND activity.id = bought.activity_id"
    " WHERE {only} GROUP BY 1"
)
_REACHED_PEOPLE = _EVENTS.format(only="event.event IN ('delivered', 'bounced')")
_GOT_PEOPLE = _GOT + "SELECT person_id, got_at AS at, CAST(NULL AS numeric) AS amount FROM got"
# What may be asked for: the statement, and whether it needs a value.
STEPS: dict[str, tuple[str, bool]] = {
    "meant": (_REACHED_PEOPLE, False),
    "handed_over": (_REACHED_PEOPLE, False),
    "accepted": (_GOT_PEOPLE, False),
    "got": (_GOT_PEOPLE, False),
    "bounced": (_EVENTS.format(only="event.event = 'bounced'"), False),
    "clicked": (_GOT + _EVENTS.format(only=_CLICKED), False),
    "link": (_GOT + _EVENTS.format(only=_CLICKED + " AND CAST(event.link_id AS text) = :value"), True),
    "stopped": (_EVENTS.format(only="event.event IN ('unsubscribed', 'complained')"), False),
    "complained": (_EVENTS.format(only="event.event = 'complained'"), False),
    "language": (_GOT_PEOPLE + " WHERE language = :value", True),
    "booked": (_BOOKED.format(only="true"), False),
    "activity": (_BOOKED.format(only="CAST(bought.activity_id AS text) = :value"), True),
    "series": (_BOOKED.format(only="activity.series = :value"), True),
}


@dataclass(frozen=True, slots=True)
class Before:
    """What the same people booked in as many days before the mailing."""

    people: int
    amount: float


@dataclass(frozen=True, slots=True)
class ElsewhereReport:
    """A mailing from elsewhere as its report shows it. ``comparison`` says that there is nothing to compare with."""

    campaign: CampaignElsewhere
    figures: Figures
    before: Before
    comparison: Comparison
    average: Average | None

    @property
    def click_rate(self) -> float | None:
        """Of those who let us see clicks, the share who clicked."""
        return share(self.figures.funnel.clicked, self.figures.funnel.measured)

    @property
    def booking_rate(self) -> float | None:
        """Of those who got it, the share who booked afterwards."""
        return share(self.figures.funnel.booked, self.figures.funnel.got)

    @property
    def amount_each(self) -> float | None:
        """What those who got it spent afterwards, each on average."""
        return share(self.figures.funnel.amount, self.figures.funnel.got)

    @property
    def stop_rate(self) -> float | None:
        """Of those who got it, the share who stopped because of it."""
        return share(self.figures.funnel.stopped, self.figures.funnel.got)


def measure_elsewhere(session: ScopedSession, campaign: str, *, days: int, at: datetime) -> Figures | None:
    """Measure a mailing that another system sent, by its reference; None where nobody is known to have received it."""
    mail: dict[str, Any] = {"organisation_id": session.organisation_id, "campaign": campaign, "links_max": LINKS_MAX}
    reached = session.execute(text(_REACHED), mail).one()
    if reached.started_at is None:
        return None
    window = mail | window_from(session, days=days, started_at=reached.started_at, at=at)
    funnel = Funnel(
        meant=reached.meant,
        planned=reached.meant,
        handed_over=reached.meant,
        bounced=reached.bounced,
        stopped=reached.stopped,
        complained=reached.complained,
    )
    links = tuple(LinkClicks(row.link_id, row.url, row.people) for row in session.execute(text(_LINKS), mail))
    plain = Figures(
        days, written(at) or "", written(reached.started_at), written(window["closes_at"]), funnel=funnel, links=links
    )
    parts = {
        "got": GOT_ELSEWHERE,
        "of_mailing": "event.campaign = :campaign",
        "may_see": "may.contact_id IS NOT NULL",
    }
    figures = with_behaviour(session, plain, window, parts)
    return replaced(figures, funnel=replaced(figures.funnel, accepted=figures.funnel.got))


def read_elsewhere(
    session: ScopedSession, campaign_id: int, *, at: datetime, days: int | None = None
) -> ElsewhereReport | None:
    """Return the report of a mailing from elsewhere, over ``days`` days; None where there is none by that id."""
    campaign = session.get(CampaignElsewhere, (session.organisation_id, campaign_id))
    if campaign is None:
        return None
    figures = _figures_of(session, campaign, days=days or EFFECT_DAYS, at=at)
    return ElsewhereReport(
        campaign,
        figures,
        before=_before(session, campaign, figures, at=at),
        comparison=compared(figures.treated, figures.control, is_watched=False),
        average=_average_before(session, campaign),
    )


def campaigns_page(
    session: ScopedSession, *, before: tuple[datetime, int] | None, limit: int
) -> list[CampaignElsewhere]:
    """Return a page of the mailings from elsewhere, those sent last first; ``before``: when the last one shown was
    sent, and its id."""
    row = CampaignElsewhere
    query = sa.select(row).order_by(row.sent_at.desc(), row.id.desc()).limit(limit)
    if before is not None:
        query = query.where(sa.tuple_(row.sent_at, row.id) < sa.tuple_(sa.literal(before[0]), sa.literal(before[1])))
    return list(session.scalars(query))


def kept_figures(campaigns: Sequence[CampaignElsewhere]) -> dict[int, Figures]:
    """Return the figures that are kept of these, by id."""
    return {each.id: from_json(each.figures) for each in campaigns if each.figures is not None}


def measure_elsewhere_due(runtime: Runtime, organisation_id: int) -> int:
    """Measure the mailings from elsewhere whose figures are due, the longest due first; returns how many."""
    with transaction(runtime.engine, organisation_id) as session:
        due = _due(session, at=clock.now())
    for campaign_id in due:
        with transaction(runtime.engine, organisation_id) as session:
            campaign = session.get(CampaignElsewhere, (organisation_id, campaign_id))
            if campaign is not None:
                _keep(session, campaign, at=clock.now())
    return len(due)


def people_elsewhere(
    session: ScopedSession,
    campaign: CampaignElsewhere,
    step: str,
    *,
    value: str = "",
    days: int,
    at: datetime,
    after: int = 0,
    limit: int = PAGE,
) -> list[Person]:
    """Return a page of the people at a step, by id. Raises KeyError for a step not in ``STEPS``."""
    statement, _needs_value = STEPS[step]
    window = window_from(session, days=days, started_at=campaign.sent_at, at=at)
    asked = {"campaign": campaign.reference, "value": value, "after": after, "limit": limit}
    return people_of(session, statement, window | asked)


def _figures_of(session: ScopedSession, campaign: CampaignElsewhere, *, days: int, at: datetime) -> Figures:
    if days != EFFECT_DAYS:
        return measure_elsewhere(session, campaign.reference, days=days, at=at) or _nothing(campaign, days, at=at)
    kept = from_json(campaign.figures) if campaign.figures is not None else None
    if kept is not None and campaign.measured_at is not None:
        rests = DAILY if kept.is_closed else FRESH_FOR
        if at < campaign.measured_at + rests and (campaign.read_at or at) <= campaign.measured_at:
            return kept
    return _keep(session, campaign, at=at)


def _keep(session: ScopedSession, campaign: CampaignElsewhere, *, at: datetime) -> Figures:
    figures = measure_elsewhere(session, campaign.reference, days=EFFECT_DAYS, at=at)
    figures = figures or _nothing(campaign, EFFECT_DAYS, at=at)
    campaign.figures, campaign.measured_at = as_json(figures), at
    session.flush()
    return figures


def _nothing(campaign: CampaignElsewhere, days: int, *, at: datetime) -> Figures:
    """Nobody of ours is known to have got it."""
    closes_at = campaign.sent_at + timedelta(days=days)
    return Figures(days, written(at) or "", written(campaign.sent_at), written(closes_at))


def _before(session: ScopedSession, campaign: CampaignElsewhere, figures: Figures, *, at: datetime) -> Before:
    if figures.started_at is None:
        return Before(0, 0.0)
    started_at = datetime.fromisoformat(figures.started_at) - timedelta(days=figures.days)
    window = window_from(session, days=figures.days, started_at=started_at, at=at)
    row = session.execute(text(_BEFORE), window | {"campaign": campaign.reference}).one()
    return Before(row.people, round(row.amount, 2))


def _average_before(session: ScopedSession, campaign: CampaignElsewhere) -> Average | None:
    row = CampaignElsewhere
    kept = session.scalars(
        sa.select(row.figures)
        .where(row.sent_at < campaign.sent_at, row.figures.is_not(None))
        .order_by(row.sent_at.desc())
        .limit(AVERAGE_OF)
    )
    figures = [from_json(each) for each in kept if each is not None]
    return average_of([each for each in figures if each.funnel.got])


def _due(session: ScopedSession, *, at: datetime) -> list[int]:
    row = CampaignElsewhere
    closes_at = row.sent_at + timedelta(days=EFFECT_DAYS)
    return list(
        session.scalars(
            sa.select(row.id)
            .where(
                sa.or_(
                    row.measured_at.is_(None),
                    row.measured_at < row.read_at,
                    sa.and_(row.measured_at <= at - HOURLY, row.measured_at < closes_at),
                    sa.and_(row.measured_at <= at - DAILY, row.measured_at < closes_at + DAILY_FOR),
                )
            )
            .order_by(row.measured_at.nulls_first(), row.sent_at.desc())
            .limit(PER_BEAT)
        )
    )
