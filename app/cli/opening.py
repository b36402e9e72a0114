"""What every command begins with: the house opened, an organisation that exists, and a result printed."""

from __future__ import annotations

import json
from typing import Any

import click

from app import runtime
from app.config import Settings
from app.runtime import Runtime


@click.group()
@click.version_option(package_name="zaallicht", prog_name="zaallicht")
def cli() -> None:
    """House lights: who is in the room, and who may be written to."""


def started(*, migrate: bool = False) -> Runtime:
    """Open settings, keys and database for a command; the connections are closed when it ends."""
    from app import logging

    settings = Settings.from_environment()
    logging.configure(settings)
    held = runtime.start(settings, migrate=migrate)
    click.get_current_context().call_on_close(held.engine.dispose)
    return held


def printed(**values: Any) -> None:
    """Print a result as one JSON object."""
    click.echo(json.dumps(values, default=str))


def known(held: Runtime, organisation_id: int) -> int:
    """Return the number of an organisation that exists; says so where it does not."""
    from app.accounts.directory import organisation_ids
    from app.db import transaction

    with transaction(held.engine, None) as session:
        if organisation_id not in organisation_ids(session):
            raise click.ClickException(
                f"There is no organisation {organisation_id}: zaallicht org create NAME makes one."
            )
    return organisation_id
