"""The builder: the page, and what its script asks while somebody builds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from flask import abort, current_app, jsonify, render_template, request, url_for
from flask_babel import gettext as _

from app.accounts import audit
from app.accounts.access import current_actor, requires
from app.journeys import drafts
from app.journeys.checking import Finding, problems_of
from app.journeys.choices import choices_of
from app.journeys.models import Journey
from app.journeys.numbers import StepNumbers, numbers_of
from app.journeys.pages import Answer, Json, blueprint, found_journey, wording_of_reader
from app.journeys.problems import ImpossibleDraftError, StaleDraftError
from app.journeys.reasons import told_reason
from app.journeys.telling import all_steps, tell_story
from app.mailings.mailings import MailingDraft, create_mailing
from app.mailings.mailings import free_name as free_mailing_name
from app.mailings.problems import InvalidMailing
from app.segments.building.suggestions import suggest
from app.segments.closures import closed_periods
from app.segments.compiling.scope import scope_of
from app.segments.definitions import list_segments, names_in, read_rule
from app.segments.language import rules
from app.segments.language.rule_fields import REQUIRED
from app.segments.problems import SegmentError
from app.ui import request_scope
from app.ui.formats import show_number
from app.ui.languages import current_language

COMPOSER, TESTER = "mailings.compose", "mailings.try_out"


@blueprint.get("/<int:journey_id>/build")
@requires("marketer")
def build(journey_id: int) -> Answer:
    """The builder with the draft of this journey in it."""
    session, journey = request_scope.session(), found_journey(journey_id)
    return render_template(
        "journeys/builder.html",
        journey=journey,
        choices=asdict(choices_of(session, language=current_language())),
        others=[(one.id, one.name) for one in list_segments(session)],
        today=scope_of(session).as_of,
        named=_named(journey.draft),
        told=_told(journey.draft),
        numbers=_numbers(journey),
        urls=_urls(journey_id),
    )


@blueprint.post("/<int:journey_id>/draft")
@requires("marketer")
def autosave(journey_id: int) -> Answer:
    """Keep the draft as it is now; the answer tells it as a story, with what is still missing."""
    given = given_object()
    session, definition = request_scope.session(), given.get("definition")
    found_journey(journey_id)
    edition = given.get("edition")
    try:
        saved = drafts.save_draft(
            session,
            journey_id,
            definition,  # type: ignore[arg-type]  # what is no object is refused there
            edition=edition if isinstance(edition, int) else 0,
        )
    except StaleDraftError as stale:
        said = _("Somebody else changed this journey meanwhile.")
        return jsonify({"problem": said, "edition": stale.edition}), 409
    except ImpossibleDraftError:
        return jsonify({"problem": _("This journey is too large to keep. Take some steps out.")}), 422
    return jsonify({"edition": saved, **_told(drafts.find_journey(session, journey_id).draft)})


@blueprint.post("/<int:journey_id>/mailing")
@requires("marketer")
def write_mailing(journey_id: int) -> Answer:
    """Begin a mailing of this journey, to be written in the composer."""
    session, journey, given = request_scope.session(), found_journey(journey_id), given_object()
    name = str(given.get("name") or "").strip()[: drafts.NAME_MAX] or journey.name
    purpose = str(journey.draft.get("purpose") or "newsletter")
    try:
        mailing = create_mailing(
            session,
            MailingDraft(name=free_mailing_name(session, name), purpose=purpose, kind="journey"),
            actor=current_actor(),
        )
    except InvalidMailing:
        return jsonify(
            {"problem": _("Choose in the settings of the journey what it is for; then write the mail.")}
        ), 422
    audit.record(session, current_actor(), "journeys.write_mailing", subject=("journey", journey_id))
    return jsonify({"id": mailing.id, "name": mailing.name, "url": composer_url(mailing.id)})


def _numbers(journey: Journey) -> dict[str, Json]:
    """What happened at each step so far, as the script shows it: counts that lead to the people, and why not."""
    if journey.version is None:
        return {}
    return {
        step_id: _figures(journey.id, step_id, of)
        for step_id, of in numbers_of(request_scope.session(), journey.id).items()
    }


def _figures(journey_id: int, step_id: str, of: StepNumbers) -> Json:
    shown = [
        ("entered", of.entered, _("came"), ""),
        ("waiting", of.waiting, _("wait here"), "is-waiting"),
        ("done", of.done, _("went on"), ""),
        ("skipped", of.all_skipped, _("passed over"), ""),
        ("failed", of.failed, _("failed"), "is-bad"),
        ("held", of.all_held, _("held"), "is-bad"),
    ]
    why = [f"{show_number(count)} × {told_reason(code, _)}" for code, count in (*of.held.items(), *of.skipped.items())]
    why += [
        _("%(count)s × no mail: %(reason)s", count=show_number(count), reason=told_reason(code, _))
        for code, count in of.not_sent.items()
    ]
    return {
        "counts": [
            {
                "count": show_number(count),
                "word": word,
                "tone": tone,
                "url": url_for("journeys.people", journey_id=journey_id, step=step_id, what=what),
            }
            for what, count, word, tone in shown
            if count or what == "entered"
        ],
        "why": why,
    }


def _urls(journey_id: int) -> Json:
    """What the script asks, and where mailings are written (with 0 for the number of the mailing)."""
    return {
        "draft": url_for("journeys.autosave", journey_id=journey_id),
        "mailing": url_for("journeys.write_mailing", journey_id=journey_id),
        "entries": url_for("journeys.entries", journey_id=journey_id),
        "test": url_for(TESTER, mailing_id=0) if TESTER in current_app.view_functions else "",
        "composer": composer_url(0),
    }


def composer_url(mailing_id: int) -> str:
    """Where a mailing is written, or nothing where this house has no composer."""
    return url_for(COMPOSER, mailing_id=mailing_id) if COMPOSER in current_app.view_functions else ""


def given_object() -> Mapping[str, Any]:
    """The JSON object that the script sent, or the page that says it is none."""
    given = request.get_json(silent=True)
    if not isinstance(given, Mapping):
        abort(400)
    return given


def _told(definition: Mapping[str, Any]) -> Json:
    """The story and the list of what is missing, as the script reads them."""
    story = tell_story(request_scope.session(), definition, wording_of_reader())
    allows_loopback = request_scope.runtime().settings.allow_loopback_connections
    found = problems_of(request_scope.session(), definition, allows_loopback=allows_loopback)
    return {"story": asdict(story), "problems": [_said(one) for one in found]}


def _said(problem: Finding) -> Json:
    """A problem in words; of what is missing, what to do about it."""
    is_missing = getattr(problem.message, "msgid", "") in (REQUIRED["required"], REQUIRED["null"])
    wanted = _to_choose().get(problem.path.rpartition(".")[2]) if is_missing else None
    sentence = wanted or problem.message.said_in(_)
    return {"path": problem.path, "sentence": sentence, "stops": problem.severity == "stops"}


def _to_choose() -> dict[str, str]:
    return {
        "trigger": _("Choose what it is about."),
        "mailing": _("Choose a mailing, or write a new one."),
        "segment": _("Choose a segment."),
        "audience": _("Choose an audience."),
        "form": _("Choose a form."),
        "programme": _("Choose a pass."),
        "purpose": _("Choose what it is for."),
        "field": _("Choose a field."),
        "name": _("Give it a name."),
        "to": _("Fill in to whom."),
        "text": _("Fill in what to tell."),
        "url": _("Fill in the web address."),
    }


def _named(definition: Mapping[str, Any]) -> Json:
    """What the rules of a definition call by number, for the editor of rules."""
    session = request_scope.session()
    named: Json = {
        "activities": {},
        "journeys": {},
        "genres": {},
        "has_journeys": bool(suggest(session, "journeys", "")),
        "closed": [(one.first.isoformat(), one.last.isoformat()) for one in closed_periods(session)],
    }
    readable = []
    for rule in _rules_in(definition):
        with suppress(SegmentError):
            readable.append(read_rule(session, rule))
    names = names_in(session, rules.All(tuple(readable)), language=current_language())
    named["activities"] = {str(number): title for number, title in names.activities.items()}
    named["journeys"] = {str(number): title for number, title in names.journeys.items()}
    named["genres"] = dict(names.genres)
    return named


def _rules_in(definition: Mapping[str, Any]) -> Iterator[object]:
    goal = definition.get("goal")
    yield from (
        rule for rule in (definition.get("only"), goal.get("rule") if isinstance(goal, Mapping) else None) if rule
    )
    for step in all_steps(definition.get("steps")):
        branches = step.get("branches")
        for one in branches if isinstance(branches, list) else ():
            if isinstance(one, Mapping) and one.get("when"):
                yield one["when"]
