"""The questions of a mail that somebody got, and keeping what they answer.

An answer becomes a field of the house's own (``attributes.x``), which segments can use. Whatever language it was given
in, it is kept in the words of the language of the house: one answer is one value. What is answered again replaces what
was answered before; an empty answer changes nothing. Of whom was erased meanwhile nothing is kept; who became part of
another contact answers for that one. A question that the mail showed to others only is not asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select, update

from app import clock
from app.accounts.organisations import current_organisation
from app.contacts.models import Contact
from app.db import ScopedSession
from app.mailings.composing.conditions import Condition
from app.mailings.composing.content import LANGUAGES, LanguageText, Survey, Variant, language_for, walk
from app.mailings.composing.content_schemas import parse_content
from app.mailings.composing.fields import Row, read_fields
from app.mailings.models import Delivery, MailingVersion

WORDS_MAX = 1000
ATTRIBUTE = "attributes."


@dataclass(frozen=True, slots=True)
class Question:
    """A question as the person reads it. ``kept_as`` are the answers in the house's language, in the same order."""

    id: str
    field: str
    words: str
    answers: tuple[str, ...]
    kept_as: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AskedOf:
    """The questions of one mail to one person, who may be gone (None), in the language of the mail.

    ``fields`` are the words of their personal fields, for the questions.
    """

    contact_id: int | None
    language: str
    questions: tuple[Question, ...]
    fields: Mapping[str, str]


def asked_in(session: ScopedSession, delivery_id: int) -> AskedOf | None:
    """Return what a mail asks; None where there is no such mail any more, or it asks nothing."""
    delivery = session.scalars(select(Delivery).where(Delivery.id == delivery_id)).one_or_none()
    if delivery is None or delivery.mailing_id is None:
        return None
    version = session.get(MailingVersion, (session.organisation_id, delivery.mailing_id, delivery.mailing_version))
    if version is None:
        return None
    content, house = parse_content(version.content), current_organisation(session)
    try:
        language = language_for(
            content, variant=delivery.variant, wanted=delivery.language, house_language=house.language
        )
    except KeyError:
        return None
    variant, contact_id = content.variant(delivery.variant), _who_it_is_now(session, delivery.contact_id)
    conditions = [block.only_if for block in _surveys(variant.texts[language]) if block.only_if]
    fields = {"house.name": house.name, **_fields(session, delivery, contact_id, language, conditions)}
    hidden = {
        block.id for block in _surveys(variant.texts[language]) if block.only_if and not block.only_if.holds(fields)
    }
    questions = tuple(
        each for each in _questions(variant, language, house.language) if contact_id is None or each.id not in hidden
    )
    return AskedOf(contact_id, language, questions, fields) if questions else None


def keep_answers(session: ScopedSession, asked: AskedOf, answers: Mapping[str, str]) -> int:
    """Keep answers by the id of their question, and return how many were kept.

    Of a question with answers to choose from, an answer is the number of one (from 1); of any other, words. What is
    neither is left out.
    """
    kept: dict[str, str] = {}
    for question in asked.questions:
        answer = _kept(question, answers.get(question.id, ""))
        if answer:
            kept[question.field.removeprefix(ATTRIBUTE)] = answer
    if kept and asked.contact_id is not None:
        session.execute(
            update(Contact)
            .where(Contact.id == asked.contact_id, Contact.state == "living")
            .values(attributes=Contact.attributes.concat(kept), updated_at=clock.now())
            .execution_options(synchronize_session=False)
        )
    return len(kept)


def _who_it_is_now(session: ScopedSession, contact_id: int | None) -> int | None:
    """Return the living contact that somebody is or became part of; None for who is gone."""
    seen = set[int]()
    while contact_id is not None and contact_id not in seen:
        seen.add(contact_id)
        found = session.execute(select(Contact.state, Contact.merged_into_id).where(Contact.id == contact_id)).first()
        if found is None or found.state == "living":
            return contact_id if found is not None else None
        contact_id = found.merged_into_id
    return None


def _fields(
    session: ScopedSession, delivery: Delivery, contact_id: int | None, language: str, conditions: Sequence[Condition]
) -> Mapping[str, str]:
    if contact_id is None:
        return {}
    segments = {each.segment_id for each in conditions if each.segment_id is not None}
    row, at = Row(delivery.id, contact_id, delivery.enrolment_id, delivery.mailing_id), delivery.handed_over_at
    return read_fields(session, [row], language=language, segments=segments, at=at or clock.now())[delivery.id]


def _kept(question: Question, given: str) -> str:
    given = " ".join(given.replace("\x00", "").split())[:WORDS_MAX]
    if not question.answers:
        return given
    place = int(given) if given.isdecimal() and given.isascii() and len(given) < 4 else 0
    return question.kept_as[place - 1] if 1 <= place <= len(question.kept_as) else ""


def _questions(variant: Variant, language: str, house_language: str) -> Iterator[Question]:
    of_house = {block.id: block for block in _surveys(_text_in(variant, house_language))}
    for block in _surveys(variant.texts[language]):
        same = of_house.get(block.id)
        is_same = same is not None and len(same.answers) == len(block.answers)
        kept_as = same.answers if same is not None and is_same else block.answers
        yield Question(block.id, block.field, block.question, block.answers, kept_as)


def _surveys(text: LanguageText | None) -> Iterator[Survey]:
    for block in walk(text.blocks) if text is not None else ():
        if isinstance(block, Survey) and block.field:
            yield block


def _text_in(variant: Variant, language: str) -> LanguageText | None:
    """What is written in a language, else in the first of ours that it is written in."""
    return next((variant.texts[each] for each in (language, *LANGUAGES) if each in variant.texts), None)
