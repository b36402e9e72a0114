"""What this room adds to the pages of contacts: the mailings somebody got, clicked in, or that came back.

Ours, and those that other systems sent.
"""

from __future__ import annotations

from sqlalchemy import func, select

from app.contacts.campaigns import CampaignElsewhere
from app.contacts.models import MailEvent
from app.contacts.neighbours import MOMENTS_PER_ROOM_MAX, Moment, add_timeline
from app.db import ScopedSession
from app.mailings.models import Delivery, Mailing

CAME_BACK = ("refused", "bounced_for_now", "bounced")
# What is shown of a mailing that another system sent. Opens are not.
ELSEWHERE = {
    "delivered": "mailed",
    "clicked": "clicked",
    "bounced": "mail_came_back",
    "unsubscribed": "stopped_by_mail",
    "complained": "complained_of_mail",
}


def mailings_of(session: ScopedSession, contact_id: int) -> list[Moment]:
    """Return when a person got each mailing, when they first clicked in it, and which came back.

    A click is only known of who agreed to being followed; what a machine did is no moment of theirs.
    """
    clicked = (
        select(func.min(MailEvent.occurred_at))
        .where(
            MailEvent.contact_id == contact_id,
            MailEvent.mailing_id == Delivery.mailing_id,
            MailEvent.event == "clicked",
            ~MailEvent.is_machine,
        )
        .scalar_subquery()
    )
    rows = session.execute(
        select(Delivery.id, Delivery.handed_over_at, Delivery.planned_at, Delivery.came_back, Mailing.name, clicked)
        .join(Mailing, Mailing.id == Delivery.mailing_id)
        .where(Delivery.contact_id == contact_id, Delivery.state.in_(("handed_over", "accepted", "uncertain")))
        .order_by(Delivery.id.desc())
        .limit(MOMENTS_PER_ROOM_MAX)
    )
    moments = []
    for delivery_id, at, planned_at, came_back, name, clicked_at in rows:
        there = {"contact_id": contact_id, "delivery_id": delivery_id}
        what = "mail_came_back" if came_back in CAME_BACK else "mailed"
        moments.append(Moment(at or planned_at, what, name, "", "mails.why", there))
        if clicked_at is not None:
            moments.append(Moment(clicked_at, "clicked", name, "", "mails.why", there))
    return moments


def elsewhere_of(session: ScopedSession, contact_id: int) -> list[Moment]:
    """Return what became of the mailings other systems sent to a person: each thing once a mailing, the first time."""
    event, campaign = MailEvent, CampaignElsewhere
    rows = session.execute(
        select(func.min(event.occurred_at).label("at"), event.event, campaign.id, campaign.name)
        .join(campaign, campaign.reference == event.campaign)
        .where(event.contact_id == contact_id, event.event.in_(list(ELSEWHERE)), ~event.is_machine)
        .group_by(event.event, campaign.id, campaign.name)
        .order_by(func.min(event.occurred_at).desc())
        .limit(MOMENTS_PER_ROOM_MAX)
    )
    return [
        Moment(row.at, ELSEWHERE[row.event], row.name, "", "mailing_elsewhere.show", {"campaign_id": row.id})
        for row in rows
    ]


add_timeline(mailings_of)
add_timeline(elsewhere_of)
