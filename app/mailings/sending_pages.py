"""Sending a mailing: to whom and when, the button, and how it goes."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from app import clock
from app.accounts.access import current_actor, requires
from app.accounts.organisations import current_organisation
from app.db import ScopedSession
from app.mailings import progress as going
from app.mailings import scheduling, sending_words, words
from app.mailings.composing.checking import Finding
from app.mailings.composing.problems import ComposingError, MarketingInServiceError
from app.mailings.frequency import limits_of
from app.mailings.mail_settings import NotReady, sender_of
from app.mailings.mailings import MailingDraft, change_mailing, find_mailing, is_marketing, segments_of
from app.mailings.models import Mailing
from app.mailings.planning import variants_of, written_languages
from app.mailings.problems import CannotSend, InvalidMailing, NotThatState, StaleEdition, UnknownMailing
from app.mailings.recipients import REASONS, Funnel, count_recipients
from app.mailings.returns.attention import counts_of_mailing
from app.mailings.sending_checks import findings_of, refuse_stops
from app.mailings.sending_schemas import PeopleSchema, WhenSchema, cron_of
from app.segments.definitions import list_segments
from app.segments.problems import SegmentError
from app.ui import request_scope
from app.ui.forms import Form, new_form, read_form
from app.ui.languages import LANGUAGE_NAMES

blueprint = Blueprint("mailing_sending", __name__, url_prefix="/mailings", template_folder="templates")

Answer = str | tuple[str, int] | Response
HELD_OUT = (5, 10, 20, 30, 50)


@blueprint.get("/<int:mailing_id>/send")
@requires("marketer")
def show(mailing_id: int) -> Answer:
    """Show to whom a draft goes and when, and what still stands in the way."""
    mailing = _found(mailing_id)
    if mailing.state != "draft":
        return redirect(url_for("mailing_sending.progress", mailing_id=mailing_id))
    return _page(mailing, _people_form(mailing))


@blueprint.post("/<int:mailing_id>/send/people")
@requires("marketer")
def choose(mailing_id: int) -> Answer:
    """Store to whom a draft goes."""
    mailing, form = _found(mailing_id), read_form(PeopleSchema(), request.form)
    if not form.is_valid:
        return _page(mailing, form), 422
    try:
        draft = _draft(mailing, form.values)
        change_mailing(
            request_scope.session(), mailing_id, draft, edition=form.values["edition"], actor=current_actor()
        )
    except InvalidMailing as problem:
        for name, code in problem.errors.items():
            form = form.with_error(name, _(sending_words.field_problem(name, code)))
        return _page(mailing, form), 422
    except (StaleEdition, NotThatState):
        flash(_("Somebody else changed this mailing meanwhile. This is how it stands; choose again."), "warning")
        if request.headers.get("HX-Request"):
            # A part of the page would not show what the other person chose.
            return Response(status=204, headers={"HX-Refresh": "true"})
    return redirect(url_for("mailing_sending.show", mailing_id=mailing_id))


@blueprint.get("/<int:mailing_id>/send/count")
@requires("marketer")
def count(mailing_id: int) -> Answer:
    """Show how many get it, why the others do not, and the form that sends it; a part of the page."""
    zone = ZoneInfo(current_organisation(request_scope.session()).time_zone)
    tomorrow = clock.now().astimezone(zone).date() + timedelta(days=1)
    form = new_form(when="now", on=tomorrow.isoformat(), at="10:00", every="week", day=1, repeat_at="10:00")
    return _count_part(_found(mailing_id), form)


@blueprint.post("/<int:mailing_id>/send")
@requires("marketer")
def send(mailing_id: int) -> Answer:
    """Send a draft now, at a moment, or again and again."""
    mailing, form, session = _found(mailing_id), read_form(WhenSchema(), request.form), request_scope.session()
    if not form.is_valid:
        return _page(mailing, _people_form(mailing), when=form), 422
    if form.values["edition"] != mailing.edition:
        flash(_("Somebody else changed this mailing meanwhile. Look at it once more before you send it."), "warning")
        return redirect(url_for("mailing_sending.show", mailing_id=mailing_id))
    try:
        values = form.values
        refuse_stops(session, request_scope.runtime(), mailing)
        scheduling.schedule(
            session,
            mailing_id,
            actor=current_actor(),
            send_at=_moment(session, values),
            repeats=cron_of(dict(values)) if values["when"] == "repeats" else None,
            people=values["people"],
        )
    except InvalidMailing as problem:
        for name, code in problem.errors.items():
            field = {"send_at": "on", "repeats": "repeat_at"}.get(name, name)
            form = form.with_error(field, _(sending_words.field_problem(name, code)))
        return _page(mailing, _people_form(mailing), when=form), 422
    except (CannotSend, ComposingError, SegmentError, NotThatState) as problem:
        flash(_why_not(problem), "error")
        return redirect(url_for("mailing_sending.show", mailing_id=mailing_id))
    return redirect(url_for("mailing_sending.progress", mailing_id=mailing_id))


@blueprint.get("/<int:mailing_id>/progress")
@requires("viewer")
def progress(mailing_id: int) -> Answer:
    """Show how a mailing goes."""
    mailing = _found(mailing_id)
    if mailing.state == "draft":
        return redirect(url_for("mailings.show", mailing_id=mailing_id))
    return render_template("mailings/progress.html", mailing=mailing, **_status(mailing))


@blueprint.get("/<int:mailing_id>/progress/status")
@requires("viewer")
def status(mailing_id: int) -> Answer:
    """Show how it goes now; a part of the page that asks again by itself."""
    mailing = _found(mailing_id)
    return render_template("mailings/status.html", mailing=mailing, **_status(mailing))


@blueprint.post("/<int:mailing_id>/pause")
@requires("marketer")
def pause(mailing_id: int) -> Answer:
    """Hold a mailing until somebody resumes it."""
    return _do(mailing_id, going.pause, _("It is paused. Nobody more gets it for now."))


@blueprint.post("/<int:mailing_id>/resume")
@requires("marketer")
def resume(mailing_id: int) -> Answer:
    """Go on with a mailing that waits."""
    return _do(mailing_id, going.resume, _("It goes on."))


@blueprint.post("/<int:mailing_id>/cancel")
@requires("marketer")
def cancel(mailing_id: int) -> Answer:
    """Stop a mailing for good."""
    return _do(mailing_id, going.cancel, _("It is cancelled. Nobody more gets it."))


@blueprint.post("/<int:mailing_id>/unschedule")
@requires("marketer")
def unschedule(mailing_id: int) -> Answer:
    """Make a scheduled mailing a draft again."""
    answer = _do(mailing_id, scheduling.unschedule, _("It is a draft again, and goes to nobody by itself."))
    if _found(mailing_id).state == "draft":
        return redirect(url_for("mailing_sending.show", mailing_id=mailing_id))
    return answer


def _do(mailing_id: int, verb: Callable[..., Mailing], done: str) -> Response:
    try:
        verb(request_scope.session(), mailing_id, actor=current_actor())
    except UnknownMailing:
        abort(404)
    except NotThatState:
        flash(_("That is not possible any more: look at how it stands now."), "warning")
    else:
        flash(done, "success")
    return redirect(url_for("mailing_sending.progress", mailing_id=mailing_id))


def _page(mailing: Mailing, form: Form, *, when: Form | None = None) -> str:
    session = request_scope.session()
    chosen = _chosen(session, mailing, form)
    sender = sender_of(session, request_scope.runtime())
    return render_template(
        "mailings/send.html",
        mailing=mailing,
        form=form,
        when=_count_part(mailing, when) if when is not None else "",
        segments=sorted(list_segments(session), key=lambda each: (each.id not in chosen, each.name.lower())),
        chosen=chosen,
        held_out=[
            (0, _("Nobody: everybody gets it")),
            *((each, _("%(percent)s %% of the people", percent=each)) for each in HELD_OUT),
        ],
        variants=variants_of(mailing.content),
        languages=[LANGUAGE_NAMES[each] for each in written_languages(mailing.content)],
        language_names=LANGUAGE_NAMES,
        is_marketing=is_marketing(session, mailing.purpose),
        limits=limits_of(session),
        not_ready=_(words.MISSING[sender.missing]) if isinstance(sender, NotReady) else "",
        domain="" if isinstance(sender, NotReady) else sender.domain,
        said=lambda finding: finding.message.said_in(_),
        findings=[each for each in _findings(mailing) if each.severity != "hint"],
        signs=not isinstance(sender, NotReady) and bool(sender.signers),
    )


def _count_part(mailing: Mailing, form: Form) -> str:
    session = request_scope.session()
    problem, funnel = "", None
    if segments_of(session, mailing.id)[0]:
        try:
            funnel = count_recipients(session, mailing.id)
        except SegmentError:
            problem = _("One of the segments cannot be worked out. Mend it, then come back.")
    return render_template(
        "mailings/count.html",
        mailing=mailing,
        form=form,
        funnel=funnel,
        problem=problem,
        steps=[] if funnel is None else _steps(funnel),
        zone=current_organisation(session).time_zone,
        is_written=bool(written_languages(mailing.content)),
    )


def _findings(mailing: Mailing) -> list[Finding]:
    try:
        return findings_of(request_scope.session(), request_scope.runtime(), mailing)
    except CannotSend:
        return []


def _steps(funnel: Funnel) -> list[dict[str, Any]]:
    """Return who is left after each reason, from everybody meant to everybody who gets it."""
    steps: list[dict[str, Any]] = [{"label": _("Meant for"), "number": funnel.meant}]
    left = funnel.meant
    for name in REASONS:
        dropped = funnel.left_out[name]
        if dropped:
            left -= dropped
            steps.append({"label": "", "number": left, "dropped": dropped, "reason": _(sending_words.REASONS[name])})
    steps[-1]["label"] = _("Get it") if len(steps) > 1 else _("Meant for, and get it")
    return steps


def _status(mailing: Mailing) -> dict[str, Any]:
    found = going.progress_of(request_scope.session(), mailing.id)
    return {
        "progress": found,
        "because": _(sending_words.paused_because(found.paused_because)) if mailing.state == "paused" else "",
        "is_live": mailing.state in ("scheduled", "sending"),
        "came_back": counts_of_mailing(request_scope.session(), mailing.id),
    }


def _people_form(mailing: Mailing) -> Form:
    test = mailing.ab_test or {}
    return new_form(
        edition=mailing.edition,
        holdout_percent=mailing.holdout_percent,
        season_holdout=mailing.season_holdout,
        share_percent=test.get("share_percent", ""),
        decide_by=test.get("decide_by", "clicks"),
        after_hours=test.get("after_hours", 4),
    )


def _chosen(session: ScopedSession, mailing: Mailing, form: Form) -> dict[int, str]:
    """Return the part of each segment: as somebody just chose it, else as it is stored."""
    if form.is_submitted:
        return {number: part for number, part in _typed_parts() if part}
    to, without = segments_of(session, mailing.id)
    return dict.fromkeys(to, "to") | dict.fromkeys(without, "without")


def _typed_parts() -> list[tuple[int, str]]:
    found = []
    for name, value in request.form.items():
        if typed := re.fullmatch(r"segment-([0-9]{1,18})", name):
            found.append((int(typed[1]), value if value in ("to", "without") else ""))
    return found


def _draft(mailing: Mailing, values: Any) -> MailingDraft:
    parts = _typed_parts()
    test = None
    if values["share_percent"]:
        test = {"share_percent": values["share_percent"], "decide_by": values["decide_by"]}
        test |= {"after_hours": values["after_hours"]} if values["after_hours"] else {}
    return MailingDraft(
        name=mailing.name,
        purpose=mailing.purpose,
        to=[number for number, part in parts if part == "to"],
        without=[number for number, part in parts if part == "without"],
        priority=mailing.priority,
        holdout_percent=values["holdout_percent"],
        season_holdout=values["season_holdout"],
        ab_test=test,
        effect_days=mailing.effect_days,
    )


def _moment(session: ScopedSession, values: Any) -> datetime | None:
    if values["when"] != "at":
        return None
    return scheduling.local_instant(values["on"], values["at"], current_organisation(session).time_zone)


def _why_not(problem: Exception) -> str:
    match problem:
        case CannotSend(codes=codes):
            known = sending_words.CANNOT_SEND
            return " ".join(str(_(known.get(code, sending_words.CANNOT_SEND_OTHERWISE))) for code in codes)
        case MarketingInServiceError():
            return str(
                _(
                    "This is practical information, and it holds blocks that sell something. Take them out, or give the"
                    " mailing another purpose."
                )
            )
        case SegmentError():
            return str(_("One of the segments cannot be worked out. Mend it, then come back."))
        case NotThatState():
            return str(_("That is not possible any more: look at how it stands now."))
        case _:
            return str(_(sending_words.CANNOT_SEND_OTHERWISE))


def _found(mailing_id: int) -> Mailing:
    try:
        mailing = find_mailing(request_scope.session(), mailing_id)
    except UnknownMailing:
        abort(404)
    if mailing.kind == "journey":
        abort(404)
    return mailing
