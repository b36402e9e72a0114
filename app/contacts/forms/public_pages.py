"""A sign-up form as its audience sees it, on our page or sent from the house's own site. No cookie, no script.

Whoever fills it in hears the same whether the house knows them or not. Nothing a person typed is lost: whatever is
wrong, the form comes back filled in.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Blueprint, Response, g, make_response, request
from flask_babel import gettext as _

from app import clock
from app.accounts import directory
from app.accounts.access import public
from app.accounts.addresses import normalise_email
from app.accounts.organisations import current_organisation
from app.accounts.rate_limits import Limit
from app.consent.address_hints import likely_meant
from app.consent.notices import Wording
from app.consent.public_pages import TEN_MINUTES, Answer, hold_back, keep_calm, shown, speak_to, too_often, unknown_link
from app.consent.wordings import name_of
from app.contacts.forms.definitions import FIELDS, Definition, asked_purposes, find_form
from app.contacts.forms.models import SignupForm
from app.contacts.forms.schemas import FilledInSchema
from app.contacts.forms.shown import Shown, current_wordings, read, show, sign, wording_shown
from app.contacts.forms.signing_up import Sent, needs_guardian, sign_up
from app.contacts.forms.statistics import count
from app.db import transaction
from app.ui import request_scope
from app.ui.forms import Form, new_form, read_form
from app.ui.languages import speak
from app.ui.security import framed_by

blueprint = Blueprint("signup", __name__, template_folder="../templates")
keep_calm(blueprint)

# A class of thirty behind one address fills in a form; one address does not do so thirty times.
PER_FORM = Limit("form", 1200, TEN_MINUTES)
PER_ADDRESS = Limit("signups of an address", 6, 6 * TEN_MINUTES)
FASTEST_S = 2
OLDEST_PERSON_YEARS = 120


@blueprint.get("/f/<code>")
@public
def fill_in(code: str) -> Answer:
    """Show the form."""
    form = _enter(code)
    if form is None:
        return unknown_link()
    wait = hold_back({PER_FORM: f"shown {code}"}, is_act=False)
    if wait is not None:
        return too_often(wait)
    if not form.is_active:
        return shown("forms/closed.html"), 410
    if request.method == "GET":
        with transaction(request_scope.runtime().engine, form.organisation_id) as session:
            count(session, form.id, "shown")
    return _form_page(form, new_form())


@blueprint.post("/f/<code>")
@public
def send(code: str) -> Answer:
    """Take in what was filled in, or show it again with what is wrong."""
    form = _enter(code)
    if form is None:
        return unknown_link()
    wait = hold_back({PER_FORM: code})
    if wait is not None:
        return too_often(wait)
    if not form.is_active:
        return shown("forms/closed.html"), 410
    filled = read_form(FilledInSchema(), request.form)
    was = read(request_scope.runtime().keyring, request.form.get("shown", ""))
    if was is None or was.form_id != form.id:
        return _again(
            form, filled, _("This form was open for a long time. This is how it is now: look at it, and send it again.")
        )
    if was.language != g.spoken_language:
        speak(was.language, time_zone=g.spoken_time_zone)
    return _taken_in(form, Definition.read(form.definition), filled, was)


def _taken_in(form: SignupForm, definition: Definition, filled: Form, was: Shown) -> Answer:
    if _looks_like_a_machine(was):
        return _again(form, filled, _("That went very fast. Look at what is filled in, and send it again."))
    filled = _checked(definition, filled)
    ticked = _ticked(definition, was)
    if ticked is None:
        return _again(
            form,
            filled,
            _("The text of this form has changed since you opened it. Read it, tick what you want, and send it again."),
            keep_ticks=False,
        )
    if not ticked:
        filled = filled.with_error(
            "wanted", _("Tick at least one box: without your yes the house may send you nothing.")
        )
    if not filled.is_valid:
        return _refused(_form_page(form, filled))
    address = filled.values["email"]
    meant = likely_meant(address)
    if meant is not None and request.form.get("kept") != address:
        return _refused(_form_page(form, filled, meant=meant))
    return _signed_up(form, definition, filled, ticked, was)


def _signed_up(
    form: SignupForm, definition: Definition, filled: Form, ticked: dict[str, Wording], was: Shown
) -> Answer:
    session, keyring = request_scope.session(), request_scope.runtime().keyring
    values = filled.values
    born: date | None = values.get("birth_date") if definition.asks("birth_date") else None
    guardian = values.get("guardian_email") if needs_guardian(session, born) else None
    address = normalise_email(values["email"]) or ""
    # Whoever sends it too often hears nothing else than anybody, and nobody's mailbox fills up.
    if hold_back({PER_ADDRESS: f"{form.organisation_id} {address}"}) is None:
        sent = Sent(
            address=address,
            profile={
                name: values[name]
                for name in ("given_name", "family_name", "postcode")
                if _kept(definition, name, values)
            },
            tags=_tags(definition, request.form.getlist("interest")),
            ticked=ticked,
            language=was.language,
            birth_date=born,
            guardian_address=guardian,
            nonce=was.nonce,
        )
        sign_up(session, keyring, form, sent, needs_confirmation=definition.needs_confirmation)
    thanks = definition.texts.get(was.language, {}).get("thanks", "")
    return _framed(
        definition,
        shown("forms/thanks.html", thanks=thanks, by_guardian=guardian is not None, is_framed=_is_framed(definition)),
    )


def _kept(definition: Definition, name: str, values: Any) -> bool:
    return definition.asks(name) and bool(values.get(name))


def _tags(definition: Definition, chosen: list[str]) -> list[str]:
    interests = [each.tag for each in definition.interests if each.tag in chosen]
    return [tag for tag in (definition.tag, *interests) if tag]


def _looks_like_a_machine(was: Shown) -> bool:
    """Whether the field nobody sees is filled in, or the form came back faster than a person reads."""
    is_too_fast = was.shown_at is not None and (clock.now() - was.shown_at).total_seconds() < FASTEST_S
    return bool(request.form.get("website")) or is_too_fast


def _checked(definition: Definition, filled: Form) -> Form:
    """Return the form with what is wrong with its fields."""
    values = filled.values
    if not filled.is_valid:
        return filled
    if normalise_email(values["email"]) is None:
        filled = filled.with_error("email", _("This is not a valid e-mail address. Example: name@example.org."))
    for name in FIELDS:
        if definition.needs(name) and not values.get(name):
            filled = filled.with_error(name, _("Fill this in."))
    born = values.get("birth_date")
    if born is not None and not 0 <= clock.today(g.spoken_time_zone).year - born.year <= OLDEST_PERSON_YEARS:
        return filled.with_error("birth_date", _("This cannot be a date of birth."))
    if definition.asks("birth_date") and needs_guardian(request_scope.session(), born):
        filled = _with_guardian(filled, values)
    return filled


def _with_guardian(filled: Form, values: Any) -> Form:
    guardian = normalise_email(values.get("guardian_email") or "")
    if guardian is None:
        return filled.with_error(
            "guardian_email",
            _(
                "You are too young to decide this alone. Fill in the e-mail address of a parent or guardian: "
                "they get the mail to confirm."
            ),
        )
    if guardian == normalise_email(values["email"]):
        return filled.with_error("guardian_email", _("This is your own address. Fill in that of a parent or guardian."))
    return filled


def _ticked(definition: Definition, was: Shown) -> dict[str, Wording] | None:
    """Return the sentences that were ticked, as they were shown; None where one of them can no longer be told."""
    session = request_scope.session()
    house, wanted = current_organisation(session).name, request.form.getlist("wanted")
    ticked = {}
    for purpose in asked_purposes(session, definition):
        if purpose.code in wanted:
            wording = wording_shown(session, purpose, was, house=house)
            if wording is None:
                return None
            ticked[purpose.code] = wording
    return ticked


def _enter(code: str) -> SignupForm | None:
    """Scope the request to the house of a form, and speak a language of the form."""
    runtime = request_scope.runtime()
    if not code.isascii() or len(code) > 40:
        return None
    found = directory.find(request_scope.session(), runtime.keyring, "form", code)
    if not found:
        return None
    request_scope.enter(found[0].organisation_id)
    form = find_form(request_scope.session(), found[0].target_id)
    if form is not None:
        languages = Definition.read(form.definition).languages
        house = current_organisation(request_scope.session())
        asked = request.args.get("language") or request.accept_languages.best_match(languages)
        speak_to(asked if asked in languages else None)
        if g.spoken_language not in languages:
            speak(languages[0], time_zone=house.time_zone)
    return form


def _again(form: SignupForm, filled: Form, sentence: str, *, keep_ticks: bool = True) -> Answer:
    return _refused(_form_page(form, Form(typed=filled.typed, is_submitted=True), told=sentence, keep_ticks=keep_ticks))


def _refused(page: Response) -> Response:
    page.status_code = 422
    return page


def _form_page(form: SignupForm, filled: Form, *, meant: str = "", told: str = "", keep_ticks: bool = True) -> Response:
    session, keyring = request_scope.session(), request_scope.runtime().keyring
    definition, language = Definition.read(form.definition), g.spoken_language
    house = current_organisation(session).name
    purposes = asked_purposes(session, definition)
    wordings = current_wordings(session, purposes, language=language, house=house)
    page = shown(
        "forms/form.html",
        form=filled,
        definition=definition,
        texts=definition.texts.get(language, {}),
        lines=[(each.code, name_of(each, language), wordings[each.code].text) for each in purposes],
        signed=sign(keyring, show(form.id, language, wordings)),
        ticked=request.form.getlist("wanted") if keep_ticks else [],
        interests=request.form.getlist("interest"),
        languages_offered=definition.languages,
        is_framed=_is_framed(definition),
        meant=meant,
        told=told,
        asks_guardian="guardian_email" in filled.errors or bool(filled.typed.get("guardian_email")),
    )
    return _framed(definition, page)


def _is_framed(definition: Definition) -> bool:
    return bool(definition.embed_origins) and request.args.get("embed") == "1"


def _framed(definition: Definition, page: str) -> Response:
    answer = make_response(page)
    if definition.embed_origins:
        answer.headers["Content-Security-Policy"] = framed_by(definition.embed_origins)
        answer.headers["Cross-Origin-Opener-Policy"] = "unsafe-none"
    return answer
