"""Connections over the REST API."""

from __future__ import annotations

from typing import Any, NoReturn

from flask import url_for
from flask.views import MethodView
from flask_babel import gettext
from flask_smorest import Blueprint, abort

from app.accounts.access import current_actor, scope
from app.sync import connections
from app.sync.connections import Filled, InvalidSettings, UnknownConnection
from app.sync.models import Connection
from app.sync.pull import start_over
from app.sync.schemas import (
    CheckedSchema,
    ConnectionPageSchema,
    ConnectionSchema,
    MadeConnectionSchema,
    NewConnectionSchema,
)
from app.sync.wordings import failure_wording, field_wording
from app.ui import request_scope
from app.ui.refusals import refuse
from integrations.base import ConnectorError, Permanent
from integrations.catalogue import SYSTEMS, System, system_named

blueprint = Blueprint("connections_api", __name__, description="Systems we read from and push to")


@blueprint.route("/connections")
class Connections(MethodView):
    """All connections."""

    @scope("connections:read")
    @blueprint.response(200, ConnectionPageSchema)
    def get(self) -> dict[str, Any]:
        """Return every connection, the oldest first."""
        return {"items": connections.list_connections(request_scope.session()), "next": None}

    @scope("connections:write")
    @blueprint.arguments(NewConnectionSchema)
    @blueprint.response(201, MadeConnectionSchema)
    def post(self, wanted: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
        """Connect a system. A source is read at once; what it brings shows under the connection."""
        runtime = request_scope.runtime()
        filled = _filled(wanted)
        try:
            made = connections.create_connection(
                request_scope.session(),
                runtime.keyring,
                filled,
                name=wanted.get("name") or filled.system.name,
                actor=current_actor(),
            )
        except InvalidSettings as error:
            _refuse(error, filled.system)
        told = {name: getattr(made, name) for name in ConnectionSchema().fields}
        told["hook_url"] = connections.hook_url(runtime.keyring, made, base_url=runtime.settings.base_url)
        return told, 201, {"Location": url_for("connections_api.OneConnection", connection_id=made.id)}


@blueprint.route("/connections/<int:connection_id>")
class OneConnection(MethodView):
    """One connection."""

    @scope("connections:read")
    @blueprint.response(200, ConnectionSchema)
    def get(self, connection_id: int) -> Connection:
        """Return how a connection is doing."""
        return _found(connection_id)

    @scope("connections:write")
    @blueprint.response(204)
    def delete(self, connection_id: int) -> None:
        """Remove a connection. What came in through it stays, and so does every consent event."""
        connections.remove_connection(request_scope.session(), _found(connection_id).id, actor=current_actor())


@blueprint.route("/connections/<int:connection_id>/run", methods=["POST"])
@scope("connections:write")
@blueprint.response(200, ConnectionSchema)
def run(connection_id: int) -> Connection:
    """Read a source now."""
    return connections.run_now(request_scope.session(), _found(connection_id).id)


@blueprint.route("/connections/<int:connection_id>/pause", methods=["POST"])
@scope("connections:write")
@blueprint.response(200, ConnectionSchema)
def pause(connection_id: int) -> Connection:
    """Stop reading. Webhooks are still taken in."""
    return connections.pause_connection(request_scope.session(), _found(connection_id).id, actor=current_actor())


@blueprint.route("/connections/<int:connection_id>/resume", methods=["POST"])
@scope("connections:write")
@blueprint.response(200, ConnectionSchema)
def resume(connection_id: int) -> Connection:
    """Go on after a pause or a failure."""
    return connections.resume_connection(request_scope.session(), _found(connection_id).id, actor=current_actor())


@blueprint.route("/connections/<int:connection_id>/start-over", methods=["POST"])
@scope("connections:write")
@blueprint.response(200, ConnectionSchema)
def read_everything_again(connection_id: int) -> Connection:
    """Read a source from its very beginning; nothing that came in is removed."""
    session = request_scope.session()
    start_over(session, _found(connection_id).id)
    return connections.run_now(session, connection_id)


@blueprint.route("/connections/<int:connection_id>/check", methods=["POST"])
@scope("connections:write")
@blueprint.response(200, CheckedSchema)
def check(connection_id: int) -> dict[str, str]:
    """Ask the system whether the credentials still work. 422: they do not; 503: it cannot be asked now."""
    runtime = request_scope.runtime()
    connection = _found(connection_id)
    secrets = connections.read_secrets(runtime.keyring, connection)
    filled = Filled(system_named(connection.system), dict(connection.settings), secrets)
    request_scope.let_go()
    try:
        account = connections.probe(filled, allows_loopback=runtime.settings.allow_loopback_connections)
    except ConnectorError as error:
        wording = gettext(failure_wording(error.code))
        abort(422 if isinstance(error, Permanent) else 503, message=wording, errors={"code": [error.code]})
    return {"account": account}


def _filled(wanted: dict[str, Any]) -> Filled:
    try:
        filled = connections.read_settings(
            wanted["system"],
            wanted["settings"],
            wanted["secrets"],
            allows_loopback=request_scope.runtime().settings.allow_loopback_connections,
        )
    except InvalidSettings as error:
        _refuse(error, SYSTEMS.get(wanted["system"]))
    if wanted.get("kind") not in (None, filled.system.kind):
        refuse("kind", gettext("This system is of the other kind."))
    return filled


def _refuse(error: InvalidSettings, system: System | None) -> NoReturn:
    secrets = {field.name for field in system.fields if field.is_secret} if system else set()
    errors = {}
    for name, code in error.errors.items():
        place = name if name == "system" else f"{'secrets' if name in secrets else 'settings'}.{name}"
        errors[place] = [gettext(field_wording(code))]
    abort(422, errors=errors)
    raise AssertionError("abort has raised")


def _found(connection_id: int) -> Connection:
    try:
        return connections.get_connection(request_scope.session(), connection_id)
    except UnknownConnection:
        abort(404)
        raise
