"""What a form asks, for which purposes, in which languages: made and changed by the house, read by its pages."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import select

from app import clock
from app.accounts import directory
from app.consent.models import Purpose
from app.contacts.forms.models import SignupForm
from app.db import ScopedSession
from app.keyring import Keyring

# Letters and digits nobody takes for one another.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
CODE_LENGTH = 10

ASKED = ("off", "optional", "required")
FIELDS = ("given_name", "family_name", "postcode", "birth_date")


@dataclass(frozen=True, slots=True)
class Interest:
    """Something people can say they like: it becomes a tag. ``names`` by language."""

    tag: str
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A form as the house made it. ``fields`` says for each of FIELDS whether it is asked; ``texts`` holds title, intro
    and thanks by language, where the house wrote its own. ``embed_origins`` may show the form in a frame."""

    languages: tuple[str, ...]
    purposes: tuple[str, ...]
    fields: Mapping[str, str] = field(default_factory=dict)
    interests: tuple[Interest, ...] = ()
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    needs_confirmation: bool = True
    tag: str = ""
    embed_origins: tuple[str, ...] = ()

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Definition:
        """Return the definition a row holds."""
        return cls(
            languages=tuple(stored["languages"]),
            purposes=tuple(stored["purposes"]),
            fields=stored.get("fields", {}),
            interests=tuple(Interest(each["tag"], each["names"]) for each in stored.get("interests", ())),
            texts=stored.get("texts", {}),
            needs_confirmation=stored.get("needs_confirmation", True),
            tag=stored.get("tag", ""),
            embed_origins=tuple(stored.get("embed_origins", ())),
        )

    def stored(self) -> dict[str, Any]:
        """Return the definition as a row holds it."""
        return asdict(self)

    def asks(self, name: str) -> bool:
        """Whether a field is on the form."""
        return self.fields.get(name, "off") != "off"

    def needs(self, name: str) -> bool:
        """Whether a field has to be filled in."""
        return self.fields.get(name) == "required"


def list_forms(session: ScopedSession) -> list[SignupForm]:
    """Return the forms of the house, those in use first."""
    form = SignupForm
    return list(session.scalars(select(form).order_by(form.is_active.desc(), form.name, form.id)))


def find_form(session: ScopedSession, form_id: int) -> SignupForm | None:
    """Return one form, or None."""
    return session.scalars(select(SignupForm).where(SignupForm.id == form_id)).one_or_none()


def create_form(session: ScopedSession, keyring: Keyring, name: str, definition: Definition) -> SignupForm:
    """Make a form; it is open from now on, under a code nobody can guess the next of."""
    now = clock.now()
    form = SignupForm(
        organisation_id=session.organisation_id,
        code="".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH)),
        name=name,
        definition=definition.stored(),
        created_at=now,
        changed_at=now,
    )
    session.add(form)
    session.flush()
    directory.enter(session, keyring, "form", form.code, organisation_id=session.organisation_id, target_id=form.id)
    return form


def change_form(form: SignupForm, *, name: str, definition: Definition, is_active: bool) -> None:
    """Change what a form asks from now on; what was sent before keeps what it said."""
    form.name, form.definition, form.is_active = name, definition.stored(), is_active
    form.changed_at = clock.now()


def offered_purposes(session: ScopedSession) -> list[Purpose]:
    """Return the purposes a form can ask a yes for: marketing, in use, and open to consent."""
    purpose = Purpose
    rows = session.scalars(
        select(purpose).where(purpose.is_marketing, purpose.is_active).order_by(purpose.position, purpose.code)
    )
    return [row for row in rows if "consent" in row.allowed_bases]


def asked_purposes(session: ScopedSession, definition: Definition) -> list[Purpose]:
    """Return the purposes a form asks now: those it names that are still offered, in their order."""
    return [purpose for purpose in offered_purposes(session) if purpose.code in definition.purposes]
