"""What waits for a person: mails that may or may not have arrived, and those that were given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update

from app import clock
from app.accounts.models import Letter
from app.db import ScopedSession
from app.mailings import words
from app.mailings.deliveries import close_letters, queue_of
from app.mailings.mail_settings import NotReady, sender_of, setting_of
from app.mailings.models import Delivery
from app.runtime import Runtime
from integrations.meanings import meaning_for_mail


@dataclass(frozen=True, slots=True)
class ToLookAt:
    """A mail somebody should look at. ``what`` is the kind of its letter, or ``mailing``."""

    id: int
    what: str
    contact_id: int | None
    state: str
    at: datetime
    problem_code: str
    answer_code: str | None
    may_go_again: bool


def what_is_wrong(session: ScopedSession, runtime: Runtime) -> str | None:
    """Return why mail does not leave the house, in English and to be translated; None where all is well.

    A house that sends nothing and was never asked to is not told that it cannot.
    """
    setting, sender = setting_of(session, runtime.settings), sender_of(session, runtime)
    if isinstance(sender, NotReady):
        is_asked_to = sender.missing == "not_confirmed_here" or queue_of(session)[0] > 0
        return words.MISSING[sender.missing] if is_asked_to else None
    return meaning_for_mail(setting.problem_code) if setting.problem_code else None


def count_uncertain(session: ScopedSession) -> int:
    """Return how many mails may or may not have arrived."""
    return session.scalar(select(func.count()).select_from(Delivery).where(Delivery.state == "uncertain")) or 0


def to_look_at(session: ScopedSession, *, before_id: int | None = None, limit: int = 50) -> Sequence[ToLookAt]:
    """Return uncertain and failed mails, the newest first, from below ``before_id`` on."""
    row, letter = Delivery, Letter
    query = (
        select(row, letter.kind, letter.sealed.is_not(None))
        .outerjoin(letter, letter.id == row.letter_id)
        .where(row.state.in_(("uncertain", "failed")))
        .order_by(row.id.desc())
        .limit(limit)
    )
    if before_id is not None:
        query = query.where(row.id < before_id)
    return [
        ToLookAt(
            id=each.id,
            what=kind or "mailing",
            contact_id=each.contact_id,
            state=each.state,
            at=each.settled_at or each.planned_at,
            problem_code=each.problem_code or "",
            answer_code=each.answer_code,
            may_go_again=each.state == "uncertain" and bool(is_sealed),
        )
        for each, kind, is_sealed in session.execute(query)
    ]


def send_again(session: ScopedSession, delivery_id: int) -> bool:
    """Put an uncertain letter back in the queue because a person says so; never a mailing. Returns whether it was."""
    row, letter = Delivery, Letter
    pending = select(letter.id).where(letter.id == row.letter_id, letter.sealed.is_not(None)).exists()
    again = session.scalars(
        update(row)
        .where(row.id == delivery_id, row.state == "uncertain", row.kind == "letter", pending)
        .values(
            state="planned",
            lease_until=None,
            handed_over_at=None,
            settled_at=None,
            attempts=0,
            next_try_at=clock.now(),
            problem_code=None,
        )
        .returning(row.id)
        .execution_options(synchronize_session=False)
    ).all()
    return bool(again)


def set_aside(session: ScopedSession, delivery_id: int) -> bool:
    """Take an uncertain mail off the list, to be left as it is; returns whether there was one."""
    row = Delivery
    done = session.execute(
        update(row)
        .where(row.id == delivery_id, row.state == "uncertain")
        .values(state="failed", settled_at=clock.now(), problem_code="set_aside")
        .returning(row.letter_id)
        .execution_options(synchronize_session=False)
    ).all()
    close_letters(session, [letter_id for (letter_id,) in done if letter_id is not None], "failed", "set_aside")
    return bool(done)
