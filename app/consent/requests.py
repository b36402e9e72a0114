"""Requests for a right under the GDPR: opened wherever they come in, answered in time, closed with what was done.

The clock is article 12(3): one month after it came in, in whole months of the house's calendar, and two months more
where that is necessary and the person was told why.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from sqlalchemy import ColumnElement, func, or_, select

from app import clock
from app.accounts.organisations import current_organisation
from app.consent.errors import NobodyMeant
from app.consent.models import RightsRequest
from app.consent.subjects import contacts_by_subject
from app.db import ScopedSession

KINDS = ("access", "portability", "rectification", "erasure", "restriction", "objection")
CHANNELS = ("mail", "phone", "counter", "letter", "page")
IDENTITY_CHECKS = ("link", "known", "callback", "document", "account")
EXTENSION_REASONS = ("complex", "many")
ENDINGS = ("done", "refused", "withdrawn")
MONTHS, MONTHS_EXTENDED = 1, 3


class UnknownRequest(LookupError):
    """There is no such request."""


class RequestClosed(RuntimeError):
    """The request is closed: nothing about it changes any more."""


def open_request(
    session: ScopedSession,
    kind: str,
    *,
    subject_key: bytes | None = None,
    contact_id: int | None = None,
    channel: str,
    at: datetime,
    note: str | None = None,
    by: int | None = None,
) -> RightsRequest:
    """Put a request on the desk and return it, with the day by which it must be answered.

    ``kind`` is one of KINDS, ``channel`` one of CHANNELS. Somebody is meant by the contact or by the hash of an address
    (a link we mailed proves it: with ``page`` the identity counts as checked). Asking the same again while it is open
    returns the open one. Raises ValueError for another kind or channel, NobodyMeant where nobody is named.
    """
    if kind not in KINDS or channel not in CHANNELS:
        raise ValueError(kind, channel)
    if subject_key is None and contact_id is None:
        raise NobodyMeant
    if contact_id is None and subject_key is not None:
        contact_id = contacts_by_subject(session, [subject_key]).get(subject_key)
    standing = _standing(session, kind, subject_key=subject_key, contact_id=contact_id)
    if standing is not None:
        return standing
    is_proven = channel == "page"
    request = RightsRequest(
        organisation_id=session.organisation_id,
        kind=kind,
        channel=channel,
        contact_id=contact_id,
        subject_key=subject_key,
        note=note or None,
        received_at=at,
        due_on=_months_after(session, at, MONTHS),
        identity_check="link" if is_proven else None,
        identity_checked_at=at if is_proven else None,
        state="open",
        created_by=by,
    )
    session.add(request)
    session.flush()
    return request


def find_request(session: ScopedSession, request_id: int, *, for_update: bool = False) -> RightsRequest:
    """Return one request; raises UnknownRequest. ``for_update`` keeps others off it until the transaction ends."""
    query = select(RightsRequest).where(RightsRequest.id == request_id)
    if for_update:
        query = query.with_for_update().execution_options(populate_existing=True)
    found = session.scalars(query).one_or_none()
    if found is None:
        raise UnknownRequest(request_id)
    return found


def open_requests(session: ScopedSession) -> Sequence[RightsRequest]:
    """Return what waits for an answer, the most urgent first."""
    request = RightsRequest
    return session.scalars(select(request).where(request.state == "open").order_by(request.due_on, request.id)).all()


def closed_requests(
    session: ScopedSession, *, before_id: int | None = None, limit: int = 50
) -> Sequence[RightsRequest]:
    """Return what was answered, newest first, from below ``before_id`` on."""
    request = RightsRequest
    query = select(request).where(request.state != "open").order_by(request.id.desc()).limit(limit)
    return session.scalars(query if before_id is None else query.where(request.id < before_id)).all()


def requests_of(session: ScopedSession, contact_id: int) -> Sequence[RightsRequest]:
    """Return what one contact asked for, newest first."""
    request = RightsRequest
    return session.scalars(select(request).where(request.contact_id == contact_id).order_by(request.id.desc())).all()


def count_open(session: ScopedSession, *, due_until: date) -> tuple[int, int]:
    """Return how many requests are open, and how many of them must be answered by a day."""
    request = RightsRequest
    row = session.execute(
        select(func.count(), func.count().filter(request.due_on <= due_until)).where(request.state == "open")
    ).one()
    return int(row[0]), int(row[1])


def note_identity(
    session: ScopedSession, request_id: int, check: str, *, by: int | None, at: datetime
) -> RightsRequest:
    """Write down how we know that the person is who they say. Raises UnknownRequest, RequestClosed, ValueError."""
    if check not in IDENTITY_CHECKS:
        raise ValueError(check)
    request = _open(session, request_id)
    request.identity_check, request.identity_checked_at, request.identity_checked_by = check, at, by
    session.flush()
    return request


def extend_request(session: ScopedSession, request_id: int, reason: str, *, at: datetime) -> RightsRequest:
    """Give a request three months in all, once, for one of the two reasons the law knows (EXTENSION_REASONS).

    Raises UnknownRequest, RequestClosed, and ValueError for another reason, where it was extended before, or where the
    first month is over: the person must hear of it, and why, within that month.
    """
    request = _open(session, request_id)
    today = clock.today(current_organisation(session).time_zone)
    if reason not in EXTENSION_REASONS or request.extended_at is not None or today > request.due_on:
        raise ValueError(request_id)
    request.extended_at, request.extension_reason = at, reason
    request.due_on = _months_after(session, request.received_at, MONTHS_EXTENDED)
    session.flush()
    return request


def mark_carried_out(session: ScopedSession, request_id: int, *, at: datetime) -> RightsRequest:
    """Note that what was asked for has been done; what remains is the answer. Raises UnknownRequest, RequestClosed."""
    request = _open(session, request_id)
    request.carried_out_at = at
    session.flush()
    return request


def close_request(
    session: ScopedSession,
    request_id: int,
    *,
    state: str,
    outcome: str,
    note: str | None,
    by: int | None,
    at: datetime,
) -> RightsRequest:
    """Close a request with what was done. Raises UnknownRequest, RequestClosed, ValueError for another ending."""
    if state not in ENDINGS:
        raise ValueError(state)
    request = _open(session, request_id)
    request.state, request.outcome, request.outcome_note = state, outcome, (note or "").strip() or None
    request.closed_at, request.closed_by = at, by
    session.flush()
    return request


def _open(session: ScopedSession, request_id: int) -> RightsRequest:
    request = find_request(session, request_id, for_update=True)
    if request.state != "open":
        raise RequestClosed(request_id)
    return request


def _standing(
    session: ScopedSession, kind: str, *, subject_key: bytes | None, contact_id: int | None
) -> RightsRequest | None:
    request = RightsRequest
    by_whom: list[ColumnElement[bool]] = []
    if subject_key is not None:
        by_whom.append(request.subject_key == subject_key)
    if contact_id is not None:
        by_whom.append(request.contact_id == contact_id)
    query = select(request).where(request.kind == kind, request.state == "open", or_(*by_whom)).order_by(request.id)
    return session.scalars(query.limit(1)).one_or_none()


def _months_after(session: ScopedSession, at: datetime, months: int) -> date:
    zone = ZoneInfo(current_organisation(session).time_zone)
    return at.astimezone(zone).date() + relativedelta(months=months)
