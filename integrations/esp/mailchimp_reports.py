"""What became of MailChimp's campaigns: recipients, clicks, bounces, unsubscribes and complaints.

Read from the reports (``/reports/{id}/sent-to``, ``email-activity``, ``unsubscribed``, ``abuse-reports``; the vendor's
specification 3.0.85). Each is paged by offset over a listing that only grows while it is read; rows of people who were
deleted meanwhile move the rest up, so every page begins with the last row of the one before. Only activity can be asked
"since" an instant. The IP addresses that are told are never asked for, and opens are dropped as they come in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from mailchimp_marketing.api.reports_api import ReportsApi

from integrations.base import Happening, HappeningsPage, MailHappening, SentCampaign, Transient
from integrations.esp.mailchimp_changes import whole_second
from integrations.esp.mailchimp_client import MendedApiClient

PAGE_SIZE = 1_000
# The report's numbers and its listings are not written at one moment, and clicks are told late.
OVERLAP = timedelta(days=1)
PARTS = ("sent_to", "activity", "unsubscribed", "complained")
STEPS_BACK_MAX = 100
_REPORT = ("id", "campaign_title", "subject_line", "list_id", "send_time", "emails_sent", "unsubscribed")
_REPORT_FIELDS = [
    *(f"reports.{name}" for name in _REPORT),
    *("reports.abuse_reports", "reports.bounces", "reports.clicks.clicks_total", "total_items"),
]

Row = Mapping[str, Any]
# A page of a part from an offset on: its rows.
FetchRows = Callable[[int], Sequence[Row]]


class MailChimpReports:
    """The ``Reporter`` half of the connector, on the same client."""

    def __init__(self, client: MendedApiClient) -> None:
        self._reports = ReportsApi(client)

    def campaigns(self, since: datetime) -> Iterator[SentCampaign]:
        """Yield what was sent since then, oldest first: a call for every thousand campaigns.

        One that is sent while we read moves the others; it is met at the next reading, as its numbers are new.
        """
        found: dict[str, SentCampaign] = {}
        offset = 0
        while True:
            page = self._reports.get_all_campaign_reports(
                fields=_REPORT_FIELDS, count=PAGE_SIZE, offset=offset, since_send_time=whole_second(since).isoformat()
            )
            rows = page.get("reports", [])
            for campaign in filter(None, map(_campaign_of, rows)):
                found[campaign.external_id] = campaign
            offset += len(rows)
            if not rows or offset >= int(page.get("total_items", 0)):
                break
        yield from sorted(found.values(), key=lambda one: (one.sent_at, one.external_id))

    def happenings(
        self, campaign: SentCampaign, cursor: Mapping[str, Any], *, at: datetime
    ) -> Iterator[HappeningsPage]:
        """Yield what became of a campaign; see ``Reporter``. A part whose number did not change is not read again."""
        state = _begun(cursor, at=at)
        for part in PARTS[PARTS.index(state["part"]) :]:
            if _is_unchanged(campaign, part, state):
                continue
            for rows, offset in _pages(self._fetch(campaign, part, state), _offset_in(state, part)):
                happened = tuple(each for row in rows for each in _READ[part](row, campaign))
                yield HappeningsPage({**state, "part": part, "offset": offset}, happened)
        yield HappeningsPage({"since": state["began"], "told": dict(campaign.numbers)})

    def _fetch(self, campaign: SentCampaign, part: str, state: Mapping[str, Any]) -> FetchRows:
        calls: Mapping[str, tuple[Callable[..., Any], str, tuple[str, ...]]] = {
            "sent_to": (self._reports.get_campaign_recipients, "sent_to", ("email_address", "status", "list_id")),
            "activity": (
                self._reports.get_email_activity_for_campaign,
                "emails",
                (
                    *("email_address", "list_id", "activity.action", "activity.type"),
                    *("activity.timestamp", "activity.url"),
                ),
            ),
            "unsubscribed": (
                self._reports.get_unsubscribed_list_for_campaign,
                "unsubscribes",
                ("email_address", "list_id", "timestamp"),
            ),
            "complained": (
                self._reports.get_campaign_abuse_reports,
                "abuse_reports",
                ("email_address", "list_id", "date"),
            ),
        }
        call, name, fields = calls[part]
        since = _since(state) if part == "activity" else None
        asked: dict[str, Any] = {"fields": [f"{name}.{field}" for field in fields]}
        # The vendor's own description gives abuse reports neither a count nor an offset: they come whole.
        is_paged = part != "complained"

        def fetch(offset: int) -> Sequence[Row]:
            paging = {"count": PAGE_SIZE, "offset": offset} if is_paged else {}
            told = call(campaign.external_id, **asked, **paging, **({"since": since} if since else {}))
            rows = told.get(name, []) if isinstance(told, dict) else None
            if not isinstance(rows, list):
                raise Transient("unexpected_answer", hint="not a list")
            return rows if is_paged else rows[: PAGE_SIZE - 1]

        return fetch


def _pages(fetch: FetchRows, offset: int) -> Iterator[tuple[Sequence[Row], int]]:
    """Yield each page with the offset behind it. Where a page does not begin with the row that the one before ended
    with, somebody in front was taken out, and it is read again from a page further back; so it is after a kill."""
    offset, edge, steps_back = max(0, offset - PAGE_SIZE), "", 0
    while True:
        rows = fetch(offset)
        if edge and (not rows or _address(rows[0]) != edge):
            steps_back += 1
            if steps_back > STEPS_BACK_MAX:
                raise Transient("list_moves", hint="the report changes faster than it can be read")
            offset, edge = max(0, offset - PAGE_SIZE), ""
            continue
        if len(rows) > (1 if edge else 0):
            yield rows[1 if edge else 0 :], offset + len(rows)
        if len(rows) < PAGE_SIZE:
            return
        offset, edge = offset + len(rows) - 1, _address(rows[-1])


def _begun(cursor: Mapping[str, Any], *, at: datetime) -> dict[str, Any]:
    """Where a reading stands: resumed where a page's cursor says so, else at its beginning."""
    if "part" in cursor:
        return dict(cursor)
    kept = {name: cursor[name] for name in ("since", "told") if name in cursor}
    return {**kept, "began": whole_second(at).isoformat(), "part": PARTS[0], "offset": 0}


def _offset_in(state: Mapping[str, Any], part: str) -> int:
    return int(state["offset"]) if state["part"] == part else 0


def _since(state: Mapping[str, Any]) -> str | None:
    since = state.get("since")
    return (datetime.fromisoformat(since) - OVERLAP).isoformat() if since else None


def _is_unchanged(campaign: SentCampaign, part: str, state: Mapping[str, Any]) -> bool:
    """Whether the vendor counts what it counted at the last whole reading. A bounce is told by both first parts."""
    told = state.get("told")
    if not isinstance(told, Mapping):
        return False
    names = {
        "sent_to": (Happening.DELIVERED,),
        "activity": (Happening.CLICKED, Happening.BOUNCED),
        "unsubscribed": (Happening.UNSUBSCRIBED,),
        "complained": (Happening.COMPLAINED,),
    }
    # Clicks are asked for since an instant, which costs a call where there are none.
    return part != "activity" and all(told.get(name) == campaign.numbers.get(name) for name in names[part])


def _campaign_of(row: Row) -> SentCampaign | None:
    sent_at = _instant(row.get("send_time"))
    if sent_at is None or not row.get("id"):
        return None
    bounces = row.get("bounces") if isinstance(row.get("bounces"), dict) else {}
    clicks = row.get("clicks") if isinstance(row.get("clicks"), dict) else {}
    subject = str(row.get("subject_line") or "").strip()
    return SentCampaign(
        external_id=str(row["id"]),
        name=str(row.get("campaign_title") or "").strip() or subject or str(row["id"]),
        sent_at=sent_at,
        subject=subject or None,
        list_ids=(str(row["list_id"]),) if row.get("list_id") else (),
        numbers={
            Happening.DELIVERED.value: _number(row.get("emails_sent")),
            Happening.CLICKED.value: _number((clicks or {}).get("clicks_total")),
            Happening.BOUNCED.value: sum(_number((bounces or {}).get(f"{kind}_bounces")) for kind in ("hard", "soft")),
            Happening.UNSUBSCRIBED.value: _number(row.get("unsubscribed")),
            Happening.COMPLAINED.value: _number(row.get("abuse_reports")),
        },
    )


def _sent_to(row: Row, campaign: SentCampaign) -> Iterator[MailHappening]:
    """Sent, or bounced (``hard``: for good); MailChimp tells no instant."""
    status, email = row.get("status"), _address(row)
    if not email:
        return
    what = Happening.DELIVERED if status == "sent" else Happening.BOUNCED
    yield MailHappening(email, what, campaign.sent_at, _list_of(row, campaign), is_for_good=status == "hard")


def _activity(row: Row, campaign: SentCampaign) -> Iterator[MailHappening]:
    email, done = _address(row), row.get("activity")
    for one in done if isinstance(done, list) and email else ():
        at = _instant(one.get("timestamp"))
        if at is None:
            continue
        if one.get("action") == "click":
            url, key = str(one.get("url") or ""), f"{one['timestamp']} {one.get('url') or ''}"
            yield MailHappening(email, Happening.CLICKED, at, _list_of(row, campaign), url=url or None, key=key)
        if one.get("action") == "bounce":
            is_hard = one.get("type") == "hard"
            yield MailHappening(
                email, Happening.BOUNCED, campaign.sent_at, _list_of(row, campaign), is_for_good=is_hard
            )


def _unsubscribed(row: Row, campaign: SentCampaign) -> Iterator[MailHappening]:
    if email := _address(row):
        at = _instant(row.get("timestamp")) or campaign.sent_at
        yield MailHappening(email, Happening.UNSUBSCRIBED, at, _list_of(row, campaign))


def _complained(row: Row, campaign: SentCampaign) -> Iterator[MailHappening]:
    if email := _address(row):
        at = _instant(row.get("date")) or campaign.sent_at
        yield MailHappening(email, Happening.COMPLAINED, at, _list_of(row, campaign))


_READ: Mapping[str, Callable[[Row, SentCampaign], Iterator[MailHappening]]] = {
    "sent_to": _sent_to,
    "activity": _activity,
    "unsubscribed": _unsubscribed,
    "complained": _complained,
}


def _address(row: Row) -> str:
    return str(row.get("email_address") or "")


def _list_of(row: Row, campaign: SentCampaign) -> str | None:
    return str(row.get("list_id") or "") or next(iter(campaign.list_ids), None)


def _number(told: Any) -> int:
    return told if isinstance(told, int) and told > 0 else 0


def _instant(told: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(told))
    except ValueError:
        return None
    return at if at.tzinfo else None
