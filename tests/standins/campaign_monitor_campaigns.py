"""Campaign Monitor's campaigns on the stand-in: sending one, what people do with it, and the reports of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from tests.standins.campaign_monitor_account import Account, Campaign, MailList, Problem, folded, id_of
from tests.standins.loopback import LoopbackServer, Request

LINK = "https://deproef.example/agenda"
PLACE = {
    "IPAddress": "192.0.2.1",
    "Latitude": 50.85,
    "Longitude": 4.35,
    "City": "Brussel",
    "Region": "Brussel",
    "CountryCode": "BE",
    "CountryName": "Belgium",
}


class SendsCampaigns:
    """What a test does with campaigns; a part of ``CampaignMonitorStandIn``."""

    _account: Account
    _server: LoopbackServer

    def _held(self, list_id: str | None) -> MailList:
        raise AssertionError("the stand-in has lists")

    def send_campaign(
        self,
        title: str,
        to: Sequence[str],
        *,
        subject: str = "",
        sent_at: datetime | None = None,
        list_id: str | None = None,
    ) -> str:
        """Send a mailing to these addresses and return its id."""
        with self._server.locked():
            number = id_of(f"campaign {len(self._account.campaigns)}")
            held = self._held(list_id)
            made = Campaign(number, title, subject or title, held.id, sent_at or self._account.now(), list(to))
            self._account.campaigns[number] = made
        return number

    def send_more(self, campaign_id: str, to: Sequence[str]) -> None:
        """A campaign that is sent in batches goes on."""
        with self._server.locked():
            self._account.campaigns[campaign_id].recipients += to

    def click(self, campaign_id: str, email: str, url: str = LINK, *, after: timedelta | None = None) -> None:
        """Somebody follows a link, now or so long after the campaign left."""
        self._happens(campaign_id, "clicks", email, after, {"URL": url, **PLACE})

    def mail_bounces(self, campaign_id: str, email: str, kind: str = "hard") -> None:
        """The mail comes back; after a hard bounce the address is suppressed."""
        self._happens(campaign_id, "bounces", email, None, {"BounceType": kind.title(), "Reason": "Mailbox unknown"})
        if kind == "hard":
            with self._server.locked():
                self._account.bounce(self._list_of(campaign_id), email)

    def unsubscribe_from(self, campaign_id: str, email: str) -> None:
        """Somebody follows the link at the bottom of the mail."""
        self._happens(campaign_id, "unsubscribes", email, None, {"IPAddress": "192.0.2.1"})
        with self._server.locked():
            self._account.unsubscribe(self._list_of(campaign_id), email)

    def complain(self, campaign_id: str, email: str) -> None:
        """Somebody calls the mail spam: they are suppressed."""
        self._happens(campaign_id, "spam", email, None, {})
        with self._server.locked():
            held = self._list_of(campaign_id)
            self._account.suppress(email, "Spam complaint")
            held.people[folded(email)].state = "Unsubscribed"

    def _list_of(self, campaign_id: str) -> MailList:
        return self._account.lists[self._account.campaigns[campaign_id].list_id]

    def _happens(
        self, campaign_id: str, part: str, email: str, after: timedelta | None, more: Mapping[str, Any]
    ) -> None:
        with self._server.locked():
            campaign = self._account.campaigns[campaign_id]
            at = campaign.sent_at + after if after is not None else self._account.now()
            campaign.happened.setdefault(part, []).append((email, at, dict(more)))


class ReportRoutes:
    """The calls about campaigns; a part of ``CampaignMonitorServer``."""

    account: Account

    def _campaign(self, request: Request) -> Campaign:
        campaign = self.account.campaigns.get(parts_of(request)[1])
        if campaign is None:
            raise Problem(301, status=401)
        return campaign

    def _get_campaigns(self, request: Request) -> tuple[int, Any]:
        if parts_of(request)[1] != self.account.client_id:
            raise Problem(102, status=401)
        rows = [
            {
                "WebVersionURL": "",
                "WebVersionTextURL": "",
                "CampaignID": one.id,
                "Subject": one.subject,
                "Name": one.name,
                "FromName": "Huis De Proef",
                "FromEmail": "huis@example.org",
                "ReplyTo": "huis@example.org",
                "SentDate": self.account.told(one.sent_at),
                "TotalRecipients": len(one.recipients),
            }
            for one in self.account.campaigns.values()
        ]
        day = request.query.get("sentfromdate", "")
        rows = [row for row in rows if str(row["SentDate"])[:10] >= day]
        return 200, page_of(rows, request, order="SentDate")

    def _get_summary(self, request: Request) -> tuple[int, Any]:
        campaign = self._campaign(request)
        happened = {part: {email for email, _, _ in rows} for part, rows in campaign.happened.items()}
        nothing = dict.fromkeys(("TotalOpened", "UniqueOpened", "Mentions", "Forwards", "Likes"), 0)
        links = dict.fromkeys(("WebVersionURL", "WebVersionTextURL", "WorldviewURL"), "")
        return 200, {
            **nothing,
            **links,
            "Name": campaign.name,
            "Recipients": len(campaign.recipients),
            "Clicks": len(happened.get("clicks", ())),
            "Unsubscribed": len(happened.get("unsubscribes", ())),
            "Bounced": len(happened.get("bounces", ())),
            "SpamComplaints": len(happened.get("spam", ())),
        }

    def _get_recipients(self, request: Request) -> tuple[int, Any]:
        campaign = self._campaign(request)
        rows = [{"EmailAddress": email, "ListID": campaign.list_id} for email in campaign.recipients]
        return 200, page_of(rows, request)

    def _get_happenings(self, request: Request) -> tuple[int, Any]:
        """A listing that grows; the filter is by whole days of the account's zone."""
        campaign, part = self._campaign(request), parts_of(request)[2]
        rows = [
            {"EmailAddress": email, "ListID": campaign.list_id, "Date": self.account.told(at), **more}
            for email, at, more in campaign.happened.get(part, [])
        ]
        day = request.query.get("date", "")[:10]
        return 200, page_of([row for row in rows if str(row["Date"])[:10] >= day], request)


def parts_of(request: Request) -> list[str]:
    """The parts of a path, as they were before they were quoted."""
    return [unquote(part) for part in request.path.removesuffix(".json").strip("/").split("/")]


def page_of(rows: list[dict[str, Any]], request: Request, *, order: str | None = None) -> Mapping[str, Any]:
    """The page that was asked for, in the order that was asked for (``order``: a field, where there is no choice)."""
    query = request.query
    number, size = int(query.get("page", "1")), int(query.get("pagesize", "1000"))
    if number < 1 or not 10 <= size <= 1_000:
        raise Problem(801)
    asked, direction = query.get("orderfield", "email"), query.get("orderdirection", "asc")
    fields = {"email": "EmailAddress", "name": "Name", "date": "Date"}
    field = order or fields[asked]
    rows = sorted(rows, key=lambda row: (row[field], row.get("EmailAddress", "")), reverse=direction == "desc")
    page = rows[(number - 1) * size : number * size]
    return {
        "Results": page,
        "ResultsOrderedBy": order or asked,
        "OrderDirection": direction,
        "PageNumber": number,
        "PageSize": size,
        "RecordsOnThisPage": len(page),
        "TotalNumberOfRecords": len(rows),
        "NumberOfPages": -(-len(rows) // size),
    }
