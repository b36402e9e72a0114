"""MailChimp's campaigns on the stand-in: sending one, what people do with it, and the reports that tell of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tests.standins.loopback import LoopbackServer, Request
from tests.standins.mailchimp_account import Account, Campaign, MailList, hash_of, not_found

PAGE_SIZE = 10
LINK = "https://deproef.example/agenda"


class SendsCampaigns:
    """What a test does with campaigns; a part of ``MailChimpStandIn``."""

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
            held = self._held(list_id)
            number = hash_of(f"campaign {len(self._account.campaigns)}")[:10]
            made = Campaign(number, title, subject or title, held.id, sent_at or self._account.now())
            made.sent_to = dict.fromkeys(to, "sent")
            self._account.campaigns[number] = made
        return number

    def send_more(self, campaign_id: str, to: Sequence[str]) -> None:
        """A campaign that is sent in batches goes on."""
        with self._server.locked():
            self._account.campaigns[campaign_id].sent_to |= dict.fromkeys(to, "sent")

    def click(self, campaign_id: str, email: str, url: str = LINK, *, after: timedelta | None = None) -> None:
        """Somebody follows a link, now or so long after the campaign left."""
        self._do(campaign_id, email, "click", after, url=url)

    def open_mail(self, campaign_id: str, email: str, *, after: timedelta | None = None) -> None:
        """Somebody, or their mail program, opens it."""
        self._do(campaign_id, email, "open", after)

    def mail_bounces(self, campaign_id: str, email: str, kind: str = "hard") -> None:
        """The mail comes back; after a hard bounce MailChimp cleans the address."""
        with self._server.locked():
            campaign = self._account.campaigns[campaign_id]
            campaign.sent_to[email] = kind
        self._do(campaign_id, email, "bounce", None, type=kind)
        if kind == "hard":
            with self._server.locked():
                self._account.clean(self._account.lists[campaign.list_id], email, reason="hard")

    def unsubscribe_from(self, campaign_id: str, email: str) -> None:
        """Somebody follows the link at the bottom of the mail."""
        with self._server.locked():
            campaign = self._account.campaigns[campaign_id]
            campaign.unsubscribes[email] = self._account.now()
            self._account.opt_out(self._account.lists[campaign.list_id], email, by="person")

    def complain(self, campaign_id: str, email: str) -> None:
        """Somebody calls the mail spam."""
        with self._server.locked():
            campaign = self._account.campaigns[campaign_id]
            campaign.complaints[email] = self._account.now()
            self._account.opt_out(self._account.lists[campaign.list_id], email, by="person", reason="abuse")

    def delete_person_from_reports(self, campaign_id: str, email: str) -> None:
        """Somebody is deleted for good: their rows vanish, and the rest move up."""
        with self._server.locked():
            campaign = self._account.campaigns[campaign_id]
            campaign.sent_to.pop(email, None)
            campaign.activity.pop(email, None)

    def _do(self, campaign_id: str, email: str, action: str, after: timedelta | None, **more: str) -> None:
        with self._server.locked():
            campaign = self._account.campaigns[campaign_id]
            at = campaign.sent_at + after if after is not None else self._account.now()
            told = {"action": action, "timestamp": at.isoformat(), "ip": "192.0.2.1", **more}
            campaign.activity.setdefault(email, []).append(told)


class ReportRoutes:
    """The calls about reports; a part of ``Routes``."""

    account: Account

    def _campaign(self, request: Request) -> Campaign:
        campaign = self.account.campaigns.get(request.parts[1])
        if campaign is None:
            raise not_found()
        return campaign

    def _get_reports(self, request: Request) -> tuple[int, Any]:
        since = request.query.get("since_send_time")
        after = datetime.fromisoformat(since) if since else None
        rows = [_report_row(one) for one in self.account.campaigns.values() if after is None or one.sent_at > after]
        return 200, {"reports": page_of(rows, request), "total_items": len(rows)}

    def _get_sent_to(self, request: Request) -> tuple[int, Any]:
        campaign = self._campaign(request)
        rows = [
            {**_who(campaign, email), "status": status, "open_count": 0} for email, status in campaign.sent_to.items()
        ]
        return 200, {"sent_to": page_of(rows, request), "campaign_id": campaign.id, "total_items": len(rows)}

    def _get_activity(self, request: Request) -> tuple[int, Any]:
        """Everybody it was sent to; with ``since`` only those who did something after it, and only that."""
        campaign, since = self._campaign(request), request.query.get("since")
        after = datetime.fromisoformat(since) if since else None
        rows = []
        for email in campaign.sent_to:
            done = [
                each
                for each in campaign.activity.get(email, [])
                if after is None or datetime.fromisoformat(each["timestamp"]) > after
            ]
            if done or after is None:
                rows.append({**_who(campaign, email), "activity": done})
        return 200, {"emails": page_of(rows, request), "campaign_id": campaign.id, "total_items": len(rows)}

    def _get_unsubscribed(self, request: Request) -> tuple[int, Any]:
        campaign = self._campaign(request)
        rows = [
            {**_who(campaign, email), "timestamp": at.isoformat(), "reason": "None given"}
            for email, at in campaign.unsubscribes.items()
        ]
        return 200, {"unsubscribes": page_of(rows, request), "campaign_id": campaign.id, "total_items": len(rows)}

    def _get_abuse_reports(self, request: Request) -> tuple[int, Any]:
        campaign = self._campaign(request)
        rows = [
            {"id": number, **_who(campaign, email), "date": at.isoformat()}
            for number, (email, at) in enumerate(campaign.complaints.items())
        ]
        return 200, {"abuse_reports": rows, "campaign_id": campaign.id, "total_items": len(rows)}


def page_of(rows: list[Any], request: Request) -> list[Any]:
    """The part of a listing that was asked for."""
    offset, count = int(request.query.get("offset", 0)), int(request.query.get("count", PAGE_SIZE))
    return rows[offset : offset + count]


def _who(campaign: Campaign, email: str) -> dict[str, Any]:
    return {
        "email_id": hash_of(email),
        "email_address": email,
        "list_id": campaign.list_id,
        "campaign_id": campaign.id,
        "list_is_active": True,
    }


def _report_row(campaign: Campaign) -> dict[str, Any]:
    done = [each for one in campaign.activity.values() for each in one]
    clicks = sum(each["action"] == "click" for each in done)
    return {
        "id": campaign.id,
        "campaign_title": campaign.title,
        "type": "regular",
        "list_id": campaign.list_id,
        "subject_line": campaign.subject,
        "emails_sent": len(campaign.sent_to),
        "abuse_reports": len(campaign.complaints),
        "unsubscribed": len(campaign.unsubscribes),
        "send_time": campaign.sent_at.isoformat(),
        "bounces": {
            "hard_bounces": sum(status == "hard" for status in campaign.sent_to.values()),
            "soft_bounces": sum(status == "soft" for status in campaign.sent_to.values()),
            "syntax_errors": 0,
        },
        "clicks": {"clicks_total": clicks, "unique_clicks": clicks},
    }
