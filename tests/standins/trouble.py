"""What goes wrong between a vendor and us, done on purpose: answers that never come, are cut, broken or doubled.

A ``Spoiler`` sits in a stand-in and spoils its answers by a seeded draw, never the same request in the same way twice
in a row: a trouble that never ends is an outage, and tested as one.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Json = dict[str, Any]
HTML = b"<!doctype html><html><body><h1>We are busy</h1></body></html>"
LISTS = ("results", "data", "events", "orders", "attendees")


class Trouble(StrEnum):
    """A way in which an answer can be wrong."""

    NO_ANSWER = "the line stays open and nothing comes"
    HUNG_UP = "the line is cut before a word was said"
    CUT_OFF = "the line is cut in the middle of the answer"
    HALF = "half an answer, called whole"
    BROKEN_CHARACTER = "bytes that are no characters"
    PAGE_FOR_PEOPLE = "200 with HTML"
    BAD_GATEWAY = "502 with HTML"
    SERVER_ERROR = "500"
    THROTTLED = "429 with Retry-After"
    HALF_PAGE = "a list with half of its rows"
    DOUBLED = "a list with every row twice"
    REORDERED = "a list in another order"


OF_THE_LINE = tuple(Trouble)[:9]
OF_THE_ROWS = tuple(Trouble)[9:]


@dataclass(frozen=True)
class Answer:
    """What is sent: ``sent`` bytes of a body that is said to be whole; None: nothing at all."""

    status: int
    body: bytes
    headers: dict[str, str]
    sent: int | None
    waits: bool = False


@dataclass
class Spoiler:
    """Spoils a ``share`` of the answers, by troubles drawn from ``of``. ``done`` counts what it did."""

    of: Sequence[Trouble] = tuple(Trouble)
    share: float = 0.5
    seed: int = 1
    done: list[Trouble] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)
        self._last: dict[str, Trouble | None] = {}

    def spoil(self, asked: str, status: int, body: bytes, headers: dict[str, str]) -> Answer:
        """Return what is sent to whoever asked for something."""
        trouble = self._draw.choice(list(self.of)) if self._draw.random() < self.share else None
        if trouble is not None and trouble == self._last.get(asked):
            trouble = None
        self._last[asked] = trouble
        if trouble is None:
            return Answer(status, body, headers, len(body))
        self.done.append(trouble)
        return self._wrong(trouble, status, body, headers)

    def _wrong(self, trouble: Trouble, status: int, body: bytes, headers: dict[str, str]) -> Answer:
        page, half, broken = {"Content-Type": "text/html"}, len(body) // 2, body[:1] + b"\xff\xfe" + body[1:]
        whole = {
            Trouble.HALF: (status, body[:half], headers),
            Trouble.BROKEN_CHARACTER: (status, broken, headers),
            Trouble.PAGE_FOR_PEOPLE: (200, HTML, page),
            Trouble.BAD_GATEWAY: (502, HTML, page),
            Trouble.SERVER_ERROR: (500, b"", {}),
            Trouble.THROTTLED: (429, b"{}", {"Retry-After": "1"}),
        }
        if trouble in (Trouble.NO_ANSWER, Trouble.HUNG_UP):
            return Answer(status, b"", headers, None, waits=trouble is Trouble.NO_ANSWER)
        if trouble is Trouble.CUT_OFF:
            return Answer(status, body, headers, half)
        said = whole.get(trouble) or (status, _with_rows(body, trouble, self._draw), headers)
        return Answer(*said, len(said[1]))


def _with_rows(body: bytes, trouble: Trouble, draw: random.Random) -> bytes:
    try:
        said = json.loads(body)
    except ValueError:  # lines, each an object of its own
        return body
    named = next((name for name in LISTS if isinstance(said, dict) and isinstance(said.get(name), list)), None)
    if named is None:
        return body
    rows = said[named]
    if trouble is Trouble.HALF_PAGE:
        said[named] = rows[: (len(rows) + 1) // 2]
    elif trouble is Trouble.DOUBLED:
        said[named] = [row for row in rows for _ in range(2)]
    else:
        said[named] = draw.sample(rows, len(rows))
    return json.dumps(said).encode()
