"""Whether somebody agreed that their opens and clicks are followed, for destinations that keep such a choice."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, case, exists, func, null, or_, select
from sqlalchemy.orm import aliased

from app import clock
from app.audiences.work import CHANNEL
from app.consent.models import Permission
from app.contacts.models import ContactIdentity
from app.sync.models import Connection
from integrations.base import DestinationCapabilities
from integrations.catalogue import SYSTEMS

PURPOSES = ("track_open", "track_click")


def keeps_tracking_choice(connection_id: int) -> ColumnElement[bool]:
    """Whether the system behind a connection keeps the choice, by its connector's own word."""
    keeping = [
        name
        for name, system in SYSTEMS.items()
        if isinstance(system.capabilities, DestinationCapabilities) and system.capabilities.keeps_tracking_choice
    ]
    return exists().where(Connection.id == connection_id, Connection.system.in_(keeping))


def tracking_choice(
    contact_id: SQLColumnExpression[Any], key: SQLColumnExpression[Any], is_kept: ColumnElement[bool]
) -> ColumnElement[bool | None]:
    """True where they agreed to both, False where they refused either or it ended, NULL where nobody asked them.

    A refusal at any address of the person counts. NULL too where the system keeps no such choice.
    """
    own, spoken, other = aliased(Permission), aliased(Permission), aliased(ContactIdentity)
    asked = and_(own.subject_key == key, own.channel == CHANNEL, own.purpose.in_(PURPOSES))
    lasts = or_(own.valid_until.is_(None), own.valid_until > clock.now())
    agreed = select(func.count()).where(asked, own.is_allowed, lasts).scalar_subquery() == len(PURPOSES)
    refused = (
        exists()
        .where(other.contact_id == contact_id, other.kind == "email", spoken.subject_key == other.subject_key)
        .where(spoken.channel == CHANNEL, spoken.purpose.in_(PURPOSES), spoken.is_negative)
    )
    return case((~is_kept, null()), (refused, False), (agreed, True), (exists().where(asked), False), else_=null())
