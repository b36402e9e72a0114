"""Mailings: the list, a new one, and the composer's page. What its script asks is in ``live_pages``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from babel import Locale
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from marshmallow import Schema, fields, validate
from sqlalchemy import func, select
from werkzeug.wrappers import Response

from app.accounts.access import current_actor, current_user, requires
from app.accounts.organisations import current_organisation
from app.db import ScopedSession
from app.mailings.composing import composer_words
from app.mailings.composing.content import LANGUAGES, is_written
from app.mailings.composing.content_schemas import blank_content, content_json, parse_content
from app.mailings.composing.fields import ATTRIBUTE, FIELDS, attribute_names
from app.mailings.composing.mail_style import FONTS, frame_of
from app.mailings.composing.problems import InvalidContentError
from app.mailings.composing.saved_templates import (
    TemplateRefused,
    find_template,
    list_templates,
    remove_template,
    save_template,
)
from app.mailings.composing.starts import BY_KEY, STARTS, started
from app.mailings.mailings import (
    Kind,
    MailingDraft,
    copy_mailing,
    create_mailing,
    find_mailing,
    free_name,
    is_marketing,
    list_mailings,
    purposes_to_mail_for,
    remove_mailing,
    rename_mailing,
)
from app.mailings.models import Delivery, Mailing
from app.mailings.problems import InvalidMailing, NotThatState, UnknownMailing
from app.segments.definitions import list_segments
from app.ui import request_scope
from app.ui.forms import Form, new_form, read_form
from app.ui.languages import LANGUAGE_NAMES, current_language
from app.ui.row_ids import row_id
from app.ui.security import CONTENT_SECURITY_POLICY

blueprint = Blueprint("mailings", __name__, url_prefix="/mailings", template_folder="../templates")

Answer = str | tuple[str, int] | Response
PAGE = 50


class NewMailingSchema(Schema):
    """What a mailing begins with."""

    name = fields.String(required=True, validate=validate.Length(min=1, max=120))
    purpose = fields.String(required=True)
    kind = fields.String(load_default="campaign", validate=validate.OneOf(("campaign", "journey")))
    start = fields.String(load_default="blank", validate=validate.Length(max=40))
    languages = fields.List(fields.String(validate=validate.OneOf(LANGUAGES)), load_default=list)


@blueprint.get("/")
@requires("viewer")
def overview() -> Answer:
    """Show the mailings, the newest first."""
    session = request_scope.session()
    before, which = request.args.get("before", type=row_id), request.args.get("which", "")
    kind: Kind | None = "campaign" if which == "campaign" else "journey" if which == "journey" else None
    found = list(list_mailings(session, kind=kind, before=before, limit=PAGE + 1))
    shown = found[:PAGE]
    return render_template(
        "mailings/overview.html",
        mailings=shown,
        sent=_sent_counts(session, [each.id for each in shown]),
        purposes={each.code: each for each in purposes_to_mail_for(session)},
        state_words=composer_words.STATES,
        tones=composer_words.TONES,
        next_url=url_for("mailings.overview", before=shown[-1].id, which=kind) if len(found) > PAGE else "",
        kind=kind,
        before=before,
        language=current_language(),
    )


@blueprint.get("/new")
@requires("marketer")
def new() -> Answer:
    """Choose what to begin with."""
    session = request_scope.session()
    house = current_organisation(session)
    return _new_page(
        new_form(languages=[house.language], start=request.args.get("start", "newsletter"), purpose="newsletter")
    )


@blueprint.post("/new")
@requires("marketer")
def make() -> Answer:
    """Make a mailing and open the composer."""
    form, session = read_form(NewMailingSchema(), request.form), request_scope.session()
    if not form.is_valid:
        return _new_page(form), 422
    values = form.values
    languages = [each for each in LANGUAGES if each in values["languages"]] or [current_organisation(session).language]
    content = _content_to_start(session, values["start"], languages)
    if content is None:
        return _new_page(form.with_error("start", _("That start is not there any more. Choose another one."))), 422
    draft = MailingDraft(name=values["name"], purpose=values["purpose"], kind=values["kind"], content=content)
    try:
        mailing = create_mailing(session, draft, actor=current_actor())
    except InvalidMailing as problem:
        for field, code in problem.errors.items():
            form = form.with_error(field, _(composer_words.name_problem(code)))
        return _new_page(form), 422
    return redirect(url_for("mailings.compose", mailing_id=mailing.id))


@blueprint.get("/<int:mailing_id>")
@requires("viewer")
def show(mailing_id: int) -> Answer:
    """Open a mailing where one goes on with it: composing a draft, else how it goes."""
    mailing = found(mailing_id)
    if mailing.state != "draft":
        return redirect(url_for("mailing_sending.progress", mailing_id=mailing_id))
    return redirect(url_for("mailings.compose", mailing_id=mailing_id))


@blueprint.get("/<int:mailing_id>/compose")
@requires("marketer")
def compose(mailing_id: int) -> Answer:
    """Show the composer."""
    mailing, session = found(mailing_id), request_scope.session()
    if mailing.state != "draft":
        flash(_("This mailing is not a draft any more, so its words stay. Copy it to write on."), "warning")
        return redirect(url_for("mailings.overview"))
    page = render_template(
        "mailings/compose.html",
        mailing=mailing,
        context=_context(session, mailing),
        is_service=not is_marketing(session, mailing.purpose),
        icons=composer_words.ICONS,
        back=_way_back(),
    )
    answer = Response(page, mimetype="text/html")
    answer.headers["Content-Security-Policy"] = f"{CONTENT_SECURITY_POLICY}; frame-src 'self'"
    return answer


@blueprint.post("/<int:mailing_id>/copy")
@requires("marketer")
def copy(mailing_id: int) -> Answer:
    """Make a draft with the same words."""
    found(mailing_id)
    made = copy_mailing(request_scope.session(), mailing_id, actor=current_actor())
    flash(_("This is the copy: nothing of it was sent."), "success")
    return redirect(url_for("mailings.compose", mailing_id=made.id))


@blueprint.post("/<int:mailing_id>/rename")
@requires("marketer")
def rename(mailing_id: int) -> Answer:
    """Give a mailing another name; nobody who gets it sees that name."""
    found(mailing_id)
    try:
        rename_mailing(request_scope.session(), mailing_id, request.form.get("name", ""), actor=current_actor())
    except InvalidMailing as problem:
        flash(_(composer_words.name_problem(problem.errors["name"])), "error")
    return redirect(url_for("mailings.compose", mailing_id=mailing_id))


@blueprint.post("/<int:mailing_id>/remove")
@requires("marketer")
def remove(mailing_id: int) -> Answer:
    """Remove a draft."""
    found(mailing_id)
    try:
        remove_mailing(request_scope.session(), mailing_id, actor=current_actor())
    except NotThatState:
        flash(_("A mailing that was sent, or that a journey uses, stays."), "warning")
    else:
        flash(_("The draft is gone."), "success")
    return redirect(url_for("mailings.overview"))


@blueprint.post("/<int:mailing_id>/keep")
@requires("marketer")
def keep(mailing_id: int) -> Answer:
    """Keep the words of a mailing as a template."""
    mailing, user = found(mailing_id), current_user()
    try:
        save_template(
            request_scope.session(),
            request.form.get("name", ""),
            mailing.content,
            created_by=user.id if user else None,
        )
    except TemplateRefused as problem:
        flash(_(composer_words.template_problem(problem.code)), "error")
    else:
        flash(_("The template is kept. You find it under “New mailing”."), "success")
    return redirect(url_for("mailings.compose", mailing_id=mailing_id))


@blueprint.post("/templates/<int:template_id>/remove")
@requires("marketer")
def drop_template(template_id: int) -> Answer:
    """Remove a template of the house."""
    if not remove_template(request_scope.session(), template_id):
        abort(404)
    flash(_("The template is gone. Mailings that began with it stay as they are."), "success")
    return redirect(url_for("mailings.new"))


def found(mailing_id: int) -> Mailing:
    """Return the mailing a page is about, or stop with 404."""
    try:
        return find_mailing(request_scope.session(), mailing_id)
    except UnknownMailing:
        abort(404)


def _way_back() -> str:
    """Return the page of a journey that somebody came from, or nothing; never a place outside."""
    back = request.args.get("back", "")
    return back if re.fullmatch(r"/journeys/[\w/-]*", back) else ""


def _new_page(form: Form) -> str:
    session = request_scope.session()
    language = current_language()
    return render_template(
        "mailings/new.html",
        form=form,
        starts=STARTS,
        templates=list_templates(session),
        purposes=[(each.code, each.names.get(language) or each.code) for each in purposes_to_mail_for(session)],
        languages=LANGUAGE_NAMES,
        suggested=_free_name(session),
    )


def _free_name(session: ScopedSession) -> str:
    name = str(_("New mailing"))
    is_taken = session.scalar(select(Mailing.id).where(func.lower(Mailing.name) == name.lower()))
    return free_name(session, name) if is_taken else name


def _content_to_start(session: ScopedSession, start: str, languages: list[str]) -> dict[str, Any] | None:
    """Return what a mailing begins with: nothing, a ready-made start, or a template of the house."""
    if start == "blank":
        return blank_content(languages)
    if start in BY_KEY:
        return started(BY_KEY[start], languages)
    kept = find_template(session, int(start)) if start.isascii() and start.isdigit() and len(start) < 19 else None
    return None if kept is None else dict(kept.content)


def _context(session: ScopedSession, mailing: Mailing) -> dict[str, Any]:
    """Return what the composer's script is told at the start."""
    content = _editable(mailing.content)
    names = [{"name": f"{ATTRIBUTE}{name}", "label": name, "sample": ""} for name in attribute_names(session)]
    is_for_journeys = mailing.kind == "journey"
    known = [
        {"name": each.name, "label": _(each.label), "sample": each.sample}
        for each in FIELDS
        if is_for_journeys or each.room != "journey"
    ]
    frame = frame_of(session, request_scope.runtime())
    look = {
        name: getattr(frame.look, name) for name in ("colour", "button_colour", "background", "text_colour", "font")
    }
    return {
        "id": mailing.id,
        "edition": mailing.edition,
        "content": content,
        "blank": content_json(parse_content(blank_content(LANGUAGES)))["variants"][0]["texts"],
        "languages": list(LANGUAGE_NAMES.items()),
        "language_words": {each: Locale(each).get_language_name(current_language()) or each for each in LANGUAGES},
        "house_language": current_organisation(session).language,
        "fields": known + names,
        "segments": [
            [each.id, each.name] for each in sorted(list_segments(session), key=lambda each: each.name.lower())
        ],
        "look": look,
        "fonts": list(FONTS),
        "is_service": not is_marketing(session, mailing.purpose),
        "is_for_journeys": is_for_journeys,
        "words": {name: _(each) for name, each in composer_words.WORDS.items()},
        "blocks": {kind: [_(label), _(hint), icon] for kind, (label, hint, icon) in composer_words.BLOCKS.items()},
    }


def _editable(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored content with every default filled in; a mailing made elsewhere may hold no language yet."""
    try:
        nodes = parse_content(content)
    except InvalidContentError:
        return dict(content)
    data = content_json(nodes)
    written = {language for each in nodes.variants for language, text in each.texts.items() if is_written(text)}
    for variant in data["variants"]:
        if not variant["texts"]:
            language = current_organisation(request_scope.session()).language
            blank = parse_content(blank_content(sorted(written) or [language]))
            variant["texts"] = content_json(blank)["variants"][0]["texts"]
    return data


def _sent_counts(session: ScopedSession, mailing_ids: list[int]) -> dict[int, tuple[int, int]]:
    """Return how many deliveries of each mailing left, and how many there are."""
    row = Delivery
    left = func.count().filter(row.state.in_(("handed_over", "accepted", "uncertain")))
    rows = session.execute(
        select(row.mailing_id, left, func.count())
        .where(row.mailing_id.in_(mailing_ids), row.state.not_in(("cancelled", "draft")))
        .group_by(row.mailing_id)
    )
    return {mailing_id: (gone, every) for mailing_id, gone, every in rows if mailing_id is not None}
