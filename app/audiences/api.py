"""Audiences over REST: GET|POST /audiences, one of them, its runs, and running it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from flask import Response
from flask.views import MethodView
from flask_babel import gettext as _
from flask_smorest import Blueprint, abort

from app.accounts.access import current_actor, scope
from app.audiences import definitions, runs
from app.audiences.models import Audience, AudienceRun
from app.audiences.payload import FIRST_TAGS, default_mapping
from app.audiences.problems import (
    AudienceError,
    AudienceInUse,
    InvalidAudience,
    NothingToConfirm,
    NotThatState,
    UnknownAudience,
    UnknownRun,
)
from app.audiences.schemas import AudienceIn, AudienceOut, AudiencePage, PageIn, RunOut, RunPage, SyncIn
from app.audiences.wanted import count_there
from app.audiences.words import field_wording
from app.sync.connections import UnknownConnection, get_connection
from app.ui import request_scope
from app.ui.errors import problem
from app.ui.row_ids import row_id

blueprint = Blueprint(
    "audiences_api", __name__, description="Audiences: segments kept in step with a list in a mail system."
)


@blueprint.errorhandler(AudienceError)
def refuse(error: AudienceError) -> Response:  # noqa: PLR0911 (one return per error)
    """Say what is wrong, where, and how to mend it."""
    match error:
        case InvalidAudience(errors=errors):
            sentences = {name: [_(field_wording(code))] for name, code in errors.items()}
            return problem(422, _("The audience is not right yet"), errors=sentences)
        case UnknownAudience():
            return problem(404, _("There is no such audience"))
        case UnknownRun():
            return problem(404, _("There is no such run"))
        case NothingToConfirm():
            return problem(
                409,
                _("This run does not wait for anybody"),
                detail=_("It was answered already, or a later run has overtaken it. Look at the last run."),
            )
        case AudienceInUse(journeys=journeys):
            used = ", ".join(journeys)
            return problem(
                409,
                _("The audience is in use"),
                detail=_("These journeys put people in it: %(journeys)s. Change them first.", journeys=used),
            )
        case NotThatState():
            return problem(
                409,
                _("Not in this state"),
                detail=_("A paused audience only looks. Resume it first."),
            )
        case _:
            return problem(400, _("That is not possible"))


@blueprint.route("/audiences")
class Audiences(MethodView):
    @scope("audiences:read")
    @blueprint.arguments(PageIn, location="query")
    @blueprint.response(200, AudiencePage)
    def get(self, paging: dict[str, Any]) -> dict[str, Any]:
        """List audiences in the order in which they were made."""
        session = request_scope.session()
        after = _id_of(paging["cursor"]) or 0
        found = sorted(definitions.list_audiences(session), key=lambda audience: audience.id)
        page = [audience for audience in found if audience.id > after][: paging["limit"] + 1]
        is_more = len(page) > paging["limit"]
        page = page[: paging["limit"]]
        return {"items": _shown(page), "next": _cursor(page[-1].id) if is_more else None}

    @scope("audiences:write")
    @blueprint.arguments(AudienceIn)
    @blueprint.response(201, AudienceOut)
    def post(self, given: dict[str, Any]) -> dict[str, Any]:
        """Make an audience, as a draft: nothing is pushed before a run is confirmed."""
        draft = _draft(given)
        made = definitions.create_audience(request_scope.session(), draft, actor=current_actor())
        return _shown([made])[0]


@blueprint.route("/audiences/<int:audience_id>")
class OneAudience(MethodView):
    @scope("audiences:read")
    @blueprint.response(200, AudienceOut)
    def get(self, audience_id: int) -> dict[str, Any]:
        """Give an audience."""
        return _shown([definitions.find_audience(request_scope.session(), audience_id)])[0]

    @scope("audiences:write")
    @blueprint.arguments(AudienceIn)
    @blueprint.response(200, AudienceOut)
    def put(self, given: dict[str, Any], audience_id: int) -> dict[str, Any]:
        """Change name, segment, purpose, fields and brake. The list and the tag stay what they are."""
        draft = _draft(given)
        changed = definitions.change_audience(request_scope.session(), audience_id, draft, actor=current_actor())
        return _shown([changed])[0]

    @scope("audiences:write")
    @blueprint.response(204)
    def delete(self, audience_id: int) -> None:
        """Remove an audience: our tag is taken off everybody there; nobody is unsubscribed."""
        definitions.remove_audience(request_scope.session(), audience_id, actor=current_actor())


@blueprint.route("/audiences/<int:audience_id>/sync", methods=["POST"])
@scope("audiences:write")
@blueprint.arguments(SyncIn)
@blueprint.response(202, RunOut)
def sync(given: dict[str, Any], audience_id: int) -> AudienceRun:
    """Run an audience as soon as a worker is free, within seconds; look at the run for what came of it.

    A first or large push waits for a person (state ``braked``) unless ``confirm`` is given.
    """
    session = request_scope.session()
    run_id = definitions.ask_run(
        session, audience_id, is_dry=given["dry_run"], is_confirmed=given["confirm"], actor=current_actor()
    )
    return runs.find_run(session, run_id)


@blueprint.route("/audiences/<int:audience_id>/pause", methods=["POST"])
@scope("audiences:write")
@blueprint.response(200, AudienceOut)
def pause(audience_id: int) -> dict[str, Any]:
    """Stop pushing. Opt-outs keep coming home, and going there."""
    return _shown([definitions.pause_audience(request_scope.session(), audience_id, actor=current_actor())])[0]


@blueprint.route("/audiences/<int:audience_id>/resume", methods=["POST"])
@scope("audiences:write")
@blueprint.response(200, AudienceOut)
def resume(audience_id: int) -> dict[str, Any]:
    """Keep in step again."""
    return _shown([definitions.resume_audience(request_scope.session(), audience_id, actor=current_actor())])[0]


@blueprint.route("/audiences/<int:audience_id>/runs")
@scope("audiences:read")
@blueprint.arguments(PageIn, location="query")
@blueprint.response(200, RunPage)
def list_runs(paging: dict[str, Any], audience_id: int) -> dict[str, Any]:
    """List the runs of an audience, the newest first."""
    session = request_scope.session()
    definitions.find_audience(session, audience_id)
    before = _id_of(paging["cursor"])
    found = list(runs.runs_of(session, audience_id, before_id=before, limit=paging["limit"] + 1))
    is_more = len(found) > paging["limit"]
    found = found[: paging["limit"]]
    return {"items": found, "next": _cursor(found[-1].id) if is_more else None}


@blueprint.route("/audiences/<int:audience_id>/runs/<int:run_id>")
@scope("audiences:read")
@blueprint.response(200, RunOut)
def one_run(audience_id: int, run_id: int) -> AudienceRun:
    """Give a run."""
    return _run(audience_id, run_id)


@blueprint.route("/audiences/<int:audience_id>/runs/<int:run_id>/confirm", methods=["POST"])
@scope("audiences:write")
@blueprint.response(202, RunOut)
def confirm(audience_id: int, run_id: int) -> AudienceRun:
    """Let a run that waits happen, at its size. Answers the run that does it."""
    run = _run(audience_id, run_id)
    queued = definitions.confirm(request_scope.session(), run.id, actor=current_actor())
    return runs.find_run(request_scope.session(), queued)


@blueprint.route("/audiences/<int:audience_id>/runs/<int:run_id>/dismiss", methods=["POST"])
@scope("audiences:write")
@blueprint.response(200, AudienceOut)
def dismiss(audience_id: int, run_id: int) -> dict[str, Any]:
    """Say "not now" to a run that waits; an active audience is paused by it."""
    run = _run(audience_id, run_id)
    return _shown([definitions.not_now(request_scope.session(), run.id, actor=current_actor())])[0]


def _draft(given: dict[str, Any]) -> definitions.AudienceDraft:
    named = {"list_name": given["list_name"] or given["list_ref"]}
    if given["field_mapping"] is None:
        named["field_mapping"] = _usual_mapping(given["connection_id"])
    return definitions.AudienceDraft(**{**given, **named})


def _usual_mapping(connection_id: int) -> dict[str, str]:
    """The name, in the fields every list of the system has; nothing for a connection that is not there."""
    try:
        connection = get_connection(request_scope.session(), connection_id)
    except UnknownConnection:
        return {}
    return default_mapping(FIRST_TAGS.get(connection.system, ()))


def _run(audience_id: int, run_id: int) -> AudienceRun:
    session = request_scope.session()
    definitions.find_audience(session, audience_id)
    run = runs.find_run(session, run_id)
    if run.audience_id != audience_id:
        raise UnknownRun(run_id)
    return run


def _shown(audiences: Sequence[Audience]) -> list[dict[str, Any]]:
    session = request_scope.session()
    ids = [audience.id for audience in audiences]
    sizes, latest = count_there(session, ids), runs.latest_runs(session, ids)
    own = [name for name in AudienceOut._declared_fields if name not in ("size", "last_run")]
    return [
        {name: getattr(audience, name) for name in own}
        | {"size": sizes.get(audience.id, 0), "last_run": latest.get(audience.id)}
        for audience in audiences
    ]


def _cursor(last_id: int) -> str:
    return base64.urlsafe_b64encode(str(last_id).encode()).decode()


def _id_of(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    try:
        return row_id(base64.urlsafe_b64decode(cursor.encode()).decode())
    except (ValueError, binascii.Error):
        abort(422, errors={"cursor": [_("This is not a cursor of ours. Start again without one.")]})
        raise AssertionError("abort has raised") from None
