"""What a mailing brought about: who got it, who clicked, who booked, what it earned, who stopped, who did not get it.

Set-based: a handful of statements over the deliveries of one mailing and what those people booked in its window, never
over all bookings. Nothing is written; ``keeping`` remembers. Opens are counted and decide nothing (I17).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace as replaced
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, text

from app.accounts.organisations import current_organisation
from app.db import ScopedSession
from app.mailings.effect.figures import (
    Figures,
    Funnel,
    LinkClicks,
    Moment,
    Offer,
    Part,
    every_day,
    every_hour,
    written,
)
from app.mailings.effect.people_sql import (
    BOUGHT,
    CAME_BACK,
    GOT,
    PERMITTED,
    SIDES,
    SURVIVOR,
    WHY_CANCELLED,
    WITHOUT_DELIVERY,
)
from app.mailings.effect.proof import Side
from app.mailings.models import Mailing
from app.mailings.problems import UnknownMailing

HOURS = 48
OFFERS_MAX = 40
LINKS_MAX = 200
# Somebody who stops later than this after a mail, or after another one, did not stop because of it.
STOPPED_WITHIN_DAYS = 7

_STATES = """
SELECT state, count(*) AS deliveries, count(DISTINCT contact_id) AS people,
       count(*) FILTER (WHERE handed_over_at IS NOT NULL) AS handed_over
  FROM delivery
 WHERE organisation_id = :organisation_id AND mailing_id = :mailing_id AND state <> 'draft'
 GROUP BY state
"""

# Somebody whose mail was cancelled may also be noted among those left out, once the mailing has ended: once is enough.
_REASONS = f"""
SELECT reason, count(*) AS people FROM (
    SELECT away.reason FROM mailing_left_out AS away
     WHERE away.organisation_id = :organisation_id AND away.mailing_id = :mailing_id AND {WITHOUT_DELIVERY}
     UNION ALL
    SELECT CASE delivery.state WHEN 'cancelled' THEN {WHY_CANCELLED} ELSE 'not_accepted' END
      FROM delivery
     WHERE delivery.organisation_id = :organisation_id AND delivery.mailing_id = :mailing_id
       AND delivery.state IN ('cancelled', 'failed')
) AS given GROUP BY reason ORDER BY people DESC, reason
"""

# One pass over the bookings, told apart in every way at once.
_BOOKED = f"""
WITH RECURSIVE {SURVIVOR}, %(got)s, {BOUGHT}
SELECT GROUPING(bought.activity_id, activity.series, hour.since_start, bought.booked_on, bought.variant,
                bought.language) AS told_by,
       bought.activity_id, activity.series, hour.since_start, bought.booked_on, bought.variant, bought.language,
       min(activity.title) AS title, min(activity.starts_on) AS starts_on,
       count(DISTINCT bought.person_id) AS people, count(*) AS bookings, sum(bought.quantity) AS tickets,
       CAST(sum(bought.amount) AS double precision) AS amount
  FROM bought
  JOIN activity ON activity.organisation_id = :organisation_id AND activity.id = bought.activity_id
 CROSS JOIN LATERAL (
    SELECT CASE WHEN bought.booked_at < CAST(:started_at AS timestamptz) + interval '{HOURS} hours'
                THEN CAST(floor(extract(epoch FROM bought.booked_at - CAST(:started_at AS timestamptz)) / 3600)
                          AS integer) END AS since_start
 ) AS hour
 GROUP BY GROUPING SETS ((), (bought.activity_id), (activity.series), (hour.since_start), (bought.booked_on),
                         (bought.variant), (bought.language))
"""
_ALL, _ACTIVITY, _SERIES, _HOUR, _DATE, _VARIANT, _LANGUAGE = 63, 31, 47, 55, 59, 61, 62

# People, each once, at their first click. Who let us see: now, or when they clicked.
_SEEN = f"""
WITH RECURSIVE {SURVIVOR}, {PERMITTED}, %(got)s, person AS MATERIALIZED (
    SELECT person_id, min(variant) AS variant, min(language) AS language FROM got GROUP BY person_id
), hit AS MATERIALIZED (
    SELECT event.contact_id AS person_id, event.event, min(event.occurred_at) AS first_at
      FROM mail_event AS event
     WHERE event.organisation_id = :organisation_id AND %(of_mailing)s
       AND event.event IN ('clicked', 'opened') AND NOT event.is_machine AND event.occurred_at <= :now
     GROUP BY event.contact_id, event.event
), seen AS MATERIALIZED (
    SELECT person.*, click.first_at AS clicked_at, opening.first_at IS NOT NULL AS is_opened,
           click.first_at IS NOT NULL OR %(may_see)s AS is_measured,
           opening.first_at IS NOT NULL OR may_open.contact_id IS NOT NULL AS is_open_measured
      FROM person
      LEFT JOIN hit AS click ON click.person_id = person.person_id AND click.event = 'clicked'
      LEFT JOIN hit AS opening ON opening.person_id = person.person_id AND opening.event = 'opened'
      LEFT JOIN permitted AS may ON may.contact_id = person.person_id AND may.purpose = 'track_click'
      LEFT JOIN permitted AS may_open ON may_open.contact_id = person.person_id AND may_open.purpose = 'track_open'
)
SELECT GROUPING(hour.since_start, hour.day, seen.variant, seen.language) AS told_by,
       hour.since_start, hour.day, seen.variant, seen.language, count(*) AS got,
       count(*) FILTER (WHERE is_measured) AS measured, count(clicked_at) AS clicked,
       count(*) FILTER (WHERE is_open_measured) AS open_measured, count(*) FILTER (WHERE is_opened) AS opened
  FROM seen CROSS JOIN LATERAL (
    SELECT CASE WHEN clicked_at < CAST(:started_at AS timestamptz) + interval '{HOURS} hours' THEN
           CAST(greatest(floor(extract(epoch FROM clicked_at - CAST(:started_at AS timestamptz)) / 3600), 0)
                AS integer) END AS since_start,
           CAST(clicked_at AT TIME ZONE :time_zone AS date) AS day
  ) AS hour
 GROUP BY GROUPING SETS ((), (hour.since_start), (hour.day), (seen.variant), (seen.language))
"""

_SEGMENTS = f"""
WITH RECURSIVE {SURVIVOR}, {PERMITTED}, {GOT}, {BOUGHT}, clicked AS MATERIALIZED (
    SELECT DISTINCT contact_id FROM mail_event WHERE organisation_id = :organisation_id AND mailing_id = :mailing_id
       AND event = 'clicked' AND NOT is_machine
), buyer AS MATERIALIZED (
    SELECT person_id, sum(amount) AS amount FROM bought GROUP BY person_id
), sent_to AS MATERIALIZED (
    SELECT DISTINCT aim.segment_id, got.person_id
      FROM mailing_segment AS aim
      JOIN segment_membership AS member ON member.organisation_id = :organisation_id
       AND member.segment_id = aim.segment_id AND member.entered_at <= :planned_at
       AND (member.left_at IS NULL OR member.left_at > :planned_at)
      JOIN got ON got.contact_id = member.contact_id
     WHERE aim.organisation_id = :organisation_id AND aim.mailing_id = :mailing_id AND aim.part = 'to'
)
SELECT sent_to.segment_id, count(*) AS got, count(clicked.contact_id) AS clicked, count(buyer.person_id) AS booked,
       CAST(coalesce(sum(buyer.amount), 0) AS double precision) AS amount,
       count(*) FILTER (WHERE clicked.contact_id IS NOT NULL OR may.contact_id IS NOT NULL) AS measured
  FROM sent_to
  LEFT JOIN clicked ON clicked.contact_id = sent_to.person_id
  LEFT JOIN buyer ON buyer.person_id = sent_to.person_id
  LEFT JOIN permitted AS may ON may.contact_id = sent_to.person_id AND may.purpose = 'track_click'
 GROUP BY sent_to.segment_id ORDER BY got DESC, sent_to.segment_id
"""

_LINKS = """
SELECT link.id AS link_id, link.url, count(DISTINCT event.contact_id) AS people
  FROM mail_link AS link
  LEFT JOIN mail_event AS event ON event.organisation_id = :organisation_id AND event.mailing_id = :mailing_id
   AND event.event = 'clicked' AND NOT event.is_machine AND event.link_id = link.id
 WHERE link.organisation_id = :organisation_id AND link.mailing_id = :mailing_id
 GROUP BY link.id, link.url ORDER BY people DESC, link.id
 LIMIT :links_max
"""

STOPPED = f"""
known_as AS (
    SELECT person_id, contact_id, got_at FROM got
     UNION ALL
    SELECT person_id, person_id, got_at FROM got WHERE person_id <> contact_id
), stopped AS MATERIALIZED (
    SELECT got.person_id, bool_or(event.method = 'complaint') AS has_complained, min(event.recorded_at) AS stopped_at
      FROM known_as AS got JOIN consent_event AS event ON event.organisation_id = :organisation_id
       AND event.contact_id = got.contact_id
     WHERE event.channel = 'email' AND event.action IN ('withdrawn', 'objected')
       AND event.actor IN ('contact', 'guardian', 'system', 'api')
       AND event.method NOT IN ('erasure', 'retention', 'import')
       AND (event.purpose IS NULL OR event.purpose NOT IN ('track_open', 'track_click'))
       AND event.recorded_at >= got.got_at
       AND event.recorded_at < got.got_at + interval '{STOPPED_WITHIN_DAYS} days'
       AND NOT EXISTS (
           SELECT FROM delivery AS later WHERE later.organisation_id = :organisation_id
              AND later.contact_id = got.contact_id AND later.kind = 'mailing'
              AND later.handed_over_at > got.got_at AND later.handed_over_at <= event.recorded_at)
     GROUP BY got.person_id
)
"""
_STOPPED = f"""
WITH RECURSIVE {SURVIVOR}, {GOT}, {STOPPED}
SELECT count(*) AS stopped, count(*) FILTER (WHERE has_complained) AS complained FROM stopped
"""

_BOUNCED = f"""
SELECT count(DISTINCT contact_id) FROM delivery
 WHERE organisation_id = :organisation_id AND mailing_id = :mailing_id AND {CAME_BACK}
"""

# Everybody who was meant to get it, whether it went or not: who drew the mail, against who drew nothing. Both sides
# are followed from the same moment, so that neither has longer to book.
_COMPARED = f"""
WITH RECURSIVE {SURVIVOR}, subject AS (
    SELECT coalesce(survivor.into_id, drawn.contact_id) AS person_id, drawn.is_held_out,
           CAST(:started_at AS timestamptz) AS since, CAST(:closes_at AS timestamptz) AS until
      FROM (
        SELECT contact_id, false AS is_held_out FROM delivery
         WHERE organisation_id = :organisation_id AND mailing_id = :mailing_id AND state <> 'draft'
           AND enrolment_id IS NULL
         UNION ALL
        SELECT contact_id, true FROM mailing_left_out
         WHERE organisation_id = :organisation_id AND mailing_id = :mailing_id AND reason = 'held_out'
      ) AS drawn LEFT JOIN survivor ON survivor.contact_id = drawn.contact_id
), {SIDES}
"""

# Other mailings that reached some of the same people within the window: a booking is then counted for each.
_OTHERS = """
SELECT count(*) FROM mailing
 WHERE organisation_id = :organisation_id AND id <> :mailing_id AND kind = 'campaign' AND purpose <> 'service'
   AND started_at < :closes_at AND started_at > CAST(:started_at AS timestamptz) - make_interval(days => effect_days)
"""


def measure(session: ScopedSession, mailing_id: int, *, at: datetime, days: int | None = None) -> Figures:
    """Measure a mailing over ``days`` days (its own window where not given) as it stands at ``at``.

    Raises UnknownMailing. A mailing that has not begun has the figures of its plan and nothing else.
    """
    mailing, figures, window = _sent_so_far(session, mailing_id, days=days, at=at)
    if figures.started_at is None:
        return figures
    return _with_effect(session, figures, window, is_campaign=mailing.kind == "campaign")


def count_sent(session: ScopedSession, mailing_id: int, *, at: datetime) -> Figures:
    """Return how far sending is, without what people did. Raises UnknownMailing."""
    _mailing, figures, _window = _sent_so_far(session, mailing_id, days=None, at=at)
    return replaced(figures, is_counted=figures.started_at is None)


def _sent_so_far(
    session: ScopedSession, mailing_id: int, *, days: int | None, at: datetime
) -> tuple[Mailing, Figures, dict[str, Any]]:
    mailing = session.get(Mailing, (session.organisation_id, mailing_id))
    if mailing is None:
        raise UnknownMailing(mailing_id)
    started_at = _started_at(session, mailing)
    window = window_of(session, mailing, days=days, at=at)
    states = session.execute(text(_STATES), window).all()
    reasons = session.execute(text(_REASONS), window).all()
    figures = Figures(
        window["days"],
        written(at) or "",
        written(started_at),
        written(window["closes_at"]) if started_at else None,
        funnel=_planned(states, {row.reason: row.people for row in reasons}),
        reasons=tuple((row.reason, row.people) for row in reasons),
    )
    return mailing, figures, window


def _started_at(session: ScopedSession, mailing: Mailing) -> datetime | None:
    if mailing.started_at is not None:
        return mailing.started_at
    found: datetime | None = session.scalar(
        text(
            "SELECT min(handed_over_at) FROM delivery"
            " WHERE organisation_id = :organisation_id AND mailing_id = :mailing_id AND state <> 'draft'"
        ),
        {"organisation_id": session.organisation_id, "mailing_id": mailing.id},
    )
    return found


def window_of(session: ScopedSession, mailing: Mailing, *, at: datetime, days: int | None = None) -> dict[str, Any]:
    """Return what the statements about a mailing are asked with: its house, its window, and 'now'."""
    days = days or mailing.effect_days
    started_at = _started_at(session, mailing)
    window = window_from(session, days=days, started_at=started_at or at, at=at)
    if mailing.kind == "journey":
        # People get it one by one, for as long as the journey runs.
        window["last_on"] = at.date() + timedelta(days=1)
    elif mailing.finished_at is not None:
        window["last_on"] = max(window["last_on"], mailing.finished_at.date() + timedelta(days=days + 1))
    return window | {
        "mailing_id": mailing.id,
        "planned_at": mailing.planned_at or started_at or at,
        "links_max": LINKS_MAX,
    }


def window_from(session: ScopedSession, *, days: int, started_at: datetime, at: datetime) -> dict[str, Any]:
    zone = ZoneInfo(current_organisation(session).time_zone)
    local = started_at.astimezone(zone)
    closes_at = (local + timedelta(days=days)).replace(fold=0).astimezone(at.tzinfo)
    return {
        "organisation_id": session.organisation_id,
        "time_zone": zone.key,
        "days": days,
        "started_at": started_at,
        "closes_at": closes_at,
        "now": at,
        "first_on": local.date(),
        # Sending takes a while, and the last to get it have as many days as the first.
        "last_on": local.date() + timedelta(days=days + 3),
    }


def _planned(states: Any, reasons: Mapping[str, int]) -> Funnel:
    deliveries = {row.state: row.deliveries for row in states}
    planned = sum(deliveries.values())
    away = {"cancelled", "failed"}
    left_out = sum(reasons.values()) - sum(deliveries.get(state, 0) for state in away)
    return Funnel(
        meant=planned + left_out,
        left_out=left_out,
        planned=planned,
        waiting=deliveries.get("planned", 0) + deliveries.get("claimed", 0),
        handed_over=sum(row.handed_over for row in states),
        accepted=deliveries.get("accepted", 0),
        uncertain=deliveries.get("uncertain", 0),
        failed=deliveries.get("failed", 0),
        cancelled=deliveries.get("cancelled", 0),
    )


def _with_effect(session: ScopedSession, figures: Figures, window: dict[str, Any], *, is_campaign: bool) -> Figures:
    parts = {"got": GOT, "of_mailing": "event.mailing_id = :mailing_id", "may_see": "may.contact_id IS NOT NULL"}
    figures = with_behaviour(session, figures, window, parts)
    stopped = session.execute(text(_STOPPED), window).one()
    bounced = session.scalar(text(_BOUNCED), window) or 0
    sides = sides_of(session, _COMPARED, window) if is_campaign else {}
    return replaced(
        figures,
        funnel=replaced(figures.funnel, bounced=bounced, stopped=stopped.stopped, complained=stopped.complained),
        segments=tuple(
            Part(str(row.segment_id), row.got, row.measured, row.clicked, row.booked, row.amount)
            for row in session.execute(text(_SEGMENTS), window)
        ),
        links=tuple(LinkClicks(row.link_id, row.url, row.people) for row in session.execute(text(_LINKS), window)),
        treated=sides.get(False, Side()),
        control=sides.get(True, Side()),
        others_in_window=session.scalar(text(_OTHERS), window) or 0,
    )


def with_behaviour(
    session: ScopedSession, figures: Figures, window: dict[str, Any], parts: Mapping[str, str]
) -> Figures:
    """Return figures with who clicked and booked. ``parts`` of the statements: ``got``, who received it;
    ``of_mailing``, which events are about it; ``may_see``, whose clicks can be seen."""
    booked = _told_apart(session.execute(text(_BOOKED % parts), window).all())
    seen = _told_apart(session.execute(text(_SEEN % parts), window).all())
    whole, looked = booked.get(_ALL, [None])[0], seen[15][0]
    funnel = replaced(
        figures.funnel,
        got=looked.got,
        measured=looked.measured,
        clicked=looked.clicked,
        open_measured=looked.open_measured,
        opened=looked.opened,
        booked=whole.people if whole else 0,
        bookings=whole.bookings if whole else 0,
        tickets=int(whole.tickets or 0) if whole else 0,
        amount=round(whole.amount or 0.0, 2) if whole else 0.0,
    )
    return replaced(
        figures,
        funnel=funnel,
        activities=_offers(booked.get(_ACTIVITY, []), lambda row: row.title),
        series=_offers(booked.get(_SERIES, []), lambda row: row.series),
        variants=_parts(seen.get(13, []), booked.get(_VARIANT, []), "variant"),
        languages=_parts(seen.get(14, []), booked.get(_LANGUAGE, []), "language"),
        hours=_hours(seen.get(7, []), booked.get(_HOUR, [])),
        dates=_dates(seen.get(11, []), booked.get(_DATE, []), window),
    )


def sides_of(session: ScopedSession, statement: str, window: Mapping[str, Any]) -> dict[bool, Side]:
    """Run a statement that ends in ``SIDES``; returns the held-out side under True, the treated under False."""
    rows = session.execute(text(statement), window).mappings()
    sums = ("mm", "my", "yy", "amount", "rr", "mr")
    return {
        row["is_held_out"]: Side(
            int(row["households"]), int(row["people"]), int(row["hits"]), *(float(row[name]) for name in sums)
        )
        for row in rows
    }


def _told_apart(rows: Any) -> dict[int, list[Row[Any]]]:
    groups: dict[int, list[Row[Any]]] = {}
    for row in rows:
        groups.setdefault(row.told_by, []).append(row)
    return groups


def _offers(rows: list[Row[Any]], named: Any) -> tuple[Offer, ...]:
    made = [
        Offer(
            named(row),
            row.people,
            int(row.tickets or 0),
            round(row.amount or 0.0, 2),
            row.activity_id,
            row.starts_on.isoformat() if row.starts_on and row.activity_id else None,
        )
        for row in rows
        if named(row)
    ]
    return tuple(sorted(made, key=lambda each: (-each.amount, -each.tickets, each.name))[:OFFERS_MAX])


def _parts(seen: list[Row[Any]], booked: list[Row[Any]], name: str) -> tuple[Part, ...]:
    bought = {getattr(row, name): row for row in booked}
    made = []
    for row in seen:
        code = getattr(row, name)
        found = bought.get(code)
        money = (found.people, round(found.amount or 0.0, 2)) if found else (0, 0.0)
        made.append(Part(code, row.got, row.measured, row.clicked, *money))
    return tuple(sorted(made, key=lambda each: each.code))


def _hours(seen: list[Row[Any]], booked: list[Row[Any]]) -> tuple[Moment, ...]:
    return every_hour(_together(seen, booked, "since_start", "since_start"), HOURS)


def _dates(seen: list[Row[Any]], booked: list[Row[Any]], window: Mapping[str, Any]) -> tuple[Moment, ...]:
    found = _together(seen, booked, "day", "booked_on")
    last = min(window["last_on"], window["now"].astimezone(ZoneInfo(window["time_zone"])).date())
    # Behind the window a row of empty days says nothing.
    last = min(last, max([*found, window["first_on"] + timedelta(days=window["days"])]))
    first: date = window["first_on"]
    return every_day(found, [first + timedelta(days=each) for each in range((last - first).days + 1)])


def _together(seen: list[Row[Any]], booked: list[Row[Any]], by: str, by_booked: str) -> dict[Any, Any]:
    clicked = {getattr(row, by): row.clicked for row in seen if getattr(row, by) is not None}
    bought = {getattr(row, by_booked): row for row in booked if getattr(row, by_booked) is not None}
    return {
        each: (
            clicked.get(each, 0),
            bought[each].bookings if each in bought else 0,
            round(bought[each].amount or 0.0, 2) if each in bought else 0.0,
        )
        for each in {*clicked, *bought}
    }
