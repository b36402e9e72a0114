"""Looking before it runs: walking somebody through a journey in thought, and rehearsing it on real people."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from app import clock
from app.accounts.access import current_actor, requires
from app.accounts.organisations import current_organisation
from app.contacts.models import Contact
from app.contacts.search import Search, search_contacts
from app.journeys import rehearsing
from app.journeys.definition import Send, WaitFor, WaitUntil
from app.journeys.invented import Invented
from app.journeys.pages import Answer, Json, blueprint, found_journey, wording_of_reader
from app.journeys.problems import InvalidDefinitionError, JourneyStateError, NotPublishableError
from app.journeys.reasons import told_reason
from app.journeys.route import route_of
from app.journeys.schemas import parse_definition
from app.journeys.simulate import Nobody, Simulation, Somebody, Subject, simulate
from app.journeys.spans import instant_of
from app.journeys.telling import tell_story
from app.mailings.composing.viewing import view_url
from app.segments.definitions import list_segments
from app.segments.people import members_page
from app.segments.problems import SegmentError
from app.ui import request_scope
from app.ui.languages import current_language
from app.ui.row_ids import ROW_ID_MAX

PEOPLE_FOUND = 12
NOON = time(12)


# --- in thought ------------------------------------------------------------------------------------------------------


@blueprint.get("/<int:journey_id>/simulate")
@requires("viewer")
def simulation(journey_id: int) -> Answer:
    """Walk a person, or somebody invented, through the draft from a moment on; nothing happens."""
    session, journey = request_scope.session(), found_journey(journey_id)
    contact = _contact(request.args.get("contact", 0, type=int))
    is_invented = "invented" in request.args
    at = _moment(request.args.get("on", ""), request.args.get("time", ""))
    subject: Subject | None = (
        Somebody(contact.id, current_language()) if contact else Nobody(_facts()) if is_invented else None
    )
    walked, problem = _walked(journey_id, journey.draft, subject, at) if subject else (None, "")
    zone = ZoneInfo(current_organisation(session).time_zone)
    return render_template(
        "journeys/simulate.html",
        journey=journey,
        contact=contact,
        is_invented=is_invented,
        asked=request.args.get("q", "").strip(),
        people=_found_people() if contact is None and not is_invented else [],
        at=at.astimezone(zone),
        walked=walked,
        problem=problem,
        story=tell_story(session, journey.draft, wording_of_reader()),
        waits=_waits(journey.draft),
        needs_activity=_needs_activity(journey.draft),
        reason=_reason,
        taken=request.args,
    )


def _walked(journey_id: int, draft: Json, subject: Subject, at: datetime) -> tuple[Simulation | None, str]:
    starts_on = request.args.get("activity_on", "")
    starts_at = _moment(starts_on, request.args.get("activity_time", "20:00")) if starts_on else None
    answers: dict[str, Any] = {
        name.removeprefix("answer-"): value
        for name, value in request.args.items()
        if name.startswith("answer-") and value
    }
    try:
        return simulate(
            request_scope.session(),
            draft,
            subject,
            at=at,
            journey_id=journey_id,
            starts_at=starts_at,
            answers=answers,
        ), ""
    except InvalidDefinitionError:
        return None, _("The journey is not finished yet. See in the builder what is still missing.")
    except SegmentError:
        return None, _("A rule in the journey cannot be worked out. Open it in the builder.")


def _found_people() -> list[Contact]:
    asked = request.args.get("q", "").strip()
    return (
        list(search_contacts(request_scope.session(), Search(text=asked), limit=PEOPLE_FOUND).contacts) if asked else []
    )


def _facts() -> Invented:
    """Somebody invented, as the form says."""
    fields: dict[str, Any] = {
        name: request.args.get(name, "").strip()
        for name in ("language", "postcode", "municipality", "gender", "country")
        if request.args.get(name, "").strip()
    }
    with suppress(ValueError):
        fields["birth_date"] = date.fromisoformat(request.args.get("birth_date", ""))
    tags = tuple(tag.strip() for tag in request.args.get("tags", "").split(",") if tag.strip())
    return Invented(fields, tags, "no_mail" not in request.args)


def _waits(draft: Json) -> list[str]:
    """The steps that wait for something that cannot be known beforehand."""
    try:
        route = route_of(parse_definition(draft))
    except InvalidDefinitionError:
        return []
    return [step_id for step_id in route.order if isinstance(route.steps[step_id], WaitFor)]


def _needs_activity(draft: Json) -> bool:
    try:
        route = route_of(parse_definition(draft))
    except InvalidDefinitionError:
        return False
    return any(isinstance(step, WaitUntil) for step in route.steps.values())


def _moment(on: str, at: str) -> datetime:
    """A day and a time by the house's clock; today now, where they cannot be read."""
    zone = ZoneInfo(current_organisation(request_scope.session()).time_zone)
    try:
        day = date.fromisoformat(on)
        if not 2000 <= day.year <= 2199:
            raise ValueError(on)
    except ValueError:
        return clock.now()
    try:
        moment = time.fromisoformat(at)
    except ValueError:
        moment = NOON
    return instant_of(day, moment.replace(tzinfo=None), zone)


def _contact(contact_id: int) -> Contact | None:
    if not 0 < contact_id <= ROW_ID_MAX:
        return None
    session = request_scope.session()
    found = session.get(Contact, (session.organisation_id, contact_id))
    return found if found is not None and found.state == "living" else abort(404)


def _reason(code: str | None) -> str:
    return told_reason(code, _)


# --- on real people --------------------------------------------------------------------------------------------------


@blueprint.get("/<int:journey_id>/rehearsal")
@requires("marketer")
def rehearsal(journey_id: int) -> Answer:
    """Who rehearses, and the mails that wait to be looked at."""
    session, journey = request_scope.session(), found_journey(journey_id)
    runtime = request_scope.runtime()
    before = request.args.get("before", 0, type=int)
    mails = rehearsing.mails_of(session, journey_id, before=before if 0 < before <= ROW_ID_MAX else None)
    shown = mails[: rehearsing.MAILS_PER_PAGE]
    views = {
        one.delivery.id: view_url(
            runtime.keyring, base_url="", organisation_id=session.organisation_id, delivery_id=one.delivery.id
        )
        for one in shown
    }
    return render_template(
        "journeys/rehearsal.html",
        journey=journey,
        people=rehearsing.people_in_rehearsal(session, journey_id),
        mails=shown,
        views=views,
        waiting=rehearsing.count_drafts(session, journey_id),
        next_before=shown[-1].delivery.id if len(mails) > rehearsing.MAILS_PER_PAGE else None,
        before=before,
        segments=[(one.id, one.name) for one in list_segments(session)],
        asked=request.args.get("q", "").strip(),
        found=_found_people(),
        story=tell_story(session, journey.draft, wording_of_reader()),
        mails_nothing=not _mails(journey.draft),
        reason=_reason,
    )


@blueprint.post("/<int:journey_id>/rehearsal")
@requires("marketer")
def begin_rehearsal(journey_id: int) -> Answer:
    """Let the chosen people walk through the draft."""
    session = request_scope.session()
    found_journey(journey_id)
    back = redirect(url_for("journeys.rehearsal", journey_id=journey_id))
    chosen = [number for number in request.form.getlist("contact", type=int) if 0 < number <= ROW_ID_MAX]
    segment_id = request.form.get("segment", 0, type=int)
    if 0 < segment_id <= ROW_ID_MAX:
        members = members_page(session, segment_id, after=0, limit=_how_many())
        chosen += [one.contact.id for one in members]
    if not chosen:
        flash(_("Choose somebody first, or a segment with people in it."), "warning")
        return back
    allows_loopback = request_scope.runtime().settings.allow_loopback_connections
    try:
        with session.begin_nested():
            count = rehearsing.begin_rehearsal(
                session, journey_id, chosen, actor=current_actor(), allows_loopback=allows_loopback
            )
    except NotPublishableError:
        flash(_("The journey is not finished yet. See in the builder what is still missing."), "error")
    except JourneyStateError:
        flash(_("An archived journey cannot be rehearsed."), "error")
    else:
        said = ngettext("%(num)s person walks through it now.", "%(num)s people walk through it now.", count)
        flash(said, "success")
    return back


@blueprint.post("/<int:journey_id>/rehearsal/go-on")
@requires("marketer")
def go_on(journey_id: int) -> Answer:
    """Let the waits end now."""
    found_journey(journey_id)
    count = rehearsing.go_on_now(request_scope.session(), journey_id)
    flash(ngettext("%(num)s wait ends now.", "%(num)s waits end now.", count), "success")
    return redirect(url_for("journeys.rehearsal", journey_id=journey_id))


@blueprint.post("/<int:journey_id>/rehearsal/release")
@requires("marketer")
def release(journey_id: int) -> Answer:
    """Let the mails of the rehearsal leave."""
    found_journey(journey_id)
    expected = request.form.get("expected", -1, type=int)
    count = rehearsing.release_mails(request_scope.session(), journey_id, expected=expected, actor=current_actor())
    if count is None:
        flash(_("There are other mails by now than those you looked at. Look again first."), "warning")
    else:
        flash(ngettext("%(num)s mail leaves.", "%(num)s mails leave.", count), "success")
    return redirect(url_for("journeys.rehearsal", journey_id=journey_id))


@blueprint.post("/<int:journey_id>/rehearsal/discard")
@requires("marketer")
def discard(journey_id: int) -> Answer:
    """Throw the mails away and end the rehearsal."""
    found_journey(journey_id)
    count = rehearsing.discard_mails(request_scope.session(), journey_id, actor=current_actor())
    flash(ngettext("%(num)s mail is thrown away.", "%(num)s mails are thrown away.", count), "success")
    return redirect(url_for("journeys.rehearsal", journey_id=journey_id))


def _how_many() -> int:
    return min(max(request.form.get("how_many", 10, type=int), 1), rehearsing.PEOPLE_MAX)


def _mails(draft: Json) -> bool:
    with suppress(InvalidDefinitionError):
        return any(isinstance(step, Send) for step in route_of(parse_definition(draft)).steps.values())
    return True
