"""I1, I19 and I21 for a push: whatever happens to an account, a list, a segment, a worker or a person, in any order,
nobody is opted back in, and what was left half done is mended by the next run."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import update

from app.accounts.audit import SYSTEM
from app.audiences import by_batches
from app.audiences.clearing.beat import carry_noes
from app.audiences.engine import poll
from app.audiences.hooks import drain_inbox
from app.audiences.models import Audience
from app.runtime import Runtime
from app.segments.models import Segment
from app.sync.connections import get_connection, resume_connection
from app.sync.inbox import receive
from integrations import catalogue
from integrations.base import Destination
from tests.audiences.test_by_batches import STEPS as BATCH_STEPS
from tests.audiences.test_kills import STEPS, KillAt, Killed
from tests.audiences.world import EVERYBODY, TAGGED, World
from tests.conftest import make_house
from tests.consent.people import a_grant
from tests.standins.mailchimp import Fault, MailChimpStandIn

EMAILS = tuple(f"{name}@example.org" for name in ("an", "bo", "cis", "do"))
PEOPLE = st.sampled_from(EMAILS)
NOBODY: dict[str, Any] = {"type": "tag", "tag": "nobody"}
RULES = {"tagged": TAGGED, "everybody": EVERYBODY, "nobody": NOBODY}
TROUBLES = ("key", "list", "plan", "field")
STOPS = {"unauthorised", "list_missing", "forbidden", "field_missing", None}
numbers = count()


class PushedAudience(RuleBasedStateMachine):
    """Four people, one list. ``out``: whom the vendor holds as out by their own word, and nobody but they may undo it.
    ``said_no``: whose no stands here; from then on nobody is handed over."""

    runtime: Runtime
    opened: dict[str, World]

    def __init__(self) -> None:
        super().__init__()
        self.standin = MailChimpStandIn()
        self.standin.start()
        number = next(numbers)
        self.world = World(self.runtime, make_house(self.runtime, f"De Machine {number}"), self.standin)
        self.opened["now"] = self.world
        self.out: set[str] = set()
        self.said_no: set[str] = set()
        self.trouble: set[str] = set()
        self.handed: dict[str, int] = {}
        for email in EMAILS:
            self.world.person(email, given_name="X")
        self.segment_id = self.world.segment()
        self.audience_id = self.world.audience(self.segment_id)
        self.world.run(self.audience_id)

    # --- people ---------------------------------------------------------------------------------------------------

    @rule(email=PEOPLE, purpose=st.sampled_from(["newsletter", None]))
    def says_no_here(self, email: str, purpose: str | None) -> None:
        self._later(1)
        self.world.withdraw(email, purpose=purpose)
        self._no(email)

    @rule(email=PEOPLE, abuse=st.booleans())
    def says_no_there(self, email: str, abuse: bool) -> None:
        if "list" in self.trouble or self.standin.status(email) != "subscribed":
            return
        self._later(1)
        self.standin.unsubscribe_by_person(email, reason="abuse" if abuse else "manual")
        self.out.add(email)

    @rule(email=PEOPLE)
    def comes_back_here(self, email: str) -> None:
        """Their yes counts here; the list keeps them out until they come back there themselves."""
        self._later(1)
        self.world.record(a_grant(email, occurred_at=self.world.now))
        self.said_no.discard(email)

    def _no(self, email: str) -> None:
        self.said_no.add(email)
        self.handed[email] = self._pushes_of(email)

    # --- the account, the list and the segment --------------------------------------------------------------------

    @rule(trouble=st.sampled_from(TROUBLES))
    def something_breaks_or_is_mended(self, trouble: str) -> None:
        if trouble in self.trouble:
            self._mend(trouble)
            return
        self.trouble.add(trouble)
        match trouble:
            case "key":
                self.standin.revoke_key()
            case "list":
                self.standin.hide_list(self.world.list_id)
            case "plan":
                self.standin.limit_people(0)
            case "field":
                if "list" in self.trouble:
                    self.trouble.discard("field")
                else:
                    self.standin.rename_field("FNAME", "VNAAM", list_id=self.world.list_id)

    def _mend(self, trouble: str) -> None:
        if trouble == "field" and "list" in self.trouble:
            return
        self.trouble.discard(trouble)
        match trouble:
            case "key":
                self.standin.mend_key()
            case "list":
                self.standin.show_list(self.world.list_id)
            case "plan":
                self.standin.limit_people(None)
            case "field":
                self.standin.rename_field("VNAAM", "FNAME", list_id=self.world.list_id)

    @rule(name=st.sampled_from(sorted(RULES)))
    def the_segment_becomes(self, name: str) -> None:
        with self.world.transaction() as session:
            session.execute(update(Segment).where(Segment.id == self.segment_id).values(rule=RULES[name]))

    @rule(fault=st.sampled_from([Fault.THROTTLED, Fault.BAD_GATEWAY, Fault.DROP_AFTER, Fault.SERVER_ERROR_AFTER]))
    def a_few_calls_fail(self, fault: Fault) -> None:
        self.standin.fail_next(fault, times=3)

    @rule(size=st.sampled_from([1, 2, 99]), looks=st.sampled_from([1, 3, 40]))
    def pushes_go_by(self, size: int, looks: int) -> None:
        by_batches.BATCHES_FROM = size
        self.standin.behave(batch_looks=looks)

    # --- machines -------------------------------------------------------------------------------------------------

    @rule(confirmed=st.booleans())
    def runs(self, confirmed: bool) -> None:
        self._later(16)
        run = self.world.run(self.audience_id, confirmed=confirmed)
        assert run.state in ("done", "braked", "failed", "queued"), run.state

    @rule(step=st.sampled_from((*STEPS, *BATCH_STEPS)), nth=st.sampled_from([1, 2]))
    def a_worker_dies(self, step: str, nth: int) -> None:
        self._later(16)
        try:
            self.world.run(self.audience_id, reached=KillAt(step, nth=nth))
        except Killed:
            return

    @rule()
    def is_polled(self) -> None:
        self._later(6)
        poll(self.runtime, self.world.organisation.id, self.audience_id)

    @rule()
    def noes_are_carried(self) -> None:
        self._later(1)
        carry_noes(self.runtime, self.world.organisation.id)

    @rule(twice=st.booleans(), backwards=st.booleans())
    def hooks_arrive(self, twice: bool, backwards: bool) -> None:
        deliveries = self.standin.take_deliveries() if "list" not in self.trouble else []
        for delivery in deliveries[::-1] if backwards else deliveries:
            for _ in range(1 + twice):
                self._receive(delivery.headers, delivery.body)
        drain_inbox(self.runtime, self.world.organisation.id)

    def _receive(self, headers: Any, body: bytes) -> None:
        with self.world.transaction() as session:
            receive(session, get_connection(session, self.world.connection_id), headers=headers, body=body)

    def _later(self, minutes: float) -> None:
        self.world.later(minutes=minutes)

    # --- what must hold -------------------------------------------------------------------------------------------

    @invariant()
    def nobody_is_opted_back_in(self) -> None:
        if "list" not in self.trouble:
            assert not {email for email in self.out if self.standin.status(email) == "subscribed"}

    @invariant()
    def nobody_is_handed_over_after_their_no(self) -> None:
        for email in self.said_no:
            assert self._pushes_of(email) == self.handed[email], email

    @invariant()
    def the_contract_is_kept(self) -> None:
        assert self.standin.violations == []

    def _pushes_of(self, email: str) -> int:
        told = [one for one in self.standin.requests if one.kind in ("put_member", "post_batch") and one.status == 200]
        return sum(email in str(one.body) for one in told)

    def teardown(self) -> None:
        try:
            self._end()
        finally:
            self.world.close()
            self.standin.stop()

    def _end(self) -> None:
        for trouble in ("list", "key", "plan", "field"):
            if trouble in self.trouble:
                self._mend(trouble)
        self.standin.recover()
        self.standin.behave(batch_looks=1)
        self.the_segment_becomes("tagged")
        with self.world.transaction() as session:
            resume_connection(session, self.world.connection_id, actor=SYSTEM)
        for _ in range(5):
            self._later(20)
            self.world.run(self.audience_id)
            carry_noes(self.runtime, self.world.organisation.id)
        self._later(20)
        run = self.world.run(self.audience_id)
        assert run.state == "done", (run.state, run.failure_code)
        assert run.counts.get("to_push", 0) == 0, "nothing is left half done"
        mailable = {email for email in EMAILS if self.world.is_mailable(email)}
        assert not mailable & self.said_no
        there = self.standin.emails("subscribed")
        assert there <= mailable
        assert mailable - self.out <= there
        assert self.world.tagged() & there == mailable - self.out
        self.nobody_is_opted_back_in()
        with self.world.transaction() as session:
            assert session.get_one(Audience, (self.world.organisation.id, self.audience_id)).lease_until is None


def test_nobody_is_opted_back_in_and_the_next_run_mends_what_was_left_half(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: dict[str, World] = {}
    really = catalogue.MAILCHIMP.open_destination
    assert really is not None

    def open_current(settings: Any, secrets: Any, allows_loopback: bool) -> Destination:
        """Guarded and impatient, once its world is there."""
        world = opened.get("now")
        return (world.open_destination if world else really)(settings, secrets, allows_loopback)

    system = replace(catalogue.MAILCHIMP, open_destination=open_current)
    monkeypatch.setitem(catalogue.SYSTEMS, "mailchimp", system)  # type: ignore[arg-type]
    machine = type("Machine", (PushedAudience,), {"runtime": runtime, "opened": opened})
    monkeypatch.setattr(by_batches, "BATCHES_FROM", by_batches.BATCHES_FROM)  # put back afterwards: a rule sets it
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=5,
            stateful_step_count=14,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
