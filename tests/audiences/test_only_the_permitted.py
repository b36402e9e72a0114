"""I18: an audience is a subset of the permitted set, for random rule trees and data, NULLs included."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from app.accounts.audit import SYSTEM
from app.audiences.definitions import AudienceDraft, ask_run, create_audience
from app.audiences.engine import carry_out
from app.audiences.models import AudienceMember
from app.consent.gate import contactable
from app.consent.models import Permission, Suppression
from app.consent.subjects import email_subject, hash_key_id
from app.contacts.models import Contact, ContactIdentity
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.segments.models import Segment
from app.sync.models import Connection
from integrations import catalogue
from integrations.base import MemberStatus
from tests.conftest import NOW, make_house
from tests.segments import worlds
from tests.segments.evaluator import World
from tests.segments.filling import fill
from tests.standins.memory_destination import LIST, MemoryDestination

RULES = worlds.rules(depth=2, segments=())
SIDES = ("", "says no", "suppressed", "bounces", "restricted", "out there", "archived there", "expired")
TAKEN = st.lists(st.sampled_from(SIDES), min_size=6, max_size=6)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    world=worlds.worlds(),
    rules=st.tuples(RULES, RULES),
    sides=st.tuples(TAKEN, TAKEN),
)
def test_nobody_is_there_whom_the_gate_denies(
    runtime: Runtime,
    monkeypatch: pytest.MonkeyPatch,
    world: World,
    rules: tuple[dict[str, Any], dict[str, Any]],
    sides: tuple[list[str], list[str]],
) -> None:
    house = make_house(runtime, "Proef")
    destination = MemoryDestination()
    opened = replace(catalogue.MAILCHIMP, open_destination=lambda *_: destination)
    monkeypatch.setitem(catalogue.SYSTEMS, "mailchimp", opened)  # type: ignore[arg-type]
    with transaction(runtime.engine, house.id) as session:
        ids = fill(session, world)
        emails = _with_real_keys(session, runtime)
        _take_sides(session, runtime, emails, sides[0], destination)
        segment_id, audience_id = _audience(session, ids.rule(rules[0]))
    _push(runtime, house.id, audience_id)
    _assert_permitted(runtime, house.id, audience_id, destination, since=0)
    before = len(destination.pushed)
    with transaction(runtime.engine, house.id) as session:
        _take_sides(session, runtime, emails, sides[1], destination)
        session.execute(update(Segment).where(Segment.id == segment_id).values(rule=ids.rule(rules[1])))
    _push(runtime, house.id, audience_id)
    _assert_permitted(runtime, house.id, audience_id, destination, since=before)


def _with_real_keys(session: ScopedSession, runtime: Runtime) -> list[str]:
    """The worlds invent their keys; here they are what the ledger knows an address by."""
    emails = []
    for identity in session.scalars(select(ContactIdentity).order_by(ContactIdentity.contact_id)):
        key = email_subject(session, runtime.keyring, identity.value)
        session.execute(
            update(Permission).where(Permission.subject_key == identity.subject_key).values(subject_key=key)
        )
        identity.subject_key = key
        emails.append(identity.value)
    session.flush()
    return emails


def _take_sides(
    session: ScopedSession, runtime: Runtime, emails: list[str], sides: list[str], destination: MemoryDestination
) -> None:
    """What keeps somebody out, on whatever side of the wall."""
    for email, side in zip(emails, sides, strict=False):
        key = email_subject(session, runtime.keyring, email)
        theirs = Permission.subject_key == key
        if side == "says no":
            no = {"is_allowed": False, "is_negative": True, "basis": None, "decided_by": None, "reason": "withdrawn"}
            session.execute(update(Permission).where(theirs).values(no))
        elif side == "expired":
            session.execute(update(Permission).where(theirs).values(valid_until=NOW))
        elif side == "suppressed":
            row = Suppression(
                organisation_id=session.organisation_id,
                address_hash=key,
                hash_key_id=hash_key_id(session),
                channel="email",
                reason="erased",
                source="test",
                since=NOW,
            )
            session.merge(row)
        elif side == "bounces":
            mine = ContactIdentity.subject_key == key
            session.execute(update(ContactIdentity).where(mine).values(deliverability="bouncing"))
        elif side == "restricted":
            session.execute(update(Contact).where(Contact.email == email).values(is_restricted=True))
        elif side in ("out there", "archived there"):
            status = MemberStatus.UNSUBSCRIBED if side == "out there" else MemberStatus.ARCHIVED
            destination.members[email.lower()] = status


def _audience(session: ScopedSession, rule: dict[str, Any]) -> tuple[int, int]:
    segment = Segment(organisation_id=session.organisation_id, name="Proef", rule=rule, created_at=NOW, updated_at=NOW)
    connection = Connection(
        organisation_id=session.organisation_id,
        system="mailchimp",
        kind="destination",
        name="Memory",
        settings={},
        created_at=NOW,
    )
    session.add_all([segment, connection])
    session.flush()
    draft = AudienceDraft(
        name="Proef",
        segment_id=segment.id,
        purpose="newsletter",
        connection_id=connection.id,
        list_ref=LIST,
        list_name="List",
        field_mapping={"FNAME": "given_name"},
    )
    return segment.id, create_audience(session, draft, actor=SYSTEM).id


def _push(runtime: Runtime, organisation_id: int, audience_id: int) -> None:
    with transaction(runtime.engine, organisation_id) as session:
        run_id = ask_run(session, audience_id, is_dry=False, is_confirmed=True, actor=SYSTEM)
    assert carry_out(runtime, organisation_id, run_id)


def _assert_permitted(
    runtime: Runtime, organisation_id: int, audience_id: int, destination: MemoryDestination, *, since: int
) -> None:
    with transaction(runtime.engine, organisation_id) as session:
        query = (
            select(ContactIdentity.value)
            .join(contactable, contactable.c.identity_id == ContactIdentity.id)
            .where(
                contactable.c.channel == "email", contactable.c.purpose == "newsletter", contactable.c.is_deliverable
            )
        )
        permitted = {email.lower() for email in session.scalars(query)}
        members = session.scalars(select(AudienceMember).where(AudienceMember.audience_id == audience_id)).all()
    assert {email.lower() for email in destination.pushed[since:]} <= permitted
    there = {member.address.lower() for member in members if member.state == "in" and member.address}
    assert there <= permitted
    mailable = {email for email, status in destination.members.items() if status is MemberStatus.SUBSCRIBED}
    assert there <= mailable
    for tagged in destination.tags.values():
        assert tagged & mailable <= permitted
    assert all(member.permission_event_id is not None for member in members if member.state == "in")
