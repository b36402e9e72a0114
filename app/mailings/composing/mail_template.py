"""A mail as it is made from: words with holes where a person's words and links go, ready for a skeleton.

``field_1`` … are personal fields (``words_of`` gives their words), ``link_1`` … the links that somebody composed
(``links``), and three are of every mail: ``unsubscribe_url`` (not in a service mail), ``preferences_url`` and
``view_url``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup, escape

from app.mailings.composing.conditions import Closes, Condition, Opens
from app.mailings.composing.personal_text import Dynamic, Put, run, said
from app.mailings.composing.web_links import clean_link
from app.mailings.mime import Content
from app.mailings.skeleton import hole

# Markup is final; a str is plain words, which are escaped in HTML.
Words = Markup | str | Put | Dynamic
Part = Words | Opens | Closes
# Between the paragraphs of a plain text.
BETWEEN = "\n\n"
FRAME_HOLES = ("unsubscribe_url", "preferences_url", "view_url")


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a mail by the name of its hole. ``field`` names the personal field that holds its address, if any.

    A link like that is called ``own_link_n``, is never followed, and its words come with a person's fields.
    """

    name: str
    url: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class MailTemplate:
    """One variant in one language. ``subject``, ``html`` and ``text`` hold ``skeleton.hole`` marks.

    Where ``is_simple`` they are all there is to it: ``skeleton.filled`` with ``words_of(fields)`` and the words of the
    links is the mail. Else texts differ from person to person, or some see blocks that others do not (``seen_by``), and
    only ``rendered`` makes the mail.
    """

    language: str
    subject_parts: Sequence[Part]
    html_parts: Sequence[Part]
    text_parts: Sequence[Part]
    links: Sequence[Link]
    puts: Mapping[Put, str]
    is_simple: bool
    subject: str
    html: str
    text: str

    def words_of(self, fields: Mapping[str, str]) -> dict[str, str]:
        """Return what one person's fields put in the holes: every ``field_n``, and the links that are a field."""
        words = {name: said(put, fields) for put, name in self.puts.items()}
        return words | {link.name: clean_link(said(Put(link.field), fields)) for link in self.links if link.field}

    @property
    def segments(self) -> list[int]:
        """Return the segments that conditions ask, for ``read_fields``."""
        asked = (part.condition.segment_id for part in self.html_parts if isinstance(part, Opens))
        return sorted({each for each in asked if each is not None})

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Return what is asked of a person, each once. What was answered decides which blocks a mail has."""
        parts = [*self.html_parts, *self.text_parts]
        return tuple(dict.fromkeys(part.condition for part in parts if isinstance(part, Opens)))

    def seen_by(self, fields: Mapping[str, str]) -> MailTemplate:
        """Return the template of all who give the same answers as a person with these fields; it asks nothing more.

        Holes and links are called as they are here, so that ``words_of`` and ``links`` are for both.
        """
        html, text = (list(seen_parts(parts, fields)) for parts in (self.html_parts, self.text_parts))
        return replace(
            self,
            html_parts=html,
            text_parts=text,
            is_simple=not any(isinstance(part, Dynamic) for part in (*self.subject_parts, *html, *text)),
            html=_holed(html, self.puts, as_html=True),
            text=_holed(text, self.puts, as_html=False),
        )

    @property
    def urls(self) -> list[str]:
        """Where ``link_1``, ``link_2`` … go, in that order."""
        return [link.url for link in self.links if not link.field]

    def direct_links(self) -> dict[str, str]:
        """Return the links as they were composed, by hole; those that are a field come with ``words_of``."""
        return {link.name: link.url for link in self.links if not link.field}

    def content(self, *, headers: Mapping[str, str] | None = None) -> Content:
        """Return the mail with its holes, for ``skeleton_of``; only where ``is_simple``."""
        if not self.is_simple:
            raise ValueError("this mail differs from person to person; use rendered")
        return Content(self.subject, self.text, self.html, headers or {})

    def rendered(
        self, fields: Mapping[str, str], *, headers: Mapping[str, str] | None = None, shows_all: bool = False
    ) -> Content:
        """Return the mail for one person, with holes left for links only; for any template, simple or not.

        With ``shows_all`` also what only others see. Raises BracesError where a text fails for this person.
        """
        asked = None if shows_all else fields
        html = "".join(_html_words(part, fields) for part in seen_parts(self.html_parts, asked))
        text = "".join(_text_words(part, fields) for part in _begun(seen_parts(self.text_parts, asked)))
        subject = " ".join("".join(_text_words(part, fields) for part in seen_parts(self.subject_parts, None)).split())
        return Content(subject, text, html, headers or {})


def template_from(
    language: str,
    *,
    subject: Sequence[Part],
    html: Sequence[Part],
    text: Sequence[Part],
    links: Sequence[Link],
) -> MailTemplate:
    """Return the template of these parts, with a hole for every field and fallback."""
    parts = [*subject, *html, *text]
    puts: dict[Put, str] = {}
    for part in parts:
        if isinstance(part, Put):
            puts.setdefault(part, f"field_{len(puts) + 1}")
    return MailTemplate(
        language=language,
        subject_parts=subject,
        html_parts=html,
        text_parts=text,
        links=links,
        puts=puts,
        is_simple=not any(isinstance(part, Dynamic | Opens) for part in parts),
        subject=" ".join(_holed(subject, puts, as_html=False).split()),
        html=_holed(html, puts, as_html=True),
        text=_holed(text, puts, as_html=False),
    )


def _holed(parts: Sequence[Part], puts: Mapping[Put, str], *, as_html: bool) -> str:
    def words(part: Words) -> str:
        match part:
            case Put():
                return hole(puts[part])
            case Dynamic():
                return _html_words(part, {}) if as_html else _text_words(part, {})
            case _:
                return str(escape(part)) if as_html else str(part)

    return "".join(map(words, _begun(seen_parts(parts, None))))


def seen_parts(parts: Iterable[Part], fields: Mapping[str, str] | None) -> Iterator[Words]:
    """Yield the parts that a person with these fields sees; with None all of them."""
    around: list[bool] = []
    for part in parts:
        match part:
            case Opens(condition=condition):
                around.append(fields is None or condition.holds(fields))
            case Closes():
                around.pop()
            case _ if all(around):
                yield part


def _begun(parts: Iterable[Words]) -> Iterator[Words]:
    """Yield parts without an empty line before the first paragraph."""
    for place, part in enumerate(parts):
        if place or part != BETWEEN:
            yield part


def _html_words(part: Words, fields: Mapping[str, str]) -> str:
    return str(escape(part if isinstance(part, Markup) else _text_words(part, fields)))


def _text_words(part: Words, fields: Mapping[str, str]) -> str:
    match part:
        case Put():
            return said(part, fields)
        case Dynamic():
            return run(part, fields)
        case _:
            return str(part)
