"""Ready-made starts: a mail that stands already, in three languages, to write over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.meanings import N_

Words = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Start:
    """A start: its name and use in English (marked), the icon, and its blocks per language."""

    key: str
    name: str
    use: str
    symbol: str
    subject: Words
    preheader: Words
    blocks: Sequence[Mapping[str, Any]]
    is_service: bool = False


def _said(nl: str, fr: str, en: str) -> Words:
    return {"nl": nl, "fr": fr, "en": en}


_HELLO = _said(
    '<p>Dag {{ given_name or "beste bezoeker" }},</p>',
    '<p>Bonjour {{ given_name or "cher visiteur" }},</p>',
    '<p>Dear {{ given_name or "visitor" }},</p>',
)


def _hello(nl: str, fr: str, en: str) -> Words:
    return {language: _HELLO[language] + words for language, words in _said(nl, fr, en).items()}


STARTS = (
    Start(
        key="newsletter",
        name=N_("Newsletter"),
        use=N_("What is on soon, with a word from the house."),
        symbol="mail",
        subject=_said("Dit komt eraan", "À venir chez nous", "Coming up"),
        preheader=_said(
            "Vijf avonden om naar uit te kijken", "Cinq soirées à ne pas manquer", "Five evenings to look forward to"
        ),
        blocks=(
            {"type": "header", "title": _said("Dit komt eraan", "À venir", "Coming up")},
            {
                "type": "text",
                "html": _hello(
                    "<p>Schrijf hier in twee of drie zinnen wat deze maand bijzonder maakt.</p>",
                    "<p>Dites ici, en deux ou trois phrases, ce qui rend ce mois particulier.</p>",
                    "<p>Say here in two or three sentences what makes this month special.</p>",
                ),
            },
            {"type": "activities", "mode": "automatic", "count": 5},
            {"type": "divider"},
            {
                "type": "text",
                "html": _said(
                    "<h3>Nog iets</h3><p>Een kort nieuwtje, of een dankwoord.</p>",
                    "<h3>Encore une chose</h3><p>Une brève nouvelle, ou un mot de remerciement.</p>",
                    "<h3>One more thing</h3><p>A short piece of news, or a word of thanks.</p>",
                ),
            },
        ),
    ),
    Start(
        key="invitation",
        name=N_("Invitation"),
        use=N_("One evening, one button."),
        symbol="heart",
        subject=_said("Je bent uitgenodigd", "Vous êtes invité", "You are invited"),
        preheader=_said(
            "We houden graag een plaats voor je vrij",
            "Nous vous gardons une place",
            "We would gladly keep a seat for you",
        ),
        blocks=(
            {"type": "header", "title": _said("Je bent uitgenodigd", "Vous êtes invité", "You are invited")},
            {"type": "image"},
            {
                "type": "text",
                "html": _hello(
                    "<p>Graag nodigen we je uit. Schrijf hier waarvoor, wanneer en waar.</p>",
                    "<p>Nous avons le plaisir de vous inviter. Dites ici à quoi, quand et où.</p>",
                    "<p>We would like to invite you. Say here to what, when and where.</p>",
                ),
            },
            {"type": "button", "label": _said("Ik kom", "Je viens", "I will be there"), "url": ""},
        ),
    ),
    Start(
        key="programme",
        name=N_("Programme overview"),
        use=N_("Many activities at a glance, two beside one another."),
        symbol="calendar",
        subject=_said("Het programma in één oogopslag", "Le programme en un coup d’œil", "The programme at a glance"),
        preheader=_said(
            "Alles wat de komende weken te zien is",
            "Tout ce qui se joue ces prochaines semaines",
            "Everything on in the coming weeks",
        ),
        blocks=(
            {"type": "header", "title": _said("Het programma", "Le programme", "The programme")},
            {
                "type": "text",
                "html": _said(
                    "<p>Dit is de komende weken te zien.</p>",
                    "<p>Voici ce qui se joue ces prochaines semaines.</p>",
                    "<p>This is on in the coming weeks.</p>",
                ),
            },
            {"type": "activities", "mode": "automatic", "count": 8, "layout": "grid"},
            {"type": "button", "label": _said("Bekijk alles", "Tout voir", "See everything"), "url": ""},
        ),
    ),
    Start(
        key="practical",
        name=N_("Practical information"),
        use=N_("For who booked: how to get there, when doors open. Without anything that sells."),
        symbol="info",
        subject=_said(
            "Goed om te weten voor je bezoek", "Bon à savoir avant votre visite", "Good to know before your visit"
        ),
        preheader=_said(
            "Hoe je er komt, en wanneer de deuren opengaan",
            "Comment venir, et l’ouverture des portes",
            "How to get here, and when doors open",
        ),
        is_service=True,
        blocks=(
            {"type": "header", "title": _said("Tot binnenkort", "À bientôt", "See you soon")},
            {
                "type": "text",
                "html": _hello(
                    "<p>Binnenkort verwachten we je. Dit is handig om te weten.</p>"
                    "<h3>Wanneer</h3><p>De deuren gaan open om …</p>"
                    "<h3>Waar</h3><p>{{ house.address }}</p>"
                    "<h3>Hoe kom je er</h3><ul><li>Met de trein: …</li><li>Met de fiets: …</li>"
                    "<li>Met de auto: …</li></ul>",
                    "<p>Nous vous attendons bientôt. Voici ce qu’il est utile de savoir.</p>"
                    "<h3>Quand</h3><p>Les portes ouvrent à …</p>"
                    "<h3>Où</h3><p>{{ house.address }}</p>"
                    "<h3>Comment venir</h3><ul><li>En train : …</li><li>À vélo : …</li><li>En voiture : …</li></ul>",
                    "<p>We look forward to seeing you soon. This is good to know.</p>"
                    "<h3>When</h3><p>Doors open at …</p>"
                    "<h3>Where</h3><p>{{ house.address }}</p>"
                    "<h3>How to get here</h3><ul><li>By train: …</li><li>By bicycle: …</li><li>By car: …</li></ul>",
                ),
            },
        ),
    ),
)
BY_KEY = {start.key: start for start in STARTS}


def started(start: Start, languages: Sequence[str]) -> dict[str, Any]:
    """Return the content of a start in these languages, as JSON."""
    return {
        "style": {},
        "variants": [{"name": "A", "texts": {language: _text(start, language) for language in languages}}],
    }


def _text(start: Start, language: str) -> dict[str, Any]:
    blocks = [_block(block, f"s{place}", language) for place, block in enumerate(start.blocks, 1)]
    return {
        "subject": start.subject[language],
        "preheader": start.preheader[language],
        "blocks": [*blocks, {"type": "footer", "id": "end"}],
    }


def _block(block: Mapping[str, Any], block_id: str, language: str) -> dict[str, Any]:
    said = {name: value[language] if isinstance(value, Mapping) else value for name, value in block.items()}
    return {"id": block_id, **said}
