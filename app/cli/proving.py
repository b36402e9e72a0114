"""Commands that compare what is kept with what it follows from, and end what has run out."""

from __future__ import annotations

import click

from app.cli import opening
from app.cli.opening import cli


@cli.group()
def consent() -> None:
    """The consent ledger."""


@consent.command("prove")
@click.option("--org", "organisation_id", type=int, required=True)
@click.option("--repair", "is_repair", is_flag=True, help="Put right what differs.")
def consent_prove(organisation_id: int, is_repair: bool) -> None:
    """Compare every permission with what the ledger implies; fails where one differs."""
    from app.consent.commands import prove

    held = opening.started(migrate=True)
    found = prove(held, opening.known(held, organisation_id), is_repair=is_repair)
    opening.printed(**found)
    if found["differences"] > found["repaired"]:
        raise click.ClickException("Permission is not what the ledger implies. --repair puts it right.")


@consent.command("retention")
@click.option("--org", "organisation_id", type=int, required=True)
@click.option("--dry-run", "is_dry", is_flag=True, help="Say what would end, by purpose, and end nothing.")
def consent_retention(organisation_id: int, is_dry: bool) -> None:
    """End permissions that have run out (the heartbeat does so every hour)."""
    from app.consent.commands import end_what_ran_out

    held = opening.started(migrate=True)
    opening.printed(**end_what_ran_out(held, opening.known(held, organisation_id), is_dry=is_dry))


@cli.group()
def history() -> None:
    """The packed history of contacts, which segments count in."""


@history.command("check")
@click.option("--org", "organisation_id", type=int, required=True)
@click.option("--repair", "is_repair", is_flag=True, help="Put right what differs.")
def history_check(organisation_id: int, is_repair: bool) -> None:
    """Compare every contact's history with what their participations say."""
    from app.activities.history import check

    held = opening.started()
    counts = check(held, opening.known(held, organisation_id), is_repair=is_repair)
    opening.printed(**counts)
    if counts["different"] > counts["repaired"]:
        raise click.ClickException("Some histories differ. Run it again with --repair.")
