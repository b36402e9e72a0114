"""MailChimp on its stand-in, for the tests of the connector."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import timedelta

from integrations.base import MemberStatus
from integrations.esp.calls import Pace
from integrations.esp.mailchimp import MailChimp
from integrations.esp.mailchimp_members import member_hash
from tests.integrations.esp.conformance import AN
from tests.standins.mailchimp import Fault, MailChimpStandIn

IMPATIENT = Pace(sleep=lambda _: None, random=lambda: 0.5, read_timeout_s=20.0, connect_timeout_s=5.0)
HASTY = replace(IMPATIENT, read_timeout_s=0.3)  # only where nothing will come: a busy machine is no silent vendor


class MailChimpRig:
    """MailChimp on its stand-in, in the suite's words."""

    statuses = frozenset(MemberStatus) - {MemberStatus.ABSENT}
    has_forgotten = True
    upserts_at_once = IMPATIENT.connections_max
    filter_grain = timedelta(seconds=1)

    def __init__(self, standin: MailChimpStandIn) -> None:
        self.standin = standin
        self.list_id = standin.add_list("Nieuwsbrief")
        self.confirming_list_id = standin.add_list("Genodigden", double_opt_in=True)
        self.account_name = standin.account_name
        self.destination = MailChimp(standin.api_key, base_url=standin.base_url, pace=IMPATIENT)
        self.stranger = MailChimp("wrong-us6", base_url=standin.base_url, pace=IMPATIENT)
        self.secrets: Collection[str] = [standin.api_key, member_hash(AN)]

    def close(self) -> None:
        self.destination.close()
        self.stranger.close()

    def add(self, email: str, status: MemberStatus) -> None:
        self.standin.add_member(email, status.value, list_id=self.list_id)

    def opt_out_by_admin(self, email: str) -> None:
        self.standin.unsubscribe_by_admin(email, list_id=self.list_id)

    def forget(self, email: str) -> None:
        self.standin.forget(email, list_id=self.list_id)

    def status(self, email: str, *, list_id: str | None = None) -> MemberStatus:
        word = self.standin.status(email, list_id=list_id or self.list_id)
        return MemberStatus.ABSENT if word == "forgotten" else MemberStatus(word)

    def calls_to_tag(self, people: int) -> int:
        return -(-people // 500)

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

    text_tag = "FNAME"
    push_kind = "put_member"

    def text_of(self, email: str) -> str:
        return str(self.standin.fields(email, list_id=self.list_id)["FNAME"])

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
        self.standin.answer_in_company("put_member", size)
