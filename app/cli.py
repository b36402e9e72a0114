"""``zaallicht …``: every command of the house."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from app import clock, runtime
from app.config import SettingError, Settings, unknown_variables, variable_of
from app.keyring import Keyring, KeyringError
from app.postgres import Database, DatabaseError
from app.runtime import Runtime

if TYPE_CHECKING:
    from app.demo.demonstration import Opened


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

    held = started()
    if with_parent:
        supervisor.end_with_parent()
    supervisor.serve(held)


@cli.command()
@_with_parent
def worker(with_parent: bool) -> None:
    """Only a worker; any number of them may run."""
    from app import supervisor
    from app import worker as working

    held = started()
    if with_parent:
        supervisor.end_with_parent()
    working.run(held)


@cli.command()
@click.argument("heartbeat", required=False)
@click.option("--now", "at", default=None, help="The instant to pretend it is, ISO 8601 with an offset.")
def tick(heartbeat: str | None, at: str | None) -> None:
    """Run due work once and return."""
    from app import worker as working

    def run() -> dict[str, int]:
        try:
            return working.tick(started(), only=heartbeat)
        except KeyError:
            known = ", ".join(each.name for each in working.HEARTBEATS)
            raise click.ClickException(f"There is no heartbeat {heartbeat}. There are: {known}.") from None

    if at is None:
        printed(**run())
        return
    with clock.set_to(_instant(at)):
        printed(**run())


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


@cli.command()
@click.option("--contacts", type=click.IntRange(100, 2_000_000), default=20_000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed and day give the same house.")
@click.option("--seasons", type=click.IntRange(4, 12), default=5, show_default=True, help="The running one included.")
@click.option("--password", default=None, help="For everybody who logs in. Default: one each, shown once.")
@click.option("--again", is_flag=True, help="Make another one beside the one there is.")
def demo(contacts: int, seed: int, seasons: int, password: str | None, again: bool) -> None:
    """A demonstration house: invented people, a programme and years of visits."""
    from app.accounts.users import PASSWORD_LENGTH_MIN, UserError
    from app.demo import demonstration

    held = started(migrate=True)
    with click.progressbar(length=contacts, label="Contacts", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        try:
            opened = demonstration.open_demonstration(
                held,
                contacts=contacts,
                seed=seed,
                seasons=seasons,
                password=password,
                is_another=again,
                progress=lambda done: bar.update(done - bar.pos),
            )
        except demonstration.DemonstrationExists as found:
            raise click.ClickException(
                f"There is a demonstration house already (organisation {found.organisation_id}). "
                "zaallicht demo --again makes another one beside it."
            ) from None
        except UserError:
            raise click.ClickException(f"The password must have at least {PASSWORD_LENGTH_MIN} characters.") from None
    demonstration.settle(held, opened)
    _show_demonstration(held, opened)


@cli.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--org", "organisation_id", type=int, required=True)
@click.option("--preset", default="generic", show_default=True, help="The system the file comes from.")
@click.option("--kind", type=click.Choice(["contacts", "participations"]), default="contacts", show_default=True)
@click.option("--dry-run", "is_dry", is_flag=True, help="Say what would change, and change nothing.")
def import_command(file: BinaryIO, organisation_id: int, preset: str, kind: str, is_dry: bool) -> None:
    """Import contacts or participations from a CSV or XLSX FILE."""
    from app.activities import import_rows as _import_rows  # noqa: F401  files of visits are known
    from app.contacts.importing.command import import_file
    from app.contacts.importing.jobs import UnusableMapping
    from app.contacts.importing.presets import PRESETS
    from app.contacts.importing.rows import UnreadableFile
    from app.contacts.importing.sentences import FILE_PROBLEMS, MAPPING_PROBLEMS, ROW_PROBLEMS

    if preset not in PRESETS:
        raise click.ClickException(f"There is no preset {preset}. There are: {', '.join(PRESETS)}.")
    held = started(migrate=True)
    try:
        summary = import_file(
            held,
            _known(held, organisation_id),
            file.read(),
            file_name=Path(file.name).name,
            kind=kind,
            preset=preset,
            is_dry=is_dry,
            progress=lambda done, total: click.echo(f"{done} of {total or '?'} rows", err=True),
        )
    except UnreadableFile as problem:
        raise click.ClickException(FILE_PROBLEMS.get(problem.code, problem.code)) from None
    except UnusableMapping as problem:
        wrong = " ".join(MAPPING_PROBLEMS.get(code, code) for code, _ in problem.problems)
        raise click.ClickException(f"{wrong} Map the columns on the page Import once; that is remembered.") from None
    for column, code, is_warning, times in summary.problems:
        left_out = "value left out" if is_warning else "row left out"
        click.echo(f"{times} x {left_out}: {column or 'row'}: {ROW_PROBLEMS.get(code, code)}", err=True)
    printed(job=summary.job_id, state=summary.state, columns=summary.meanings, **summary.counts)
    if summary.state == "failed":
        raise click.ClickException(FILE_PROBLEMS.get(summary.problem or "", summary.problem or ""))


@cli.group()
def org() -> None:
    """Organisations."""


def _filled(_context: click.Context, _option: click.Parameter, name: str) -> str:
    if not name.strip():
        raise click.BadParameter("Give a name that is not empty.")
    return name.strip()


def _address(_context: click.Context, _option: click.Parameter, email: str) -> str:
    from marshmallow import ValidationError, validate

    try:
        validate.Email()(email.strip())
    except ValidationError:
        raise click.BadParameter("This is not a valid e-mail address. Example: name@example.org.") from None
    return email.strip()


@org.command("create")
@click.argument("name", callback=_filled)
@click.option("--timezone", "time_zone", default="Europe/Brussels", show_default=True)
@click.option("--language", type=click.Choice(["nl", "fr", "en"]), default="nl", show_default=True)
def org_create(name: str, time_zone: str, language: str) -> None:
    """Create an organisation; prints its id."""
    from app.accounts.organisations import UnknownTimeZone
    from app.db import transaction
    from app.insights.founding import found_house

    held = started(migrate=True)
    try:
        with transaction(held.engine, None) as session:
            organisation = found_house(session, held.keyring, name=name, time_zone=time_zone, language=language)
    except UnknownTimeZone:
        raise click.ClickException(f"{time_zone} is no time zone. Use a name such as Europe/Brussels.") from None
    printed(id=organisation.id)


@cli.group()
def user() -> None:
    """People who log in."""


@user.command("create")
@click.argument("email", callback=_address)
@click.option("--org", "organisation_id", type=int, required=True)
@click.option("--role", type=click.Choice(["admin", "marketer", "analyst", "viewer"]), required=True)
@click.option("--name", default=None, help="Default: what stands before the @.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def user_create(email: str, organisation_id: int, role: str, name: str | None, password_stdin: bool) -> None:
    """Create a person who logs in."""
    from app.accounts.organisations import current_organisation
    from app.accounts.users import PASSWORD_LENGTH_MIN, UserError, create_user
    from app.db import transaction

    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else click.prompt("Password", hide_input=True)
    held = started(migrate=True)
    messages = {
        "email_taken": "There is already somebody with that address in this organisation.",
        "password_too_short": f"The password must have at least {PASSWORD_LENGTH_MIN} characters.",
    }
    try:
        with transaction(held.engine, _known(held, organisation_id)) as session:
            created = create_user(
                session,
                held.keyring,
                email=email,
                name=name or email.partition("@")[0],
                role=role,
                language=current_organisation(session).language,
                password=password,
            )
    except UserError as problem:
        raise click.ClickException(messages[problem.code]) from None
    printed(id=created.id)


@cli.group()
def apikey() -> None:
    """Keys for programs."""


@apikey.command("create")
@click.option("--org", "organisation_id", type=int, required=True)
@click.option("--name", required=True)
@click.option("--scopes", required=True, help="Separated by commas, such as contacts:write,segments:read; * for all.")
def apikey_create(organisation_id: int, name: str, scopes: str) -> None:
    """Create an API key; prints it once."""
    from app.accounts.api_keys import SCOPES, UnknownScope, create_api_key
    from app.db import transaction

    wanted = [scope.strip() for scope in scopes.replace(" ", ",").split(",") if scope.strip()]
    held = started(migrate=True)
    try:
        with transaction(held.engine, _known(held, organisation_id)) as session:
            secret = create_api_key(session, held.keyring, name=name, scopes=wanted)
    except UnknownScope as problem:
        raise click.ClickException(f"Unknown scope: {problem}. There are: {', '.join(SCOPES)}.") from None
    printed(key=secret)


@cli.group()
def consent() -> None:
    """The consent ledger."""


@consent.command("prove")
@click.option("--org", "organisation_id", type=int, required=True)
@click.option("--repair", "is_repair", is_flag=True, help="Put right what differs.")
def consent_prove(organisation_id: int, is_repair: bool) -> None:
    """Compare every permission with what the ledger implies; fails where one differs."""
    from app.consent.commands import prove

    held = started(migrate=True)
    found = prove(held, _known(held, organisation_id), is_repair=is_repair)
    printed(**found)
    if found["differences"] > found["repaired"]:
        raise click.ClickException("Permission is not what the ledger implies. --repair puts it right.")


@consent.command("retention")
@click.option("--org", "organisation_id", type=int, required=True)
@click.option("--dry-run", "is_dry", is_flag=True, help="Say what would end, by purpose, and end nothing.")
def consent_retention(organisation_id: int, is_dry: bool) -> None:
    """End permissions that have run out (the heartbeat does so every hour)."""
    from app.consent.commands import end_what_ran_out

    held = started(migrate=True)
    printed(**end_what_ran_out(held, _known(held, organisation_id), is_dry=is_dry))


@cli.group()
def history() -> None:
    """The packed history of contacts, which segments count in."""


@history.command("check")
@click.option("--org", "organisation_id", type=int, required=True)
@click.option("--repair", "is_repair", is_flag=True, help="Put right what differs.")
def history_check(organisation_id: int, is_repair: bool) -> None:
    """Compare every contact's history with what their participations say."""
    from app.activities.history import check

    held = started()
    counts = check(held, _known(held, organisation_id), is_repair=is_repair)
    printed(**counts)
    if counts["different"] > counts["repaired"]:
        raise click.ClickException("Some histories differ. Run it again with --repair.")


@cli.group()
def db() -> None:
    """The database."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Run all migrations."""
    started(migrate=True)
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


def _database() -> tuple[Settings, Keyring, Database]:
    from app import postgres
    from app.keyring import load_keyring

    settings = Settings.from_environment()
    keyring = load_keyring(settings.keyring_path)
    return settings, keyring, postgres.locate(settings, keyring)


def main() -> None:
    """Run a command; trouble the operator can mend is said in one line, without a stack trace."""
    try:
        _run(cli)
    except (SettingError, KeyringError, DatabaseError) as problem:
        click.echo(f"Error: {problem}", err=True)
        sys.exit(1)


def _run(command: Callable[[], Any]) -> None:
    command()


def _show_demonstration(held: Runtime, opened: Opened) -> None:
    from app.demo import house

    rows = opened.rows
    click.echo(f"{house.NAME} is open (organisation {opened.organisation_id}); nothing and nobody in it exists.")
    click.echo(f"  {rows['contact']} contacts, {rows['activity']} activities, {rows['participation']} participations,")
    click.echo(f"  {rows['consent_event']} consent events, {rows['permission']} permissions")
    click.echo(f"  {len(opened.segment_ids)} segments, ready to look into")
    click.echo(f"Log in at {held.settings.base_url}/login with an address and its password:")
    for login in opened.logins:
        click.echo(f"  {login.role:10} {login.email:32} {login.password}")
    click.echo("Passwords are not shown again.")


def _known(held: Runtime, organisation_id: int) -> int:
    from app.accounts.directory import organisation_ids
    from app.db import transaction

    with transaction(held.engine, None) as session:
        if organisation_id not in organisation_ids(session):
            raise click.ClickException(
                f"There is no organisation {organisation_id}: zaallicht org create NAME makes one."
            )
    return organisation_id


def _instant(written: str) -> datetime:
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        raise click.ClickException(f"{written} is no instant. Write it as 2026-11-20T09:00:00+01:00.") from None
    if at.tzinfo is None:
        raise click.ClickException("The instant needs an offset, such as 2026-11-20T09:00:00+01:00.")
    return at


if __name__ == "__main__":
    main()
