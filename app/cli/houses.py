"""Commands that make houses, people who log in and keys for programs, and bring files in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

import click

from app.cli import opening
from app.cli.opening import cli


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
    held = opening.started(migrate=True)
    try:
        summary = import_file(
            held,
            opening.known(held, organisation_id),
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
    opening.printed(job=summary.job_id, state=summary.state, columns=summary.meanings, **summary.counts)
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

    held = opening.started(migrate=True)
    try:
        with transaction(held.engine, None) as session:
            organisation = found_house(session, held.keyring, name=name, time_zone=time_zone, language=language)
    except UnknownTimeZone:
        raise click.ClickException(f"{time_zone} is no time zone. Use a name such as Europe/Brussels.") from None
    opening.printed(id=organisation.id)


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
    held = opening.started(migrate=True)
    messages = {
        "email_taken": "There is already somebody with that address in this organisation.",
        "password_too_short": f"The password must have at least {PASSWORD_LENGTH_MIN} characters.",
    }
    try:
        with transaction(held.engine, opening.known(held, organisation_id)) as session:
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
    opening.printed(id=created.id)


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
    held = opening.started(migrate=True)
    try:
        with transaction(held.engine, opening.known(held, organisation_id)) as session:
            secret = create_api_key(session, held.keyring, name=name, scopes=wanted)
    except UnknownScope as problem:
        raise click.ClickException(f"Unknown scope: {problem}. There are: {', '.join(SCOPES)}.") from None
    opening.printed(key=secret)
