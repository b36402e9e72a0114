"""Why somebody may, or may not, be contacted: the gate's answer in words, with the events that decided.

The same conditions as the views of the gate, one by one, so that the first that fails can be named. A property test
holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from sqlalchemy import Row, and_, or_, select

from app import clock
from app.accounts.models import Organisation
from app.consent import projection, subjects
from app.consent.countries import rules_of
from app.consent.models import ConsentEvent, NoticeVersion, Permission, Purpose, Suppression
from app.consent.precedence import POSITIVE, decide
from app.consent.wordings import name_of
from app.db import ScopedSession

GATED_CHANNEL = "email"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The answer for one contact, channel and purpose.

    ``reason`` is the basis where allowed; else a code: unknown_contact, merged, erased, restricted, purpose_inactive,
    no_address, suppressed, shared_mailbox (somebody who reads the same mailbox said no), a precedence code
    (withdrawn, incomplete, …), lapsed, paused, child, no_record.
    ``decided_by`` is the consent event that decided, where one did; ``paused_until`` is there while a pause lasts.
    """

    contact_id: int
    channel: str
    purpose: str
    is_allowed: bool
    reason: str
    is_negative: bool = False
    basis: str | None = None
    since: datetime | None = None
    valid_until: datetime | None = None
    decided_by: int | None = None
    paused_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One consent event of a contact with the wording it rests on.

    ``is_heard`` is False for a yes that changed nothing when it came, because a no stood or its proof was lacking.
    """

    event: ConsentEvent
    notice: NoticeVersion | None
    is_heard: bool


@dataclass(frozen=True, slots=True)
class Why:
    """Everything the page of a contact shows about consent: the answers, the history, and what purposes are called.

    ``proofs`` holds the history's lines by event, for the answers that name one in ``decided_by``.
    """

    permissions: list[Explanation]
    history: list[HistoryLine]
    proofs: Mapping[int, HistoryLine]
    purpose_names: Mapping[str, str]


def why_of(session: ScopedSession, contact_id: int, *, language: str) -> Why:
    """Return what ``consent/why.html`` shows about a contact, purposes named in a language."""
    history = history_of(session, contact_id)
    purposes = session.scalars(select(Purpose).order_by(Purpose.position))
    return Why(
        permissions=permissions_of(session, contact_id),
        history=history,
        proofs={line.event.id: line for line in history},
        purpose_names={purpose.code: name_of(purpose, language) for purpose in purposes},
    )


def explain(session: ScopedSession, contact_id: int, *, channel: str, purpose: str) -> Explanation:
    """Return why the contact may or may not be contacted now, for one purpose and channel."""
    situation = _situation(session, contact_id)
    return _explain(situation, channel, purpose)


def permissions_of(session: ScopedSession, contact_id: int) -> list[Explanation]:
    """Return the answer for every purpose over e-mail, and for whatever else the ledger has spoken of.

    Purposes in their order. Service mail rests on what was booked, not on a permission: it is listed only where the
    ledger has something to say about it.
    """
    situation = _situation(session, contact_id)
    wanted = {(GATED_CHANNEL, purpose.code) for purpose in situation.purposes.values() if purpose.is_marketing}
    wanted |= {(row.channel, row.purpose) for row in situation.rows if row.purpose in situation.purposes}
    order = {code: position for position, code in enumerate(situation.purposes)}
    return [
        _explain(situation, channel, purpose)
        for channel, purpose in sorted(wanted, key=lambda pair: (pair[0] != GATED_CHANNEL, pair[0], order[pair[1]]))
    ]


def history_of(session: ScopedSession, contact_id: int) -> list[HistoryLine]:
    """Return everything the ledger holds about a contact, at any of the addresses held now, newest first."""
    keys = subjects.subjects_of(session, [contact_id]).get(contact_id, [])
    event, notice = ConsentEvent, NoticeVersion
    rows = session.execute(
        select(event, notice)
        .outerjoin(notice, event.notice_version_id == notice.id)
        .where(or_(event.subject_key.in_(keys), event.contact_id == contact_id))
        .order_by(event.id.desc())
    )
    lines = list(rows)
    unheard = _unheard(session, [found for found, _ in lines])
    return [HistoryLine(found, wording, found.id not in unheard) for found, wording in lines]


def _unheard(session: ScopedSession, events: Sequence[ConsentEvent]) -> set[int]:
    """Return the ids of every yes after which the answer at its address was still no."""
    rules = projection.purpose_rules(session)
    histories = projection.read_histories(session, {(bytes(event.subject_key), event.channel) for event in events})
    unheard = set()
    for event in events:
        if event.action not in POSITIVE or event.purpose not in rules:
            continue
        until_then = [fact for fact in histories[bytes(event.subject_key), event.channel] if fact.id <= event.id]
        if not decide(until_then, rules[event.purpose]).is_allowed:
            unheard.add(event.id)
    return unheard


@dataclass(frozen=True, slots=True)
class _Situation:
    """Everything the answer can depend on, read once."""

    contact_id: int
    contact: Row[str, bool, str | None, date | None] | None
    organisation: Organisation
    purposes: Mapping[str, Purpose]
    primary_key: bytes | None
    is_stopped_by_sharer: Callable[[str], bool]
    rows: Sequence[Permission]
    suppressed: Mapping[str, Suppression]
    guardian_events: frozenset[int]
    confirmed_events: frozenset[int]
    now: datetime


def _situation(session: ScopedSession, contact_id: int) -> _Situation:
    primary, keys = _addresses(session, contact_id)
    permission, suppression = Permission, Suppression
    rows = session.scalars(
        select(permission)
        .where(permission.subject_key.in_(keys))
        .order_by(permission.since, permission.decided_by)
        .execution_options(populate_existing=True)
    ).all()
    stopped = session.scalars(select(suppression).where(suppression.address_hash.in_(keys))).all()
    return _Situation(
        contact_id=contact_id,
        contact=_contact(session, contact_id),
        organisation=session.scalars(select(Organisation).where(Organisation.id == session.organisation_id)).one(),
        purposes={found.code: found for found in session.scalars(select(Purpose).order_by(Purpose.position))},
        primary_key=primary,
        is_stopped_by_sharer=_stopped_by_sharer(session, contact_id, primary),
        rows=rows,
        suppressed={found.channel: found for found in stopped},
        guardian_events=_confirmed(session, rows, actor="guardian"),
        confirmed_events=_confirmed(session, rows),
        now=clock.now(),
    )


def _contact(session: ScopedSession, contact_id: int) -> Row[str, bool, str | None, date | None] | None:
    contact = subjects.contact.c
    return session.execute(
        select(contact.state, contact.is_restricted, contact.country, contact.birth_date).where(
            contact.id == contact_id
        )
    ).one_or_none()


def _addresses(session: ScopedSession, contact_id: int) -> tuple[bytes | None, list[bytes]]:
    """Return the key of the primary address, and of all; a contact without any is known by its events alone."""
    identity = subjects.identity.c
    held = session.execute(
        select(identity.subject_key, identity.is_primary).where(
            identity.contact_id == contact_id, identity.kind == "email"
        )
    ).all()
    if not held:
        by_id = select(ConsentEvent.subject_key).where(ConsentEvent.contact_id == contact_id).distinct()
        return None, [bytes(key) for key in session.scalars(by_id)]
    primary = next((bytes(key) for key, is_primary in held if is_primary), None)
    return primary, [bytes(key) for key, _ in held]


def _stopped_by_sharer(session: ScopedSession, contact_id: int, primary: bytes | None) -> Callable[[str], bool]:
    """Return for which purposes somebody who reads the same mailbox stops the mail, by what they said elsewhere."""
    one, theirs = subjects.identity.alias("one"), subjects.identity.alias("theirs")
    keys = session.scalars(
        select(theirs.c.subject_key)
        .join(one, and_(one.c.organisation_id == theirs.c.organisation_id, one.c.contact_id == theirs.c.contact_id))
        .where(one.c.subject_key == primary, one.c.is_shared, one.c.contact_id != contact_id)
        .where(theirs.c.kind == "email")
    ).all()
    if not keys:
        return lambda _purpose: False
    permission, suppression, now = Permission, Suppression, clock.now()
    tightened = select(Purpose.code).where(Purpose.tightened_at.is_not(None))
    noes = session.scalars(
        select(permission.purpose)
        .where(permission.subject_key.in_(keys), permission.subject_key != primary)
        .where(permission.channel == GATED_CHANNEL)
        .where(
            or_(
                permission.is_negative,
                permission.paused_until > now,
                and_(permission.is_allowed, permission.purpose.in_(tightened)),
            )
        )
    ).all()
    is_suppressed = session.scalar(
        select(suppression.address_hash)
        .where(suppression.address_hash.in_(keys), suppression.channel == GATED_CHANNEL)
        .limit(1)
    )
    marketing = session.scalars(select(Purpose.code).where(Purpose.is_marketing)).all() if is_suppressed else ()
    stopped = {*noes, *marketing}
    return lambda purpose: purpose in stopped


def _confirmed(session: ScopedSession, rows: Iterable[Permission], *, actor: str | None = None) -> frozenset[int]:
    """Return which of the deciding events are confirmations, of anybody or of one kind of actor."""
    event = ConsentEvent
    ids = [row.decided_by for row in rows if row.decided_by]
    query = select(event.id).where(event.id.in_(ids), event.action == "confirmed")
    return frozenset(session.scalars(query if actor is None else query.where(event.actor == actor)))


def _explain(at: _Situation, channel: str, purpose_code: str) -> Explanation:
    purpose = at.purposes.get(purpose_code)
    row = _deciding_row(at, channel, purpose_code)
    obstacle = _obstacle_of_contact(at, channel, purpose)
    if obstacle is not None:
        row = None
    paused_until = _paused_until(at, channel, purpose_code)
    reason = obstacle or _obstacle_of_permission(at, row, purpose) or ("paused" if paused_until else None)
    return Explanation(
        contact_id=at.contact_id,
        channel=channel,
        purpose=purpose_code,
        is_allowed=reason is None,
        reason=reason or (row.reason if row else "no_record"),
        is_negative=row is not None and row.is_negative,
        basis=row.basis if row else None,
        since=row.since if row else None,
        valid_until=row.valid_until if row else None,
        decided_by=row.decided_by if row else None,
        paused_until=paused_until,
    )


def _paused_until(at: _Situation, channel: str, purpose: str) -> datetime | None:
    """Return until when the person wants to hear nothing: a pause at any address counts for all."""
    rows = [row for row in at.rows if row.channel == channel and row.purpose == purpose]
    return max((row.paused_until for row in rows if row.paused_until and row.paused_until > at.now), default=None)


def _deciding_row(at: _Situation, channel: str, purpose: str) -> Permission | None:
    """Return the row that decides: a no at any address, else what is known of the primary one. Who has no address may
    be known by several facts, of which a yes goes before silence."""
    rows = [row for row in at.rows if row.channel == channel and row.purpose == purpose]
    own = sorted((row for row in rows if at.primary_key in (None, row.subject_key)), key=lambda row: not row.is_allowed)
    return next((row for row in rows if row.is_negative), None) or next(iter(own), None)


def _obstacle_of_contact(at: _Situation, channel: str, purpose: Purpose | None) -> str | None:
    """Return what stands in the way whatever the ledger says, or None."""
    if at.contact is None:
        return "unknown_contact"
    if at.contact.state != "living":
        return str(at.contact.state)
    is_stopped = purpose is not None and purpose.is_marketing and channel in at.suppressed
    obstacles = (
        (at.contact.is_restricted, "restricted"),
        (purpose is None or not purpose.is_active, "purpose_inactive"),
        (channel == GATED_CHANNEL and at.primary_key is None, "no_address"),
        (is_stopped, "suppressed"),
        (
            channel == GATED_CHANNEL and purpose is not None and at.is_stopped_by_sharer(purpose.code),
            "shared_mailbox",
        ),
    )
    return next((reason for stands, reason in obstacles if stands), None)


def _obstacle_of_permission(at: _Situation, row: Permission | None, purpose: Purpose | None) -> str | None:
    """Return what is wrong with the deciding row, or None where it allows."""
    if row is None:
        return "no_record"
    if not row.is_allowed:
        is_over = row.reason == "paused" and (row.paused_until is None or row.paused_until <= at.now)
        return "no_record" if is_over else row.reason
    if row.valid_until is not None and row.valid_until <= at.now:
        return "lapsed"
    return _obstacle_of_new_rules(at, row, purpose) or ("child" if _is_child_alone(at, row, purpose) else None)


def _obstacle_of_new_rules(at: _Situation, row: Permission, purpose: Purpose | None) -> str | None:
    """Return why a stored yes does not count under rules that changed and are still being worked out, or None."""
    if purpose is None or purpose.tightened_at is None:
        return None
    elsewhere = (each for each in at.rows if (each.channel, each.purpose) == (row.channel, row.purpose))
    if row.basis not in rules_of(at.organisation.country).bases.intersection(purpose.allowed_bases):
        return "basis_not_allowed"
    if purpose.retention_days is not None and row.since + timedelta(days=purpose.retention_days) <= at.now:
        return "lapsed"
    if purpose.needs_confirmation and row.basis == "consent" and row.decided_by not in at.confirmed_events:
        return "unconfirmed"
    return "recomputing" if any(each.is_allowed for each in elsewhere if each.subject_key != row.subject_key) else None


def _is_child_alone(at: _Situation, row: Permission, purpose: Purpose | None) -> bool:
    if at.contact is None or at.contact.birth_date is None or purpose is None or not purpose.is_marketing:
        return False
    years = rules_of(at.contact.country or at.organisation.country).consents_alone_from_years
    of_age_on = at.contact.birth_date + relativedelta(years=years)
    is_of_age = of_age_on <= at.now.astimezone(ZoneInfo(at.organisation.time_zone)).date()
    return not is_of_age and row.decided_by not in at.guardian_events
