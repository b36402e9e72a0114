"""Purposes and consent texts: seen by everybody in the house, changed by administrators."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from app.accounts import audit
from app.accounts.access import current_actor, requires
from app.accounts.organisations import current_organisation
from app.consent import purposes
from app.consent.countries import rules_of
from app.consent.models import Purpose
from app.consent.recomputing import progress_of
from app.consent.schemas import NoticesSchema, PurposeSchema
from app.consent.wordings import LANGUAGES, name_of, wording_for
from app.ui import request_scope
from app.ui.forms import Form, new_form, read_form
from app.ui.languages import current_language

blueprint = Blueprint("purposes", __name__, url_prefix="/settings/purposes", template_folder="../templates")

Answer = str | tuple[str, int] | Response

MARKETING_BASES = ("consent", "soft_opt_in", "impersonal_address")


@blueprint.get("/")
@requires("viewer")
def overview() -> Answer:
    """Show what people may be contacted for, and how many may be."""
    session = request_scope.session()
    return render_template(
        "consent/purposes.html",
        purposes=purposes.list_purposes(session),
        counts=purposes.allowed_counts(session),
        recomputing=progress_of(session),
        name_of=lambda purpose: name_of(purpose, current_language()),
    )


@blueprint.get("/new")
@requires("admin")
def new() -> Answer:
    """Show an empty purpose."""
    return _new_page(new_form(allowed_bases=["consent"], is_active=True, retention_days=1096))


@blueprint.post("/new")
@requires("admin")
def create() -> Answer:
    """Add a purpose."""
    form = _read_rules(is_marketing=True)
    if form.is_valid:
        try:
            purpose = purposes.create_purpose(request_scope.session(), _change(form))
        except purposes.PurposeTaken:
            form = form.with_error("name_en", _("There is already a purpose with this English name."))
    if not form.is_valid:
        return _new_page(form), 422
    _note("consent.purpose_created", purpose)
    flash(_("The purpose is there. Write what people say yes to, and publish it."), "success")
    return redirect(url_for("purposes.show", code=purpose.code))


@blueprint.get("/<code>")
@requires("viewer")
def show(code: str) -> Answer:
    """Show one purpose: its rules, its texts and every version of them."""
    purpose = _found(code)
    return _page(purpose, rules=_rules_form(purpose), texts=_texts_form(purpose))


@blueprint.post("/<code>")
@requires("admin")
def change(code: str) -> Answer:
    """Change the rules of a purpose; permission follows at once."""
    purpose = _found(code)
    form = _read_rules(is_marketing=purpose.is_marketing)
    if not form.is_valid:
        return _page(purpose, rules=form, texts=_texts_form(purpose)), 422
    purposes.change_purpose(request_scope.session(), purpose, _change(form))
    _note("consent.purpose_changed", purpose)
    flash(_("Saved. Who may be contacted follows from it as of now."), "success")
    return redirect(url_for("purposes.show", code=code))


@blueprint.post("/<code>/texts")
@requires("admin")
def save_texts(code: str) -> Answer:
    """Keep drafts of the texts, or publish them as a new version."""
    purpose = _found(code)
    session = request_scope.session()
    form = read_form(NoticesSchema(), request.form)
    texts = {language: form.values.get(language, "") for language in LANGUAGES}
    if form.is_valid and form.values["publish"] and not all(texts.values()):
        for language in (each for each, text in texts.items() if not text):
            form = form.with_error(language, _("Write the text in this language too before you publish."))
    if not form.is_valid:
        return _page(purpose, rules=_rules_form(purpose), texts=form), 422
    if form.values["publish"]:
        purposes.publish_notices(session, purpose, texts)
        _note("consent.notice_published", purpose)
        flash(
            _("Published. From now on people see these texts; earlier consents keep the text they were given for."),
            "success",
        )
    else:
        purposes.save_drafts(session, purpose, texts)
        _note("consent.notice_drafted", purpose)
        flash(_("The draft is kept. Nobody sees it until you publish."), "success")
    return redirect(url_for("purposes.show", code=code) + "#texts")


def _found(code: str) -> Purpose:
    purpose = purposes.find_purpose(request_scope.session(), code)
    if purpose is None:
        abort(404)
    return purpose


def _read_rules(*, is_marketing: bool) -> Form:
    form = read_form(PurposeSchema(), request.form)
    if form.is_valid and is_marketing and not set(form.values["allowed_bases"]) & set(MARKETING_BASES):
        form = form.with_error("allowed_bases", _("Choose at least one basis; consent is the safest."))
    if form.is_valid and set(form.values["allowed_bases"]) - set(MARKETING_BASES):
        form = form.with_error("allowed_bases", _("Choose from the list."))
    return form


def _change(form: Form) -> purposes.PurposeRulesChange:
    values = form.values
    return purposes.PurposeRulesChange(
        names={language: values[f"name_{language}"] for language in LANGUAGES},
        allowed_bases=values["allowed_bases"],
        needs_confirmation=values["needs_confirmation"],
        retention_days=values["retention_days"],
        is_active=values["is_active"],
    )


def _rules_form(purpose: Purpose) -> Form:
    names = {f"name_{language}": purpose.names.get(language, "") for language in LANGUAGES}
    rules = ("allowed_bases", "needs_confirmation", "retention_days", "is_active")
    return new_form(**names, **{name: getattr(purpose, name) for name in rules})


def _texts_form(purpose: Purpose) -> Form:
    return new_form(
        **{language: purpose.notice_drafts.get(language) or _shown(purpose, language) for language in LANGUAGES}
    )


def _shown(purpose: Purpose, language: str) -> str:
    session = request_scope.session()
    return wording_for(session, purpose, language=language, house=current_organisation(session).name).text


def _new_page(form: Form) -> str:
    return render_template("consent/new_purpose.html", rules=form, bases=_bases(), is_marketing=True)


def _page(purpose: Purpose, *, rules: Form, texts: Form) -> str:
    session = request_scope.session()
    return render_template(
        "consent/purpose.html",
        purpose=purpose,
        name=name_of(purpose, current_language()),
        rules=rules,
        texts=texts,
        bases=_bases(),
        is_marketing=purpose.is_marketing,
        versions=purposes.notice_versions(session, purpose),
        current_ids=set(purpose.published_notices.values()),
        allowed=purposes.allowed_counts(session).get(purpose.code, 0),
        recomputing=[each for each in progress_of(session) if each.purpose in (None, purpose.code)],
    )


def _bases() -> list[tuple[str, str, str]]:
    explained: dict[str, tuple[str, str]] = {
        "consent": (_("Consent"), _("The person said yes to the text you showed.")),
        "soft_opt_in": (
            _("Own customers"),
            _("Somebody who bought from you, for your own similar offer, with a way to refuse at the purchase."),
        ),
        "impersonal_address": (
            _("Impersonal addresses"),
            _("Addresses such as info@ of an organisation. Belgium only."),
        ),
    }
    known = rules_of(current_organisation(request_scope.session()).country).bases
    return [(code, *explained[code]) for code in MARKETING_BASES if code in known]


def _note(action: str, purpose: Purpose, **details: Any) -> None:
    audit.record(request_scope.session(), current_actor(), action, details={"purpose": purpose.code} | details)
