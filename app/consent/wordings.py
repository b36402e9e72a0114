"""The sentences a house begins with: what somebody says yes to on the preference page, in three languages.

A house publishes its own under Settings; from then on those are shown. What was shown is what the ledger keeps.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from app.consent.models import NoticeVersion, Purpose
from app.consent.notices import Wording
from app.db import ScopedSession

PUBLISHED = "settings"
LANGUAGES = ("nl", "fr", "en")

_DEFAULTS: Mapping[str, tuple[str, str, str]] = {
    "newsletter": (
        "Ja, {house} mag me de nieuwsbrief mailen met het programma en nieuws van het huis. "
        "Ik kan me altijd uitschrijven.",
        "Oui, {house} peut m’envoyer sa lettre d’information avec le programme et les nouvelles de la "
        "maison. Je peux me désinscrire à tout moment.",
        "Yes, {house} may send me its newsletter with the programme and news of the house. "
        "I can unsubscribe at any time.",
    ),
    "recommendations": (
        "Ja, {house} mag bijhouden wat ik bezoek en bestel, en daaruit afleiden welke tips bij mij passen. "
        "Ik kan dat altijd stoppen.",
        "Oui, {house} peut tenir compte de mes visites et de mes commandes pour me proposer ce qui me correspond. "
        "Je peux l’arrêter à tout moment.",
        "Yes, {house} may keep track of what I visit and order, to work out what to recommend to me. "
        "I can stop that at any time.",
    ),
    "partner_offers": (
        "Ja, {house} mag me aanbiedingen van partners bezorgen. Mijn adres gaat niet naar die partners. "
        "Ik kan dat altijd stoppen.",
        "Oui, {house} peut m’envoyer des offres de partenaires. Mon adresse ne leur est pas transmise. "
        "Je peux l’arrêter à tout moment.",
        "Yes, {house} may send me offers of partners. My address is not passed on to them. "
        "I can stop that at any time.",
    ),
    "survey": (
        "Ja, {house} mag me af en toe vragen wat ik van een bezoek vond. Ik kan dat altijd stoppen.",
        "Oui, {house} peut me demander de temps en temps mon avis sur une visite. Je peux l’arrêter à tout moment.",
        "Yes, {house} may ask me now and then what I thought of a visit. I can stop that at any time.",
    ),
    "track_open": (
        "Ja, {house} mag meten of ik de mails open, om te zien wat lezers interesseert. Ik kan dat altijd stoppen.",
        "Oui, {house} peut mesurer si j’ouvre ses e-mails, pour voir ce qui intéresse ses lecteurs. "
        "Je peux l’arrêter à tout moment.",
        "Yes, {house} may measure whether I open its mails, to see what interests its readers. "
        "I can stop that at any time.",
    ),
    "track_click": (
        "Ja, {house} mag meten op welke links in de mails ik klik, om te zien wat mij interesseert. "
        "Ik kan dat altijd stoppen.",
        "Oui, {house} peut mesurer sur quels liens de ses e-mails je clique, pour voir ce qui m’intéresse. "
        "Je peux l’arrêter à tout moment.",
        "Yes, {house} may measure which links in its mails I follow, to see what interests me. "
        "I can stop that at any time.",
    ),
}  # fmt: skip
_ANY_PURPOSE = (
    "Ja, {house} mag me hiervoor contacteren: {name}. Ik kan dat altijd stoppen.",
    "Oui, {house} peut me contacter pour : {name}. Je peux l’arrêter à tout moment.",
    "Yes, {house} may contact me for this: {name}. I can stop that at any time.",
)


def wording_for(session: ScopedSession, purpose: Purpose, *, language: str, house: str) -> Wording:
    """Return what a purpose shows now in a language: the house’s own version, else the sentence we begin with."""
    published = purpose.published_notices.get(language)
    if published is not None:
        text = session.scalars(select(NoticeVersion.wording).where(NoticeVersion.id == published)).one()
        return Wording(purpose.code, language, text, PUBLISHED)
    return beginning_wording(purpose, language=language, house=house)


def beginning_wording(purpose: Purpose, *, language: str, house: str) -> Wording:
    """Return the sentence a purpose begins with, whatever the house published since."""
    sentences = _DEFAULTS.get(purpose.code, _ANY_PURPOSE)
    text = sentences[LANGUAGES.index(language)]
    return Wording(purpose.code, language, text.format(house=house, name=name_of(purpose, language)), "preference_page")


def name_of(purpose: Purpose, language: str) -> str:
    """Return a purpose’s name in a language, or in whichever it has."""
    return purpose.names.get(language) or next((name for name in purpose.names.values() if name), purpose.code)
