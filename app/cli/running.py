"""Commands that run the house: all in one, its parts, due work once, and the settings it runs with."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

import click

from app import clock
from app.cli import opening
from app.cli.opening import cli
from app.config import Settings, unknown_variables, variable_of

# How ``up`` starts its parts; not for people.
_with_parent = click.option("--with-parent", is_flag=True, hidden=True)


@cli.command()
@click.option("--host", default=None, help="The address to listen on.")
@click.option("--port", default=None, type=int, help="The port to listen on.")
def up(host: str | None, port: int | None) -> None:
    """Everything on one machine: database, migrations, web and worker. Ctrl-C stops all."""
    from app import supervisor

    chosen: dict[str, Any] = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    supervisor.run(Settings.from_environment(**chosen))


@cli.command()
@_with_parent
def web(with_parent: bool) -> None:
    """Only the web server."""
    from app import supervisor

    held = opening.started()
    if with_parent:
        supervisor.end_with_parent()
    supervisor.serve(held)


@cli.command()
@_with_parent
def worker(with_parent: bool) -> None:
    """Only a worker; any number of them may run."""
    from app import supervisor
    from app import worker as working

    held = opening.started()
    if with_parent:
        supervisor.end_with_parent()
    working.run(held)


@cli.command()
@_with_parent
def sender(with_parent: bool) -> None:
    """Only sends mail; any number of them may run beside a worker, which sends too."""
    from app import supervisor
    from app import worker as working

    held = opening.started()
    if with_parent:
        supervisor.end_with_parent()
    working.run(held, [working.SENDING])


@cli.command()
@click.argument("heartbeat", required=False)
@click.option("--now", "at", default=None, help="The instant to pretend it is, ISO 8601 with an offset.")
def tick(heartbeat: str | None, at: str | None) -> None:
    """Run due work once and return."""
    from app import worker as working

    def run() -> dict[str, int]:
        try:
            return working.tick(opening.started(), only=heartbeat)
        except KeyError:
            known = ", ".join(each.name for each in working.HEARTBEATS)
            raise click.ClickException(f"There is no heartbeat {heartbeat}. There are: {known}.") from None

    if at is None:
        opening.printed(**run())
        return
    with clock.set_to(_instant(at)):
        opening.printed(**run())


@cli.command()
def config() -> None:
    """List every setting, its value and where that came from. Secrets are hidden."""
    settings = Settings.from_environment()
    import os

    for each in fields(Settings):
        variable = variable_of(each.name)
        origin = "environment" if os.environ.get(variable) else "default"
        value = getattr(settings, each.name)
        shown = "(hidden)" if each.metadata["is_secret"] and value else value
        click.echo(f"{variable:38} {shown!s:32} {origin:12} {each.metadata['about']}")
    for unknown in unknown_variables():
        click.echo(f"{unknown} is no setting: is it misspelt?", err=True)


def _instant(written: str) -> datetime:
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        raise click.ClickException(f"{written} is no instant. Write it as 2026-11-20T09:00:00+01:00.") from None
    if at.tzinfo is None:
        raise click.ClickException("The instant needs an offset, such as 2026-11-20T09:00:00+01:00.")
    return at
