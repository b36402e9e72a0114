"""Mailings that another system sent: what they are called, when they left, and the links in them.

A campaign has a name that tells it apart from every other of the house (``reference``): mail events, segments and
reports know it by that. It is chosen when the campaign is first seen and stays, also when it is renamed there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped

from app.accounts.organisations import current_organisation
from app.db import INSTANT, Base, ScopedSession, column

NAME_MAX = 200
LINKS_MAX = 500
URL_MAX = 2_000
NAMING_LOCK = 7_302


class CampaignElsewhere(Base):
    """A mailing that another system sent.

    ``numbers`` is what that system counted of it when it was last read to its end, ``cursor`` how far it was read,
    ``figures`` what was measured of it last. ``connection_id`` and ``external_id`` are empty where the house itself
    told of it, over the API; ``sent_at`` is then when the first mail of it is known to have arrived.
    """

    __tablename__ = "campaign_elsewhere"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        Index("uq_campaign_elsewhere_reference", "organisation_id", "reference", unique=True),
        Index(
            "uq_campaign_elsewhere_external",
            "organisation_id",
            "system",
            "external_id",
            unique=True,
            postgresql_where=text("external_id IS NOT NULL"),
        ),
        Index("ix_campaign_elsewhere_sent", "organisation_id", "sent_at", "id"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    reference: Mapped[str] = column(Text, nullable=False, pii="none")
    name: Mapped[str] = column(Text, nullable=False, pii="none")
    subject: Mapped[str | None] = column(Text, pii="none")
    system: Mapped[str] = column(Text, nullable=False, pii="none")
    connection_id: Mapped[int | None] = column(BigInteger, pii="none")
    external_id: Mapped[str | None] = column(Text, pii="none")
    sent_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    numbers: Mapped[dict[str, Any]] = column(JSONB, nullable=False, default=dict, server_default="{}", pii="none")
    cursor: Mapped[dict[str, Any]] = column(JSONB, nullable=False, default=dict, server_default="{}", pii="none")
    read_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    figures: Mapped[dict[str, Any] | None] = column(JSONB(none_as_null=True), pii="none")
    measured_at: Mapped[datetime | None] = column(INSTANT, pii="none")


class CampaignLink(Base):
    """A link in a mailing that another system sent; ``mail_event.link_id`` names it where there is a campaign."""

    __tablename__ = "campaign_link"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(
            ["organisation_id", "campaign_id"],
            ["campaign_elsewhere.organisation_id", "campaign_elsewhere.id"],
            ondelete="CASCADE",
        ),
        Index("uq_campaign_link", "organisation_id", "campaign_id", "url_sha256", unique=True),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    campaign_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    url: Mapped[str] = column(Text, nullable=False, pii="none")
    url_sha256: Mapped[bytes] = column(LargeBinary, nullable=False, pii="none")


@dataclass(frozen=True, slots=True)
class CampaignRecord:
    """A campaign as the system tells of it that sent it."""

    system: str
    connection_id: int
    external_id: str
    name: str
    sent_at: datetime
    subject: str | None = None
    numbers: Mapping[str, int] = field(default_factory=dict)


def remember_campaign(session: ScopedSession, record: CampaignRecord) -> CampaignElsewhere:
    """Store what a system tells of a campaign and return its row; the reference stays what it was at first sight.

    What it counts (``numbers``) is stored by ``mark_read``, once what it counted was read.
    """
    found = _by_external_id(session, record)
    if found is None:
        # Two campaigns of one name that are met at the same moment: the second waits here, and is told apart.
        session.execute(select(func.pg_advisory_xact_lock(NAMING_LOCK, session.organisation_id)))
        found = _by_external_id(session, record) or _added(session, record)
    found.name, found.subject = _named(record.name), record.subject
    found.connection_id, found.sent_at = record.connection_id, record.sent_at
    session.flush()
    return found


def mark_read(
    session: ScopedSession,
    campaign_id: int,
    cursor: Mapping[str, Any],
    *,
    numbers: Mapping[str, int] | None = None,
    at: datetime,
) -> None:
    """Store how far a campaign was read; ``numbers`` only where it was read to its end."""
    whole = {} if numbers is None else {"numbers": dict(numbers), "read_at": at}
    session.execute(
        update(CampaignElsewhere).where(CampaignElsewhere.id == campaign_id).values(cursor=dict(cursor), **whole)
    )


def note_campaigns(session: ScopedSession, told: Iterable[tuple[str, str, datetime]]) -> None:
    """Make sure that campaigns the house itself tells of (reference, system, a moment) are known."""
    first: dict[str, tuple[str, datetime]] = {}
    for reference, system, at in told:
        known = first.get(reference)
        if known is None or at < known[1]:
            first[reference] = (system, at)
    if not first:
        return
    statement = insert(CampaignElsewhere)
    row = CampaignElsewhere
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["organisation_id", "reference"],
            set_={"sent_at": statement.excluded.sent_at},
            where=row.external_id.is_(None) & (statement.excluded.sent_at < row.sent_at),
        ),
        [
            {
                "organisation_id": session.organisation_id,
                "reference": reference,
                "name": _named(reference),
                "system": system,
                "sent_at": at,
            }
            for reference, (system, at) in sorted(first.items())
        ],
    )


def link_ids(session: ScopedSession, campaign_id: int, urls: Iterable[str]) -> dict[str, int]:
    """Return the id of each link of a campaign, by its address as it was given; past ``LINKS_MAX`` none are added."""
    shown = {url: without_people(url) for url in dict.fromkeys(urls)}
    keys = {sha256(url.encode()).digest(): url for url in shown.values()}
    if not keys:
        return {}
    link = CampaignLink
    room = LINKS_MAX - (session.scalar(select(func.count()).where(link.campaign_id == campaign_id)) or 0)
    rows = [
        {"organisation_id": session.organisation_id, "campaign_id": campaign_id, "url": url, "url_sha256": key}
        for key, url in sorted(keys.items())[: max(room, 0)]
    ]
    if rows:
        session.execute(insert(link).on_conflict_do_nothing(), rows)
    found = session.execute(
        select(link.url, link.id).where(link.campaign_id == campaign_id, link.url_sha256.in_(list(keys)))
    )
    ids: dict[str, int] = {row.url: row.id for row in found}
    return {given: ids[url] for given, url in shown.items() if url in ids}


def without_people(url: str) -> str:
    """Return an address without what may tell who followed it: parameters with an address or a long code in them, and
    the part behind ``#``."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return ""
    kept = [(name, value) for name, value in parse_qsl(parts.query) if not _is_personal(value)]
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(kept), ""))[:URL_MAX]


def names_of(session: ScopedSession, references: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Return the id and present name of each of these campaigns."""
    row = CampaignElsewhere
    found = session.execute(select(row.reference, row.id, row.name).where(row.reference.in_(references)))
    return {reference: (campaign_id, name) for reference, campaign_id, name in found}


_LONG_CODE = re.compile(r"[A-Za-z0-9_=+/-]{20,}")


def _is_personal(value: str) -> bool:
    return "@" in unquote(value) or bool(_LONG_CODE.fullmatch(value))


def _by_external_id(session: ScopedSession, record: CampaignRecord) -> CampaignElsewhere | None:
    row = CampaignElsewhere
    return session.scalars(
        select(row).where(row.system == record.system, row.external_id == record.external_id)
    ).one_or_none()


def _added(session: ScopedSession, record: CampaignRecord) -> CampaignElsewhere:
    added = CampaignElsewhere(
        organisation_id=session.organisation_id,
        reference=_free_reference(session, record),
        name=_named(record.name),
        system=record.system,
        external_id=record.external_id,
        sent_at=record.sent_at,
        numbers={},
        cursor={},
    )
    session.add(added)
    return added


def _free_reference(session: ScopedSession, record: CampaignRecord) -> str:
    """The campaign's name; with its day, or its number there, where another goes by that name."""
    name = _named(record.name)
    on = record.sent_at.astimezone(ZoneInfo(current_organisation(session).time_zone)).date()
    choices = (name, f"{name} ({on.isoformat()})", f"{name} ({record.external_id})")
    row = CampaignElsewhere
    taken = set(
        session.scalars(
            select(func.lower(row.reference)).where(func.lower(row.reference).in_([each.lower() for each in choices]))
        )
    )
    free = (each for each in choices if each.lower() not in taken)
    return next(free, f"{name} ({record.system} {record.external_id})")


def _named(name: str) -> str:
    return " ".join(name.split())[:NAME_MAX] or "-"
