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
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import datetime, timedelta
from itertools import groupby

import structlog

from app import clock
from app.db import ScopedSession, transaction
from app.mailings import deliveries
from app.mailings.arrivals import forget_arrived, note_arrived
from app.mailings.claiming import claim_written, rules_of
from app.mailings.deliveries import Ending, Reserved
from app.mailings.letter_writing import write_letters
from app.mailings.mail_settings import NotReady, Sender, forget_trouble, may_try, sender_of, setting_of
from app.mailings.outgoing import Refused, Writer, Written
from app.mailings.pacing import slow_down
from app.mailings.posts import Posts
from app.mailings.reserving import reserve
from app.mailings.returns.breakers import note_refusals
from app.runtime import Runtime
from integrations.base import ConnectorError, Permanent, Transient, UnknownOutcome
from integrations.esp.smtp import OF_RELAY, Accepted, SmtpPost

log = structlog.get_logger()

WRITERS: Mapping[str, Writer] = {"letter": write_letters}
RESERVED_LEAST, RESERVED_AT_ONCE = 20, 500
ROUNDS_MAX = 500
# One house with a slow relay must not keep the others waiting: the rest goes at the next beat.
BEAT_S = 20.0
# Mails of mailings are marked and settled together, as many as the relay takes in so long: whoever is killed meanwhile
# leaves as many uncertain. Where it takes much longer than it did, those that were not begun are taken back.
TOGETHER_S, TOGETHER_MAX, TOGETHER_LATE_S = 0.2, 250, 2.0
# What is claimed must leave within the lease of a claim, with time to spare.
CLAIMED_S = 10.0
# A relay that fails rests for longer and longer, and so does one mail that it asks to be tried again.
RELAY_FIRST_S, RELAY_LONGEST_S = 15.0, 900.0
MAIL_FIRST_S, MAIL_LONGEST_S = 60.0, 4 * 3600.0
TRIES_MAX = 14
KEPT = timedelta(days=90)


def _go_on(_step: str) -> None:
    """Nothing stops between the steps, except in tests."""


def send_due(
    runtime: Runtime,
    organisation_id: int,
    *,
    writers: Mapping[str, Writer] = WRITERS,
    reached: Callable[[str], None] = _go_on,
    posts: Posts | None = None,
) -> int:
    """Send what is due for a house and return how many mails came to an end.

    Where the house cannot send yet, letters are left as they are, and nothing is lost. ``posts`` keeps the connection
    for the next time; without it, it is closed.
    """
    with transaction(runtime.engine, organisation_id) as session:
        setting = setting_of(session, runtime.settings)
        deliveries.recover_lapsed(session)
        sender = sender_of(session, runtime)
        if isinstance(sender, NotReady) or not may_try(setting, at=clock.now()):
            return 0
        deliveries.plan_letters(session)
    ended, began = 0, time.monotonic()
    with (
        nullcontext(posts) if posts is not None else Posts() as kept,
        _Round(runtime, sender, writers, reached, kept) as sending,
    ):
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
        sender: Sender,
        writers: Mapping[str, Writer],
        reached: Callable[[str], None],
        posts: Posts,
    ) -> None:
        self._runtime, self._sender = runtime, sender
        self._writers, self._reached, self._posts = writers, reached, posts
        self._post: SmtpPost | None = None
        self._reserved: list[Reserved] = []
        self._lost: ConnectorError | None = None
        self._is_in_trouble = False
        self._accepted = 0
        self._seconds_a_mail = TOGETHER_S

    def __enter__(self) -> _Round:
        return self

    def __exit__(self, *_problem: object) -> None:
        if self._post is not None:
            self._posts.give_back(self._post)
        if self._accepted and not self._is_in_trouble:
            self._note_success()

    def take(self) -> bool:
        """Reserve the next mails and make sure that the relay answers; False where there is nothing more to do."""
        if self._is_in_trouble:
            return False
        limit = max(RESERVED_LEAST, min(RESERVED_AT_ONCE, int(CLAIMED_S / self._seconds_a_mail)))
        with self._transaction() as session:
            self._reserved = reserve(session, kinds=list(self._writers), limit=limit)
        if not self._reserved:
            return False
        self._reached("reserved")
        try:
            self._open_post().connect()
        except ConnectorError as problem:
            self._give_back(problem)
            return False
        self._reached("connected")
        return True

    def send(self) -> int:
        """Write, claim and hand over what was reserved; returns how many mails came to an end."""
        written, ended = self._write()
        self._reached("written")
        for group in _decided_together(written):
            claimed, denied = self._claim(group)
            self._reached("claimed")
            ended += denied + self._hand_over_all(claimed)
        return ended

    def _write(self) -> tuple[list[Written], int]:
        results: list[Written | Refused] = []
        with self._transaction() as session:
            # Sorting is stable: within a kind the most urgent stay first.
            for kind, group in groupby(sorted(self._reserved, key=_kind_of), key=_kind_of):
                results += self._writers[kind](session, self._runtime, self._sender, list(group))
            refused = [each for each in results if isinstance(each, Refused)]
            for each in refused:
                deliveries.cancel(session, each.reserved.id, lease=each.reserved.lease, problem_code=each.problem_code)
        return [each for each in results if isinstance(each, Written)], len(refused)

    def _claim(self, group: Sequence[Written]) -> tuple[list[tuple[Written, datetime]], int]:
        with self._transaction() as session:
            leases, denied = claim_written(session, group)
        return [(each, leases[each.reserved.id]) for each in group if each.reserved.id in leases], denied

    def _hand_over_all(self, claimed: Sequence[tuple[Written, datetime]]) -> int:
        ended, place = 0, 0
        while place < len(claimed) and not self._is_in_trouble:  # the other claims lapse, and nothing left the house
            together = self._together(claimed[place][0])
            batch = claimed[place : place + together]
            ended += self._hand_over([each for each, _ in batch], batch[0][1])
            place += together
        return ended

    def _together(self, first: Written) -> int:
        """Return how many mails are marked at once: letters one by one, since each is somebody's own."""
        if first.reserved.kind == "letter":
            return 1
        return max(1, min(TOGETHER_MAX, int(TOGETHER_S / self._seconds_a_mail)))

    def _hand_over(self, batch: Sequence[Written], lease: datetime) -> int:
        """Hand over claimed mails and store what came of them; returns how many came to an end."""
        with self._transaction() as session:
            marked = deliveries.mark_handed_over(session, [each.reserved.id for each in batch], lease=lease)
        going = [each for each in batch if each.reserved.id in marked]
        if not going:
            return 0
        self._reached("handed over")
        answers = self._answers(going)
        self._reached("answered")
        with self._transaction() as session:
            return self._settle(session, going, answers, marked[going[0].reserved.id])

    def _answers(self, going: Sequence[Written]) -> list[Accepted | ConnectorError]:
        """Return the relay's answers, in order; fewer where it is in trouble or has become slow."""
        answers: list[Accepted | ConnectorError] = []
        began = time.monotonic()
        try:
            with closing(self._open_post().hand_over(each.envelope for each in going)) as handing_over:
                for answer in handing_over:
                    answers.append(answer)
                    if time.monotonic() - began > TOGETHER_LATE_S or _is_of_relay(answer):
                        break
        except ConnectorError as problem:
            self._lost = problem  # nothing of the others has left
        if answers:
            # Half of what is new: one slow answer does not make everything slow.
            self._seconds_a_mail = (self._seconds_a_mail + (time.monotonic() - began) / len(answers)) / 2 or TOGETHER_S
        return answers

    def _open_post(self) -> SmtpPost:
        if self._post is None:
            self._post = self._posts.take(self._sender.relay)
        return self._post

    def _settle(
        self,
        session: ScopedSession,
        going: Sequence[Written],
        answers: Sequence[Accepted | ConnectorError],
        lease: datetime,
    ) -> int:
        endings: list[Ending] = []
        impatient: set[str] = set()
        for each, answer in zip(going, answers, strict=False):
            ending = self._ending(each.reserved, answer)
            if ending is not None:
                endings.append(ending)
                continue
            self._postpone(session, each.reserved, lease, answer)
            if isinstance(answer, Transient) and answer.code == "busy":
                impatient.add(each.envelope.recipient.rpartition("@")[2])
        if self._lost is not None:
            self._is_in_trouble = True
            _note_trouble(session, self._runtime, self._lost)
        self._accepted += sum(ending.outcome == "accepted" for ending in endings)
        # Contacts before deliveries, as everybody locks them: a settlement that was broken off would be uncertain mail.
        accepted = {ending.delivery_id for ending in endings if ending.outcome == "accepted"}
        note_arrived(session, [each.reserved for each in going if each.reserved.id in accepted], at=clock.now())
        arrived = deliveries.settle_all(session, endings, lease=lease)
        forget_arrived(session, accepted - arrived)
        deliveries.take_back(session, [each.reserved.id for each in going[len(answers) :]], lease=lease)
        slow_down(session, impatient, at=clock.now())
        note_refusals(session, _refusals(going, answers), sending_domain=self._sender.domain, at=clock.now())
        return len(endings)

    def _ending(self, reserved: Reserved, answer: Accepted | ConnectorError) -> Ending | None:
        """Return what an answer means where it ends the delivery; None where it is tried again."""
        match answer:
            case Accepted():
                return Ending(reserved.id, "accepted", answer.code)
            case UnknownOutcome():
                return Ending(reserved.id, "uncertain", problem_code=answer.code)
            case Permanent() if answer.code not in OF_RELAY:
                return _failed(reserved, answer)
            case _ if not _is_of_relay(answer) and reserved.attempts + 1 >= TRIES_MAX:
                return _failed(reserved, answer)
            case _:
                return None

    def _postpone(
        self, session: ScopedSession, reserved: Reserved, lease: datetime, answer: Accepted | ConnectorError
    ) -> None:
        if isinstance(answer, Accepted):
            return
        if _is_of_relay(answer):
            self._is_in_trouble = True
            _note_trouble(session, self._runtime, answer)
        wait_s = _backed_off(MAIL_FIRST_S, MAIL_LONGEST_S, reserved.attempts)
        if isinstance(answer, Transient) and answer.retry_after_s:
            wait_s = max(wait_s, answer.retry_after_s)
        again = clock.now() + timedelta(seconds=wait_s)
        deliveries.try_again(session, reserved.id, lease=lease, next_try_at=again, problem_code=answer.code)

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
        return transaction(self._runtime.engine, self._sender.organisation_id)


def _kind_of(reserved: Reserved) -> str:
    return reserved.kind


def _decided_together(written: Sequence[Written]) -> list[list[Written]]:
    """Group mails by what they have in common for a claim; the most urgent stay first."""
    groups: dict[tuple[str, str], list[Written]] = {}
    for each in written:
        groups.setdefault(rules_of(each), []).append(each)
    return list(groups.values())


def _is_of_relay(answer: Accepted | ConnectorError) -> bool:
    """Whether an answer is about the relay: no other mail would fare better now."""
    return isinstance(answer, ConnectorError) and (answer.code in OF_RELAY or answer.code == "unreachable")


def _refusals(going: Sequence[Written], answers: Sequence[Accepted | ConnectorError]) -> list[tuple[str, str]]:
    """Return which receiving domains refused a mail, and with which status (RFC 3463; empty where none was given)."""
    return [
        (each.envelope.recipient.rpartition("@")[2], answer.hint.partition(" ")[2])
        for each, answer in zip(going, answers, strict=False)
        if isinstance(answer, ConnectorError) and not _is_of_relay(answer)
    ]


def _failed(reserved: Reserved, answer: Accepted | ConnectorError) -> Ending | None:
    if isinstance(answer, Accepted):
        return None
    said = answer.hint if answer.hint[:1].isdigit() else None
    return Ending(reserved.id, "failed", said, answer.code)


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
