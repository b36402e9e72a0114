"""Making sign-up forms, putting them on one's own site, and seeing how they do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import force_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from app.accounts import audit
from app.accounts.access import current_actor, may, requires
from app.accounts.organisations import current_organisation
from app.consent.wordings import name_of
from app.contacts.forms.definitions import (
    FIELDS,
    Definition,
    Interest,
    asked_purposes,
    change_form,
    create_form,
    find_form,
    list_forms,
    offered_purposes,
)
from app.contacts.forms.models import SignupForm
from app.contacts.forms.schemas import FormSchema
from app.contacts.forms.shown import current_wordings, show, sign
from app.contacts.forms.statistics import Counts, counts_of, lately
from app.ui import request_scope
from app.ui.forms import Form, new_form, read_form
from app.ui.languages import LANGUAGE_NAMES, LOCALES, current_language

blueprint = Blueprint("forms", __name__, url_prefix="/forms", template_folder="../templates")

Answer = str | tuple[str, int] | Response

LANGUAGES = tuple(LANGUAGE_NAMES)
WORDS = ("title", "intro", "thanks")


@blueprint.get("/")
@requires("viewer")
def overview() -> Answer:
    """Show every form, and how it did lately."""
    session = request_scope.session()
    return render_template(
        "forms/overview.html", forms=list_forms(session), lately=lately(session), may_edit=may("marketer")
    )


@blueprint.get("/new")
@requires("marketer")
def new() -> Answer:
    """Show an empty form to make one with."""
    house = current_organisation(request_scope.session())
    return _page(
        None,
        new_form(
            languages=[house.language],
            purposes=["newsletter"],
            given_name="optional",
            family_name="optional",
            postcode="off",
            birth_date="off",
            needs_confirmation=True,
        ),
    )


@blueprint.post("/new")
@requires("marketer")
def create() -> Answer:
    """Make a form."""
    form = _read()
    if not form.is_valid:
        return _page(None, form), 422
    session, keyring = request_scope.session(), request_scope.runtime().keyring
    name = form.values["name"]
    # A form without a tag of its own is known to segments by its name.
    definition = _definition({**form.values, "tag": form.values["tag"] or name[:60]})
    row = create_form(session, keyring, name, definition)
    audit.record(session, current_actor(), "forms.created", subject=("signup_form", row.id))
    flash(_("The form is open. Link to it, or paste it into your site."), "success")
    return redirect(url_for("forms.edit", form_id=row.id) + "#embed")


@blueprint.get("/<int:form_id>")
@requires("marketer")
def edit(form_id: int) -> Answer:
    """Show a form as it is, with what to paste into a site."""
    row = _found(form_id)
    return _page(row, _typed(row))


@blueprint.post("/<int:form_id>")
@requires("marketer")
def change(form_id: int) -> Answer:
    """Change a form."""
    row, form = _found(form_id), _read()
    if not form.is_valid:
        return _page(row, form), 422
    change_form(row, name=form.values["name"], definition=_definition(form.values), is_active=form.values["is_active"])
    audit.record(request_scope.session(), current_actor(), "forms.changed", subject=("signup_form", row.id))
    flash(_("Saved. Paste the piece of HTML again if you use it."), "success")
    return redirect(url_for("forms.edit", form_id=row.id))


def _found(form_id: int) -> SignupForm:
    row = find_form(request_scope.session(), form_id)
    if row is None:
        abort(404)
    return row


def _read() -> Form:
    form = read_form(FormSchema(), request.form)
    values = form.values
    if not form.is_valid:
        return form
    offered = {purpose.code for purpose in offered_purposes(request_scope.session())}
    if not set(values["purposes"]) <= offered:
        form = form.with_error("purposes", _("Choose from the list."))
    for line in values["embed_origins"].split():
        if _origin(line) is None:
            return form.with_error(
                "embed_origins",
                _("Write each site as https://www.example.org, without a path. This one is not: %(site)s", site=line),
            )
    return form


def _definition(values: Mapping[str, Any]) -> Definition:
    texts = {
        language: {word: values[f"{word}_{language}"] for word in WORDS if values[f"{word}_{language}"]}
        for language in LANGUAGES
    }
    return Definition(
        languages=tuple(language for language in LANGUAGES if language in values["languages"]),
        purposes=tuple(values["purposes"]),
        fields={name: values[name] for name in FIELDS},
        interests=tuple(_interests(values["interests"])),
        texts=texts,
        needs_confirmation=values["needs_confirmation"],
        tag=values["tag"],
        embed_origins=tuple(origin for line in values["embed_origins"].split() if (origin := _origin(line))),
    )


def _interests(text: str) -> list[Interest]:
    found = []
    for line in text.splitlines():
        tag, *names = (part.strip() for part in line.split("|"))
        if tag:
            found.append(Interest(tag, {code: name for code, name in zip(LANGUAGES, names, strict=False) if name}))
    return found


def _origin(text: str) -> str | None:
    """Return the origin of a site, or None for what is none; what goes into a policy must be nothing else."""
    try:
        parts = urlsplit(text)
        is_site = parts.scheme in ("https", "http") and re.fullmatch(r"[a-z0-9.-]+(:\d{1,5})?", parts.netloc.lower())
    except ValueError:
        return None
    return (
        f"{parts.scheme}://{parts.netloc.lower()}" if is_site and parts.path in ("", "/") and not parts.query else None
    )


def _typed(row: SignupForm) -> Form:
    held = Definition.read(row.definition)
    words = {f"{word}_{code}": held.texts.get(code, {}).get(word, "") for code in LANGUAGES for word in WORDS}
    lines = [
        " | ".join([each.tag, *(each.names.get(code, "") for code in LANGUAGES)]).rstrip(" |")
        for each in held.interests
    ]
    return new_form(
        name=row.name,
        languages=list(held.languages),
        purposes=list(held.purposes),
        interests="\n".join(lines),
        needs_confirmation=held.needs_confirmation,
        tag=held.tag,
        embed_origins="\n".join(held.embed_origins),
        is_active=row.is_active,
        **{name: held.fields.get(name, "off") for name in FIELDS},
        **words,
    )


def _page(row: SignupForm | None, form: Form) -> str:
    session = request_scope.session()
    purposes = [(each.code, name_of(each, current_language()), "") for each in offered_purposes(session)]
    context: dict[str, Any] = {} if row is None else _embedding(row)
    return render_template(
        "forms/edit.html",
        row=row,
        form=form,
        purposes=purposes,
        language_choices=[(code, name, "") for code, name in LANGUAGE_NAMES.items()],
        **context,
    )


def _embedding(row: SignupForm) -> dict[str, Any]:
    held = Definition.read(row.definition)
    url = request_scope.runtime().settings.base_url + url_for("signup.fill_in", code=row.code)
    frame = f'<iframe src="{url}?embed=1" title="{row.code}" width="100%" height="760"></iframe>'
    return {
        "public_url": url,
        "snippets": [(language, _snippet(row, held, url, language)) for language in held.languages],
        "frame": frame if held.embed_origins else "",
        "counts": counts_of(request_scope.session()).get(row.id, Counts()),
    }


def _snippet(row: SignupForm, held: Definition, url: str, language: str) -> str:
    session, keyring = request_scope.session(), request_scope.runtime().keyring
    purposes = asked_purposes(session, held)
    house = current_organisation(session).name
    wordings = current_wordings(session, purposes, language=language, house=house)
    with force_locale(LOCALES[language]):
        return render_template(
            "forms/snippet.html",
            action=f"{url}?language={language}",
            language=language,
            definition=held,
            lines=[(each.code, name_of(each, language), wordings[each.code].text) for each in purposes],
            signed=sign(keyring, show(row.id, language, wordings, is_snippet=True)),
        )
