"""Settings: how the mails of the house look, once for all of them."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask import request as asked
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from marshmallow import Schema, fields, validate
from werkzeug.wrappers import Response

from app.accounts import audit
from app.accounts.access import current_actor, requires
from app.accounts.house_colours import TEXT_RATIO, contrast, parse_colour
from app.accounts.organisations import current_organisation
from app.mailings.composing.content import Style
from app.mailings.composing.content_schemas import parse_content
from app.mailings.composing.mail_style import FONTS, PAPER, choose_mail_style, frame_of
from app.mailings.composing.public_pages import mail_answer
from app.mailings.composing.rendering import compose
from app.mailings.composing.starts import BY_KEY, started
from app.mailings.skeleton import filled
from app.ui import request_scope
from app.ui.forms import Form, new_form, read_form
from app.ui.security import CONTENT_SECURITY_POLICY

blueprint = Blueprint("mail_look", __name__, url_prefix="/settings/mail-look", template_folder="../templates")

Answer = Response
COLOURS = ("button_colour", "background", "text_colour")
TYPEFACES = (
    ("sans", _l("Plain (Helvetica, Arial)")),
    ("serif", _l("Bookish (Georgia)")),
    ("humanist", _l("Wide (Verdana)")),
    ("grotesk", _l("Lively (Trebuchet)")),
    ("slab", _l("Sturdy (Rockwell)")),
)


class MailLookSchema(Schema):
    """The typeface and the colours, as typed; empty goes back to ours."""

    font = fields.String(load_default="sans", validate=validate.OneOf(tuple(FONTS)))
    button_colour = fields.String(load_default="", validate=validate.Length(max=9))
    background = fields.String(load_default="", validate=validate.Length(max=9))
    text_colour = fields.String(load_default="", validate=validate.Length(max=9))


@blueprint.get("/")
@requires("admin")
def show() -> Answer:
    """Show how the mails of the house look."""
    house = current_organisation(request_scope.session())
    return _page(new_form(**({"font": "sans"} | (house.settings.get("mail_style") or {}))))


@blueprint.post("/")
@requires("admin")
def change() -> Answer:
    """Set how the mails of the house look; text that cannot be read on white is refused."""
    form, house = read_form(MailLookSchema(), asked.form), current_organisation(request_scope.session())
    chosen: dict[str, str | None] = {}
    if form.is_valid:
        typed = dict(form.values)
        for name in COLOURS:
            chosen[name] = parse_colour(typed[name]) if typed[name] else None
            if typed[name] and chosen[name] is None:
                form = form.with_error(name, _("Write a colour as six digits, such as #b3202c."))
    text_colour = chosen.get("text_colour")
    if text_colour and contrast(text_colour, PAPER) < TEXT_RATIO:
        form = form.with_error("text_colour", _("This is too light to be read on white. Choose a darker one."))
    if not form.is_valid:
        return _page(form)
    choose_mail_style(house, Style(font=form.values["font"], **chosen))
    audit.record(request_scope.session(), current_actor(), "accounts.changed_look", subject=("organisation", house.id))
    flash(_("This is how the mails of the house look from now on."), "success")
    return redirect(url_for("mail_look.show"))


@blueprint.get("/sample")
@requires("viewer")
def sample() -> Response:
    """Show a mail that looks so."""
    session = request_scope.session()
    house = current_organisation(session)
    content = parse_content(started(BY_KEY["invitation"], [house.language]))
    frame = frame_of(session, request_scope.runtime())
    template = compose(content, variant=None, language=house.language, frame=frame)
    home = dict.fromkeys(("unsubscribe_url", "preferences_url", "view_url"), frame.base_url)
    shown = filled(template.rendered({}), template.direct_links() | home)
    here = f"{asked.host_url.rstrip('/')} {request_scope.runtime().settings.base_url}"
    answer = mail_answer(shown.html, framed_by=here)
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def _page(form: Form) -> Response:
    page = render_template("mailings/look.html", form=form, typefaces=TYPEFACES)
    answer = Response(page, mimetype="text/html", status=422 if form.errors else 200)
    answer.headers["Content-Security-Policy"] = f"{CONTENT_SECURITY_POLICY}; frame-src 'self'"
    return answer
