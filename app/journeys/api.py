"""Journeys over REST: drafts, publishing, running, and who is inside."""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict
from typing import Any, NoReturn

import sqlalchemy as sa
from flask import Response
from flask.views import MethodView
from flask_babel import gettext as _
from flask_smorest import Blueprint, abort

from app import clock
from app.accounts import audit
from app.accounts.access import current_actor, scope
from app.contacts.models import Contact
from app.db import ScopedSession
from app.journeys import drafts
from app.journeys.api_schemas import (
    EnrolIn,
    EnrolmentPage,
    EnrolmentsIn,
    EnrolOut,
    JourneyChangeIn,
    JourneyEffectIn,
    JourneyEffectOut,
    JourneyIn,
    JourneyOut,
    JourneyPage,
    PageIn,
    PublishedOut,
    PublishIn,
    PublishPreviewOut,
    ResumeIn,
    SimulateIn,
    SimulationOut,
    WebhookSecretOut,
)
from app.journeys.calling import told_secret
from app.journeys.checking import STOPS, problems_of
from app.journeys.effect import journey_effect
from app.journeys.entering.by_api import Asked, OtherTriggerError, enrol_by_api
from app.journeys.invented import Invented
from app.journeys.models import Enrolment, Journey, JourneyVersion
from app.journeys.problems import (
    ImpossibleDraftError,
    ImpossibleFateError,
    InvalidDefinitionError,
    JourneyError,
    JourneyInUseError,
    JourneyMissingError,
    JourneyNameTakenError,
    JourneyStateError,
    NotPublishableError,
    StaleDraftError,
)
from app.journeys.publishing import Published, publish, publish_preview
from app.journeys.running import archive_journey, pause_journey, resume_journey
from app.journeys.simulate import Nobody, Simulation, Somebody, Subject, simulate
from app.mailings.effect.api import side_told
from app.mailings.effect.comparison import Comparison
from app.mailings.problems import MailingError
from app.ui import request_scope
from app.ui.errors import problem
from app.ui.languages import current_language

blueprint = Blueprint("journeys_api", __name__, description="Journeys: what happens to whom, step by step.")


@blueprint.errorhandler(JourneyError)
def refuse(error: JourneyError) -> Response:  # noqa: PLR0911 (one return per error)
    """Say what is wrong, where, and how to mend it."""
    match error:
        case JourneyMissingError():
            return problem(404, _("There is no such journey"))
        case InvalidDefinitionError():
            return problem(422, _("The journey is not right yet"), errors=error.by_field(_))
        case NotPublishableError(journey_id=journey_id):
            return problem(409, _("The journey cannot be published yet"), errors=_what_stops(journey_id))
        case ImpossibleFateError(step_ids=step_ids):
            text = _(
                "The new version has no step %(steps)s. Keep these people or end their way.", steps=", ".join(step_ids)
            )
            return problem(422, _("Nobody can be moved there"), errors={"inside": [text]})
        case StaleDraftError(edition=edition):
            text = _("Somebody else saved it meanwhile: it is at edition %(edition)s. Read it again.", edition=edition)
            return problem(409, _("The journey was changed"), detail=text)
        case ImpossibleDraftError():
            text = _("Give an object, not too large and not nested too deep.")
            return problem(422, _("This is no journey"), errors={"definition": [text]})
        case JourneyNameTakenError():
            text = _("There is already a journey with this name.")
            return problem(409, _("That name is taken"), errors={"name": [text]})
        case JourneyInUseError():
            text = _("People entered it, or can. Archive it instead.")
            return problem(409, _("The journey is in use"), detail=text)
        case OtherTriggerError():
            text = _("People enter this journey by another trigger, not through the API.")
            return problem(409, _("Nobody can be let in this way"), detail=text)
        case JourneyStateError(state=state):
            return problem(
                409, _("Not in this state"), detail=_("The journey is in the state “%(state)s”.", state=state)
            )
        case _:
            return problem(400, _("That is not possible"))


@blueprint.errorhandler(MailingError)
def refuse_mailing(_error: MailingError) -> Response:
    """A mailing of a step is in the way."""
    return problem(
        409, _("The journey cannot be published yet"), detail=_("A mailing of this journey cannot be sent yet.")
    )


@blueprint.route("/journeys")
class Journeys(MethodView):
    @scope("journeys:read")
    @blueprint.arguments(PageIn, location="query")
    @blueprint.response(200, JourneyPage)
    def get(self, paging: dict[str, Any]) -> dict[str, Any]:
        """List journeys in the order in which they were made."""
        query = sa.select(Journey).where(Journey.id > _id_after(paging["cursor"])).order_by(Journey.id)
        found = request_scope.session().scalars(query.limit(paging["limit"])).all()
        return {"items": found, "next": _next(found, paging["limit"])}

    @scope("journeys:write")
    @blueprint.arguments(JourneyIn)
    @blueprint.response(201, JourneyOut)
    def post(self, given: dict[str, Any]) -> Journey:
        """Make a journey, as a draft."""
        session = request_scope.session()
        journey = drafts.make_journey(session, given["name"].strip(), given["definition"], created_by=None)
        audit.record(session, current_actor(), "journeys.create", subject=("journey", journey.id))
        return journey


@blueprint.route("/journeys/webhook-secret")
class WebhookSecret(MethodView):
    @scope("journeys:write")
    @blueprint.response(200, WebhookSecretOut)
    def get(self) -> dict[str, str]:
        """Give the secret with which webhooks of this house are signed (Standard Webhooks)."""
        return {"secret": told_secret(request_scope.runtime().keyring, request_scope.session().organisation_id)}


@blueprint.route("/journeys/<int:journey_id>")
class OneJourney(MethodView):
    @scope("journeys:read")
    @blueprint.response(200, JourneyOut)
    def get(self, journey_id: int) -> Journey:
        """Give a journey with its draft."""
        return drafts.find_journey(request_scope.session(), journey_id)

    @scope("journeys:write")
    @blueprint.arguments(JourneyChangeIn)
    @blueprint.response(200, JourneyOut)
    def put(self, given: dict[str, Any], journey_id: int) -> Journey:
        """Change the draft; who is inside notices nothing until it is published."""
        session = request_scope.session()
        journey = drafts.find_journey(session, journey_id)
        if "name" in given:
            drafts.rename_journey(session, journey_id, given["name"].strip())
        edition = journey.edition if given["edition"] is None else given["edition"]
        drafts.save_draft(session, journey_id, given["definition"], edition=edition)
        audit.record(session, current_actor(), "journeys.update", subject=("journey", journey_id))
        return drafts.find_journey(session, journey_id)

    @scope("journeys:write")
    @blueprint.response(204)
    def delete(self, journey_id: int) -> None:
        """Remove a journey that nobody ever entered."""
        session = request_scope.session()
        drafts.remove_journey(session, journey_id)
        audit.record(session, current_actor(), "journeys.remove", subject=("journey", journey_id))


@blueprint.route("/journeys/<int:journey_id>/publish")
class Publishing(MethodView):
    @scope("journeys:read")
    @blueprint.response(200, PublishPreviewOut)
    def get(self, journey_id: int) -> dict[str, Any]:
        """Say what publishing the draft would mean: what stands in the way, and who is inside."""
        seen = publish_preview(request_scope.session(), journey_id, allows_loopback=_allows_loopback())
        problems = [
            {"step_id": one.step_id, "path": one.path, "severity": one.severity, "code": one.code,
             "told": one.message.said_in(_)}
            for one in seen.findings
        ]  # fmt: skip
        return {"version": seen.version, "can_publish": seen.can_publish, "problems": problems, "inside": seen.inside}

    @scope("journeys:write")
    @blueprint.arguments(PublishIn)
    @blueprint.response(200, PublishedOut)
    def post(self, given: dict[str, Any], journey_id: int) -> Published:
        """Make the draft the version that people enter from now on."""
        return publish(
            request_scope.session(),
            journey_id,
            actor=current_actor(),
            inside=given["inside"],
            include_existing=given["include_existing"] and (given["existing_per_day"] or True),
            allows_loopback=_allows_loopback(),
        )


@blueprint.route("/journeys/<int:journey_id>/pause")
class Pausing(MethodView):
    @scope("journeys:write")
    @blueprint.response(200, JourneyOut)
    def post(self, journey_id: int) -> Journey:
        """Hold everybody where they are, and let nobody in."""
        return pause_journey(request_scope.session(), journey_id, actor=current_actor())


@blueprint.route("/journeys/<int:journey_id>/resume")
class Resuming(MethodView):
    @scope("journeys:write")
    @blueprint.arguments(ResumeIn)
    @blueprint.response(200, JourneyOut)
    def post(self, given: dict[str, Any], journey_id: int) -> Journey:
        """Take a paused journey up again."""
        session = request_scope.session()
        return resume_journey(session, journey_id, overdue=given["overdue"], actor=current_actor())


@blueprint.route("/journeys/<int:journey_id>/archive")
class Archiving(MethodView):
    @scope("journeys:write")
    @blueprint.response(200, JourneyOut)
    def post(self, journey_id: int) -> Journey:
        """Put a journey away for good; who is inside leaves."""
        session = request_scope.session()
        archive_journey(session, journey_id, actor=current_actor())
        return drafts.find_journey(session, journey_id)


@blueprint.route("/journeys/<int:journey_id>/enrolments")
class Enrolments(MethodView):
    @scope("journeys:read")
    @blueprint.arguments(EnrolmentsIn, location="query")
    @blueprint.response(200, EnrolmentPage)
    def get(self, given: dict[str, Any], journey_id: int) -> dict[str, Any]:
        """List everybody's way through a journey."""
        session, row = request_scope.session(), Enrolment
        drafts.find_journey(session, journey_id)
        query = sa.select(row).where(row.journey_id == journey_id, row.id > _id_after(given["cursor"])).order_by(row.id)
        if given["state"] is not None:
            query = query.where(row.state == given["state"])
        found = session.scalars(query.limit(given["limit"])).all()
        return {"items": found, "next": _next(found, given["limit"])}

    @scope("journeys:write")
    @blueprint.arguments(EnrolIn)
    @blueprint.response(201, EnrolOut)
    def post(self, given: dict[str, Any], journey_id: int) -> Asked:
        """Let a contact into a journey whose trigger is the API."""
        session = request_scope.session()
        key = given["external_id"] or f"call {clock.now().isoformat()}"
        if not key.strip():
            abort(422, message=_("Give an external_id that is not blank, or none."))
        asked = enrol_by_api(session, journey_id, given["contact_id"], key=key)
        if asked.outcome == "entered":
            details = {"enrolment_id": asked.enrolment_id}
            audit.record(session, current_actor(), "journeys.enrol", subject=("journey", journey_id), details=details)
        return asked


@blueprint.route("/journeys/<int:journey_id>/simulate")
class Simulating(MethodView):
    @scope("journeys:read")
    @blueprint.arguments(SimulateIn)
    @blueprint.response(200, SimulationOut)
    def post(self, given: dict[str, Any], journey_id: int) -> Simulation:
        """Walk a contact, or somebody invented, through the draft in thought; nothing happens, nothing is written."""
        session = request_scope.session()
        journey = drafts.find_journey(session, journey_id)
        return simulate(
            session,
            journey.draft,
            _subject(session, given),
            at=given["at"] or clock.now(),
            journey_id=journey_id,
            starts_at=given["activity_starts_at"],
            answers=given["answers"],
        )


@blueprint.route("/journeys/<int:journey_id>/effect")
class OneEffect(MethodView):
    @scope("journeys:read")
    @blueprint.arguments(JourneyEffectIn, location="query")
    @blueprint.response(200, JourneyEffectOut)
    def get(self, asked: dict[str, Any], journey_id: int) -> dict[str, Any]:
        """Tell what a journey brought about: who passed through it against who was held out, by mail and by version."""
        session, version = request_scope.session(), asked.get("version")
        key = (session.organisation_id, journey_id, version)
        if version is not None and session.get(JourneyVersion, key) is None:
            raise JourneyMissingError(journey_id)
        found = journey_effect(session, journey_id, at=clock.now(), version=version, days=asked.get("days"))
        if found is None:
            raise JourneyMissingError(journey_id)
        sides = {"goal": _compared(found.goal), "bookings": _compared(found.bookings)}
        return {name: getattr(found, name) for name in ("journey_id", "version", "days", "steps", "versions")} | sides


def _compared(found: Comparison | None) -> dict[str, Any] | None:
    if found is None:
        return None
    treated, control = side_told(found.treated), side_told(found.control)
    return {"treated": treated, "control": control, "rate": asdict(found.rates), "amount_each": asdict(found.money)}


def _subject(session: ScopedSession, given: dict[str, Any]) -> Subject:
    if given["contact_id"] is None:
        about = given["contact"]
        fields = {key: value for key, value in about.items() if key not in ("tags", "may_be_mailed", "attributes")}
        own = {f"attributes.{key}": value for key, value in about["attributes"].items()}
        return Nobody(Invented(fields | own, tuple(about["tags"]), about["may_be_mailed"]))
    contact = session.get(Contact, (session.organisation_id, given["contact_id"]))
    if contact is None or contact.state != "living":
        abort(422, errors={"contact_id": [_("There is no contact with this number.")]})
    return Somebody(given["contact_id"], current_language())


def _what_stops(journey_id: int) -> dict[str, list[str]]:
    session = request_scope.session()
    journey = drafts.find_journey(session, journey_id)
    errors: dict[str, list[str]] = {}
    for one in problems_of(session, journey.draft, allows_loopback=_allows_loopback()):
        if one.severity == STOPS:
            errors.setdefault(f"definition.{one.path}" if one.path else "definition", []).append(one.message.said_in(_))
    return errors


def _allows_loopback() -> bool:
    return request_scope.runtime().settings.allow_loopback_connections


def _next(found: Any, limit: int) -> str | None:
    """An opaque cursor behind the last of a full page, or None where there is no more."""
    return None if len(found) < limit else base64.urlsafe_b64encode(str(found[-1].id).encode()).decode()


def _id_after(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        text = base64.urlsafe_b64decode(cursor.encode()).decode("ascii")
    except (binascii.Error, UnicodeError, ValueError):
        _bad_cursor()
    if not text.isdecimal() or len(text) > 18:
        _bad_cursor()
    return int(text)


def _bad_cursor() -> NoReturn:
    abort(422, errors={"cursor": [_("This is not a cursor we gave. Start without one.")]})
    raise AssertionError("abort raises")
