"""Publishing a journey with a word for each who is inside, pausing it, taking it up again, and putting it away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from flask import flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response as AnyResponse

from app.accounts.access import current_actor, requires
from app.journeys import running
from app.journeys.comparing import compared
from app.journeys.definition import OnSegment
from app.journeys.entering.expected import Expected, expected_entries
from app.journeys.pages import Answer, blueprint, found_journey, wording_of_reader
from app.journeys.problems import ImpossibleFateError, InvalidDefinitionError, JourneyStateError, NotPublishableError
from app.journeys.publishing import Fate, Inside, PublishPreview, publish, publish_preview
from app.journeys.schemas import parse_definition
from app.journeys.showing_pages import definition_of
from app.journeys.telling import tell_story
from app.ui import request_scope
from app.ui.formats import show_number

PER_DAY_MAX = 1_000_000
FATES: tuple[Fate, ...] = ("keep", "move", "end")
BEFORE_FIRST = ""


@blueprint.get("/<int:journey_id>/publish")
@requires("marketer")
def publish_dialog(journey_id: int) -> Answer:
    """What publishing would change, for the journey and for whoever is inside."""
    session, journey = request_scope.session(), found_journey(journey_id)
    preview = publish_preview(session, journey_id, allows_loopback=_allows_loopback())
    before = definition_of(journey_id, journey.version) if journey.version else None
    story = tell_story(session, journey.draft, wording_of_reader())
    return render_template(
        "journeys/publish.html",
        journey=journey,
        preview=preview,
        stops=[(one.step_id, one.message.said_in(_)) for one in preview.findings if one.severity == "stops"],
        warns=[(one.step_id, one.message.said_in(_)) for one in preview.findings if one.severity == "warns"],
        changes=compared(session, before, journey.draft, wording_of_reader()) if before else None,
        inside=_by_step(preview),
        story=story,
        before=tell_story(session, before, wording_of_reader()) if before else story,
        expected=_expected_said(journey_id),
        has_existing=_enters_by_segment(journey_id),
    )


@blueprint.post("/<int:journey_id>/publish")
@requires("marketer")
def publish_now(journey_id: int) -> Answer:
    """Make the draft the version that people enter from now on."""
    session, journey = request_scope.session(), found_journey(journey_id)
    if request.form.get("edition", type=int) != journey.edition:
        flash(_("The draft was changed since you looked. Look again at what would change."), "warning")
        return redirect(url_for("journeys.publish_dialog", journey_id=journey_id))
    try:
        with session.begin_nested():
            allows = _allows_loopback()
            done = publish(
                session,
                journey_id,
                actor=current_actor(),
                inside=_fates(),
                include_existing="existing" in request.form and (_per_day() or True),
                allows_loopback=allows,
            )
    except (NotPublishableError, ImpossibleFateError, JourneyStateError):
        flash(_("It could not be published as it is. See what is still missing."), "error")
        return redirect(url_for("journeys.publish_dialog", journey_id=journey_id))
    flash(_("Version %(number)s is published.", number=done.version), "success")
    for count, sentence in ((done.moved, _("Moved to it: %(count)s.")), (done.ended, _("Ended: %(count)s."))):
        if count:
            flash(sentence % {"count": show_number(count)}, "info")
    return redirect(url_for("journeys.show", journey_id=journey_id))


@blueprint.get("/<int:journey_id>/entries")
@requires("viewer")
def entries(journey_id: int) -> AnyResponse:
    """Who would enter now and about how many a week, for the start panel."""
    found_journey(journey_id)
    return jsonify({"said": _expected_said(journey_id)})


@blueprint.post("/<int:journey_id>/pause")
@requires("marketer")
def pause(journey_id: int) -> Answer:
    """Hold everybody where they are."""
    found_journey(journey_id)
    try:
        running.pause_journey(request_scope.session(), journey_id, actor=current_actor())
    except JourneyStateError:
        return _in_other_state(journey_id)
    flash(_("The journey stands still. Everybody stays where they are."), "success")
    return redirect(url_for("journeys.show", journey_id=journey_id))


@blueprint.get("/<int:journey_id>/resume")
@requires("marketer")
def resume_dialog(journey_id: int) -> Answer:
    """Ask what becomes of the steps that fell due meanwhile."""
    session, journey = request_scope.session(), found_journey(journey_id)
    overdue = running.overdue_of(session, journey_id)
    people: Counter[str] = Counter()
    for one in overdue:
        people[one.step_id or BEFORE_FIRST] += one.people
    story = tell_story(session, definition_of(journey_id, journey.version or 1), wording_of_reader())
    return render_template("journeys/resume.html", journey=journey, overdue=people, story=story)


@blueprint.post("/<int:journey_id>/resume")
@requires("marketer")
def resume(journey_id: int) -> Answer:
    """Let it run again."""
    found_journey(journey_id)
    overdue: running.Overdue = "skip" if request.form.get("overdue") == "skip" else "run"
    try:
        running.resume_journey(request_scope.session(), journey_id, overdue=overdue, actor=current_actor())
    except JourneyStateError:
        return _in_other_state(journey_id)
    flash(_("The journey runs again."), "success")
    return redirect(url_for("journeys.show", journey_id=journey_id))


@blueprint.post("/<int:journey_id>/archive")
@requires("marketer")
def archive(journey_id: int) -> Answer:
    """Put it away for good."""
    found_journey(journey_id)
    try:
        left = running.archive_journey(request_scope.session(), journey_id, actor=current_actor())
    except JourneyStateError:
        return _in_other_state(journey_id)
    said = ngettext(
        "The journey is archived; %(num)s person left it.", "The journey is archived; %(num)s people left it.", left
    )
    flash(said, "success")
    return redirect(url_for("journeys.overview"))


def _in_other_state(journey_id: int) -> AnyResponse:
    flash(_("That cannot be done any more: somebody else was first."), "warning")
    return redirect(url_for("journeys.show", journey_id=journey_id))


def _fates() -> dict[str, Fate]:
    """What the form says becomes of the people at each step."""
    given = {name.removeprefix("fate-"): value for name, value in request.form.items() if name.startswith("fate-")}
    return {step_id: value for step_id, value in given.items() if step_id and value in FATES}


def _by_step(preview: PublishPreview) -> list[tuple[str, int, Sequence[Inside]]]:
    """Who is inside on an older version, by step: the id, how many, and the rows."""
    steps: dict[str, list[Inside]] = {}
    for one in preview.inside:
        if one.version < preview.version:
            steps.setdefault(one.step_id or BEFORE_FIRST, []).append(one)
    return [(step_id, sum(one.people for one in rows), rows) for step_id, rows in steps.items()]


def _per_day() -> int | None:
    """How many of those already in the segment may enter on one day; None for all at once."""
    typed = request.form.get("per_day", type=int)
    return min(typed, PER_DAY_MAX) if typed is not None and typed > 0 else None


def _expected_said(journey_id: int) -> str:
    """Who would enter, as a sentence; nothing for a draft that cannot be read yet."""
    session, journey = request_scope.session(), found_journey(journey_id)
    try:
        expected = expected_entries(session, parse_definition(journey.draft))
    except InvalidDefinitionError:
        return str(_("Finish what starts it to see who would enter."))
    return _said(expected)


def _said(expected: Expected) -> str:
    if expected.is_slow:
        return str(_("It takes too long to count who would enter."))
    parts = []
    if expected.now is not None:
        parts.append(_("In it already: %(count)s people.", count=show_number(expected.now)))
    if expected.per_week is not None:
        parts.append(_("About %(count)s a week, judged by what happened before.", count=_roughly(expected.per_week)))
    return " ".join(parts) or str(_("How many will enter is not known beforehand."))


def _roughly(number: float) -> str:
    return show_number(round(number)) if number >= 1 or number == 0 else str(_("fewer than 1"))


def _enters_by_segment(journey_id: int) -> bool:
    try:
        trigger = parse_definition(found_journey(journey_id).draft).trigger
    except InvalidDefinitionError:
        return False
    return isinstance(trigger, OnSegment) and trigger.on == "enter"


def _allows_loopback() -> bool:
    return request_scope.runtime().settings.allow_loopback_connections
