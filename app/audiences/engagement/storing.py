"""One page of what became of a campaign, stored: people we know only, each event once, machines marked.

Whether a click may be kept ``record_engagement`` decides: the person agrees now, and did so before they clicked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from hashlib import sha256

from sqlalchemy import select, update

from app.contacts.bursts import Click, in_a_burst
from app.contacts.campaigns import CampaignElsewhere, link_ids
from app.contacts.engagement import MailEventRecord, record_engagement
from app.contacts.ingest import known_contacts
from app.contacts.matching import identity_of
from app.contacts.models import MailEvent
from app.db import ScopedSession
from integrations.base import Happening, MailHappening

# Nobody has received, opened and clicked a mail so soon after the first of its campaign left.
TOO_SOON_S = 10


def store_happenings(
    session: ScopedSession, campaign: CampaignElsewhere, happenings: Sequence[MailHappening], *, at: datetime
) -> Counter[str]:
    """Store what happened to a campaign's mails; returns how many events were ``stored``, and how many were of people
    we do not know (``strangers``). Idempotent."""
    keys = {one.email: identity_of("email", one.email) for one in happenings}
    known = known_contacts(session, [key for key in keys.values() if key is not None])
    ours = [(one, known[key]) for one in happenings if (key := keys[one.email]) is not None and key in known]
    links = link_ids(session, campaign.id, [one.url for one, _ in ours if one.url])
    records = [_record(session, campaign, one, contact_id, links=links) for one, contact_id in ours]
    stored = record_engagement(session, records, at=at)
    clickers = {one.contact_id for one in records if one.event == "clicked" and (one.source, one.external_id) in stored}
    _mark_bursts(session, campaign, clickers)
    return Counter(stored=len(stored), strangers=len(happenings) - len(ours))


def _record(
    session: ScopedSession,
    campaign: CampaignElsewhere,
    one: MailHappening,
    contact_id: int,
    *,
    links: dict[str, int],
) -> MailEventRecord:
    is_too_soon = one.what is Happening.CLICKED and (one.at - campaign.sent_at).total_seconds() < TOO_SOON_S
    return MailEventRecord(
        contact_id=contact_id,
        event=one.what.value,
        occurred_at=one.at,
        source=campaign.system,
        external_id=f"{campaign.external_id}:{one.what.value}:{_mark(session, one)}",
        campaign=campaign.reference,
        is_machine=one.is_machine or is_too_soon,
        link_id=links.get(one.url) if one.url else None,
    )


def _mark(session: ScopedSession, one: MailHappening) -> str:
    """What is the same however often it is read: the address, and the vendor's own words for which click it was."""
    identity = identity_of("email", one.email)
    told = f"{session.organisation_id} {identity[1] if identity else ''} {one.key}"
    return sha256(told.encode()).hexdigest()[:32]


def _mark_bursts(session: ScopedSession, campaign: CampaignElsewhere, contact_ids: Collection[int]) -> None:
    """Mark clicks that came faster than anybody reads, those stored earlier too. The vendors do not tell machines."""
    if not contact_ids:
        return
    row = MailEvent
    found = session.execute(
        select(row.id, row.contact_id, row.link_id, row.occurred_at).where(
            row.contact_id.in_(contact_ids),
            row.campaign == campaign.reference,
            row.event == "clicked",
            row.link_id.is_not(None),
        )
    )
    clicks: dict[int, list[Click]] = {}
    for event_id, contact_id, link_id, clicked_at in found:
        clicks.setdefault(contact_id, []).append(Click(event_id, link_id or 0, clicked_at))
    # How many links the mail has in all we do not know: only many at once tell a machine.
    machines = [event_id for each in clicks.values() for event_id in in_a_burst(each, links=0)]
    if machines:
        session.execute(
            update(row)
            .where(row.id.in_(machines), row.is_machine.is_(False))
            .values(is_machine=True)
            .execution_options(synchronize_session=False)
        )
