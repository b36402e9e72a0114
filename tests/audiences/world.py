"""A house with people, a segment, and a MailChimp on loopback: everything an audience needs."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import Engine, select

from app import clock
from app.accounts.audit import SYSTEM
from app.accounts.models import Organisation
from app.audiences.definitions import AudienceDraft, ask_run, create_audience
from app.audiences.engine import carry_out
from app.audiences.models import Audience, AudienceMember, AudienceRun, AudienceRunResult
from app.audiences.runs import RunOrder, request_run
from app.audiences.work import Reached, unwatched
from app.consent.gate import contactable
from app.consent.ledger import NewEvent, record_events
from app.db import transaction
from app.runtime import Runtime
from app.segments.models import Segment
from app.sync.connections import create_connection, read_settings
from integrations.base import Destination, Transient
from integrations.esp.calls import Pace
from integrations.esp.mailchimp import MailChimp
from tests.conftest import NOW
from tests.consent.people import a_grant, a_withdrawal, make_contact
from tests.standins.mailchimp import MailChimpStandIn

IMPATIENT = Pace(sleep=lambda _: None, random=lambda: 0.5, read_timeout_s=4.0, connect_timeout_s=4.0)
EVERYBODY: dict[str, Any] = {"type": "all", "rules": []}
TAGGED: dict[str, Any] = {"type": "tag", "tag": "wanted"}


class NoTransactionOpen:
    """A destination that refuses to speak while this process holds a transaction open."""

    def __init__(self, destination: Destination, engine: Engine, *, breaks_after: int | None = None) -> None:
        self._destination, self._engine, self._breaks_after = destination, engine, breaks_after
        self.capabilities = destination.capabilities
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._destination, name)

        def guarded(*args: Any, **kwargs: Any) -> Any:
            self._check(name)
            answer = method(*args, **kwargs)
            return self._watched(name, answer) if hasattr(answer, "__next__") else answer

        return guarded

    def _watched(self, name: str, answers: Any) -> Any:
        for number in count():
            self._check(name)
            if name == "upsert" and number == self._breaks_after:
                raise Transient("unreachable")
            try:
                yield next(answers)
            except StopIteration:
                return

    def _check(self, name: str) -> None:
        self.calls.append(name)
        held = self._engine.pool.checkedout()  # type: ignore[attr-defined]
        assert held == 0, f"{name} was called with {held} transaction(s) open"


class World:
    """What a test does and sees. Addresses are the people's names."""

    def __init__(self, runtime: Runtime, organisation: Organisation, mailchimp: MailChimpStandIn) -> None:
        self.runtime, self.organisation, self.mailchimp = runtime, organisation, mailchimp
        self.now = NOW
        self._clocks = ExitStack()
        mailchimp.clock = lambda: self.now
        self.list_id = mailchimp.add_list("Nieuwsbrief")
        self.guards: list[NoTransactionOpen] = []
        self.guards_transactions = True
        self.breaks_after: int | None = None
        self.contacts: dict[str, int] = {}
        self.connection_id = self._connect()

    def close(self) -> None:
        self._clocks.close()

    def transaction(self) -> Any:
        return transaction(self.runtime.engine, self.organisation.id)

    def open_destination(self, settings: Any, secrets: Any, _allows_loopback: bool) -> Destination:
        """What the catalogue's opener does, impatient and guarded."""
        opened = MailChimp(secrets["api_key"], base_url=settings["base_url"], pace=IMPATIENT)
        if not self.guards_transactions:
            return opened
        guard = NoTransactionOpen(opened, self.runtime.engine, breaks_after=self.breaks_after)
        self.guards.append(guard)
        return guard  # type: ignore[return-value]

    def later(self, **by: float) -> datetime:
        """Let time pass, here and at MailChimp."""
        self.now += timedelta(**by)
        self._clocks.enter_context(clock.set_to(self.now))
        return self.now

    # --- the house ----------------------------------------------------------------------------------------------

    def _connect(self) -> int:
        settings = {"base_url": self.mailchimp.base_url}
        filled = read_settings("mailchimp", settings, {"api_key": self.mailchimp.api_key}, allows_loopback=True)
        with self.transaction() as session:
            return create_connection(session, self.runtime.keyring, filled, name="MailChimp", actor=SYSTEM).id

    def person(self, email: str, *, permitted: bool = True, wanted: bool = True, **fields: Any) -> int:
        """Somebody with the tag the segment asks for, who ticked the newsletter."""
        with self.transaction() as session:
            tags = ["wanted"] if wanted else []
            contact_id = make_contact(session, self.runtime.keyring, email, tags=tags, **fields)
            if permitted:
                record_events(session, self.runtime.keyring, [a_grant(email)])
        self.contacts[email] = contact_id
        return contact_id

    def people(self, count: int, *, prefix: str = "p") -> list[str]:
        """Many of them, in one go."""
        emails = [f"{prefix}{number:04d}@example.org" for number in range(count)]
        with self.transaction() as session:
            for email in emails:
                self.contacts[email] = make_contact(session, self.runtime.keyring, email, tags=["wanted"])
            record_events(session, self.runtime.keyring, [a_grant(email) for email in emails])
        return emails

    def record(self, *events: NewEvent) -> None:
        with self.transaction() as session:
            record_events(session, self.runtime.keyring, list(events))

    def withdraw(self, email: str, **changes: Any) -> None:
        self.record(a_withdrawal(email, occurred_at=clock.now(), **changes))

    def segment(self, rule: dict[str, Any] | None = None, name: str = "Iedereen") -> int:
        with self.transaction() as session:
            segment = Segment(
                organisation_id=self.organisation.id,
                name=name,
                rule=TAGGED if rule is None else rule,
                created_at=NOW,
                updated_at=NOW,
            )
            session.add(segment)
            session.flush()
            return segment.id

    def audience(self, segment_id: int | None = None, **changes: Any) -> int:
        draft: dict[str, Any] = {
            "name": "Nieuwsbrieflezers",
            "segment_id": segment_id or self.segment(),
            "purpose": "newsletter",
            "connection_id": self.connection_id,
            "list_ref": self.list_id,
            "list_name": "Nieuwsbrief",
            "tag": "Zaallicht: lezers",
            "field_mapping": {"FNAME": "given_name", "LNAME": "family_name"},
        }
        with self.transaction() as session:
            return create_audience(session, AudienceDraft(**(draft | changes)), actor=SYSTEM).id

    # --- running ------------------------------------------------------------------------------------------------

    def queue(self, audience_id: int, *, dry: bool = False, confirmed: bool = True) -> int:
        with self.transaction() as session:
            return ask_run(session, audience_id, is_dry=dry, is_confirmed=confirmed, actor=SYSTEM)

    def run(
        self, audience_id: int, *, dry: bool = False, confirmed: bool = True, reached: Reached = unwatched
    ) -> AudienceRun:
        run_id = self.queue(audience_id, dry=dry, confirmed=confirmed)
        carry_out(self.runtime, self.organisation.id, run_id, reached=reached)
        return self.run_row(run_id)

    def scheduled(self, audience_id: int) -> AudienceRun:
        """A run nobody asked for."""
        with self.transaction() as session:
            run_id = request_run(session, audience_id, RunOrder(trigger="schedule"), at=clock.now())
        carry_out(self.runtime, self.organisation.id, run_id)
        return self.run_row(run_id)

    # --- looking ------------------------------------------------------------------------------------------------

    def run_row(self, run_id: int) -> AudienceRun:
        with self.transaction() as session:
            return session.get_one(AudienceRun, (self.organisation.id, run_id))

    def audience_row(self, audience_id: int) -> Audience:
        with self.transaction() as session:
            return session.get_one(Audience, (self.organisation.id, audience_id))

    def states(self, audience_id: int) -> dict[str, str]:
        """How each person of ours is known to be there; who left is not shown."""
        with self.transaction() as session:
            rows = session.execute(
                select(AudienceMember.address, AudienceMember.state).where(
                    AudienceMember.audience_id == audience_id, AudienceMember.state != "out"
                )
            )
            return {row.address: row.state for row in rows}

    def members(self, audience_id: int) -> list[AudienceMember]:
        with self.transaction() as session:
            return list(session.scalars(select(AudienceMember).where(AudienceMember.audience_id == audience_id)))

    def results(self, run: AudienceRun) -> set[tuple[str, str, str | None]]:
        with self.transaction() as session:
            rows = session.execute(
                select(AudienceRunResult.action, AudienceRunResult.outcome, AudienceRunResult.code).where(
                    AudienceRunResult.run_id == run.id
                )
            )
            return {(row.action, row.outcome, row.code) for row in rows}

    def is_mailable(self, email: str, purpose: str = "newsletter") -> bool:
        with self.transaction() as session:
            found = session.scalars(
                select(contactable.c.contact_id).where(
                    contactable.c.contact_id == self.contacts[email],
                    contactable.c.purpose == purpose,
                    contactable.c.is_deliverable,
                )
            ).first()
            return found is not None

    def tagged(self, tag: str = "Zaallicht: lezers") -> set[str]:
        return self.mailchimp.tags(list_id=self.list_id).get(tag, set())

    def pushes(self) -> int:
        """How many people were handed over so far."""
        return self.mailchimp.counts()["put_member"]
