"""The end of a mailing: nothing is left to send, or it was cancelled. Who did not get it after all has a reason."""

from __future__ import annotations

import sqlalchemy as sa

from app import clock
from app.db import ScopedSession, transaction
from app.mailings.models import Mailing
from app.runtime import Runtime

CANCELLED_AT_ONCE = 20_000


def finish_all(runtime: Runtime, organisation_id: int) -> int:
    """Close the mailings of a house whose last mail was settled, and empty the queues of cancelled ones."""
    done = 0
    with transaction(runtime.engine, organisation_id) as session:
        ended = session.execute(_ENDED, {"organisation": organisation_id}).all()
    for mailing_id, state in ended:
        if state == "cancelled":
            while _cancel_some(runtime, organisation_id, mailing_id) == CANCELLED_AT_ONCE:
                done += 1
        with transaction(runtime.engine, organisation_id) as session:
            done += _close(session, mailing_id)
    return done


def _cancel_some(runtime: Runtime, organisation_id: int, mailing_id: int) -> int:
    with transaction(runtime.engine, organisation_id) as session:
        values = {
            "organisation": organisation_id,
            "mailing": mailing_id,
            "limit": CANCELLED_AT_ONCE,
            "now": clock.now(),
        }
        return len(session.execute(_CANCEL, values).all())


def _close(session: ScopedSession, mailing_id: int) -> int:
    """Note the end of a mailing of which nothing is on its way any more, and who did not get it."""
    now = clock.now()
    values = {"organisation": session.organisation_id, "mailing": mailing_id, "now": now}
    mailing = session.scalars(
        sa.select(Mailing)
        .where(Mailing.id == mailing_id, Mailing.finished_at.is_(None))
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if mailing is None or mailing.state not in ("sending", "cancelled"):
        return 0
    if session.scalar(_IS_LEFT, values):
        return 0
    session.execute(_LEAVE_OUT, values)
    mailing.finished_at = mailing.updated_at = now
    if mailing.state == "sending":
        mailing.state = "sent"
    return 1


_ON_ITS_WAY = "state IN ('planned', 'claimed', 'handed_over')"
_IS_LEFT = sa.text(
    "SELECT EXISTS (SELECT FROM delivery WHERE organisation_id = :organisation AND mailing_id = :mailing"
    f" AND {_ON_ITS_WAY})"
)
_ENDED = sa.text(
    "SELECT m.id, m.state FROM mailing AS m"
    " WHERE m.organisation_id = :organisation AND m.kind = 'campaign' AND m.finished_at IS NULL"
    "   AND (m.state = 'cancelled' OR (m.state = 'sending' AND m.planned_at IS NOT NULL"
    "        AND NOT EXISTS (SELECT FROM delivery AS d WHERE d.organisation_id = m.organisation_id"
    "                           AND d.mailing_id = m.id AND d.state IN ('planned', 'claimed', 'handed_over'))))"
)
_CANCEL = sa.text(
    "UPDATE delivery SET state = 'cancelled', lease_until = NULL, settled_at = :now, problem_code = 'mailing_cancelled'"
    " WHERE organisation_id = :organisation AND id IN ("
    "  SELECT id FROM delivery WHERE organisation_id = :organisation AND mailing_id = :mailing"
    "   AND state IN ('planned', 'claimed') LIMIT :limit FOR UPDATE SKIP LOCKED) RETURNING 1"
)
# What the claim said, in the words of those who were left out from the start.
_LEAVE_OUT = sa.text(
    "INSERT INTO mailing_left_out (organisation_id, mailing_id, contact_id, reason, decided_at)"
    " SELECT organisation_id, mailing_id, contact_id,"
    "        CASE problem_code WHEN 'denied' THEN 'no_permission' WHEN 'bouncing' THEN 'undeliverable'"
    "             ELSE coalesce(problem_code, 'mailing_cancelled') END,"
    "        coalesce(settled_at, :now)"
    "   FROM delivery"
    "  WHERE organisation_id = :organisation AND mailing_id = :mailing AND enrolment_id IS NULL"
    "    AND state = 'cancelled'"
    " ON CONFLICT DO NOTHING"
)
