"""The moment that counts: whether mails that are written may go, decided and claimed in one transaction.

Letters are decided by the rules of their kind; mailings by the gate of consent, then by the cap (``frequency``), both
under the locks that the gate takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from app import clock
from app.consent import gate
from app.db import ScopedSession
from app.mailings import deliveries, letter_rules
from app.mailings.deliveries import Permitted, Reserved
from app.mailings.frequency import JOURNEY_WAITS, Limits, free_at, limits_of, mailed_lately
from app.mailings.mailings import is_marketing
from app.mailings.outgoing import Written

CHANGING_AGAIN = timedelta(seconds=5)

# A mail may go, must wait until then, or never goes (a code).
Verdict = Permitted | datetime | str


def claim_written(session: ScopedSession, group: Sequence[Written]) -> tuple[dict[int, datetime], int]:
    """Decide about mails of one kind and purpose and claim those that may go, all in the caller's transaction.

    Returns the lease of each that is claimed, and how many were cancelled. What is being changed waits a moment, and
    who had enough mails for now waits longer. Once the caller commits, a claimed mail may be handed over at once, and
    no later than its lease.
    """
    now = clock.now()
    decided = _decided(session, group, now)
    permitted = [each for each in decided.values() if isinstance(each, Permitted)]
    leases = deliveries.claimed_with(session, permitted, lease=group[0].reserved.lease)
    denied = 0
    for each in group:
        verdict = decided[each.reserved.id]
        if isinstance(verdict, datetime):
            deliveries.release(session, [each.reserved], next_try_at=verdict, problem_code="capped")
        elif verdict == "changing":
            again = now + CHANGING_AGAIN
            deliveries.release(session, [each.reserved], next_try_at=again, problem_code=verdict)
        elif isinstance(verdict, str):
            deliveries.cancel(session, each.reserved.id, lease=each.reserved.lease, problem_code=verdict)
            denied += 1
    return leases, denied


def rules_of(written: Written) -> tuple[str, str]:
    """Return what mails have in common that are decided together: one call of the gate per transaction."""
    return written.reserved.kind, written.reserved.purpose or ""


def _decided(session: ScopedSession, group: Sequence[Written], now: datetime) -> dict[int, Verdict]:
    """Ask the rules about mails of one kind and purpose."""
    if group[0].reserved.kind == "letter":
        return {each.reserved.id: _letter_verdict(session, each) for each in group}
    purpose = group[0].reserved.purpose or ""
    contact_ids = sorted({each.reserved.contact_id or 0 for each in group})
    found = gate.claim(session, channel="email", purpose=purpose, contact_ids=contact_ids, at=now)
    by_contact = {decision.contact_id: decision for decision in found}
    verdicts: dict[int, Verdict] = {
        each.reserved.id: _gate_verdict(each, by_contact[each.reserved.contact_id or 0]) for each in group
    }
    limits = limits_of(session)
    if limits.cap_mails is None or not is_marketing(session, purpose):
        return verdicts
    return verdicts | _capped(session, group, verdicts, limits, now)


def _letter_verdict(session: ScopedSession, written: Written) -> Permitted | str:
    problem = letter_rules.why_not(session, written.reserved.letter_id, written.facts)
    return problem or Permitted(written.reserved.id, letter_rules.RULES_VERSION, "letter", written.address_hash)


def _gate_verdict(written: Written, decision: gate.Decision) -> Permitted | str:
    if not decision.is_allowed:
        return decision.reason
    if not decision.is_deliverable:
        return "bouncing"
    if decision.subject_key != written.address_hash:
        return "changing"  # written for an address that is the primary one no more
    version = f"gate {gate.RULES_VERSION}"
    return Permitted(written.reserved.id, version, decision.reason, decision.subject_key, decision.decided_by)


def _capped(
    session: ScopedSession,
    group: Sequence[Written],
    verdicts: Mapping[int, Verdict],
    limits: Limits,
    now: datetime,
) -> dict[int, Verdict]:
    """Return the verdicts that the cap changes; two mails for one person in one batch count each other."""
    allowed = [each.reserved for each in group if isinstance(verdicts[each.reserved.id], Permitted)]
    lately = mailed_lately(session, {each.contact_id or 0 for each in allowed}, limits, at=now) if allowed else {}
    changed: dict[int, Verdict] = {}
    for each in allowed:
        moments = lately.setdefault(each.contact_id or 0, [])
        free = free_at(moments, limits)
        if free is None:
            moments.append(now)
        else:
            changed[each.id] = free if free <= _waits_until(each, limits, now) else "capped"
    return changed


def _waits_until(reserved: Reserved, limits: Limits, now: datetime) -> datetime:
    """Return how long a mail may wait for the cap before it is given up."""
    patience = timedelta(hours=limits.cap_wait_hours) if reserved.enrolment_id is None else JOURNEY_WAITS
    return (reserved.planned_at or now) + patience
