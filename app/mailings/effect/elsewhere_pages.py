"""Pages of mailings that other systems sent: which there were, what each brought about, and who is behind a number."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from app import clock
from app.accounts import audit
from app.accounts.access import current_actor, requires
from app.contacts.campaigns import CampaignElsewhere
from app.mailings.effect import words_for_pages as words
from app.mailings.effect.elsewhere import (
    EFFECT_DAYS,
    STEPS,
    ElsewhereReport,
    campaigns_page,
    kept_figures,
    people_elsewhere,
    read_elsewhere,
)
from app.mailings.effect.file_pages import people_file, sent_file
from app.mailings.effect.people import PAGE
from app.ui import request_scope
from integrations.catalogue import SYSTEMS

WINDOWS = (7, 14, 30, 60, 90)
DAYS_MAX = 365
PER_PAGE = 25
EVERYBODY_AT_ONCE = 5_000

blueprint = Blueprint("mailing_elsewhere", __name__, url_prefix="/mailings/elsewhere", template_folder="../templates")


@blueprint.get("")
@requires("viewer")
def overview() -> str:
    """The mailings other systems sent, those sent last first."""
    before = _before_asked()
    found = campaigns_page(request_scope.session(), before=before, limit=PER_PAGE + 1)
    shown = found[:PER_PAGE]
    last = shown[-1] if len(found) > PER_PAGE else None
    next_url = url_for(".overview", before=last.sent_at.isoformat(), id=last.id) if last else ""
    return render_template(
        "effect/elsewhere_overview.html",
        campaigns=shown,
        figures=kept_figures(shown),
        system_named=system_named,
        next_url=next_url,
        is_first=before is None,
    )


@blueprint.get("/<int:campaign_id>")
@requires("viewer")
def show(campaign_id: int) -> str:
    """What one of them brought about, and what nobody can say."""
    report = _report(campaign_id)
    figures = report.figures
    return render_template(
        "effect/elsewhere.html",
        report=report,
        campaign=report.campaign,
        figures=figures,
        funnel=figures.funnel,
        system=system_named(report.campaign.system),
        windows=sorted({*WINDOWS, figures.days}),
        started_at=_instant(figures.started_at),
        closes_at=_instant(figures.closes_at),
        measured_at=_instant(figures.measured_at),
        days_of=[(datetime.fromisoformat(each.at), each) for each in figures.dates],
        words=words,
        step_url=_step_url(report),
    )


@blueprint.get("/<int:campaign_id>/people")
@requires("viewer")
def people(campaign_id: int) -> str:
    """The people behind a number, a page at a time."""
    report, (step, value) = _report(campaign_id), _step_asked()
    after = max(request.args.get("after", default=0, type=int), 0)
    found = people_elsewhere(
        request_scope.session(),
        report.campaign,
        step,
        value=value,
        days=report.figures.days,
        at=clock.now(),
        after=after,
        limit=PAGE + 1,
    )
    return render_template(
        "effect/elsewhere_people.html",
        report=report,
        campaign=report.campaign,
        step=step,
        value=value,
        title=_step_told(report, step, value),
        people=found[:PAGE],
        next_after=found[PAGE - 1].contact_id if len(found) > PAGE else None,
        is_first=after <= 0,
        with_money=step in {"booked", "activity", "series"},
    )


@blueprint.post("/<int:campaign_id>/people/export")
@requires("marketer")
def export_people(campaign_id: int) -> Response:
    """The people behind a number as a file; who took it is kept in the audit trail."""
    report, (step, value) = _report(campaign_id), _step_asked()
    found, after = [], 0
    while True:
        page = people_elsewhere(
            request_scope.session(),
            report.campaign,
            step,
            value=value,
            days=report.figures.days,
            at=clock.now(),
            after=after,
            limit=EVERYBODY_AT_ONCE,
        )
        found += page
        if len(page) < EVERYBODY_AT_ONCE:
            break
        after = page[-1].contact_id
    audit.record(
        request_scope.session(),
        current_actor(),
        "mailings.exported_people",
        subject=("campaign_elsewhere", campaign_id),
        details={"contacts": len(found), "step": step},
    )
    return sent_file(people_file(found), f"{report.campaign.name[:60]} {step}")


def system_named(system: str) -> str:
    """Return what people call a system; its code where it is none of the catalogue's."""
    return SYSTEMS[system].name if system in SYSTEMS else system


def _report(campaign_id: int) -> ElsewhereReport:
    days = request.values.get("days", type=int)
    asked = min(max(days, 1), DAYS_MAX) if days is not None else None
    report = read_elsewhere(request_scope.session(), campaign_id, at=clock.now(), days=asked)
    if report is None:
        abort(404)
    return report


def _before_asked() -> tuple[datetime, int] | None:
    try:
        at = datetime.fromisoformat(request.args.get("before", ""))
    except ValueError:
        return None
    return (at, request.args.get("id", default=0, type=int)) if at.tzinfo else None


def _step_asked() -> tuple[str, str]:
    step, value = request.values.get("step", ""), request.values.get("value", "").replace("\x00", "")
    if step not in STEPS or (STEPS[step][1] and not value):
        abort(404)
    return step, value[:400]


def _step_told(report: ElsewhereReport, step: str, value: str) -> str:
    told = str(_(words.STEPS[step]))
    if not value:
        return told
    figures = report.figures
    named = {
        "activity": {str(each.activity_id): each.name for each in figures.activities},
        "link": {str(each.link_id): each.url for each in figures.links},
        "language": {value: words.language_told(value)},
    }
    return f"{told}: {named.get(step, {}).get(value, value)}"


def _step_url(report: ElsewhereReport) -> Any:
    days = report.figures.days if report.figures.days != EFFECT_DAYS else None

    def url(step: str, value: object = None) -> str:
        campaign: CampaignElsewhere = report.campaign
        return url_for("mailing_elsewhere.people", campaign_id=campaign.id, step=step, value=value, days=days)

    return url


def _instant(told: str | None) -> datetime | None:
    return None if told is None else datetime.fromisoformat(told)
