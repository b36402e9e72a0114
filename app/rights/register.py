"""The register of processing activities (GDPR article 30), made from what is really set and stored.

Nothing in it is typed a second time: purposes and how long a yes lasts come from the purposes, recipients and sources
from the connections, categories of data from the registry of columns that erasing and the access export walk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from app.accounts.models import Organisation
from app.accounts.organisations import current_organisation
from app.consent.models import Purpose
from app.contacts.importing.jobs import CONTENT_KEPT
from app.db import ScopedSession, tenant_tables
from app.sync.inbox import KEPT_DAYS
from app.sync.models import Connection

PERSONAL = ("contact", "content", "staff")


@dataclass(frozen=True, slots=True)
class Category:
    """What a table holds about people: its name, and which of its columns do."""

    table: str
    columns: tuple[str, ...]
    is_staff: bool


@dataclass(frozen=True, slots=True)
class Register:
    """The register of one house. Days are whole days of keeping; ``sources`` and ``destinations`` are connections."""

    house: Organisation
    purposes: Sequence[Purpose]
    categories: Sequence[Category]
    sources: Sequence[Connection]
    destinations: Sequence[Connection]
    messages_kept_days: int
    files_kept_days: int


def register_of(session: ScopedSession) -> Register:
    """Return the register as of now."""
    connections = session.scalars(
        select(Connection).where(Connection.state != "removed").order_by(Connection.name)
    ).all()
    return Register(
        house=current_organisation(session),
        purposes=session.scalars(select(Purpose).order_by(Purpose.position, Purpose.code)).all(),
        categories=list(categories()),
        sources=[each for each in connections if each.kind == "source"],
        destinations=[each for each in connections if each.kind == "destination"],
        messages_kept_days=KEPT_DAYS,
        files_kept_days=CONTENT_KEPT.days,
    )


def categories() -> Iterator[Category]:
    """Yield what every table holds about people, as the registry of columns says; tables without any are left out."""
    for table in sorted(tenant_tables(), key=lambda table: table.name):
        columns = tuple(column.name for column in table.columns if column.info["pii"] in PERSONAL)
        if columns:
            kinds = {table.columns[name].info["pii"] for name in columns}
            yield Category(table.name, columns, is_staff=kinds == {"staff"})
