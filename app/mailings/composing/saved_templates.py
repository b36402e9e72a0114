"""Content that mailings start from: what a house kept, and ready-made starts in its languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.db import ScopedSession
from app.mailings.composing.content_schemas import content_json, parse_content
from app.mailings.models import MailingTemplate

NAME_MAX = 80
TEMPLATES_MAX = 200


class TemplateRefused(ValueError):
    """A template cannot be kept; ``code`` is ``name``, ``taken`` or ``too_many``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def save_template(
    session: ScopedSession, name: str, content: Mapping[str, Any], *, created_by: int | None
) -> MailingTemplate:
    """Keep content under a name. Raises TemplateRefused, InvalidContentError."""
    name = " ".join(name.split())
    if not 0 < len(name) <= NAME_MAX:
        raise TemplateRefused("name")
    if len(list_templates(session)) >= TEMPLATES_MAX:
        raise TemplateRefused("too_many")
    row_id = session.scalar(
        insert(MailingTemplate)
        .values(
            organisation_id=session.organisation_id,
            name=name,
            content=content_json(parse_content(content)),
            created_by=created_by,
            created_at=clock.now(),
        )
        .on_conflict_do_nothing()
        .returning(MailingTemplate.id)
    )
    if row_id is None:
        raise TemplateRefused("taken")
    return session.scalars(select(MailingTemplate).where(MailingTemplate.id == row_id)).one()


def list_templates(session: ScopedSession) -> Sequence[MailingTemplate]:
    """Return the templates of the house, by name."""
    return session.scalars(select(MailingTemplate).order_by(MailingTemplate.name, MailingTemplate.id)).all()


def find_template(session: ScopedSession, template_id: int) -> MailingTemplate | None:
    """Return a template, or None."""
    return session.scalars(select(MailingTemplate).where(MailingTemplate.id == template_id)).one_or_none()


def remove_template(session: ScopedSession, template_id: int) -> bool:
    """Remove a template; mailings that began with it stay as they are. Returns whether it was there."""
    row = MailingTemplate
    return session.scalar(delete(row).where(row.id == template_id).returning(row.id)) is not None
