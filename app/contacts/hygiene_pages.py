"""The page of addresses to look at: a suggestion is accepted, or the address is called right."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from app import clock
from app.accounts.access import current_actor, requires
from app.accounts.audit import record
from app.contacts import hygiene
from app.contacts.directory import living_contact
from app.contacts.editing import make_primary_address
from app.contacts.errors import IdentityConflict, UnknownContact
from app.ui import request_scope
from app.ui.errors import answer_http_error

blueprint = Blueprint("addresses", __name__, url_prefix="/contacts/addresses", template_folder="templates")

Answer = str | tuple[str, int] | Response


@blueprint.errorhandler(UnknownContact)
def _unknown(_error: UnknownContact) -> Answer:
    return answer_http_error(NotFound())


@blueprint.get("")
@requires("marketer")
def overview() -> Answer:
    """Show addresses that give rise to a doubt, one kind of doubt at a time."""
    session = request_scope.session()
    counts = hygiene.count_doubtful(session)
    asked = request.args.get("doubt", "")
    fullest = next((each for each in hygiene.DOUBTS if counts[each]), hygiene.DOUBTS[0])
    doubt = next((each for each in hygiene.DOUBTS if each == asked), fullest)
    return render_template(
        "addresses/overview.html",
        doubt=doubt,
        counts=counts,
        found=hygiene.doubtful_addresses(session, doubt),
        listed_max=hygiene.LISTED_MAX,
    )


@blueprint.post("/<int:contact_id>/accept")
@requires("marketer")
def accept(contact_id: int) -> Answer:
    """Mail somebody at the address that was probably meant; what was allowed at the old one does not go along."""
    session, keyring = request_scope.session(), request_scope.runtime().keyring
    living_contact(session, contact_id)
    address = request.form.get("address", "")
    try:
        make_primary_address(session, keyring, contact_id, address, source="zaallicht", at=clock.now())
    except ValueError:
        return abort(400)
    except IdentityConflict:
        session.rollback()
        flash(_("Somebody else has %(address)s already. Are they one person?", address=address), "error")
        return redirect(url_for("contacts.choose_double", contact_id=contact_id, q=address))
    record(session, current_actor(), "contacts.address", subject=("contact", contact_id))
    flash(
        _(
            "Mail goes to %(address)s from now on. Permission does not go along: it was given at the other address."
            " They get no newsletter until they say yes themselves.",
            address=address,
        ),
        "success",
    )
    return _back()


@blueprint.post("/<int:contact_id>/keep")
@requires("marketer")
def keep(contact_id: int) -> Answer:
    """Call an address right."""
    session = request_scope.session()
    living_contact(session, contact_id)
    hygiene.keep_address(session, contact_id, at=clock.now())
    flash(_("Noted: this address is right."), "success")
    return _back()


def _back() -> Response:
    return redirect(url_for("addresses.overview", doubt=request.form.get("doubt") or None))
