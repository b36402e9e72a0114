"""The pages of people: the list, one person, and what can be done about them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from marshmallow import Schema, fields, validate
from sqlalchemy import select
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from app import clock
from app.accounts.access import current_actor, may, requires
from app.accounts.audit import record
from app.consent.explain import why_of
from app.consent.models import Purpose
from app.contacts import normalise
from app.contacts.access_export import export_contact
from app.contacts.cursors import InvalidCursor
from app.contacts.directory import find_contact, identities_of, living_contact
from app.contacts.editing import edit_contact, make_primary_address, note_opt_out
from app.contacts.erasing import erase_contact
from app.contacts.errors import CannotUnmerge, IdentityConflict, UnknownContact
from app.contacts.households import sharers_with
from app.contacts.hygiene import is_of_a_desk
from app.contacts.ingest import PROFILE
from app.contacts.merging import merge_contacts, merged_into, unmerge_contact
from app.contacts.models import Contact
from app.contacts.neighbours import GROUPS, MORE_PAGES, Moment, moments_of
from app.contacts.normalise import Unreadable
from app.contacts.schemas import is_address, is_past
from app.contacts.search import Search, count_contacts, list_sources, list_tags, search_contacts
from app.ui import request_scope
from app.ui.errors import answer_http_error
from app.ui.forms import Form, new_form, read_form, shown_again
from app.ui.interface import has_page
from app.ui.languages import current_language

blueprint = Blueprint("contacts", __name__, url_prefix="/contacts", template_folder="templates")

Answer = str | tuple[str, int] | AnyResponse
PEOPLE_PER_PAGE = 50
CANDIDATES = 10


class SearchSchema(Schema):
    """What a list of people is narrowed by; what makes no sense is left out rather than refused."""

    q = fields.String(load_default="")
    permission = fields.String(load_default=None)
    tag = fields.String(load_default=None)
    source = fields.String(load_default=None)
    segment = fields.Integer(load_default=None, validate=validate.Range(1, 2**63 - 1))
    bouncing = fields.Boolean(load_default=False)


class EditSchema(Schema):
    """The fields of a person that people who work here may change."""

    email = fields.String(load_default="", validate=is_address)
    given_name = fields.String(load_default=None, validate=validate.Length(max=200))
    family_name = fields.String(load_default=None, validate=validate.Length(max=200))
    language = fields.String(load_default=None, validate=validate.OneOf(["nl", "fr", "en", "de"]))
    gender = fields.String(load_default=None, validate=validate.OneOf(["female", "male", "other"]))
    birth_date = fields.Date(load_default=None, validate=is_past)
    phone = fields.String(load_default=None, validate=validate.Length(max=40))
    street = fields.String(load_default=None, validate=validate.Length(max=200))
    postcode = fields.String(load_default=None, validate=validate.Length(max=20))
    municipality = fields.String(load_default=None, validate=validate.Length(max=100))
    country = fields.String(load_default=None, validate=validate.Length(max=60))
    tags = fields.String(load_default="", validate=validate.Length(max=2000))


class OptOutSchema(Schema):
    """What somebody told us they do not want, and how we know."""

    purpose = fields.String(load_default=None)
    note = fields.String(load_default="", validate=validate.Length(max=500))


@blueprint.errorhandler(UnknownContact)
def _unknown(_error: UnknownContact) -> Answer:
    return answer_http_error(NotFound())


@blueprint.get("")
@requires("viewer")
def overview() -> Answer:
    """List people, searched and narrowed; the list alone where htmx asks for it."""
    session = request_scope.session()
    form = read_form(SearchSchema(), request.args)
    wanted = form.values or SearchSchema().load({})
    search = Search(
        text=wanted["q"],
        permission=wanted["permission"],
        tag=wanted["tag"],
        source=wanted["source"],
        segment=wanted["segment"],
        is_bouncing=wanted["bouncing"],
    )
    cursor = request.args.get("cursor")
    try:
        page = search_contacts(session, search, cursor=cursor, limit=PEOPLE_PER_PAGE)
    except InvalidCursor:
        return redirect(url_for("contacts.overview"))
    filters = {name: value for name, value in wanted.items() if value}
    context = {
        "page": page,
        "filters": filters,
        "cursor": cursor,
        "next_url": url_for("contacts.overview", cursor=page.next, **filters) if page.next else "",
        "first_url": url_for("contacts.overview", **filters) if cursor else "",
    }
    if request.headers.get("HX-Target") == "people":
        return render_template("contacts/_people.html", **context)
    return render_template(
        "contacts/overview.html",
        total=count_contacts(session),
        tags=list_tags(session),
        sources=list_sources(session),
        purposes=_purposes(),
        segments=GROUPS["segment"].names(session) if "segment" in GROUPS else [],
        form=form,
        **context,
    )


@blueprint.get("/<int:contact_id>")
@requires("viewer")
def show(contact_id: int) -> Answer:
    """Show one person: who they are, what they may be sent and why, and everything that happened."""
    session = request_scope.session()
    contact = find_contact(session, contact_id)
    if contact is None:
        raise UnknownContact(contact_id)
    if contact.state == "merged":
        return redirect(url_for("contacts.show", contact_id=contact.merged_into_id))
    return render_template(
        "contacts/show.html",
        contact=contact,
        identities=identities_of(session, [contact_id])[contact_id],
        sharers=sharers_with(session, contact_id),
        is_of_a_desk=is_of_a_desk,
        why=why_of(session, contact_id, language=current_language()),
        moments=moments_of(session, contact_id),
        parts=merged_into(session, contact_id),
        purposes=_purposes(),
        opt_out_form=new_form(),
        may_edit=may("marketer"),
        more_pages=[page for page in MORE_PAGES if has_page(page.endpoint)],
        url_of=_url_of,
    )


@blueprint.get("/<int:contact_id>/edit")
@requires("marketer")
def edit(contact_id: int) -> Answer:
    """Show the fields that may be changed."""
    contact = living_contact(request_scope.session(), contact_id)
    typed = {name: getattr(contact, name) for name in PROFILE}
    return _edit_page(contact, new_form(email=contact.email, tags=", ".join(contact.tags), **typed))


@blueprint.post("/<int:contact_id>/edit")
@requires("marketer")
def save(contact_id: int) -> Answer:
    """Change a person's fields; a new address starts without permission, and no permission is ever given here."""
    session = request_scope.session()
    contact = living_contact(session, contact_id)
    before = {name: getattr(contact, name) for name in ("email", *PROFILE, "tags")}
    form = _readable(read_form(EditSchema(), request.form))
    if form.is_valid and form.values["email"]:
        form = _with_address(form, contact)
    if not form.is_valid:
        return shown_again("contacts/edit.html", form=form, contact=contact)
    values = {name: form.values[name] for name in PROFILE}
    edit_contact(session, contact_id, values, tags=form.values["tags"].split(","), at=clock.now())
    # That a field was corrected is kept; what stood in it before is not (GDPR article 16).
    if fields := [name for name, value in before.items() if getattr(contact, name) != value]:
        record(session, current_actor(), "contacts.edit", subject=("contact", contact_id), details={"fields": fields})
    flash(_("The changes are saved."), "success")
    return redirect(url_for("contacts.show", contact_id=contact_id))


@blueprint.post("/<int:contact_id>/opt-out")
@requires("marketer")
def opt_out(contact_id: int) -> Answer:
    """Note that somebody told us they want no mail; effective at once, and only the person can undo it."""
    session = request_scope.session()
    contact = living_contact(session, contact_id)
    form = read_form(OptOutSchema(), request.form)
    purpose = form.values.get("purpose")
    if not form.is_valid or purpose not in (None, *(code for code, _name in _purposes())):
        flash(_("Choose one from the list."), "error")
        return redirect(url_for("contacts.show", contact_id=contact_id))
    keyring = request_scope.runtime().keyring
    note_opt_out(session, keyring, contact, purpose=purpose, note=form.values["note"], by=current_actor())
    record(session, current_actor(), "contacts.opt_out", subject=("contact", contact_id))
    flash(_("Noted. From now on they get no such mail, whatever a file or system says."), "success")
    return redirect(url_for("contacts.show", contact_id=contact_id))


@blueprint.post("/<int:contact_id>/erase")
@requires("marketer")
def erase(contact_id: int) -> Answer:
    """Erase a person for good."""
    session = request_scope.session()
    erase_contact(session, request_scope.runtime().keyring, contact_id, at=clock.now())
    record(session, current_actor(), "contacts.erase", subject=("contact", contact_id))
    flash(_("The person is erased, and their addresses are blocked for ever."), "success")
    return redirect(url_for("contacts.overview"))


@blueprint.get("/<int:contact_id>/merge")
@requires("marketer")
def choose_double(contact_id: int) -> Answer:
    """Look for the same person under another name or address."""
    session = request_scope.session()
    contact = living_contact(session, contact_id)
    text = request.args.get("q", contact.family_name or contact.given_name or "").strip()
    found = search_contacts(session, Search(text=text), limit=CANDIDATES + 1).contacts if text else []
    candidates = [each for each in found if each.id != contact_id][:CANDIDATES]
    template = (
        "contacts/_candidates.html" if request.headers.get("HX-Target") == "candidates" else "contacts/merge.html"
    )
    return render_template(template, contact=contact, candidates=candidates, text=text)


@blueprint.post("/<int:contact_id>/merge")
@requires("marketer")
def merge(contact_id: int) -> Answer:
    """Let another contact become part of this one."""
    session = request_scope.session()
    other_id = request.form.get("other", type=int)
    if other_id is None or other_id == contact_id:
        return abort(400)
    merge_contacts(session, other_id, into_id=contact_id, at=clock.now())
    record(session, current_actor(), "contacts.merge", subject=("contact", other_id), details={"into": contact_id})
    flash(_("They are one contact now. What either refused is refused for both."), "success")
    return redirect(url_for("contacts.show", contact_id=contact_id))


@blueprint.post("/<int:contact_id>/unmerge")
@requires("marketer")
def unmerge(contact_id: int) -> Answer:
    """Part a contact from the one it became."""
    session = request_scope.session()
    try:
        unmerge_contact(session, contact_id, at=clock.now())
    except CannotUnmerge:
        return abort(409)
    record(session, current_actor(), "contacts.unmerge", subject=("contact", contact_id))
    flash(_("They are two contacts again."), "success")
    return redirect(url_for("contacts.show", contact_id=contact_id))


@blueprint.get("/<int:contact_id>/export.json")
@requires("marketer")
def export(contact_id: int) -> Answer:
    """Download everything held about a person, for them."""
    session = request_scope.session()
    held = json.dumps(export_contact(session, contact_id), ensure_ascii=False, indent=2, default=str)
    record(session, current_actor(), "contacts.export", subject=("contact", contact_id))
    headers = {"Content-Disposition": f'attachment; filename="contact-{contact_id}.json"'}
    return Response(held, mimetype="application/json", headers=headers)


def _url_of(moment: Moment) -> str:
    """Return where to read more about a moment, or nothing where that page does not exist."""
    values: dict[str, Any] = dict(moment.arguments)
    return url_for(moment.endpoint, **values) if has_page(moment.endpoint) else ""


def _purposes() -> list[tuple[str, str]]:
    query = select(Purpose).where(Purpose.is_active, Purpose.is_marketing).order_by(Purpose.position)
    language = current_language()
    return [(each.code, each.names.get(language, each.code)) for each in request_scope.session().scalars(query)]


def _edit_page(contact: Contact, form: Form) -> str:
    return render_template("contacts/edit.html", form=form, contact=contact)


def _readable(form: Form) -> Form:
    """Bring postcode, phone and country into their one form, saying beside the field what cannot be read."""
    if not form.is_valid:
        return form
    values: dict[str, Any] = dict(form.values)
    errors: Mapping[str, str] = {
        "country": _("We do not know this country. Write BE or NL, or the name in full."),
        "postcode": _("This is no postcode of that country."),
        "phone": _("This is no phone number."),
    }
    for name, sentence in errors.items():
        try:
            if name == "country":
                values[name] = normalise.country(values[name])
            else:
                reading = normalise.postcode if name == "postcode" else normalise.phone
                values[name] = reading(values[name], values["country"])
        except Unreadable:
            form = form.with_error(name, sentence)
    return form if form.errors else Form(typed=form.typed, values=values, is_submitted=True)


def _with_address(form: Form, contact: Contact) -> Form:
    session, keyring = request_scope.session(), request_scope.runtime().keyring
    address = form.values["email"]
    try:
        make_primary_address(session, keyring, contact.id, address, source="zaallicht", at=clock.now())
    except IdentityConflict:
        return form.with_error("email", _("Somebody else has this address. Merge the two, or correct the other first."))
    return form
