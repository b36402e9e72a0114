"""Noes and bounces that a campaign's report tells: each is a hint that makes us ask the list itself, once.

A report of last spring still says that somebody unsubscribed who signed up again in summer; what counts is how the list
holds them now. Whoever it is known to hold out already is no news. Only a complaint is taken at its word, as lists
forget those: it is an objection, of the moment it was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from app import clock
from app.audiences.batches import batched
from app.audiences.held_out import Heard, heard_of_state, note_complaints, note_heard, purposes_of
from app.audiences.models import ListHeldOut
from app.audiences.work import ListPlace
from app.consent.subjects import email_subject
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from integrations.base import Destination, Happening, MailHappening, MemberState, Permanent

READS_PER_COMMIT = 100


def bring_noes_home(
    runtime: Runtime,
    organisation_id: int,
    destination: Destination,
    happenings: Sequence[MailHappening],
    *,
    connection: tuple[int, str],
) -> int:
    """Commit the noes among what happened, list by list; returns how many were news. ``connection``: id and system.

    Asks the destination with no transaction open. Raises ConnectorError. Idempotent.
    """
    news = 0
    for list_ref in sorted({one.list_id for one in happenings if one.list_id and _is_no(one)}):
        place = ListPlace(connection[0], list_ref, connection[1])
        told = [one for one in happenings if one.list_id == list_ref and _is_no(one)]
        complaints = {one.email: one.at for one in told if one.what is Happening.COMPLAINED}
        with transaction(runtime.engine, organisation_id) as session:
            news += note_complaints(session, runtime.keyring, place, complaints)
            unknown = _to_ask(runtime, session, place, told)
        for batch in batched(unknown, READS_PER_COMMIT):
            states = _states(destination, list_ref, batch)
            heard = [one for state in states if (one := heard_of_state(state)) is not None and one.status is not None]
            news += _noted(runtime, organisation_id, place, heard, at=clock.now())
    return news


def _states(destination: Destination, list_ref: str, emails: Sequence[str]) -> list[MemberState]:
    """How the list holds them now; nothing where there is no such list any more."""
    try:
        return [destination.member(list_ref, email) for email in emails]
    except Permanent as problem:
        if problem.code != "not_found":
            raise
        return []


def _is_no(one: MailHappening) -> bool:
    return one.what in (Happening.UNSUBSCRIBED, Happening.COMPLAINED) or (
        one.what is Happening.BOUNCED and one.is_for_good
    )


def _to_ask(runtime: Runtime, session: ScopedSession, place: ListPlace, told: Sequence[MailHappening]) -> list[str]:
    """Whose state the list itself must tell: those it is not known to hold out, on a list that is used for something.

    A list of which nobody knows what it is for brings no noes home; what it says of bounces is about the address.
    """
    is_used = bool(purposes_of(session, place))
    emails = {one.email for one in told if is_used or one.what is Happening.BOUNCED}
    by_key = {key: email for email in sorted(emails) if (key := email_subject(session, runtime.keyring, email))}
    held = set(
        session.scalars(
            select(ListHeldOut.subject_key).where(
                ListHeldOut.connection_id == place.connection_id,
                ListHeldOut.list_ref == place.list_ref,
                ListHeldOut.subject_key.in_(list(by_key)),
            )
        )
    )
    return [email for key, email in by_key.items() if key not in held]


def _noted(runtime: Runtime, organisation_id: int, place: ListPlace, heard: Sequence[Heard], *, at: datetime) -> int:
    if not heard:
        return 0
    with transaction(runtime.engine, organisation_id) as session:
        return note_heard(session, runtime.keyring, place, heard, at=at)
