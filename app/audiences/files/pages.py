"""The page of a connection whose files are kept here: fetch them, and bring opt-outs back."""

from __future__ import annotations

import io

from flask import Blueprint, abort, flash, redirect, render_template, request, send_file, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import update
from werkzeug.wrappers import Response

from app import clock
from app.accounts import audit
from app.accounts.access import current_actor, requires
from app.audiences.files.folder import files_of, read_file, write_file
from app.audiences.models import Audience
from app.sync.connections import UnknownConnection, get_connection
from app.sync.models import Connection
from app.ui import request_scope
from integrations.catalogue import system_named
from integrations.files.destination import NAME
from integrations.files.tables import addresses_in

UPLOAD_BYTES_MAX = 20_000_000
HIDDEN = ("-previous.csv", "-opt-outs-in.csv")

blueprint = Blueprint("audience_files", __name__, url_prefix="/audiences/files", template_folder="../templates")


@blueprint.get("/<int:connection_id>")
@requires("marketer")
def show(connection_id: int) -> str:
    """The files that are there, what to do with each, and the way back for opt-outs."""
    connection = _found(connection_id)
    rows = [row for row in files_of(request_scope.session(), connection.id) if not row.name.endswith(HIDDEN)]
    changes = sorted((row for row in rows if "-changes-" in row.name), key=lambda row: row.name, reverse=True)
    return render_template(
        "files/show.html",
        connection=connection,
        lists=_lists(connection),
        by_name={row.name: row for row in rows},
        changes=changes,
    )


@blueprint.post("/<int:connection_id>/fetch")
@requires("marketer")
def fetch(connection_id: int) -> Response:
    """Fetch a file; who took which is kept in the audit trail."""
    connection, name = _found(connection_id), request.form.get("name", "")
    session = request_scope.session()
    content = (
        None if name.endswith(HIDDEN) else read_file(session, request_scope.runtime().keyring, connection.id, name)
    )
    if content is None:
        abort(404)
    audit.record(
        session,
        current_actor(),
        "audiences.fetched_file",
        subject=("connection", connection.id),
        details={"name": name, "rows": max(content.count(b"\n") - 1, 0)},
    )
    return send_file(io.BytesIO(content), mimetype="text/csv", as_attachment=True, download_name=name)


@blueprint.post("/<int:connection_id>/opt-outs")
@requires("marketer")
def bring_opt_outs(connection_id: int) -> Response:
    """Take in a file of people who opted out in the other system: they are out here within seconds, everywhere."""
    connection, list_id = _found(connection_id), request.form.get("list", "")
    here = redirect(url_for(".show", connection_id=connection.id))
    if list_id not in _lists(connection) or not NAME.fullmatch(list_id):
        abort(404)
    given = request.files.get("file")
    content = given.stream.read(UPLOAD_BYTES_MAX + 1) if given else b""
    found = addresses_in(content) if len(content) <= UPLOAD_BYTES_MAX else []
    if not found:
        words = _(
            "There is no e-mail address in this file. Export the opt-outs there as CSV, with a column of addresses."
        )
        flash(words, "warning")
        return here
    session, keyring = request_scope.session(), request_scope.runtime().keyring
    name = f"{list_id}-opt-outs-in.csv"
    before = read_file(session, keyring, connection.id, name)
    together = dict.fromkeys([*(addresses_in(before) if before else ()), *found])
    write_file(session, keyring, connection.id, name, content="\r\n".join(["EMAIL", *together, ""]).encode())
    session.execute(
        update(Audience)
        .where(Audience.connection_id == connection.id, Audience.list_ref == list_id)
        .where(Audience.state.in_(("active", "paused")))
        .values(next_poll_at=clock.now())
    )
    audit.record(
        session,
        current_actor(),
        "audiences.brought_opt_outs",
        subject=("connection", connection.id),
        details={"rows": len(found)},
    )
    count = len(found)
    told = ngettext(
        "%(num)s opt-out is taken in within seconds.", "%(num)s opt-outs are taken in within seconds.", count
    )
    flash(told, "success")
    return here


def _found(connection_id: int) -> Connection:
    try:
        connection = get_connection(request_scope.session(), connection_id)
    except UnknownConnection:
        abort(404)
    if system_named(connection.system).open_on_folder is None:
        abort(404)
    return connection


def _lists(connection: Connection) -> list[str]:
    told = str(connection.settings.get("lists") or "contacts")
    return [part.strip() for part in told.split(",") if part.strip()]
