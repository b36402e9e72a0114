"""Alembic's entry point. Bound to the connection the caller opened, or to DATABASE_URL from the command line."""

from alembic import context
from sqlalchemy import Connection, text

from app.config import Settings
from app.models import metadata
from app.postgres import connected

# A migration that waits for a lock blocks everybody behind it, so it gives up instead.
LOCK_TIMEOUT = "10s"
STATEMENT_TIMEOUT = "10min"


def run(connection: Connection) -> None:
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
    context.configure(connection=connection, target_metadata=metadata, compare_type=True, compare_server_default=False)
    with context.begin_transaction():
        context.run_migrations()


bound = context.config.attributes.get("connection")
if bound is not None:
    run(bound)
else:
    with connected(Settings.from_environment().database_url) as opened:
        run(opened)
        opened.commit()
