"""``zaallicht …``: every command of the house."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from app.cli import database, demonstrating, houses, proving, returning, running  # noqa: F401  commands register at import
from app.cli.opening import cli
from app.config import SettingError
from app.keyring import KeyringError
from app.postgres import DatabaseError

__all__ = ["cli", "main"]


def main() -> None:
    """Run a command; trouble the operator can mend is said in one line, without a stack trace."""
    try:
        _run(cli)
    except (SettingError, KeyringError, DatabaseError) as problem:
        click.echo(f"Error: {problem}", err=True)
        sys.exit(1)


def _run(command: Callable[[], Any]) -> None:
    command()
