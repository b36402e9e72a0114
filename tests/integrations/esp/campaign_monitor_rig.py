"""Campaign Monitor on its stand-in, for the tests of the connector."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import timedelta

from integrations.base import MemberStatus
from integrations.esp.campaign_monitor import CampaignMonitor
from integrations.esp.campaign_monitor_client import PACE
from tests.standins.campaign_monitor import CampaignMonitorStandIn, Fault

IMPATIENT = replace(PACE, sleep=lambda _: None, random=lambda: 0.5, read_timeout_s=20.0)
HASTY = replace(IMPATIENT, read_timeout_s=0.3)  # only where nothing will come: a busy machine is no silent vendor
WORDS = {
    MemberStatus.SUBSCRIBED: "Active",
    MemberStatus.PENDING: "Unconfirmed",
    MemberStatus.UNSUBSCRIBED: "Unsubscribed",
    MemberStatus.CLEANED: "Bounced",
    MemberStatus.ARCHIVED: "Deleted",
}
STATUSES = {word: status for status, word in WORDS.items()}


class CampaignMonitorRig:
    """Campaign Monitor on its stand-in, in the suite's words."""

    statuses = frozenset(WORDS)
    has_forgotten = False
    upserts_at_once = 1
    filter_grain = timedelta(days=2)

    def __init__(self, standin: CampaignMonitorStandIn) -> None:
        self.standin = standin
        self.list_id = standin.add_list("Nieuwsbrief")
        self.confirming_list_id = standin.add_list("Genodigden", double_opt_in=True)
        self.account_name = standin.account_name
        self.destination = self.open(standin.api_key)
        self.stranger = self.open("wrong")
        self.secrets: Collection[str] = [standin.api_key]

    def open(self, api_key: str) -> CampaignMonitor:
        return CampaignMonitor(api_key, self.standin.client_id, base_url=self.standin.base_url, pace=IMPATIENT)

    def close(self) -> None:
        self.destination.close()
        self.stranger.close()

    def add(self, email: str, status: MemberStatus) -> None:
        self.standin.add_person(email, WORDS[status], list_id=self.list_id)

    def opt_out_by_admin(self, email: str) -> None:
        self.standin.unsubscribe_by_person(email, list_id=self.list_id)

    def forget(self, email: str) -> None:
        self.standin.forget(email, list_id=self.list_id)

    def status(self, email: str, *, list_id: str | None = None) -> MemberStatus:
        word = self.standin.state(email, list_id=list_id or self.list_id)
        return STATUSES[word] if word else MemberStatus.ABSENT

    def calls_to_tag(self, people: int) -> int:
        """The newest are read a page a call while that pays, and told a thousand a call."""
        chunks = -(-people // 1_000)
        return chunks + chunks

    def be_busy(self, times: int) -> None:
        self.standin.fail_next(Fault.THROTTLED, times=times)

    def break_down(self, times: int) -> None:
        self.standin.fail_next(Fault.SERVER_ERROR, times=times)

    def go_silent_after_effect(self) -> None:
        self.hang(Fault.HANG_AFTER, kind=None)

    def hang(self, fault: Fault, *, kind: str | None, times: int = 1) -> None:
        """Let the next requests go unanswered, and the connector wait only shortly."""
        self.destination._client.caller.pace = HASTY
        self.standin.fail_next(fault, times=times, kind=kind)

    def recover(self) -> None:
        self.destination._client.caller.pace = IMPATIENT
        self.standin.recover()

    def requests_made(self) -> int:
        return len(self.standin.requests)

    def peak(self) -> int:
        return self.standin.in_flight_peak

    text_tag = "Voornaam"
    push_kind = "import"

    def text_of(self, email: str) -> str:
        person = self.standin.person(email, list_id=self.list_id)
        assert person is not None
        (value,) = person.fields[self.text_tag]
        return value

    def emails(self) -> Collection[str]:
        return self.standin.emails(list_id=self.list_id)

    def change_address(self, old: str, new: str) -> None:
        self.standin.change_address(old, new, list_id=self.list_id)

    def opt_out_by_person(self, email: str) -> None:
        self.standin.unsubscribe_by_person(email, list_id=self.list_id)

    def before_each_push(self, action: Callable[[], None]) -> None:
        self.standin.before_each(self.push_kind, lambda _request: action())

    def answer_html(self, times: int) -> None:
        self.standin.fail_next(Fault.BAD_GATEWAY, times=times)

    def deliveries(self) -> list[tuple[str, bytes]]:
        return [(one.url, one.body) for one in self.standin.take_deliveries()]

    def wait_for_company(self, size: int) -> None:
        self.standin.answer_in_company("import", size)
