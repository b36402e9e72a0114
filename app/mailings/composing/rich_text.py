"""Rich text, safe by construction: any HTML that comes in is read into paragraphs and runs, and written anew.

Nothing of what came in is passed on but characters, and the target of a link after it was checked. The same nodes give
the HTML of the mail and its plain text. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Literal

from markupsafe import escape

from app.mailings.composing.web_links import clean_link

BlockKind = Literal["p", "h2", "h3", "ul", "ol"]


@dataclass(frozen=True, slots=True)
class Run:
    """Words in one formatting; a line break is a run of ``\\n``."""

    words: str
    is_bold: bool = False
    is_italic: bool = False
    href: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A paragraph, a heading, or a list with its items."""

    kind: BlockKind
    items: tuple[tuple[Run, ...], ...]


_BOLD, _ITALIC = ("b", "strong"), ("i", "em")
_HEADINGS: dict[str, BlockKind] = {"h1": "h2", "h2": "h2", "h3": "h3", "h4": "h3", "h5": "h3", "h6": "h3"}
_BLOCKS = ("p", "div", "section", "article", "blockquote", "pre", "tr", "table", "header", "footer", "li", *_HEADINGS)
_SILENT = ("script", "style", "head", "title", "template", "noscript", "iframe", "object", "svg", "math", "textarea",
           "select", "option")  # fmt: skip


def parts_of(html: str) -> tuple[Part, ...]:
    """Return the paragraphs, headings and lists of any HTML; what is not one of ours loses its tags, or all of it."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.finished()


def html_of(parts: Sequence[Part]) -> str:
    """Return the one way in which we write these parts, for the editor and the database."""
    return "".join(_written(part) for part in parts)


def cleaned(html: str) -> str:
    """Return HTML with nothing in it but what we know."""
    return html_of(parts_of(html))


def links_of(parts: Sequence[Part]) -> list[str]:
    """Return where its links go, in order."""
    return [run.href for part in parts for item in part.items for run in item if run.href]


def _written(part: Part) -> str:
    if part.kind in ("ul", "ol"):
        return f"<{part.kind}>" + "".join(f"<li>{_runs(item)}</li>" for item in part.items) + f"</{part.kind}>"
    return "".join(f"<{part.kind}>{_runs(item)}</{part.kind}>" for item in part.items)


def _runs(runs: Sequence[Run]) -> str:
    return "".join(map(_run, runs))


def _run(run: Run) -> str:
    html = "<br>".join(str(escape(line)) for line in run.words.split("\n"))
    html = f"<em>{html}</em>" if run.is_italic else html
    html = f"<strong>{html}</strong>" if run.is_bold else html
    return f'<a href="{escape(run.href)}">{html}</a>' if run.href else html


@dataclass(slots=True)
class _Open:
    """What is open while reading."""

    bold: int = 0
    italic: int = 0
    hrefs: list[str] = field(default_factory=list)
    lists: list[BlockKind] = field(default_factory=list)
    silent: int = 0


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[Part] = []
        self._runs: list[Run] = []
        self._kind: BlockKind = "p"
        self._open = _Open()

    def finished(self) -> tuple[Part, ...]:
        self._end_block()
        return tuple(self._parts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._open.silent += 1
        elif tag in _BOLD:
            self._open.bold += 1
        elif tag in _ITALIC:
            self._open.italic += 1
        elif tag == "a":
            self._open.hrefs.append(clean_link(dict(attrs).get("href") or ""))
        elif tag == "br":
            self._add("\n")
        elif tag in ("ul", "ol"):
            self._end_block()
            self._open.lists.append("ol" if tag == "ol" else "ul")
        elif tag in _BLOCKS:
            self._end_block()
            self._kind = _HEADINGS.get(tag, "p")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._open.silent = max(0, self._open.silent - 1)
        elif tag in _BOLD:
            self._open.bold = max(0, self._open.bold - 1)
        elif tag in _ITALIC:
            self._open.italic = max(0, self._open.italic - 1)
        elif tag == "a" and self._open.hrefs:
            self._open.hrefs.pop()
        elif tag in ("ul", "ol") and self._open.lists:
            self._end_block()
            self._open.lists.pop()
        elif tag in _BLOCKS:
            self._end_block()
            self._kind = "p"

    def handle_data(self, data: str) -> None:
        if not self._open.silent:
            self._add(" ".join(data.replace("\xa0", " ").split(" ")).replace("\n", " ").replace("\r", " "))

    def _add(self, words: str) -> None:
        href = self._open.hrefs[-1] if self._open.hrefs else ""
        run = Run(words, self._open.bold > 0, self._open.italic > 0, href)
        last = self._runs[-1] if self._runs else None
        if last is not None and replace(last, words="") == replace(run, words=""):
            self._runs[-1] = replace(last, words=last.words + words)
        elif words:
            self._runs.append(run)

    def _end_block(self) -> None:
        runs, self._runs = _trimmed(self._runs), []
        if not runs:
            return
        kind = self._open.lists[-1] if self._open.lists else self._kind
        last = self._parts[-1] if self._parts else None
        if kind in ("ul", "ol") and last is not None and last.kind == kind:
            self._parts[-1] = Part(kind, (*last.items, runs))
        else:
            self._parts.append(Part(kind, (runs,)))


def _trimmed(runs: list[Run]) -> tuple[Run, ...]:
    """Return the runs of a paragraph without white space at its ends."""
    while runs and not runs[0].words.lstrip():
        runs = runs[1:]
    while runs and not runs[-1].words.rstrip():
        runs = runs[:-1]
    if not runs:
        return ()
    runs = [replace(runs[0], words=runs[0].words.lstrip()), *runs[1:]]
    return (*runs[:-1], replace(runs[-1], words=runs[-1].words.rstrip()))
