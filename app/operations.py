"""What operators and load balancers ask: is the process alive, can it work, what does it measure."""

from __future__ import annotations

from datetime import timedelta
from hmac import compare_digest

from flask import Blueprint, Response, abort, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as WerkzeugResponse

from app import clock, postgres
from app.accounts.access import public
from app.measures import late_opt_outs, take_measures
from app.sync.models import Heartbeat
from app.ui import request_scope

blueprint = Blueprint("operations", __name__)

LOOPBACK = ("127.0.0.1", "::1")
WORKER_SILENT_AFTER = timedelta(minutes=2)


@blueprint.get("/healthz")
@public
def healthz() -> WerkzeugResponse:
    """Whether the process answers."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
@public
def readyz() -> tuple[WerkzeugResponse, int]:
    """Whether there is work this process can do: database, migrations, a worker that beats."""
    checks = {"database": _database_answers()}
    checks["migrations"] = checks["database"] and postgres.is_current(request_scope.runtime().engine)
    checks["worker"] = checks["migrations"] and _worker_beats()
    is_ready = all(checks.values())
    return jsonify(status="ok" if is_ready else "not ready", checks=checks), 200 if is_ready else 503


@blueprint.get("/metrics")
@public
def metrics() -> Response:
    """Numbers for Prometheus, for the operator only: by bearer token, or from this machine where none is set."""
    _for_the_operator()
    return Response(generate_latest(take_measures(request_scope.runtime())), content_type=CONTENT_TYPE_LATEST)


@blueprint.get("/alarmz")
@public
def alarmz() -> tuple[WerkzeugResponse, int]:
    """Whether somebody should be woken: opt-outs that do not reach a connected system in time. For the operator only.

    Apart from readyz, for a mail system that is down is no reason to take this one out of service.
    """
    _for_the_operator()
    late = late_opt_outs(request_scope.runtime())
    body = {str(organisation_id): {"late": one.late, "failing": one.failing} for organisation_id, one in late.items()}
    return jsonify(status="alarm" if late else "ok", opt_outs=body), 503 if late else 200


def _for_the_operator() -> None:
    token = request_scope.runtime().settings.metrics_token
    if token:
        if not compare_digest(request.headers.get("Authorization", ""), f"Bearer {token}"):
            abort(403)
    elif request.remote_addr not in LOOPBACK:
        abort(403)


def _database_answers() -> bool:
    try:
        return bool(request_scope.session().scalar(text("SELECT 1")))
    except SQLAlchemyError:
        return False


def _worker_beats() -> bool:
    last = request_scope.session().scalar(select(func.max(Heartbeat.finished_at)))
    return last is not None and clock.now() - last < WORKER_SILENT_AFTER
