"""Pages of what mailings brought about: the report, the people behind its numbers, and mailings side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from werkzeug.wrappers import Response

from app import clock
from app.accounts import audit
from app.accounts.access import current_actor, requires
from app.mailings.effect import words_for_pages as words
from app.mailings.effect.file_pages import made_file, people_file, sent_file
from app.mailings.effect.keeping import remark_on
from app.mailings.effect.people import PAGE, STEPS, Person, everybody_at, people_at
from app.mailings.effect.reports import COMPARE_MAX, DAYS_MAX, Report, read_report, read_reports
from app.mailings.models import Mailing
from app.mailings.problems import UnknownMailing
from app.segments.models import Segment
from app.ui import request_scope

WINDOWS = (7, 14, 30, 60, 90)

blueprint = Blueprint("mailing_report", __name__, url_prefix="/mailings", template_folder="../templates")


@blueprint.get("/<int:mailing_id>/report")
@requires("viewer")
def show(mailing_id: int) -> str:
    """What a mailing brought about; with ``days`` counted over another window than its own."""
    report = _report(mailing_id, days=_days_asked())
    return render_template(
        "effect/report.html",
        report=report,
        figures=report.figures,
        funnel=report.figures.funnel,
        windows=sorted({*WINDOWS, report.mailing.effect_days, report.figures.days}),
        names=_segment_names(report),
        started_at=_instant(report.figures.started_at),
        closes_at=_instant(report.figures.closes_at),
        measured_at=_instant(report.figures.measured_at),
        others=_others(report.mailing),
        days_of=[(datetime.fromisoformat(each.at), each) for each in report.figures.dates],
        words=words,
        step_url=_step_url(report),
    )


@blueprint.post("/<int:mailing_id>/report/window")
@requires("marketer")
def change_window(mailing_id: int) -> Response:
    """Keep another number of days in which bookings count for a mailing."""
    mailing = _mailing(mailing_id)
    days = _days_asked() or mailing.effect_days
    if days != mailing.effect_days:
        mailing.effect_days, mailing.updated_at = days, clock.now()
        audit.record(
            request_scope.session(),
            current_actor(),
            "mailings.changed_window",
            subject=("mailing", mailing_id),
            details={"days": days},
        )
        flash(_("From now on bookings count for %(days)s days.", days=days), "success")
    return redirect(url_for("mailing_report.show", mailing_id=mailing_id))


@blueprint.post("/<int:mailing_id>/report/remark")
@requires("marketer")
def remark(mailing_id: int) -> Response:
    """Keep one line about the results; an empty one takes it away."""
    try:
        remark_on(request_scope.session(), mailing_id, request.form.get("remark", ""), actor=current_actor())
    except UnknownMailing:
        abort(404)
    flash(_("Your remark is saved."), "success")
    return redirect(url_for("mailing_report.show", mailing_id=mailing_id, _anchor="remark"))


@blueprint.get("/<int:mailing_id>/report/people")
@requires("viewer")
def people(mailing_id: int) -> str:
    """The people behind a number, a page at a time."""
    report, (step, value) = _report(mailing_id, days=_days_asked()), _step_asked()
    after = request.args.get("after", default=0, type=int)
    found = people_at(
        request_scope.session(),
        report.mailing,
        step,
        value=value,
        days=report.figures.days,
        at=clock.now(),
        after=max(after, 0),
        limit=PAGE + 1,
    )
    return render_template(
        "effect/people.html",
        report=report,
        step=step,
        value=value,
        title=_step_told(report, step, value),
        people=found[:PAGE],
        next_after=found[PAGE - 1].contact_id if len(found) > PAGE else None,
        is_first=after <= 0,
        with_money=step in {"booked", "activity", "series"},
    )


@blueprint.post("/<int:mailing_id>/report/people/export")
@requires("marketer")
def export_people(mailing_id: int) -> Response:
    """The people behind a number as a file; who took it is kept in the audit trail."""
    report, (step, value) = _report(mailing_id, days=_days_asked()), _step_asked()
    everybody = everybody_at(
        request_scope.session(), report.mailing, step, value=value, days=report.figures.days, at=clock.now()
    )
    counted = _Counted(everybody)
    file = people_file(counted)
    details = {"contacts": counted.count, "step": step}
    audit.record(
        request_scope.session(),
        current_actor(),
        "mailings.exported_people",
        subject=("mailing", mailing_id),
        details=details,
    )
    return sent_file(file, f"{report.mailing.name[:60]} {step}")


@blueprint.get("/<int:mailing_id>/report.csv")
@requires("viewer")
def figures_file(mailing_id: int) -> Response:
    """The figures of a report as a file; numbers only, nobody's name."""
    report = _report(mailing_id, days=_days_asked())
    return sent_file(
        made_file([_("Part"), _("Name"), _("People"), _("Tickets"), _("Amount")], _lines(report)), report.mailing.name
    )


@blueprint.get("/compare")
@requires("viewer")
def compare() -> str:
    """Two to five mailings side by side; without any, the choice of them."""
    session = request_scope.session()
    asked = [int(each) for each in request.args.getlist("mailing") if each.isdecimal() and len(each) < 19]
    sent = (
        select(Mailing.id, Mailing.name, Mailing.started_at)
        .where(Mailing.kind == "campaign", Mailing.started_at.is_not(None))
        .order_by(Mailing.started_at.desc())
        .limit(60)
    )
    return render_template(
        "effect/compare.html",
        reports=read_reports(session, asked[:COMPARE_MAX], at=clock.now()),
        asked=asked[:COMPARE_MAX],
        choices=session.execute(sent).all(),
        most=COMPARE_MAX,
        words=words,
        instant=_instant,
    )


# --- what the pages ask more than once ---------------------------------------------------------------------------


class _Counted:
    """Counts what goes through it."""

    def __init__(self, people: Iterable[Person]) -> None:
        self._people = people
        self.count = 0

    def __iter__(self) -> Iterator[Person]:
        for each in self._people:
            self.count += 1
            yield each


def _mailing(mailing_id: int) -> Mailing:
    session = request_scope.session()
    mailing = session.get(Mailing, (session.organisation_id, mailing_id))
    if mailing is None:
        abort(404)
    return mailing


def _report(mailing_id: int, *, days: int | None) -> Report:
    try:
        return read_report(request_scope.session(), mailing_id, at=clock.now(), days=days)
    except UnknownMailing:
        abort(404)


def _days_asked() -> int | None:
    days = request.values.get("days", type=int)
    return min(max(days, 1), DAYS_MAX) if days is not None else None


def _step_asked() -> tuple[str, str]:
    step, value = request.values.get("step", ""), request.values.get("value", "").replace("\x00", "")
    if step not in STEPS or (STEPS[step][1] and not value):
        abort(404)
    return step, value[:400]


def _step_told(report: Report, step: str, value: str) -> str:
    told = str(_(words.STEPS[step]))
    if not value:
        return told
    named = {
        "reason": lambda: words.reason_told(value),
        "language": lambda: str(_(words.LANGUAGES[value])) if value in words.LANGUAGES else value,
        "activity": lambda: next(
            (each.name for each in report.figures.activities if str(each.activity_id) == value), ""
        ),
        "link": lambda: next((each.url for each in report.figures.links if str(each.link_id) == value), ""),
    }.get(step)
    return f"{told}: {named() if named else value}"


def _step_url(report: Report) -> Any:
    days = report.figures.days if report.figures.days != report.mailing.effect_days else None

    def url(step: str, value: object = None) -> str:
        return url_for("mailing_report.people", mailing_id=report.mailing.id, step=step, value=value, days=days)

    return url


def _segment_names(report: Report) -> dict[str, str]:
    wanted = [int(each.code) for each in report.figures.segments]
    if not wanted:
        return {}
    rows = request_scope.session().execute(select(Segment.id, Segment.name).where(Segment.id.in_(wanted)))
    return {str(row.id): row.name for row in rows}


def _others(mailing: Mailing) -> list[int]:
    """The mailings before this one for the same purpose, to compare with at once."""
    if mailing.started_at is None:
        return []
    before = (
        select(Mailing.id)
        .where(Mailing.kind == "campaign", Mailing.purpose == mailing.purpose, Mailing.id != mailing.id)
        .where(Mailing.started_at < mailing.started_at)
        .order_by(Mailing.started_at.desc())
        .limit(2)
    )
    return list(request_scope.session().scalars(before))


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _lines(report: Report) -> Iterator[tuple[Any, ...]]:
    figures, funnel = report.figures, report.figures.funnel
    for step in ("meant", "left_out", "planned", "handed_over", "accepted", "bounced", "got"):
        yield _("People"), _(words.STEPS[step]), getattr(funnel, step), None, None
    yield _("People"), _("Let us see clicks"), funnel.measured, None, None
    for step in ("clicked", "stopped", "complained"):
        yield _("People"), _(words.STEPS[step]), getattr(funnel, step), None, None
    yield _("People"), _(words.STEPS["booked"]), funnel.booked, funnel.tickets, _money(funnel.amount)
    for title, offers in ((_("Series"), figures.series), (_("Activity"), figures.activities)):
        for offer in offers:
            yield title, offer.name, offer.people, offer.tickets, _money(offer.amount)
    for link in figures.links:
        yield _("Link"), link.url, link.people, None, None
    for code, number in figures.reasons:
        yield _("Did not get it"), words.reason_told(code), number, None, None
    yield _("Compared"), _("Meant to get it"), figures.treated.people, None, None
    yield _("Compared"), _("Of them booked"), figures.treated.hits, None, _money(figures.treated.amount)
    yield _("Compared"), _("Control group"), figures.control.people, None, None
    yield _("Compared"), _("Of the control group booked"), figures.control.hits, None, _money(figures.control.amount)


def _money(amount: float) -> Decimal:
    return Decimal(str(round(amount, 2)))
