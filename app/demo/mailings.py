"""Mailings of the demonstration house: three that were sent this season, with what became of them, and a draft.

They are planned as any mailing is, from the segments and the gate as they are now, and then told as if they had left
some weeks ago. Nothing leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text, update

from app import clock
from app.accounts.audit import Actor
from app.db import ScopedSession
from app.mailings.composing.starts import BY_KEY, started
from app.mailings.freezing import freeze
from app.mailings.mailings import MailingDraft, create_mailing
from app.mailings.models import Mailing
from app.mailings.planning import plan_campaign

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Sent:
    """A mailing of the past: what it was called, what it began as, to which segments, and how long ago."""

    name: str
    start: str
    subject: str
    to: tuple[str, ...]
    days_ago: int
    holdout_percent: int = 0


SENT = (
    Sent("Seizoensopening", "programme", "Het nieuwe seizoen staat klaar", ("Trouwe bezoekers", "Ontdekkers"), 54, 10),
    Sent("Dansweek", "invitation", "Een week lang dans, en jij erbij", ("Dansliefhebbers", "Gezinnen"), 33),
    Sent("We missen je", "newsletter", "Je stoel staat er nog", ("Afhakers", "Een keer geweest"), 17, 10),
)
WRITING = "Decembernieuws"

# The gate is asked once for everybody: nobody analysed the deliveries that were planned a moment ago, and for the one
# row that the planner expects it would ask it again for each.
_HAS_LEFT = """
WITH gate AS MATERIALIZED (
    SELECT contact_id, purpose, basis, decided_by, subject_key FROM contactable
     WHERE organisation_id = :organisation_id AND channel = 'email'
)
UPDATE delivery
   SET state = 'accepted', planned_at = :at, next_try_at = :at, attempts = 1, decided_at = left_at.instant,
       handed_over_at = left_at.instant, settled_at = left_at.instant + interval '2 seconds', answer_code = '250',
       rules_version = 'demonstration', decision_reason = gate.basis, decided_by = gate.decided_by,
       address_hash = gate.subject_key
  FROM gate
 CROSS JOIN LATERAL (SELECT :at + make_interval(secs => gate.contact_id * 7 % 1500) AS instant) AS left_at
 WHERE delivery.organisation_id = :organisation_id AND delivery.mailing_id = :mailing_id
   AND gate.contact_id = delivery.contact_id AND gate.purpose = delivery.purpose
"""
_WHAT_BECAME = """
WITH follows AS MATERIALIZED (
    SELECT contact_id FROM contactable
     WHERE organisation_id = :organisation_id AND channel = 'email' AND purpose = 'track_click'
), happened AS (
    SELECT contact_id, 'delivered' AS event, settled_at AS at FROM delivery
     WHERE organisation_id = :organisation_id AND mailing_id = :mailing_id
     UNION ALL
    SELECT contact_id, 'clicked', handed_over_at + make_interval(mins => CAST(20 + contact_id % 600 AS integer))
      FROM delivery
     WHERE organisation_id = :organisation_id AND mailing_id = :mailing_id AND (contact_id * 31 + :mailing_id) % 7 = 0
       AND contact_id IN (SELECT contact_id FROM follows)
)
INSERT INTO mail_event (organisation_id, contact_id, event, occurred_at, occurred_on, mailing_id, source, external_id,
                        recorded_at)
SELECT :organisation_id, contact_id, event, at, CAST(at AT TIME ZONE :time_zone AS date), :mailing_id, 'demonstration',
       concat_ws(':', 'mailing', :mailing_id, contact_id, event), :now
  FROM happened
"""


def write_mailings(session: ScopedSession, segments: dict[str, int], *, by: Actor, time_zone: str) -> list[int]:
    """Keep the mailings of the past and the draft; returns their ids. The segments must have been worked out."""
    made = [_sent(session, each, segments, by=by, time_zone=time_zone) for each in SENT]
    draft = MailingDraft(
        name=WRITING,
        purpose="newsletter",
        to=[segments["Trouwe bezoekers"], segments["Nieuwkomers"]],
        content=started(BY_KEY["newsletter"], ["nl", "fr"]),
    )
    return [*made, create_mailing(session, draft, actor=by).id]


def _sent(session: ScopedSession, sent: Sent, segments: dict[str, int], *, by: Actor, time_zone: str) -> int:
    content = started(BY_KEY[sent.start], ["nl"])
    content["variants"][0]["texts"]["nl"]["subject"] = sent.subject
    draft = MailingDraft(
        name=sent.name,
        purpose="newsletter",
        to=[segments[name] for name in sent.to],
        content=content,
        holdout_percent=sent.holdout_percent,
    )
    mailing_id = create_mailing(session, draft, actor=by).id
    freeze(session, mailing_id, frozen_by=by.id)
    plan_campaign(session, mailing_id)
    at = _morning(sent.days_ago)
    known = {"organisation_id": session.organisation_id, "mailing_id": mailing_id, "at": at}
    session.execute(text(_HAS_LEFT), known)
    session.execute(text(_WHAT_BECAME), known | {"time_zone": time_zone, "now": clock.now()})
    session.execute(
        update(Mailing)
        .where(Mailing.id == mailing_id)
        .values(
            state="sent",
            send_at=at,
            planned_at=at,
            started_at=at,
            finished_at=at + timedelta(minutes=26),
            created_at=at - timedelta(days=1),
            updated_at=at,
        )
    )
    return mailing_id


def _morning(days_ago: int) -> datetime:
    return (clock.now() - timedelta(days=days_ago)).replace(hour=8, minute=30, second=0, microsecond=0)
