"""A house with two mail systems, and nobody pushed anywhere: what the clearing house is for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import select

from app.accounts.audit import SYSTEM
from app.accounts.models import Organisation
from app.audiences.clearing.beat import carry_noes
from app.audiences.clearing.carrying import carry_due
from app.audiences.clearing.comparing import compare_lists
from app.consent.clearing.models import Clearance, Clearing
from app.runtime import Runtime
from app.sync.connections import create_connection, read_settings
from integrations.base import Destination
from integrations.esp.campaign_monitor import CampaignMonitor
from tests.audiences.world import IMPATIENT, NoTransactionOpen, World
from tests.standins.campaign_monitor import CampaignMonitorStandIn
from tests.standins.mailchimp import MailChimpStandIn


class ClearingWorld(World):
    """MailChimp with one list, Campaign Monitor with one, and what became of every no."""

    def __init__(
        self,
        runtime: Runtime,
        organisation: Organisation,
        mailchimp: MailChimpStandIn,
        campaign_monitor: CampaignMonitorStandIn,
    ) -> None:
        self.campaign_monitor = campaign_monitor
        super().__init__(runtime, organisation, mailchimp)
        campaign_monitor.clock = lambda: self.now
        self.second_list_id = campaign_monitor.add_list("Nieuwsbrief")
        self.second_id = self._connect_second()

    def _connect_second(self) -> int:
        standin = self.campaign_monitor
        settings = {"base_url": standin.base_url, "client_id": standin.client_id}
        filled = read_settings("campaign_monitor", settings, {"api_key": standin.api_key}, allows_loopback=True)
        with self.transaction() as session:
            return create_connection(session, self.runtime.keyring, filled, name="CM", actor=SYSTEM).id

    def open_second(self, settings: Any, secrets: Any, _allows_loopback: bool) -> Destination:
        pace = replace(IMPATIENT, read_timeout_s=10.0)
        opened = CampaignMonitor(secrets["api_key"], settings["client_id"], base_url=settings["base_url"], pace=pace)
        return NoTransactionOpen(opened, self.runtime.engine)  # type: ignore[return-value]

    def carry(self) -> int:
        """What the heartbeat does."""
        return carry_noes(self.runtime, self.organisation.id)

    def carry_to(self, connection_id: int, **options: Any) -> int:
        return carry_due(self.runtime, self.organisation.id, connection_id, **options)

    def compare(self) -> int:
        return compare_lists(self.runtime, self.organisation.id)

    def rows(self, email: str | None = None) -> list[tuple[str, str, str | None, str | None]]:
        """Each row of the clearing house in order: the system, the state, how it ended, and why it does not."""
        names = {self.connection_id: "mailchimp", self.second_id: "campaign_monitor"}
        with self.transaction() as session:
            query = select(Clearance, Clearing).join(Clearing, Clearing.id == Clearance.clearing_id)
            if email is not None:
                query = query.where(Clearing.contact_id == self.contacts[email])
            found = session.execute(query.order_by(Clearing.id, Clearance.connection_id)).all()
            return [(names[row.connection_id], row.state, row.outcome, row.failure_code) for row, _ in found]

    def clearings(self) -> list[Clearing]:
        with self.transaction() as session:
            return list(session.scalars(select(Clearing).order_by(Clearing.id)))
