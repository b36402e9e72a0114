"""The desk: what people asked for, by when it must be answered, and the buttons that do it."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import force_locale
from flask_babel import gettext as _
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from app import clock
from app.accounts import audit
from app.accounts.access import current_actor, may, requires
from app.accounts.organisations import current_organisation
from app.consent import requests as desk
from app.consent.clearing.erasures import erasure_progress
from app.consent.models import RightsRequest
from app.consent.subjects import contacts_by_subject, email_subject
from app.contacts.directory import find_contact
from app.contacts.errors import UnknownContact
from app.contacts.restricting import lift_restriction
from app.rights import words
from app.rights.carrying_out import NEEDS_IDENTITY, OUTCOMES, NotYet, carry_out
from app.rights.schemas import (
    CarryOutSchema,
    ClosingSchema,
    ExtensionSchema,
    IdentitySchema,
    LiftingSchema,
    NewRequestSchema,
)
from app.ui import request_scope
from app.ui.errors import answer_http_error
from app.ui.formats import show_date
from app.ui.forms import Form, new_form, read_form, shown_again
from app.ui.languages import LANGUAGE_NAMES, current_language

blueprint = Blueprint("rights", __name__, url_prefix="/rights", template_folder="templates")

Answer = str | tuple[str, int] | Response


@blueprint.get("/")
@requires("marketer")
def overview() -> Answer:
    """Show what waits for an answer, the most urgent first, and what was answered."""
    session = request_scope.session()
    before = request.args.get("before", type=int)
    closed = desk.closed_requests(session, before_id=before, limit=51)
    return render_template(
        "rights/desk.html",
        waiting=desk.open_requests(session),
        closed=closed[:50],
        next_url=url_for("rights.overview", before=closed[49].id) if len(closed) > 50 else "",
        first_url=url_for("rights.overview") if before else "",
        **_shared(),
    )


@blueprint.get("/new")
@requires("marketer")
def new() -> Answer:
    """Show an empty request; ``contact`` fills in whom it is about."""
    contact_id = request.args.get("contact", type=int)
    form = new_form(kind=request.args.get("kind", ""), who=str(contact_id) if contact_id else "")
    return render_template("rights/new.html", form=form, **_shared())


@blueprint.post("/new")
@requires("marketer")
def create() -> Answer:
    """Put a request on the desk."""
    session = request_scope.session()
    form = read_form(NewRequestSchema(), request.form)
    at = _received_at(form) if form.is_valid else None
    if form.is_valid and at is None:
        form = form.with_error("received_on", _("This day has not come yet."))
    who = _whom(form.values["who"]) if form.is_valid else None
    if form.is_valid and who is None:
        form = form.with_error("who", _("Write an e-mail address, or the number of a contact from their page."))
    if not form.is_valid or who is None or at is None:
        return shown_again("rights/new.html", form=form, **_shared())
    values = form.values
    asked = desk.open_request(
        session, values["kind"], channel=values["channel"], at=at, note=values["note"], by=current_actor().id, **who
    )
    _note("rights.opened", asked)
    return redirect(url_for("rights.show", request_id=asked.id))


@blueprint.get("/<int:request_id>")
@requires("marketer")
def show(request_id: int) -> Answer:
    """Show one request with the next step, and the answer to copy."""
    return _page(_found(request_id))


@blueprint.post("/<int:request_id>/identity")
@requires("marketer")
def identity(request_id: int) -> Answer:
    """Note how we know that it is them."""
    form = read_form(IdentitySchema(), request.form)
    if not form.is_valid:
        return _page(_found(request_id), identity=form), 422
    asked = desk.note_identity(
        request_scope.session(), request_id, form.values["identity_check"], by=current_actor().id, at=clock.now()
    )
    _note("rights.identity_checked", asked)
    return redirect(url_for("rights.show", request_id=request_id))


@blueprint.post("/<int:request_id>/extend")
@requires("marketer")
def extend(request_id: int) -> Answer:
    """Give it three months, and say why."""
    form = read_form(ExtensionSchema(), request.form)
    if not form.is_valid:
        return _page(_found(request_id), extension=form), 422
    try:
        asked = desk.extend_request(request_scope.session(), request_id, form.values["reason"], at=clock.now())
    except ValueError:
        flash(_("A request can be extended once, and only within its first month."), "error")
        return redirect(url_for("rights.show", request_id=request_id))
    _note("rights.extended", asked)
    flash(_("Extended. Send the person the text below within the first month."), "success")
    return redirect(url_for("rights.show", request_id=request_id))


@blueprint.post("/<int:request_id>/carry-out")
@requires("marketer")
def carry(request_id: int) -> Answer:
    """Do what was asked."""
    session, keyring = request_scope.session(), request_scope.runtime().keyring
    form = read_form(CarryOutSchema(), request.form)
    if not form.is_valid:
        abort(422)
    try:
        asked = carry_out(session, keyring, request_id, by=current_actor(), at=clock.now(), scope=form.values["scope"])
    except NotYet as problem:
        sentences = {
            "identity": _("First note how we know that it is them."),
            "nobody": _("There is nobody left to do this for. Close the request with what you found."),
        }
        flash(sentences[problem.code], "error")
        return redirect(url_for("rights.show", request_id=request_id))
    _note("rights.carried_out", asked)
    flash(_("Done. Now answer the person, and close the request."), "success")
    return redirect(url_for("rights.show", request_id=request_id))


@blueprint.post("/<int:request_id>/close")
@requires("marketer")
def close(request_id: int) -> Answer:
    """Close it with what was done."""
    form = read_form(ClosingSchema(), request.form)
    if not form.is_valid:
        return _page(_found(request_id), closing=form), 422
    outcome = form.values["outcome"]
    state = "withdrawn" if outcome == "withdrawn" else "refused" if outcome in words.REFUSALS else "done"
    asked = desk.close_request(
        request_scope.session(),
        request_id,
        state=state,
        outcome=outcome,
        note=form.values["note"],
        by=current_actor().id,
        at=clock.now(),
    )
    _note("rights.closed", asked, outcome=outcome)
    flash(_("Closed. What was done is kept without saying who it was."), "success")
    return redirect(url_for("rights.overview"))


@blueprint.post("/contacts/<int:contact_id>/lift")
@requires("marketer")
def lift(contact_id: int) -> Answer:
    """Take a restriction off, with the reason."""
    form = read_form(LiftingSchema(), request.form)
    if not form.is_valid:
        abort(422)
    reason = form.values["reason"]
    if lift_restriction(request_scope.session(), contact_id, reason, at=clock.now()):
        subject = ("contact", contact_id)
        audit.record(
            request_scope.session(), current_actor(), "rights.restriction_lifted", subject=subject,
            details={"reason": reason},
        )  # fmt: skip
    flash(_("The restriction is lifted. They get again what they allowed, and nothing else."), "success")
    return redirect(url_for("contacts.show", contact_id=contact_id))


@blueprint.errorhandler(desk.UnknownRequest)
def _unknown(_error: desk.UnknownRequest) -> Answer:
    return answer_http_error(NotFound())


@blueprint.errorhandler(UnknownContact)
def _unknown_contact(_error: UnknownContact) -> Answer:
    return answer_http_error(NotFound())


@blueprint.errorhandler(desk.RequestClosed)
def _closed(error: desk.RequestClosed) -> Answer:
    flash(_("This request is closed already; nothing was changed."), "warning")
    return redirect(url_for("rights.show", request_id=error.args[0]))


def _found(request_id: int) -> RightsRequest:
    return desk.find_request(request_scope.session(), request_id)


def _page(asked: RightsRequest, **forms: Form) -> str:
    session = request_scope.session()
    contact = find_contact(session, asked.contact_id) if asked.contact_id else None
    language = request.args.get("language") or (contact.language if contact else None) or current_language()
    if language not in LANGUAGE_NAMES:
        language = current_organisation(session).language
    return render_template(
        "rights/request.html",
        asked=asked,
        contact=contact,
        answer=_answer(asked, language),
        answer_language=language,
        answer_languages=LANGUAGE_NAMES,
        needs_identity=asked.kind in NEEDS_IDENTITY and asked.identity_check is None,
        outcomes=_outcomes(asked),
        progress=erasure_progress(session, [asked.contact_id]) if asked.contact_id else [],
        forms={"identity": new_form(), "extension": new_form(), "closing": new_form(outcome=OUTCOMES[asked.kind])}
        | forms,
        may_see_data=may("marketer"),
        **_shared(),
    )


def _outcomes(asked: RightsRequest) -> list[tuple[str, str]]:
    return [(code, _(words.OUTCOMES[code])) for code in (OUTCOMES[asked.kind], *words.REFUSALS, "withdrawn")]


def _answer(asked: RightsRequest, language: str) -> str:
    """Return the text a colleague can copy, in the person's language, without a name: they add it as they know it."""
    house = current_organisation(request_scope.session()).name
    with force_locale(language):
        day = show_date(asked.due_on)
        if asked.state == "open" and asked.carried_out_at is None:
            kind = "extended" if asked.extended_at else "open"
            reason = _(words.EXTENSION_REASONS[asked.extension_reason]) if asked.extension_reason else ""
            core = _(words.ANSWERS[kind], day=day, reason=reason) if reason else _(words.ANSWERS[kind], day=day)
        else:
            core = _(words.ANSWERS[asked.outcome or OUTCOMES[asked.kind]])
        parts = [_("Dear reader,"), core, _(words.CLOSING), _("Kind regards,"), house]
    return "\n\n".join(parts)


def _whom(text: str) -> dict[str, Any] | None:
    """Return whom a request is about: the contact with this number, or whoever has this address, known or not."""
    session, keyring = request_scope.session(), request_scope.runtime().keyring
    if text.isdecimal() and len(text) <= 18:
        contact = find_contact(session, int(text))
        return {"contact_id": contact.merged_into_id or contact.id} if contact is not None else None
    key = email_subject(session, keyring, text)
    if key is None:
        return None
    return {"subject_key": key, "contact_id": contacts_by_subject(session, [key]).get(key)}


def _received_at(form: Form) -> datetime | None:
    """Return when it came in: the day that was given, at noon there, else now; None for a day to come."""
    now, zone = clock.now(), current_organisation(request_scope.session()).time_zone
    day: date | None = form.values["received_on"]
    if day is None or day == clock.today(zone):
        return now
    at = datetime.combine(day, time(12), ZoneInfo(zone))
    return at if at < now else None


def _shared() -> dict[str, Any]:
    today = clock.today(current_organisation(request_scope.session()).time_zone)
    kinds = [(code, _(words.KIND_NAMES[code]), _(asked)) for code, asked in words.KINDS.items()]
    return {"words": words, "today": today, "kinds": kinds}


def _note(action: str, asked: RightsRequest, **details: Any) -> None:
    session = request_scope.session()
    audit.record(
        session, current_actor(), action, subject=("request", asked.id), details={"kind": asked.kind} | details
    )
