"""Translation catalogues: one per room, so that rooms do not collide; all found by a list made at start.

``python -m app.ui.catalogues update [room]``   extract strings and merge them into the room's .po files
``python -m app.ui.catalogues check [room]``    say what is missing, fuzzy, out of step or contradictory
``python -m app.ui.catalogues compile``         write .mo files where the .po is newer

Message ids are English. Needs Babel and nothing of the application, so that the build can load it by its path.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

APP = Path(__file__).resolve().parent.parent
LANGUAGES = ("nl", "fr")

KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "_l": None,
    "N_": None,
    "gettext": None,
    "lazy_gettext": None,
    "ngettext": (1, 2),
    "lazy_ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "lazy_pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
METHODS = {".py": "python", ".html": "jinja2.ext.babel_extract", ".txt": "jinja2.ext.babel_extract"}
OPTIONS = {"silent": "false", "trimmed": "true"}
VOLATILE = re.compile(
    r'^"(Project-Id-Version|Report-Msgid-Bugs-To|POT-Creation-Date|PO-Revision-Date|Last-Translator|Language-Team|'
    r'Generated-By):.*\\n"\n',
    re.MULTILINE,
)
PLACEHOLDER = re.compile(r"%\((\w+)\)[sdif]|\{(\w*)\}")

Key = tuple[str, ...]


def rooms(top: Path = APP) -> list[Path]:
    """Return what has strings of its own: the packages of the application, and the connectors beside it."""
    packages = sorted(path.parent for path in top.glob("*/__init__.py"))
    connectors = top.parent / "integrations"
    return [*packages, connectors] if (connectors / "__init__.py").is_file() else packages


def directories(top: Path = APP) -> list[str]:
    """Return the translation folders of all rooms that have one, for Flask-Babel."""
    return [str(room / "translations") for room in rooms(top) if (room / "translations").is_dir()]


def po_path(room: Path, language: str) -> Path:
    """Return where a room keeps its strings in a language."""
    return room / "translations" / language / "LC_MESSAGES" / "messages.po"


def compile_stale(top: Path = APP) -> list[Path]:
    """Write a .mo beside each .po that is newer than it; returns what was written."""
    written = []
    for room in rooms(top):
        for language in LANGUAGES:
            source = po_path(room, language)
            target = source.with_suffix(".mo")
            if source.is_file() and (not target.is_file() or target.stat().st_mtime < source.stat().st_mtime):
                _compile(source, target, language)
                written.append(target)
    return written


def _compile(source: Path, target: Path, language: str) -> None:
    # Under another name first: a process that reads while another compiles sees the old file or the new one.
    unfinished = target.with_suffix(f".mo.{os.getpid()}")
    with unfinished.open("wb") as file:
        write_mo(file, read_catalogue(source, language))
    unfinished.replace(target)


def extract(room: Path) -> Catalog:
    """Return the strings of a room as its code and templates hold them now."""
    catalogue = Catalog(charset="utf-8")
    for path in sorted(room.rglob("*")):
        method = METHODS.get(path.suffix)
        is_template = "templates" in path.relative_to(room).parts
        if method is None or "node_modules" in path.parts or (path.suffix == ".txt" and not is_template):
            continue
        found = extract_from_file(method, path, keywords=KEYWORDS, comment_tags=("NOTE:",), options=OPTIONS)
        for _line, message_id, comments, context in found:
            catalogue.add(message_id, auto_comments=comments, context=context)
    return catalogue


def update(room: Path) -> None:
    """Merge a room's strings into its .po files; unused ones go.

    A new string that another room has translated gets that translation; other new ones come in empty.
    """
    for language in LANGUAGES:
        template = extract(room)  # anew for each, because the catalogue takes over its messages
        if not any(message.id for message in template):
            return
        path = po_path(room, language)
        catalogue = read_catalogue(path, language) if path.is_file() else Catalog(locale=language, charset="utf-8")
        catalogue.update(template, no_fuzzy_matching=True, update_creation_date=False)
        _borrow(catalogue, room, language)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_written(catalogue), encoding="utf-8")


def _borrow(catalogue: Catalog, room: Path, language: str) -> None:
    known: dict[Key, str | tuple[str, ...] | list[str] | None] = {}
    for path in (po_path(other, language) for other in rooms(room.parent) if other != room):
        if path.is_file():
            known |= {_key(message): message.string for message in read_catalogue(path, language) if message.id}
    for message in catalogue:
        if message.id and not _is_translated(message):
            message.string = known.get(_key(message), message.string)


def _written(catalogue: Catalog) -> str:
    catalogue.header_comment = "# Strings of this room. Write with: python -m app.ui.catalogues update"
    catalogue.fuzzy = False
    buffer = io.BytesIO()
    write_po(buffer, catalogue, width=118, no_location=True, sort_output=True, ignore_obsolete=True)
    return VOLATILE.sub("", buffer.getvalue().decode("utf-8")).strip() + "\n"


def read_catalogue(path: Path, language: str) -> Catalog:
    """Return a .po file as Babel's catalogue."""
    with path.open("rb") as file:
        return read_po(file, locale=language, charset="utf-8")


def check(room: Path) -> list[str]:
    """Return what is wrong with a room's catalogues, one sentence per finding; an empty list means complete."""
    wanted = {_key(message): message for message in extract(room) if message.id}
    findings: list[str] = []
    for language in LANGUAGES:
        path = po_path(room, language)
        if not path.is_file():
            if wanted:
                findings.append(f"{room.name}/{language}: no catalogue for {len(wanted)} strings")
            continue
        catalogue = read_catalogue(path, language)
        held = {_key(message): message for message in catalogue if message.id}
        findings += [f"{room.name}/{language}: {finding}" for finding in _differences(wanted, held)]
        findings += [f"{room.name}/{language}: fuzzy header"] if catalogue.fuzzy else []
    return findings


def _differences(wanted: Mapping[Key, Message], held: Mapping[Key, Message]) -> Iterator[str]:
    for key in sorted(wanted.keys() - held.keys()):
        yield f"not extracted: {key[1]!r}"
    for key in sorted(held.keys() - wanted.keys()):
        yield f"no longer used: {key[1]!r}"
    for key in sorted(wanted.keys() & held.keys()):
        yield from _flaws(key, held[key])


def _flaws(key: Key, message: Message) -> Iterator[str]:
    if message.fuzzy:
        yield f"fuzzy: {key[1]!r}"
    if not _is_translated(message):
        yield f"not translated: {key[1]!r}"
        return
    allowed = {frozenset(_placeholders(text)) for text in key[1:]}
    for text in _strings(message):
        if frozenset(_placeholders(text)) not in allowed:
            yield f"placeholders differ: {key[1]!r} and {text!r}"


def contradictions(top: Path = APP) -> list[str]:
    """Return strings that two rooms translate differently: all catalogues are merged, so one of them would be lost."""
    findings = []
    for language in LANGUAGES:
        seen: dict[Key, tuple[str, object]] = {}
        for room in rooms(top):
            path = po_path(room, language)
            if not path.is_file():
                continue
            for message in read_catalogue(path, language):
                if not message.id or not _is_translated(message):
                    continue
                name, translation = seen.setdefault(_key(message), (room.name, message.string))
                if translation != message.string:
                    key = _key(message)[1]
                    findings.append(f"{language}: {name} and {room.name} translate {key!r} differently")
    return findings


def _strings(message: Message) -> tuple[str, ...]:
    return tuple(message.string) if isinstance(message.string, (tuple, list)) else (message.string or "",)


def _is_translated(message: Message) -> bool:
    return all(_strings(message))


def _key(message: Message) -> Key:
    ids = message.id if isinstance(message.id, (tuple, list)) else (message.id,)
    return (message.context or "", *ids)


def _placeholders(text: str) -> Iterator[str]:
    for match in PLACEHOLDER.finditer(text):
        yield match.group(1) or match.group(2) or ""


def main(arguments: list[str]) -> int:
    """Run one of the commands in the docstring of this module; returns the exit status."""
    command, *names = arguments or ["check"]
    chosen = [room for room in rooms() if not names or room.name in names]
    if command == "update":
        for room in chosen:
            update(room)
    elif command == "compile":
        compile_stale()
    elif command == "check":
        findings = [finding for room in chosen for finding in check(room)] + contradictions()
        sys.stdout.write("".join(f"{finding}\n" for finding in findings))
        return 1 if findings else 0
    else:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
