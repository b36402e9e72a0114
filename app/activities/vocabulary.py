"""The shared vocabulary of genres: the event types and themes of UiTdatabank, with names in three languages.

Every house has its own words ("Jazz & co", "dans/performance"); these are what they have in common. The numbers are
UiTdatabank's (its taxonomy, domains ``eventtype`` and ``theme``, 2026), so that what is said with them can be
compared between houses and exchanged with whoever uses them. A house's own words stay beside them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Domain = Literal["eventtype", "theme"]
PREFIX = "uitdatabank:"


@dataclass(frozen=True, slots=True)
class Term:
    """One genre of the vocabulary. ``value`` is how a rule or a program names it."""

    number: str
    domain: Domain
    dutch: str
    french: str
    english: str

    @property
    def value(self) -> str:
        """The term as it stands in a rule: told apart from a house's own words by its prefix."""
        return f"{PREFIX}{self.number}"

    def name(self, language: str) -> str:
        """Its name in a language; in English where we have no other."""
        return {"nl": self.dutch, "fr": self.french}.get(language[:2], self.english)


def _terms(domain: Domain, *rows: tuple[str, str, str, str]) -> tuple[Term, ...]:
    return tuple(Term(number, domain, dutch, french, english) for number, dutch, french, english in rows)


TERMS = _terms(
    "eventtype",
    ("0.7.0.0.0", "Begeleide uitstap of rondleiding", "Visite guidée ou excursion", "Guided tour"),
    ("0.6.0.0.0", "Beurs", "Salon", "Fair"),
    ("0.50.4.0.0", "Concert", "Concert", "Concert"),
    ("0.3.1.0.1", "Cursus met open sessies", "Cours à séances libres", "Course with open sessions"),
    ("0.54.0.0.0", "Dansvoorstelling", "Spectacle de danse", "Dance performance"),
    ("1.50.0.0.0", "Eet- of drankfestijn", "Fête gourmande", "Food and drink"),
    ("0.5.0.0.0", "Festival", "Festival", "Festival"),
    ("0.28.0.0.0", "Festiviteit", "Festivité", "Festivity"),
    ("0.50.6.0.0", "Film", "Film", "Film"),
    ("0.57.0.0.0", "Kamp of vakantie", "Stage ou vacances", "Camp or holiday"),
    ("0.3.1.0.0", "Lessenreeks", "Série de cours", "Course"),
    ("0.3.2.0.0", "Lezing of congres", "Conférence ou congrès", "Lecture or congress"),
    ("0.37.0.0.0", "Markt, braderie of kermis", "Marché, braderie ou foire", "Market or fun fair"),
    ("0.12.0.0.0", "Opendeurdag", "Journée portes ouvertes", "Open day"),
    ("0.49.0.0.0", "Party of fuif", "Soirée", "Party"),
    ("0.17.0.0.0", "Route", "Itinéraire", "Route"),
    ("0.50.21.0.0", "Spel of quiz", "Jeu ou quiz", "Game or quiz"),
    ("0.59.0.0.0", "Sport en beweging", "Sport et mouvement", "Sports and exercise"),
    ("0.19.0.0.0", "Sportwedstrijd bekijken", "Match à regarder", "Match to watch"),
    ("0.0.0.0.0", "Tentoonstelling", "Exposition", "Exhibition"),
    ("0.55.0.0.0", "Theatervoorstelling", "Spectacle de théâtre", "Theatre performance"),
) + _terms(
    "theme",
    ("1.7.2.0.0", "Actie en avontuur", "Action et aventure", "Action and adventure"),
    ("1.8.3.5.0", "Amusementsmuziek", "Musique de variété", "Light music"),
    ("1.7.12.0.0", "Animatie en kinderfilms", "Animation et films pour enfants", "Animation and children's films"),
    ("1.17.0.0.0", "Antiek en brocante", "Antiquités et brocante", "Antiques and flea market"),
    ("1.2.1.0.0", "Architectuur", "Architecture", "Architecture"),
    ("1.1.0.0.0", "Audiovisuele kunst", "Art audiovisuel", "Audiovisual art"),
    ("1.9.1.0.0", "Ballet en klassieke dans", "Ballet et danse classique", "Ballet and classical dance"),
    ("1.0.2.0.0", "Beeldhouwkunst", "Sculpture", "Sculpture"),
    ("1.7.11.0.0", "Cinefiel", "Cinéma d'auteur", "Art-house film"),
    ("0.52.0.0.0", "Circus", "Cirque", "Circus"),
    ("1.21.0.0.0", "Computer en techniek", "Informatique et technique", "Computers and technology"),
    ("1.42.0.0.0", "Creativiteit", "Créativité", "Creativity"),
    ("1.8.3.3.0", "Dance muziek", "Musique électronique", "Dance music"),
    ("1.0.5.0.0", "Decoratieve kunst", "Arts décoratifs", "Decorative arts"),
    ("1.2.2.0.0", "Design", "Design", "Design"),
    ("1.7.1.0.0", "Documentaires en reportages", "Documentaires et reportages", "Documentaries"),
    ("1.7.4.0.0", "Drama", "Drame", "Drama film"),
    ("1.66.0.0.0", "Economie", "Économie", "Economy"),
    ("1.40.0.0.0", "Erfgoed", "Patrimoine", "Heritage"),
    ("1.3.5.0.0", "Figuren en poppentheater", "Marionnettes et théâtre d'objets", "Puppetry and object theatre"),
    ("1.7.10.0.0", "Filmmusical", "Film musical", "Film musical"),
    ("1.8.4.0.0", "Folk en wereldmuziek", "Folk et musiques du monde", "Folk and world music"),
    ("1.0.6.0.0", "Fotografie", "Photographie", "Photography"),
    ("1.11.0.0.0", "Geschiedenis", "Histoire", "History"),
    ("1.62.0.0.0", "Gezondheid en wellness", "Santé et bien-être", "Health and wellness"),
    ("1.37.1.0.0", "Gezondheid en zorg", "Santé et soins", "Health and care"),
    ("1.0.4.0.0", "Grafiek", "Arts graphiques", "Graphic arts"),
    ("1.7.6.0.0", "Griezelfilm of horror", "Film d'horreur", "Horror film"),
    ("1.8.3.2.0", "Hiphop, r&b en rap", "Hip-hop, r&b et rap", "Hip-hop, r&b and rap"),
    ("1.7.8.0.0", "Historische film", "Film historique", "Historical film"),
    ("1.3.10.0.0", "Humor en comedy", "Humour et comédie", "Humour and comedy"),
    ("1.0.3.0.0", "Installatiekunst", "Art de l'installation", "Installation art"),
    ("1.43.0.0.0", "Interculturele vorming", "Formation interculturelle", "Intercultural learning"),
    ("1.8.2.0.0", "Jazz en blues", "Jazz et blues", "Jazz and blues"),
    ("1.8.1.0.0", "Klassieke muziek", "Musique classique", "Classical music"),
    ("1.7.3.0.0", "Komedie", "Comédie", "Comedy film"),
    ("1.7.13.0.0", "Kortfilm", "Court métrage", "Short film"),
    ("1.41.0.0.0", "Kunst en kunsteducatie", "Art et éducation artistique", "Art and art education"),
    ("1.63.0.0.0", "Landbouw en platteland", "Agriculture et ruralité", "Farming and countryside"),
    ("1.10.0.0.0", "Literatuur", "Littérature", "Literature"),
    ("1.7.14.0.0", "Meerdere filmgenres", "Plusieurs genres de films", "Several film genres"),
    ("1.0.9.0.0", "Meerdere kunstvormen", "Plusieurs formes d'art", "Several art forms"),
    ("1.64.0.0.0", "Milieu en natuur", "Environnement et nature", "Environment and nature"),
    ("1.3.4.0.0", "Mime en bewegingstheater", "Mime et théâtre de mouvement", "Mime and physical theatre"),
    ("1.49.0.0.0", "Mode", "Mode", "Fashion"),
    ("1.9.2.0.0", "Moderne dans", "Danse moderne", "Modern dance"),
    ("1.4.0.0.0", "Musical", "Comédie musicale", "Musical"),
    ("1.5.0.0.0", "Opera en operette", "Opéra et opérette", "Opera and operetta"),
    ("1.37.0.0.0", "Opvoeding", "Éducation", "Parenting"),
    ("1.61.0.0.0", "Persoon en relaties", "Personne et relations", "Self and relations"),
    ("1.10.5.0.0", "Poëzie", "Poésie", "Poetry"),
    ("1.8.3.1.0", "Pop en rock", "Pop et rock", "Pop and rock"),
    ("1.37.2.0.0", "Samenleving", "Société", "Society"),
    ("1.0.1.0.0", "Schilderkunst", "Peinture", "Painting"),
    ("1.7.7.0.0", "Science fiction", "Science-fiction", "Science fiction"),
    ("1.9.5.0.0", "Stijl en salondansen", "Danses de salon", "Ballroom dancing"),
    ("1.10.8.0.0", "Strips", "Bande dessinée", "Comics"),
    ("1.3.1.0.0", "Tekst- en muziektheater", "Théâtre de texte et théâtre musical", "Drama and music theatre"),
    ("1.7.15.0.0", "Thriller", "Thriller", "Thriller"),
    ("1.65.0.0.0", "Voeding", "Alimentation", "Food"),
    ("1.9.3.0.0", "Volksdans en werelddans", "Danse folklorique et du monde", "Folk and world dance"),
    ("1.25.0.0.0", "Wetenschap", "Sciences", "Science"),
    (
        "1.44.0.0.0",
        "Zingeving, filosofie en religie",
        "Sens, philosophie et religion",
        "Meaning, philosophy and religion",
    ),
)

BY_VALUE = {term.value: term for term in TERMS}

# Words that houses use for a genre beside its name. Only what cannot be taken for something else.
_OTHER_WORDS = {
    "0.0.0.0.0": "expo exposities expositie exposition exhibition tentoonstellingen museumbezoek",
    "0.3.1.0.1": "workshop workshops atelier ateliers cursus cursussen",
    "0.3.2.0.0": "lezing lezingen conférence conférences lecture lectures congres debat débat talk",
    "0.5.0.0.0": "festivals",
    "0.50.21.0.0": "quiz",
    "0.50.4.0.0": "muziek music musique concerten concerts",
    "0.50.6.0.0": "cinema cinéma films bioscoop",
    "0.52.0.0.0": "circustheater nouveau-cirque cirque-contemporain",
    "0.54.0.0.0": "dans danse dansvoorstellingen",
    "0.55.0.0.0": "theater theatre théâtre toneel podiumkunsten",
    "0.7.0.0.0": "rondleiding rondleidingen gidsbeurt visite-guidée stadswandeling",
    "1.0.1.0.0": "schilderijen peintures",
    "1.0.6.0.0": "foto photo",
    "1.10.0.0.0": "literair boeken livres boek auteurslezing voorlezen",
    "1.10.5.0.0": "gedichten poezie slam",
    "1.10.8.0.0": "strip stripverhalen bd",
    "1.3.1.0.0": "teksttheater muziektheater théâtre-musical théâtre-de-texte",
    "1.3.10.0.0": "cabaret comedy humor stand-up stand-upcomedy humour cabaretier",
    "1.3.4.0.0": "mime bewegingstheater fysiek-theater",
    "1.3.5.0.0": "poppentheater figurentheater objecttheater marionnettes poppenspel",
    "1.4.0.0.0": "musicals comédie-musicale",
    "1.40.0.0.0": "patrimoine monumenten",
    "1.5.0.0.0": "opera opéra operette",
    "1.7.1.0.0": "documentaire documentaires docu",
    "1.7.12.0.0": "kinderfilm jeugdfilm animatie animatiefilm",
    "1.8.1.0.0": "klassiek classique classical kamermuziek oude-muziek symfonisch",
    "1.8.2.0.0": "jazz blues",
    "1.8.3.1.0": "pop rock pop/rock pop-rock indie",
    "1.8.3.2.0": "hiphop hip-hop rap r&b",
    "1.8.3.3.0": "electronic elektronisch techno dj",
    "1.8.3.5.0": "schlager",
    "1.8.4.0.0": "folk wereldmuziek world-music musiques-du-monde",
    "1.9.1.0.0": "ballet",
    "1.9.2.0.0": "hedendaagse-dans danse-contemporaine contemporary-dance moderne-dans",
    "1.9.3.0.0": "volksdans werelddans",
}


def recognised(word: str) -> Term | None:
    """The term a house's word plainly is: by its name in any language, its number, or a word everybody uses for it."""
    return _BY_WORD.get(_bare(word))


def genre_name(genre: str, language: str) -> str:
    """How a genre in a rule or of an activity is shown: a term by its name in the language, a house's word as it is."""
    term = BY_VALUE.get(genre)
    return genre if term is None else term.name(language)


def _bare(word: str) -> str:
    """A word without capitals, accents and marks, so that "Pop / Rock" is "pop-rock"."""
    plain = "".join(each for each in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(each))
    return re.sub(r"[^a-z0-9.&]+", " ", plain).strip()


def _words(term: Term) -> Iterable[str]:
    yield from (term.dutch, term.french, term.english, term.number, term.value)
    yield from _OTHER_WORDS.get(term.number, "").split()


_BY_WORD = {_bare(word): term for term in reversed(TERMS) for word in _words(term)}
