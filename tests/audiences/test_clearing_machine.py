"""I6, I19 and I21 for opt-outs everywhere: spoken here or in one of two mail systems, in any order, twice, while
systems fail and workers die, every no ends everywhere, nobody is brought back, and nothing goes to and fro."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, func, select

from app import clock
from app.accounts.audit import SYSTEM
from app.audiences.clearing.beat import carry_noes
from app.audiences.clearing.carrying import carry_due
from app.audiences.clearing.line import LEASE
from app.audiences.clearing.missing import make_good
from app.audiences.clearing.models import ClearingLine
from app.audiences.definitions import AudienceDraft, ask_run, create_audience
from app.audiences.engine import carry_out, poll
from app.consent.clearing.erasures import announce_erasure
from app.consent.clearing.models import Clearance, Clearing
from app.consent.ledger import record_events
from app.consent.models import ConsentEvent
from app.consent.suppressions import suppress
from app.contacts.models import ContactIdentity
from app.db import ScopedSession, transaction
from app.runtime import Runtime
from app.segments.models import Segment
from app.sync.models import Connection
from integrations import catalogue
from integrations.base import MemberPush, MemberResult, Membership, MemberState, MemberStatus, Transient
from tests.audiences.test_kills import Killed
from tests.conftest import NOW, make_house
from tests.consent.people import a_grant, a_withdrawal, make_contact
from tests.standins.memory_destination import LIST, MemoryDestination

EMAILS = tuple(f"{name}@example.org" for name in ("an", "bo", "cis"))
SYSTEMS = ("mailchimp", "campaign_monitor")
STEPS = ("looked", "noes announced", "unsubscribed there", "noes stored")
PEOPLE, PLACES = st.sampled_from(EMAILS), st.sampled_from(SYSTEMS)


@dataclass
class FlakyDestination(MemoryDestination):
    """One that can be out of reach."""

    is_down: bool = False
    told: Counter[str] = field(default_factory=Counter)

    def _answer(self) -> None:
        if self.is_down:
            raise Transient("unreachable")

    def changed_members(self, list_id: str, since: Any) -> Iterator[MemberState]:
        self._answer()
        return super().changed_members(list_id, since)

    def member(self, list_id: str, email: str) -> MemberState:
        self._answer()
        return super().member(list_id, email)

    def lists_holding(self, email: str) -> Sequence[Membership]:
        self._answer()
        return super().lists_holding(email)

    def unsubscribe(self, list_id: str, email: str) -> MemberResult:
        self._answer()
        self.told[email] += 1
        return super().unsubscribe(list_id, email)

    def erase(self, list_id: str, email: str) -> MemberResult:
        self._answer()
        return super().erase(list_id, email)

    def upsert(self, list_id: str, people: Sequence[MemberPush], *, double_opt_in: bool) -> Iterator[MemberResult]:
        self._answer()
        return super().upsert(list_id, people, double_opt_in=double_opt_in)


class ClearingHouse(RuleBasedStateMachine):
    """Three people on two lists. ``out`` are those a list must hold as out: it held them so, and nobody but us could
    have changed that. ``causes`` counts, per system and person, why we might have to tell it."""

    runtime: Runtime
    destinations: dict[str, FlakyDestination]

    def __init__(self) -> None:
        super().__init__()
        for name in SYSTEMS:
            self.destinations[name] = FlakyDestination()
        self.house = make_house(self.runtime, "De Machine")
        self.clocks = ExitStack()
        self.now = NOW
        self.noes: set[str] = set()
        self.erased: set[str] = set()
        self.out: set[tuple[str, str]] = set()
        self.causes: Counter[tuple[str, str]] = Counter()
        with self.step() as session:
            self.connections = {name: self._connect(session, name) for name in SYSTEMS}
            self.contacts = {email: make_contact(session, self.runtime.keyring, email) for email in EMAILS}
            record_events(session, self.runtime.keyring, [a_grant(email) for email in EMAILS])
            self.audiences = {name: self._audience(session, name) for name in SYSTEMS}
        for audience_id in self.audiences.values():
            with self.step() as session:
                run_id = ask_run(session, audience_id, is_dry=False, is_confirmed=True, actor=SYSTEM)
            carry_out(self.runtime, self.house.id, run_id)

    def _connect(self, session: ScopedSession, system: str) -> int:
        connection = Connection(
            organisation_id=session.organisation_id,
            system=system,
            kind="destination",
            name=system,
            settings={},
            state="active",
            created_at=self.now,
        )
        session.add(connection)
        session.flush()
        return connection.id

    def _audience(self, session: ScopedSession, system: str) -> int:
        segment = Segment(
            organisation_id=session.organisation_id,
            name=system,
            rule={"type": "all", "rules": []},
            created_at=self.now,
            updated_at=self.now,
        )
        session.add(segment)
        session.flush()
        draft = AudienceDraft(
            name=system,
            segment_id=segment.id,
            purpose="newsletter",
            connection_id=self.connections[system],
            list_ref=LIST,
            list_name="List",
            tag=system,
        )
        return create_audience(session, draft, actor=SYSTEM).id

    def step(self) -> Any:
        self.later(1)
        return transaction(self.runtime.engine, self.house.id)

    def later(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)
        self.clocks.close()
        self.clocks = ExitStack()
        self.clocks.enter_context(clock.set_to(self.now))

    # --- what people and colleagues do --------------------------------------------------------------------------------

    @rule(email=PEOPLE, purpose=st.sampled_from(["newsletter", None]), twice=st.booleans())
    def says_no_here(self, email: str, purpose: str | None, twice: bool) -> None:
        if email in self.erased:
            return
        for _ in range(1 + twice):
            with self.step() as session:
                record_events(session, self.runtime.keyring, [a_withdrawal(email, purpose=purpose)])
        self._no(email)

    @rule(email=PEOPLE, place=PLACES)
    def says_no_there(self, email: str, place: str) -> None:
        members = self.destinations[place].members
        if members.get(email) is MemberStatus.SUBSCRIBED:
            members[email] = MemberStatus.UNSUBSCRIBED
            self.out.add((place, email))
            self._no(email)

    @rule(email=PEOPLE)
    def comes_back_here(self, email: str) -> None:
        """Their yes counts here. Whether a no that is read later was from before nobody can tell: it counts then."""
        if email in self.erased or any((place, email) in self.out for place in SYSTEMS):
            return
        with self.step() as session:
            record_events(session, self.runtime.keyring, [a_grant(email, occurred_at=self.now)])
        self.noes.discard(email)

    @rule(email=PEOPLE, place=PLACES)
    def a_colleague_subscribes_them_there_again(self, email: str, place: str) -> None:
        members = self.destinations[place].members
        if members.get(email) is MemberStatus.UNSUBSCRIBED and email not in self.erased:
            members[email] = MemberStatus.SUBSCRIBED
            self.out.discard((place, email))
            self.causes[place, email] += 1

    @rule(email=PEOPLE)
    def is_erased(self, email: str) -> None:
        if email in self.erased:
            return
        with self.step() as session:
            keyring, contact_id = self.runtime.keyring, self.contacts[email]
            announce_erasure(session, keyring, [contact_id], at=self.now)
            suppress(session, keyring, [email], channel="email", reason="erased", source="zaallicht", at=self.now)
            session.execute(delete(ContactIdentity).where(ContactIdentity.contact_id == contact_id))
        self.erased.add(email)
        self._no(email)

    def _no(self, email: str) -> None:
        self.noes.add(email)
        for place in SYSTEMS:
            self.causes[place, email] += 1

    # --- what machines do ---------------------------------------------------------------------------------------------

    @rule(place=PLACES, is_down=st.booleans())
    def a_system_fails_or_is_back(self, place: str, is_down: bool) -> None:
        self.destinations[place].is_down = is_down

    @rule(place=PLACES)
    def a_list_is_polled(self, place: str) -> None:
        self.later(6)
        poll(self.runtime, self.house.id, self.audiences[place])

    @rule(minutes=st.sampled_from([0.1, 20]))
    def noes_are_carried(self, minutes: float) -> None:
        self.later(minutes)
        carry_noes(self.runtime, self.house.id)

    @rule(place=PLACES, at=st.sampled_from(STEPS))
    def a_worker_dies_while_carrying(self, place: str, at: str) -> None:
        def die(step: str) -> None:
            if step == at:
                raise Killed

        try:
            carry_due(self.runtime, self.house.id, self.connections[place], reached=die)
        except Killed:
            # The dead give nothing back: the line stays taken until the lease runs out.
            with transaction(self.runtime.engine, self.house.id) as session:
                line = session.get_one(ClearingLine, (self.house.id, self.connections[place]))
                line.lease_until = self.now + LEASE

    # --- what must hold -----------------------------------------------------------------------------------------------

    @invariant()
    def nobody_is_brought_back(self) -> None:
        for place, email in self.out:
            assert self.destinations[place].members.get(email) is not MemberStatus.SUBSCRIBED

    @invariant()
    def rows_are_never_missing(self) -> None:
        with transaction(self.runtime.engine, self.house.id) as session:
            assert make_good(session).lost == 0

    def teardown(self) -> None:
        for destination in self.destinations.values():
            destination.is_down = False
        for _ in range(3):
            self._round()
        self._assert_everywhere()
        before = self._counts()
        self._round()
        assert self._counts() == before, "nothing goes to and fro"
        self.clocks.close()

    def _round(self) -> None:
        for place in SYSTEMS:
            self.later(20)
            poll(self.runtime, self.house.id, self.audiences[place])
        self.later(1)
        carry_noes(self.runtime, self.house.id)

    def _counts(self) -> tuple[Any, ...]:
        with transaction(self.runtime.engine, self.house.id) as session:
            told = session.scalar(select(func.count()).select_from(ConsentEvent))
            rows = session.scalar(select(func.count()).select_from(Clearance))
        return told, rows, *(dict(one.told) for one in self.destinations.values())

    def _assert_everywhere(self) -> None:
        loops = self._loops()
        for place in SYSTEMS:
            members = self.destinations[place].members
            for email in self.noes:
                if (place, email) not in loops:
                    assert members.get(email) is not MemberStatus.SUBSCRIBED, (place, email)
            assert not {email for email in self.erased if (place, email) not in loops} & members.keys()
            for email, times in self.destinations[place].told.items():
                assert times <= self.causes[place, email], (place, email)

    def _loops(self) -> set[tuple[str, str]]:
        """What waits for a person because somebody keeps subscribing them; anything else must be settled."""
        names = {connection_id: name for name, connection_id in self.connections.items()}
        with transaction(self.runtime.engine, self.house.id) as session:
            rows = session.execute(
                select(Clearing.contact_id, Clearance.connection_id, Clearance.failure_code)
                .join(Clearing, Clearing.id == Clearance.clearing_id)
                .where(Clearance.state.in_(("pending", "failing")))
            ).all()
        emails = {contact_id: email for email, contact_id in self.contacts.items()}
        assert {row.failure_code for row in rows} <= {"loop"}
        return {(names[row.connection_id], emails[row.contact_id]) for row in rows}


def test_every_no_ends_everywhere_whatever_happens_in_between(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    destinations: dict[str, FlakyDestination] = {}
    for name, system in (("mailchimp", catalogue.MAILCHIMP), ("campaign_monitor", catalogue.CAMPAIGN_MONITOR)):
        opened = replace(system, open_destination=lambda *_, name=name: destinations[name])
        monkeypatch.setitem(catalogue.SYSTEMS, name, opened)  # type: ignore[arg-type]
    machine = type("Machine", (ClearingHouse,), {"runtime": runtime, "destinations": destinations})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
