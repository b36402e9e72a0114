"""What came back: answers to read, mails to decide about, and the mailbox they are fetched from."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from werkzeug.wrappers import Response

from app import clock
from app.accounts import access, audit
from app.accounts.access import requires
from app.keyring import KeyringError
from app.mailings.returns import alarms, breakers, queue
from app.mailings.returns.mailbox import mailbox_of
from app.mailings.returns.mailbox_settings import (
    change_hook_key,
    change_mailbox,
    loses_password,
    mailbox_row,
    new_hook_path,
)
from app.mailings.returns.models import ReturnMailbox
from app.mailings.returns.queue import AddressMissing, AddressUnknown, Decision, Which
from app.mailings.returns.schemas import DecisionSchema, HookKeySchema, MailboxSchema
from app.mailings.returns.words import KINDS
from app.ui import request_scope
from app.ui.forms import Form, new_form, read_form
from app.ui.row_ids import row_id
from integrations.base import ConnectorError
from integrations.imap import ImapMailbox
from integrations.meanings import meaning_for_mailbox

blueprint = Blueprint("returns", __name__, url_prefix="/settings/mail/returns", template_folder="templates")

Answer = str | tuple[str, int] | Response

A_PAGE = 25
SHOWN = ("host", "port", "security", "user", "folder", "done_folder")
SECURITIES = (
    ("tls", _l("TLS from the start (most often port 993)")),
    ("starttls", _l("STARTTLS (most often port 143)")),
    ("none", _l("None: only for a mailbox on this very machine")),
)


@blueprint.get("/")
@requires("marketer")
def look_at() -> Answer:
    """Show what waits for a person: answers, or everything else."""
    which = cast(Which, request.args.get("which") if request.args.get("which") in ("replies", "others") else "replies")
    session, before = request_scope.session(), _before()
    counts = queue.count_to_decide(session)
    if "which" not in request.args and not counts["replies"] and counts["others"]:
        which = "others"
    mails = queue.to_decide(session, request_scope.runtime(), which=which, before_id=before, limit=A_PAGE + 1)
    shown = mails[:A_PAGE]
    return render_template(
        "returns/look_at.html",
        which=which,
        counts=counts,
        mails=shown,
        kinds={code: _(text) for code, text in KINDS.items()},
        strangers=which == "others" and any(not mail.names_ours for mail in shown),
        next_url=url_for("returns.look_at", which=which, before=shown[-1].id) if len(mails) > A_PAGE else "",
        first_url=url_for("returns.look_at", which=which) if before is not None else "",
    )


@blueprint.post("/<int:return_id>")
@requires("marketer")
def decide(return_id: int) -> Answer:
    """Do what a person decides about one mail."""
    form, me = read_form(DecisionSchema(), request.form), access.current_user()
    if me is None:
        abort(401)
    back = redirect(url_for("returns.look_at", which=request.form.get("which", "others")))
    if not form.is_valid:
        flash(_("Choose what to do with this mail."), "warning")
        return back
    decision = cast(Decision, form.values["decision"])
    session, keyring = request_scope.session(), request_scope.runtime().keyring
    try:
        is_done = queue.decide(
            session, keyring, return_id, decision=decision, address=form.values["address"], actor_id=me.id
        )
    except AddressMissing:
        flash(_("This mail does not say which of ours it is about. Fill in the address that is meant."), "warning")
        return back
    except AddressUnknown:
        flash(_("Nobody in your house has this address, so there is nothing to change."), "warning")
        return back
    if is_done:
        _record("mailings.decided_return", ("return_mail", return_id))
        flash(_("It is done."), "success")
    else:
        flash(_("Somebody dealt with this mail already."), "info")
    return back


@blueprint.post("/ignore-all")
@requires("marketer")
def ignore_all() -> Answer:
    """Put aside what is about none of our mails."""
    me = access.current_user()
    if me is None:
        abort(401)
    try:
        up_to = row_id(request.form.get("up_to", ""))
    except ValueError:
        abort(400)
    count = queue.ignore_all(request_scope.session(), up_to_id=up_to, actor_id=me.id)
    _record("mailings.decided_returns")
    flash(ngettext("%(num)s mail is put aside.", "%(num)s mails are put aside.", count), "success")
    return redirect(url_for("returns.look_at", which="others"))


@blueprint.get("/mailbox")
@requires("admin")
def mailbox() -> Answer:
    """Show which mailbox is read, and whether that goes well."""
    row = mailbox_row(request_scope.session())
    return _mailbox_page(row, new_form(**{name: getattr(row, name) for name in SHOWN}))


@blueprint.post("/mailbox")
@requires("admin")
def change() -> Answer:
    """Store which mailbox is read; the password is only ever written."""
    form, row = read_form(MailboxSchema(), request.form), mailbox_row(request_scope.session())
    if not form.is_valid:
        return _mailbox_page(row, form), 422
    values = {name: form.values[name] for name in SHOWN}
    password = form.values["password"]
    if password is None and loses_password(row, values) and values["host"]:
        form = form.with_error("password", _("The mailbox is another one now: fill in its password again."))
        return _mailbox_page(row, form), 422
    if values["host"] and not values["user"]:
        return _mailbox_page(row, form.with_error("user", _("Fill this in."))), 422
    problem = _problem(values)
    if problem:
        return _mailbox_page(row, form.with_error("host", problem)), 422
    change_mailbox(request_scope.runtime().keyring, row, values=values, password=password)
    _record("mailings.changed_mailbox")
    flash(_("The mailbox is saved. Try whether it can be read."), "success")
    return redirect(url_for("returns.mailbox"))


@blueprint.post("/mailbox/test")
@requires("admin")
def test() -> Answer:
    """Try at once whether the mailbox can be read; nothing in it is changed."""
    row, runtime = mailbox_row(request_scope.session()), request_scope.runtime()
    if not row.host:
        flash(_("Fill in a mailbox first."), "warning")
        return redirect(url_for("returns.mailbox"))
    try:
        wanted, last_uid = mailbox_of(row, runtime), row.last_uid
        request_scope.let_go()
        with ImapMailbox(wanted) as imap:
            count = len(imap.uids_after(last_uid))
    except ConnectorError as problem:
        flash(_("The mailbox cannot be read: %(why)s", why=_(meaning_for_mailbox(problem.code))), "error")
    except KeyringError:
        flash(_("The mailbox cannot be read: %(why)s", why=_(meaning_for_mailbox("other_keyring"))), "error")
    else:
        said = ngettext("%(num)s mail waits in it.", "%(num)s mails wait in it.", count)
        flash(_("The mailbox can be read.") + " " + said, "success")
    return redirect(url_for("returns.mailbox"))


@blueprint.post("/hook")
@requires("admin")
def make_hook() -> Answer:
    """Make a new address at which a relay may hand mails in, and show it once."""
    runtime = request_scope.runtime()
    path = new_hook_path(request_scope.session(), runtime.keyring)
    _record("mailings.made_return_hook")
    return render_template("returns/hook.html", url=f"{runtime.settings.base_url}{path}")


@blueprint.post("/breakers/close")
@requires("admin")
def close_breaker() -> Answer:
    """Have mail go to a domain again."""
    domain = request.form.get("domain", "")
    if breakers.close(request_scope.session(), domain):
        _record("mailings.closed_breaker")
        flash(_("Mail goes to %(domain)s again.", domain=domain), "success")
    return redirect(url_for("mail.show"))


@blueprint.post("/hook-key")
@requires("admin")
def keep_key() -> Answer:
    """Keep the key that the relay signs its events with; it is only ever written."""
    form, runtime = read_form(HookKeySchema(), request.form), request_scope.runtime()
    row = mailbox_row(request_scope.session())
    if not form.is_valid:
        flash(_("This key is too long, or not one line. Copy it again from your relay."), "error")
        return redirect(url_for("returns.mailbox"))
    change_hook_key(runtime.keyring, row, form.values["key"])
    _record("mailings.changed_hook_key")
    if row.hook_key:
        flash(_("From now on what your relay tells must be signed."), "success")
    else:
        flash(_("What your relay tells is taken without a signature."), "success")
    return redirect(url_for("returns.mailbox"))


@blueprint.post("/mailings/<int:mailing_id>/go-on")
@requires("marketer")
def go_on(mailing_id: int) -> Answer:
    """Have the mails of a mailing that journeys send go again, in spite of what came back."""
    if not alarms.let_go_on(request_scope.session(), mailing_id):
        abort(404)
    _record("mailings.resume", ("mailing", mailing_id))
    flash(_("Its mails go again."), "success")
    return redirect(url_for("insights.home"))


@blueprint.post("/mailings/<int:mailing_id>/give-up")
@requires("marketer")
def give_up(mailing_id: int) -> Answer:
    """Have the mails of a journey that wait since the house was brought back never go."""
    count = alarms.give_up_held(request_scope.session(), mailing_id, at=clock.now())
    _record("mailings.gave_up_held", ("mailing", mailing_id))
    flash(ngettext("%(num)s mail is not sent.", "%(num)s mails are not sent.", count), "success")
    return redirect(url_for("insights.home"))


def _mailbox_page(row: ReturnMailbox, form: Form) -> str:
    return render_template(
        "returns/mailbox.html",
        form=form,
        row=row,
        securities=SECURITIES,
        trouble=_(meaning_for_mailbox(row.problem_code)) if row.problem_code else "",
        organisation_id=request_scope.session().organisation_id,
    )


def _problem(values: dict[str, object]) -> str:
    """Return why a mailbox cannot be one, before anything is stored; nothing is spoken to."""
    if not values["host"]:
        return ""
    trial = ReturnMailbox(**{**values, "password": None})
    try:
        ImapMailbox(mailbox_of(trial, request_scope.runtime()))
    except ConnectorError as problem:
        return str(_(meaning_for_mailbox(problem.code)))
    return ""


def _before() -> int | None:
    try:
        return row_id(request.args["before"])
    except (KeyError, ValueError):
        return None


def _record(action: str, subject: tuple[str, int] | None = None) -> None:
    audit.record(request_scope.session(), access.current_actor(), action, subject=subject)
