"""What happened to mails: recorded once each, and only what may be known.

Without consent to be followed nothing is stored of an opening or a click (consent: tracking is its own consent, off by
default; hits after a withdrawal store nothing, and neither do those from before they agreed, which other systems tell
late). That a mail was delivered, bounced or unsubscribed from is no tracking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from app.accounts.organisations import current_organisation
from app.contacts.campaigns import note_campaigns
from app.db import ScopedSession, array_text

EVENTS = ("delivered", "opened", "clicked", "bounced", "unsubscribed", "complained")
RECORDS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class MailEventRecord:
    """Something that happened to a mail to a contact. ``external_id``, within its source, makes a replay harmless.

    ``mailing_id`` is a mailing of ours, ``delivery_id`` the mail of it and ``link_id`` the link that was followed;
    ``campaign`` is the reference of one that another system sent (then ``link_id`` is a ``campaign_link``).
    ``is_machine``: a scanner or a prefetch did it, not the person.
    """

    contact_id: int
    event: str
    occurred_at: datetime
    source: str
    external_id: str
    mailing_id: int | None = None
    campaign: str | None = None
    is_machine: bool = False
    delivery_id: int | None = None
    link_id: int | None = None


# An event is about whoever the contact is now (somebody who was merged goes on in another), and cannot lie ahead of
# when we hear of it. Opens and clicks need the gate's yes to being followed, now and when they happened.
_RECORD = """
WITH RECURSIVE given AS (
    SELECT * FROM unnest(
        CAST(:contact_ids AS bigint[]), CAST(:events AS text[]), CAST(:occurred_ats AS timestamptz[]),
        CAST(:mailing_ids AS bigint[]), CAST(:campaigns AS text[]), CAST(:machines AS boolean[]),
        CAST(:sources AS text[]), CAST(:external_ids AS text[]),
        CAST(:delivery_ids AS bigint[]), CAST(:link_ids AS bigint[])
    ) AS given(contact_id, event, occurred_at, mailing_id, campaign, is_machine, source, external_id,
               delivery_id, link_id)
), person AS (
    SELECT contact.id AS given_id, contact.id, contact.state, contact.merged_into_id
      FROM contact
     WHERE contact.organisation_id = :organisation_id AND contact.id IN (SELECT contact_id FROM given)
     UNION
    SELECT person.given_id, contact.id, contact.state, contact.merged_into_id
      FROM person JOIN contact ON contact.organisation_id = :organisation_id AND contact.id = person.merged_into_id
)
INSERT INTO mail_event (organisation_id, contact_id, event, occurred_at, occurred_on, mailing_id, campaign, is_machine,
                        source, external_id, delivery_id, link_id, recorded_at)
SELECT :organisation_id, person.id, given.event, least(given.occurred_at, :at),
       CAST(least(given.occurred_at, :at) AT TIME ZONE :time_zone AS date), given.mailing_id, given.campaign,
       given.is_machine, given.source, given.external_id, given.delivery_id, given.link_id, :at
  FROM given JOIN person ON person.given_id = given.contact_id AND person.state = 'living'
 WHERE given.event NOT IN ('opened', 'clicked')
    OR EXISTS (SELECT FROM contactable
                WHERE contactable.organisation_id = :organisation_id AND contactable.contact_id = person.id
                  AND contactable.channel = 'email' AND contactable.since <= given.occurred_at
                  AND contactable.purpose = CASE given.event WHEN 'opened' THEN 'track_open' ELSE 'track_click' END)
 ORDER BY given.source, given.external_id
    ON CONFLICT (organisation_id, source, external_id) DO NOTHING
RETURNING source, external_id
"""


def record_engagement(
    session: ScopedSession, records: Sequence[MailEventRecord], *, at: datetime
) -> set[tuple[str, str]]:
    """Record what happened to mails; returns (source, external_id) of those that were new and may be kept.

    Idempotent on (source, external_id). Nothing is stored about somebody unknown, erased or, for opens and clicks,
    without consent to it. A few statements, however many records. Raises ValueError for an event that does not exist.
    """
    unknown = {record.event for record in records} - set(EVENTS)
    if unknown:
        raise ValueError(f"no such mail event: {', '.join(sorted(unknown))}")
    zone = current_organisation(session).time_zone
    note_campaigns(
        session, [(each.campaign, each.source, min(each.occurred_at, at)) for each in records if each.campaign]
    )
    stored: set[tuple[str, str]] = set()
    for start in range(0, len(records), RECORDS_MAX):
        batch = records[start : start + RECORDS_MAX]
        rows = session.execute(
            text(_RECORD),
            {
                "organisation_id": session.organisation_id,
                "at": at,
                "time_zone": zone,
                "contact_ids": array_text(one.contact_id for one in batch),
                "events": array_text(one.event for one in batch),
                "occurred_ats": array_text(one.occurred_at.isoformat() for one in batch),
                "mailing_ids": array_text(one.mailing_id for one in batch),
                "campaigns": array_text(one.campaign for one in batch),
                "machines": array_text(one.is_machine for one in batch),
                "sources": array_text(one.source for one in batch),
                "external_ids": array_text(one.external_id for one in batch),
                "delivery_ids": array_text(one.delivery_id for one in batch),
                "link_ids": array_text(one.link_id for one in batch),
            },
        )
        stored.update((row.source, row.external_id) for row in rows)
    return stored
