"""The pages of a journey that runs: its story with numbers, the people behind them, and one person's way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from flask import abort, render_template, request
from flask_babel import gettext as _

from app.accounts.access import requires
from app.accounts.models import User
from app.contacts.models import Contact
from app.journeys.comparing import compared
from app.journeys.entering.at_the_door import at_the_door
from app.journeys.figures import Figures, figures_of
from app.journeys.models import JourneyVersion
from app.journeys.numbers import PEOPLE_PER_PAGE, WHATS, numbers_of, people_at
from app.journeys.pages import Answer, Json, blueprint, found_journey, wording_of_reader
from app.journeys.reasons import told_reason
from app.journeys.telling import all_steps, tell_story
from app.journeys.ways import find_way, passages_of
from app.ui import request_scope
from app.ui.row_ids import ROW_ID_MAX


@blueprint.get("/<int:journey_id>")
@requires("viewer")
def show(journey_id: int) -> Answer:
    """The journey as it runs: its story, and at every step how many came, wait and went on."""
    session, journey = request_scope.session(), found_journey(journey_id)
    definition = definition_of(journey_id, journey.version) if journey.version else journey.draft
    return render_template(
        "journeys/show.html",
        journey=journey,
        definition=definition,
        story=tell_story(session, definition, wording_of_reader()),
        numbers=numbers_of(session, journey_id),
        figures=figures_of(session, [journey_id]).get(journey_id, Figures()),
        versions=_versions(journey_id),
        is_ahead=journey.version is not None and journey.draft != definition,
        reason=_reason,
        door=at_the_door(session, journey_id),
    )


@blueprint.get("/<int:journey_id>/versions/<int:version>")
@requires("viewer")
def version(journey_id: int, version: int) -> str:
    """What a version changed, compared with the one before."""
    session, journey = request_scope.session(), found_journey(journey_id)
    definition = definition_of(journey_id, version)
    before = _published_before(journey_id, version)
    return render_template(
        "journeys/version.html",
        journey=journey,
        version=version,
        is_first=not before,
        changes=compared(session, before, definition, wording_of_reader()) if before else [],
        story=tell_story(session, definition, wording_of_reader()),
        definition=definition,
        numbers={},
        reason=_reason,
    )


@blueprint.get("/<int:journey_id>/people")
@requires("viewer")
def people(journey_id: int) -> str:
    """The people behind a number."""
    session, journey = request_scope.session(), found_journey(journey_id)
    step_id, what = request.args.get("step", ""), request.args.get("what", "entered")
    if what not in WHATS:
        abort(404)
    before = request.args.get("before", 0, type=int)
    found = people_at(
        session,
        journey_id,
        step_id=step_id,
        what=what,
        before=before if 0 < before <= ROW_ID_MAX else None,
    )
    shown = found[:PEOPLE_PER_PAGE]
    definition = definition_of(journey_id, journey.version) if journey.version else journey.draft
    story = tell_story(session, definition, wording_of_reader())
    return render_template(
        "journeys/people.html",
        journey=journey,
        step_id=step_id,
        what=what,
        sentence=story.steps.get(step_id, ""),
        people=shown,
        before=before,
        next_before=shown[-1].enrolment.id if len(found) > PEOPLE_PER_PAGE else None,
        story=story,
        reason=_reason,
    )


@blueprint.get("/<int:journey_id>/people/<int:enrolment_id>")
@requires("viewer")
def way(journey_id: int, enrolment_id: int) -> str:
    """One person's way: every step, decision and the facts it saw."""
    session = request_scope.session()
    found = find_way(session, journey_id, enrolment_id) or abort(404)
    return render_template(
        "journeys/way.html",
        way=found,
        journey=found.journey,
        story=tell_story(session, found.definition, wording_of_reader()),
        steps=_by_id(found.definition),
        reason=_reason,
    )


@blueprint.get("/of/<int:contact_id>")
@requires("viewer")
def of_contact(contact_id: int) -> str:
    """In which journeys a person is, or was."""
    session = request_scope.session()
    contact = session.get(Contact, (session.organisation_id, contact_id)) or abort(404)
    return render_template(
        "journeys/of_contact.html", contact=contact, passages=passages_of(session, contact_id), reason=_reason
    )


def _published_before(journey_id: int, version: int) -> Json:
    """The definition that a version took the place of; nothing for the first."""
    row = JourneyVersion
    earlier = sa.select(row.definition).where(row.journey_id == journey_id, row.version < version, row.was_published)
    return request_scope.session().scalar(earlier.order_by(row.version.desc()).limit(1)) or {}


def definition_of(journey_id: int, version: int) -> Json:
    session = request_scope.session()
    stored = session.get(JourneyVersion, (session.organisation_id, journey_id, version))
    return stored.definition if stored else abort(404)


def _versions(journey_id: int) -> list[tuple[JourneyVersion, str]]:
    """Every version with who published it, the newest first."""
    rows = request_scope.session().execute(
        sa.select(JourneyVersion, User.name)
        .outerjoin(User, User.id == JourneyVersion.published_by)
        .where(JourneyVersion.journey_id == journey_id)
        .order_by(JourneyVersion.version.desc())
    )
    return [(row[0], row[1] or "") for row in rows]


def _by_id(definition: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(step.get("id")): step for step in all_steps(definition.get("steps"))}


def _reason(code: str | None) -> str:
    return told_reason(code, _)
