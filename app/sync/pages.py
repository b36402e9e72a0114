"""The pages of connections: which there are, making one, and how one is doing. For administrators only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from werkzeug.wrappers import Response

from app import clock
from app.accounts.access import current_actor, requires
from app.consent.models import Purpose
from app.contacts.importing.presets import PRESETS
from app.sync import connections, inbox, pull
from app.sync.connections import Filled, InvalidSettings, UnknownConnection
from app.sync.inbox import count_by_state, items_of
from app.sync.meanings import words_of
from app.sync.models import Connection, PullProgress
from app.sync.schemas import form_schema
from app.sync.storing import problems_of
from app.sync.vanishing import contacts_told_of
from app.sync.wordings import failure_wording, field_wording, record_wording
from app.ui import request_scope
from app.ui.forms import WHOLE_FORM, Form, new_form, read_form, shown_again
from app.ui.languages import current_language
from integrations.base import ConnectorError
from integrations.catalogue import SYSTEMS, SettingField, System

# What a connector says beside the code, and a person must see.
SHOWN_WITH_HINT = frozenset({"host_key_unknown", "host_key_changed"})

blueprint = Blueprint("connections", __name__, url_prefix="/connections", template_folder="templates")

Answer = str | tuple[str, int] | Response
INBOX_PAGE = 50
BODY_SHOWN = 4000


@blueprint.get("")
@requires("admin")
def overview() -> Answer:
    """Show every connection and how it is doing."""
    found = connections.list_connections(request_scope.session())
    return render_template("connections/overview.html", connections=found, systems=SYSTEMS, status_of=status_of)


@blueprint.get("/new")
@requires("admin")
def choose() -> Answer:
    """Ask which system to connect."""
    kinds = {kind: [each for each in SYSTEMS.values() if each.kind == kind] for kind in ("source", "destination")}
    files = [preset.name for preset in PRESETS.values() if preset.code != "generic"]
    return render_template(
        "connections/choose.html", kinds=kinds, grades=_grades(), translated=_translated, files=files
    )


@blueprint.get("/new/<name>")
@requires("admin")
def fill_in(name: str) -> Answer:
    """Ask what a system needs."""
    system = _system(name)
    typed = {field.name: field.default for field in _shown_fields(system) if not field.is_secret}
    return render_template("connections/form.html", form=new_form(name=system.name, **typed), **_form_context(system))


@blueprint.post("/new/<name>")
@requires("admin")
def connect(name: str) -> Answer:
    """Check with the system itself, then connect it. Nothing is saved unless the system lets us in."""
    system = _system(name)
    form, filled = _read(system, known_secrets=None)
    account = ""
    if filled is not None:
        form, account = _probed(form, filled)
    if filled is None or not form.is_valid:
        return shown_again("connections/form.html", form=form, **_form_context(system))
    try:
        made = connections.create_connection(
            request_scope.session(),
            request_scope.runtime().keyring,
            filled,
            name=form.values.get("name") or account,
            actor=current_actor(),
        )
    except InvalidSettings as error:
        return shown_again("connections/form.html", form=_with_errors(form, error), **_form_context(system))
    flash(_("Connected with %(account)s.", account=account), "success")
    return redirect(url_for("connections.show", connection_id=made.id))


@blueprint.get("/<int:connection_id>")
@requires("admin")
def show(connection_id: int) -> Answer:
    """Show one connection: what came in, when, what failed, and what one can do about it."""
    connection = _found(connection_id)
    runtime = request_scope.runtime()
    problem_count, problems = problems_of(request_scope.session(), connection_id)
    told_of = contacts_told_of(request_scope.session(), connection.settings.get("source", ""), problems)
    return render_template(
        "connections/show.html",
        hook_url=connections.hook_url(runtime.keyring, connection, base_url=runtime.settings.base_url),
        waiting=count_by_state(request_scope.session(), connection_id),
        new_words=_new_words(connection),
        problem_count=problem_count,
        problems=[(problem, _(record_wording(problem.code)), told_of.get(problem.external_id)) for problem in problems],
        **_progress_context(connection),
    )


@blueprint.get("/<int:connection_id>/progress")
@requires("admin")
def progress(connection_id: int) -> Answer:
    """Return how far the reading is: the part of the page that asks for itself again while it runs."""
    return render_template("connections/progress.html", **_progress_context(_found(connection_id)))


@blueprint.get("/<int:connection_id>/edit")
@requires("admin")
def edit(connection_id: int) -> Answer:
    """Ask what has to change."""
    connection = _found(connection_id)
    form = new_form(name=connection.name, **connection.settings)
    return render_template("connections/form.html", form=form, **_form_context(_system(connection.system), connection))


@blueprint.post("/<int:connection_id>/edit")
@requires("admin")
def change(connection_id: int) -> Answer:
    """Check with the system itself, then change the connection. A secret left empty stays as it is."""
    connection = _found(connection_id)
    system = _system(connection.system)
    keyring = request_scope.runtime().keyring
    form, filled = _read(system, known_secrets=connections.read_secrets(keyring, connection))
    if filled is not None:
        form, _account = _probed(form, filled)
    if filled is None or not form.is_valid:
        return shown_again("connections/form.html", form=form, **_form_context(system, connection))
    try:
        connections.change_connection(
            request_scope.session(),
            keyring,
            connection_id,
            filled=filled,
            name=form.values.get("name") or connection.name,
            actor=current_actor(),
        )
    except InvalidSettings as error:
        again = _with_errors(form, error)
        return shown_again("connections/form.html", form=again, **_form_context(system, connection))
    flash(_("The connection works again with what you filled in."), "success")
    return redirect(url_for("connections.show", connection_id=connection_id))


@blueprint.post("/<int:connection_id>/run")
@requires("admin")
def run(connection_id: int) -> Answer:
    """Read a source now."""
    connections.run_now(request_scope.session(), _found(connection_id).id)
    return _back(connection_id, _("Reading begins within seconds."))


@blueprint.post("/<int:connection_id>/start-over")
@requires("admin")
def start_over(connection_id: int) -> Answer:
    """Read a source from its very beginning."""
    pull.start_over(request_scope.session(), _found(connection_id).id)
    connections.run_now(request_scope.session(), connection_id)
    return _back(connection_id, _("Everything is read again. What is already here stays as it is."))


@blueprint.post("/<int:connection_id>/pause")
@requires("admin")
def pause(connection_id: int) -> Answer:
    """Stop reading."""
    connections.pause_connection(request_scope.session(), _found(connection_id).id, actor=current_actor())
    return _back(connection_id, _("Paused. Nothing is read until you go on."))


@blueprint.post("/<int:connection_id>/resume")
@requires("admin")
def resume(connection_id: int) -> Answer:
    """Go on after a pause or a failure."""
    connections.resume_connection(request_scope.session(), _found(connection_id).id, actor=current_actor())
    return _back(connection_id, _("On again."))


@blueprint.post("/<int:connection_id>/remove")
@requires("admin")
def remove(connection_id: int) -> Answer:
    """Remove a connection."""
    connections.remove_connection(request_scope.session(), _found(connection_id).id, actor=current_actor())
    flash(_("The connection is removed. What came in through it is still here."), "success")
    return redirect(url_for("connections.overview"))


@blueprint.get("/<int:connection_id>/inbox")
@requires("admin")
def messages(connection_id: int) -> Answer:
    """Show what the system sent us, the newest first."""
    connection = _found(connection_id)
    before_id = request.args.get("before", type=int)
    items = items_of(request_scope.session(), connection_id, before_id=before_id, limit=INBOX_PAGE)
    last = items[-1].id if len(items) == INBOX_PAGE else None
    here = url_for("connections.messages", connection_id=connection_id)
    return render_template(
        "connections/inbox.html",
        connection=connection,
        items=[
            (item, item.body[:BODY_SHOWN].decode("utf-8", "replace"), _item_problem(item.problem_code))
            for item in items
        ],
        counts=count_by_state(request_scope.session(), connection_id),
        first_url=here if before_id else "",
        next_url=url_for("connections.messages", connection_id=connection_id, before=last) if last else "",
    )


@blueprint.post("/<int:connection_id>/inbox/<int:item_id>/replay")
@requires("admin")
def replay(connection_id: int, item_id: int) -> Answer:
    """Process one message again."""
    _found(connection_id)
    if not inbox.replay(request_scope.session(), connection_id, item_id, actor=current_actor()):
        abort(404)
    return _back_to_inbox(connection_id, _("The message is processed again within seconds."))


@blueprint.post("/<int:connection_id>/inbox/replay-dead")
@requires("admin")
def replay_dead(connection_id: int) -> Answer:
    """Process every message again that was given up."""
    _found(connection_id)
    count = inbox.replay_dead(request_scope.session(), connection_id, actor=current_actor())
    return _back_to_inbox(connection_id, _("%(count)s messages are processed again.", count=count))


def status_of(connection: Connection) -> tuple[str, str]:
    """Return how a connection is doing, in a word and a tone."""
    if connection.state == "paused":
        return _("Paused"), "light"
    if connection.state == "failing":
        return _("Needs you"), "bad"
    if connection.failure_code:
        return _("Trying again"), "warn"
    if connection.kind == "source" and connection.last_ok_at is None:
        return _("First reading"), "info"
    return _("Works"), "good"


def _progress_context(connection: Connection) -> dict[str, Any]:
    held = pull.progress_of(request_scope.session(), connection.id)
    is_due = connection.next_run_at is not None and connection.next_run_at <= clock.now()
    is_reading = connection.lease_until is not None and connection.lease_until > clock.now()
    system = _system(connection.system)
    streams = getattr(system.capabilities, "streams", ())
    return {
        "connection": connection,
        "system": system,
        "status": status_of(connection),
        "failure": _(failure_wording(connection.failure_code)) if connection.failure_code else "",
        "streams": [(stream, held.get(stream)) for stream in streams],
        "is_running": connection.state == "active" and connection.kind == "source" and (is_due or is_reading),
        "stream_names": _stream_names(),
        "came_in": _came_in(held.values()),
    }


def _new_words(connection: Connection) -> int:
    """How many words of a source nobody said anything about."""
    if connection.kind != "source":
        return 0
    return sum(word.is_new for word in words_of(request_scope.session(), connection.id))


def _grades() -> Mapping[str, str]:
    """What a grade means to who chooses a system: how far it was tried before."""
    return {
        "A": _("tried with the real system"),
        "B": _("tried against the maker's full description"),
        "C": _("tried against a part of the description"),
        "D": _("through files only"),
    }


def _came_in(streams: Iterable[PullProgress]) -> dict[str, Counter[str]]:
    """Return what all streams brought, by kind and outcome."""
    total: dict[str, Counter[str]] = {"activities": Counter(), "contacts": Counter(), "participations": Counter()}
    for stream in streams:
        for key, count in stream.counts.items():
            kind, _dot, outcome = key.partition(".")
            total[kind][outcome] += count
    return total


def _stream_names() -> Mapping[str, str]:
    return {
        "events": _("Activities"),
        "customers": _("Customer accounts"),
        "contacts": _("Contacts"),
        "orders": _("Orders"),
        "attendees": _("Attendees"),
        "scans": _("Scans at the door"),
    }


def _item_problem(code: str | None) -> str:
    return _(failure_wording(code)) if code else ""


def _form_context(system: System, connection: Connection | None = None) -> dict[str, Any]:
    return {
        "system": system,
        "fields": _shown_fields(system),
        "purposes": _purposes(),
        "connection": connection,
        "translated": _translated,
    }


def _translated(text: str) -> str:
    return _(text) if text else ""


def _shown_fields(system: System) -> Sequence[SettingField]:
    allows_loopback = request_scope.runtime().settings.allow_loopback_connections
    return [field for field in system.fields if allows_loopback or not field.is_for_tests]


def _purposes() -> list[tuple[str, str]]:
    rows = request_scope.session().scalars(
        select(Purpose).where(Purpose.is_active, Purpose.is_marketing).order_by(Purpose.position)
    )
    return [(purpose.code, purpose.names.get(current_language(), purpose.code)) for purpose in rows]


def _read(system: System, *, known_secrets: Mapping[str, str] | None) -> tuple[Form, Filled | None]:
    """Return the form as it was sent and, where nothing is wrong with it, what was filled in."""
    shown = _shown_fields(system)
    form = read_form(form_schema(system, fields_shown={field.name: field for field in shown}), request.form)
    if not form.is_valid:
        return form, None
    typed = {field.name: form.typed.get(field.name) for field in shown}
    secret = {field.name for field in shown if field.is_secret}
    try:
        filled = connections.read_settings(
            system.system,
            {name: value for name, value in typed.items() if name not in secret},
            {name: value for name, value in typed.items() if name in secret},
            allows_loopback=request_scope.runtime().settings.allow_loopback_connections,
            known_secrets=known_secrets,
        )
    except InvalidSettings as error:
        return _with_errors(form, error), None
    return form, filled


def _with_errors(form: Form, error: InvalidSettings) -> Form:
    for name, code in error.errors.items():
        form = form.with_error(name, _(field_wording(code)))
    return form


def _probed(form: Form, filled: Filled) -> tuple[Form, str]:
    """Ask the system itself; returns the form, with what it said where it refused, and the name of the account."""
    request_scope.let_go()
    try:
        allows_loopback = request_scope.runtime().settings.allow_loopback_connections
        return form, connections.probe(filled, allows_loopback=allows_loopback)
    except ConnectorError as error:
        # A fingerprint is there to be compared; any other hint is for the log.
        shown = f" {error.hint}" if error.code in SHOWN_WITH_HINT else ""
        return form.with_error(WHOLE_FORM, _(failure_wording(error.code)) + shown), ""


def _system(name: str) -> System:
    system = SYSTEMS.get(name)
    if system is None:
        abort(404)
    return system


def _found(connection_id: int) -> Connection:
    try:
        return connections.get_connection(request_scope.session(), connection_id)
    except UnknownConnection:
        abort(404)


def _back(connection_id: int, sentence: str) -> Response:
    flash(sentence, "success")
    return redirect(url_for("connections.show", connection_id=connection_id))


def _back_to_inbox(connection_id: int, sentence: str) -> Response:
    flash(sentence, "success")
    return redirect(url_for("connections.messages", connection_id=connection_id))
