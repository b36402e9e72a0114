"""What letters say, in three languages: plain, short, and nothing that sells.

The sentences are here, their translations in this room's catalogues, and how they look in ``templates/letters``, which
runs in a sandbox and escapes everything. Works without a request, and so in the worker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from babel.dates import format_date
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from app.mailings.mail_settings import Sender
from app.mailings.mime import Content
from app.ui.catalogues import po_path
from integrations.meanings import N_

ROOM = Path(__file__).resolve().parent
# RFC 3834: nobody's absence assistant answers; the second is what Exchange listens to.
AUTOMATIC = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}
LOCALES = {"nl": "nl", "fr": "fr", "en": "en_GB"}


@dataclass(frozen=True, slots=True)
class Text:
    """One letter: its subject, what it says, the one button it may have, and what stands small under it.

    Sentences are English message ids and may name ``house``, ``purposes``, ``day``, ``note`` and ``people``.
    """

    subject: str
    sentences: tuple[str, ...]
    button: str = ""
    afterwards: tuple[str, ...] = ()


TEXTS: Mapping[str, Text] = {
    "confirmation": Text(
        N_("Please confirm, and you will hear from %(house)s"),
        (
            N_("You asked %(house)s to write to you. This is what it would be about: %(purposes)s."),
            N_("Press the button, and confirm on the page that opens."),
        ),
        N_("Yes, write to me"),
        (
            N_("Did you not ask for this? Then do nothing: without your confirmation we will not write to you again."),
            N_("The button works for thirty days."),
        ),
    ),
    "unsubscribe_receipt": Text(
        N_("You are unsubscribed"),
        (
            N_("We noted on %(day)s that %(house)s no longer writes to you about: %(purposes)s."),
            N_("It took effect at once. You need do nothing."),
        ),
        N_("See what you receive"),
        (N_("The law asks us to send you this one confirmation."),),
    ),
    "unsubscribe_receipt_of_all": Text(
        N_("You are unsubscribed"),
        (
            N_("We noted on %(day)s that %(house)s no longer sends you advertising by e-mail."),
            N_("It took effect at once. You need do nothing."),
        ),
        N_("See what you receive"),
        (N_("The law asks us to send you this one confirmation."),),
    ),
    "address_change": Text(
        N_("Is this your address?"),
        (
            N_("Somebody asked %(house)s to use this e-mail address from now on."),
            N_("Was it you? Press the button, and confirm on the page that opens."),
        ),
        N_("This is my address"),
        (N_("Was it not you? Then do nothing, and nothing changes."),),
    ),
    "data_ready": Text(
        N_("What you asked for is ready"),
        (
            N_("You asked %(house)s what it keeps about you. You can fetch it until %(day)s."),
            N_("Do not pass this mail on: whoever has the link can read it all."),
        ),
        N_("Fetch my data"),
    ),
    "preferences_link": Text(
        N_("Your choices at %(house)s"),
        (N_("You asked for the page where you choose what %(house)s may write to you about. Here it is."),),
        N_("Choose what I receive"),
        (N_("Did you not ask for this? Then somebody typed your address, and you need do nothing."),),
    ),
    "invitation": Text(
        N_("%(house)s invites you"),
        (
            N_("%(house)s keeps its contacts and mailings in Zaallicht, and invites you to work along."),
            N_("Press the button, choose a password, and you are in."),
        ),
        N_("Come in"),
        (N_("The link works once, for seven days."),),
    ),
    "password_reset": Text(
        N_("A new password"),
        (N_("Here you choose a new password for Zaallicht at %(house)s."),),
        N_("Choose a password"),
        (
            N_("The link works once, for one day."),
            N_("Did you not expect this? Then do nothing: your password stays as it is."),
        ),
    ),
    "journey_note": Text(
        N_("Somebody came to a step of a journey"),
        (N_("%(note)s"), N_("How many people: %(people)s.")),
        N_("Have a look"),
        (N_("A journey of %(house)s writes this to you, because one of its steps says so."),),
    ),
    "test": Text(
        N_("A test from %(house)s"),
        (N_("This mail arrived, so what you filled in works. This is how letters of %(house)s look."),),
    ),
}


def letter_content(
    kind: str,
    sender: Sender,
    *,
    language: str,
    link: str = "",
    purposes: tuple[str, ...] = (),
    day: date | None = None,
    note: str = "",
    people: int = 0,
) -> Content:
    """Return a letter's subject, text and HTML; raises KeyError for a kind that has no text."""
    text, translate = TEXTS[kind], _translator(language)
    facts = {
        "house": sender.from_name,
        "purposes": ", ".join(purposes),
        "note": note,
        "people": str(people),
        "day": "" if day is None else format_date(day, "long", locale=LOCALES[language]),
    }

    def say(sentence: str) -> str:
        return translate(sentence) % facts if sentence else ""

    known: dict[str, Any] = {
        "sender": sender,
        "language": language,
        "link": link,
        "subject": say(text.subject),
        "sentences": [say(sentence) for sentence in text.sentences],
        "button": say(text.button),
        "afterwards": [say(sentence) for sentence in text.afterwards],
    }
    return Content(
        subject=known["subject"],
        text=_frames().get_template("letters/frame.txt").render(known).strip() + "\n",
        html=_frames().get_template("letters/frame.html").render(known),
        headers=AUTOMATIC,
    )


@lru_cache(maxsize=1)
def _frames() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(ROOM / "templates"),
        autoescape=lambda name: name is None or name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@lru_cache(maxsize=8)
def _translator(language: str) -> Callable[[str], str]:
    """Read the catalogue as people edit it, so that letters need no compiled file beside it."""
    path, catalogue = po_path(ROOM, language), Catalog()
    if path.is_file():
        with path.open("rb") as file:
            catalogue = read_po(file, locale=language)

    def translate(sentence: str) -> str:
        found = catalogue.get(sentence)
        return str(found.string) if found is not None and found.string and not found.fuzzy else sentence

    return translate
