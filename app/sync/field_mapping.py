"""What the words of a source mean here: applied to a page before it is stored. Pure rules.

A connector hands over what its system says, in the system's own words: genres, what people answered to questions of yes
or no, and what stands in fields of the house's own making. A house says what each of them is here. What nobody said
anything about stays as it is (genres), keeps the purpose of the connection's settings (questions), or is not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from integrations.base import ActivityRecord, ConsentRecord, ConsentState, ContactRecord, OfferKind, SourcePage

Word = tuple[OfferKind, str]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a word is here: a genre, a purpose or an attribute; none of them where it is nothing that is kept."""

    genre: str | None = None
    purpose: str | None = None
    attribute: str | None = None

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Meaning:
        """Read what ``as_json`` wrote."""
        return cls(told.get("genre"), told.get("purpose"), told.get("attribute"))

    def as_json(self) -> dict[str, Any]:
        """Return the meaning as it is stored."""
        told = {"genre": self.genre, "purpose": self.purpose, "attribute": self.attribute}
        return {name: value for name, value in told.items() if value is not None} or {"nothing": True}


Meanings = Mapping[Word, Meaning]


def mapped(page: SourcePage, meanings: Meanings) -> SourcePage:
    """Return a page in the house's words; what it says nothing about is as the module says."""
    return replace(
        page,
        activities=tuple(mapped_activity(each, meanings) for each in page.activities),
        contacts=tuple(mapped_contact(each, meanings) for each in page.contacts),
        participations=tuple(
            replace(
                each,
                contact=mapped_contact(each.contact, meanings),
                buyer=mapped_contact(each.buyer, meanings) if each.buyer is not None else None,
            )
            for each in page.participations
        ),
    )


def mapped_activity(activity: ActivityRecord, meanings: Meanings) -> ActivityRecord:
    """Return an activity with the house's genres; the source's words stand beside them where they differ."""
    genres = genres_of(activity.genres, meanings)
    return activity if genres == activity.genres else replace(activity, genres=genres, own_genres=activity.genres)


def genres_of(words: tuple[str, ...], meanings: Meanings) -> tuple[str, ...]:
    """Return what a source's words for genres are here, each once."""
    found: dict[str, None] = {}
    for word in words:
        meaning = meanings.get((OfferKind.GENRE, word))
        genre = word if meaning is None else meaning.genre
        if genre is not None:
            found[genre] = None
    return tuple(found)


def mapped_contact(contact: ContactRecord, meanings: Meanings) -> ContactRecord:
    """Return a person with what they answered as what it allows, and with the fields that are kept."""
    if not contact.custom and not any(each.question for each in contact.consents):
        return contact
    consents: list[ConsentRecord] = []
    attributes: dict[str, Any] = {}
    for said in contact.consents:
        meaning = meanings.get((OfferKind.QUESTION, said.question)) if said.question else None
        if meaning is not None and meaning.attribute is not None:
            attributes[meaning.attribute] = said.state is ConsentState.IN
        elif (kept := meant(said, meaning)) is not None:
            consents.append(kept)
    for key, value in contact.custom.items():
        meaning = meanings.get((OfferKind.FIELD, key))
        if meaning is not None and meaning.attribute is not None:
            attributes[meaning.attribute] = value
    return replace(contact, consents=tuple(consents), attributes={**contact.attributes, **attributes}, custom={})


def meant(said: ConsentRecord, meaning: Meaning | None) -> ConsentRecord | None:
    """Return a statement as what the house says it is about; None where it is about nothing it may count for.

    The same statement read for another purpose is another statement, with a name of its own: it is not taken for a
    repeat, and read again for the same purpose it is.
    """
    if said.question is None:
        return said
    if meaning is None:
        return said if said.purpose is not None else None
    if meaning.purpose is None:
        return None
    if meaning.purpose == said.purpose:
        return said
    name = None if said.external_id is None else f"{said.external_id}/{meaning.purpose}"
    return replace(said, purpose=meaning.purpose, external_id=name)
