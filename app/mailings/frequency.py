"""How often and when a person gets marketing: over all mailings and journeys of a house, and the lists it pushes to.

Counted are marketing mails that left or are leaving (claimed, handed over, accepted, uncertain), and those that a
connected system says it delivered. The count is taken in the claim, after the gate has locked the contacts, so that two
mails for one person that are claimed at the same moment cannot both pass: the second finds the person being changed,
waits a moment, and counts the first. Service mails are neither counted nor held back.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select, text

from app.accounts.organisations import current_organisation
from app.db import ScopedSession, array_text
from app.mailings.models import MailSetting

# What a house that never said anything gets.
CAP_MAILS, CAP_DAYS, CAP_WAIT_HOURS = 2, 7, 24
QUIET_FROM, QUIET_UNTIL = time(21), time(8)
# A mail of a journey waits for the cap this long at most; afterwards what it says is no news any more.
JOURNEY_WAITS = timedelta(days=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a house set. ``cap_mails`` None: no cap; ``quiet_from`` None: no quiet hours."""

    time_zone: str
    cap_mails: int | None = CAP_MAILS
    cap_days: int = CAP_DAYS
    cap_wait_hours: int = CAP_WAIT_HOURS
    quiet_from: time | None = QUIET_FROM
    quiet_until: time | None = QUIET_UNTIL
    mails_a_minute: int | None = None

    def is_quiet(self, at: datetime) -> bool:
        """Whether it is quiet in the house at this instant; the hours may go past midnight."""
        if self.quiet_from is None or self.quiet_until is None or self.quiet_from == self.quiet_until:
            return False
        local = at.astimezone(ZoneInfo(self.time_zone)).time()
        if self.quiet_from < self.quiet_until:
            return self.quiet_from <= local < self.quiet_until
        return local >= self.quiet_from or local < self.quiet_until


def limits_of(session: ScopedSession) -> Limits:
    """Return what the house set, or what it gets by default."""
    zone = current_organisation(session).time_zone
    setting = session.scalars(select(MailSetting)).one_or_none()
    if setting is None:
        return Limits(time_zone=zone)
    return Limits(
        time_zone=zone,
        cap_mails=setting.cap_mails,
        cap_days=setting.cap_days,
        cap_wait_hours=setting.cap_wait_hours,
        quiet_from=setting.quiet_from,
        quiet_until=setting.quiet_until,
        mails_a_minute=setting.mails_a_minute,
    )


def mailed_lately(
    session: ScopedSession, contact_ids: Collection[int], limits: Limits, *, at: datetime
) -> dict[int, list[datetime]]:
    """Return when each of these got marketing within the days of the cap, the oldest first; nobody without any.

    For a claim: call it in a statement after the contacts were locked.
    """
    rows = session.execute(
        _LATELY,
        {
            "organisation": session.organisation_id,
            "contacts": array_text(contact_ids),
            "since": at - timedelta(days=limits.cap_days),
            "at": at,
        },
    )
    return {row.contact_id: sorted(row.moments) for row in rows}


def free_at(moments: list[datetime], limits: Limits) -> datetime | None:
    """Return when somebody who got mails at these moments may get another one; None for at once."""
    if limits.cap_mails is None or len(moments) < limits.cap_mails:
        return None
    return moments[len(moments) - limits.cap_mails] + timedelta(days=limits.cap_days)


_LATELY = text(
    "SELECT contact_id, array_agg(moment) AS moments FROM ("
    " SELECT d.contact_id, coalesce(d.handed_over_at, d.decided_at) AS moment"
    "   FROM delivery AS d JOIN purpose AS p ON p.organisation_id = d.organisation_id AND p.code = d.purpose"
    "  WHERE d.organisation_id = :organisation AND d.contact_id = ANY (CAST(:contacts AS bigint[]))"
    "    AND d.kind = 'mailing' AND p.is_marketing"
    "    AND d.state IN ('claimed', 'handed_over', 'accepted', 'uncertain')"
    "    AND coalesce(d.handed_over_at, d.decided_at) > :since"
    " UNION ALL"
    " SELECT e.contact_id, min(e.occurred_at)"
    "   FROM mail_event AS e"
    "  WHERE e.organisation_id = :organisation AND e.contact_id = ANY (CAST(:contacts AS bigint[]))"
    "    AND e.event = 'delivered' AND NOT e.is_machine AND e.mailing_id IS NULL"
    # A day more than the window, since the index knows days and zones differ.
    "    AND e.occurred_on >= CAST(:since AS date) - 1"
    "    AND e.occurred_at > :since AND e.occurred_at <= :at"
    "  GROUP BY e.contact_id, e.source, e.campaign"
    ") AS mail (contact_id, moment) GROUP BY contact_id"
)
