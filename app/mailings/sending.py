"""Sending what is due for one house: connect, write, claim, hand over, settle, with no transaction open on the way.

Where a worker is killed, and what becomes of the mail (I21):

==================================  ==================================================================
killed                              the delivery
==================================  ==================================================================
before the claim commits            is reserved; the reservation lapses and another worker takes it
between claim and hand-over         is claimed; the claim lapses and it is decided anew
from the hand-over's commit on      was perhaps sent; it becomes ``uncertain`` and is listed for a person
after the relay's answer is stored  is settled
==================================  ==================================================================
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from itertools import groupby

import structlog

from app import clock
from app.consent import gate
from app.db import ScopedSession, transaction
from app.mailings import deliveries, letter_rules
from app.mailings.deliveries import Permitted, Reserved
from app.mailings.letter_writing import write_letter
from app.mailings.mail_settings import NotReady, Sender, forget_trouble, may_try, sender_of, setting_of
from app.mailings.outgoing import Refused, Writer, Written
from app.runtime import Runtime
from integrations.base import ConnectorError, Permanent, Transient, UnknownOutcome
from integrations.esp.smtp import OF_RELAY, Accepted, SmtpPost

log = structlog.get_logger()

WRITERS: Mapping[str, Writer] = {"letter": write_letter}
RESERVED_AT_ONCE = 20
ROUNDS_MAX = 50
# One house with a slow relay must not keep the others waiting: the rest goes at the next beat.
BEAT_S = 20.0
# A relay that fails rests for longer and longer, and so does one mail that it asks to be tried again.
RELAY_FIRST_S, RELAY_LONGEST_S = 15.0, 900.0
MAIL_FIRST_S, MAIL_LONGEST_S = 60.0, 4 * 3600.0
TRIES_MAX = 14
CHANGING_AGAIN = timedelta(seconds=5)
KEPT = timedelta(days=90)


def _go_on(_step: str) -> None:
    """Nothing stops between the steps, except in tests."""


def send_due(
    runtime: Runtime,
    organisation_id: int,
    *,
    writers: Mapping[str, Writer] = WRITERS,
    reached: Callable[[str], None] = _go_on,
) -> int:
    """Send what is due for a house and return how many mails came to an end.

    Where the house cannot send yet, letters are left as they are, and nothing is lost.
    """
    with transaction(runtime.engine, organisation_id) as session:
        setting = setting_of(session, runtime.settings)
        deliveries.recover_lapsed(session)
        sender = sender_of(session, runtime)
        if isinstance(sender, NotReady) or not may_try(setting, at=clock.now()):
            return 0
        deliveries.plan_letters(session)
    ended, began = 0, time.monotonic()
    with _Round(runtime, organisation_id, sender, writers, reached) as sending:
        for _ in range(ROUNDS_MAX):
            if time.monotonic() - began > BEAT_S or not sending.take():
                break
            ended += sending.send()
    return ended


def forget_old_letters(runtime: Runtime, organisation_id: int) -> int:
    """Remove what became of letters long ago; what was ever recorded about permission stays where it is."""
    with transaction(runtime.engine, organisation_id) as session:
        return deliveries.forget_old(session, before=clock.now() - KEPT)


class _Round:
    """One connection's worth of work for a house."""

    def __init__(
        self,
        runtime: Runtime,
        organisation_id: int,
        sender: Sender,
        writers: Mapping[str, Writer],
        reached: Callable[[str], None],
    ) -> None:
        self._runtime, self._organisation_id, self._sender = runtime, organisation_id, sender
        self._writers, self._reached = writers, reached
        self._post: SmtpPost | None = None
        self._reserved: list[Reserved] = []
        self._is_in_trouble = False
        self._accepted = 0

    def __enter__(self) -> _Round:
        return self

    def __exit__(self, *_problem: object) -> None:
        if self._post is not None:
            self._post.close()

    def take(self) -> bool:
        """Reserve the next mails and make sure that the relay answers; False where there is nothing more to do."""
        if self._is_in_trouble:
            return False
        with self._transaction() as session:
            kinds = list(self._writers)
            self._reserved = deliveries.reserve(session, kinds=kinds, limit=RESERVED_AT_ONCE)
        if not self._reserved:
            return False
        self._reached("reserved")
        try:
            if self._post is None:
                self._post = SmtpPost(self._sender.relay)
            self._post.connect()
        except ConnectorError as problem:
            self._give_back(problem)
            return False
        self._reached("connected")
        return True

    def send(self) -> int:
        """Write, claim and hand over what was reserved; returns how many mails came to an end."""
        written, ended = self._write()
        self._reached("written")
        for _kind, group in groupby(sorted(written, key=_rules_of), key=_rules_of):
            claimed, denied = self._claim(list(group))
            self._reached("claimed")
            ended += denied + sum(self._hand_over(each, lease) for each, lease in claimed)
        if self._accepted and not self._is_in_trouble:
            self._note_success()
        return ended

    def _write(self) -> tuple[list[Written], int]:
        with self._transaction() as session:
            results = [self._writers[each.kind](session, self._runtime, self._sender, each) for each in self._reserved]
            refused = [each for each in results if isinstance(each, Refused)]
            for each in refused:
                deliveries.cancel(session, each.reserved.id, lease=each.reserved.lease, problem_code=each.problem_code)
        return [each for each in results if isinstance(each, Written)], len(refused)

    def _claim(self, group: Sequence[Written]) -> tuple[list[tuple[Written, datetime]], int]:
        with self._transaction() as session:
            leases, denied = claim_written(session, group)
        return [(each, leases[each.reserved.id]) for each in group if each.reserved.id in leases], denied

    def _hand_over(self, each: Written, lease: datetime) -> int:
        """Hand over one claimed mail and store what came of it; returns 1 where it came to an end."""
        if self._is_in_trouble or self._post is None:
            return 0  # the claim lapses, and nothing left the house
        with self._transaction() as session:
            marked = deliveries.mark_handed_over(session, [each.reserved.id], lease=lease)
        if each.reserved.id not in marked:
            return 0
        self._reached("handed over")
        answer: Accepted | ConnectorError
        try:
            answer = self._post.send(each.envelope)
        except ConnectorError as problem:
            answer = problem
        self._reached("answered")
        with self._transaction() as session:
            return self._settle(session, each.reserved, marked[each.reserved.id], answer)

    def _settle(
        self, session: ScopedSession, reserved: Reserved, lease: datetime, answer: Accepted | ConnectorError
    ) -> int:
        match answer:
            case Accepted():
                self._accepted += 1
                deliveries.settle(session, reserved.id, lease=lease, outcome="accepted", answer_code=answer.code)
            case UnknownOutcome():
                deliveries.settle(session, reserved.id, lease=lease, outcome="uncertain", problem_code=answer.code)
            case Permanent() if answer.code not in OF_RELAY:
                self._fail(session, reserved, lease, answer)
            case _:
                return self._postpone(session, reserved, lease, answer)
        return 1

    def _fail(self, session: ScopedSession, reserved: Reserved, lease: datetime, answer: ConnectorError) -> None:
        said = answer.hint if answer.hint[:1].isdigit() else None
        deliveries.settle(
            session, reserved.id, lease=lease, outcome="failed", answer_code=said, problem_code=answer.code
        )

    def _postpone(self, session: ScopedSession, reserved: Reserved, lease: datetime, answer: ConnectorError) -> int:
        if answer.code in OF_RELAY or answer.code == "unreachable":
            self._is_in_trouble = True
            _note_trouble(session, self._runtime, answer)
        elif reserved.attempts + 1 >= TRIES_MAX:
            self._fail(session, reserved, lease, answer)
            return 1
        wait_s = _backed_off(MAIL_FIRST_S, MAIL_LONGEST_S, reserved.attempts)
        if isinstance(answer, Transient) and answer.retry_after_s:
            wait_s = max(wait_s, answer.retry_after_s)
        again = clock.now() + timedelta(seconds=wait_s)
        deliveries.try_again(session, reserved.id, lease=lease, next_try_at=again, problem_code=answer.code)
        return 0

    def _give_back(self, problem: ConnectorError) -> None:
        with self._transaction() as session:
            again = _note_trouble(session, self._runtime, problem)
            deliveries.release(session, self._reserved, next_try_at=again, problem_code=problem.code)

    def _note_success(self) -> None:
        with self._transaction() as session:
            setting = setting_of(session, self._runtime.settings)
            setting.last_accepted_at = clock.now()
            forget_trouble(setting)

    def _transaction(self) -> AbstractContextManager[ScopedSession]:
        return transaction(self._runtime.engine, self._organisation_id)


def claim_written(session: ScopedSession, group: Sequence[Written]) -> tuple[dict[int, datetime], int]:
    """Decide about mails of one kind and purpose and claim those that may go, all in the caller's transaction.

    Returns the lease of each that is claimed, and how many were cancelled. What is being changed waits a moment. Once
    the caller commits, a claimed mail may be handed over at once, and no later than its lease.
    """
    decided = _decided(session, group)
    permitted = [each for each in decided.values() if isinstance(each, Permitted)]
    leases = deliveries.claimed_with(session, permitted, lease=group[0].reserved.lease)
    denied = 0
    for each in group:
        verdict = decided[each.reserved.id]
        if verdict == "changing":
            again = clock.now() + CHANGING_AGAIN
            deliveries.release(session, [each.reserved], next_try_at=again, problem_code=verdict)
        elif isinstance(verdict, str):
            deliveries.cancel(session, each.reserved.id, lease=each.reserved.lease, problem_code=verdict)
            denied += 1
    return leases, denied


def _rules_of(written: Written) -> tuple[str, str]:
    """Return what mails have in common that are decided together: one call of the gate per transaction."""
    return written.reserved.kind, written.reserved.purpose or ""


def _decided(session: ScopedSession, group: Sequence[Written]) -> dict[int, Permitted | str]:
    """Ask the rules about mails of one kind and purpose: a permission, or the code of what stands in the way."""
    if group[0].reserved.kind == "letter":
        return {each.reserved.id: _letter_verdict(session, each) for each in group}
    purpose = group[0].reserved.purpose or ""
    contact_ids = sorted({each.reserved.contact_id or 0 for each in group})
    found = gate.claim(session, channel="email", purpose=purpose, contact_ids=contact_ids, at=clock.now())
    by_contact = {decision.contact_id: decision for decision in found}
    return {each.reserved.id: _gate_verdict(each, by_contact[each.reserved.contact_id or 0]) for each in group}


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


def _note_trouble(session: ScopedSession, runtime: Runtime, problem: ConnectorError) -> datetime:
    """Have the relay rest, longer each time; returns until when."""
    setting, now = setting_of(session, runtime.settings), clock.now()
    wait_s = _backed_off(RELAY_FIRST_S, RELAY_LONGEST_S, setting.failures)
    setting.failures += 1
    setting.failing_since = setting.failing_since or now
    setting.problem_code = problem.code
    setting.next_try_at = now + timedelta(seconds=wait_s)
    log.warning("mail relay fails", code=problem.code, hint=problem.hint, failures=setting.failures)
    return setting.next_try_at


def _backed_off(first_s: float, longest_s: float, times: int) -> float:
    return min(first_s * 2.0 ** min(times, 20), longest_s) * random.uniform(0.6, 1.0)  # noqa: S311 - to spread, not to hide
