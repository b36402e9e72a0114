"""Segments over REST. See docs: GET|POST /segments, GET|PUT|DELETE /segments/{id}, preview, members, changes."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NoReturn

from flask import Response
from flask.views import MethodView
from flask_babel import gettext as _
from flask_smorest import Blueprint, abort

from app.accounts import audit
from app.accounts.access import current_actor, scope
from app.accounts.organisations import current_organisation
from app.segments import definitions, membership
from app.segments.api_schemas import (
    ChangesIn,
    ChangesOut,
    CheckIn,
    CheckOut,
    ClosedPeriods,
    CountIn,
    CountOut,
    MembersIn,
    MembersOut,
    NotYetIn,
    NotYetOut,
    OverlapIn,
    OverlapOut,
    PageIn,
    PreviewIn,
    PreviewOut,
    SegmentIn,
    SegmentOut,
    SegmentPage,
)
from app.segments.building.checking import PersonChecked, check_person
from app.segments.building.counts import Counts, count_conditions
from app.segments.building.discovery import not_yet_rule
from app.segments.building.preview import preview_rule
from app.segments.closures import closed_periods, set_closed_periods
from app.segments.language.windows import ClosedPeriod
from app.segments.models import Segment
from app.segments.overlap import Overlap, compare_segments
from app.segments.problems import (
    ActivityMissingError,
    InvalidRuleError,
    NameTakenError,
    NothingInCommonError,
    SegmentError,
    SegmentInUseError,
    SegmentMissingError,
    TooSlowError,
)
from app.ui import request_scope
from app.ui.errors import problem

# A segment is evaluated at once when it is saved, if that is quick; else the heartbeat does it.
AT_ONCE_S = 10.0

blueprint = Blueprint(
    "segments_api", __name__, description="Segments: rules, who they hold for, and who came and went."
)


@blueprint.errorhandler(SegmentError)
def refuse(error: SegmentError) -> Response:  # noqa: PLR0911 (one return per error)
    """Say what is wrong with a rule or a request, where, and how to mend it."""
    match error:
        case InvalidRuleError():
            errors = {f"rule.{path}" if path != "rule" else path: text for path, text in error.by_field(_).items()}
            return problem(422, _("The rule is not right yet"), errors=errors)
        case SegmentMissingError():
            return problem(404, _("There is no such segment"))
        case NameTakenError():
            return problem(
                409, _("That name is taken"), errors={"name": [_("There is already a segment with this name.")]}
            )
        case SegmentInUseError(users=users):
            used = ", ".join(f"{kind} {number}" for kind, number in users)
            return problem(409, _("The segment is in use"), detail=_("It is used by: %(users)s.", users=used))
        case ActivityMissingError():
            return problem(404, _("There is no such activity"))
        case NothingInCommonError():
            text = _("This activity has no genre, series or venue, so nothing says who would like it. Add one of them.")
            return problem(422, _("There is nothing to go by"), errors={"activity": [text]})
        case TooSlowError():
            return problem(503, _("This takes too long right now"), detail=_("Make the rule narrower, or try again."))
        case _:
            return problem(400, _("That is not possible"))


@blueprint.route("/segments")
class Segments(MethodView):
    @scope("segments:read")
    @blueprint.arguments(PageIn, location="query")
    @blueprint.response(200, SegmentPage)
    def get(self, paging: dict[str, Any]) -> dict[str, Any]:
        """List segments in the order in which they were made."""
        after = _id_after(paging["cursor"])
        found = definitions.list_segments(request_scope.session(), after=after, limit=paging["limit"])
        return {"items": found, "next": _next_cursor(found, paging["limit"], lambda last: [last.id])}

    @scope("segments:write")
    @blueprint.arguments(SegmentIn)
    @blueprint.response(201, SegmentOut)
    def post(self, given: dict[str, Any]) -> Segment:
        """Make a segment; its members are known at once unless that takes long."""
        session = request_scope.session()
        segment = definitions.create_segment(session, **given)
        audit.record(session, current_actor(), "segments.create", subject=("segment", segment.id))
        return _evaluated(segment)


@blueprint.route("/segments/<int:segment_id>")
class OneSegment(MethodView):
    @scope("segments:read")
    @blueprint.response(200, SegmentOut)
    def get(self, segment_id: int) -> Segment:
        """Give a segment."""
        return definitions.find_segment(request_scope.session(), segment_id)

    @scope("segments:write")
    @blueprint.arguments(SegmentIn)
    @blueprint.response(200, SegmentOut)
    def put(self, given: dict[str, Any], segment_id: int) -> Segment:
        """Change a segment."""
        session = request_scope.session()
        segment = definitions.update_segment(session, segment_id, **given)
        audit.record(session, current_actor(), "segments.update", subject=("segment", segment.id))
        return _evaluated(segment)

    @scope("segments:write")
    @blueprint.response(204)
    def delete(self, segment_id: int) -> None:
        """Remove a segment that nothing uses."""
        session = request_scope.session()
        definitions.delete_segment(session, segment_id)
        audit.record(session, current_actor(), "segments.delete", subject=("segment", segment_id))


@blueprint.route("/segments/preview", methods=["POST"])
@scope("segments:read")
@blueprint.arguments(PreviewIn)
@blueprint.response(200, PreviewOut)
def preview(given: dict[str, Any]) -> dict[str, Any]:
    """Evaluate a rule without keeping anything; ``left_out`` says whom its exclusions take away, and why."""
    session = request_scope.session()
    purposes = definitions.list_purposes(session)
    if given["purpose"] not in purposes:
        known = ", ".join(purposes)
        text = _("There is no purpose “%(code)s”. Choose one of %(known)s.", code=given["purpose"], known=known)
        _refuse("purpose", text)
    language = given["language"] or current_organisation(session).language
    shown = preview_rule(session, given["rule"], at=given["at"], purpose=given["purpose"], language=language)
    fields = ("count", "of", "as_of", "purpose", "funnel", "sample", "told", "left_out")
    return {name: getattr(shown, name) for name in fields}


@blueprint.route("/segments/counts", methods=["POST"])
@scope("segments:read")
@blueprint.arguments(CountIn)
@blueprint.response(200, CountOut)
def counts(given: dict[str, Any]) -> Counts:
    """Count each condition of a rule by itself and each step of its groups, without keeping anything."""
    return count_conditions(request_scope.session(), given["rule"], at=given["at"])


@blueprint.route("/segments/check", methods=["POST"])
@scope("segments:read")
@blueprint.arguments(CheckIn)
@blueprint.response(200, CheckOut)
def check(given: dict[str, Any]) -> PersonChecked:
    """Say of one contact whether a rule holds, and of each condition too."""
    answer = check_person(
        request_scope.session(),
        given["rule"],
        contact_id=given["contact_id"],
        at=given["at"],
        language=given["language"] or current_organisation(request_scope.session()).language,
    )
    if answer is None:
        _refuse("contact_id", _("There is no contact with this id."))
    return answer


@blueprint.route("/segments/<int:segment_id>/members")
@scope("segments:read")
@blueprint.arguments(MembersIn, location="query")
@blueprint.response(200, MembersOut)
def members(paging: dict[str, Any], segment_id: int) -> dict[str, Any]:
    """List members by contact id, now or on a day."""
    session = request_scope.session()
    segment = definitions.find_segment(session, segment_id)
    after, limit, day = _id_after(paging["cursor"]), paging["limit"], paging["at"]
    if day is None:
        found, is_remembered = membership.members_now(session, segment_id, after=after, limit=limit), True
    else:
        found, is_remembered = membership.members_on(session, segment, day, after=after, limit=limit)
    return {
        "items": found,
        "next": _next_cursor(found, limit, lambda last: [last.contact_id]),
        "basis": "remembered" if is_remembered else "evaluated",
    }


@blueprint.route("/segments/<int:segment_id>/changes")
@scope("segments:read")
@blueprint.arguments(ChangesIn, location="query")
@blueprint.response(200, ChangesOut)
def changes(paging: dict[str, Any], segment_id: int) -> dict[str, Any]:
    """List entries and exits, oldest first."""
    session = request_scope.session()
    definitions.find_segment(session, segment_id)
    after = _position(paging["cursor"], str, int, str)
    found = membership.changes_since(
        session,
        segment_id,
        since=paging["since"],
        after=(datetime.fromisoformat(after[0]), after[1], after[2]) if after else None,
        limit=paging["limit"],
    )
    last = _next_cursor(found, paging["limit"], lambda one: [one.at.isoformat(), one.contact_id, one.kind])
    return {"items": found, "next": last}


@blueprint.route("/segments/<int:segment_id>/overlap")
@scope("segments:read")
@blueprint.arguments(OverlapIn, location="query")
@blueprint.response(200, OverlapOut)
def overlap(given: dict[str, Any], segment_id: int) -> Overlap:
    """Compare two segments today: how many are in both, in only this one (a), in only the other (b), in neither."""
    return compare_segments(request_scope.session(), segment_id, given["other"])


@blueprint.route("/segments/not-yet")
@scope("segments:read")
@blueprint.arguments(NotYetIn, location="query")
@blueprint.response(200, NotYetOut)
def not_yet(given: dict[str, Any]) -> dict[str, Any]:
    """Propose a rule: people who would like an activity and have no place for it yet."""
    return {"rule": not_yet_rule(request_scope.session(), given["activity"])}


@blueprint.route("/closed-periods")
class ClosedDays(MethodView):
    """When the house was closed: windows that say so (``skip_closed``) do not count those days."""

    @scope("segments:read")
    @blueprint.response(200, ClosedPeriods)
    def get(self) -> dict[str, Any]:
        """List the closed periods, in order."""
        return {"items": closed_periods(request_scope.session())}

    @scope("segments:write")
    @blueprint.arguments(ClosedPeriods)
    @blueprint.response(200, ClosedPeriods)
    def put(self, given: dict[str, Any]) -> dict[str, Any]:
        """Keep these periods instead; those that overlap or touch become one."""
        session = request_scope.session()
        kept = set_closed_periods(session, [ClosedPeriod(**one) for one in given["items"]])
        audit.record(session, current_actor(), "segments.closures", details={"periods": len(kept)})
        return {"items": kept}


def _evaluated(segment: Segment) -> Segment:
    """Know the members at once where that is quick; else the heartbeat finds them."""
    with suppress(TooSlowError):
        membership.evaluate_segment(request_scope.session(), segment.id, seconds=AT_ONCE_S)
    return segment


def _next_cursor(found: Sequence[Any], limit: int, position: Callable[[Any], list[Any]]) -> str | None:
    """An opaque cursor behind the last of a full page, or None where there is no more."""
    if len(found) < limit:
        return None
    return base64.urlsafe_b64encode(json.dumps(position(found[-1])).encode()).decode()


def _id_after(cursor: str | None) -> int:
    position = _position(cursor, int)
    return int(position[0]) if position else 0


def _position(cursor: str | None, *kinds: type) -> list[Any] | None:
    """What a cursor of ours holds, or None without one; answers 422 to anything else."""
    if cursor is None:
        return None
    try:
        position = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if [type(part) for part in position] == list(kinds):
            if kinds[0] is str:
                datetime.fromisoformat(position[0])
            return list(position)
    except (ValueError, TypeError, binascii.Error):
        pass
    return _refuse("cursor", _("This is not a cursor of ours. Start again without one."))


def _refuse(field: str, sentence: str) -> NoReturn:
    abort(422, errors={field: [sentence]})
    raise AssertionError("abort has raised")
