"""Texts with personal fields: ``Dag {{ given_name or "bezoeker" }}``. What is between braces is read, never trusted.

A text is a Jinja2 template of which we allow very little: a declared field, a field with a fallback, and an ``if`` on
declared fields. Everything else is refused when it is written; what runs at all runs in Jinja's immutable sandbox.
A text without an ``if`` comes apart in plain pieces and fields, and is filled in without running anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import ChainableUndefined, Template, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from app.mailings.composing.problems import BracesError
from app.segments.problems import Message
from integrations.meanings import N_

OUTPUT_MAX = 40_000
# No parser of ours walks deeper, and nobody writes an if in an if in an if.
DEPTH_MAX = 6
IFS_MAX = 20


@dataclass(frozen=True, slots=True)
class Put:
    """A personal field, and what is said for whoever has none."""

    field: str
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class Dynamic:
    """A text that differs from person to person in more than a word; it runs in the sandbox for each."""

    source: str
    fields: tuple[str, ...]


Piece = str | Put | Dynamic
IsKnown = Callable[[str], bool]

_NOT_UNDERSTOOD = Message(
    N_("What stands between braces here is not understood. Remove it, and choose a field with “Personal field”.")
)


@lru_cache(maxsize=4096)
def pieces_of(text: str, is_known: IsKnown) -> tuple[Piece, ...]:
    """Return a text as plain words, fields, and parts that run in the sandbox; their words put together are the text.

    Raises BracesError for anything but declared fields, fallbacks and simple ifs.
    """
    if "{" not in text:
        return (text,) if text else ()
    try:
        tree = _environment().parse(text)
        reader = _Reader(is_known)
        found = reader.read(tree.body, depth=0)
    except TemplateSyntaxError:
        raise BracesError(
            Message(N_("The braces here do not match. A field is written as {{ given_name }}; an if ends with endif."))
        ) from None
    except RecursionError:
        raise BracesError(_NOT_UNDERSTOOD) from None
    if reader.ifs:
        return (Dynamic(text, tuple(dict.fromkeys(reader.fields))),)
    return tuple(found)


def fields_in(pieces: Iterable[Piece]) -> Iterator[Put]:
    """Yield every field, those inside an if without a fallback."""
    for piece in pieces:
        if isinstance(piece, Put):
            yield piece
        elif isinstance(piece, Dynamic):
            yield from (Put(name) for name in piece.fields)


def said(piece: Put, fields: Mapping[str, str]) -> str:
    """Return the words of a field for one person, or the fallback where there are none."""
    return one_line(fields.get(piece.field, "")) or piece.fallback


def run(piece: Dynamic, fields: Mapping[str, str]) -> str:
    """Return what a text says to one person, as plain words. Raises BracesError where it fails."""
    try:
        words = _compiled(piece.source).render(_context({name: fields.get(name, "") for name in piece.fields}))
    except Exception as problem:  # whatever a template does to one person stops that person's mail only
        raise BracesError(_NOT_UNDERSTOOD) from problem
    if len(words) > OUTPUT_MAX:
        raise BracesError(_NOT_UNDERSTOOD)
    return words


def say(text: str, fields: Mapping[str, str], is_known: IsKnown) -> str:
    """Return what a text says to one person, as plain words. Raises BracesError where it fails."""
    words = (
        said(piece, fields) if isinstance(piece, Put) else run(piece, fields) if isinstance(piece, Dynamic) else piece
        for piece in pieces_of(text, is_known)
    )
    return "".join(words)


def one_line(words: str) -> str:
    """Return somebody's words without line breaks and control characters, as a header and a skeleton ask for."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029\ue000\ue001]+", " ", words).split())


def _context(fields: Mapping[str, str]) -> dict[str, object]:
    nested: dict[str, object] = {}
    for name, value in fields.items():
        room, dot, leaf = name.partition(".")
        if dot:
            inner = nested.setdefault(room, {})
            if isinstance(inner, dict):
                inner[leaf] = one_line(value)
        else:
            nested[room] = one_line(value)
    return nested


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    # It makes plain words; whoever puts them in HTML escapes them, all of them.
    environment = ImmutableSandboxedEnvironment(
        autoescape=False, undefined=ChainableUndefined, keep_trailing_newline=True
    )
    environment.globals.clear()
    environment.filters.clear()
    environment.tests.clear()
    return environment


@lru_cache(maxsize=1024)
def _compiled(source: str) -> Template:
    return _environment().from_string(source)


class _Reader:
    """Reads the tree of a template and refuses all that is not allowed by name."""

    def __init__(self, is_known: IsKnown) -> None:
        self.fields: list[str] = []
        self.ifs = 0
        self._is_known = is_known

    def read(self, body: Iterable[nodes.Node], *, depth: int) -> list[Piece]:
        if depth > DEPTH_MAX:
            raise BracesError(_NOT_UNDERSTOOD)
        found: list[Piece] = []
        for node in body:
            match node:
                case nodes.Output():
                    found += [self._output(each) for each in node.nodes]
                case nodes.If():
                    self._if(node, depth=depth)
                case _:
                    raise BracesError(_NOT_UNDERSTOOD)
        return found

    def _if(self, node: nodes.If, *, depth: int) -> None:
        self.ifs += 1
        if self.ifs > IFS_MAX:
            raise BracesError(Message(N_("That is more than %(most)s ifs in one text."), most=IFS_MAX))
        self._test(node.test, depth=depth)
        for part in (node.body, node.elif_, node.else_):
            self.read(part, depth=depth + 1)

    def _output(self, node: nodes.Node) -> Piece:
        match node:
            case nodes.TemplateData():
                return str(node.data)
            case nodes.Or(left=left, right=nodes.Const(value=str(fallback))):
                return Put(self._field(left), one_line(fallback))
            case _:
                return Put(self._field(node))

    def _test(self, node: nodes.Node, *, depth: int) -> None:
        if depth > DEPTH_MAX:
            raise BracesError(_NOT_UNDERSTOOD)
        match node:
            case nodes.Not(node=inner):
                self._test(inner, depth=depth + 1)
            case nodes.And(left=left, right=right) | nodes.Or(left=left, right=right):
                self._test(left, depth=depth + 1)
                self._test(right, depth=depth + 1)
            case nodes.Compare(expr=left, ops=[nodes.Operand(op="eq" | "ne", expr=nodes.Const(value=str()))]):
                self._field(left)
            case _:
                self._field(node)

    def _field(self, node: nodes.Node) -> str:
        match node:
            case nodes.Name(name=name):
                pass
            case nodes.Getattr(node=nodes.Name(name=room), attr=leaf):
                name = f"{room}.{leaf}"
            case nodes.Getitem(node=nodes.Name(name=room), arg=nodes.Const(value=str(leaf))):
                name = f"{room}.{leaf}"
            case _:
                raise BracesError(_NOT_UNDERSTOOD)
        if not self._is_known(name):
            unknown = N_("There is no personal field “%(name)s”. Choose one with “Personal field”.")
            raise BracesError(Message(unknown, name=name[:60]))
        self.fields.append(name)
        return str(name)
