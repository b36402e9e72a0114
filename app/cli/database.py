"""Commands about the database: migrations, backups, and spreading it over machines."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli import opening
from app.cli.opening import cli
from app.config import Settings
from app.keyring import Keyring
from app.postgres import Database


@cli.group()
def db() -> None:
    """The database."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Run all migrations."""
    opening.started(migrate=True)
    click.echo("The database is up to date.")


@db.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def db_backup(file: Path) -> None:
    """Write the whole database to a new FILE, while everything runs."""
    from app import backup

    settings, _keyring, database = _database()
    size = backup.back_up(database, file)
    click.echo(f"{file}: {size / 1024 / 1024:.1f} MB, everything but the keys.")
    click.echo(f"Keep the keyring apart from it: {settings.keyring_path}. Without it a backup is of no use.")


@db.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--replace", is_flag=True, help="Even where there are organisations: they are lost.")
@click.option(
    "--erasures",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    default=None,
    help="The list of erasures kept outside the database. Default: erasures.jsonl in the state folder.",
)
def db_restore(file: Path, replace: bool, erasures: Path | None) -> None:
    """Bring a backup back from FILE, whole or not at all. Stop web and workers first."""
    from app import backup
    from app.contacts.erasure.journal import FILE_NAME

    settings, keyring, database = _database()
    listed = erasures or settings.state_dir / FILE_NAME
    restored = backup.restore(database, keyring, file, may_replace=replace, erasures=listed)
    click.echo(f"{restored.organisations} organisation(s) are back, and the database is up to date.")
    if restored.erased_again:
        click.echo(f"{restored.erased_again} person(s) who were erased after the backup was made are erased again.")
    if not restored.is_keyring_right:
        raise click.ClickException(
            f"The keyring {settings.keyring_path} is not the one this backup was made with: nobody can log in and "
            "nothing can be matched. Put the right keyring there and start again."
        )


@db.command("distribute")
def db_distribute() -> None:
    """Spread the tables over the machines of a Citus cluster, house by house."""
    from app import distribution

    _settings, _keyring, database = _database()
    count = distribution.distribute(database)
    click.echo(f"{count} tables are spread by organisation." if count else "All tables are spread already.")


def _database() -> tuple[Settings, Keyring, Database]:
    from app import postgres
    from app.keyring import load_keyring

    settings = Settings.from_environment()
    keyring = load_keyring(settings.keyring_path)
    return settings, keyring, postgres.locate(settings, keyring)
