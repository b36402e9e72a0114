"""Tests of a mailing: to colleagues, at once, marked as such. They are no deliveries, and ask nobody's permission."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import func, select

from app import clock
from app.accounts.models import User
from app.accounts.organisations import current_organisation
from app.contacts.models import Contact
from app.db import ScopedSession
from app.mailings.composing.content import language_for
from app.mailings.composing.content_schemas import parse_content
from app.mailings.composing.fields import Row, read_fields, samples
from app.mailings.composing.rendering import template_of
from app.mailings.mailings import find_mailing, is_marketing
from app.mailings.mime import Content
from app.mailings.problems import CannotSend, InvalidMailing
from app.mailings.skeleton import filled
from app.runtime import Runtime

MARK = "[Test]"


def make_test(
    session: ScopedSession,
    runtime: Runtime,
    mailing_id: int,
    *,
    addresses: Sequence[str],
    variant: str | None = None,
    language: str | None = None,
    contact_id: int | None = None,
) -> tuple[list[str], Content]:
    """Return to which colleagues a test goes and what it says, ready to be sent when no transaction is open.

    It is filled in for a contact, or with invented words. Raises UnknownMailing, InvalidMailing for somebody who does
    not log in here or a contact that is not there, CannotSend where nothing is written, or a ComposingError.
    """
    mailing = find_mailing(session, mailing_id)
    colleagues = _colleagues(session, addresses)
    nodes = parse_content(mailing.content)
    try:
        chosen = language_for(
            nodes, variant=variant, wanted=language, house_language=current_organisation(session).language
        )
    except KeyError:
        raise CannotSend(mailing_id, ["nothing_written"]) from None
    is_service = not is_marketing(session, mailing.purpose)
    template = template_of(session, runtime, mailing.content, variant=variant, language=chosen, is_service=is_service)
    fields = samples()
    if contact_id is not None:
        if session.get(Contact, (session.organisation_id, contact_id)) is None:
            raise InvalidMailing({"contact_id": "unknown"})
        row, asked = Row(0, contact_id), template.segments
        fields = read_fields(session, [row], language=chosen, segments=asked, at=clock.now())[0]
    house = runtime.settings.base_url
    frame = dict.fromkeys(("unsubscribe_url", "preferences_url", "view_url"), house)
    words = {**template.direct_links(), **template.words_of(fields), **frame}
    content = filled(template.rendered(fields, shows_all=contact_id is None), words)
    return colleagues, replace(content, subject=f"{MARK} {content.subject}")


def _colleagues(session: ScopedSession, addresses: Sequence[str]) -> list[str]:
    """Return the addresses as their users have them: tests go to people who log in here, never to the public."""
    wanted = {address.strip().lower() for address in addresses}
    found = session.scalars(
        select(User.email).where(func.lower(User.email).in_(wanted), User.is_active).order_by(User.id)
    ).all()
    if not wanted or len({address.lower() for address in found}) < len(wanted):
        raise InvalidMailing({"addresses": "not_a_colleague"})
    return list(found)
