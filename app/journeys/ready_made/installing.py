"""Putting a ready-made journey in a house: its letters as mailings, its segments, and a draft to look over."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from app.accounts.audit import Actor
from app.accounts.organisations import current_organisation
from app.consent.models import Purpose
from app.contacts.models import Pass
from app.db import ScopedSession
from app.journeys.drafts import free_name, make_journey
from app.journeys.ready_made.catalogue import BY_KEY, Parts
from app.journeys.ready_made.letter import Letter, content_of
from app.mailings import mailings
from app.mailings.mailings import MailingDraft, create_mailing
from app.mailings.models import Mailing
from app.segments.building.recipes import BY_KEY as RECIPES
from app.segments.definitions import create_segment
from app.segments.models import Segment

# Before the fields of a survey, in the language of the house: colleagues read them in segments.
SURVEY_FIELDS = {"nl": "bezoek_", "fr": "visite_", "en": "visit_"}
USUAL_PROGRAMME = "uitpas"


class PurposeMissingError(Exception):
    """The house does not write for a purpose that a letter needs (any more)."""

    def __init__(self, purpose: str) -> None:
        super().__init__(purpose)
        self.purpose = purpose


def add_ready_made(session: ScopedSession, key: str, *, name: str, actor: Actor) -> int:
    """Make a ready-made journey a draft of this house, and return its id. Nothing is published and nobody enters.

    Letters become mailings of their own each time, so that one journey is never changed by editing another; a segment
    that a recipe gives is used where the house has one with that very rule. ``name`` is what the journey and a new
    segment are called. Raises KeyError for a journey there is not, PurposeMissingError.
    """
    wanted = BY_KEY[key]
    language = current_organisation(session).language
    created_by = actor.id if actor.kind == "user" else None
    _check_purposes(session, {letter.purpose for letter in wanted.letters.values()})
    parts = Parts(
        mailings={code: _mailing(session, letter, language, actor=actor) for code, letter in wanted.letters.items()},
        segments={recipe: _segment(session, recipe, name=name, created_by=created_by) for recipe in wanted.recipes},
        programme=_programme(session),
        confirms_newsletter=bool(
            session.scalar(sa.select(Purpose.needs_confirmation).where(Purpose.code == "newsletter"))
        ),
    )
    return make_journey(session, free_name(session, name), wanted.build(parts), created_by=created_by).id


def _check_purposes(session: ScopedSession, wanted: set[str]) -> None:
    known = {purpose.code for purpose in mailings.purposes_to_mail_for(session)}
    for purpose in sorted(wanted - known):
        raise PurposeMissingError(purpose)


def _mailing(session: ScopedSession, letter: Letter, language: str, *, actor: Actor) -> int:
    name = letter.name[language]
    is_taken = session.scalar(sa.select(sa.exists().where(sa.func.lower(Mailing.name) == name.lower())))
    draft = MailingDraft(
        name=mailings.free_name(session, name) if is_taken else name,
        purpose=letter.purpose,
        kind="journey",
        content=content_of(letter, field_prefix=SURVEY_FIELDS[language]),
    )
    return create_mailing(session, draft, actor=actor).id


def _segment(session: ScopedSession, recipe: str, *, name: str, created_by: int | None) -> int:
    """The segment of a recipe, as it comes. One that is made is called like the journey, or the next that is free."""
    rule: dict[str, Any] = RECIPES[recipe].rule({})[0]
    held = session.scalar(sa.select(Segment.id).where(Segment.rule == rule).order_by(Segment.id).limit(1))
    if held is not None:
        return held
    taken = set(session.scalars(sa.select(sa.func.lower(Segment.name))))
    names = (name if number == 1 else f"{name} {number}" for number in range(1, len(taken) + 2))
    free = next(each for each in names if each.lower() not in taken)
    return create_segment(session, name=free, rule=rule, created_by=created_by).id


def _programme(session: ScopedSession) -> str:
    """The programme that most passes are of."""
    count = sa.func.count()
    most = session.scalar(sa.select(Pass.programme).group_by(Pass.programme).order_by(count.desc()).limit(1))
    return most or USUAL_PROGRAMME
