"""Deliveries from state to state. Every step is a conditional UPDATE: who lost a row meanwhile changes nothing.

The value of ``lease_until`` is the holder's proof. A reservation (still ``planned``) is for connecting and rendering, a
claim (``claimed``) for at most thirty seconds, a hand-over for as long as a relay may take. What lapses goes back to
the queue as long as it is certain that nothing left the house, and is ``uncertain`` from the hand-over on.

Locks: ``reserving.reserve`` takes rows nobody holds and commits. ``claimed_with`` runs after the locks of the gate, in
its transaction; a withdrawal takes those locks first too, then the rows (``app.consent.queued``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import delete, func, insert, select, text, update

from app import clock
from app.accounts.models import Letter
from app.db import ScopedSession, array_text
from app.mailings.models import Delivery

RESERVED_FOR = timedelta(minutes=2)
CLAIMED_FOR = timedelta(seconds=30)
HANDED_OVER_FOR = timedelta(minutes=10)
# When a delivery is due that waits for something else: the winner of an A/B test.
NEVER = datetime(9999, 1, 1, tzinfo=UTC)

Outcome = Literal["accepted", "failed", "uncertain", "cancelled"]


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of one hand-over."""

    delivery_id: int
    outcome: Outcome
    answer_code: str | None = None
    problem_code: str | None = None


@dataclass(frozen=True, slots=True)
class Reserved:
    """A delivery somebody is working on, under ``lease``."""

    id: int
    kind: str
    letter_id: int | None
    contact_id: int | None
    purpose: str | None
    attempts: int
    lease: datetime
    mailing_id: int | None = None
    mailing_version: int | None = None
    variant: str | None = None
    language: str | None = None
    enrolment_id: int | None = None
    planned_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Permitted:
    """That a delivery may go: by which rules, why, and for a mailing the address and event it rests on."""

    delivery_id: int
    rules_version: str
    reason: str
    address_hash: bytes | None = None
    decided_by: int | None = None


def plan_letters(session: ScopedSession) -> int:
    """Give every waiting letter its delivery; returns how many. Two workers share them and plan none twice."""
    letter, now = Letter, clock.now()
    waiting = session.execute(
        select(letter.id, letter.contact_id, letter.address_hash)
        .where(letter.state == "waiting")
        .order_by(letter.id)
        .limit(500)
        .with_for_update(skip_locked=True)
    ).all()
    if not waiting:
        return 0
    same = {"organisation_id": session.organisation_id, "kind": "letter", "planned_at": now, "next_try_at": now}
    session.execute(
        insert(Delivery),
        [
            {"letter_id": row.id, "contact_id": row.contact_id, "address_hash": row.address_hash} | same
            for row in waiting
        ],
    )
    session.execute(update(letter).where(letter.id.in_([row.id for row in waiting])).values(state="taken"))
    return len(waiting)


def release(
    session: ScopedSession, reserved: Iterable[Reserved], *, next_try_at: datetime, problem_code: str | None = None
) -> None:
    """Give reserved deliveries back to the queue, untouched, to be looked at again then."""
    row = Delivery
    by_lease: dict[datetime, list[int]] = {}
    for each in reserved:
        by_lease.setdefault(each.lease, []).append(each.id)
    for lease, ids in by_lease.items():
        session.execute(
            update(row)
            .where(row.id.in_(ids), row.state == "planned", row.lease_until == lease)
            .values(lease_until=None, next_try_at=next_try_at, problem_code=problem_code)
            .execution_options(synchronize_session=False)
        )


def claimed_with(session: ScopedSession, permitted: Sequence[Permitted], *, lease: datetime) -> dict[int, datetime]:
    """Record the decisions and claim; returns the new lease of each delivery that was still ours and not cancelled.

    Call it in the transaction in which the decisions were made and are kept true (``gate.claim``).
    """
    if not permitted:
        return {}
    now = clock.now()
    until = now + CLAIMED_FOR
    rows = session.execute(
        text(
            "UPDATE delivery SET state = 'claimed', lease_until = :until, decided_at = :now,"
            " rules_version = given.rules_version, decision_reason = given.reason, decided_by = given.decided_by,"
            " address_hash = coalesce(given.address_hash, delivery.address_hash), problem_code = NULL"
            " FROM unnest(CAST(:ids AS bigint[]), CAST(:versions AS text[]), CAST(:reasons AS text[]),"
            " CAST(:events AS bigint[]), CAST(:hashes AS bytea[]))"
            " AS given (id, rules_version, reason, decided_by, address_hash)"
            " WHERE delivery.organisation_id = :organisation_id AND delivery.id = given.id"
            " AND delivery.state = 'planned' AND delivery.lease_until = :lease"
            " RETURNING delivery.id"
        ),
        {
            "until": until,
            "now": now,
            "lease": lease,
            "organisation_id": session.organisation_id,
            "ids": array_text(each.delivery_id for each in permitted),
            "versions": array_text(each.rules_version for each in permitted),
            "reasons": array_text(each.reason for each in permitted),
            "events": array_text(each.decided_by for each in permitted),
            "hashes": array_text(each.address_hash for each in permitted),
        },
    )
    return dict.fromkeys((row.id for row in rows), until)


def mark_handed_over(session: ScopedSession, ids: Sequence[int], *, lease: datetime) -> dict[int, datetime]:
    """Note that these are about to leave; returns the new lease of those that may. Commit, then hand over at once.

    A claim that ran out, or that a withdrawal cancelled, is not among them: it must not leave.
    """
    row, now = Delivery, clock.now()
    until = now + HANDED_OVER_FOR
    marked = session.scalars(
        update(row)
        .where(row.id.in_(list(ids)), row.state == "claimed", row.lease_until == lease, row.lease_until > now)
        .values(state="handed_over", handed_over_at=now, lease_until=until, attempts=row.attempts + 1)
        .returning(row.id)
        .execution_options(synchronize_session=False)
    )
    return dict.fromkeys(marked, until)


def settle_all(session: ScopedSession, endings: Sequence[Ending], *, lease: datetime) -> set[int]:
    """Note what came of hand-overs that were marked together.

    Returns the mails of mailings, still ours to settle, that were accepted and of which nothing has come back.
    """
    if not endings:
        return set()
    rows = session.execute(
        text(
            "UPDATE delivery SET state = given.outcome, settled_at = :now, answer_code = given.answer_code,"
            " problem_code = given.problem_code"
            " FROM unnest(CAST(:ids AS bigint[]), CAST(:outcomes AS text[]), CAST(:answers AS text[]),"
            " CAST(:problems AS text[])) AS given (id, outcome, answer_code, problem_code)"
            " WHERE delivery.organisation_id = :organisation_id AND delivery.id = given.id"
            " AND delivery.state IN ('handed_over', 'uncertain') AND delivery.lease_until = :lease"
            " RETURNING delivery.id, delivery.letter_id, delivery.state, delivery.problem_code, delivery.came_back"
        ),
        {
            "now": clock.now(),
            "lease": lease,
            "organisation_id": session.organisation_id,
            "ids": array_text(each.delivery_id for each in endings),
            "outcomes": array_text(each.outcome for each in endings),
            "answers": array_text(each.answer_code for each in endings),
            "problems": array_text(each.problem_code for each in endings),
        },
    ).all()
    for row in rows:
        if row.letter_id is not None and row.state != "uncertain":
            close_letters(session, [row.letter_id], row.state, row.problem_code)
    return {row.id for row in rows if row.letter_id is None and row.state == "accepted" and row.came_back is None}


def take_back(session: ScopedSession, ids: Sequence[int], *, lease: datetime) -> None:
    """Put hand-overs back in the queue that were marked and never begun, as if they had not been marked.

    Only whoever holds the lease can know that they did not leave.
    """
    if not ids:
        return
    row = Delivery
    session.execute(
        update(row)
        .where(row.id.in_(list(ids)), row.state == "handed_over", row.lease_until == lease)
        .values(state="planned", lease_until=None, handed_over_at=None, attempts=row.attempts - 1)
        .execution_options(synchronize_session=False)
    )


def try_again(
    session: ScopedSession, delivery_id: int, *, lease: datetime, next_try_at: datetime, problem_code: str
) -> None:
    """Put a delivery back in the queue that certainly did not leave; the next claim decides anew."""
    row = Delivery
    session.execute(
        update(row)
        .where(row.id == delivery_id, row.state.in_(("handed_over", "uncertain")), row.lease_until == lease)
        .values(
            state="planned",
            lease_until=None,
            handed_over_at=None,
            next_try_at=next_try_at,
            problem_code=problem_code,
        )
        .execution_options(synchronize_session=False)
    )


def cancel(session: ScopedSession, delivery_id: int, *, lease: datetime, problem_code: str) -> None:
    """End a reserved delivery that may not or cannot go; its letter forgets its contents."""
    row = Delivery
    cancelled = session.scalars(
        update(row)
        .where(row.id == delivery_id, row.state == "planned", row.lease_until == lease)
        .values(state="cancelled", lease_until=None, settled_at=clock.now(), problem_code=problem_code)
        .returning(row.letter_id)
        .execution_options(synchronize_session=False)
    ).all()
    close_letters(session, [each for each in cancelled if each is not None], "cancelled", problem_code)


def recover_lapsed(session: ScopedSession) -> int:
    """Take up what a killed worker left: claims go back to the queue, hand-overs become uncertain. Returns how many."""
    row, now = Delivery, clock.now()
    back = session.execute(
        update(row)
        .where(row.state == "claimed", row.lease_until <= now)
        .values(state="planned", lease_until=None, next_try_at=now)
        .execution_options(synchronize_session=False)
    )
    lost = session.execute(
        update(row)
        .where(row.state == "handed_over", row.lease_until <= now)
        .values(state="uncertain", settled_at=now, problem_code="interrupted")
        .execution_options(synchronize_session=False)
    )
    return int(back.rowcount + lost.rowcount)  # type: ignore[attr-defined]


def close_letters(
    session: ScopedSession, letter_ids: Sequence[int], outcome: Outcome, problem_code: str | None
) -> None:
    """Give letters their end and have them forget where they went and what they said."""
    if not letter_ids:
        return
    letter = Letter
    session.execute(
        update(letter)
        .where(letter.id.in_(list(letter_ids)), letter.state.in_(("waiting", "taken")))
        .values(
            state={"accepted": "sent"}.get(outcome, outcome),
            sealed=None,
            problem_code=problem_code,
            done_at=clock.now(),
        )
        .execution_options(synchronize_session=False)
    )


def forget_old(session: ScopedSession, *, before: datetime) -> int:
    """Remove what became of letters that were settled long ago; returns how many. Uncertain ones count as failed."""
    row = Delivery
    old = row.settled_at < before
    lost = session.scalars(
        update(row)
        .where(row.state == "uncertain", row.kind == "letter", old)
        .values(state="failed", problem_code="never_known")
        .returning(row.letter_id)
        .execution_options(synchronize_session=False)
    ).all()
    close_letters(session, [each for each in lost if each is not None], "failed", "never_known")
    gone = session.execute(
        delete(row)
        .where(row.kind == "letter", row.state.in_(("accepted", "failed", "cancelled")), old)
        .execution_options(synchronize_session=False)
    )
    return int(gone.rowcount)  # type: ignore[attr-defined]


def queue_of(session: ScopedSession) -> tuple[int, datetime | None]:
    """Return how many mails wait, letters that are not planned yet included, and since when the oldest does."""
    row, letter = Delivery, Letter
    states = ("planned", "claimed", "handed_over")
    planned = session.execute(select(func.count(), func.min(row.planned_at)).where(row.state.in_(states))).one()
    waiting = session.execute(
        select(func.count(), func.min(letter.requested_at)).where(letter.state == "waiting")
    ).one()
    oldest = [since for since in (planned[1], waiting[1]) if since is not None]
    return planned[0] + waiting[0], min(oldest, default=None)
