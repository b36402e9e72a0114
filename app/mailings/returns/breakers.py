"""Keeping still where a receiving domain refuses us: per domain we send from and domain we send to.

A refusal for policy or reputation (5.7.x, 4.7.x), or many temporary ones, is about the sender. So the recipient is left
alone, and mail to that domain waits:

1. ``POLICY_STRIKES`` refusals for policy, or ``SOFT_STRIKES`` temporary ones, within ``WITHIN`` open the breaker. One
   refusal can be one person's own block list.
2. It rests ``FIRST_REST``, twice as long each time it opens again, up to ``LONGEST_REST``.
3. Then, for as long as it rested, one mail a minute tries (``TRIAL_EVERY``). One more refusal opens it again.
4. When that time passes without one it is closed; ``FORGOTTEN_AFTER`` the last strike nothing is left of it.

Locks: the row of a breaker, in the order of the domains; after deliveries, before nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select, true
from sqlalchemy.dialects.postgresql import insert

from app.db import ScopedSession
from app.mailings.returns.models import MailBreaker

WITHIN = timedelta(hours=1)
POLICY_STRIKES, SOFT_STRIKES = 3, 30
FIRST_REST, LONGEST_REST = timedelta(minutes=10), timedelta(hours=6)
TRIAL_EVERY = timedelta(minutes=1)
FORGOTTEN_AFTER = timedelta(days=2)
# A strike for policy weighs as much as so many temporary ones.
_POLICY_WEIGHT = SOFT_STRIKES // POLICY_STRIKES


@dataclass(frozen=True, slots=True)
class OpenBreaker:
    """A domain that gets no mail from us for now: since when, until when, and with which code it refused."""

    sending_domain: str
    receiving_domain: str
    opened_at: datetime
    open_until: datetime
    is_tried: bool
    last_code: str | None


def breaker_open(session: ScopedSession, receiving_domain: str, *, sending_domain: str, at: datetime) -> bool:
    """Whether mail to a domain waits altogether; False also while it is being tried again, mail by mail."""
    row = MailBreaker
    found = session.scalar(
        select(row.open_until).where(
            row.sending_domain == sending_domain, row.receiving_domain == _plain(receiving_domain)
        )
    )
    return found is not None and found > at


def must_wait(
    session: ScopedSession, domains: Mapping[int, str], *, sending_domain: str | None = None, at: datetime
) -> dict[int, datetime]:
    """Return which of these deliveries must wait, and until when: ``domains`` is delivery id to receiving domain.

    ``sending_domain`` None is whatever domain of the house. Where a domain is being tried again, one of them may go and
    takes its turn; call it only for mails that are about to leave. One statement where no breaker is open.
    """
    row = MailBreaker
    wanted = {_plain(domain) for domain in domains.values()}
    standing = session.scalars(
        select(row)
        .where(row.receiving_domain.in_(wanted))
        .where(true() if sending_domain is None else row.sending_domain == sending_domain)
        .where(or_(row.open_until > at, row.trial_until > at))
        .order_by(row.receiving_domain)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    if not standing:
        return {}
    waits: dict[int, datetime] = {}
    for breaker in standing:
        meant = [each for each, domain in domains.items() if _plain(domain) == breaker.receiving_domain]
        waits |= _waits(breaker, sorted(meant), at)
    return waits


def note_refusals(
    session: ScopedSession, refusals: Iterable[tuple[str, str]], *, sending_domain: str, at: datetime
) -> None:
    """Count refusals that say something about us: (receiving domain, status such as ``5.7.1`` or ``4.2.1``) each.

    Others (an unknown mailbox, a full one: 5.x.x but 5.7.x) are passed over. For hand-overs and for what comes back.
    """
    weights: dict[str, tuple[int, str]] = {}
    for domain, status in refusals:
        weight = _weight(status)
        if weight and domain:
            weights[_plain(domain)] = (weights.get(_plain(domain), (0, ""))[0] + weight, status)
    for domain in sorted(weights):
        _strike(session, sending_domain, domain, weight=weights[domain][0], status=weights[domain][1], at=at)


def open_breakers(session: ScopedSession, *, at: datetime) -> Sequence[OpenBreaker]:
    """Return every domain that gets no mail from us for now, or is being tried again."""
    row = MailBreaker
    found = session.scalars(select(row).where(row.trial_until > at).order_by(row.receiving_domain)).all()
    return [
        OpenBreaker(
            each.sending_domain,
            each.receiving_domain,
            each.opened_at or at,
            each.open_until or at,
            is_tried=each.open_until is not None and each.open_until <= at,
            last_code=each.last_code,
        )
        for each in found
    ]


def close(session: ScopedSession, receiving_domain: str) -> bool:
    """Have mail go to a domain again because a person says so; returns whether it waited."""
    gone = session.execute(delete(MailBreaker).where(MailBreaker.receiving_domain == _plain(receiving_domain)))
    return bool(gone.rowcount)  # type: ignore[attr-defined]


def forget_old(session: ScopedSession, *, at: datetime) -> None:
    """Remove what has been quiet for long."""
    session.execute(delete(MailBreaker).where(MailBreaker.last_at < at - FORGOTTEN_AFTER))


def _waits(breaker: MailBreaker, meant: Sequence[int], at: datetime) -> dict[int, datetime]:
    if breaker.open_until is not None and breaker.open_until > at:
        return dict.fromkeys(meant, breaker.open_until)
    is_turn = breaker.next_trial_at is None or breaker.next_trial_at <= at
    if is_turn:
        breaker.next_trial_at = at + TRIAL_EVERY
    return dict.fromkeys(meant[1:] if is_turn else meant, breaker.next_trial_at or at + TRIAL_EVERY)


def _strike(
    session: ScopedSession, sending_domain: str, receiving_domain: str, *, weight: int, status: str, at: datetime
) -> None:
    row = MailBreaker
    key = {"sending_domain": sending_domain, "receiving_domain": receiving_domain}
    session.execute(
        insert(row)
        .values(organisation_id=session.organisation_id, **key, counted_since=at, last_at=at)
        .on_conflict_do_nothing()
    )
    breaker = session.scalars(
        select(row).filter_by(**key).with_for_update().execution_options(populate_existing=True)
    ).one()
    if at - breaker.counted_since > WITHIN:
        breaker.strikes, breaker.counted_since = 0, at
    breaker.strikes += weight
    breaker.last_at, breaker.last_code = max(breaker.last_at, at), status
    is_resting = breaker.open_until is not None and breaker.open_until > at
    is_tried = breaker.trial_until is not None and breaker.trial_until > at
    if not is_resting and (is_tried or breaker.strikes >= SOFT_STRIKES):
        _open(breaker, at)
    session.flush()


def _open(breaker: MailBreaker, at: datetime) -> None:
    rest = min(FIRST_REST * 2 ** min(breaker.rests, 10), LONGEST_REST)
    breaker.rests += 1
    breaker.strikes, breaker.counted_since = 0, at
    breaker.opened_at, breaker.open_until, breaker.trial_until = at, at + rest, at + 2 * rest
    breaker.next_trial_at = None


def _weight(status: str) -> int:
    if status[1:3] == ".7":
        return _POLICY_WEIGHT
    return 1 if status.startswith("4") else 0


def _plain(domain: str) -> str:
    return domain.strip().rstrip(".").lower()
