"""What became of Campaign Monitor's campaigns: recipients, clicks, bounces, unsubscribes and complaints.

Read from ``/campaigns/{id}/recipients|clicks|bounces|unsubscribes|spam`` (API v3.3, as the vendor's own client calls
them). All but the recipients can be asked from a day on, in the account's zone; they are paged by number over listings
that grow at their end, and read with the same walk as lists. Opens are not read, and IP addresses and places are
dropped as they come in. Whether a person or a machine clicked, Campaign Monitor does not tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from functools import partial
from itertools import islice
from typing import Any

from integrations.base import Happening, HappeningsPage, MailHappening, SentCampaign
from integrations.esp.campaign_monitor_changes import Row, first_day, walk
from integrations.esp.campaign_monitor_client import Client, Page, Refusal, local_instant

PAGE_ROWS = 1_000
CAMPAIGNS_PAGE = 1_000
# Which listing tells what, in the order of reading.
PARTS: Mapping[str, Happening] = {
    "recipients": Happening.DELIVERED,
    "clicks": Happening.CLICKED,
    "bounces": Happening.BOUNCED,
    "unsubscribes": Happening.UNSUBSCRIBED,
    "spam": Happening.COMPLAINED,
}
SUMMARY: Mapping[str, Happening] = {
    "Recipients": Happening.DELIVERED,
    "Clicks": Happening.CLICKED,
    "Bounced": Happening.BOUNCED,
    "Unsubscribed": Happening.UNSUBSCRIBED,
    "SpamComplaints": Happening.COMPLAINED,
}
# Somebody may follow several links in one second.
CLICK_TOLD_BY = ("EmailAddress", "Date", "URL")
TOLD_BY = ("EmailAddress", "Date")


def sent_campaigns(client: Client, client_id: str, since: datetime) -> Iterator[SentCampaign]:
    """Yield what was sent since then, oldest first: a call, and one more for each campaign's numbers."""
    zone = client.zone()
    number = 1
    while True:
        asked = {"sentfromdate": first_day(since, zone).isoformat(), "senttodate": "", "tags": ""}
        page = client.get_page(
            "clients", client_id, "campaigns", page=number, pagesize=CAMPAIGNS_PAGE, orderdirection="asc", **asked
        )
        for row in page.rows:
            campaign = _campaign_of(client, row, zone)
            if campaign is not None and campaign.sent_at >= since:
                yield campaign
        if number >= page.pages or not page.rows:
            return
        number += 1


def read_happenings(
    client: Client, campaign: SentCampaign, cursor: Mapping[str, Any], *, at: datetime
) -> Iterator[HappeningsPage]:
    """Yield what became of a campaign; see ``Reporter``. A listing whose number did not change is not read again.

    A page's cursor resumes at the beginning of its listing: nothing tells a place in one that moves.
    """
    state = _begun(cursor, at=at)
    zone = client.zone()
    parts = list(PARTS)
    for part in parts[parts.index(state["part"]) :]:
        if _is_unchanged(campaign, part, state):
            continue
        state = {**state, "part": part}
        rows = _rows(client, campaign, part, since=_since(state), zone=zone)
        while batch := list(islice(rows, PAGE_ROWS)):
            told = (_happening(row, part, campaign, zone) for row in batch)
            yield HappeningsPage(state, tuple(each for each in told if each is not None))
    yield HappeningsPage({"since": state["began"], "told": dict(campaign.numbers)})


def _rows(
    client: Client, campaign: SentCampaign, part: str, *, since: datetime | None, zone: timezone | None
) -> Iterator[Row]:
    has_dates = part != "recipients"
    day = first_day(since, zone).isoformat() if since and has_dates else ""
    asked = {"date": day, "orderfield": "date"} if has_dates else {"orderfield": "email"}
    fetch = partial(_page, client, (campaign.external_id, part), asked)
    return walk(fetch, told_by=CLICK_TOLD_BY if part == "clicks" else TOLD_BY)


def _page(client: Client, place: tuple[str, str], asked: Mapping[str, str], page: int, size: int) -> Page:
    return client.get_page("campaigns", *place, page=page, pagesize=size, orderdirection="asc", **asked)


def _begun(cursor: Mapping[str, Any], *, at: datetime) -> dict[str, Any]:
    if "part" in cursor:
        return dict(cursor)
    kept = {name: cursor[name] for name in ("since", "told") if name in cursor}
    return {**kept, "began": at.isoformat(timespec="seconds"), "part": next(iter(PARTS))}


def _since(state: Mapping[str, Any]) -> datetime | None:
    return datetime.fromisoformat(state["since"]) if state.get("since") else None


def _is_unchanged(campaign: SentCampaign, part: str, state: Mapping[str, Any]) -> bool:
    """Clicks are always asked for: the vendor counts people there, and one may click a second time."""
    told = state.get("told")
    name = PARTS[part]
    return part != "clicks" and isinstance(told, Mapping) and told.get(name) == campaign.numbers.get(name)


def _campaign_of(client: Client, row: Row, zone: timezone | None) -> SentCampaign | None:
    """A campaign with its numbers; None where it was deleted meanwhile, or has no date."""
    campaign_id, sent_at = str(row.get("CampaignID") or ""), _instant(row.get("SentDate"), zone)
    if not campaign_id or sent_at is None:
        return None
    try:
        summary = client.get("campaigns", campaign_id, "summary")
    except Refusal as refusal:
        if refusal.code != "not_found":
            raise
        return None
    subject = str(row.get("Subject") or "").strip()
    return SentCampaign(
        external_id=campaign_id,
        name=str(row.get("Name") or "").strip() or subject or campaign_id,
        sent_at=sent_at,
        subject=subject or None,
        numbers={what.value: _number(summary.get(name)) for name, what in SUMMARY.items()},
    )


def _happening(row: Row, part: str, campaign: SentCampaign, zone: timezone | None) -> MailHappening | None:
    what, email = PARTS[part], str(row.get("EmailAddress") or "")
    list_id = str(row.get("ListID") or "") or None
    if what is Happening.DELIVERED:
        return MailHappening(email, what, campaign.sent_at, list_id)
    at = _instant(row.get("Date"), zone)
    if at is None:
        return None
    if what is Happening.CLICKED:
        url = str(row.get("URL") or "")
        return MailHappening(email, what, at, list_id, url=url or None, key=f"{row['Date']} {url}")
    is_for_good = what is Happening.BOUNCED and str(row.get("BounceType")) == "Hard"
    return MailHappening(email, what, at, list_id, is_for_good=is_for_good)


def _instant(told: Any, zone: timezone | None) -> datetime | None:
    """A date of the account's; where its zone is not told, as if in UTC: hours off, and the same at every reading."""
    return local_instant(told, zone or timezone(timedelta(0)))


def _number(told: Any) -> int:
    return told if isinstance(told, int) and told > 0 else 0
