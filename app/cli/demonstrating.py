"""The command that opens a demonstration house."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from app.cli import opening
from app.cli.opening import cli
from app.runtime import Runtime

if TYPE_CHECKING:
    from app.demo.demonstration import Opened


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

    held = opening.started(migrate=True)
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


def _show_demonstration(held: Runtime, opened: Opened) -> None:
    from app.demo import house

    rows = opened.rows
    click.echo(f"{house.NAME} is open (organisation {opened.organisation_id}); nothing and nobody in it exists.")
    click.echo(f"  {rows['contact']} contacts, {rows['activity']} activities, {rows['participation']} participations,")
    click.echo(f"  {rows['consent_event']} consent events, {rows['permission']} permissions")
    click.echo(f"  {len(opened.segment_ids)} segments, four mailings (three of them sent) and four journeys")
    click.echo(f"Log in at {held.settings.base_url}/login with an address and its password:")
    for login in opened.logins:
        click.echo(f"  {login.role:10} {login.email:32} {login.password}")
    click.echo("Passwords are not shown again.")
