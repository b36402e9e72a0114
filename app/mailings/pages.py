"""Settings: how the house sends mail, whether it goes well, and what waits for a person."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response

from app import clock
from app.accounts import access, audit
from app.accounts.access import requires
from app.accounts.organisations import current_organisation
from app.mailings import attention, places, words
from app.mailings.deliveries import queue_of
from app.mailings.dkim_keys import create_keys, keys_of
from app.mailings.mail_settings import (
    Missing,
    NotReady,
    Sender,
    change_settings,
    forget_trouble,
    loses_password,
    relay_from,
    sender_of,
    setting_of,
)
from app.mailings.mime import Unwritable
from app.mailings.models import MailSetting
from app.mailings.preflight import Finding, Way, look_at_domain, published
from app.mailings.returns.breakers import open_breakers
from app.mailings.schemas import MailSettingsSchema
from app.mailings.trial import send_trial
from app.ui import request_scope
from app.ui.forms import Form, new_form, read_form
from app.ui.languages import current_language
from integrations.base import ConnectorError
from integrations.domain_records import Dns
from integrations.esp.smtp import SmtpPost
from integrations.meanings import meaning_for_mail, meaning_of

blueprint = Blueprint("mail", __name__, url_prefix="/settings/mail", template_folder="templates")

Answer = str | tuple[str, int] | Response

SHOWN = ("relay_host", "relay_port", "relay_security", "relay_user", "from_name", "from_address", "reply_to",
         "bounces_go", "bounce_address")  # fmt: skip
SECURITIES = (
    ("starttls", _l("STARTTLS (most often port 587)")),
    ("tls", _l("TLS from the start (most often port 465)")),
    ("none", _l("None: only for a relay on this very machine")),
)
BOUNCES = (
    ("to_sender", _l("To the sender's address"), _l("Somebody reads them there.")),
    (
        "to_mailbox",
        _l("To a mailbox of their own"),
        _l("With a number behind a plus sign, so that we can tell which mail bounced."),
    ),
    ("nowhere", _l("Nowhere"), _l("Only where your relay asks for it.")),
)


@blueprint.get("/")
@requires("admin")
def show() -> Answer:
    """Show how the house sends and whether it goes well."""
    setting = _setting()
    return _page(new_form(**{name: getattr(setting, name) for name in SHOWN}))


@blueprint.post("/")
@requires("admin")
def change() -> Answer:
    """Store how the house sends; the password is only ever written."""
    form, setting = read_form(MailSettingsSchema(), request.form), _setting()
    if not form.is_valid:
        return _page(form), 422
    values = {name: form.values[name] for name in SHOWN}
    password = form.values["relay_password"]
    if password is None and loses_password(setting, values):
        form = form.with_error("relay_password", _("The relay is another one now: fill in its password again."))
        return _page(form), 422
    problem = _relay_problem(values)
    if problem:
        return _page(form.with_error("relay_host", problem)), 422
    change_settings(request_scope.session(), request_scope.runtime().keyring, setting, values=values, password=password)
    _record("mailings.changed_settings")
    flash(_("The mail settings are saved. Send yourself a test mail."), "success")
    return redirect(url_for("mail.show"))


@blueprint.post("/test")
@requires("admin")
def test() -> Answer:
    """Send a mail to whoever presses the button, at once."""
    sender, me = _sender(), access.current_user()
    if me is None:
        abort(401)
    if isinstance(sender, NotReady):
        flash(_missing(sender.missing), "warning")
        return redirect(url_for("mail.show"))
    to_address, language = me.email, current_language()
    request_scope.let_go()
    try:
        send_trial(sender, to_address=to_address, language=language)
    except ConnectorError as problem:
        flash(_("The test mail did not go: %(why)s", why=_relay_words(problem.code)), "error")
    except Unwritable:
        flash(_("The test mail did not go: %(why)s", why=_relay_words("bad_message")), "error")
    else:
        forget_trouble(_setting())
        flash(_("A test mail is on its way to %(address)s. Look whether it arrives.", address=to_address), "success")
    return redirect(url_for("mail.show"))


@blueprint.post("/domain")
@requires("admin")
def look() -> Answer:
    """Look at what DNS says about the sender's domain, and show what to ask for."""
    domain = _domain()
    if not domain:
        flash(_missing("no_from_address"), "warning")
        return redirect(url_for("mail.show"))
    keys, way = keys_of(request_scope.session(), domain), _way(domain)
    request_scope.let_go()
    try:
        findings = look_at_domain(_dns(), domain, keys, way=way)
    except ConnectorError as problem:
        flash(_(meaning_of(problem.code)), "error")
        return redirect(url_for("mail.show"))
    _note_published(domain, findings)
    return render_template("mail/domain.html", domain=domain, findings=[_in_words(each) for each in findings])


@blueprint.post("/keys")
@requires("admin")
def make_keys() -> Answer:
    """Make the keys that sign mail from the sender's domain."""
    domain = _domain()
    if domain:
        create_keys(request_scope.session(), request_scope.runtime().keyring, domain)
        _record("mailings.made_dkim_keys")
        flash(_("The keys are made. Check the domain to see which records to ask for."), "success")
    return redirect(url_for("mail.show"))


@blueprint.post("/confirm")
@requires("admin")
def confirm() -> Answer:
    """Take somebody's word that this is the real house, and may send."""
    _setting()
    places.confirm_place(request_scope.session(), request_scope.runtime().settings)
    _record("mailings.confirmed_place")
    flash(_("This house sends mail again."), "success")
    return redirect(url_for("mail.show"))


@blueprint.post("/try-again")
@requires("admin")
def try_again() -> Answer:
    """Have a relay that rests tried again at once."""
    forget_trouble(_setting())
    flash(_("It is tried again within seconds."), "success")
    return redirect(url_for("mail.show"))


@blueprint.get("/look-at")
@requires("marketer")
def look_at() -> Answer:
    """Show mails that may or may not have arrived, and those that were given up."""
    before = request.args.get("before", type=int)
    mails = list(attention.to_look_at(request_scope.session(), before_id=before, limit=51))
    shown = mails[:50]
    return render_template(
        "mail/look_at.html",
        mails=shown,
        whats={code: _(text) for code, text in words.WHATS.items()},
        why={mail.id: _(words.problem_in_words(mail.problem_code)) for mail in shown},
        next_url=url_for("mail.look_at", before=shown[-1].id) if len(mails) > len(shown) else "",
        first_url=url_for("mail.look_at") if before is not None else "",
    )


@blueprint.post("/look-at/<int:delivery_id>/again")
@requires("marketer")
def again(delivery_id: int) -> Answer:
    """Send a letter again that may not have arrived."""
    if not attention.send_again(request_scope.session(), delivery_id):
        abort(404)
    _record("mailings.sent_again", ("delivery", delivery_id))
    flash(_("It is sent again."), "success")
    return redirect(url_for("mail.look_at"))


@blueprint.post("/look-at/<int:delivery_id>/aside")
@requires("marketer")
def aside(delivery_id: int) -> Answer:
    """Take a mail off the list and leave it as it is."""
    if not attention.set_aside(request_scope.session(), delivery_id):
        abort(404)
    _record("mailings.set_aside", ("delivery", delivery_id))
    flash(_("It is set aside."), "success")
    return redirect(url_for("mail.look_at"))


def _page(form: Form) -> str:
    session, runtime, setting, sender = request_scope.session(), request_scope.runtime(), _setting(), _sender()
    waiting, oldest = queue_of(session)
    return render_template(
        "mail/settings.html",
        form=form,
        setting=setting,
        missing=sender.missing if isinstance(sender, NotReady) else "",
        missing_text=_missing(sender.missing) if isinstance(sender, NotReady) else "",
        trouble=_relay_words(setting.problem_code) if setting.problem_code else "",
        installation=runtime.settings.mail_relay_host,
        installation_address=runtime.settings.mail_from_address,
        postal_address=current_organisation(session).legal_address,
        securities=SECURITIES,
        bounces=BOUNCES,
        waiting=waiting,
        oldest=oldest,
        uncertain=attention.count_uncertain(session),
        breakers=open_breakers(session, at=clock.now()),
        tracking=new_form(tracks=setting.tracks, utm_source=setting.utm_source),
        domain=_domain(),
        has_keys=bool(keys_of(session, _domain())),
        signs=any(key.published_at for key in keys_of(session, _domain())),
    )


def _relay_problem(values: dict[str, Any]) -> str:
    """Return why a relay cannot be one, before anything is stored; nothing is spoken to."""
    if not values["relay_host"]:
        return ""
    settings = request_scope.runtime().settings
    try:
        SmtpPost(relay_from(values, allows_loopback=settings.allow_loopback_connections)).close()
    except ConnectorError as problem:
        return _relay_words(problem.code)
    return ""


def _missing(code: Missing) -> str:
    return str(_(words.MISSING[code]))


def _relay_words(code: str) -> str:
    return str(_(meaning_for_mail(code)))


def _way(domain: str) -> Way:
    """How this house's mail leaves: whether receivers believe it depends on that too."""
    setting, settings = _setting(), request_scope.runtime().settings
    envelope = {"to_mailbox": (setting.bounce_address or "").rpartition("@")[2], "nowhere": ""}
    return Way(setting.relay_host or settings.mail_relay_host, envelope.get(setting.bounces_go, domain))


def _dns() -> Dns:
    servers = request_scope.runtime().settings.name_servers
    pairs = [each.strip().rpartition(":") for each in servers.split(",") if each.strip()]
    return Dns([(address, int(port)) for address, _colon, port in pairs])


def _note_published(domain: str, findings: list[Finding]) -> None:
    """Remember which keys DNS holds now: those sign, and no others."""
    seen = published(findings)
    for key in keys_of(request_scope.session(), domain):
        is_there = f"{key.selector}._domainkey.{key.domain}" in seen
        key.published_at = (key.published_at or clock.now()) if is_there else None


def _in_words(finding: Finding) -> dict[str, Any]:
    title, text = words.FINDINGS[finding.code]
    return {"title": _(title), "text": _(text), "tone": finding.tone, "found": finding.found, "record": finding.record}


def _setting() -> MailSetting:
    return setting_of(request_scope.session(), request_scope.runtime().settings)


def _sender() -> Sender | NotReady:
    return sender_of(request_scope.session(), request_scope.runtime())


def _domain() -> str:
    address = _setting().from_address or request_scope.runtime().settings.mail_from_address
    return address.rpartition("@")[2]


def _record(action: str, subject: tuple[str, int] | None = None) -> None:
    audit.record(request_scope.session(), access.current_actor(), action, subject=subject)
