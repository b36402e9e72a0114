"""Clicks and opens as they come in: stored only where the person agrees at that moment, machines marked as such."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, update

from app.contacts.bursts import BURST_WITHIN, Click, in_a_burst
from app.contacts.engagement import MailEventRecord, record_engagement
from app.contacts.models import MailEvent
from app.db import ScopedSession
from app.mailings.arrivals import SOURCE
from app.mailings.models import Delivery, MailSetting
from app.mailings.tracking.machines import is_machine
from app.mailings.tracking.models import MailLink
from app.mailings.tracking.tokens import Followed

# The same hit within so short a time is a browser that asked twice.
SAME_WITHIN_S = 10
# A mail that is passed around, or somebody who plays with a link: enough is known by then.
HITS_MAX = 200


@dataclass(frozen=True, slots=True)
class Request:
    """A request for one of our addresses: when, and with which headers."""

    headers: Mapping[str, str]
    at: datetime


def where_to(session: ScopedSession, followed: Followed) -> str | None:
    """Return where a link leads: its frozen address, or None where the mailing is gone. Nothing else is possible.

    A token of one mailing's mail cannot carry a link of another.
    """
    link = MailLink
    return session.scalar(select(link.url).where(link.id == followed.link_id))


def record_click(session: ScopedSession, followed: Followed, request: Request) -> bool:
    """Record that somebody followed a link; returns whether anything was stored.

    Nothing is where the house does not follow, the mail is unknown, or the person does not agree to it now. A burst of
    links makes machines' clicks of those before it too.
    """
    delivery = _delivery(session, followed.delivery_id)
    if delivery is None or not _record(session, delivery, followed, request, event="clicked"):
        return False
    _mark_burst(session, delivery, request.at)
    return True


def record_open(session: ScopedSession, followed: Followed, request: Request) -> bool:
    """Record that a mail's pixel was asked for; returns whether anything was stored (see ``record_click``)."""
    delivery = _delivery(session, followed.delivery_id)
    return delivery is not None and _record(session, delivery, followed, request, event="opened")


def _delivery(session: ScopedSession, delivery_id: int) -> Delivery | None:
    """Return the mail that is followed, locked, so that requests that come together see each other; or None."""
    if not session.scalar(select(MailSetting.tracks)):
        return None
    row = Delivery
    return session.scalars(
        select(row)
        .where(row.id == delivery_id, row.kind == "mailing", row.contact_id.is_not(None))
        .with_for_update(key_share=True)
    ).one_or_none()


def _record(session: ScopedSession, delivery: Delivery, followed: Followed, request: Request, *, event: str) -> bool:
    hits = select(func.count()).select_from(MailEvent).where(MailEvent.delivery_id == delivery.id)
    if (session.scalar(hits) or 0) >= HITS_MAX:
        return False
    after = None if delivery.handed_over_at is None else request.at - delivery.handed_over_at
    by_machine = is_machine(request.headers, after=after)
    moment = int(request.at.timestamp()) // SAME_WITHIN_S
    who = "machine" if by_machine else "person"
    record = MailEventRecord(
        contact_id=delivery.contact_id or 0,
        event=event,
        occurred_at=request.at,
        source=SOURCE,
        external_id=f"{event} {delivery.id} {followed.link_id} {moment} {who}",
        mailing_id=delivery.mailing_id,
        is_machine=by_machine,
        delivery_id=delivery.id,
        link_id=followed.link_id or None,
    )
    return bool(record_engagement(session, [record], at=request.at))


def _mark_burst(session: ScopedSession, delivery: Delivery, at: datetime) -> None:
    """Mark clicks as a machine's that came in a burst with the latest one."""
    row, around = MailEvent, BURST_WITHIN + timedelta(seconds=SAME_WITHIN_S)
    found = session.execute(
        select(row.id, row.link_id, row.occurred_at).where(
            row.delivery_id == delivery.id,
            row.event == "clicked",
            row.link_id.is_not(None),
            row.occurred_at.between(at - around, at + around),
        )
    )
    clicks = [Click(event_id, link_id or 0, clicked_at) for event_id, link_id, clicked_at in found]
    if len({click.link_id for click in clicks}) < 2:
        return
    burst = in_a_burst(clicks, links=_links_of_mail(session, delivery))
    if burst:
        session.execute(
            update(row)
            .where(row.id.in_(burst), row.is_machine.is_(False))
            .values(is_machine=True)
            .execution_options(synchronize_session=False)
        )


def _links_of_mail(session: ScopedSession, delivery: Delivery) -> int:
    link = MailLink
    wanted = (
        select(func.count())
        .select_from(link)
        .where(link.mailing_id == delivery.mailing_id, link.version == delivery.mailing_version)
    )
    return session.scalar(wanted) or 0
