"""The purposes a house begins with, so that nobody starts from nothing."""

from __future__ import annotations

from dataclasses import dataclass

from app import clock
from app.consent.models import Purpose
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
    DefaultPurpose("newsletter", ("Nieuwsbrief", "Lettre d'information", "Newsletter"), CONSENT_OR_OWN_CUSTOMERS, 1096),
    DefaultPurpose(
        "recommendations", ("Tips op maat", "Suggestions personnalisées", "Personal recommendations"), CONSENT, 1096
    ),
    DefaultPurpose(
        "partner_offers", ("Aanbod van partners", "Offres de partenaires", "Offers of partners"), CONSENT, 730
    ),
    DefaultPurpose("survey", ("Vragenlijsten", "Enquêtes", "Surveys"), CONSENT_OR_OWN_CUSTOMERS, 730),
    DefaultPurpose(
        "track_open",
        ("Meten of mails geopend worden", "Mesurer l'ouverture des e-mails", "Measuring which mails are opened"),
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
