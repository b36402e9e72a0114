"""What a house gathers besides visits: passes, what happened to its newsletters, and summers behind closed doors.

Worked out by the database from who is there, so that it takes seconds and the same people get the same.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import text

from app.db import ScopedSession
from app.segments.closures import set_closed_periods
from app.segments.language.windows import ClosedPeriod

NEWSLETTERS = 8

# One in six holds a pass; some of these ran out, and some do within weeks.
_PASSES = """
INSERT INTO pass (organisation_id, contact_id, programme, number, number_key, valid_from, expires_on, points, source,
                  created_at, updated_at)
SELECT :organisation_id, id, 'uitpas', '0940' || lpad(place::text, 9, '0'), '0940' || lpad(place::text, 9, '0'),
       CAST(:today AS date) - 700, CAST(:today AS date) + CAST(place * 37 % 420 - 60 AS integer), place * 13 % 40,
       'uitpas', :at, :at
  FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM contact
         WHERE organisation_id = :organisation_id AND state = 'living') AS numbered
 WHERE place % 6 = 0
"""

# The newsletters of the past months, and what those did with them who agreed to being followed. One in three of them
# opens nothing at all.
_MAILS = """
WITH followed AS MATERIALIZED (
    SELECT contact_id, purpose FROM contactable
     WHERE organisation_id = :organisation_id AND channel = 'email' AND purpose IN ('track_open', 'track_click')
), reader AS MATERIALIZED (
    SELECT contact_id, row_number() OVER (ORDER BY contact_id) AS place,
           contact_id IN (SELECT contact_id FROM followed WHERE purpose = 'track_open') AS may_see_opens,
           contact_id IN (SELECT contact_id FROM followed WHERE purpose = 'track_click') AS may_see_clicks
      FROM contactable
     WHERE organisation_id = :organisation_id AND channel = 'email' AND purpose = 'newsletter'
), sent AS (
    SELECT reader.*, letter, date_trunc('day', CAST(:at AS timestamptz)) + interval '8 hours 30 minutes'
           - make_interval(days => CAST(letter * 40 AS integer)) AS sent_at
      FROM reader CROSS JOIN generate_series(1, :newsletters) AS letter
), happened AS (
    SELECT contact_id, letter, CASE WHEN (place + letter * 11) % 90 = 0 THEN 'bounced' ELSE 'delivered' END AS event,
           sent_at
      FROM sent
     UNION ALL
    SELECT contact_id, letter, 'opened', sent_at + interval '3 hours' FROM sent
     WHERE may_see_opens AND place % 3 > 0 AND (place + letter) % 2 = 0
     UNION ALL
    SELECT contact_id, letter, 'clicked', sent_at + interval '4 hours' FROM sent
     WHERE may_see_clicks AND place % 3 > 0 AND (place + letter) % 6 = 0
)
INSERT INTO mail_event (organisation_id, contact_id, event, occurred_at, occurred_on, campaign, source, external_id,
                        recorded_at)
SELECT :organisation_id, contact_id, event, sent_at, CAST(sent_at AT TIME ZONE :time_zone AS date),
       'Nieuwsbrief ' || to_char(sent_at, 'YYYY-MM'), 'demonstration', concat_ws(':', contact_id, letter, event), :at
  FROM happened
"""

# They were sent from MailChimp, which tells of them what it always tells; and where people clicked.
_CAMPAIGNS = """
INSERT INTO campaign_elsewhere (organisation_id, reference, name, subject, system, external_id, sent_at, numbers,
                                read_at)
SELECT :organisation_id, campaign, campaign, 'Wat er te zien is, en waar nog plaats is', 'mailchimp',
       'demonstration-' || campaign, min(occurred_at),
       jsonb_build_object('delivered', count(*) FILTER (WHERE event IN ('delivered', 'bounced')) + 37,
                          'clicked', count(*) FILTER (WHERE event = 'clicked') * 3 + 21,
                          'bounced', count(*) FILTER (WHERE event = 'bounced') + 2,
                          'unsubscribed', 0, 'complained', 0), :at
  FROM mail_event
 WHERE organisation_id = :organisation_id AND source = 'demonstration' AND campaign IS NOT NULL
 GROUP BY campaign
"""
_LINKS = """
INSERT INTO campaign_link (organisation_id, campaign_id, url, url_sha256)
SELECT :organisation_id, campaign.id, link.url, sha256(convert_to(link.url, 'UTF8'))
  FROM campaign_elsewhere AS campaign
 CROSS JOIN (VALUES ('https://huis.example/agenda'), ('https://huis.example/dans'),
                    ('https://huis.example/cadeaubon')) AS link (url)
 WHERE campaign.organisation_id = :organisation_id
"""
_FOLLOWED = """
UPDATE mail_event
   SET link_id = link.id
  FROM (SELECT campaign.reference, link.id,
               row_number() OVER (PARTITION BY campaign.id ORDER BY link.id) - 1 AS place
          FROM campaign_link AS link JOIN campaign_elsewhere AS campaign
            ON campaign.organisation_id = :organisation_id AND campaign.id = link.campaign_id
         WHERE link.organisation_id = :organisation_id) AS link
 WHERE mail_event.organisation_id = :organisation_id AND mail_event.event = 'clicked'
   AND mail_event.campaign = link.reference AND mail_event.contact_id % 4 % 3 = link.place
"""


def look_back(session: ScopedSession, *, today: date, at: datetime, time_zone: str) -> None:
    """Give the people of a house their passes and the history of their mail, and the house its summers."""
    known = {"organisation_id": session.organisation_id, "at": at}
    session.execute(text(_PASSES), known | {"today": today})
    # Nobody has counted the rows of this transaction yet, and a planner that expects one person loops over thousands.
    session.execute(text("SET LOCAL enable_nestloop = off"))
    session.execute(text(_MAILS), known | {"newsletters": NEWSLETTERS, "time_zone": time_zone})
    session.execute(text("SET LOCAL enable_nestloop = on"))
    for statement in (_CAMPAIGNS, _LINKS, _FOLLOWED):
        session.execute(text(statement), known)
    years = range(today.year - 4, today.year + 1)
    summers = [ClosedPeriod(date(year, 7, 6), date(year, 8, 15)) for year in years]
    set_closed_periods(session, summers)
