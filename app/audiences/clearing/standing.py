"""Which noes stand for an address, what each list is for, and so which lists an address must leave. No network.

A no counts for a list where the list serves the purpose it is about, and for every list where it is about all direct
marketing or the address is suppressed. It leaves a list alone that another audience of ours uses for the person, for a
purpose they allow.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text

from app.audiences.clearing.models import KnownList
from app.audiences.definitions import purposes_to_write_for
from app.audiences.models import Audience, AudienceMember
from app.audiences.wanted import THERE
from app.audiences.work import CHANNEL
from app.consent.gate import contactable
from app.db import ScopedSession

# What a list is taken to be for as long as nobody has said so: the safe side, for most lists are newsletters.
PRESUMED = "newsletter"

SPOKEN = text(
    "SELECT asked.key, permission.purpose, max(permission.since) AS since"
    " FROM unnest(CAST(:keys AS bytea[])) AS asked (key)"
    " CROSS JOIN LATERAL addresses_of_person(:house, asked.key) AS person (address)"
    " JOIN permission ON permission.organisation_id = :house AND permission.subject_key = person.address"
    " AND permission.channel = :channel AND permission.is_negative"
    " GROUP BY asked.key, permission.purpose"
)
SUPPRESSED = text(
    "SELECT asked.key, max(suppression.since) AS since, bool_or(suppression.reason = 'erased') AS is_erased"
    " FROM unnest(CAST(:keys AS bytea[])) AS asked (key)"
    " CROSS JOIN LATERAL addresses_of_person(:house, asked.key) AS person (address)"
    " JOIN suppression ON suppression.organisation_id = :house AND suppression.address_hash = person.address"
    " AND suppression.channel = :channel"
    " GROUP BY asked.key"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What an address must not be used for. ``is_total``: no direct marketing at all. ``since``: the latest no.

    ``used_for``: the lists (with the purpose) that an audience of ours uses for the person, who allows it.
    """

    purposes: frozenset[str] = frozenset()
    is_total: bool = False
    since: datetime | None = None
    used_for: frozenset[tuple[str, str]] = frozenset()

    @property
    def is_no(self) -> bool:
        """Whether any no stands."""
        return self.is_total or bool(self.purposes)

    def must_leave(self, list_ref: str, purposes: Collection[str]) -> bool:
        """Whether the address must be off a list that serves these purposes."""
        if self.is_total:
            return True
        if not self.purposes.intersection(purposes):
            return False
        return not any(place == list_ref and purpose not in self.purposes for place, purpose in self.used_for)


def standing_of(session: ScopedSession, connection_id: int, keys: Iterable[bytes]) -> dict[bytes, Standing]:
    """Return what stands for each address at one destination, at any address of the same person."""
    asked = sorted(set(keys))
    marketing = {purpose.code for purpose in purposes_to_write_for(session)}
    given = {"keys": asked, "house": session.organisation_id, "channel": CHANNEL}
    spoken: dict[bytes, dict[str, datetime]] = {}
    for row in session.execute(SPOKEN, given):
        if row.purpose in marketing:
            spoken.setdefault(bytes(row.key), {})[row.purpose] = row.since
    suppressed = {bytes(row.key): row.since for row in session.execute(SUPPRESSED, given)}
    used = _used_for(session, connection_id, [key for key in asked if key in spoken])
    return {
        key: _standing(spoken.get(key, {}), suppressed.get(key), used.get(key, frozenset()), marketing) for key in asked
    }


def _standing(
    spoken: Mapping[str, datetime],
    suppressed_since: datetime | None,
    used_for: frozenset[tuple[str, str]],
    marketing: Collection[str],
) -> Standing:
    instants = [*spoken.values(), *([suppressed_since] if suppressed_since else [])]
    return Standing(
        purposes=frozenset(spoken),
        is_total=suppressed_since is not None or (bool(marketing) and set(marketing) <= spoken.keys()),
        since=max(instants, default=None),
        used_for=used_for,
    )


def _used_for(
    session: ScopedSession, connection_id: int, keys: Sequence[bytes]
) -> dict[bytes, frozenset[tuple[str, str]]]:
    """Only who speaks of one purpose can be wanted for another, so only they are looked up."""
    if not keys:
        return {}
    seat, audience, may = AudienceMember, Audience, contactable
    rows = session.execute(
        select(seat.subject_key, audience.list_ref, audience.purpose)
        .join(audience, audience.id == seat.audience_id)
        .join(may, (may.c.subject_key == seat.subject_key) & (may.c.purpose == audience.purpose))
        .where(audience.connection_id == connection_id, audience.state != "removed")
        .where(seat.subject_key.in_(keys), seat.state.in_(THERE), may.c.channel == CHANNEL)
    )
    found: dict[bytes, set[tuple[str, str]]] = {}
    for key, list_ref, purpose in rows:
        found.setdefault(bytes(key), set()).add((list_ref, purpose))
    return {key: frozenset(pairs) for key, pairs in found.items()}


@dataclass(frozen=True, slots=True)
class Served:
    """What each list of a destination is for: what its audiences are for and what people said, or what is presumed."""

    known: Mapping[str, frozenset[str]]
    presumed: frozenset[str]

    def of(self, list_ref: str) -> frozenset[str]:
        """Return what one list is for."""
        return self.known.get(list_ref) or self.presumed


def purposes_of_lists(session: ScopedSession, connection_id: int) -> Served:
    """Return what the lists of a destination are for."""
    known = KnownList
    lists = session.execute(
        select(known.list_ref, known.purposes).where(known.connection_id == connection_id, known.gone_at.is_(None))
    ).all()
    served: dict[str, set[str]] = {row.list_ref: set(row.purposes or ()) for row in lists}
    rows = session.execute(
        select(Audience.list_ref, Audience.purpose).where(
            Audience.connection_id == connection_id, Audience.state != "removed"
        )
    )
    for list_ref, purpose in rows:
        served.setdefault(list_ref, set()).add(purpose)
    codes = frozenset(purpose.code for purpose in purposes_to_write_for(session))
    presumed = frozenset({PRESUMED}) if PRESUMED in codes else codes
    return Served({list_ref: frozenset(purposes) for list_ref, purposes in served.items() if purposes}, presumed)
