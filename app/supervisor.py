"""Everything on one machine: database, web server, worker and senders, started together and stopped together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from types import FrameType
from typing import Any

import click
import structlog
import waitress

from app import create_app, logging, runtime
from app.accounts.directory import organisation_ids
from app.config import SettingError, Settings, variable_of
from app.db import transaction
from app.insights.founding import welcome_token
from app.postgres import start_embedded
from app.runtime import Runtime

log = structlog.get_logger()

RESTART_AFTER_S = 1.0
STOP_WITHIN_S = 20.0
# More would keep a small machine from its other work, and few relays take as much.
SENDERS_MAX = 4


def run(settings: Settings) -> None:
    """Start everything, keep it running, and stop it all on Ctrl-C or SIGTERM. A part that dies is started again."""
    logging.configure(settings)
    refuse_taken_port(settings)
    embedded = None if settings.database_url else start_embedded(settings.state_dir)
    environment = _environment(settings, embedded)
    held = runtime.start(Settings.from_environment(environment), migrate=True)
    stopping = _stop_on_signals()
    parts = {name: _start(name, environment) for name in part_names(settings)}
    _greet(held)
    held.engine.dispose()
    try:
        while not stopping:
            time.sleep(0.2)
            _restart_dead(parts, environment)
    finally:
        _stop(parts)
        if embedded is not None:
            embedded.cleanup()
        click.echo("Zaallicht has stopped.")


def part_names(settings: Settings) -> list[str]:
    """Return the processes ``up`` starts: the worker sends too, and beside it as many senders as are asked for."""
    wanted = settings.mail_senders or min(os.cpu_count() or 1, SENDERS_MAX)
    return ["web", "worker", *(f"sender {number}" for number in range(2, wanted + 1))]


def serve(held: Runtime) -> None:
    """Serve the web application until the process is told to stop."""
    settings = held.settings
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # With a public address there is a proxy in front; without one, nobody's headers are believed.
    behind_proxy: dict[str, Any] = {}
    if settings.public_url:
        behind_proxy = {
            "trusted_proxy": settings.trusted_proxy,
            "trusted_proxy_count": settings.trusted_proxy_count,
            "trusted_proxy_headers": {"x-forwarded-proto", "x-forwarded-for", "x-forwarded-host"},
        }
    waitress.serve(
        create_app(held),
        host=settings.host,
        port=settings.port,
        threads=settings.web_threads,
        ident=None,
        max_request_body_size=settings.upload_bytes_max,
        clear_untrusted_proxy_headers=True,
        **behind_proxy,
    )


def refuse_taken_port(settings: Settings) -> None:
    """Raise SettingError where something else listens already, before anything is started."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError:
            raise SettingError(
                f"Something already listens on {settings.host}:{settings.port}, perhaps Zaallicht itself. "
                f"Stop it, or choose another port: {variable_of('port')}=8001."
            ) from None


def _environment(settings: Settings, embedded: Any) -> dict[str, str]:
    """Return the environment of the parts: the parent alone holds the embedded server, they only connect to it."""
    changed = {variable_of("host"): settings.host, variable_of("port"): str(settings.port)}
    if embedded is not None:
        changed[variable_of("database_url")] = embedded.get_uri()
    return dict(os.environ) | changed


def _start(part: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C reaches the parent alone, which then stops its parts in good order.
    return subprocess.Popen(  # noqa: S603  the command is our own
        [sys.executable, "-m", "app.cli", part.partition(" ")[0], "--with-parent"],
        env=environment,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )


def end_with_parent() -> None:
    """Stop this process once the one that started it is gone, however it went: its end of our input closes then.

    A parent that was killed cannot stop its parts, and they would keep the port and the database for ever.
    """

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def _restart_dead(parts: dict[str, subprocess.Popen[bytes]], environment: dict[str, str]) -> None:
    for name, process in parts.items():
        if process.poll() is not None:
            log.error("a part stopped and is started again", part=name, exit_code=process.returncode)
            time.sleep(RESTART_AFTER_S)
            parts[name] = _start(name, environment)


def _stop(parts: dict[str, subprocess.Popen[bytes]]) -> None:
    for process in parts.values():
        process.terminate()
    deadline = time.monotonic() + STOP_WITHIN_S
    for process in parts.values():
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _stop_on_signals() -> list[int]:
    received: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    signal.signal(signal.SIGINT, note)
    signal.signal(signal.SIGTERM, note)
    return received


def _greet(held: Runtime) -> None:
    base_url = held.settings.base_url
    click.echo(f"\nZaallicht is on at {base_url}   (Ctrl-C stops everything)")
    with transaction(held.engine, None) as session:
        is_new = not organisation_ids(session)
    if is_new:
        click.echo(f"First time here? Make your house: {base_url}/welcome/{welcome_token(held.keyring)}")
        click.echo("Or look around in a demonstration house: zaallicht demo")
    click.echo("")
