"""What mailings brought about, over REST. See docs: GET /mailings/{id}/report."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask.views import MethodView
from flask_babel import gettext as _
from flask_smorest import Blueprint
from marshmallow import fields, validate
from werkzeug.wrappers import Response

from app import clock
from app.accounts.access import scope
from app.mailings.effect.proof import Difference
from app.mailings.effect.reports import DAYS_MAX, Report, read_report
from app.mailings.problems import UnknownMailing
from app.ui import request_scope
from app.ui.api_bodies import ReadableSchema
from app.ui.errors import problem

blueprint = Blueprint("mailing_report_api", __name__, description="What mailings brought about.")


class MailingReportIn(ReadableSchema):
    """Over how many days; the mailing's own window where not given."""

    days = fields.Integer(
        validate=validate.Range(1, DAYS_MAX), metadata={"description": "Days in which bookings count"}
    )


class ReportFunnelOut(ReadableSchema):
    """People at each step. ``measured``: of those who got it, who let us see clicks; clicks are of them."""

    meant = fields.Integer()
    left_out = fields.Integer()
    planned = fields.Integer()
    waiting = fields.Integer()
    handed_over = fields.Integer()
    accepted = fields.Integer()
    uncertain = fields.Integer()
    failed = fields.Integer()
    cancelled = fields.Integer()
    bounced = fields.Integer()
    got = fields.Integer()
    measured = fields.Integer()
    clicked = fields.Integer()
    open_measured = fields.Integer()
    opened = fields.Integer()
    booked = fields.Integer()
    bookings = fields.Integer()
    tickets = fields.Integer()
    amount = fields.Float()
    stopped = fields.Integer()
    complained = fields.Integer()


class ReportOfferOut(ReadableSchema):
    """What was booked of an activity or series."""

    name = fields.String()
    activity_id = fields.Integer(allow_none=True)
    starts_on = fields.String(allow_none=True)
    people = fields.Integer()
    tickets = fields.Integer()
    amount = fields.Float()


class ReportPartOut(ReadableSchema):
    """One language, variant or segment (``code``) of those who got it."""

    code = fields.String()
    got = fields.Integer()
    measured = fields.Integer()
    clicked = fields.Integer()
    booked = fields.Integer()
    amount = fields.Float()


class ReportMomentOut(ReadableSchema):
    """An hour since the start, or a local date."""

    at = fields.String()
    clicked = fields.Integer()
    bookings = fields.Integer()
    amount = fields.Float()


class ReportLinkOut(ReadableSchema):
    """A link and how many people followed it."""

    link_id = fields.Integer()
    url = fields.String()
    people = fields.Integer()


class ReportReasonOut(ReadableSchema):
    """Why so many did not get it."""

    reason = fields.String()
    people = fields.Integer()


class ReportDifferenceOut(ReadableSchema):
    """Treated less control: an estimate with its 95 % interval, and what that proves."""

    verdict = fields.String(validate=validate.OneOf(["more", "less", "no_proof", "no_control", "nobody_treated"]))
    estimate = fields.Float(allow_none=True)
    low = fields.Float(allow_none=True)
    high = fields.Float(allow_none=True)
    more_people = fields.Integer(allow_none=True)


class ReportSideOut(ReadableSchema):
    """One side of the comparison."""

    people = fields.Integer()
    households = fields.Integer()
    booked = fields.Integer()
    rate = fields.Float()
    amount_each = fields.Float()


class ReportComparisonOut(ReadableSchema):
    """Who was to get it against the control group, followed from the same moment."""

    treated = fields.Nested(ReportSideOut)
    control = fields.Nested(ReportSideOut)
    booking_rate = fields.Nested(ReportDifferenceOut)
    amount_each = fields.Nested(ReportDifferenceOut)


class ReportTestOut(ReadableSchema):
    """How a test of variants ended; ``sides`` holds people and hits of each."""

    winner = fields.String(allow_none=True)
    sides = fields.Dict(keys=fields.String(), values=fields.List(fields.Integer()))
    rest = fields.Integer()
    decided_at = fields.AwareDateTime()


class ReportAverageOut(ReadableSchema):
    """What earlier mailings for the same purpose did."""

    mailings = fields.Integer()
    click_rate = fields.Float(allow_none=True)
    booking_rate = fields.Float(allow_none=True)
    amount_each = fields.Float(allow_none=True)
    stop_rate = fields.Float(allow_none=True)


class MailingReportOut(ReadableSchema):
    """What a mailing brought about, over ``days`` days since it went. Not ``is_counted``: only how far sending is; ask
    again in a minute."""

    mailing_id = fields.Integer()
    days = fields.Integer()
    measured_at = fields.String()
    started_at = fields.String(allow_none=True)
    closes_at = fields.String(allow_none=True)
    is_closed = fields.Boolean()
    is_counted = fields.Boolean()
    funnel = fields.Nested(ReportFunnelOut)
    did_not_get_it = fields.List(fields.Nested(ReportReasonOut))
    activities = fields.List(fields.Nested(ReportOfferOut))
    series = fields.List(fields.Nested(ReportOfferOut))
    languages = fields.List(fields.Nested(ReportPartOut))
    variants = fields.List(fields.Nested(ReportPartOut))
    segments = fields.List(fields.Nested(ReportPartOut))
    hours = fields.List(fields.Nested(ReportMomentOut))
    dates = fields.List(fields.Nested(ReportMomentOut))
    links = fields.List(fields.Nested(ReportLinkOut))
    other_mailings_in_window = fields.Integer()
    comparison = fields.Nested(ReportComparisonOut)
    test = fields.Nested(ReportTestOut, allow_none=True)
    average_before = fields.Nested(ReportAverageOut, allow_none=True)
    remark = fields.String(allow_none=True)


@blueprint.errorhandler(UnknownMailing)
def refuse(_error: UnknownMailing) -> Response:
    """Say that there is no such mailing."""
    return problem(404, _("There is no such mailing"))


@blueprint.route("/mailings/<int:mailing_id>/report")
class OneReport(MethodView):
    @scope("mailings:read")
    @blueprint.arguments(MailingReportIn, location="query")
    @blueprint.response(200, MailingReportOut)
    def get(self, asked: dict[str, Any], mailing_id: int) -> dict[str, Any]:
        """Tell what a mailing brought about: who got it, clicked and booked, against the control group."""
        return answer_of(read_report(request_scope.session(), mailing_id, at=clock.now(), days=asked.get("days")))


def answer_of(report: Report) -> dict[str, Any]:
    """Return a report as the API answers it."""
    figures = report.figures
    return {
        **asdict(figures),
        "mailing_id": report.mailing.id,
        "is_closed": figures.is_closed,
        "did_not_get_it": [{"reason": code, "people": people} for code, people in figures.reasons],
        "other_mailings_in_window": figures.others_in_window,
        "comparison": {
            "treated": side_told(figures.treated),
            "control": side_told(figures.control),
            "booking_rate": _difference(report.comparison.rates),
            "amount_each": _difference(report.comparison.money),
        },
        "test": report.test,
        "average_before": report.average,
        "remark": report.remark,
    }


def side_told(side: Any) -> dict[str, Any]:
    """Return one side of a comparison as the API answers it."""
    return {
        "people": side.people,
        "households": side.households,
        "booked": side.hits,
        "rate": side.rate,
        "amount_each": side.mean,
    }


def _difference(found: Difference) -> dict[str, Any]:
    return asdict(found)
