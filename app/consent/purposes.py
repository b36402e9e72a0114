"""The purposes of a house: those it begins with, so that nobody starts from nothing, and how they change.

What a purpose asks of a yes decides permission, so whoever changes it recomputes the rows it concerns at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, or_, select

from app import clock
from app.consent.models import ConsentEvent, NoticeVersion, Permission, Purpose
from app.consent.notices import Wording, find_or_create_notices
from app.consent.precedence import NEGATIVE
from app.consent.rebuild import rebuild
from app.consent.recomputing import recompute_now_if_few
from app.consent.wordings import LANGUAGES, PUBLISHED
from app.db import ScopedSession


@dataclass(frozen=True, slots=True)
class DefaultPurpose:
    """A purpose as a new organisation receives it; ``names`` by language."""

    code: str
    names: tuple[str, str, str]
    allowed_bases: tuple[str, ...]
    retention_days: int | None
    is_marketing: bool = True


CONSENT = ("consent",)
CONSENT_OR_OWN_CUSTOMERS = ("consent", "soft_opt_in", "impersonal_address")

DEFAULTS = (
    DefaultPurpose("newsletter", ("Nieuwsbrief", "Lettre d’information", "Newsletter"), CONSENT_OR_OWN_CUSTOMERS, 1096),
    DefaultPurpose(
        "recommendations", ("Tips op maat", "Suggestions personnalisées", "Personal recommendations"), CONSENT, 1096
    ),
    DefaultPurpose(
        "partner_offers", ("Aanbod van partners", "Offres de partenaires", "Offers of partners"), CONSENT, 730
    ),
    DefaultPurpose("survey", ("Vragenlijsten", "Enquêtes", "Surveys"), CONSENT_OR_OWN_CUSTOMERS, 730),
    DefaultPurpose(
        "track_open",
        ("Meten of mails geopend worden", "Mesurer l’ouverture des e-mails", "Measuring which mails are opened"),
        CONSENT,
        396,
    ),
    DefaultPurpose(
        "track_click",
        ("Meten welke links gevolgd worden", "Mesurer les liens suivis", "Measuring which links are followed"),
        CONSENT,
        396,
    ),
    DefaultPurpose(
        "service",
        ("Praktische info bij een bezoek", "Infos pratiques pour une visite", "Practical information about a visit"),
        ("service",),
        None,
        is_marketing=False,
    ),
)


def create_default_purposes(session: ScopedSession) -> None:
    """Give a new organisation its purposes."""
    session.add_all(
        Purpose(
            organisation_id=session.organisation_id,
            code=purpose.code,
            names=dict(zip(("nl", "fr", "en"), purpose.names, strict=True)),
            allowed_bases=list(purpose.allowed_bases),
            is_marketing=purpose.is_marketing,
            retention_days=purpose.retention_days,
            position=position,
            created_at=clock.now(),
        )
        for position, purpose in enumerate(DEFAULTS)
    )
    session.flush()


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeRulesChange:
    """What an administrator sets about a purpose; ``names`` by language."""

    names: Mapping[str, str]
    allowed_bases: Sequence[str]
    needs_confirmation: bool
    retention_days: int | None
    is_active: bool


class PurposeTaken(Exception):
    """There is already a purpose with this code."""


def list_purposes(session: ScopedSession) -> list[Purpose]:
    """Return the purposes in their order."""
    return list(session.scalars(select(Purpose).order_by(Purpose.position, Purpose.code)))


def find_purpose(session: ScopedSession, code: str) -> Purpose | None:
    """Return one purpose, or None."""
    return session.scalars(select(Purpose).where(Purpose.code == code)).one_or_none()


def allowed_counts(session: ScopedSession) -> dict[str, int]:
    """Return for how many addresses the ledger allows e-mail now, by purpose (the gate may still say no)."""
    now = clock.now()
    rows = session.execute(
        select(Permission.purpose, func.count())
        .where(
            Permission.channel == "email",
            Permission.is_allowed,
            or_(Permission.valid_until.is_(None), Permission.valid_until > now),
        )
        .group_by(Permission.purpose)
    )
    return dict(rows.all())


def create_purpose(session: ScopedSession, change: PurposeRulesChange) -> Purpose:
    """Add a marketing purpose, coded after its English name. Raises PurposeTaken.

    A no to all direct marketing covers it from the first moment.
    """
    code = re.sub(r"[^a-z0-9]+", "_", change.names["en"].lower()).strip("_")[:40]
    if not code or find_purpose(session, code) is not None:
        raise PurposeTaken
    last = session.scalar(select(func.max(Purpose.position)).where(Purpose.is_marketing)) or 0
    purpose = Purpose(
        organisation_id=session.organisation_id, code=code, is_marketing=True, position=last + 1, created_at=clock.now()
    )
    _set_rules(purpose, change)
    session.add(purpose)
    session.flush()
    # At once: a no to all marketing at another address of somebody must be there before the first yes is.
    rebuild(session, subject_keys=_objectors(session))
    return purpose


def change_purpose(session: ScopedSession, purpose: Purpose, change: PurposeRulesChange) -> None:
    """Change what a purpose is called and asks for; what no longer counts stops counting with the commit.

    What is stored follows at once where few are concerned, else in the background (``recomputing``).
    """
    before = (set(purpose.allowed_bases), purpose.needs_confirmation, purpose.retention_days)
    _set_rules(purpose, change)
    session.flush()
    if before != (set(purpose.allowed_bases), purpose.needs_confirmation, purpose.retention_days):
        recompute_now_if_few(session)


def save_drafts(session: ScopedSession, purpose: Purpose, drafts: Mapping[str, str]) -> None:
    """Keep texts for later, by language; nobody is shown them yet."""
    purpose.notice_drafts = {language: text for language, text in drafts.items() if text and language in LANGUAGES}
    session.flush()


def publish_notices(session: ScopedSession, purpose: Purpose, texts: Mapping[str, str]) -> list[int]:
    """Show these texts from now on, by language; returns the ids of the versions that are shown in their place.

    What people said yes to before keeps pointing to the version they saw.
    """
    wordings = [Wording(purpose.code, language, text, PUBLISHED) for language, text in texts.items() if text]
    ids = find_or_create_notices(session, wordings)
    shown = {wording.language: ids[wording.key] for wording in wordings}
    purpose.published_notices = purpose.published_notices | shown
    purpose.notice_drafts = {code: text for code, text in purpose.notice_drafts.items() if code not in shown}
    session.flush()
    return list(shown.values())


def notice_versions(session: ScopedSession, purpose: Purpose) -> list[tuple[NoticeVersion, int]]:
    """Return every version of a purpose's text, newest first, with how many events rest on it."""
    count = select(func.count()).where(ConsentEvent.notice_version_id == NoticeVersion.id).scalar_subquery()
    rows = session.execute(
        select(NoticeVersion, count).where(NoticeVersion.purpose == purpose.code).order_by(NoticeVersion.id.desc())
    )
    return [(version, used) for version, used in rows]


def _set_rules(purpose: Purpose, change: PurposeRulesChange) -> None:
    purpose.names = dict(change.names)
    purpose.is_active = change.is_active
    purpose.retention_days = change.retention_days
    if purpose.is_marketing:
        purpose.allowed_bases = list(change.allowed_bases)
        purpose.needs_confirmation = change.needs_confirmation


def _objectors(session: ScopedSession) -> list[bytes]:
    """Return the addresses that have said no to all direct marketing."""
    event = ConsentEvent
    about = event.purpose.is_(None) & event.action.in_(NEGATIVE)
    return [bytes(key) for key in session.scalars(select(event.subject_key).where(about).distinct())]
