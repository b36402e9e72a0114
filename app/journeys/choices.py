"""What can be chosen in a journey: mailings, segments, audiences, forms, passes, purposes, tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from app.audiences.models import Audience
from app.consent.models import Purpose
from app.contacts.forms.models import SignupForm
from app.contacts.models import Pass
from app.db import ScopedSession
from app.mailings.mailings import purposes_to_mail_for
from app.mailings.models import Mailing
from app.segments.models import Segment

LISTED_MAX = 1000

Named = list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Choices:
    """Rows by id and name, in the order of their names; purposes and programmes by their code."""

    mailings: Named
    segments: Named
    audiences: Named
    forms: Named
    programmes: list[str]
    purposes: list[tuple[str, str]]
    consents: list[tuple[str, str]]


def choices_of(session: ScopedSession, *, language: str) -> Choices:
    """Return what there is to choose from, with purposes named in ``language``."""
    programmes = sa.select(Pass.programme).distinct().order_by(Pass.programme).limit(LISTED_MAX)
    known = session.scalars(sa.select(Purpose).where(Purpose.is_active).order_by(Purpose.position)).all()
    return Choices(
        mailings=_named(session, sa.select(Mailing.id, Mailing.name).where(Mailing.kind == "journey"), Mailing.name),
        segments=_named(session, sa.select(Segment.id, Segment.name), Segment.name),
        audiences=_named(session, sa.select(Audience.id, Audience.name), Audience.name),
        forms=_named(session, sa.select(SignupForm.id, SignupForm.name), SignupForm.name),
        programmes=list(session.scalars(programmes)),
        purposes=[(one.code, _name(one.names, one.code, language)) for one in purposes_to_mail_for(session)],
        consents=[(one.code, _name(one.names, one.code, language)) for one in known],
    )


def _name(names: Mapping[str, str], code: str, language: str) -> str:
    return names.get(language) or code


def _named(session: ScopedSession, query: sa.Select[int, str], name: InstrumentedAttribute[str]) -> Named:
    rows = session.execute(query.order_by(sa.func.lower(name)).limit(LISTED_MAX))
    return [(row_id, title) for row_id, title in rows]
