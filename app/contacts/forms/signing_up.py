"""Taking in what somebody sent with a form, and storing them once they confirmed.

What was sent waits, with a request per purpose in the ledger, until whoever reads the mailbox confirms: anybody can
type somebody else's address. Without confirmation (a form may do without) only somebody nobody knows, who never said no
and whom nothing blocks, is stored at once; everybody else is asked by mail, and the page says the same to all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from dateutil.relativedelta import relativedelta
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.accounts.letters import request_letter
from app.accounts.organisations import current_organisation
from app.consent.confirmations import CONFIRM_WITHIN, Together, add_finder
from app.consent.countries import rules_of
from app.consent.drafts import NewEvent
from app.consent.ledger import record_events
from app.consent.models import ConsentEvent, Permission, Purpose
from app.consent.notices import Wording
from app.consent.subjects import contacts_by_subject, email_subject
from app.consent.suppressions import suppressed
from app.contacts.forms.models import Signup, SignupForm
from app.contacts.forms.statistics import count
from app.contacts.ingest import upsert_contacts
from app.db import ScopedSession, transaction
from app.keyring import Keyring
from app.runtime import Runtime
from integrations.base import ContactRecord, IdentityRecord

ONE_SENDING = timedelta(minutes=10)
TIDIED_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What somebody sent: who they say they are, and the sentences they ticked, by purpose.

    ``guardian_address`` is filled in for a child who may not decide alone. ``nonce`` is the showing of the form that
    was sent back, empty for a snippet.
    """

    address: str
    profile: Mapping[str, str]
    tags: Sequence[str]
    ticked: Mapping[str, Wording]
    language: str
    birth_date: date | None = None
    guardian_address: str | None = None
    nonce: str = ""


def needs_guardian(session: ScopedSession, birth_date: date | None) -> bool:
    """Whether somebody born on a day is a child who may not consent alone where the house is (GDPR art. 8)."""
    if birth_date is None:
        return False
    house = current_organisation(session)
    years = rules_of(house.country).consents_alone_from_years
    return birth_date + relativedelta(years=years) > clock.today(house.time_zone)


def sign_up(
    session: ScopedSession, keyring: Keyring, form: SignupForm, sent: Sent, *, needs_confirmation: bool
) -> Signup | None:
    """Take in what was sent; returns None for the same sending again, and for an address that cannot exist.

    Records a request per purpose and asks for one confirmation mail, to the guardian of a child; or, where that is not
    asked and stands in nobody's way, stores the person with their yes at once.
    """
    key = email_subject(session, keyring, sent.address)
    if key is None:
        return None
    at = clock.now()  # before we look: a no that is spoken meanwhile is later than this, and stands
    is_direct = not needs_confirmation and sent.guardian_address is None and _is_new_here(session, key, sent.ticked)
    signup = _entered(session, form, key, sent)
    if signup is None:
        return None
    if is_direct:
        _store(session, keyring, signup)
    signup.event_ids = [
        recorded.event_id or 0
        for recorded in record_events(
            session, keyring, _events(form, signup, sent, "granted" if is_direct else "requested", at)
        )
    ]
    session.flush()
    if not is_direct:
        _ask_to_confirm(session, keyring, signup, sent)
    # The counts of a day are one row for everybody: last, so that nobody waits for a lock while holding it.
    count(session, form.id, "sent")
    if is_direct:
        count(session, form.id, "confirmed")
    return signup


def tidy_signups(runtime: Runtime, organisation_id: int) -> int:
    """Let go of every sign-up of one organisation that ran out; returns how many (a heartbeat)."""
    ended = 0
    while True:
        with transaction(runtime.engine, organisation_id) as session:
            part = end_old_signups(session)
        ended += part
        if part < TIDIED_AT_ONCE:
            return ended


def end_old_signups(session: ScopedSession) -> int:
    """Let go of what was typed and never confirmed in time; returns how many."""
    due = (
        select(Signup.id)
        .where(Signup.state == "waiting", Signup.sent_at <= clock.now() - CONFIRM_WITHIN)
        .limit(TIDIED_AT_ONCE)
    )
    ended = session.execute(
        update(Signup)
        .where(Signup.id.in_(due))
        .values(state="lapsed", typed=None, done_at=clock.now())
        .returning(Signup.id)
        .execution_options(synchronize_session=False)
    )
    return len(ended.all())


def _is_new_here(session: ScopedSession, key: bytes, ticked: Mapping[str, Wording]) -> bool:
    strict = session.scalars(
        select(Purpose.code).where(Purpose.code.in_(list(ticked)), Purpose.needs_confirmation)
    ).first()
    said_no = session.scalars(
        select(Permission.purpose).where(Permission.subject_key == key, Permission.is_negative)
    ).first()
    is_known = bool(contacts_by_subject(session, [key])) or bool(suppressed(session, [key], channel="email"))
    return strict is None and said_no is None and not is_known


def _entered(session: ScopedSession, form: SignupForm, key: bytes, sent: Sent) -> Signup | None:
    """Write the sending down; None where the same was written down before."""
    profile: dict[str, Any] = dict(sent.profile)
    if sent.birth_date is not None:
        profile["birth_date"] = sent.birth_date.isoformat()
    typed = {"email": sent.address, "language": sent.language, "profile": profile, "tags": list(sent.tags)}
    inserted = session.scalar(
        insert(Signup)
        .values(
            organisation_id=session.organisation_id,
            form_id=form.id,
            subject_key=key,
            replay_key=_replay_key(key, sent),
            typed=typed,
            by_guardian=sent.guardian_address is not None,
            state="waiting",
            sent_at=clock.now(),
        )
        .on_conflict_do_nothing()
        .returning(Signup.id)
    )
    return None if inserted is None else session.scalars(select(Signup).where(Signup.id == inserted)).one()


def _replay_key(key: bytes, sent: Sent) -> bytes:
    """Return what makes two sendings the same: one showing of the form, or a snippet within some minutes."""
    once = sent.nonce or str(int(clock.now().timestamp() // ONE_SENDING.total_seconds()))
    told = "|".join([once, *sorted(sent.ticked), sent.guardian_address or ""])
    return hashlib.sha256(key + told.encode()).digest()


def _events(form: SignupForm, signup: Signup, sent: Sent, action: str, at: datetime) -> list[NewEvent]:
    return [
        NewEvent(
            subject_key=bytes(signup.subject_key),
            channel="email",
            purpose=purpose,
            action=action,
            basis="consent",
            occurred_at=at,
            actor="contact",
            method="form",
            source=f"form:{form.code}",
            external_id=f"signup {signup.id} {purpose}",
            wording=wording.text,
            language=wording.language,
            evidence={"form": form.id, "signup": signup.id},
        )
        for purpose, wording in sent.ticked.items()
    ]


def _ask_to_confirm(session: ScopedSession, keyring: Keyring, signup: Signup, sent: Sent) -> None:
    facts: dict[str, Any] = {"event_id": signup.event_ids[0], "purposes": sorted(sent.ticked)}
    if sent.guardian_address is not None:
        facts["subject_key"] = bytes(signup.subject_key).hex()
    request_letter(
        session,
        keyring,
        kind="confirmation",
        to_address=sent.guardian_address or sent.address,
        language=sent.language,
        facts=facts,
        about=f"signup {signup.id}",
    )


def _store(session: ScopedSession, keyring: Keyring, signup: Signup) -> bool:
    """Put the person in the store, once; returns whether this was the time. It takes locks on people: call it before
    anything is recorded."""
    held = session.scalars(
        select(Signup).where(Signup.id == signup.id).with_for_update().execution_options(populate_existing=True)
    ).one()
    typed = held.typed
    if held.state != "waiting" or typed is None:
        return False
    profile = dict(typed["profile"])
    born = profile.pop("birth_date", None)
    record = ContactRecord(
        source="form",
        identities=(IdentityRecord("email", typed["email"]),),
        email=typed["email"],
        language=typed["language"],
        birth_date=date.fromisoformat(born) if born else None,
        tags=tuple(typed["tags"]),
        **profile,
    )
    upsert_contacts(session, keyring, [record], actor="contact", at=clock.now())
    held.state, held.typed, held.done_at = "confirmed", None, clock.now()
    session.flush()
    return True


def _together(session: ScopedSession, request: ConsentEvent) -> Together | None:
    signup = session.scalars(select(Signup).where(Signup.event_ids.contains([request.id]))).one_or_none()
    if signup is None:
        return None

    stored: list[bool] = []

    def store(session: ScopedSession, keyring: Keyring) -> None:
        stored.append(_store(session, keyring, signup))

    def tell(session: ScopedSession) -> None:
        if any(stored):
            count(session, signup.form_id, "confirmed")

    return Together(signup.event_ids, "guardian" if signup.by_guardian else "contact", store, tell)


add_finder(_together)
