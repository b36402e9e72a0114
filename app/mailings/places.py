"""Where this house lives: so that a copy of its database, or one brought back from a backup, mails nobody by itself.

A place is the database server, the database in it and the public address of the installation, as one hash. Somebody
says once that the house may send from here; the same rows anywhere else wait until somebody says so again. A restore
into the same database takes the word back (``app.backup``).
"""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import Connection, exists, text, update

from app.config import Settings
from app.db import ScopedSession
from app.mailings.models import Delivery, Mailing, MailSetting

RESTORED = "restored"


def here(session: ScopedSession, settings: Settings) -> bytes:
    """Return what names this installation (32 bytes); the same in every process of it."""
    database = "SELECT oid FROM pg_database WHERE datname = current_database()"
    may_ask = session.scalar(text("SELECT has_function_privilege('pg_control_system()', 'EXECUTE')"))
    server = session.scalar(text("SELECT system_identifier FROM pg_control_system()")) if may_ask else ""
    return sha256(f"{server}/{session.scalar(text(database))}/{settings.base_url}".encode()).digest()


def confirm_place(session: ScopedSession, settings: Settings) -> None:
    """Note that this house sends from here, and from nowhere else.

    Where it did not send from here before, mailings that were on their way wait for a person, and so do mails that
    journeys had planned: what this database does not know of them may have been sent already.
    """
    place = here(session, settings)
    changed = session.execute(
        update(MailSetting)
        .where(MailSetting.confirmed_place.is_distinct_from(place))
        .values(confirmed_place=place)
        .returning(MailSetting.organisation_id)
    ).all()
    if changed:
        session.execute(
            update(Mailing)
            .where(Mailing.state.in_(("scheduled", "sending")))
            .values(state="paused", paused_because=RESTORED)
            .execution_options(synchronize_session=False)
        )
        waits = exists().where(
            Delivery.organisation_id == Mailing.organisation_id,
            Delivery.mailing_id == Mailing.id,
            Delivery.state.in_(("planned", "claimed")),
        )
        session.execute(
            update(Mailing)
            .where(Mailing.kind == "journey", Mailing.paused_because.is_(None), waits)
            .values(paused_because=RESTORED)
            .execution_options(synchronize_session=False)
        )


def unconfirm_everywhere(connection: Connection) -> None:
    """Have every house wait until somebody confirms; for whoever may see past the wall, after a restore."""
    connection.execute(text("UPDATE mail_setting SET confirmed_place = NULL"))
