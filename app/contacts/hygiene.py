"""Addresses that a colleague should look at: probably mistyped, of a desk and not of a person, or no longer there.

Nothing is changed by itself. What was probably meant is a question; whoever says that an address is right is believed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.dialects.postgresql import insert

from app.consent.address_hints import likely_meant
from app.contacts.models import AddressKept, Contact, ContactIdentity
from app.db import ScopedSession

Doubt = Literal["mistyped", "bouncing", "of_a_desk"]
DOUBTS: tuple[Doubt, ...] = ("mistyped", "bouncing", "of_a_desk")
LISTED_MAX = 100
# A domain that so many people of a house have is right; one that hardly anybody has may be a slip of it.
SURE_FROM_PEOPLE, RARE_UP_TO_PEOPLE = 20, 5
# What stands before the @ where mail goes to a desk: to whoever sits there, today or next year.
DESKS = frozenset({
    "administratie", "administration", "admin", "balie", "bestuur", "bibliotheek", "boekhouding", "bureau", "cc",
    "communicatie", "compta", "contact", "cultuur", "culture", "directie", "direction", "facturatie", "factuur",
    "hello", "hallo", "info", "information", "informatie", "invoice", "kantoor", "mail", "marketing", "noreply",
    "no-reply", "office", "onthaal", "personeel", "pers", "postmaster", "presse", "programmatie", "receptie",
    "reception", "reservatie", "reservaties", "reservation", "reservations", "reserveringen", "sales", "school",
    "secretariaat", "secretariat", "secretary", "support", "ticket", "ticketing", "tickets", "vzw", "webmaster",
    "welkom", "zaal",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class DoubtfulAddress:
    """One address to look at: whose it is, and what was probably meant where that can be told."""

    contact_id: int
    given_name: str | None
    family_name: str | None
    address: str
    meant: str | None = None
    bounced_at: datetime | None = None


def is_of_a_desk(address: str) -> bool:
    """Whether an address is that of a desk (``info@``), which several people read and nobody owns."""
    local, at, _domain = address.strip().casefold().rpartition("@")
    return bool(at) and local.partition("+")[0] in DESKS


def usual_domains(session: ScopedSession) -> dict[str, int]:
    """Return the domains of the house's people with how many are mailed there."""
    domain = func.split_part(ContactIdentity.value_key, "@", 2).label("domain")
    rows = session.execute(
        select(domain, func.count()).where(ContactIdentity.kind == "email", ContactIdentity.is_primary).group_by(domain)
    )
    return {name: count for name, count in rows if name}


def meant_by_domain(domains: dict[str, int]) -> dict[str, str]:
    """Return which domains are slips of which: of a large provider's, or of one that many of the house have."""
    sure = [name for name, count in domains.items() if count >= SURE_FROM_PEOPLE]
    found = {}
    for name, count in domains.items():
        meant = likely_meant(f"a@{name}", beside=sure) if count <= RARE_UP_TO_PEOPLE else None
        if meant is not None:
            found[name] = meant.rpartition("@")[2]
    return found


def doubtful_addresses(session: ScopedSession, doubt: Doubt, *, limit: int = LISTED_MAX) -> list[DoubtfulAddress]:
    """Return main addresses of living people that give rise to a doubt and that nobody called right, by contact."""
    slips = meant_by_domain(usual_domains(session)) if doubt == "mistyped" else {}
    rows = session.execute(_doubtful(doubt, slips).order_by(Contact.id).limit(limit))
    return [
        DoubtfulAddress(
            row.id, row.given_name, row.family_name, row.value, _with_domain(row.value, slips), row.bounced_at
        )
        for row in rows
    ]


def count_doubtful(session: ScopedSession) -> dict[Doubt, int]:
    """Return how many addresses there are to look at, by doubt."""
    slips = meant_by_domain(usual_domains(session))
    return {
        doubt: session.scalar(select(func.count()).select_from(_doubtful(doubt, slips).subquery())) or 0
        for doubt in DOUBTS
    }


def keep_address(session: ScopedSession, contact_id: int, *, at: datetime) -> None:
    """Note that the main address of somebody is right: it is not asked about again."""
    key = session.scalar(
        select(ContactIdentity.subject_key).where(
            ContactIdentity.contact_id == contact_id, ContactIdentity.kind == "email", ContactIdentity.is_primary
        )
    )
    if key is not None:
        kept = {"organisation_id": session.organisation_id, "subject_key": bytes(key), "kept_at": at}
        session.execute(insert(AddressKept).values(kept).on_conflict_do_nothing())


def _doubtful(doubt: Doubt, slips: Collection[str]) -> Select[int, str | None, str | None, str, datetime | None]:
    row = ContactIdentity
    conditions: dict[Doubt, ColumnElement[bool]] = {
        "mistyped": func.split_part(row.value_key, "@", 2).in_(sorted(slips)),
        "bouncing": row.deliverability == "bouncing",
        "of_a_desk": func.split_part(func.split_part(row.value_key, "@", 1), "+", 1).in_(sorted(DESKS)),
    }
    kept: Select[bytes] = select(AddressKept.subject_key)
    return (
        select(Contact.id, Contact.given_name, Contact.family_name, row.value, row.bounced_at)
        .join(Contact, Contact.id == row.contact_id)
        .where(row.kind == "email", row.is_primary, Contact.state == "living", conditions[doubt])
        .where(row.subject_key.not_in(kept))
    )


def _with_domain(address: str, slips: dict[str, str]) -> str | None:
    local, _at, domain = address.strip().rpartition("@")
    meant = slips.get(domain.casefold())
    return None if meant is None else f"{local}@{meant}"
