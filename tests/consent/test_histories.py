"""Whatever happens, in whatever order: permission equals a rebuild, the view equals the explanation, a no stands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from app import clock
from app.consent.explain import permissions_of
from app.consent.gate import contactable_by
from app.consent.ledger import record_event, record_events, record_opt_outs
from app.consent.pauses import pause, resume
from app.consent.rebuild import differences
from app.consent.subjects import contacts_by_subject, email_subject
from app.consent.suppressions import suppress
from app.contacts.models import ContactIdentity
from app.db import ScopedSession
from app.keyring import Keyring
from tests.conftest import NOW
from tests.consent.people import a_grant, a_withdrawal, make_contact, opt_out_arguments

runs = count()


class House:
    """Three contacts with four addresses and one with none, and everything that can happen to them."""

    def __init__(self, session: ScopedSession, keyring: Keyring) -> None:
        self.session, self.keyring = session, keyring
        run = next(runs)
        self.addresses = [f"{name}{run}@example.org" for name in ("an", "an.werk", "bo", "cis")]
        an, an_at_work, bo, cis = self.addresses
        # Nothing here is ever committed, so that nobody else would analyse these tables.
        session.execute(text("SELECT refresh_statistics(only_changed => false)"))
        self.contacts = [make_contact(session, keyring, *held) for held in ((an, an_at_work), (bo,), (cis,), ())]

    def grant(self, who: int) -> None:
        record_event(self.session, self.keyring, a_grant(self.addresses[who]))

    def grant_survey(self, who: int) -> None:
        record_event(self.session, self.keyring, a_grant(self.addresses[who], purpose="survey", valid_until=None))

    def grant_post(self, who: int) -> None:
        record_event(self.session, self.keyring, a_grant(self.addresses[who], channel="post"))

    def withdraw_post(self, who: int) -> None:
        record_event(self.session, self.keyring, a_withdrawal(self.addresses[who], channel="post"))

    def pause_post(self, who: int) -> None:
        ends = {"action": "paused", "valid_until": clock.now() + timedelta(hours=2)}
        record_event(self.session, self.keyring, a_withdrawal(self.addresses[who], channel="post", **ends))

    def grant_post_at_the_counter(self, who: int) -> None:
        """Of whoever has no address, the fact is about the contact alone."""
        contact_id = self.contacts[who % 2 * 3]
        record_event(self.session, self.keyring, a_grant(None, channel="post", contact_id=contact_id))

    def withdraw_post_at_the_counter(self, who: int) -> None:
        contact_id = self.contacts[who % 2 * 3]
        record_event(self.session, self.keyring, a_withdrawal(None, channel="post", contact_id=contact_id))

    def withdraw(self, who: int) -> None:
        record_event(self.session, self.keyring, a_withdrawal(self.addresses[who]))

    def withdraw_survey(self, who: int) -> None:
        record_event(self.session, self.keyring, a_withdrawal(self.addresses[who], purpose="survey"))

    def import_file(self, who: int) -> None:
        rows = [
            a_grant(address, actor="import", method="import", external_id=f"{address}/{number}")
            for number, address in enumerate(self.addresses[who:])
        ]
        record_events(self.session, self.keyring, [*rows, *rows])

    def sync_opt_outs(self, who: int) -> None:
        record_opt_outs(self.session, self.keyring, self.addresses[: who + 1], **opt_out_arguments(NOW))

    def pause(self, who: int) -> None:
        pause(self.session, self.keyring, email_subject(self.session, self.keyring, self.addresses[who]) or b"")

    def resume(self, who: int) -> None:
        resume(self.session, self.keyring, email_subject(self.session, self.keyring, self.addresses[who]) or b"")

    def expire(self, who: int) -> None:
        record_event(self.session, self.keyring, a_withdrawal(self.addresses[who], action="expired", actor="system"))

    def suppress(self, who: int) -> None:
        suppress(self.session, self.keyring, [self.addresses[who]], channel="email", reason="x", source="test", at=NOW)

    def move_address(self, who: int) -> None:
        """What a merge does to identities: the address goes to another contact, the facts stay with the address."""
        moved = self.session.scalars(
            select(ContactIdentity).where(
                ContactIdentity.subject_key == email_subject(self.session, self.keyring, self.addresses[who])
            )
        ).one()
        left_behind = moved.contact_id
        moved.contact_id, moved.is_primary = self.contacts[2], False
        self.session.flush()
        for contact_id in (left_behind, self.contacts[2]):
            held = self.session.scalars(select(ContactIdentity).where(ContactIdentity.contact_id == contact_id)).all()
            if held and not any(each.is_primary for each in held):
                held[0].is_primary = True
        self.session.flush()


HAPPENINGS: list[Callable[[House, int], None]] = [
    House.grant, House.grant_survey, House.withdraw, House.withdraw_survey, House.import_file, House.sync_opt_outs,
    House.expire, House.suppress, House.move_address, House.pause, House.resume,
    House.grant_post, House.withdraw_post, House.pause_post, House.grant_post_at_the_counter,
    House.withdraw_post_at_the_counter,
]  # fmt: skip


def mailable(house: House, channel: str = "email") -> set[tuple[int, str]]:
    gate = contactable_by(channel).c
    rows = house.session.execute(
        select(gate.contact_id, gate.purpose).where(gate.contact_id.in_(house.contacts), gate.channel == channel)
    )
    return {(contact_id, purpose) for contact_id, purpose in rows}


def check(house: House) -> None:
    assert differences(house.session) == []
    told = {
        (answer.channel, contact_id, answer.purpose)
        for contact_id in house.contacts
        for answer in permissions_of(house.session, contact_id)
        if answer.is_allowed
    }
    assert told == {(channel, *who) for channel in ("email", "post") for who in mailable(house, channel)}


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happenings=st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.integers(0, 3)), max_size=8))
def test_permission_equals_a_rebuild_after_every_step(
    session: ScopedSession, keyring: Keyring, happenings: list[tuple[Callable[[House, int], None], int]]
) -> None:
    """I8, and the view and its explanation agree."""
    with session.begin_nested() as unheard:
        house = House(session, keyring)
        for hours, (happen, who) in enumerate(happenings):
            with clock.set_to(NOW + timedelta(hours=hours)):
                session.execute(text("SELECT set_config('zaallicht.now', :at, true)"), {"at": clock.now().isoformat()})
                happen(house, who)
                check(house)
        unheard.rollback()


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.integers(0, 3)), max_size=5),
    who=st.integers(0, 3),
    after=st.lists(
        st.tuples(
            st.sampled_from([House.import_file, House.sync_opt_outs, House.move_address, House.suppress]),
            st.integers(0, 3),
        ),
        max_size=4,
    ),
)
def test_after_a_no_only_the_person_opens_the_gate_again(
    session: ScopedSession,
    keyring: Keyring,
    before: list[tuple[Callable[[House, int], None], int]],
    who: int,
    after: list[tuple[Callable[[House, int], None], int]],
) -> None:
    """I4, I5, I6: whoever holds the address of a no is not mailable, whatever machines do next."""
    house = House(session, keyring)
    for happen, whom in before:
        happen(house, whom)
    house.withdraw(who)
    key = email_subject(session, keyring, house.addresses[who]) or b""
    for happen, whom in after:
        happen(house, whom)
        holder = contacts_by_subject(session, [key])[key]
        assert not {contact_id for contact_id, _ in mailable(house)} & {holder}
