"""Commands for mail that comes back: what a mail server on the same machine pipes in."""

from __future__ import annotations

import sys

import click

from app.cli import opening
from app.cli.opening import cli

# sysexits(3): the mail server keeps the mail and tries again later.
TRY_AGAIN_LATER = 75


@cli.group()
def mail() -> None:
    """Mail that comes back."""


@mail.command("receive")
@click.option("--org", "organisation_id", type=int, required=True)
@click.option("--recipient", default=None, help="Whom the mail server took it for (Postfix: ${recipient}).")
def mail_receive(organisation_id: int, recipient: str | None) -> None:
    """Take in a mail that came back from standard input.

    Ends with 0 once it is stored, and with 75 where that failed, so that the mail server tries again.
    """
    from app.db import transaction
    from app.mailings.returns.reading import READ_OCTETS_MAX
    from app.mailings.returns.receiving import take_in

    stream = sys.stdin.buffer
    raw = stream.read(READ_OCTETS_MAX)
    # Whoever pipes must be able to finish, however large it is.
    while stream.read(READ_OCTETS_MAX):
        pass
    try:
        held = opening.started()
        opening.known(held, organisation_id)
        with transaction(held.engine, organisation_id) as session:
            is_new = take_in(session, held.keyring, raw, came_by="pipe", recipient=recipient)
    except click.ClickException:
        raise
    except Exception as problem:
        click.echo(f"Not stored, try again later: {type(problem).__name__}", err=True)
        sys.exit(TRY_AGAIN_LATER)
    opening.printed(stored=is_new)
