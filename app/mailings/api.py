"""Mailings over REST: GET|POST /mailings, one of them, who would get it, testing, sending and holding it."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView
from flask_babel import gettext as _
from flask_smorest import Blueprint

from app.accounts.access import current_actor, scope
from app.accounts.audit import record
from app.mailings import mailings, progress, scheduling, sending_words
from app.mailings.api_schemas import (
    MailingIn,
    MailingOut,
    MailingPage,
    MailingPut,
    MailingsQuery,
    PeopleOut,
    ProgressOut,
    ScheduleIn,
    SendIn,
    TestIn,
    TestOut,
)
from app.mailings.colleague_tests import make_test
from app.mailings.composing.content_schemas import content_json, parse_content
from app.mailings.composing.problems import ComposingError, InvalidContentError, MarketingInServiceError
from app.mailings.mail_settings import NotReady, sender_of
from app.mailings.mailings import MailingDraft
from app.mailings.mime import Unwritable
from app.mailings.models import Mailing
from app.mailings.problems import CannotSend, InvalidMailing, MailingError, NotThatState, StaleEdition, UnknownMailing
from app.mailings.recipients import Funnel, count_recipients
from app.mailings.sending_checks import refuse_stops
from app.mailings.trial import send_content
from app.mailings.words import MISSING
from app.segments.problems import SegmentError
from app.ui import request_scope
from app.ui.errors import problem
from app.ui.row_ids import row_id
from integrations.base import ConnectorError
from integrations.meanings import meaning_for_mail

blueprint = Blueprint("mailings_api", __name__, description="Mailings: one mail to many people, or of journeys.")


@blueprint.errorhandler(MailingError)
def refuse(error: MailingError) -> Response:
    """Say what is wrong, where, and how to mend it."""
    match error:
        case UnknownMailing():
            return problem(404, _("There is no such mailing"))
        case InvalidMailing(errors=errors):
            sentences = {name: [_(sending_words.field_problem(name, code))] for name, code in errors.items()}
            return problem(422, _("The mailing is not right yet"), errors=sentences)
        case StaleEdition(edition=edition):
            detail = _("Read it again and change edition %(edition)s.", edition=edition)
            return problem(409, _("Somebody else changed this mailing"), detail=detail)
        case CannotSend(codes=codes):
            known, otherwise = sending_words.CANNOT_SEND, sending_words.CANNOT_SEND_OTHERWISE
            detail = " ".join(dict.fromkeys(str(_(known.get(code, otherwise))) for code in codes))
            return problem(409, _("It cannot be sent as it is"), detail=detail)
        case NotThatState(state=state):
            detail = _("It is in the state “%(state)s”, in which this cannot be done.", state=state)
            return problem(409, _("Not in this state"), detail=detail)
        case _:
            return problem(409, _("That is not possible"))


@blueprint.errorhandler(ComposingError)
def refuse_words(error: ComposingError) -> Response:
    """Say what is wrong with the words."""
    match error:
        case InvalidContentError():
            sentences = {f"content.{path}": found for path, found in error.by_field(_).items()}
            return problem(422, _("The words are not right yet"), errors=sentences)
        case MarketingInServiceError(block_ids=blocks):
            detail = _("Take out the blocks %(blocks)s, or give the mailing another purpose.", blocks=", ".join(blocks))
            return problem(422, _("Practical information may not sell anything"), detail=detail)
        case _:
            return problem(422, _("The words are not right yet"))


@blueprint.errorhandler(SegmentError)
def refuse_people(_error: SegmentError) -> Response:
    """Say that it is not known who gets it."""
    return problem(409, _("One of the segments cannot be worked out. Mend it, then come back."))


@blueprint.route("/mailings")
class Mailings(MethodView):
    @scope("mailings:read")
    @blueprint.arguments(MailingsQuery, location="query")
    @blueprint.response(200, MailingPage)
    def get(self, asked: dict[str, Any]) -> dict[str, Any]:
        """List mailings, the newest first."""
        limit = asked["limit"]
        before = row_id(asked["cursor"]) if asked["cursor"] else None
        found = mailings.list_mailings(request_scope.session(), kind=asked["kind"], before=before, limit=limit + 1)
        page = found[:limit]
        return {"items": [_shown(each) for each in page], "next": str(page[-1].id) if len(found) > limit else None}

    @scope("mailings:write")
    @blueprint.arguments(MailingIn)
    @blueprint.response(201, MailingOut)
    def post(self, given: dict[str, Any]) -> dict[str, Any]:
        """Make a mailing, as a draft: it goes to nobody before it is sent."""
        return _shown(mailings.create_mailing(request_scope.session(), _draft(given), actor=current_actor()))


@blueprint.route("/mailings/<int:mailing_id>")
class OneMailing(MethodView):
    @scope("mailings:read")
    @blueprint.response(200, MailingOut)
    def get(self, mailing_id: int) -> dict[str, Any]:
        """Give a mailing."""
        return _shown(mailings.find_mailing(request_scope.session(), mailing_id))

    @scope("mailings:write")
    @blueprint.arguments(MailingPut)
    @blueprint.response(200, MailingOut)
    def put(self, given: dict[str, Any], mailing_id: int) -> dict[str, Any]:
        """Change a draft. Its kind stays what it is."""
        edition = given.pop("edition")
        session, draft = request_scope.session(), _draft(given)
        return _shown(mailings.change_mailing(session, mailing_id, draft, edition=edition, actor=current_actor()))

    @scope("mailings:write")
    @blueprint.response(204)
    def delete(self, mailing_id: int) -> None:
        """Remove a draft. What was sent stays."""
        mailings.remove_mailing(request_scope.session(), mailing_id, actor=current_actor())


@blueprint.route("/mailings/<int:mailing_id>/people")
@scope("mailings:read")
@blueprint.response(200, PeopleOut)
def people(mailing_id: int) -> Funnel:
    """Count who would get a mailing if it were sent now, and why the others would not."""
    return count_recipients(request_scope.session(), mailing_id)


@blueprint.route("/mailings/<int:mailing_id>/progress")
@scope("mailings:read")
@blueprint.response(200, ProgressOut)
def how_it_goes(mailing_id: int) -> progress.Progress:
    """Say how a mailing goes."""
    return progress.progress_of(request_scope.session(), mailing_id)


@blueprint.route("/mailings/<int:mailing_id>/test", methods=["POST"])
@scope("mailings:write")
@blueprint.arguments(TestIn)
@blueprint.response(200, TestOut)
def test(given: dict[str, Any], mailing_id: int) -> Any:
    """Send a test to colleagues who log in here, at once."""
    session, runtime = request_scope.session(), request_scope.runtime()
    sender = sender_of(session, runtime)
    if isinstance(sender, NotReady):
        return problem(409, _("The house cannot send yet"), detail=_(MISSING[sender.missing]))
    addresses, content = make_test(session, runtime, mailing_id, **given)
    record(session, current_actor(), "mailings.test", subject=("mailing", mailing_id))
    request_scope.let_go()
    try:
        for address in addresses:
            send_content(sender, content, to_address=address)
    except ConnectorError as failure:
        return problem(502, _("The test did not go"), detail=_(meaning_for_mail(failure.code)))
    except Unwritable:
        return problem(422, _("The test did not go"), detail=_(meaning_for_mail("bad_message")))
    return {"sent": len(addresses)}


@blueprint.route("/mailings/<int:mailing_id>/schedule", methods=["POST"])
@scope("mailings:write")
@blueprint.arguments(ScheduleIn)
@blueprint.response(202, MailingOut)
def schedule(given: dict[str, Any], mailing_id: int) -> dict[str, Any]:
    """Have a draft sent at an instant, or each time a cron line says so. Asking twice is asking once."""
    if given["send_at"] is None and given["repeats"] is None:
        raise InvalidMailing({"send_at": "required"})
    return _scheduled(mailing_id, given)


@blueprint.route("/mailings/<int:mailing_id>/send", methods=["POST"])
@scope("mailings:write")
@blueprint.arguments(SendIn)
@blueprint.response(202, MailingOut)
def send(given: dict[str, Any], mailing_id: int) -> dict[str, Any]:
    """Send a draft now; it begins within seconds. Asking twice sends once."""
    return _scheduled(mailing_id, given)


@blueprint.route("/mailings/<int:mailing_id>/pause", methods=["POST"])
@scope("mailings:write")
@blueprint.response(200, MailingOut)
def pause(mailing_id: int) -> dict[str, Any]:
    """Hold a mailing until it is resumed."""
    return _shown(progress.pause(request_scope.session(), mailing_id, actor=current_actor()))


@blueprint.route("/mailings/<int:mailing_id>/resume", methods=["POST"])
@scope("mailings:write")
@blueprint.response(200, MailingOut)
def resume(mailing_id: int) -> dict[str, Any]:
    """Go on with a mailing that waits; what it waited for is accepted by it."""
    return _shown(progress.resume(request_scope.session(), mailing_id, actor=current_actor()))


@blueprint.route("/mailings/<int:mailing_id>/cancel", methods=["POST"])
@scope("mailings:write")
@blueprint.response(200, MailingOut)
def cancel(mailing_id: int) -> dict[str, Any]:
    """Stop a mailing for good: nobody gets it any more who did not get it yet."""
    return _shown(progress.cancel(request_scope.session(), mailing_id, actor=current_actor()))


def _scheduled(mailing_id: int, given: dict[str, Any]) -> dict[str, Any]:
    session = request_scope.session()
    mailing = mailings.find_mailing(session, mailing_id)
    if mailing.state == "draft":
        refuse_stops(session, request_scope.runtime(), mailing)
    return _shown(scheduling.schedule(session, mailing_id, actor=current_actor(), **given))


def _draft(given: dict[str, Any]) -> MailingDraft:
    """Return what was given, its words read and complete; raises InvalidContentError."""
    content = given.get("content")
    return MailingDraft(**(given | {"content": None if content is None else content_json(parse_content(content))}))


def _shown(mailing: Mailing) -> dict[str, Any]:
    to, without = mailings.segments_of(request_scope.session(), mailing.id)
    names = MailingOut().fields.keys() - {"to", "without"}
    return {name: getattr(mailing, name) for name in names} | {"to": to, "without": without}
