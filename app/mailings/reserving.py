"""Which mails go next: letters first, then service mails, then journeys, then campaigns by their priority.

Letters, and every mailing, are a queue of their own in the index. Campaigns of one priority share a batch equally, so
that a mailing to a hundred thousand people does not keep a small one waiting. Journeys keep still in the quiet hours of
the house, and whoever has no turn yet at the receiving end is told when it is (``pacing``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import ColumnElement, any_, literal, or_, select, text, update

from app import clock
from app.consent.subjects import ids as id_list
from app.contacts.models import ContactIdentity
from app.db import INSTANT, ScopedSession, array_text
from app.mailings.deliveries import RESERVED_FOR, Reserved
from app.mailings.frequency import Limits, limits_of
from app.mailings.models import Delivery
from app.mailings.pacing import take_turns
from app.mailings.returns.breakers import must_wait

# A batch in which everybody must wait is followed by another look, this often; then by the next beat.
PUT_OFF_ROUNDS = 10


class _Lane(NamedTuple):
    """A mailing with mails that are due. Lanes of the same ``rank`` share what there is."""

    mailing_id: int
    is_marketing: bool
    kind: str
    priority: int

    @property
    def rank(self) -> tuple[bool, bool, int]:
        return self.is_marketing, self.kind == "campaign", -self.priority


def reserve(session: ScopedSession, *, kinds: Sequence[str], limit: int) -> list[Reserved]:
    """Reserve due deliveries that nobody works on, the most urgent first. Commit before anything slow is done.

    Those that must wait for their turn at a receiver are put off and are not among them.
    """
    now, limits = clock.now(), limits_of(session)
    for _ in range(PUT_OFF_ROUNDS):
        letters = _take(session, Delivery.mailing_id.is_(None), limit, now) if "letter" in kinds else []
        mails = _from_lanes(session, limits, limit - len(letters), now) if "mailing" in kinds else []
        waits = _put_off(session, mails, limits, now)
        taken = letters + [each for each in mails if each not in waits]
        if taken or not waits:
            break
    return _hold(session, taken, until=now + RESERVED_FOR)


def _from_lanes(session: ScopedSession, limits: Limits, limit: int, now: datetime) -> list[int]:
    is_quiet = limits.is_quiet(now)
    lanes = [_Lane(*row) for row in session.execute(_LANES, {"organisation": session.organisation_id, "now": now})]
    awake = [lane for lane in lanes if not (is_quiet and lane.kind == "journey" and lane.is_marketing)]
    taken: list[int] = []
    for _rank, group in groupby(
        sorted(awake, key=lambda lane: (lane.rank, lane.mailing_id)), key=lambda lane: lane.rank
    ):
        together = list(group)
        for place, lane in enumerate(together):
            room = limit - len(taken)
            if room <= 0:
                return taken
            share = -(-room // (len(together) - place))
            taken += _take(session, Delivery.mailing_id == lane.mailing_id, share, now)
    return taken


def _take(session: ScopedSession, which: ColumnElement[bool], limit: int, now: datetime) -> list[int]:
    """Lock the next of one queue. A LIMIT inside an UPDATE may be evaluated more than once: two statements."""
    if limit <= 0:
        return []
    row = Delivery
    query = (
        select(row.id)
        .where(row.organisation_id == session.organisation_id, which, row.state == "planned", row.next_try_at <= now)
        .where(or_(row.lease_until.is_(None), row.lease_until <= now))
        .order_by(row.next_try_at, row.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(session.scalars(query))


def _put_off(session: ScopedSession, taken: Sequence[int], limits: Limits, now: datetime) -> dict[int, datetime]:
    """Have those wait whose receiver, or whose house's relay, has no room now; returns until when."""
    if not taken:
        return {}
    row, identity = Delivery, ContactIdentity
    addresses = session.execute(
        select(row.id, identity.value_key)
        .join(
            identity,
            (identity.organisation_id == row.organisation_id)
            & (identity.contact_id == row.contact_id)
            & (identity.kind == "email")
            & identity.is_primary,
        )
        .where(row.organisation_id == session.organisation_id, row.id == any_(id_list(taken)))
    )
    domains = {delivery_id: address.rpartition("@")[2] for delivery_id, address in addresses}
    wanted = [(delivery_id, domains[delivery_id]) for delivery_id in taken if delivery_id in domains]
    waits = must_wait(session, dict(wanted), at=now)
    wanted = [each for each in wanted if each[0] not in waits]
    waits |= take_turns(session, wanted, at=now, relay_a_minute=limits.mails_a_minute)
    if waits:
        session.execute(
            text(
                "UPDATE delivery SET next_try_at = given.at, problem_code = 'paced'"
                " FROM unnest(CAST(:ids AS bigint[]), CAST(:moments AS timestamptz[])) AS given (id, at)"
                " WHERE delivery.organisation_id = :organisation AND delivery.id = given.id"
            ),
            {
                "organisation": session.organisation_id,
                "ids": array_text(waits),
                "moments": array_text(waits.values()),
            },
        )
    return waits


def _hold(session: ScopedSession, taken: Sequence[int], *, until: datetime) -> list[Reserved]:
    if not taken:
        return []
    row = Delivery
    rows = session.execute(
        update(row)
        .where(row.organisation_id == session.organisation_id, row.id.in_(taken))
        .values(lease_until=until)
        .returning(
            row.id,
            row.kind,
            row.letter_id,
            row.contact_id,
            row.purpose,
            row.attempts,
            literal(until, INSTANT),
            row.mailing_id,
            row.mailing_version,
            row.variant,
            row.language,
            row.enrolment_id,
            row.planned_at,
        )
        .execution_options(synchronize_session=False)
    ).all()
    place = {delivery_id: number for number, delivery_id in enumerate(taken)}
    return sorted((Reserved(*each) for each in rows), key=lambda each: place[each.id])


_LANES = text(
    "SELECT m.id, p.is_marketing, m.kind, m.priority"
    "  FROM mailing AS m JOIN purpose AS p ON p.organisation_id = m.organisation_id AND p.code = m.purpose"
    " WHERE m.organisation_id = :organisation"
    "   AND (m.state = 'sending' OR (m.kind = 'journey' AND m.version IS NOT NULL)) AND m.paused_because IS NULL"
    "   AND EXISTS (SELECT FROM delivery AS d"
    "                WHERE d.organisation_id = m.organisation_id AND d.mailing_id = m.id"
    "                  AND d.state = 'planned' AND d.next_try_at <= :now"
    "                  AND (d.lease_until IS NULL OR d.lease_until <= :now))"
)
